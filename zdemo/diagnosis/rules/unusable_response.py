"""Why ZITADEL could not be asked: the connection, the address, the server or what is in front of it, its database.

The sentences for connections that fail are those of ``zdemo.http.failures``; this module is about responses that are
not introspections. No finding mentions the caller's token, which has no part in any of this.
"""

from zdemo.config.settings import Settings
from zdemo.diagnosis.cases import ClientCase, ResponseCase
from zdemo.diagnosis.evidence import NOTHING, Evidence, Probe
from zdemo.diagnosis.finding import Finding, quoted
from zdemo.diagnosis.phrases import Lines, correct_address, described, health_lines, redirected_to, url, wait
from zdemo.diagnosis.phrases import expects_https as https_expected
from zdemo.diagnosis.rules.api_response import is_from_zdemo
from zdemo.diagnosis.rules.rejected_client import finding_for_credentials
from zdemo.errors import ConnectionFailed, CredentialsRefused, FailureKind, IntrospectionError
from zdemo.response import GATEWAY_STATUSES, Response
from zdemo.zitadel.refused_credentials import (
    DATABASE_AWAY,
    INSTANCE_UNKNOWN,
    answer_error,
    explain_instance_not_found,
    instance_not_found,
)

FILTERED = (401, 403, 407, 413)  # with a page: how a filter, or a login page in front of ZITADEL, refuses
NETWORK_LOGIN = 511  # RFC 6585 §6: never a server's own answer
BLOCKED = "Your ZITADEL instance is blocked"  # ZITADEL's own words, in plain text
DATABASE_CHECK = "API-F24h2"  # ZITADEL: the ID in the 412 of its readiness check
REFUSALS = (401, 403, 407)  # never ZITADEL's answer to a request for discovery


def finding_for_error(
    error: IntrospectionError | ConnectionFailed, settings: Settings | None = None, evidence: Evidence = NOTHING
) -> Finding:
    """Return the finding for an error of introspection, or for a connection that failed."""
    if isinstance(error, ConnectionFailed):
        return _failure(error, evidence)
    if error.failure:
        return _failure(error.failure, evidence)
    answer = error.answer
    if answer is None:
        return Finding(id="zitadel.unavailable", cause=error.message, fix=(error.hint,))
    if isinstance(error, CredentialsRefused) and settings:
        return finding_for_credentials(ClientCase(answer=answer, settings=settings, evidence=evidence))
    case = ResponseCase(answer=answer, error=error, evidence=evidence)
    return unusable(case).and_seen(case.seen)


def unusable(case: ResponseCase) -> Finding:
    """Return the finding for a response by the first rule that knows it; else it stays open."""
    finding = _wrong_host(case) or _database_away(case) or network_login(case) or own_proxy(case)
    finding = finding or rate_limited(case) or _redirects(case) or expects_https(case) or lost_on_the_way(case)
    return finding or gateway(case) or _fails(case) or _other_server(case) or _unknown(case)


def _unknown(case: ResponseCase) -> Finding:
    changed = "something between here and ZITADEL changes the request or the answer"
    other = f"{case.answer.setting} names a server that is not a ZITADEL"
    elsewhere = f"only {case.subject} is sent to another server"
    is_zitadel = case.evidence.is_zitadel
    return Finding(
        id="zitadel.unusable",
        cause=quoted(case.error.message, 300),
        candidates=(changed, elsewhere) if is_zitadel else (other, changed),
        fix=(f"let what is in front of ZITADEL pass {case.request} and its answer unchanged",)
        if is_zitadel
        else (case.error.hint,),
    )


def _failure(failure: ConnectionFailed, evidence: Evidence) -> Finding:
    seen = health_lines(evidence)
    if failure.kind is not FailureKind.TIMEOUT or not evidence.is_healthy:
        return Finding(id=f"net.{failure.kind}", cause=failure.message, seen=seen, fix=(failure.hint,))
    if evidence.is_ready:
        return Finding(
            id="zitadel.hangs",
            cause=f"ZITADEL is alive and its database answers, but introspection does not: {failure.message}",
            candidates=("a table of its database is locked", "it is overloaded", "a proxy holds back /oauth"),
            seen=seen,
            fix=("check ZITADEL's log and its database (locks, load), then try again", failure.hint),
        )
    return Finding(
        id="zitadel.database_hangs",
        cause=f"ZITADEL is alive, but its database hangs: {failure.message}, while its health check answers at once",
        likely=not evidence.timed_out(Probe.READY),
        seen=seen,
        fix=("check ZITADEL's database (PostgreSQL) and the network to it, then try again",),
    )


