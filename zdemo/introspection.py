"""Token introspection (RFC 7662): the answer, the protocol, and the client that asks ZITADEL.

``Introspector`` is what the rest of zdemo knows: something that turns a token into an ``Introspection`` or raises
an ``IntrospectionError``. The client here asks every time; others may wrap it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote_plus

from zdemo.client_assertion import ClientAssertion
from zdemo.config import Settings
from zdemo.errors import (
    ConnectionFailed,
    CredentialsRefused,
    FailureKind,
    IntrospectionError,
    UnusableAnswer,
    ZitadelUnavailable,
)
from zdemo.transport import Answer, Transport, json_decoder
from zdemo.unknown_host import host_unknown_in_words, unknown_host

INTROSPECTION_PATH = "/oauth/v2/introspect"
ROLES_CLAIM = "urn:zitadel:iam:org:project:roles"
DATABASE_AWAY = "QUERY-d3fas"  # ZITADEL: the ID in its 404 text when it cannot read its database
CLIENT_ERRORS = ("unauthorized_client", "invalid_client")  # ZITADEL says the first, RFC 6749 the second
MOST_RETRY_AFTER_SECONDS = 60
FARTHEST_SECONDS = 10**15  # from 1970, some 30 million years: a float holds it, and no clock gets there
CREDENTIALS_REFUSED = "check CLIENT_ID and CLIENT_SECRET against the application's page, and that it is active"
KEY_REFUSED = (
    "check this machine's clock, and the key of ZITADEL_KEY_FILE against the application's page: it is there, has not "
    "expired, and the application is active"
)


def roles_claim_of(project_id: str) -> str:
    """The name of the claim with the roles of one project."""
    return f"urn:zitadel:iam:org:project:{project_id}:roles"


@dataclass(frozen=True, kw_only=True)
class Introspection:
    """An introspection answer whose claims that decide have the right types. ``exp`` and ``nbf`` are epoch seconds."""

    active: bool
    claims: Mapping[str, Any] = field(default_factory=dict)
    expires_at: int | None = None
    not_before: int | None = None
    audience: tuple[str, ...] = ()

    def text(self, name: str) -> str:
        """A claim that is meant to be text; empty when it is absent or anything else."""
        value = self.claims.get(name)
        return value if isinstance(value, str) else ""

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes. Never roles: of a PAT, ZITADEL lists every role of the project here, granted or not."""
        return tuple(self.text("scope").split())

    def has_role(self, role: str, project_id: str | None = None) -> bool:
        """Whether a role is granted; see ``roles``."""
        claim = self.claims.get(roles_claim_of(project_id) if project_id else ROLES_CLAIM)
        return isinstance(claim, dict) and _is_grant(claim.get(role))

    def roles(self, project_id: str | None = None) -> dict[str, dict[str, str]]:
        """The roles that are granted: key, then organization ID, then that organization's domain.

        They come from the claim of ``project_id`` when one is given, else from that of the project to which the
        introspecting application belongs. What has not exactly ZITADEL's shape is no role.
        """
        claim = self.claims.get(roles_claim_of(project_id) if project_id else ROLES_CLAIM)
        if not isinstance(claim, dict):
            return {}
        return {key: value for key, value in claim.items() if _is_grant(value)}


def _is_grant(value: object) -> bool:
    """At least one organization, each with its domain."""
    return isinstance(value, dict) and bool(value) and all(k and isinstance(v, str) for k, v in value.items())


class Introspector(Protocol):
    """Something that judges tokens."""

    def introspect(self, token: str) -> Introspection:
        """What the authorization server says of a token.

        Raises:
            IntrospectionError: it could not be found out; nobody may be let in.
        """


