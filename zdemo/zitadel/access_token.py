"""Ask ZITADEL's token endpoint for a service account's access token (RFC 6749 §4.4, RFC 7523 §2.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zdemo.config.settings import UserSettings
from zdemo.response import Response
from zdemo.text.masking import B64TOKEN
from zdemo.zitadel.client_assertion import ClientAssertion
from zdemo.zitadel.introspection_answer import TOKEN_PATH
from zdemo.zitadel.introspection_client import basic_credentials

if TYPE_CHECKING:
    from zdemo.http.transport import Transport

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"  # RFC 7523 §2.1


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
    """Return the answer of the token endpoint. Raises ConnectionFailed when none comes.

    The user's key signs the assertion; else the client ID and secret are sent, never both (RFC 6749 §2.3).
    """
    headers, form = {"Accept": "application/json"}, {"scope": " ".join(scopes)}
    if assertion:
        form |= {"grant_type": JWT_BEARER, "assertion": assertion}
    else:
        form["grant_type"] = "client_credentials"
        headers["Authorization"] = basic_credentials(settings.client_id, settings.client_secret)
    return transport.send("POST", TOKEN_PATH, timeout_seconds=settings.timeout_seconds, headers=headers, form=form)


def user_assertion(settings: UserSettings) -> str:
    """Return a JWT that the user's key has signed; empty when the settings have no key."""
    return ClientAssertion(settings.key, settings.issuer).text() if settings.key else ""


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
