"""Why ZITADEL gave no usable response: the network, the address, another server, a filter; never the token."""

from collections.abc import Callable

from zdemo.config.settings import Settings
from zdemo.config.variables import EXAMPLE_INTERNAL_URL
from zdemo.diagnosis.evidence import NO_SETTINGS, NOTHING, Evidence, Probe, TokenCase
from zdemo.diagnosis.finding import Finding, quoted
from zdemo.diagnosis.rules.rejected_client import IN_FRONT, REFUSED_CLIENT, is_about_client
from zdemo.diagnosis.rules.rule import diagnose, rule, table
from zdemo.diagnosis.wording import Lines, described, expects_https, health_lines, redirected_to, url, wait
from zdemo.errors import ConnectionFailed, FailureKind, IntrospectionError
from zdemo.errors.response import GATEWAY_STATUSES, Response
from zdemo.errors.steps import SetVariable, Shell
from zdemo.http.api_call import is_from_zdemo, parse_challenge
from zdemo.zitadel.introspection_answer import INTROSPECTION_PATH, TOKEN_PATH
from zdemo.zitadel.introspection_response import DATABASE_AWAY, INSTANCE_UNKNOWN, instance_not_found

FILTERED = (401, 403, 407, 413)  # how a filter refuses: ZITADEL never so for discovery, nor with a page
NETWORK_LOGIN = 511  # RFC 6585 §6: never a server's own answer
BLOCKED = "Your ZITADEL instance is blocked"  # ZITADEL's own words, in plain text
DATABASE_CHECK = "API-F24h2"  # ZITADEL: the ID in the 412 of its readiness check
LOST = ("token missing", "grant_type missing", "assertion missing")  # ZITADEL's words, when the form did not arrive
NO_CLIENT = "client_id or client_assertion must be provided"  # likewise, when neither header nor form names it


# --- no response: the network, or a ZITADEL that hangs; its health checks tell them apart


def _timed_out(case: TokenCase) -> bool:
    return case.failure is not None and case.failure.kind is FailureKind.TIMEOUT


def _not_connected(case: TokenCase) -> Finding | None:
    if _timed_out(case) and case.evidence.is_healthy:
        return None
    if failure := case.failure:
        return Finding(id=f"net.{failure.kind}", cause=failure.message, fix=failure.steps)
    # ZITADEL was not asked: it did not answer a moment ago, or too many questions are open
    return Finding(id="zitadel.unavailable", cause=str(case.error), fix=case.error.steps if case.error else ())


@rule(Probe.READY)
def _hangs(case: TokenCase) -> Finding:
    if case.evidence.is_ready and case.settings.timeout_seconds < 1:  # most answers take less
        return Finding(id="zitadel.hangs", cause=f"ZITADEL is slower: {case.error}", fix=("raise ZDEMO_TIMEOUT",))
    if case.evidence.is_ready:
        return Finding(
            id="zitadel.hangs",
            cause=f"ZITADEL is alive and its database answers, but introspection does not: {case.error}",
            candidates=("a table of its database is locked", "it is overloaded", "a proxy holds back /oauth"),
            fix=("check ZITADEL's log and its database (locks, load), then try again",),
        )
    cause = f"ZITADEL is alive, but its database hangs: {case.error}, while its health check answers at once"
    failure = case.evidence.failure(Probe.READY)
    likely = not failure or failure.kind is not FailureKind.TIMEOUT
    fix = "check ZITADEL's database (PostgreSQL) and the network to it, then try again"
    return Finding(id="zitadel.database_hangs", cause=cause, likely=likely, fix=(fix,))


# --- a response


def _status(*statuses: int) -> Callable[[TokenCase], bool]:
    return lambda case: case.answer.status in statuses


def _host(case: TokenCase) -> str:
    return url(case.answer).netloc


def _path(case: TokenCase) -> str:
    return url(case.answer).path


def _let_pass(case: TokenCase, what: str) -> str:
    method = "POST" if _path(case) in (INTROSPECTION_PATH, TOKEN_PATH) else "GET"
    return f"let {what} pass {method} {_path(case)}"


def _may_be_an_api(case: TokenCase) -> bool:
    """Return whether an answer is a zdemo API's, or asks for a bearer token, as ZITADEL never does here."""
    challenge = parse_challenge(case.answer.headers.get("www-authenticate"))
    return is_from_zdemo(case.answer) or (case.answer.status == 401 and challenge is not None)