def parse_introspection(answer: Answer) -> Introspection:
    """Read a 200 answer (RFC 7662 §2.2). Only the JSON boolean ``true`` in ``active`` is active.

    Raises:
        UnusableAnswer: no JSON object, no boolean ``active``, or a claim that decides has the wrong type.
    """
    try:
        claims = answer.decoded(DECODER)
    except ValueError:
        raise _unusable("is no JSON", answer) from None
    if not isinstance(claims, dict) or not isinstance(claims.get("active"), bool):
        raise _unusable("is no JSON object with a boolean active", answer)
    if not claims["active"]:
        # what else is said of it decides nothing, and would be kept for anybody who sends garbage
        return Introspection(active=False, claims={"active": False})
    audience = claims.get("aud", [])
    audience = [audience] if isinstance(audience, str) else audience
    if not isinstance(audience, list) or not all(isinstance(a, str) for a in audience):
        raise _unusable("has an aud that is no list of texts", answer)
    return Introspection(
        active=True,
        claims=claims,
        expires_at=_epoch(claims, "exp", answer),
        not_before=_epoch(claims, "nbf", answer),
        audience=tuple(audience),
    )


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object that names a member twice: which of the two counts is anybody's guess (RFC 8259 §4)."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


DECODER = json_decoder(_without_duplicates)


def _epoch(claims: Mapping[str, Any], name: str, answer: Answer) -> int | None:
    """Whole seconds, or ``None`` when absent; a PAT's year 9999 overflows ``datetime``, so it stays an integer."""
    if name not in claims:
        return None
    value = claims[name]
    if type(value) is not int:
        raise _unusable(f"has an {name} that is no whole number", answer)
    return within_all_clocks(value)


def within_all_clocks(seconds: int) -> int:
    """The same point in time for every clock, whatever the number of its digits: small enough to calculate with."""
    return max(-FARTHEST_SECONDS, min(seconds, FARTHEST_SECONDS))


def _unusable(what: str, answer: Answer) -> UnusableAnswer:
    kind = answer.media_type or "no media type"
    return UnusableAnswer(
        f"the introspection answer {what} ({answer.status}, {kind})",
        hint="check ZITADEL_DOMAIN and what stands between: this is not what a ZITADEL answers",
        answer=answer,
    )


def answer_error(answer: Answer, *, with_key: bool = False) -> IntrospectionError:
    """The error that any answer but 200 means (ZITADEL v4); ``with_key``: we authenticated with a key file."""
    status = answer.status
    if status == 429 or status >= 500 or (status == 404 and DATABASE_AWAY in answer.text):
        return _unavailable(answer)
    if unknown := unknown_host(answer):
        _, cause, fix = host_unknown_in_words(answer, unknown)
        return UnusableAnswer(cause, hint="; ".join(fix), answer=answer)
    if is_credential_refusal(answer):
        return CredentialsRefused(
            f"ZITADEL refuses the API application's {'key' if with_key else 'credentials'}",
            hint=KEY_REFUSED if with_key else CREDENTIALS_REFUSED,
            answer=answer,
        )
    if 300 <= status < 400:
        return UnusableAnswer(
            "the introspection endpoint redirects; a redirect is not followed",
            hint="set ZITADEL_DOMAIN to the address that answers itself; exempt /oauth from single sign-on",
            answer=answer,
        )
    return _unusable("is none", answer)


def is_credential_refusal(answer: Answer) -> bool:
    """Whether an answer says that our own credentials are bad (ZITADEL: 400; other servers: 401, 403)."""
    if answer.status == 400:
        return names_our_client(answer)
    return answer.status in (401, 403) and answer.media_type != "text/html"


def names_our_client(answer: Answer) -> bool:
    """Whether an answer is an authorization server's word about its client (RFC 6749 §5.2).

    Any other refusal may be a filter's, about the one token that was asked about.
    """
    return answer.json_object().get("error") in CLIENT_ERRORS


