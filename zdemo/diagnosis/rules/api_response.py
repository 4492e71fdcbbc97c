"""Why an API answered so; it may use another ZITADEL or another application than the command line.

``setting`` is the variable or option that holds the API's address. No finding mentions the token.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from zdemo.config.environment import Environment
from zdemo.config.names import assignment, did_you_mean, rename_steps
from zdemo.diagnosis.finding import LONGEST_QUOTE, Finding, quoted
from zdemo.diagnosis.rules.active_token import user_of
from zdemo.diagnosis.token_form import token_form
from zdemo.diagnosis.wording import described, expects_https, redirected_to, url, wait
from zdemo.errors.response import GATEWAY_STATUSES, Response
from zdemo.http.api_call import Call, Method, OtherRoute, parse_challenge
from zdemo.http.example_api import Route
from zdemo.text.printable import pasteable
from zdemo.zitadel.introspection_answer import Introspection

ERROR_OF_ZDEMO = {"error", "request_id"}  # in each refusal of a zdemo API
CODES = ("invalid_request", "invalid_token", "insufficient_scope")  # RFC 6750 §3.1
CHALLENGE = "WWW-Authenticate"
STARTED_BEFORE = "the API was started before its settings were changed"
RESTART = "restart zdemo serve, if its settings were changed since then"
COMPARE = "compare the API's ZITADEL_DOMAIN, ZITADEL_INTERNAL_URL, CLIENT_ID and ZITADEL_PROJECT_ID with those here"
API_LOG = "check the API's log: it names the cause"
DOCTOR = "zdemo doctor  (shows what prevents it)"
VERIFIES_JWTS = "the API verifies JWTs itself, and this token is opaque (not a JWT)"
GET_JWT = "zdemo token  (a JWT, if the Access Token Type of its service account is JWT)"
ABOUT_JWTS = r"(?i)\bjw[tse]\b|\bsegments?\b|malformed token"  # what libraries say of a text that is not a JWT
CHANGED = "a proxy in between removes or changes the Authorization header field"
PASS_ON = (
    "nginx: proxy_set_header Authorization $http_authorization;",
    "Apache: WSGIPassAuthorization On  (mod_wsgi; for CGI and FastCGI: CGIPassAuth On)",
    "Traefik: basicAuth without removeHeader, and no Authorization in customRequestHeaders",
)
A_GATEWAY = "a gateway or filter in front of the API refuses the request"


def is_from_zdemo(answer: Response) -> bool:
    """Return whether a refusal is a zdemo API's own: JSON with an error and the ID of the request."""
    return answer.json_object().keys() >= ERROR_OF_ZDEMO


def code_of(answer: Response) -> str:
    """Return the error code of a refusal, from its challenge or from a zdemo API's body; empty without one."""
    if challenge := parse_challenge(answer.headers.get(CHALLENGE.lower())):
        return challenge.error
    code = answer.json_object().get("error") if is_from_zdemo(answer) else ""
    return code if code in CODES else ""


# --- what the answer shows without a question to ZITADEL