@rule(Probe.READY, when=_may_be_an_api)
def _is_the_api(case: TokenCase) -> Finding | None:
    host, is_zdemos = _host(case), is_from_zdemo(case.answer)
    if case.evidence.is_zitadel and not is_zdemos:
        return None
    cause = f"the server at {host} is not a ZITADEL but {'a zdemo API' if is_zdemos else 'an API that takes tokens'}"
    address = SetVariable("ZDEMO_API_URL", f"{url(case.answer).scheme}://{host}", does="the address of the API")
    fix = _correct_address(case.answer), address
    return Finding(id="zitadel.is_the_api", cause=cause, likely=not is_zdemos, fix=fix)


def _no_instance(case: TokenCase) -> Finding | None:
    not_found = instance_not_found(case.answer)
    if not_found is None or DATABASE_AWAY in case.answer.text:  # ZITADEL says this in such a text, too
        return None
    host, domain = not_found.host or "none", not_found.domain or "unknown"
    seen = (("hosts", f"ZITADEL saw {host}; its ExternalDomain is {domain}"),)
    return Finding(id=f"zitadel.{not_found.fault}", cause=not_found.cause, seen=seen, fix=not_found.steps)


@rule(Probe.READY)
def _database_is_away(case: TokenCase) -> Finding | None:
    is_away = DATABASE_AWAY in case.answer.text or case.evidence.database_away
    if is_away and case.evidence.is_ready:
        cause = "ZITADEL's database was away for a moment, and answers again"
        return Finding(id="zitadel.database_away", cause=cause, fix=("try again",))
    return database_away(f"{url(case.answer).scheme}://{_host(case)}") if is_away else None


def database_away(origin: str, seen: Lines = ()) -> Finding:
    """Return the finding when ZITADEL itself says that its database is down (QUERY-d3fas, or 412 when not ready)."""
    cause = "ZITADEL's database is down: ZITADEL runs, but cannot reach it"
    fix = ("start or repair ZITADEL's database (PostgreSQL), then try again (ZITADEL needs no restart)",)
    otherwise = (Shell(f"curl -i {origin}/debug/ready", does="200 when it is back"),)
    return Finding(id="zitadel.database_away", cause=cause, seen=seen, fix=fix, otherwise=otherwise)


@rule(when=_status(NETWORK_LOGIN))
def _captive_portal(case: TokenCase) -> Finding | None:
    cause = f"the network requires a login first, and answers in place of {_host(case)} ({NETWORK_LOGIN})"
    fix = "log in to the network (open any page in a browser), then try again"
    return Finding(id="net.login", cause=cause, fix=(fix,))


def _may_be_the_proxys(case: TokenCase) -> bool:
    answer = case.answer
    limited = answer.status == 429 or 300 <= answer.status < 400
    return bool(answer.proxy) and not limited and not answer.json_object()


@rule(Probe.READY, when=_may_be_the_proxys)
def _own_proxy(case: TokenCase) -> Finding | None:
    """Find an answer that the environment's proxy may have written itself."""
    if case.evidence.is_ready:
        return None
    answer, host = case.answer, _host(case)
    cannot = "cannot connect to" if answer.status in GATEWAY_STATUSES else "does not let requests through to"
    cause = f"the answer that came through the proxy {answer.proxy} is not ZITADEL's ({described(answer)})"
    candidates = (f"the proxy {cannot} {host}", f"{host} is not a ZITADEL, or a proxy in front of it answers")
    fix = (f"check host and port in {answer.setting} ({host}), and that ZITADEL runs there",)
    otherwise = (f"let the proxy pass requests to {host}, or add {url(answer).hostname} to NO_PROXY",)
    return Finding(id="net.proxy_answers", cause=cause, candidates=candidates, fix=fix, otherwise=otherwise)


@rule(when=_status(429))
def _rate_limited(case: TokenCase) -> Finding:
    cause = "requests to ZITADEL are rate limited (429), by it or by a proxy"
    if BLOCKED in case.answer.text:
        cause = "ZITADEL has blocked this instance: a limit was exceeded or set (429)"
    fix = wait(case.answer), "ask the operator of ZITADEL for the limit, and send ZITADEL fewer requests"
    return Finding(id="zitadel.rate_limited", cause=cause, fix=fix)


