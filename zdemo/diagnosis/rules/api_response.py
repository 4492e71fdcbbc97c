"""Why an API answered so; it may use another ZITADEL or another application than the command line.

No finding mentions the token.
"""

import re
from dataclasses import dataclass, field, replace
from functools import cached_property

from zdemo.config.environment import Environment
from zdemo.config.names import assignment, rename_steps
from zdemo.config.new_dotenv import completion
from zdemo.config.variables import is_public
from zdemo.diagnosis.evidence import NOT_ASKED, NOTHING, Evidence
from zdemo.diagnosis.finding import LONGEST_QUOTE, Finding, Severity, quoted
from zdemo.diagnosis.rules.rule import rule, table
from zdemo.diagnosis.token_form import TokenForm, token_form
from zdemo.diagnosis.wording import described, expects_https, redirected_to, url, wait
from zdemo.errors import NO_MEMBERSHIP
from zdemo.errors.response import GATEWAY_STATUSES, Response
from zdemo.errors.steps import Command, Step
from zdemo.http.api_call import Call, Method, OtherRoute, is_from_zdemo, parse_challenge
from zdemo.http.example_api import PAGE_PATH, PAGE_TITLE, PROXIES_ONLY, Route, named_route
from zdemo.text.spelling import did_you_mean
from zdemo.zitadel.introspection_answer import Introspection
from zdemo.zitadel.introspection_response import instance_not_found

MOST_READ = 5000  # characters of a body: Django's page about CSRF says it after a style sheet
CODES = ("invalid_request", "invalid_token", "insufficient_scope")  # RFC 6750 §3.1
IN_QUERY = r"(?<=[?&])access_token=[^&]*&?"  # RFC 6750 §2.3
CHALLENGE = "WWW-Authenticate"
VERIFIES_JWTS = "the API verifies JWTs itself, and this token is opaque (not a JWT)"
GET_JWT = (
    "set the Access Token Type of the service account to JWT, on its page in ZITADEL's Management Console (Users, "
    "Service Accounts)",
    Command("token", does="then gets a JWT of that service account (its PATs stay opaque)"),
)
OWN_API = Command("doctor --api URL", does="checks your own API: URL is a route of it that requires a token")
ABOUT_JWTS = r"(?i)\bjw[tse]\b|\bsegments?\b|malformed token"  # what libraries say of a text that is not a JWT
CHANGED = "a proxy in between removes or changes the Authorization header field"
NO_CACHE = "or, if a cache in front of the API repeats an old answer: let it obey Cache-Control: no-store"
PASS_ON = (
    "nginx: proxy_set_header Authorization $http_authorization;",
    "Apache, mod_wsgi: WSGIPassAuthorization On",
    "Apache, CGI and FastCGI: CGIPassAuth On",
    "Traefik: basicAuth without removeHeader, and no Authorization in customRequestHeaders",
)
UNCHANGED = "let the proxy in front of the API pass {} unchanged"
TO_LOGIN = r"(?i)\b(log|sign)[-_]?(in|on)\b|\bauth\b|\bauthorize\b|\bsso\b|\boauth2?\b|[?&](next|return\w*|rd)="
TAKE_FROM_HEADER = "in the API, take the token from the header field Authorization: Bearer"
CSRF = r"(?i:\b[cx]srf\b)"
OTHER_CREDENTIAL = r"(?i)\b(x-)?api[-_ ]?key\b|\bcookies?\b|\bsession\b(?!.{0,5}expired)|\b(log|sign)[- ]?in\b|" + CSRF
LOGIN_PAGE = r"""(?i)type=["']?password|\b(log|sign)[ -]?in\b"""
ABOUT_THE_FORM = 400, 406, 411, 412, 415, 422, 428  # statuses that a request with other parts does not get
NO_ROUTES: dict[str | int, tuple[str, str]] = {  # cause and fix for an answer that no route of the example API gives
    "login": ("a login page answers in place of the API", "let requests with a token pass without that login"),
    "changed": ("something in between changes the status of the API's refusal", UNCHANGED.format("statuses")),
    "refuses": ("the API refuses it for a reason of its own", "see its answer, its documentation and its log"),
    "own": (
        "the API needs another method, header field or body",
        "send what its documentation names: -X, or by --curl",
    ),
    407: ("a proxy in front of the API requires a login", "let requests for the API pass without that login"),
    403: ("a filter in front of the API refuses the request", "let it pass requests for the API (see its log)"),
    431: ("the token, or another header field, is too long there", "raise its limit, or send a shorter token"),
    500: ("the API itself fails", "correct the API, not its address: its log has the error"),
}


