"""What happened in a world: the events of its users, and how tokens, clients and other objects ended."""

from collections import Counter
from collections.abc import Callable

from zdemo.emulator.entities import EndedToken, Event, PersonalAccessToken, SessionToken, User


class History:
    """The past of a world, by the IDs of what there was. ``now`` returns epoch seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.events: list[Event] = []
        self.tokens: dict[str, EndedToken] = {}  # that ended before their time
        self.clients: dict[str, str] = {}  # why a client ID is not known any more
        self.removed: dict[str, float] = {}  # when a project or an authorization was removed
        self._sequences: Counter[str] = Counter()

    def log(self, user: User, kind: str, by: str = "", **payload: object) -> None:
        """Record what happened to a user."""
        self._sequences[user.id] += 1
        self.events.append(
            Event(
                sequence=self._sequences[user.id],
                created=self._now(),
                type=kind,
                aggregate_id=user.id,
                organization_id=user.organization_id,
                editor=by,
                payload=payload,
            )
        )

    def end_token(self, token: PersonalAccessToken | SessionToken, user: User, why: str) -> None:
        """Remember why a token has ended, which it does once."""
        self.tokens.setdefault(token.id, EndedToken(token, user.username, why))

    def end(self, id: str) -> None:
        """Remember that a project or an authorization was removed now."""
        self.removed[id] = self._now()
