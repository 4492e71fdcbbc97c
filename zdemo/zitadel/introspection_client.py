"""The client that asks ZITADEL about a token, and what it notes of that; how a service account gets a token."""

from __future__ import annotations

import base64
import math
import time
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote_plus

from zdemo.config.settings import Settings, UserSettings
from zdemo.errors import ConnectionFailed, IntrospectionError, Refused
from zdemo.errors.response import Response
from zdemo.text.masking import B64TOKEN
from zdemo.zitadel.client_assertion import ClientAssertion
from zdemo.zitadel.introspection_answer import INTROSPECTION_PATH, TOKEN_PATH, Introspection
from zdemo.zitadel.introspection_response import introspection_error, read_answer

if TYPE_CHECKING:
    from zdemo.http.transport import Transport

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"  # RFC 7523 §2.2
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"  # RFC 7523 §2.1


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One introspection: the response, or why there is none. Times are of ``time.perf_counter``.

    ``client_id`` is empty where a key authenticates the API application. ``secrets`` are what authenticates it.
    """

    began: float
    ended: float
    client_id: str
    secrets: tuple[str, ...] = field(default=(), repr=False)
    outcome: Response | ConnectionFailed = field(repr=False)


class Watched(Protocol):
    """What is noted of a request: what it asked, the cached answer that was too old, why it was refused or failed."""

    exchanges: list[Exchange]
    too_old: Introspection | None
    error: Refused | IntrospectionError | None


watched: ContextVar[Watched | None] = ContextVar("zdemo_watched", default=None)
"""The current request, if somebody watches it."""


def basic_credentials(client_id: str, client_secret: str) -> str:
    """Return the ``Authorization`` value for client credentials: form-encoded (RFC 6749 §2.3.1), then Basic."""
    return "Basic " + base64.b64encode(f"{quote_plus(client_id)}:{quote_plus(client_secret)}".encode()).decode()


class IntrospectionClient:
    """An introspector that asks every time: one POST with the API application's credentials (RFC 7662 §2.1).

    They are the client ID and secret in the header, or an assertion in the form; never both (RFC 6749 §2.3).
    """

    def __init__(self, settings: Settings, *, connections: int = 1, timeout_seconds: float | None = None) -> None:
        """Prepare to ask. ``timeout_seconds`` limits one whole introspection; the default is that of the settings."""
        from zdemo.http.transport import Transport  # here, because help and completion need no requests

        self._timeout_seconds = settings.timeout_seconds if timeout_seconds is None else timeout_seconds
        self.client_id = settings.client_id
        self._client_secret = settings.client_secret
        self._basic = basic_credentials(settings.client_id, settings.client_secret)
        self._assertion = ClientAssertion(settings.key, settings.issuer) if settings.key else None
        self.transport = Transport.to_zitadel(settings.zitadel, connections=connections)
        self.close = self.transport.close

    def ask(self, token: str, *, timeout_seconds: float | None = None, authorization: str | None = None) -> Response:
        """Return ZITADEL's response; ``authorization`` replaces the settings' credentials. Raises ConnectionFailed."""
        form: dict[str, str] = {}
        headers = {"Accept": "application/json", "Authorization": authorization or self._basic}
        if self._assertion and authorization is None:
            del headers["Authorization"]
            form = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": self._assertion.text()}
        return self.transport.send(
            "POST",
            INTROSPECTION_PATH,
            timeout_seconds=self._timeout_seconds if timeout_seconds is None else timeout_seconds,
            headers=headers,
            form={**form, "token": token.encode(errors="replace")},  # a command line may hold what UTF-8 cannot encode
        )

    @property
    def secrets(self) -> tuple[str, ...]:
        """What authenticates the API application, and must not be shown when a server sends it back."""
        return (self._assertion.text(),) if self._assertion else (self._client_secret,)

    def introspect(self, token: str, *, most_seconds: float = math.inf) -> Introspection:
        """Ask ZITADEL, in at most so many seconds; see ``Introspector``."""
        request, began = watched.get(), time.perf_counter()
        outcome: Response | ConnectionFailed
        try:
            outcome = self.ask(token, timeout_seconds=min(self._timeout_seconds, most_seconds))
        except ConnectionFailed as failure:
            outcome = failure
        if request is not None:
            client_id, ended = "" if self._assertion else self.client_id, time.perf_counter()
            exchange = Exchange(began=began, ended=ended, client_id=client_id, secrets=self.secrets, outcome=outcome)
            request.exchanges.append(exchange)
        if isinstance(outcome, ConnectionFailed):
            raise introspection_error(outcome) from outcome
        return read_answer(outcome, with_key=self._assertion is not None)


@dataclass(frozen=True, kw_only=True)
class IssuedToken:
    """An access token as the token endpoint describes it (RFC 6749 §5.1); ``expires_in`` may be missing."""

    text: str = field(repr=False)
    type: str
    expires_in: int | None
    scope: str


def ask_for_token(
    transport: Transport, settings: UserSettings, scopes: Sequence[str], *, assertion: str = ""
) -> Response:
    """Return the answer of the token endpoint (RFC 6749 §4.4). Raises ConnectionFailed when none comes.

    The user's key signs the assertion; else the client ID and secret are sent, never both (RFC 6749 §2.3).
    """
    headers, form = {"Accept": "application/json"}, {"scope": " ".join(scopes)}
    if assertion:
        form |= {"grant_type": JWT_BEARER, "assertion": assertion}
    else:
        form["grant_type"] = "client_credentials"
        headers["Authorization"] = basic_credentials(settings.client_id, settings.client_secret)
    return transport.send("POST", TOKEN_PATH, timeout_seconds=settings.timeout_seconds, headers=headers, form=form)


def issued_token(answer: Response, scopes: Sequence[str]) -> IssuedToken | None:
    """Return the token in an answer; ``None`` if there is none that an Authorization header field can hold."""
    body = answer.json_object()
    text, kind, seconds, scope = (body.get(n) for n in ("access_token", "token_type", "expires_in", "scope"))
    if answer.status != 200 or not isinstance(text, str) or not B64TOKEN.fullmatch(text):
        return None
    return IssuedToken(
        text=text,
        type=kind if isinstance(kind, str) else "Bearer",
        expires_in=seconds if type(seconds) is int else None,
        scope=scope if isinstance(scope, str) else " ".join(scopes),  # RFC 6749 §5.1: as requested
    )