def findings_before_the_api(answer: Response, setting: str, below: str = "") -> Iterator[Finding]:
    """Yield why a request did not reach a route below this path of the API; nothing if it may have reached one."""
    host = url(answer).netloc
    if "AirTunes" in answer.headers.get("server", ""):
        yield Finding(
            id="call.airplay",
            cause=f"the server at {host} is AirPlay of macOS ({answer.status}), which uses port 5000, not the API",
            fix=("zdemo serve --port 5001", assignment(setting, "http://127.0.0.1:5001")),
        )
    if cause := expects_https(answer):
        yield Finding(id="call.expects_tls", cause=cause, fix=(assignment(setting, f"https://{host}{below}"),))
    if 300 <= answer.status < 400:
        target, moved = redirected_to(answer, setting, below)
        is_path = target.startswith("/")
        elsewhere = f"set {setting} to the address at which the API itself answers"
        yield Finding(
            id="call.redirects",
            cause=f"{host} redirects requests to {target} ({answer.status}); the redirect was not followed"
            + ("" if is_path else ", because it would take the token elsewhere"),
            fix=moved or (f"use the path {target}, if the route is there" if is_path else elsewhere,),
            otherwise=() if moved else ("or exempt the API from the login",),
        )
    challenge = answer.headers.get(CHALLENGE.lower(), "")
    scheme = challenge.partition(" ")[0]
    if answer.status == 401 and re.fullmatch(r"[\w-]{2,20}", scheme) and "bearer" not in challenge.lower():
        asks = "a user name and password" if scheme.lower() == "basic" else f"other credentials, of the scheme {scheme}"
        yield Finding(
            id="call.login",
            cause=f"something at {host} asks for {asks} (401, {quoted(challenge, 60)}), not for a bearer token",
            candidates=("a proxy in front of the API requires a login of its own", "the API takes no bearer tokens"),
            fix=("let the proxy pass requests for the API without that login", f"correct {setting}, if it is another"),
        )
    if answer.status == 429:
        yield Finding(
            id="call.rate_limited",
            cause="requests to the API are rate limited (429), by the API or by a proxy in front of it",
            fix=(wait(answer), "ask the operator of the API for the limit"),
        )


def findings_for_answer(call: Call, token: str | None, issuer: str, environment: Environment) -> Iterator[Finding]:
    """Yield what an answer alone explains; nothing when it is about a token that ZITADEL can be asked about.

    ``issuer`` is empty when it is unknown.
    """
    answer, code, is_zdemo = call.answer, code_of(call.answer), not isinstance(call.route, OtherRoute)
    yield from findings_before_the_api(answer, call.setting, call.below)
    if issuer and call.url.startswith(f"{issuer}/"):
        yield Finding(
            id="call.is_zitadel",
            cause=f"{issuer} is ZITADEL itself (ZITADEL_DOMAIN), not an API",
            fix=(f"correct {call.setting}: the address of your API",),
        )
    said = f"{call.challenge.description if call.challenge else ''} {answer.text[:LONGEST_QUOTE]}"
    is_refusal = 400 <= answer.status < 500 and not is_from_zdemo(answer)
    if is_refusal and token_form(token or "").is_opaque and re.search(ABOUT_JWTS, said):
        yield Finding(
            id="call.verifies_jwts",
            cause=VERIFIES_JWTS,
            fix=(GET_JWT,),
            otherwise=("or let the API ask ZITADEL about tokens (introspection), which works with both",),
        )
    page = call.is_page and not code and is_zdemo  # others may leave out the code of an error
    if answer.status == 401 and not page and (token is None or (not code and (is_zdemo or is_from_zdemo(answer)))):
        if token is None:
            yield Finding(
                id="call.no_token",
                cause="this route requires a token, and none was sent",
                fix=(*rename_steps(environment, "PAT"), f"{call.command} --pat  (asks for the token)"),
                otherwise=("or set PAT in .env",),
            )
        if not is_from_zdemo(answer) and answer.body.strip():
            yield _refused_elsewhere(answer, call.setting)
        yield Finding(
            id="call.token_not_seen",
            cause=f"a token was sent, but the API did not receive it: {CHANGED}"
            if is_from_zdemo(answer)
            else "the API answers as if no token was sent",
            candidates=() if is_from_zdemo(answer) else (CHANGED, "the API needs another scheme than Bearer"),
            fix=PASS_ON,
        )
    judged = code in ("invalid_token", "insufficient_scope") or answer.status in (401, 403, *GATEWAY_STATUSES)
    if page or not judged:
        yield from _not_about_the_token(call, code)