def _wrong_host(case: ResponseCase) -> Finding | None:
    """Find ZITADEL's 404 for a Host without an instance; it names the hosts concerned."""
    not_found = instance_not_found(case.answer)
    if not_found is None or DATABASE_AWAY in case.answer.text:
        return None
    hosts = f"ZITADEL saw {not_found.host or 'none'}; its ExternalDomain is {not_found.domain or 'unknown'}"
    name, cause, fix = explain_instance_not_found(case.answer, not_found)
    return Finding(id=f"zitadel.{name}", cause=cause, seen=(("hosts", hosts),), fix=fix)


def _database_away(case: ResponseCase) -> Finding | None:
    if DATABASE_AWAY not in case.answer.text and not case.evidence.database_away:
        return None
    return database_away(f"{url(case.answer).scheme}://{case.host}")


def database_away(origin: str, seen: Lines = ()) -> Finding:
    """Return the finding when ZITADEL itself says that its database is down (QUERY-d3fas, or 412 when not ready)."""
    return Finding(
        id="zitadel.database_away",
        cause="ZITADEL's database is down: ZITADEL runs, but cannot reach it",
        seen=seen,
        fix=("start or repair ZITADEL's database (PostgreSQL), then try again; ZITADEL needs no restart",),
        otherwise=(f"curl -i {origin}/debug/ready  (200 when it is back)",),
    )


def _redirects(case: ResponseCase) -> Finding | None:
    """Find single sign-on in front of ZITADEL, or a host that has moved."""
    if not 300 <= case.answer.status < 400:
        return None
    target, moved = redirected_to(case.answer, case.answer.setting)
    return Finding(
        id="zitadel.redirects",
        cause=f"{case.host} redirects requests to {target} ({case.answer.status}); the redirect was not followed",
        fix=moved or ("exempt /oauth, /oidc and /.well-known from the single sign-on in front of ZITADEL",),
        otherwise=() if moved else (f"or set {case.answer.setting} to an address at which ZITADEL itself answers",),
    )


def expects_https(case: ResponseCase) -> Finding | None:
    """Find plain http at a port that expects https."""
    cause = https_expected(case.answer)
    fix = (f"{case.answer.setting}=https://{case.host}",)
    return Finding(id="net.expects_tls", cause=cause, fix=fix) if cause else None


def _fails(case: ResponseCase) -> Finding | None:
    if case.answer.status < 500:
        return None
    return Finding(
        id="zitadel.fails",
        cause=f"the server at {case.host} fails ({case.answer.status})",
        candidates=("ZITADEL or its database is in trouble", "a proxy in front of it fails", "it is another server"),
        fix=("check ZITADEL's log and the proxy's, then try again",),
    )


def _other_server(case: ResponseCase) -> Finding | None:
    body = case.answer.json_object()
    if body and (case.answer.status != 200 or "active" in body):
        return None
    is_page = case.answer.media_type == "text/html"
    if case.evidence.is_zitadel:
        return in_between(case)
    if is_page and case.answer.status in FILTERED:
        return Finding(
            id="zitadel.filtered",
            cause=f"another server than ZITADEL answers at {case.host} and refuses the request "
            f"({described(case.answer)})",
            candidates=(
                "a proxy or bot filter in front of ZITADEL, or one that requires a login of its own",
                f"{case.answer.setting} names another web server",
            ),
            fix=(f"let the filter pass {case.request} without a login, or correct {case.answer.setting}",),
        )
    return other_server(case, likely=not is_page)


def other_server(case: ResponseCase, *, likely: bool) -> Finding:
    """Return the finding for a server that is not a ZITADEL."""
    return Finding(
        id="zitadel.other_server",
        cause=f"the server at {case.host} is not a ZITADEL but another server ({described(case.answer)})",
        likely=likely,
        fix=(correct_address(case.answer),),
    )


def own_proxy(case: ResponseCase) -> Finding | None:
    """Find an answer that the environment's proxy may have written itself."""
    answer, host = case.answer, case.host
    limited = answer.status == 429 or 300 <= answer.status < 400
    if not answer.proxy or case.evidence.is_ready or limited or answer.json_object():
        return None
    candidates = (
        f"the proxy does not let requests through to {host}",
        f"{host} is not a ZITADEL, or a filter in front of it answers",
    )
    if answer.status in GATEWAY_STATUSES:
        candidates = (
            f"the proxy cannot connect to {host}: host or port in {answer.setting} is wrong, or nothing runs there",
            f"another proxy answers at {host}, and ZITADEL behind it does not",
        )
    return Finding(
        id="net.proxy_answers",
        cause=f"the answer that came through the proxy {answer.proxy} is not ZITADEL's ({described(answer)})",
        candidates=candidates,
        fix=(f"check host and port in {answer.setting} ({host}), and that ZITADEL runs there",),
        otherwise=(
            f"if this machine reaches it without the proxy, add {url(answer).hostname} to NO_PROXY",
            "otherwise let the proxy pass requests to it: its log says more",
        ),
    )


