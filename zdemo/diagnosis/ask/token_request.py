"""Request an access token of a service account, and find out why ZITADEL's token endpoint gives none."""

import time
from collections.abc import Sequence

from zdemo.config.settings import UserSettings
from zdemo.diagnosis.ask.emulators_record import emulators_reason
from zdemo.diagnosis.ask.facts import PATHS, clock_ahead_seconds
from zdemo.diagnosis.ask.failed_command import explained
from zdemo.diagnosis.evidence import Evidence, Probe
from zdemo.diagnosis.rules.refused_user import REFUSED_USER, UserCase
from zdemo.diagnosis.rules.rule import decide
from zdemo.diagnosis.rules.unusable_response import finding_for_error
from zdemo.errors import ConnectionFailed, UnusableAnswer, ZdemoError, ZitadelUnavailable
from zdemo.errors.response import Response
from zdemo.zitadel.client_assertion import ClientAssertion
from zdemo.zitadel.introspection_client import IssuedToken, ask_for_token, issued_token
from zdemo.zitadel.introspection_response import answer_error, introspection_error


def request_token(settings: UserSettings, scopes: Sequence[str], *, now: float) -> IssuedToken:
    """Request a token, or raise ZdemoError in the words of the diagnosis; ``now`` is in epoch seconds."""
    from zdemo.http.transport import Transport  # here, because help and completion need no requests

    transport = Transport.to_zitadel(settings.zitadel)
    end = time.monotonic() + settings.timeout_seconds
    assertion = ClientAssertion(settings.key, settings.issuer).text() if settings.key else ""
    try:
        answer = ask_for_token(transport, settings, scopes, assertion=assertion)
        if issued := issued_token(answer, scopes):
            return issued
        replies: dict[Probe, Response | ConnectionFailed] = {}
        for probe in (Probe.READY, Probe.DISCOVERY):
            if (left := end - time.monotonic()) > 0:
                try:
                    replies[probe] = transport.send("GET", PATHS[probe], timeout_seconds=left)
                except ConnectionFailed as failure:
                    replies[probe] = failure
        reason = emulators_reason(transport, answer, end - time.monotonic())
        ahead = clock_ahead_seconds(answer, now)
        evidence = Evidence(replies=replies, clock_ahead_seconds=ahead, emulators_reason=reason)
    except ConnectionFailed as failure:
        unreached = introspection_error(failure)
        raise explained(unreached, finding_for_error(unreached)) from failure
    finally:
        transport.close()
    case = UserCase(answer=answer, settings=settings, evidence=evidence, now=now)
    if refusal := decide(REFUSED_USER, case):
        error, finding = ZdemoError("ZITADEL gives no token"), refusal
    else:
        error = answer_error(answer)
        if not isinstance(error, ZitadelUnavailable):
            seen = f"{answer.status}, {answer.media_type or 'no media type'}"
            what = f"the answer of the token endpoint is not ZITADEL's ({seen})"
            hint = f"check {answer.setting} and any proxy in front of ZITADEL"
            error = UnusableAnswer(what, hint=hint, answer=answer)
        finding = finding_for_error(error, evidence=evidence)
    raise explained(
        error, finding.without((settings.client_secret, assertion, settings.environment.get("CLIENT_SECRET", "")))
    )