def code_of(answer: Response) -> str:
    """Return the error code of a refusal, from its challenge or from a zdemo API's body; empty without one."""
    if challenge := parse_challenge(answer.headers.get(CHALLENGE.lower())):
        return challenge.error
    code = answer.json_object().get("error") if is_from_zdemo(answer) else ""
    return code if code in CODES else ""


@dataclass(frozen=True, kw_only=True)
class ApiCase:
    """An API's answer to a call, and what is known here about the same token; ``issuer`` is empty if it is unknown.

    ``here`` is the finding of the investigation. Without ``introspection``, it is about what prevents the question.
    """

    call: Call
    token: str | None = field(default=None, repr=False)
    issuer: str = ""
    environment: Environment = field(default_factory=lambda: Environment({}), repr=False)
    here: Finding | None = None
    introspection: Introspection = field(default=NOT_ASKED, repr=False)
    evidence: Evidence = NOTHING

    # what the answer shows
    answer: Response = field(init=False, repr=False)
    status: int = field(init=False)
    host: str = field(init=False)
    code: str = field(init=False)  # of its error, or nothing
    from_zdemo: bool = field(init=False)  # whether a zdemo API refused
    is_other: bool = field(init=False)  # whether a path of any API was called, not a route of the example API
    failed: bool = field(init=False)  # whether the API could not judge, or something in front of it did not reach it

    def __post_init__(self) -> None:
        answer = self.call.answer
        vars(self).update(
            answer=answer,
            status=answer.status,
            host=url(answer).netloc,
            code=code_of(answer),
            from_zdemo=is_from_zdemo(answer),
            is_other=isinstance(self.call.route, OtherRoute),
            failed=answer.status in GATEWAY_STATUSES,
        )

    @property
    def is_at_emulator(self) -> bool:
        """Whether the settings are those of zdemo's emulator."""
        return is_public(self.environment.get("CLIENT_SECRET", ""))

    def again(self, option: str, does: str) -> Command:
        """Return the command that sends the request again, with one more option."""
        return replace(self.call.command, option=f"{self.call.command.option} {option}".strip(), does=does)

    @property
    def words(self) -> str:
        """What the API says about its refusal, the beginning."""
        challenge = self.call.challenge
        return f"{challenge.description if challenge else ''} {self.answer.text[:LONGEST_QUOTE]}"

    @cached_property
    def form(self) -> TokenForm:
        """The form of the token."""
        return token_form(self.token or "")


def _saw_no_token(case: ApiCase) -> bool:
    without_code = not case.code and (not case.is_other or case.from_zdemo)
    return case.status == 401 and (case.token is None or without_code) and bool(case.code or not case.call.is_page)


def _is_about_the_token(case: ApiCase) -> bool:
    judged = case.code in ("invalid_token", "insufficient_scope") or case.status in (401, 403) or case.failed
    return judged and case.status >= 300 and bool(case.code or not case.call.is_page)


# --- a request that did not reach a route of the API


@rule(when=lambda case: "AirTunes" in case.answer.headers.get("server", ""))
def _airplay(case: ApiCase) -> Finding:
    cause = f"the server at {case.host} is AirPlay of macOS ({case.status}), which uses port 5000, not the API"
    address = assignment(case.call.setting, f"http://127.0.0.1:5001{case.call.below}")
    return Finding(id="call.airplay", cause=cause, fix=(Command("serve --port 5001"), address))


def _expects_tls(case: ApiCase) -> Finding | None:
    if not (cause := expects_https(case.answer)):
        return None
    step = assignment(case.call.setting, f"https://{case.host}{case.call.below}")
    return Finding(id="call.expects_tls", cause=cause, fix=(step,))


def _zdemos_page(case: ApiCase) -> Finding | None:
    path, target = url(case.answer).path, case.answer.headers.get("location", "").partition("#")[0]
    if path not in ("/", PAGE_PATH) or (target != PAGE_PATH and PAGE_TITLE not in case.answer.text):
        return None
    cause = f"{case.host}{path} is the page of zdemo serve, for a browser: the API's routes have other paths"
    route = f"{url(case.answer).scheme}://{case.host}{Route.PRIVATE.path}"
    command = Command("doctor --api" if case.call.setting == "--api" else "call", (route,))
    return Finding(id="call.is_zdemos_page", cause=cause, fix=(command,))