def network_login(case: ResponseCase) -> Finding | None:
    """Find a captive portal: the network answers, whatever host was asked."""
    if case.answer.status != NETWORK_LOGIN:
        return None
    return Finding(
        id="net.login",
        cause=f"the network requires a login first, and answers in place of {case.host} ({NETWORK_LOGIN})",
        fix=("log in to the network (open any page in a browser), then try again",),
    )


def rate_limited(case: ResponseCase) -> Finding | None:
    """Find a rate limit: ZITADEL's is plain text, a filter's is a page or has the filter's name."""
    answer = case.answer
    if answer.status != 429:
        return None
    cause, likely = "requests to ZITADEL are rate limited (429)", False
    if BLOCKED in answer.text:
        cause = "ZITADEL has blocked this instance: a limit was exceeded or set (429)"
    elif _is_from_a_proxy(case):
        cause = f"a proxy or filter in front of ZITADEL limits or blocks requests from here ({described(answer)})"
        likely = True
    return Finding(
        id="zitadel.rate_limited",
        cause=cause,
        likely=likely,
        fix=(wait(answer), "ask the operator of ZITADEL for the limit, and send ZITADEL fewer requests"),
    )


def _is_from_a_proxy(case: ResponseCase) -> bool:
    """Return whether a page or a server's name came: ZITADEL sends neither."""
    return case.answer.media_type == "text/html" or "server" in case.answer.headers


def lost_on_the_way(case: ResponseCase) -> Finding | None:
    """Find a part of the request that did not reach ZITADEL."""
    body = case.answer.json_object()
    description = str(body.get("error_description", ""))
    what = {
        "token missing": "the form of the request",
        "client_id or client_assertion must be provided": f"the {case.client}'s authentication (the Authorization "
        "header; with a key file, the form)",
        "grant_type missing": "the form of the request",
        "assertion missing": "the form of the request",
    }.get(description)
    if case.answer.status != 400 or body.get("error") != "invalid_request" or what is None:
        return None
    return Finding(
        id="zitadel.request_changed",
        cause=f"{what} was sent but did not reach ZITADEL: something in between removes it",
        likely=True,
        seen=(("ZITADEL", quoted(description)),),
        fix=("check the proxies in front of ZITADEL: POST, its form and the Authorization header must pass unchanged",),
    )


def gateway(case: ResponseCase) -> Finding | None:
    """Find a proxy that does not reach ZITADEL, or that does not pass this path to a ZITADEL that is ready."""
    if case.answer.status not in GATEWAY_STATUSES or not _is_from_a_proxy(case):
        return None
    if case.evidence.is_ready:
        return Finding(
            id="zitadel.in_between",
            cause=f"ZITADEL is at {case.host} and ready, but a proxy in front of it answers {case.path} in its place "
            f"({case.answer.status})",
            candidates=(
                "the proxy sends this path elsewhere, or it is switched off there (maintenance)",
                "ZITADEL was starting a moment ago, and works now",
            ),
            fix=("try again", f"let the proxy in front of ZITADEL pass {case.request}; its log says more"),
        )
    return Finding(
        id="zitadel.behind_proxy_down",
        cause=f"a proxy answers at {case.host}, but ZITADEL behind it does not ({case.answer.status})",
        likely=True,
        fix=("start ZITADEL, or correct ZITADEL's address in the proxy's configuration; its log says more",),
    )


def in_between(case: ResponseCase) -> Finding:
    """Return the finding when ZITADEL answers its readiness check, but something else answers this path."""
    return Finding(
        id="zitadel.in_between",
        cause=f"ZITADEL is at {case.host}, but something in front of it answers {case.subject} in its place",
        fix=(f"let the proxy or filter in front of ZITADEL pass {case.request}",),
    )


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
    if finding := finding or _is_the_api(case) or _other_issuer(case):
        return finding.and_seen(case.seen)
    is_other = 200 <= case.answer.status < 500 and case.answer.status != 429 and not case.evidence.is_ready
    is_json = is_other and bool(case.answer.json_object())
    return (other_server(case, likely=True) if is_json else unusable(case)).and_seen(case.seen)


def _refuses(case: ResponseCase) -> Finding | None:
    if case.answer.status not in REFUSALS:
        return None
    return Finding(
        id="zitadel.filtered",
        cause=f"the server at {case.host} is another server, or a proxy in front of ZITADEL that requires a login "
        f"({described(case.answer)})",
        likely=True,
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
