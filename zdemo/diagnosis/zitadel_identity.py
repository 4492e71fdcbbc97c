"""What answers at ZITADEL_DOMAIN, by what it says of itself: a ZITADEL or another server, healthy or not."""

from __future__ import annotations

from zdemo.diagnosis.evidence import Evidence, Probe
from zdemo.diagnosis.finding import Certainty, Finding, quoted
from zdemo.diagnosis.intermediaries import BLOCKED, in_between, own_proxy
from zdemo.diagnosis.phrases import described, health, seen, url
from zdemo.diagnosis.unusable_response import finding_for_error
from zdemo.diagnosis.wrong_address import expects_tls
from zdemo.http.response import Response
from zdemo.introspection.instance_not_found import INSTANCE_UNKNOWN
from zdemo.introspection.model import INTROSPECTION_PATH
from zdemo.introspection.refusals import answer_error

DATABASE_CHECK = "API-F24h2"  # ZITADEL: the ID in the 412 of its readiness check
REFUSALS = (401, 403, 407)  # no answer of ZITADEL to the question for discovery
CORRECT = "correct ZITADEL_DOMAIN: host and port of your ZITADEL, e.g. ZITADEL_DOMAIN=http://localhost:8080"


def zitadels_signs(evidence: Evidence) -> str:
    """How it is known that a ZITADEL answers; empty when nothing shows it."""
    ready, discovery = evidence.answer(Probe.READY), evidence.answer(Probe.DISCOVERY)
    if discovery and str(discovery.json_object().get("introspection_endpoint", "")).endswith(INTROSPECTION_PATH):
        return f"issuer {quoted(discovery.json_object().get('issuer'))}"
    if evidence.is_ready or (ready and DATABASE_CHECK in ready.text):
        return "its readiness check is ZITADEL's"
    if discovery and (INSTANCE_UNKNOWN in discovery.text or BLOCKED in discovery.text):
        return "it answers as ZITADEL does"
    return "its health check is ZITADEL's" if evidence.is_healthy and discovery is None else ""


def finding_for_server(answer: Response, evidence: Evidence) -> Finding:
    """Why an answer to the question for discovery is none of a ZITADEL, or not a good one."""
    if evidence.is_ready and answer.status in REFUSALS:
        return in_between(answer, evidence)
    return (
        expects_tls(answer, evidence)
        or own_proxy(answer, evidence)
        or _other_kind(answer, evidence)
        or finding_for_error(answer_error(answer), evidence=evidence)
    )


def _other_kind(answer: Response, evidence: Evidence) -> Finding | None:
    host, body = url(answer).netloc, answer.json_object()
    if answer.status in REFUSALS:
        airplay = "AirTunes" in answer.headers.get("server", "")
        what = "AirPlay of macOS" if airplay else "another server, or a proxy before ZITADEL that wants a login"
        return Finding(
            id="zitadel.filtered",
            cause=f"what answers at {host} is {what} ({described(answer)})",
            certainty=Certainty.CERTAIN if airplay else Certainty.LIKELY,
            seen=(seen(answer), *health(evidence)),
            fix=(CORRECT, "or let the proxy pass /oauth, /oidc, /.well-known and /zitadel.* without a login"),
        )
    if answer.status == 404 and "request_id" in body and "error" in body:
        return Finding(
            id="zitadel.is_the_api",
            cause=f"what answers at {host} is not a ZITADEL but another server: a zdemo API",
            seen=(seen(answer), *health(evidence)),
            fix=(CORRECT, f"the API's own address belongs into ZDEMO_API_URL=http://{host}"),
        )
    if answer.status == 200 and "issuer" in body:
        return Finding(
            id="zitadel.other_issuer",
            cause=f"what answers at {host} is not a ZITADEL but another authorization server "
            f"(issuer {quoted(body.get('issuer'))})",
            seen=(seen(answer), *health(evidence)),
            fix=(CORRECT,),
        )
    if body and 200 <= answer.status < 500 and not evidence.is_ready and answer.status != 429:
        return Finding(
            id="zitadel.other_server",
            cause=f"what answers at {host} is not a ZITADEL but another server ({described(answer)})",
            certainty=Certainty.LIKELY,
            seen=(seen(answer), *health(evidence)),
            fix=(CORRECT,),
        )
    return None


def finding_for_issuer(told: str, asked: str, *, with_key: bool) -> Finding | None:
    """ZITADEL makes its issuer from scheme and host of a request as they reach it; they must be equal (RFC 8414)."""
    if told == asked:
        return None
    harm = "what is signed with the key of ZITADEL_KEY_FILE" if with_key else "JWTs"
    https = told.partition("://")[0] != asked.partition("://")[0]
    fix = (
        "set ExternalSecure (and ExternalDomain, ExternalPort) of ZITADEL to what its users see, or let the proxy send "
        "X-Forwarded-Proto"
        if https
        else "let the proxy before ZITADEL pass Host with its port unchanged"
    )
    return Finding(
        id="zitadel.issuer_differs",
        cause=f"ZITADEL was asked at {asked} and calls itself {told}: {harm} made out to one of the two are refused by "
        "the other",
        seen=(("issuer", f"discovery says {told}"),),
        fix=(fix, f"or, if that answers from here: ZITADEL_DOMAIN={told}"),
    )