@rule(when=lambda case: 300 <= case.status < 400)
def _redirects(case: ApiCase) -> Finding:
    target, moved = redirected_to(case.answer, case.call.setting, case.call.below)
    location, own = case.answer.headers.get("location", ""), url(case.answer).path.rstrip("/")
    if re.search(TO_LOGIN, location) and not (own and location.partition("?")[0].rstrip("/").endswith(own)):
        cause = f"{case.host} redirects requests to a login page at {target} ({case.status})"
        answer, login = "in the API, answer 401 with WWW-Authenticate: Bearer instead", NO_ROUTES["login"][1]
        steps = (answer, f"or, if a proxy redirects: {login}") if case.is_other else (login,)
        return Finding(id="call.redirects", cause=cause, fix=steps, severity=Severity.FORM)
    cause = f"{case.host} redirects requests to {target} ({case.status}); the redirect was not followed"
    fix = f"use the path {target}, if the route is there"
    if not target.startswith("/"):
        cause += ", because it would take the token elsewhere"
        fix = f"set {case.call.setting} to the address at which the API itself answers"
    return Finding(id="call.redirects", cause=cause, fix=moved or (fix,))


def _login(case: ApiCase) -> Finding | None:
    challenge = case.answer.headers.get(CHALLENGE.lower(), "")
    scheme = challenge.partition(" ")[0]
    if case.status != 401 or "bearer" in challenge.lower() or not re.fullmatch(r"[\w-]{2,20}", scheme):
        return None
    asks = "a user name and password" if scheme.lower() == "basic" else f"other credentials, of the scheme {scheme}"
    proxy = "let the proxy pass requests for the API without that login"
    cause = f"something at {case.host} asks for {asks} (401, {quoted(challenge, 60)}), not for a bearer token"
    candidates = ("a proxy in front of the API requires a login of its own", "the API takes no bearer tokens")
    fix = (proxy, f"correct {case.call.setting}, if it is another")
    if case.is_other and scheme.lower() != "basic":
        candidates, fix = candidates[::-1], (TAKE_FROM_HEADER, proxy)
    return Finding(id="call.login", cause=cause, candidates=candidates, fix=fix)


@rule(when=lambda case: case.status == 429 or (case.status == 503 and re.search(r"(?i)\bmaintenance\b", case.words)))
def _rate_limited(case: ApiCase) -> Finding:
    what = "requests to the API are rate limited" if case.status == 429 else "the API is under maintenance"
    cause = f"{what} ({case.status}), says the API or a proxy in front of it"
    return Finding(id="call.rate_limited", cause=cause, fix=(wait(case.answer), "ask the operator of the API"))


# --- what the answer alone explains, without a question to ZITADEL


def is_zitadel(case: ApiCase) -> Finding | None:
    """Find ZITADEL by its address, unless the answer has a challenge: then an API is behind the same proxy."""
    is_there = case.call.url.startswith(f"{case.issuer}/") and CHALLENGE.lower() not in case.answer.headers
    if not is_there and not instance_not_found(case.answer):
        return None
    cause = f"{case.host} is ZITADEL itself, not an API"
    if NO_MEMBERSHIP in case.answer.text:
        cause = f"{case.host} is ZITADEL itself, and the token's user is not an administrator there ({case.status})"
        return Finding(id="call.is_zitadel", cause=cause, fix=(case.again("--pat", "asks for an administrator's PAT"),))
    return Finding(id="call.is_zitadel", cause=cause, fix=(f"correct {case.call.setting}: the address of your API",))


@rule(when=lambda case: 400 <= case.status < 500 and not case.from_zdemo and re.search(ABOUT_JWTS, case.words))
def _verifies_jwts(case: ApiCase) -> Finding | None:
    if not case.form.is_opaque:
        return None
    both = "let the API ask ZITADEL about tokens (introspection), which works with both"
    jwt: tuple[Step, ...] = () if case.is_at_emulator else GET_JWT  # it has no Management Console
    return Finding(id="call.verifies_jwts", cause=VERIFIES_JWTS, fix=(*jwt, f"or {both}" if jwt else both))


