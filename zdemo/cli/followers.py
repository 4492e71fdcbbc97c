"""Make running APIs forget their older answers after a change in ZITADEL, and say which of them do."""

from contextlib import closing, suppress
from dataclasses import dataclass, field

from zdemo.cli.screen import Screen
from zdemo.client import Forgotten, order_to_forget
from zdemo.config.address import is_withheld
from zdemo.config.environment import Environment
from zdemo.config.printable import one_line
from zdemo.config.settings import FORGET_KEY, ClientSettings, Settings
from zdemo.errors import SettingsError
from zdemo.introspection.forget import Forget


@dataclass(frozen=True, kw_only=True)
class Followers:
    """Which APIs have forgotten their older answers: those that share the store, and the one at an address."""

    sharing: bool = False
    api_url: str = ""
    told: Forgotten = field(default_factory=Forgotten)

    @property
    def at_once(self) -> bool:
        """Whether any API has."""
        return self.sharing or self.told.done


def make_apis_forget(environment: Environment, api: Settings | None, user_id: str) -> Followers:
    """Make running APIs forget what ZITADEL said about a user: by the store of ``api``, and at ``ZDEMO_API_URL``."""
    sharing = _published(api, user_id) if api and api.cache_url else False
    try:
        settings = ClientSettings.from_env(environment)
    except SettingsError:
        return Followers(sharing=sharing)
    withheld = is_withheld(environment, FORGET_KEY, setting=settings.setting, address=settings.api_url)
    key = "" if withheld else environment.get(FORGET_KEY, "").strip()
    told = order_to_forget(settings, user_id, key=key)
    return Followers(sharing=sharing, api_url=settings.api_url, told=told)


def _published(api: Settings, user_id: str) -> bool:
    """Tell the APIs that share the store; return whether that worked."""
    from zdemo.introspection.shared import shared_answers  # here, since most people have no store

    with suppress(SettingsError), closing(shared_answers(api)) as answers:
        return answers.publish_forget(Forget(user_id=user_id))
    return False


def show_followers(screen: Screen, followers: Followers) -> None:
    """Say which APIs follow at once, or else which setting of theirs limits how long they take."""
    told = followers.told
    if told.why_not:
        screen.tell(one_line(f"note: the API at {followers.api_url} did not forget its answers: {told.why_not}"))
    if told.untold:
        screen.tell(
            f"note: the API at {followers.api_url} forgot its answers, but its store did not take the order, so others "
            "that share the store were not told; check the store"
        )
    if told.done:
        screen.say(f"the API at {followers.api_url} follows at once")
    if followers.sharing:
        screen.say("the APIs that share the store in ZDEMO_CACHE_URL follow at once")
    elif told.untold or not told.done:
        screen.say(f"{'other ' if told.done else ''}running APIs follow within their ZDEMO_CACHE_TTL")
