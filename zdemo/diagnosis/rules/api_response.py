"""Why an API answered so: what answers in its place or before it reads the request, and what any API's refusal says.

``setting`` is the variable or option that holds the API's address. No finding mentions the token.
"""

import re

from zdemo.client import Call, Method, OtherRoute, parse_challenge
from zdemo.config.names import assignment
from zdemo.config.settings import Settings
from zdemo.diagnosis.finding import Finding, quoted
from zdemo.diagnosis.phrases import AIRPLAY, described, expects_https, is_airplay, redirected_to, url, wait
from zdemo.response import GATEWAY_STATUSES, Response

ERROR_OF_ZDEMO = {"error", "request_id"}  # in each refusal of a zdemo API
CODES = ("invalid_request", "invalid_token", "insufficient_scope")  # RFC 6750 §3.1
CHALLENGE = "WWW-Authenticate"
DISAGREES = "call.disagrees"
STARTED_BEFORE = "the API was started before its settings were changed"
RESTART = "restart zdemo serve, if its settings were changed since then"
COMPARE = (
    "compare ZITADEL_DOMAIN, ZITADEL_INTERNAL_URL, CLIENT_ID and ZITADEL_PROJECT_ID of the API with the values here"
)
API_LOG = "check the API's log: it names the cause"


def is_from_zdemo(answer: Response) -> bool:
    """Return whether a refusal is a zdemo API's own: JSON with an error and the ID of the request."""
    return answer.json_object().keys() >= ERROR_OF_ZDEMO


def code_of(answer: Response) -> str:
    """Return the error code of a refusal, from its challenge or from a zdemo API's body; empty without one."""
    if challenge := parse_challenge(answer.headers.get(CHALLENGE.lower())):
        return challenge.error
    code = answer.json_object().get("error") if is_from_zdemo(answer) else ""
    return code if code in CODES else ""


def finding_before_the_api(answer: Response, setting: str) -> Finding | None:
    """Return why a request did not get as far as a route of the API; ``None`` when it may have."""
    host = url(answer).netloc
    if is_airplay(answer):
        return Finding(
            id="call.airplay",
            cause=f"the server at {host} is {AIRPLAY} ({answer.status}), which uses port 5000, not the API",
            fix=("zdemo serve --port 5001", assignment(setting, "http://127.0.0.1:5001")),
        )
    if cause := expects_https(answer):
        return Finding(id="call.expects_tls", cause=cause, fix=(assignment(setting, f"https://{host}"),))
    if 300 <= answer.status < 400:
        target, moved = redirected_to(answer, setting)
        elsewhere = f"set {setting} to the address at which the API itself answers"
        path = f"use the path {target}, if the route is there"
        return Finding(
            id="call.redirects",
            cause=f"{host} redirects requests to {target} ({answer.status}); the redirect was not followed"
            + ("" if target.startswith("/") else ", because it would take the token elsewhere"),
            fix=moved or (path if target.startswith("/") else elsewhere,),
            otherwise=() if moved else ("or exempt the API from the login",),
        )
    challenge = answer.headers.get(CHALLENGE.lower(), "")
    if answer.status == 401 and challenge.lower().startswith("basic") and "bearer" not in challenge.lower():
        return Finding(
            id="call.login",
            cause=f"something at {host} asks for a user name and password (401, {quoted(challenge, 60)}), "
            "not for a bearer token",
            candidates=("a proxy in front of the API requires a login of its own", "another server answers there"),
            fix=("let the proxy pass requests for the API without that login", f"correct {setting}, if it is another"),
        )
    if answer.status == 429:
        return Finding(
            id="call.rate_limited",
            cause="requests to the API are rate limited (429), by the API or by a proxy in front of it",
            fix=(wait(answer), "ask the operator of the API for the limit"),
        )
    return None


def finding_for_gateway(answer: Response, setting: str) -> Finding | None:
    """Return the finding for a 502, 503 or 504 that a zdemo API did not write; ``None`` for anything else."""
    if answer.status not in GATEWAY_STATUSES or is_from_zdemo(answer):
        return None
    return Finding(
        id="call.gateway",
        cause=f"the answer does not come from a zdemo API ({described(answer)})",
        candidates=(
            "a proxy or gateway answers in place of the API, which is down, starting, or elsewhere",
            "another API answers, and it fails or cannot have the token checked",
        ),
        fix=(
            "start the API (zdemo serve), or correct its address in the proxy's configuration: the proxy's log says "
            "more",
            f"correct {setting}, if another server is meant",
            "check the API's log",
        ),
    )


def finding_for_no_example_api(answer: Response, setting: str) -> Finding | None:
    """Return why the public route does not answer as that of the example API, as far as the answer shows it."""
    if finding := finding_before_the_api(answer, setting) or finding_for_gateway(answer, setting):
        return finding
    if answer.status == 404:
        return finding_for_no_such_route(answer, setting)
    return finding_for_refusal_elsewhere(answer, setting, public=True) if answer.status in (401, 403) else None


def finding_for_page(answer: Response, setting: str) -> Finding:
    """Return the finding for a web page, which no route of the API sends."""
    return Finding(
        id="call.page",
        cause=f"the answer is a web page ({answer.status}, text/html), which the API does not send",
        candidates=("another web server answers there", "a proxy in front of the API answers in its place"),
        fix=(f"correct {setting}", "check the log of the proxy, if there is one"),
    )


