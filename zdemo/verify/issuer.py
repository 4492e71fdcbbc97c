"""Who makes the users and tokens of a run, and changes them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from zdemo.config.address import ZitadelAddress
from zdemo.config.settings import UserSettings
from zdemo.errors import UnusableAnswer
from zdemo.investigation import request_token
from zdemo.verify.case import Needs

AUDIENCE_SCOPE = "urn:zitadel:iam:org:project:id:{}:aud"


@dataclass(frozen=True, kw_only=True)
class Person:
    """A service account of this run and its token."""

    user_id: str
    token: str = field(repr=False)
    token_id: str = ""


class Issuer(Protocol):
    """The users and tokens of a run."""

    @property
    def offers(self) -> Collection[Needs]:
        """What the cases may use of it."""

    @property
    def short_life_seconds(self) -> float:
        """How long a token lives at least."""

    def person(self, *roles: str, seconds: float | None = None) -> Person:
        """Return a user with these roles and a token of their own, which expires after ``seconds``."""

    def expired(self, *roles: str) -> Person:
        """Return a user whose token has expired."""

    def session(self, role: str) -> str:
        """Return a token of the client credentials grant for this project, whose user has the role."""

    def elsewhere(self, role: str) -> str:
        """Return a live token for another project, whose user has the role there."""

    def stranger(self, role: str) -> Person:
        """Return a user with a personal access token who has the role, but only in another project."""

    def change(self, what: str, person: Person) -> None:
        """Change a user: ``delete`` the token, ``revoke`` the roles, or ``deactivate`` or ``lock`` the user."""


class Faults(Protocol):
    """What only an emulator can do: answers that a ZITADEL does not give, and not giving any."""

    def jwt(self, role: str) -> str:
        """Return a JWT access token for this project, whose user has the role."""

    def with_claims(self, changes: Mapping[str, Any], *roles: str) -> Person:
        """Return a user whose introspection is changed: a claim with ``...`` is left out."""

    def fault(self, kind: str) -> AbstractContextManager[Callable[[], int]]:
        """Answer introspections wrongly during the block; yield how many have been, or are being, answered so."""

    def introspections(self, since: float) -> int:
        """Return how many introspections have come since then (epoch seconds)."""

    def collected(self) -> Sequence[bytes]:
        """Return the requests that arrived at the address to which the fault ``redirect`` leads."""


def session_token(zitadel: ZitadelAddress, username: str, secret: str, project_id: str) -> str:
    """Return an access token of the client credentials grant, made for a project. Raises what ZITADEL answers else."""
    settings = UserSettings(
        issuer=zitadel.issuer, internal_url=zitadel.internal_url, client_id=username, client_secret=secret
    )
    found = request_token(settings, ["openid", AUDIENCE_SCOPE.format(project_id)], now=time.time())
    if found.issued is None:
        raise found.error or UnusableAnswer("ZITADEL gave no token for the client credentials grant", hint="try again")
    return found.issued.text
