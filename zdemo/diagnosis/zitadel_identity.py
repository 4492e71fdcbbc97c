"""What the server at ZITADEL_DOMAIN is, by its own answers: a ZITADEL or another server, healthy or not."""

from zdemo.diagnosis.api_response import is_from_zdemo
from zdemo.diagnosis.cases import ResponseCase
from zdemo.diagnosis.evidence import Evidence, Probe
from zdemo.diagnosis.finding import Finding, quoted
from zdemo.diagnosis.intermediaries import BLOCKED, in_between, own_proxy
from zdemo.diagnosis.phrases import AIRPLAY, correct_address, described, is_airplay
from zdemo.diagnosis.unusable_response import expects_https, other_server, unusable
from zdemo.http.response import Response
from zdemo.introspection.refusals import INSTANCE_UNKNOWN, answer_error

DATABASE_CHECK = "API-F24h2"  # ZITADEL: the ID in the 412 of its readiness check
REFUSALS = (401, 403, 407)  # never ZITADEL's answer to a request for discovery


def zitadels_signs(evidence: Evidence) -> str:
    """Return what shows that a ZITADEL answers; empty when nothing does."""
    ready, discovery = evidence.answer(Probe.READY), evidence.answer(Probe.DISCOVERY)
    if evidence.is_discovered:
        return f"issuer {quoted(evidence.body(Probe.DISCOVERY).get('issuer'))}"
    if evidence.is_ready or (ready and DATABASE_CHECK in ready.text):
        return "its readiness check is ZITADEL's"
    if discovery and (INSTANCE_UNKNOWN in discovery.text or BLOCKED in discovery.text):
        return "its answers are ZITADEL's"
    return "its health check is ZITADEL's" if evidence.is_healthy and discovery is None else ""


def finding_for_server(answer: Response, evidence: Evidence) -> Finding:
    """Return why the answer to a request for discovery does not come from a ZITADEL, or is not a good one."""
    case = ResponseCase(answer=answer, error=answer_error(answer), evidence=evidence)
    only_discovery = case.evidence.is_ready and case.answer.status in REFUSALS
    finding = (in_between(case) if only_discovery else None) or expects_https(case) or own_proxy(case) or _refuses(case)
    finding = finding or _is_the_api(case) or _other_issuer(case) or _other_json(case) or unusable(case)
    return finding.and_seen(case.seen)


def _refuses(case: ResponseCase) -> Finding | None:
    if case.answer.status not in REFUSALS:
        return None
    airplay = is_airplay(case.answer)
    what = AIRPLAY if airplay else "another server, or a proxy in front of ZITADEL that requires a login"
    return Finding(
        id="zitadel.filtered",
        cause=f"the server at {case.host} is {what} ({described(case.answer)})",
        likely=not airplay,
        fix=(correct_address(case.answer),),
        otherwise=("or let the proxy pass /oauth, /oidc, /.well-known and /zitadel.* without a login",),
    )


def _is_the_api(case: ResponseCase) -> Finding | None:
    if case.answer.status != 404 or not is_from_zdemo(case.answer):
        return None
    return Finding(
        id="zitadel.is_the_api",
        cause=f"the server at {case.host} is not a ZITADEL but a zdemo API",
        fix=(correct_address(case.answer), f"set the API's own address with ZDEMO_API_URL=http://{case.host}"),
    )


def _other_issuer(case: ResponseCase) -> Finding | None:
    body = case.answer.json_object()
    if case.answer.status != 200 or "issuer" not in body:
        return None
    return Finding(
        id="zitadel.other_issuer",
        cause=f"the server at {case.host} is not a ZITADEL but another authorization server "
        f"(issuer {quoted(body.get('issuer'))})",
        fix=(correct_address(case.answer),),
    )


def _other_json(case: ResponseCase) -> Finding | None:
    own = 200 <= case.answer.status < 500 and case.answer.status != 429 and not case.evidence.is_ready
    return other_server(case, likely=True) if own and case.answer.json_object() else None


def finding_for_issuer(issuer: str, requested: str, *, with_key: bool) -> Finding | None:
    """Find an issuer other than the address requested (RFC 8414): ZITADEL makes it from the request it gets."""
    if issuer == requested:
        return None
    what = "assertions signed with the key of ZITADEL_KEY_FILE" if with_key else "JWTs"
    another_scheme = issuer.partition("://")[0] != requested.partition("://")[0]
    fix = (
        "set ExternalSecure (and ExternalDomain, ExternalPort) of ZITADEL to what its users see, or let the proxy send "
        "X-Forwarded-Proto"
        if another_scheme
        else "let the proxy in front of ZITADEL pass Host with its port unchanged"
    )
    return Finding(
        id="zitadel.issuer_differs",
        cause=f"ZITADEL was requested at {requested}, but its issuer is {issuer}: {what} for one of the two are "
        "refused at the other",
        seen=(("issuer", f"discovery says {issuer}"),),
        fix=(fix,),
        otherwise=(f"or, if that answers from here: ZITADEL_DOMAIN={issuer}",),
    )