def finding_for_no_such_route(answer: Response, setting: str) -> Finding:
    """Return the finding for a 404 where the example API has a route."""
    parts = url(answer)
    return Finding(
        id="call.no_such_route",
        cause=f"the server at {parts.netloc} has no {parts.path} ({described(answer)}), as the API of zdemo serve does",
        candidates=(
            "it is an API of your own, or another server",
            "the API has another path there, or a proxy in front of it changes the path",
        ),
        fix=(
            f"correct {setting}: where zdemo serve runs",
            "zdemo doctor --api URL  (for an API of your own: a URL that requires a token)",
        ),
    )


def finding_for_refusal_elsewhere(answer: Response, setting: str, *, public: bool) -> Finding:
    """Return the finding for a 401 or 403 that the example API did not write; ``public``: its route is open."""
    host, path = url(answer).netloc, url(answer).path
    refuses = f"requires authentication for {path}" if public else "refuses the request"
    return Finding(
        id="call.refused_elsewhere",
        cause=f"what {refuses} at {host} is not zdemo serve ({described(answer)})",
        candidates=(
            "it is a gateway in front of the API that accepts other tokens, such as JWTs only",
            "it is another API",
        ),
        fix=(f"zdemo doctor --api {url(answer).scheme}://{host}{path.replace('/api/public', '/api/private')}",),
        otherwise=(f"or correct {setting}: where zdemo serve runs",),
    )


def finding_for_disagreement(call: Call, zitadel: str, settings: Settings) -> Finding:
    """Return why the API and ZITADEL may disagree about a token; ``zitadel`` is what ZITADEL says of it."""
    is_own, code = isinstance(call.route, OtherRoute), code_of(call.answer)
    is_foreign = not call.accepted and not is_from_zdemo(call.answer)
    can_be_reused = call.accepted or is_foreign or code == "insufficient_scope"  # of active tokens alone
    return Finding(
        id=DISAGREES,
        cause=f"the API and {settings.issuer} disagree about this token",
        candidates=(
            *(("a gateway or filter in front of the API refuses the request",) if is_foreign and not code else ()),
            STARTED_BEFORE,
            "it asks another ZITADEL, or has another CLIENT_ID or ZITADEL_PROJECT_ID",
            *(("it reuses an earlier answer of ZITADEL, for its ZDEMO_CACHE_TTL: try again",) if can_be_reused else ()),
            "something in between caches answers, or changes the Authorization header",
        ),
        seen=(("API", f"{call.answer.status}"), ("ZITADEL", zitadel)),
        fix=(COMPARE,) if is_own else (RESTART,),
        otherwise=() if is_own else (COMPARE,),
    )


def finding_for_zitadel(call: Call, issuer: str) -> Finding | None:
    """Return that ZITADEL itself was called, if it was."""
    if not call.url.startswith(f"{issuer}/"):
        return None
    return Finding(
        id="call.is_zitadel",
        cause=f"{issuer} is ZITADEL itself (ZITADEL_DOMAIN), not an API",
        fix=(f"correct {call.setting}: the address of your API",),
    )


def finding_for_route(call: Call) -> Finding | None:
    """Return what the status alone says about path and method: 404 for any API but zdemo's, and 405."""
    if call.answer.status == 405:
        return _other_method(call)
    if call.answer.status != 404 or not isinstance(call.route, OtherRoute):
        return None
    return Finding(
        id="call.not_found",
        cause=f"the API has nothing there for {call.method} (404)",
        candidates=("the path is misspelled, or lacks a prefix such as /api", "the API hides it from this caller"),
        fix=("correct the path", f"correct {call.setting}, if another API is meant"),
    )


def _other_method(call: Call) -> Finding:
    """Return which methods the path takes, as far as ``Allow`` says it (RFC 9110 §15.5.6)."""
    words = re.findall(r"[A-Z]{1,20}", call.answer.headers.get("allow", "")[:200])
    takes = f"; it takes {', '.join(words)}" if words else ""
    safe = next((m for m in Method if m in words and m.is_safe and m is not call.method), None)
    method = f"-X {safe or '…'}" if safe is not Method.GET else ""
    again = f"zdemo call {call.route} {method}".rstrip()
    return Finding(
        id="call.method_not_allowed",
        cause=f"this path does not take {call.method} (405){takes}",
        fix=(again,) if safe else ("use a method that the API's documentation names: -X METHOD",),
    )


def refused_without_reason(call: Call) -> Finding:
    """Return the finding for a 401 without a reason, where ZITADEL cannot be asked."""
    return Finding(
        id="call.refused",
        cause=f"the API refused the request ({call.answer.status}) without a challenge that says why",
        candidates=(
            "the token is not active, or not meant for this API",
            "the API takes other credentials than a bearer token",
        ),
        fix=("zdemo introspect --pat  (what ZITADEL says about this token)", API_LOG),
    )


def finding_for_own_rules(call: Call, issuer: str) -> Finding:
    """Return the finding where ZITADEL has nothing against the token: the API's own rules refuse it."""
    scope = call.challenge.scope if call.challenge else ""
    required = (("required", scope),) if scope else ()
    return Finding(
        id="call.own_rules",
        cause=f"{issuer} says that the token is active, and its audience fits the settings here: the API refuses it "
        "for a reason of its own",
        candidates=(
            "the user lacks a role or a right that the API requires",
            "the API uses another application or project than this command line",
            *(("it takes other credentials than a bearer token",) if call.answer.status == 401 else ()),
            "a gateway or filter in front of the API refuses the request",
        ),
        seen=required,
        fix=(API_LOG,),
    )