@rule(when=lambda case: case.status in (401, 403) and not (case.call.challenge or case.from_zdemo))
def _other_credential(case: ApiCase) -> Finding | None:
    names = CSRF if case.answer.media_type == "text/html" else OTHER_CREDENTIAL  # a page can name others by the way
    match = re.search(names, case.answer.text[:MOST_READ])
    if not match:
        return None
    is_csrf = re.fullmatch(CSRF, match[0])
    cause = f"the API's answer asks for a credential other than a bearer token: {match[0]}"
    fix = "in the API, exempt the route from CSRF protection, which only cookies need" if is_csrf else TAKE_FROM_HEADER
    curl = (case.again("--curl", "to add it by hand"),)
    return Finding(id="call.other_credential", cause=cause, likely=True, fix=(fix,), otherwise=curl)


@rule(when=lambda case: case.status in (400, 401) and case.code in ("", "invalid_request"))
def _token_in_query(case: ApiCase) -> Finding | None:
    call, route = case.call, case.call.route
    if not isinstance(route, OtherRoute) or not re.search(IN_QUERY, route.path):
        return None
    second = ", beside the one in the header field: an API refuses two" if case.token else ""
    plain = replace(call, route=replace(route, typed=re.sub(IN_QUERY, "", route.typed).rstrip("?&")))
    ask = replace(case, call=plain).again("--pat", "asks for the token to send in the header field")
    cause = f"the URL has an access token in its query{second}"
    return Finding(id="call.token_in_query", cause=cause, fix=(plain.command, ask) if case.token else (ask,))


@rule(when=lambda case: case.token is None)
def _no_token(case: ApiCase) -> Finding:
    cause, rename = "this route requires a token, and none was sent", rename_steps(case.environment, "PAT")
    ask, otherwise = case.again("--pat", "asks for the token"), completion(case.environment, ["PAT"], by_name=True)
    return Finding(id="call.no_token", cause=cause, fix=(*rename, ask), otherwise=otherwise)


@rule(when=lambda case: not case.from_zdemo)
def _refused_elsewhere(case: ApiCase) -> Finding:
    """Say that the example API did not write a 401 or 403."""
    path, address = url(case.answer).path, f"{url(case.answer).scheme}://{case.host}"
    private = path.replace(Route.PUBLIC.path, Route.PRIVATE.path)
    cause = f"the server that refuses {path} at {case.host} is not zdemo serve ({described(case.answer)})"
    candidates = ("a gateway in front of the API takes other tokens, such as JWTs only", "it is another API")
    fix = (Command("doctor --api", (address + private,)),)
    otherwise = (f"or correct {case.call.setting}: where zdemo serve runs",)
    return Finding(id="call.refused_elsewhere", cause=cause, candidates=candidates, fix=fix, otherwise=otherwise)


def _token_not_seen(_case: ApiCase) -> Finding:
    cause = f"a token was sent, but the API did not receive it: {CHANGED}"
    return Finding(id="call.token_not_seen", cause=cause, likely=True, fix=PASS_ON, otherwise=(NO_CACHE,))


@rule(when=lambda case: case.code == "invalid_request")
def _invalid_request(case: ApiCase) -> Finding:
    is_changed = case.from_zdemo and not url(case.answer).query
    cause = f"the API says that the request is malformed{f': {CHANGED}' if is_changed else ''}"
    candidates = () if is_changed else (CHANGED, "the query has a second token, or the request lacks what is required")
    return Finding(id="call.invalid_request", cause=cause, likely=is_changed, candidates=candidates, fix=PASS_ON)


@rule(when=lambda case: case.status == 405)
def _method_not_allowed(case: ApiCase) -> Finding:
    words = re.findall(r"[A-Z]{1,20}", case.answer.headers.get("allow", "")[:200])  # RFC 9110 §15.5.6
    safe = next((m for m in (Method.GET, Method.HEAD) if m in words and m is not case.call.method), None)
    other = "use a method that the API's documentation names: -X METHOD"
    fix = replace(case.call, method=safe).command if safe else other
    allows = f"; it allows {', '.join(words)}" if words else ""
    cause = f"this path does not allow {case.call.method} (405){allows}"
    return Finding(id="call.method_not_allowed", cause=cause, fix=(fix,))


