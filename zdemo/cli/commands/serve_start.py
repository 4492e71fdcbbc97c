"""What ``zdemo serve`` shows at the start: addresses, whether ZITADEL and the store accept the API, and what to try."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from zdemo.cli.emulator_env_file import with_emulator_settings
from zdemo.cli.layout import in_lines
from zdemo.cli.screen import Screen
from zdemo.config.environment import Environment
from zdemo.config.parsers import shown_address
from zdemo.config.settings import API_URL, Settings
from zdemo.config.variables import DEFAULT_API_URL
from zdemo.diagnosis.ask.facts import random_token
from zdemo.diagnosis.ask.investigate import Investigation, investigate_with
from zdemo.diagnosis.finding import Finding
from zdemo.diagnosis.view import brief, heading, why
from zdemo.errors import SettingsError
from zdemo.errors.steps import DEFAULT_ENV_FILE, Command, Step, with_env_file
from zdemo.serving.loopback import names_loopback

if TYPE_CHECKING:
    from zdemo.guard.shared.redis_store import SharedState

ACCEPTED, FAULTY, LATE = "credentials accepted", "see the warning", "no answer yet"
MOMENT_SECONDS = 0.5  # that the start waits for ZITADEL; then the API starts, and the verdict follows
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # what a client connects to instead
REVOKE = Command("role revoke reader read:messages")


@dataclass(frozen=True)
class ServeAddress:
    """Where the API listens; port and name of the emulator if it runs beside it; the page's key if there is a page."""

    host: str
    port: int
    emulator_port: int | None = None
    emulator_name: str = ""
    page_key: str = field(default="", repr=False)

    @property
    def url(self) -> str:
        """The API's address, as a client on this machine writes it."""
        host = ANY_ADDRESS.get(self.host, self.host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def page_url(self) -> str:
        """The address that opens the page; empty if there is none. It is for a loopback host only."""
        is_served = self.page_key and names_loopback(urlsplit(self.url).netloc)
        return f"{self.url}/?key={self.page_key}" if is_served else ""


def _verdict(asked: Future[Investigation]) -> str:
    """Return in short what is known of ZITADEL after a moment."""
    try:
        return FAULTY if asked.result(MOMENT_SECONDS).error else ACCEPTED
    except TimeoutError:
        return LATE


def _tell_fault(screen: Screen, environment: Environment, asked: Future[Investigation], verdict: str) -> None:
    """Tell below the banner, whose verdict is given, the cause of a fault and what to do, as doctor does."""
    error, finding = asked.result().error, asked.result().finding
    if error is None:
        if verdict == LATE:
            screen.tell(f"ZITADEL: {ACCEPTED}")
        return
    finding = brief(finding or Finding(cause=error.message, fix=error.steps)).with_env_file(environment.file)
    screen.warn(f"{why(finding)}{f'; {heading(finding)}' if finding.candidates else ''}")
    screen.pairs([("note", problem.text) for problem in finding.because], label_width=7, stream=screen.stderr)
    screen.pairs([("", candidate) for candidate in finding.candidates], label_width=7, stream=screen.stderr)
    screen.steps("fix", finding.fix, label_width=7, stream=screen.stderr)


def tell_start(
    screen: Screen, environment: Environment, settings: Settings, place: ServeAddress, *, as_json: bool = False
) -> None:
    """Show the banner; warn if the store does not work, or ZITADEL does not accept the credentials.

    If ZITADEL needs longer than a moment, its warning follows later. Raises SettingsError if the CA bundle that the
    environment names cannot be used.
    """
    asked = Future[Investigation]()

    def ask() -> None:
        try:
            asked.set_result(investigate_with(environment, settings, None, role=None, now=time.time()))
        except SettingsError as error:
            asked.set_exception(error)

    threading.Thread(target=ask, name="preflight", daemon=True).start()
    store = _state_of_store(settings)  # takes less than a moment too, while ZITADEL is asked
    verdict = _verdict(asked)
    if as_json:
        page = f", page on {place.page_url}" if place.page_url else ""
        screen.tell(f"API on {place.url}, asks {settings.zitadel}: {verdict}{page}")
    else:
        name = f"emulator {place.emulator_name}" if place.emulator_name else "ZITADEL"
        rows = [(name, str(settings.zitadel), verdict), ("API", place.url, _cache(settings))]
        screen.table(rows, stream=screen.stderr)
        if place.page_url:  # too wide for a column
            screen.behind(f"{'page':<{len(name)}}  ", place.page_url, stream=screen.stderr)
        screen.tell("")
        if verdict != FAULTY:  # a fault comes first, and its fix is the next step
            screen.tell("in another terminal")
            for step in _steps(environment, place):
                screen.behind("  ", in_lines(step), stream=screen.stderr)
            screen.tell("")
    if store and not store.ok:
        screen.warn(f"{store.reason}, so answers are not shared")
        screen.behind("fix      ", store.hint, stream=screen.stderr)
    asked.add_done_callback(lambda done: _tell_fault(screen, environment, done, verdict))


def _state_of_store(settings: Settings) -> SharedState | None:
    if not (settings.cache_url and settings.cache_ttl_seconds):
        return None
    from zdemo.guard.build import shared_answers  # here, since most APIs have no store

    with closing(shared_answers(settings)) as answers:
        return answers.tried(random_token())


def _cache(settings: Settings) -> str:
    url, ttl = settings.cache_url, settings.cache_ttl_seconds
    cache = f"cache {ttl:g} s" if ttl else "no cache"
    return f"{cache}, shared at {shown_address(url)}" if url and ttl else cache


def _steps(environment: Environment, place: ServeAddress) -> list[Step]:
    """Return the commands to run next; each can be pasted as it is, and overwrites nothing."""
    route = "scoped" if place.emulator_port or environment.get("PAT") else "public"
    is_known = place.url == environment.get(API_URL, DEFAULT_API_URL).rstrip("/")
    url = "" if is_known else f" --url {place.url}"
    call, mine = Command(f"call {route}{url}"), environment.file or DEFAULT_ENV_FILE
    if not place.emulator_port:
        return [with_env_file(call, mine)]
    return with_emulator_settings(mine, call, REVOKE, port=place.emulator_port, api_url=place.url)
