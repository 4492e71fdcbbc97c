"""The state of one instance, and what all rules about it need: IDs, times, the log, look-ups."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable

from zdemo.emulator.entities import (
    Administrator,
    Application,
    Authorization,
    Entity,
    Event,
    Organization,
    Project,
    SessionToken,
    User,
)
from zdemo.emulator.errors import AlreadyExists
from zdemo.emulator.ids import IdGenerator

ADMINISTRATOR_TWICE = {
    "instance": ("Errors.Instance.Member.AlreadyExists", "INSTA-pFDwe"),
    "organization": ("Errors.Org.Member.AlreadyExists", "ORG-poWwe"),
    "project": ("Project member already exists", "PROJECT-PtXi1"),
}


class State:
    """All objects by their IDs, empty at first."""

    def __init__(self, now: Callable[[], float] = time.time, external_domain: str = "localhost") -> None:
        self.now = now
        self.lock = threading.RLock()
        self._ids = IdGenerator(now)
        self.external_domain = external_domain
        self.id = self.new_id()
        self.zitadel_project_id = self.new_id()  # the project of ZITADEL's own APIs; an audience, never listed
        self.organizations: dict[str, Organization] = {}
        self.projects: dict[str, Project] = {}
        self.applications: dict[str, Application] = {}
        self.users: dict[str, User] = {}
        self.authorizations: dict[str, Authorization] = {}
        self.session_tokens: dict[str, SessionToken] = {}
        self.administrators: dict[str, Administrator] = {}
        self.events: list[Event] = []
        self._sequences: Counter[str] = Counter()
        self.features: dict[str, object] = {}
        self.ended: dict[str, float] = {}  # when a project or authorization was removed, by its ID
        self.kept_taken: set[tuple[str, ...]] = set()  # what a removed project leaves taken

    def new_id(self) -> str:
        """18 digits, unique, rising, the time of creation inside."""
        return self._ids.new_id()

    def touch(self, entity: Entity) -> float:
        """Count a change of an object; returns its time."""
        entity.changed = self.now()
        entity.sequence += 1
        return entity.changed

    def log(self, user: User, kind: str, by: str = "", **payload: object) -> None:
        """Remember what happened to a user."""
        self._sequences[user.id] += 1
        self.events.append(
            Event(
                sequence=self._sequences[user.id],
                created=self.now(),
                type=kind,
                aggregate_id=user.id,
                organization_id=user.organization_id,
                editor=by,
                payload=payload,
            )
        )

    def add_administrator(self, user_id: str, resource: tuple[str, str], roles: list[str]) -> Administrator:
        """``resource`` as in ``Administrator``."""
        if self.find_administrator(user_id, resource):
            raise AlreadyExists(*ADMINISTRATOR_TWICE[resource[0]])
        now = self.now()
        made = Administrator(
            id=self.new_id(), created=now, changed=now, user_id=user_id, resource=resource, roles=list(roles)
        )
        self.administrators[made.id] = made
        return made

    def find_administrator(self, user_id: str, resource: tuple[str, str]) -> Administrator | None:
        """What a user is of an instance, an organization or a project."""
        found = (a for a in self.administrators.values() if (a.user_id, a.resource) == (user_id, resource))
        return next(found, None)

    def remove_administrators(self, which: Callable[[Administrator], bool]) -> None:
        """Those that are so."""
        for administrator in [a for a in self.administrators.values() if which(a)]:
            del self.administrators[administrator.id]


def named(entities: Iterable[Entity], attribute: str, value: str) -> Entity | None:
    """The object whose attribute is this text, without regard to case."""
    wanted = value.lower()
    return next((e for e in entities if getattr(e, attribute).lower() == wanted), None)