def _not_about_the_token(call: Call, code: str) -> Iterator[Finding]:
    answer, status, is_other = call.answer, call.answer.status, isinstance(call.route, OtherRoute)
    if code == "invalid_request":
        yield Finding(
            id="call.invalid_request",
            cause="the API says that the request is malformed, so it did not ask ZITADEL",
            candidates=(CHANGED, "the query has a second token, or the request lacks what the API requires"),
            fix=PASS_ON,
        )
    if status == 405:  # ``Allow`` says which methods the path takes (RFC 9110 §15.5.6)
        words = re.findall(r"[A-Z]{1,20}", answer.headers.get("allow", "")[:200])
        safe = next((m for m in Method if m in words and m.is_safe and m is not call.method), None)
        again = f"zdemo call {call.route}" + (f" -X {safe}" if safe is not Method.GET else "")
        yield Finding(
            id="call.method_not_allowed",
            cause=f"this path does not take {call.method} (405)" + (f"; it takes {', '.join(words)}" if words else ""),
            fix=(again,) if safe else ("use a method that the API's documentation names: -X METHOD",),
        )
    if status == 404 and isinstance(call.route, OtherRoute):
        known = [route.path for route in Route] if is_from_zdemo(answer) else [call.path.rstrip("/")]
        near = did_you_mean(call.path, {*known} - {call.path})
        meant = replace(call, route=replace(call.route, typed=call.route.typed.replace(call.path, near)))
        open_causes = "the path is misspelled, or lacks a prefix such as /api", "the API hides it from this caller"
        yield Finding(
            id="call.not_found",
            cause=f"the API has nothing there for {call.method} (404)" + (f": did you mean {near}?" if near else ""),
            candidates=() if near else open_causes,
            fix=(meant.command,) if near else ("correct the path", f"correct {call.setting}, if another API is meant"),
        )
    if status == 404:
        yield _no_such_route(call)
    if call.is_page:
        yield Finding(
            id="call.page",
            cause=f"the answer is a web page ({status}, text/html), which the API does not send",
            candidates=("another web server answers there", "a proxy in front of the API answers in its place"),
            fix=(f"correct {call.setting}", "check the log of the proxy, if there is one"),
        )
    means = "says nothing about the token" if is_other else "no route of the API answers"
    yield Finding(
        id="call.other",
        cause=f"the status is {status}, which {means}",
        candidates=("another server or a proxy answers there", "the API has a fault: its log names it"),
        fix=(f"correct {call.setting}", "check the API's log"),
    )


def _no_such_route(call: Call) -> Finding:
    answer, parts, setting = call.answer, url(call.answer), call.setting
    origin = f"{parts.scheme}://{parts.netloc}"
    return Finding(
        id="call.no_such_route",
        cause=f"the server at {parts.netloc} has no {parts.path} ({described(answer)}), as the API of zdemo serve does",
        candidates=("it is an API of your own, or another server", "a proxy in front of it changes the path"),
        fix=(
            assignment(setting, origin) if call.below else f"correct {setting}: where zdemo serve runs",
            "zdemo doctor --api URL  (for an API of your own: a URL that requires a token)",
        ),
    )


def _refused_elsewhere(answer: Response, setting: str) -> Finding:
    """Return the finding for a 401 or 403 that the example API did not write."""
    host, path = url(answer).netloc, url(answer).path
    refuses = f"requires authentication for {path}" if path.endswith(Route.PUBLIC.path) else "refuses the request"
    return Finding(
        id="call.refused_elsewhere",
        cause=f"what {refuses} at {host} is not zdemo serve ({described(answer)})",
        candidates=("a gateway in front of the API takes other tokens, such as JWTs only", "it is another API"),
        fix=(f"zdemo doctor --api {url(answer).scheme}://{host}{path.replace('/api/public', '/api/private')}",),
        otherwise=(f"or correct {setting}: where zdemo serve runs",),
    )


def _gateway(answer: Response, setting: str) -> Iterator[Finding]:
    """Find a 502, 503 or 504 that a zdemo API did not write."""
    if answer.status in GATEWAY_STATUSES and not is_from_zdemo(answer):
        yield Finding(
            id="call.gateway",
            cause=f"a proxy or gateway answers for the API, or the API failed ({described(answer)})",
            candidates=(
                "a proxy or gateway answers in place of the API, which is down, starting, or elsewhere",
                "another API answers, and it fails or cannot have the token checked",
            ),
            fix=(
                "start the API (zdemo serve), or correct its address in the proxy's configuration (its log says more)",
                f"correct {setting}, if another server is meant",
            ),
        )