def _unavailable(answer: Answer) -> ZitadelUnavailable:
    """The error for an answer that says: not now."""
    if answer.status == 429:
        message, hint = "ZITADEL limits our requests (429)", "wait, and ask its operator for the limit"
    elif answer.status == 404:
        message, hint = "ZITADEL's database is away (QUERY-d3fas)", "look at ZITADEL's database, then try again"
    else:
        message, hint = f"ZITADEL, or a proxy before it, fails ({answer.status})", "look at ZITADEL's log"
    error = ZitadelUnavailable(message, hint=hint, answer=answer)
    wait = answer.headers.get("retry-after", "")
    if wait.isascii() and wait.isdigit():
        error.retry_after_seconds = max(1, min(int(wait[:9]), MOST_RETRY_AFTER_SECONDS))
    return error


def introspection_error(failure: ConnectionFailed) -> IntrospectionError:
    """The introspection error for a connection that failed. Too much of an answer is unusable, the rest unavailable."""
    kind = UnusableAnswer if failure.kind is FailureKind.TOO_LARGE else ZitadelUnavailable
    return kind(failure.message, hint=failure.hint, failure=failure)


def basic_credentials(client_id: str, client_secret: str) -> str:
    """The ``Authorization`` value for client credentials: form-encoded first (RFC 6749 §2.3.1), then Basic."""
    pair = f"{quote_plus(client_id)}:{quote_plus(client_secret)}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


class IntrospectionClient:
    """Asks ZITADEL every time: one POST, authenticated with the API application's credentials (RFC 7662 §2.1).

    They are the client ID and secret in the header, or an assertion in the form; never both (RFC 6749 §2.3).
    """

    def __init__(self, settings: Settings, *, connections: int = 1, timeout_seconds: float | None = None) -> None:
        """``timeout_seconds`` is for one introspection in all; that of the settings unless given."""
        self._timeout_seconds = settings.timeout_seconds if timeout_seconds is None else timeout_seconds
        self._client_secret = settings.client_secret
        self._basic = basic_credentials(settings.client_id, settings.client_secret)
        self._assertion = ClientAssertion(settings.key, settings.issuer) if settings.key else None
        self.transport = Transport(settings.issuer, setting="ZITADEL_DOMAIN", connections=connections)

    def ask(self, token: str, *, timeout_seconds: float | None = None, authorization: str | None = None) -> Answer:
        """ZITADEL's answer as it is, whatever it says; ``authorization`` may stand in for our own credentials.

        Raises:
            ConnectionFailed: there is none.
        """
        headers, form = self._credentials() if authorization is None else ({"Authorization": authorization}, {})
        return self.transport.send(
            "POST",
            INTROSPECTION_PATH,
            timeout_seconds=self._timeout_seconds if timeout_seconds is None else timeout_seconds,
            headers={"Accept": "application/json", **headers},
            form={**form, "token": token.encode(errors="replace")},  # a command line may bring in what UTF-8 cannot say
        )

    @property
    def secrets(self) -> tuple[str, ...]:
        """What proves to ZITADEL who we are, and may therefore not be shown when a server sends it back."""
        return (self._assertion.text(),) if self._assertion else (self._client_secret,)

    def _credentials(self) -> tuple[dict[str, str], dict[str, str]]:
        """Our own, as header fields and as form fields."""
        if self._assertion:
            return {}, self._assertion.form()
        return {"Authorization": self._basic}, {}

    def introspect(self, token: str) -> Introspection:
        """See ``Introspector``."""
        try:
            answer = self.ask(token)
        except ConnectionFailed as failure:
            raise introspection_error(failure) from failure
        return read_answer(answer, with_key=self._assertion is not None)

    def close(self) -> None:
        """Close the connections."""
        self.transport.close()


def read_answer(answer: Answer, *, with_key: bool = False) -> Introspection:
    """What an answer of the introspection endpoint says; ``with_key`` as in ``answer_error``.

    Raises:
        IntrospectionError: it says nothing usable.
    """
    if answer.status != 200:
        raise answer_error(answer, with_key=with_key)
    return parse_introspection(answer)
