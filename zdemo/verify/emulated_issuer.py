"""The emulator as the ZITADEL of a run: users and tokens without HTTP, faults, and a place where redirects lead."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from zdemo.emulator import NEVER, Emulator, new_fault
from zdemo.emulator.entities import Token
from zdemo.emulator.incoming.reasons import Why
from zdemo.emulator.oidc.issuing import new_token, token_answer
from zdemo.emulator.world import PAT_SCOPES
from zdemo.serving.embedded import LOOPBACK, serving
from zdemo.zitadel.introspection_answer import INTROSPECTION_PATH, audience_scope

SLOW_SECONDS = 0.5
LONGEST_BODY = 1 << 16


@contextmanager
def emulated_issuer(emulator: Emulator, project_id: str) -> Iterator[EmulatedIssuer]:
    """Make users and tokens in a running emulator, and serve the origin to which its redirects lead."""
    issuer = EmulatedIssuer(emulator, project_id)
    with serving(issuer.elsewhere) as port:
        issuer.elsewhere_url = f"http://{LOOPBACK}:{port}"
        yield issuer


class EmulatedIssuer:
    """Users and tokens in the world of a running emulator. Each user is new, so no cache has an answer about them."""

    def __init__(self, emulator: Emulator, project_id: str) -> None:
        self.elsewhere_url = ""  # where redirects lead
        self.collected: list[bytes] = []  # the requests that arrived there
        self.gives_pats = True  # else users get tokens of a login: a protected resource admits no PATs
        self._emulator, self._world, self._project_id = emulator, emulator.world, project_id
        with self._world.lock:
            own = self._world.projects[project_id]
            other = self._world.add_project(own.organization_id, f"verify-{secrets.token_hex(4)}")
        self._other_id, self._organization_id = other.id, own.organization_id

    def elsewhere(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        """Keep a request, and answer as ZITADEL does for an active token: a WSGI app."""
        size = min(int(environ.get("CONTENT_LENGTH") or 0), LONGEST_BODY)
        fields = "\n".join(f"{name}: {value}" for name, value in environ.items() if isinstance(value, str))
        self.collected.append(fields.encode() + b"\n" + environ["wsgi.input"].read(size))
        start_response("200 OK", [("Content-Type", "application/json")])
        return [b'{"active": true}']

    def issue(
        self,
        *roles: str,
        seconds: float = NEVER,
        elsewhere: bool = False,
        claims: Mapping[str, Any] | None = None,
        pat: bool | None = None,
        as_jwt: bool = False,
    ) -> Token:
        """Return the token of a new user with these roles, of another project if ``elsewhere``.

        The token expires after ``seconds``; ``claims`` replaces some in its introspection, and ``...`` leaves one out.
        ``pat`` tells whether it is a PAT, if the API does not decide that; others are those of the client credentials
        grant for the project.
        """
        with self._world.lock:
            project = self._world.projects[self._other_id if elsewhere else self._project_id]
            user = self._world.add_user(self._organization_id, f"verify-{secrets.token_hex(6)}", "Verify")
            named = list(filter(None, roles))  # a run without roles asks for a role with an empty name
            for role in named:
                if role.lower() not in (key.lower() for key in project.roles):
                    self._world.add_role(project, role, role)
            if named:
                self._world.assign(user, project, named)
            expires = min(self._world.now() + seconds, NEVER)
            token: Token
            if (self.gives_pats and not as_jwt) if pat is None else pat:
                token = self._world.add_pat(user, expires)
            else:
                scopes = [*PAT_SCOPES, audience_scope(project.id)]
                token = new_token(self._world, user, user.username, scopes, [project.id])
                token.expires = min(token.expires, expires)
                token_answer(self._world, token, as_jwt=as_jwt, issuer=self._emulator.url)
            if claims:
                self._world.answer_changes[token.id] = claims
        return token

    @contextmanager
    def fault(self, kind: str) -> Iterator[None]:
        """Answer introspections wrongly during the block."""
        fault = new_fault(kind, path="introspection", seconds=SLOW_SECONDS if kind == "slow" else None)
        self._emulator.faults.add(replace(fault, location=self.elsewhere_url) if kind == "redirect" else fault)
        try:
            yield
        finally:
            self._emulator.faults.clear()

    def introspections(self, since: float) -> int:
        """Return how many introspections have come since then (epoch seconds), also those that still wait."""
        return sum(record.path == INTROSPECTION_PATH and record.at >= since for record in list(self._emulator.requests))

    def change(self, what: str, token: Token) -> None:
        """``delete`` a token, ``revoke`` the roles of its user, or ``deactivate`` or ``lock`` the user."""
        with self._world.lock:
            user = self._world.users[token.user_id]
            if what == "delete" and token.id in user.pats:
                self._world.remove_pat(user, token.id)
            elif what == "delete":
                self._world.end_access_token(token, Why.REVOKED)
            elif what == "revoke":
                for authorization in [a for a in self._world.authorizations.values() if a.user_id == user.id]:
                    self._world.remove_authorization(authorization)
            else:
                self._world.set_user_state(user, {"deactivate": "INACTIVE", "lock": "LOCKED"}[what], f"user.{what}ed")