def findings_for_another_api(call: Call) -> Iterator[Finding]:
    """Yield why the public route does not answer like the example API's, as far as the answer shows it."""
    answer, setting = call.answer, call.setting
    yield from findings_before_the_api(answer, setting, call.below)
    yield from _gateway(answer, setting)
    if answer.status == 404:
        yield _no_such_route(call)
    if answer.status in (401, 403):
        yield _refused_elsewhere(answer, setting)


# --- a token that the API refused, or could not judge


def findings_by_the_api_alone(call: Call, token: str | None) -> Iterator[Finding]:
    """Yield what the API says about a token, where ZITADEL cannot be asked."""
    status, code = call.answer.status, code_of(call.answer)
    yield from _gateway(call.answer, call.setting)
    if status in GATEWAY_STATUSES:
        yield Finding(
            id="call.cannot_judge",
            cause="the API could not have the token checked: it gets no usable answer from ZITADEL",
            fix=(DOCTOR, API_LOG),
        )
    if code == "insufficient_scope":
        yield Finding(
            id="call.role_missing",
            cause=f"the token is valid, but does not have the role {call.role or 'that the API requires'}",
            fix=("zdemo introspect --pat  (shows which of the possible causes it is)",),
        )
    if status == 403 or not code:  # a zdemo API always sends a challenge (RFC 6750 §3)
        role = "the API requires a role, which is missing, or has further requirements"
        dead, other = "the token is not active, or not meant for this API", "the API takes other credentials"
        yield Finding(
            id="call.forbidden" if status == 403 else "call.refused",
            cause=f"the API refused the request ({status}) without a challenge that says why",
            candidates=(A_GATEWAY, role) if status == 403 else (dead, other),
            fix=("zdemo introspect --pat  (what ZITADEL says about this token)", API_LOG),
        )
    form = token_form(token or "")
    odd = () if form.is_access_token or not token else (f"it does not look like an access token: {form.described}",)
    yield Finding(
        id="call.token_refused",
        cause="the API says that the token is not active, or not meant for this API",
        candidates=(
            *odd,
            "it was deleted, has expired, or its user was deactivated or locked (even if reactivated since)",
            "it belongs to another ZITADEL, or is meant for another project",
            "the text is not the whole token",
        ),
        fix=("zdemo introspect --pat  (narrows it down)",),
    )


