"""Ask ZITADEL's token endpoint for a service account's access token, and find out why it gives none."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zdemo.config.settings import UserSettings
from zdemo.diagnosis.ask.investigate import clock_ahead_seconds
from zdemo.diagnosis.cases import UserCase
from zdemo.diagnosis.evidence import Evidence, Probe
from zdemo.diagnosis.finding import Finding
from zdemo.diagnosis.rules.refused_user import finding_for_refused_user
from zdemo.diagnosis.rules.unusable_response import finding_for_error
from zdemo.errors import ConnectionFailed, IntrospectionError, UnusableAnswer, ZdemoError, ZitadelUnavailable
from zdemo.guard.authorization import B64TOKEN
from zdemo.response import Response
from zdemo.zitadel.client_assertion import ClientAssertion
from zdemo.zitadel.introspection_answer import TOKEN_PATH
from zdemo.zitadel.introspection_client import basic_credentials
from zdemo.zitadel.refused_credentials import answer_error, introspection_error

if TYPE_CHECKING:
    from zdemo.http.transport import Transport

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"  # RFC 7523 §2.1
PROBES = {Probe.READY: "/debug/ready", Probe.DISCOVERY: "/.well-known/openid-configuration"}


@dataclass(frozen=True, kw_only=True)
class IssuedToken:
    """An access token as the token endpoint describes it (RFC 6749 §5.1); ``expires_in`` may be missing."""

    text: str = field(repr=False)
    type: str
    expires_in: int | None
    scope: str


@dataclass(frozen=True, kw_only=True)
class TokenRequest:
    """What came of a request for a token: the token, or an error and why it came to that."""

    issued: IssuedToken | None = None
    error: ZdemoError | None = None
    finding: Finding | None = None


def request_token(settings: UserSettings, scopes: Sequence[str], *, now: float) -> TokenRequest:
    """Request a token, within ``settings.timeout_seconds`` in all. ``now`` (epoch seconds) shows what has expired.

    Raises SettingsError if the CA bundle that the environment names cannot be used.
    """
    from zdemo.http.transport import Transport  # here, because help and completion need no requests

    transport = Transport.to_zitadel(settings.zitadel)
    end = time.monotonic() + settings.timeout_seconds
    headers, form = _credentials(settings)
    try:
        answer = transport.send(
            "POST",
            TOKEN_PATH,
            timeout_seconds=settings.timeout_seconds,
            headers={"Accept": "application/json", **headers},
            form={**form, "scope": " ".join(scopes)},
        )
        if issued := _issued(answer, scopes):
            return TokenRequest(issued=issued)
        evidence = Evidence(replies=_probed(transport, end), clock_ahead_seconds=clock_ahead_seconds(answer, now))
    except ConnectionFailed as failure:
        error = introspection_error(failure)
        return TokenRequest(error=error, finding=finding_for_error(error))
    finally:
        transport.close()
    found = _refused(UserCase(answer=answer, settings=settings, evidence=evidence, now=now))
    hidden = (settings.client_secret, form.get("assertion", ""), settings.application[1])
    return TokenRequest(error=found.error, finding=found.finding.without(hidden) if found.finding else None)


def _credentials(settings: UserSettings) -> tuple[dict[str, str], dict[str, str]]:
    """Return the header fields and the form that name the user: never more than one method (RFC 6749 §2.3)."""
    if settings.key:
        return {}, {"grant_type": JWT_BEARER, "assertion": ClientAssertion(settings.key, settings.issuer).text()}
    basic = basic_credentials(settings.client_id, settings.client_secret)
    return {"Authorization": basic}, {"grant_type": "client_credentials"}


def _issued(answer: Response, scopes: Sequence[str]) -> IssuedToken | None:
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


def _probed(transport: Transport, end: float) -> dict[Probe, Response | ConnectionFailed]:
    replies: dict[Probe, Response | ConnectionFailed] = {}
    for probe, path in PROBES.items():
        if (left := end - time.monotonic()) > 0:
            try:
                replies[probe] = transport.send("GET", path, timeout_seconds=left)
            except ConnectionFailed as failure:
                replies[probe] = failure
    return replies


def _refused(case: UserCase) -> TokenRequest:
    if finding := finding_for_refused_user(case):
        return TokenRequest(error=ZdemoError(finding.sentence), finding=finding)
    error: IntrospectionError = answer_error(case.answer)
    if not isinstance(error, ZitadelUnavailable):
        what = f"the answer of the token endpoint is not ZITADEL's ({case.answer.status}, "
        what += f"{case.answer.media_type or 'no media type'})"
        hint = f"check {case.answer.setting} and any proxy in front of ZITADEL"
        error = UnusableAnswer(what, hint=hint, answer=case.answer)
    return TokenRequest(error=error, finding=finding_for_error(error, evidence=case.evidence))