@rule(when=_status(*range(300, 400)))
def _redirects(case: TokenCase) -> Finding | None:
    """Find single sign-on in front of ZITADEL, or a host that has moved."""
    answer = case.answer
    target, moved = redirected_to(answer, answer.setting)
    if answer.proxy and not moved:
        moved = (f"log in to the proxy {answer.proxy}, or add {url(answer).hostname} to NO_PROXY",)
    if _path(case) in target[1:]:  # the same path, below another
        moved = (f"correct {answer.setting}: ZITADEL has a host of its own, and does not run below a path",)
    cause = f"{_host(case)} redirects requests to {target} ({answer.status}); the redirect was not followed"
    fix = moved or ("exempt /oauth, /oidc and /.well-known from the single sign-on in front of ZITADEL",)
    return Finding(id="zitadel.redirects", cause=cause, fix=fix)


def _expects_https(case: TokenCase) -> Finding | None:
    if not (cause := expects_https(case.answer)):
        return None
    fix = SetVariable(case.answer.setting, f"https://{_host(case)}", certain=True)
    return Finding(id="net.expects_tls", cause=cause, fix=(fix,))


@rule(when=_status(400))
def _request_changed(case: TokenCase) -> Finding | None:
    description = str(case.answer.json_object().get("error_description", ""))
    if description not in (*LOST, NO_CLIENT):
        return None
    client = "service account" if _path(case) == TOKEN_PATH else "API application"
    what = f"the {client}'s authentication" if description == NO_CLIENT else "the form of the request"
    cause = f"{what} was sent but did not reach ZITADEL: something in between removes it"
    seen = (("ZITADEL", quoted(description)),)
    fix = ("let the proxies in front of ZITADEL pass POST, its form and the Authorization header unchanged",)
    return Finding(id="zitadel.request_changed", cause=cause, likely=True, seen=seen, fix=fix)


def _in_between(case: TokenCase) -> Finding | None:
    """Return the finding when ZITADEL answers its readiness check, but something else answers this path."""
    if not case.evidence.is_zitadel:
        return None
    passing = "the proxy sends this path elsewhere, or is in maintenance", "ZITADEL was starting: try again"
    host, subject = _host(case), "introspection" if _path(case) == INTROSPECTION_PATH else _path(case)
    cause = f"ZITADEL is at {host}, but something in front of it answers {subject} in its place ({case.answer.status})"
    candidates = passing if case.answer.status in GATEWAY_STATUSES else ()
    fix = f"{_let_pass(case, 'the proxy or filter in front of ZITADEL')} (see its log)"
    return Finding(id="zitadel.in_between", cause=cause, candidates=candidates, fix=(fix,))


def _is_gateways(case: TokenCase) -> bool:
    is_from_proxy = case.answer.media_type == "text/html" or "server" in case.answer.headers  # ZITADEL sends neither
    return case.answer.status in GATEWAY_STATUSES and is_from_proxy


@rule(when=_status(500, *range(502, 1000)))  # ZITADEL implements what is asked
def _fails(case: TokenCase) -> Finding:
    host, status = _host(case), case.answer.status
    if _is_gateways(case):
        cause = f"a proxy answers at {host}, but ZITADEL behind it does not ({status})"
        fix = "start ZITADEL, or correct ZITADEL's address in the proxy's configuration (see the proxy's log)"
        return Finding(id="zitadel.behind_proxy_down", cause=cause, likely=True, fix=(fix,))
    its_own = case.answer.json_object().keys() & {"code", "error"}  # as ZITADEL writes them
    candidates = "ZITADEL or its database is in trouble", "a proxy in front of it fails", "it is another server"
    fix = "check ZITADEL's log and the proxy's, then try again"
    cause = f"{'ZITADEL' if its_own else 'the server'} at {host} fails ({status})"
    return Finding(id="zitadel.fails", cause=cause, candidates=() if its_own else candidates, fix=(fix,))


def _is_strange(case: TokenCase) -> bool:
    body = case.answer.json_object()
    is_apis = case.answer.status == 404 and body.keys().isdisjoint(("error", "code"))  # of any framework
    return not body or is_apis or (case.answer.status == 200 and "active" not in body)


def _is_filters_page(case: TokenCase) -> bool:
    answer = case.answer
    return _is_strange(case) and answer.media_type == "text/html" and answer.status in FILTERED


def _filtered(case: TokenCase) -> Finding:
    answer = case.answer
    cause = f"a server other than ZITADEL answers at {_host(case)} and refuses the request ({described(answer)})"
    candidates = (IN_FRONT, f"{answer.setting} names another web server")
    fix = (f"{_let_pass(case, 'the filter')} without a login, or correct {answer.setting}",)
    return Finding(id="zitadel.filtered", cause=cause, candidates=candidates, fix=fix)