def findings_by_both(
    call: Call, token: str, here: Finding | None, issuer: str, introspection: Introspection | None
) -> Iterator[Finding]:
    """Yield the finding of the investigation if it explains the API's answer; else that the two disagree.

    Without ``introspection``, ``here`` is not about the token, but about what prevents the question.
    """
    code, status = code_of(call.answer), call.answer.status
    if status in GATEWAY_STATUSES:
        obstacle = None if introspection else here  # most likely, the API cannot ask ZITADEL for the same reason
        shown = obstacle.cause if obstacle else "ZITADEL answers, and tokens can be checked"
        for gateway in _gateway(call.answer, call.setting):
            yield replace(gateway, seen=(("from here", shown),))
        if obstacle:
            yield obstacle
        yield Finding(
            id="call.api_cannot_ask",
            cause=f"the API cannot have tokens checked, though {issuer} answers from here",
            candidates=(
                "the API does not reach ZITADEL: network, proxy, certificates",
                "it was a temporary failure",
                STARTED_BEFORE,
                "the API uses another ZITADEL_DOMAIN, CLIENT_ID or CLIENT_SECRET than this command line",
            ),
            fix=(API_LOG, RESTART, COMPARE),
        )
    if introspection is None and here and here.id == "client.swapped_with_token":
        yield here
    if introspection is None:  # the API could ask ZITADEL, so what prevents that here is not why it refuses
        finding = next(findings_by_the_api_alone(call, token))
        if here and not is_from_zdemo(call.answer):
            cannot = "it is not a zdemo API, and answers like this when it cannot have tokens checked"
            finding = replace(finding, candidates=(*finding.candidates, cannot))
        seen = [("from here", f"the token cannot be checked: {here.cause}")] if here else []
        yield replace(finding.and_seen(seen), fix=(DOCTOR,)) if here else finding
        return
    is_own = isinstance(call.route, OtherRoute) and code != "invalid_token"
    scope = call.challenge.scope if call.challenge else ""
    roles = ", ".join(quoted(role, 60) for role in introspection.roles())
    required = (("required", scope),) if scope else ()
    if is_own and here is None and code == "insufficient_scope" and not roles:
        role = scope if scope and " " not in scope else "ROLE"
        yield Finding(
            id="call.no_role",
            cause="the API requires more than a valid token, and ZITADEL shows no role for this one",
            seen=required,
            fix=(pasteable("zdemo role grant", user_of(introspection), quoted(role, 60)),),
            otherwise=("or, if the API requires a scope and not a role: request the token with that scope",),
        )
    if is_own and here is None:  # ZITADEL has nothing against the token
        filtered = (A_GATEWAY,) if status == 401 or call.answer.media_type == "text/html" else ()
        yield Finding(
            id="call.own_rules",
            cause=f"{issuer} says that the token is active: the API refuses it for a reason of its own",
            candidates=(
                *((VERIFIES_JWTS,) if status == 401 and token_form(token).is_opaque else ()),
                *filtered,
                "the user lacks a role or a right that the API requires",
                "the API uses another application or project than this command line",
                *(() if filtered else (A_GATEWAY,)),
                CHANGED,
            ),
            seen=(*required, ("roles", roles or "none")),
            fix=(API_LOG,),
        )
    missing_role = code == "insufficient_scope" or status == 403
    if here and ((is_own and not code) or here.id.startswith("role.") == missing_role):
        yield here
    finding = finding_for_disagreement(call, here.cause if here else "it is accepted", issuer)
    if here is None and not is_from_zdemo(call.answer):
        is_opaque = token_form(token).is_opaque
        verifies = VERIFIES_JWTS if is_opaque else "the API verifies JWTs itself, for another issuer or audience"
        fix = (GET_JWT, *finding.fix) if is_opaque else finding.fix
        finding = replace(finding, candidates=(verifies, *finding.candidates), fix=fix)
    yield finding


def other_api(difference: str, setting: str) -> Finding:
    """Return that the API said in which way it is not the one of these settings."""
    return Finding(
        id="call.disagrees",
        cause=f"the API {difference}",
        fix=(RESTART,),
        otherwise=(f"or, if another API is meant: correct {setting}",),
    )


def finding_for_disagreement(call: Call, zitadel: str, issuer: str) -> Finding:
    """Return why the API and ZITADEL may disagree about a token; ``zitadel`` is what ZITADEL says of it."""
    is_own, code = isinstance(call.route, OtherRoute), code_of(call.answer)
    is_foreign = not call.accepted and not is_from_zdemo(call.answer)
    passing = PASS_ON[: code == "invalid_token"]
    can_be_reused = call.accepted or is_foreign or code == "insufficient_scope"  # of active tokens alone
    return Finding(
        id="call.disagrees",
        cause=f"the API and {issuer} disagree about this token",
        candidates=(
            *((A_GATEWAY,) if is_foreign and not code else ()),
            STARTED_BEFORE,
            "it asks another ZITADEL, or has another CLIENT_ID or ZITADEL_PROJECT_ID",
            *(("it reuses an earlier answer of ZITADEL, for its ZDEMO_CACHE_TTL: try again",) if can_be_reused else ()),
            "something in between caches answers, or changes the Authorization header",
        ),
        seen=(("API", f"{call.answer.status}"), ("ZITADEL", zitadel)),
        fix=(COMPARE,) if is_own else (RESTART,),
        otherwise=(*(() if is_own else (COMPARE,)), *(f"or, behind a proxy, in {step}" for step in passing)),
    )