@rule(when=lambda case: case.status == 404)
def _not_found(case: ApiCase) -> Finding:
    call, parts, examples = case.call, url(case.answer), [route.path for route in Route]
    if case.answer.json_object().get("error_description") == PROXIES_ONLY:
        ask = Command("call", (f"{parts.scheme}://{case.host}/auth/-",), does="asks about the token as a proxy does")
        cause = f"{case.host} is zdemo serve --forward-auth, which has no {parts.path}: its routes are for proxies"
        return Finding(id="call.no_such_route", cause=cause, fix=(ask,), otherwise=("start it without --forward-auth",))
    if isinstance(call.route, OtherRoute) and not (case.from_zdemo and call.path in examples):
        route, paths = named_route(call.path), examples if case.from_zdemo else [call.path.rstrip("/")]
        near = route.path if route and case.from_zdemo else did_you_mean(call.path, {*paths} - {call.path})
        meant = replace(call, route=replace(call.route, typed=call.route.typed.replace(call.path, near)))
        cause = f"the API has nothing there for {call.method} (404)"
        if near:
            return Finding(id="call.not_found", cause=f"{cause}: did you mean {near}?", fix=(meant.command,))
        metrics = (Command("serve --open-metrics"),) if call.path == "/metrics" and case.from_zdemo else ()
        hides = () if case.from_zdemo else ("the API hides it from this caller",)
        cause += ": the path is misspelled, or lacks a prefix such as /api"
        fix = (*metrics, f"correct the path, or {call.setting} if another API is meant")
        return Finding(id="call.not_found", cause=cause, likely=bool(hides), candidates=hides, fix=fix)
    there = assignment(call.setting, f"{parts.scheme}://{case.host}")
    here: Step = there if call.below else f"correct {call.setting}: where zdemo serve runs"
    name, cause = "call.no_such_route", f"the server at {case.host} has no {parts.path}"
    if case.from_zdemo and (case.is_other or not call.below):
        cause = f"{cause}, although it is zdemo serve: a proxy changes the path"
        return Finding(id=name, cause=cause, likely=True, fix=(UNCHANGED.format("paths"),))
    return Finding(
        id=name,
        cause=f"{cause} ({described(case.answer)}), as zdemo serve does",
        candidates=("it is an API of your own, or another server", "a proxy in front of it changes the path"),
        fix=(here, OWN_API),
    )


def _other(case: ApiCase) -> Finding:
    is_page, is_own = case.call.is_page, case.is_other and 400 <= case.status < 500 and case.status not in NO_ROUTES
    own = "own" if case.status in ABOUT_THE_FORM else "refuses"
    kind = "changed" if case.status < 300 and not is_page else own if is_own else case.status
    if known := NO_ROUTES.get("login" if is_page and re.search(LOGIN_PAGE, case.answer.text) else kind):
        cause = f"{known[0]} ({described(case.answer)})"
        return Finding(id="call.other", cause=cause, likely=is_page or is_own, fix=known[1:])
    what = "is a web page, which the API does not send" if is_page else "says nothing about the token"
    candidates = "another web server or a proxy answers there", "the API has a fault: its log names it"
    fix = f"correct {case.call.setting}", "check the log of the API, and of the proxy, if there is one"
    cause, name = f"the answer {what} ({described(case.answer)})", "call.page" if is_page else "call.other"
    return Finding(id=name, cause=cause, candidates=candidates, fix=fix)


@rule(when=lambda case: case.failed and not case.from_zdemo and not (case.is_other and case.answer.json_object()))
def _gateway(case: ApiCase) -> Finding:
    """Find a 502, 503 or 504 that a zdemo API did not write; an API has no web page for it."""
    cause = f"a proxy or gateway at {case.host} gets no answer from the API behind it ({described(case.answer)})"
    others = () if case.answer.media_type == "text/html" else ("the API fails, or cannot have the token checked",)
    fix = "start the API, or correct its address in the proxy's configuration (see the proxy's log)"
    return Finding(id="call.gateway", cause=cause, likely=True, candidates=others, fix=(fix,))


BEFORE_THE_API = table(_airplay, _expects_tls, is_zitadel, _zdemos_page, _redirects, _login, _rate_limited)
BEHIND_NOTHING = (*BEFORE_THE_API, *table(_gateway))
BY_ANSWER = (
    *BEFORE_THE_API,
    *table(_verifies_jwts, _other_credential, _token_in_query, _gateway),
    *table(_no_token, _refused_elsewhere, _token_not_seen, when=_saw_no_token),
    *table(_invalid_request, _method_not_allowed, _not_found, _other, when=lambda case: not _is_about_the_token(case)),
)
ANOTHER_API = (  # than the example's, by the answer of its public route
    *BEHIND_NOTHING,
    *table(_not_found),
    *table(_refused_elsewhere, when=lambda case: case.status in (401, 403)),
)
