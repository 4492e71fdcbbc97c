"""The emulator as the ZITADEL of a run: users and tokens without HTTP, faults, and a place where redirects lead."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from zdemo.config.settings import UserSettings
from zdemo.diagnosis.ask.token_request import request_token
from zdemo.diagnosis.phrases import audience_scope
from zdemo.emulator import NEVER, Emulator, User, World, new_fault
from zdemo.errors import UnusableAnswer
from zdemo.serving.embedded import serving
from zdemo.zitadel.introspection_answer import INTROSPECTION_PATH

LONG_AGO_SECONDS = 3600.0
SLOW_SECONDS = 0.5
LONGEST_BODY = 1 << 16
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class Person:
    """A service account of this run and its token."""

    user_id: str
    token: str = field(repr=False)
    token_id: str


class OtherOrigin:
    """An origin that is not ZITADEL's, and the requests that arrive there."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        """Keep a request, and answer as ZITADEL would if the token were active."""
        size = min(int(environ.get("CONTENT_LENGTH") or 0), LONGEST_BODY)
        fields = "\n".join(f"{name}: {value}" for name, value in environ.items() if isinstance(value, str))
        self.requests.append(fields.encode() + b"\n" + environ["wsgi.input"].read(size))
        start_response("200 OK", [("Content-Type", "application/json")])
        return [b'{"active": true}']


@contextmanager
def emulated_issuer(emulator: Emulator, project_id: str) -> Iterator[EmulatedIssuer]:
    """Make users and tokens in a running emulator, and serve the origin to which its redirects lead."""
    elsewhere = OtherOrigin()
    with serving(elsewhere) as port:
        yield EmulatedIssuer(emulator, project_id, elsewhere, f"http://{LOOPBACK}:{port}")


class EmulatedIssuer:
    """Users and tokens in the world of a running emulator. Each user is new, so no answer is in a cache."""

    def __init__(self, emulator: Emulator, project_id: str, elsewhere: OtherOrigin, elsewhere_url: str) -> None:
        self._elsewhere, self._elsewhere_url = elsewhere, elsewhere_url
        self._emulator, self._project_id = emulator, project_id
        with self._world.lock:
            own = self._world.projects[project_id]
            other = self._world.add_project(own.organization_id, f"verify-{secrets.token_hex(4)}")
        self._other_id, self._organization_id = other.id, own.organization_id

    @property
    def _world(self) -> World:
        return self._emulator.world

    def person(self, *roles: str, seconds: float | None = None) -> Person:
        """Return a user with these roles and a token of their own, which expires after ``seconds``."""
        return self._person(self._project_id, roles, seconds)

    def stranger(self, role: str) -> Person:
        """Return a user who has the role, but only in another project."""
        return self._person(self._other_id, (role,), None)

    def expired(self, *roles: str) -> Person:
        """Return a user whose token has expired."""
        return self._person(self._project_id, roles, -LONG_AGO_SECONDS)

    def session(self, role: str) -> str:
        """Return a token of the client credentials grant for this project, whose user has the role."""
        return self._session(self._project_id, role)

    def elsewhere(self, role: str) -> str:
        """Return a live token for another project, whose user has the role there."""
        return self._session(self._other_id, role)

    def jwt(self, role: str) -> str:
        """Return a JWT access token for this project, whose user has the role."""
        return self._session(self._project_id, role, as_jwt=True)

    def with_claims(self, changes: Mapping[str, Any], *roles: str) -> Person:
        """Return a user whose introspection is changed: a claim with ``...`` is left out."""
        person = self.person(*roles)
        with self._world.lock:
            self._world.answer_changes[person.token_id] = changes
        return person

    @contextmanager
    def fault(self, kind: str) -> Iterator[Callable[[], int]]:
        """Answer introspections wrongly during the block; yield how many have been, or are being, answered so."""
        started = time.time()
        fault = new_fault(kind, path="introspection", seconds=SLOW_SECONDS if kind == "slow" else None)
        self._emulator.faults.add(replace(fault, location=self._elsewhere_url) if kind == "redirect" else fault)
        try:
            yield lambda: self.introspections(started)
        finally:
            self._emulator.faults.clear()

    def introspections(self, since: float) -> int:
        """Return how many introspections have come since then (epoch seconds)."""
        return sum(one.path == INTROSPECTION_PATH and one.at >= since for one in list(self._emulator.requests))

    def collected(self) -> Sequence[bytes]:
        """Return the requests that arrived where redirects lead."""
        return self._elsewhere.requests

    def change(self, what: str, person: Person) -> None:
        """Change a user: ``delete`` the token, ``revoke`` the roles, or ``deactivate`` or ``lock`` the user."""
        with self._world.lock:
            user = self._world.users[person.user_id]
            if what == "delete":
                self._world.remove_pat(user, person.token_id)
            elif what == "revoke":
                for one in [a for a in self._world.authorizations.values() if a.user_id == user.id]:
                    self._world.remove_authorization(one)
            else:
                state = {"deactivate": "INACTIVE", "lock": "LOCKED"}[what]
                self._world.set_user_state(user, state, f"user.{what}ed")

    def _person(self, project_id: str, roles: tuple[str, ...], seconds: float | None) -> Person:
        with self._world.lock:
            user = self._user(project_id, roles)
            pat = self._world.add_pat(user, NEVER if seconds is None else self._world.now() + seconds)
        return Person(user_id=user.id, token=pat.token, token_id=pat.id)

    def _user(self, project_id: str, roles: tuple[str, ...]) -> User:
        project = self._world.projects[project_id]
        user = self._world.add_user(self._organization_id, f"verify-{secrets.token_hex(6)}", "Verify")
        for role in roles:
            if role.lower() not in (key.lower() for key in project.roles):
                self._world.add_role(project, role, role)
        if roles:
            self._world.add_authorization(user.id, project_id, self._organization_id, list(roles))
        return user

    def _session(self, project_id: str, role: str, *, as_jwt: bool = False) -> str:
        secret = secrets.token_urlsafe(32)
        with self._world.lock:
            user = self._user(project_id, (role,))
            user.secret, user.jwt_access_tokens = secret, as_jwt
            name = user.username
        settings = UserSettings(
            issuer=self._emulator.url,
            internal_url=f"http://{LOOPBACK}:{self._emulator.port}",
            client_id=name,
            client_secret=secret,
        )
        found = request_token(settings, ["openid", audience_scope(project_id)], now=time.time())
        if found.issued is None:
            raise found.error or UnusableAnswer("the emulator gave no token", hint="try again")
        return found.issued.text
