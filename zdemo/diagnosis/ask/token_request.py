"""Find out why ZITADEL's token endpoint gives a service account no access token."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from zdemo.config.settings import UserSettings
from zdemo.diagnosis.ask.investigate import clock_ahead_seconds
from zdemo.diagnosis.evidence import Evidence, Probe
from zdemo.diagnosis.finding import Finding
from zdemo.diagnosis.rules.refused_user import UserCase, finding_for_refused_user
from zdemo.diagnosis.rules.unusable_response import finding_for_error
from zdemo.errors import ConnectionFailed, IntrospectionError, UnusableAnswer, ZdemoError, ZitadelUnavailable
from zdemo.errors.response import Response
from zdemo.zitadel.introspection_client import IssuedToken, ask_for_token, issued_token, user_assertion
from zdemo.zitadel.refused_credentials import answer_error, introspection_error

PROBES = {Probe.READY: "/debug/ready", Probe.DISCOVERY: "/.well-known/openid-configuration"}


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
    assertion = user_assertion(settings)
    try:
        answer = ask_for_token(transport, settings, scopes, assertion=assertion)
        if issued := issued_token(answer, scopes):
            return TokenRequest(issued=issued)
        replies: dict[Probe, Response | ConnectionFailed] = {}
        for probe, path in PROBES.items():
            if (left := end - time.monotonic()) > 0:
                try:
                    replies[probe] = transport.send("GET", path, timeout_seconds=left)
                except ConnectionFailed as failure:
                    replies[probe] = failure
        evidence = Evidence(replies=replies, clock_ahead_seconds=clock_ahead_seconds(answer, now))
    except ConnectionFailed as failure:
        error = introspection_error(failure)
        return TokenRequest(error=error, finding=finding_for_error(error))
    finally:
        transport.close()
    found = _refused(UserCase(answer=answer, settings=settings, evidence=evidence, now=now))
    hidden = (settings.client_secret, assertion, settings.application[1])
    return TokenRequest(error=found.error, finding=found.finding.without(hidden) if found.finding else None)


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