def _other_server(case: TokenCase) -> Finding:
    answer = case.answer
    is_missing = answer.status == 404 and "server" in answer.headers
    cause = f"the server at {_host(case)} is not a ZITADEL but another server ({described(answer)})"
    fix = (_correct_address(answer), *(("or give the proxy there a route to ZITADEL",) if is_missing else ()))
    return Finding(id="zitadel.other_server", cause=cause, likely=answer.media_type != "text/html", fix=fix)


def _correct_address(answer: Response) -> str:
    example = EXAMPLE_INTERNAL_URL if answer.issuer else "http://localhost:8080"
    return f"correct {answer.setting}: host and port of your ZITADEL, e.g. {answer.setting}={example}"


@rule(Probe.READY, Probe.DISCOVERY)
def _unusable(case: TokenCase) -> Finding | None:
    if case.evidence.answer(Probe.DISCOVERY).status and not case.evidence.is_zitadel:
        return _other_server(case)
    changed = "something between here and ZITADEL changes the request or the answer"
    other = f"{case.answer.setting} names a server that is not a ZITADEL"
    candidates, fix = (other, changed), case.error.steps if case.error else ()
    if case.evidence.is_zitadel:
        candidates = changed, "only this path leads to another server"
        fix = (f"{_let_pass(case, 'the proxies in front of ZITADEL')} and its answer unchanged",)
    return Finding(id="zitadel.unusable", cause=quoted(str(case.error), 300), candidates=candidates, fix=fix)


# --- another response to a request for discovery


@rule(Probe.READY)
def _another_api(case: TokenCase) -> Finding | None:
    answer, body = case.answer, case.answer.json_object()
    if answer.status == 200 and "issuer" in body:
        other = f"another authorization server (issuer {quoted(body['issuer'])})"
        cause = f"the server at {_host(case)} is not a ZITADEL but {other}"
        return Finding(id="zitadel.other_issuer", cause=cause, fix=(_correct_address(answer),))
    is_other = body and 200 <= answer.status < 500 and answer.status != 429 and not case.evidence.is_ready
    return _other_server(case) if is_other else None


def _seen(case: TokenCase) -> Lines:
    return (("answer", f"{described(case.answer)} at {_path(case)}"), *health_lines(case.evidence))


NETWORK = table(
    rule(when=lambda case: not _timed_out(case))(_not_connected),
    rule(Probe.HEALTH)(_not_connected),
    _hangs,
    when=lambda case: not case.answer.status,
    seen=lambda case: health_lines(case.evidence),
)
UNUSABLE = table(
    _no_instance,
    _database_is_away,
    _captive_portal,
    _own_proxy,
    _rate_limited,
    _redirects,
    _expects_https,
    _request_changed,
    rule(Probe.READY, when=_is_gateways)(_in_between),
    _fails,
    rule(Probe.READY, Probe.DISCOVERY, when=_is_strange)(_in_between),
    rule(when=_is_filters_page)(_filtered),
    rule(when=_is_strange)(_other_server),
    _unusable,
    when=lambda case: case.answer.status > 0 and not is_about_client(case),
    seen=_seen,
)
NO_DISCOVERY = (
    *table(
        _is_the_api,
        rule(Probe.READY, when=_status(*FILTERED))(_in_between),
        _expects_https,
        _own_proxy,
        rule(when=_status(*FILTERED))(_filtered),
        _another_api,
        seen=_seen,
    ),
    *UNUSABLE,
)
NO_INTROSPECTION = (*NETWORK, *table(_is_the_api, seen=_seen), *UNUSABLE, *REFUSED_CLIENT)


def finding_for_error(
    error: IntrospectionError | ConnectionFailed, settings: Settings | None = None, evidence: Evidence = NOTHING
) -> Finding:
    """Return the finding for an error of introspection, or for a connection that failed."""
    return diagnose(NO_INTROSPECTION, TokenCase(error=error, settings=settings or NO_SETTINGS, evidence=evidence))


def zitadels_signs(evidence: Evidence) -> str:
    """Return what shows that a ZITADEL answers; empty when nothing does."""
    if evidence.is_discovered:
        return f"issuer {evidence.issuer}"
    texts = evidence.answer(Probe.READY).text + evidence.answer(Probe.DISCOVERY).text
    says_so = any(sign in texts for sign in (DATABASE_CHECK, INSTANCE_UNKNOWN, BLOCKED))
    return "its answers are ZITADEL's" if says_so or evidence.is_ready or evidence.is_healthy else ""
