"""Why ZITADEL could not be asked: the address, the server or what is in front of it, its database; never the token."""

from collections.abc import Iterator
from dataclasses import dataclass

from zdemo.config.address import is_loopback
from zdemo.config.settings import Settings
from zdemo.config.variables import EXAMPLE_INTERNAL_URL
from zdemo.diagnosis.evidence import NOTHING, Evidence, Probe
from zdemo.diagnosis.finding import Finding, SetVariable, quoted
from zdemo.diagnosis.rules.api_response import is_from_zdemo
from zdemo.diagnosis.rules.rejected_client import ClientCase, finding_for_credentials
from zdemo.diagnosis.wording import Lines, described, expects_https, health_lines, redirected_to, url, wait
from zdemo.errors import ConnectionFailed, CredentialsRefused, FailureKind, IntrospectionError
from zdemo.errors.response import GATEWAY_STATUSES, Response
from zdemo.zitadel.introspection_answer import INTROSPECTION_PATH, TOKEN_PATH
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
LOST = ("token missing", "grant_type missing", "assertion missing")  # ZITADEL's words, when the form did not arrive
NO_CLIENT = "client_id or client_assertion must be provided"  # likewise, when neither header nor form names it


@dataclass(frozen=True, kw_only=True)
class _Case:  # a response that is not an introspection, or not a discovery document
    answer: Response
    error: IntrospectionError  # what it is instead
    evidence: Evidence

    @property
    def host(self) -> str:
        return url(self.answer).netloc

    @property
    def path(self) -> str:
        return url(self.answer).path

    @property
    def request(self) -> str:
        return f"{'POST' if self.path in (INTROSPECTION_PATH, TOKEN_PATH) else 'GET'} {self.path}"

    @property
    def subject(self) -> str:
        """What was requested, as sentences name it."""
        return "introspection" if self.path == INTROSPECTION_PATH else self.path

    @property
    def seen(self) -> Lines:
        return (("answer", f"{described(self.answer)} at {self.path}"), *health_lines(self.evidence))


def finding_for_error(
    error: IntrospectionError | ConnectionFailed, settings: Settings | None = None, evidence: Evidence = NOTHING
) -> Finding:
    """Return the finding for an error of introspection, or for a connection that failed."""
    if isinstance(error, ConnectionFailed):
        return next(_failure(error, evidence))
    if error.failure:
        return next(_failure(error.failure, evidence))
    answer = error.answer
    if answer is None:
        return Finding(id="zitadel.unavailable", cause=error.message, fix=(error.hint,))
    if isinstance(error, CredentialsRefused) and settings:
        return finding_for_credentials(ClientCase(answer=answer, settings=settings, evidence=evidence))
    case = _Case(answer=answer, error=error, evidence=evidence)
    return next(_unusable(case)).and_seen(case.seen)


def finding_for_server(answer: Response, evidence: Evidence) -> Finding:
    """Return why the answer to a request for discovery does not come from a ZITADEL, or is not a good one."""
    case = _Case(answer=answer, error=answer_error(answer), evidence=evidence)
    return next(_no_discovery(case)).and_seen(case.seen)


def _failure(failure: ConnectionFailed, evidence: Evidence) -> Iterator[Finding]:
    seen = health_lines(evidence)
    if failure.kind is not FailureKind.TIMEOUT or not evidence.is_healthy:
        yield Finding(id=f"net.{failure.kind}", cause=failure.message, seen=seen, fix=(failure.hint,))
    if evidence.is_ready:
        yield Finding(
            id="zitadel.hangs",
            cause=f"ZITADEL is alive and its database answers, but introspection does not: {failure.message}",
            candidates=("a table of its database is locked", "it is overloaded", "a proxy holds back /oauth"),
            seen=seen,
            fix=("check ZITADEL's log and its database (locks, load), then try again", failure.hint),
        )
    yield Finding(
        id="zitadel.database_hangs",
        cause=f"ZITADEL is alive, but its database hangs: {failure.message}, while its health check answers at once",
        likely=not evidence.timed_out(Probe.READY),
        seen=seen,
        fix=("check ZITADEL's database (PostgreSQL) and the network to it, then try again",),
    )


def _unusable(case: _Case) -> Iterator[Finding]:
    """Yield what a response that is not an introspection means, the surest first; the last one leaves it open."""
    away = DATABASE_AWAY in case.answer.text
    if not away and (not_found := instance_not_found(case.answer)):  # ZITADEL's 404 names the hosts concerned
        hosts = f"ZITADEL saw {not_found.host or 'none'}; its ExternalDomain is {not_found.domain or 'unknown'}"
        name, cause, fix = explain_instance_not_found(case.answer, not_found)
        is_here = all(is_loopback(host.partition(":")[0]) for host in (not_found.host, not_found.domain))
        repair = SetVariable(*fix[0].split("=", 1)) if is_here and "=" in fix[0] else None
        yield Finding(id=f"zitadel.{name}", cause=cause, seen=(("hosts", hosts),), fix=fix, repair=repair)
    if away or case.evidence.database_away:
        yield database_away(f"{url(case.answer).scheme}://{case.host}")
    if case.answer.status == NETWORK_LOGIN:  # a captive portal
        yield Finding(
            id="net.login",
            cause=f"the network requires a login first, and answers in place of {case.host} ({NETWORK_LOGIN})",
            fix=("log in to the network (open any page in a browser), then try again",),
        )
    yield from _own_proxy(case)
    if case.answer.status == 429:
        by_zitadel = BLOCKED in case.answer.text
        blocked = "ZITADEL has blocked this instance: a limit was exceeded or set (429)"
        yield Finding(
            id="zitadel.rate_limited",
            cause=blocked if by_zitadel else "requests to ZITADEL are rate limited (429), by it or by a proxy",
            fix=(wait(case.answer), "ask the operator of ZITADEL for the limit, and send ZITADEL fewer requests"),
        )
    if 300 <= case.answer.status < 400:  # single sign-on in front of ZITADEL, or a host that has moved
        target, moved = redirected_to(case.answer, case.answer.setting)
        if case.answer.proxy and not moved:
            moved = (f"log in to the proxy {case.answer.proxy}, or add {url(case.answer).hostname} to NO_PROXY",)
        if case.path in target[1:]:  # the same path, below another
            moved = (f"correct {case.answer.setting}: ZITADEL has a host of its own, and does not run below a path",)
        yield Finding(
            id="zitadel.redirects",
            cause=f"{case.host} redirects requests to {target} ({case.answer.status}); the redirect was not followed",
            fix=moved or ("exempt /oauth, /oidc and /.well-known from the single sign-on in front of ZITADEL",),
        )
    yield from _expects_https(case)
    description = str(case.answer.json_object().get("error_description", ""))
    if case.answer.status == 400 and description in (*LOST, NO_CLIENT):
        client = "service account" if case.path == TOKEN_PATH else "API application"
        what = f"the {client}'s authentication (the Authorization header; with a key file, the form)"
        what = what if description == NO_CLIENT else "the form of the request"
        yield Finding(
            id="zitadel.request_changed",
            cause=f"{what} was sent but did not reach ZITADEL: something in between removes it",
            likely=True,
            seen=(("ZITADEL", quoted(description)),),
            fix=("let the proxies in front of ZITADEL pass POST, its form and the Authorization header unchanged",),
        )
    yield from _gateway(case)
    if case.answer.status >= 500:
        yield Finding(
            id="zitadel.fails",
            cause=f"the server at {case.host} fails ({case.answer.status})",
            candidates=(
                "ZITADEL or its database is in trouble",
                "a proxy in front of it fails",
                "it is another server",
            ),
            fix=("check ZITADEL's log and the proxy's, then try again",),
        )
    yield from _other_server(case)
    changed = "something between here and ZITADEL changes the request or the answer"
    other = f"{case.answer.setting} names a server that is not a ZITADEL"
    elsewhere = f"only {case.subject} is sent to another server"
    is_zitadel = case.evidence.is_zitadel
    passes = f"let what is in front of ZITADEL pass {case.request} and its answer unchanged"
    yield Finding(
        id="zitadel.unusable",
        cause=quoted(case.error.message, 300),
        candidates=(changed, elsewhere) if is_zitadel else (other, changed),
        fix=(passes if is_zitadel else case.error.hint,),
    )


def _no_discovery(case: _Case) -> Iterator[Finding]:
    """Yield what a response that is not a discovery document means, the surest first."""
    answer, body = case.answer, case.answer.json_object()
    if case.evidence.is_ready and answer.status in REFUSALS:
        yield _in_between(case)
    yield from _expects_https(case)
    yield from _own_proxy(case)
    if answer.status in REFUSALS:
        yield _filtered(case)
    if answer.status == 404 and is_from_zdemo(answer):
        yield Finding(
            id="zitadel.is_the_api",
            cause=f"the server at {case.host} is not a ZITADEL but a zdemo API",
            fix=(_correct_address(answer), f"set the API's own address with ZDEMO_API_URL=http://{case.host}"),
        )
    if answer.status == 200 and "issuer" in body:
        yield Finding(
            id="zitadel.other_issuer",
            cause=f"the server at {case.host} is not a ZITADEL but another authorization server "
            f"(issuer {quoted(body.get('issuer'))})",
            fix=(_correct_address(answer),),
        )
    if body and 200 <= answer.status < 500 and answer.status != 429 and not case.evidence.is_ready:
        yield _another(case, likely=True)
    yield from _unusable(case)


def _correct_address(answer: Response) -> str:
    example = EXAMPLE_INTERNAL_URL if answer.issuer else "http://localhost:8080"
    return f"correct {answer.setting}: host and port of your ZITADEL, e.g. {answer.setting}={example}"


def database_away(origin: str, seen: Lines = ()) -> Finding:
    """Return the finding when ZITADEL itself says that its database is down (QUERY-d3fas, or 412 when not ready)."""
    return Finding(
        id="zitadel.database_away",
        cause="ZITADEL's database is down: ZITADEL runs, but cannot reach it",
        seen=seen,
        fix=("start or repair ZITADEL's database (PostgreSQL), then try again; ZITADEL needs no restart",),
        otherwise=(f"curl -i {origin}/debug/ready  (200 when it is back)",),
    )


def _expects_https(case: _Case) -> Iterator[Finding]:
    if cause := expects_https(case.answer):
        repair = SetVariable(case.answer.setting, f"https://{case.host}")
        yield Finding(id="net.expects_tls", cause=cause, fix=(f"{repair.name}={repair.value}",), repair=repair)


def _other_server(case: _Case) -> Iterator[Finding]:
    body, is_page = case.answer.json_object(), case.answer.media_type == "text/html"
    if body and (case.answer.status != 200 or "active" in body):
        return
    if case.evidence.is_zitadel:
        yield _in_between(case)
    if is_page and case.answer.status in FILTERED:
        yield _filtered(case)
    yield _another(case, likely=not is_page)


def _filtered(case: _Case) -> Finding:
    return Finding(
        id="zitadel.filtered",
        cause=f"another server than ZITADEL answers at {case.host} and refuses the request ({described(case.answer)})",
        candidates=(
            "a proxy or bot filter in front of ZITADEL, or one that requires a login of its own",
            f"{case.answer.setting} names another web server",
        ),
        fix=(f"let the filter pass {case.request} without a login, or correct {case.answer.setting}",),
    )


def _another(case: _Case, *, likely: bool) -> Finding:
    is_missing = case.answer.status == 404 and "server" in case.answer.headers
    return Finding(
        id="zitadel.other_server",
        cause=f"the server at {case.host} is not a ZITADEL but another server ({described(case.answer)})",
        likely=likely,
        fix=(_correct_address(case.answer), *(("or give the proxy there a route to ZITADEL",) if is_missing else ())),
    )


def _own_proxy(case: _Case) -> Iterator[Finding]:
    """Yield a finding if the environment's proxy may have written the answer itself."""
    answer, host = case.answer, case.host
    limited = answer.status == 429 or 300 <= answer.status < 400
    if not answer.proxy or case.evidence.is_ready or limited or answer.json_object():
        return
    cannot = "cannot connect to" if answer.status in GATEWAY_STATUSES else "does not let requests through to"
    yield Finding(
        id="net.proxy_answers",
        cause=f"the answer that came through the proxy {answer.proxy} is not ZITADEL's ({described(answer)})",
        candidates=(f"the proxy {cannot} {host}", f"{host} is not a ZITADEL, or a proxy in front of it answers"),
        fix=(f"check host and port in {answer.setting} ({host}), and that ZITADEL runs there",),
        otherwise=(
            f"if this machine reaches it without the proxy, add {url(answer).hostname} to NO_PROXY",
            "otherwise let the proxy pass requests to it: its log says more",
        ),
    )


def _gateway(case: _Case) -> Iterator[Finding]:
    """Yield a finding if a proxy does not reach ZITADEL, or does not pass this path to a ZITADEL that is ready."""
    is_from_proxy = case.answer.media_type == "text/html" or "server" in case.answer.headers  # ZITADEL sends neither
    if case.answer.status not in GATEWAY_STATUSES or not is_from_proxy:
        return
    if case.evidence.is_ready:
        yield Finding(
            id="zitadel.in_between",
            cause=f"ZITADEL is at {case.host} and ready, but a proxy in front of it answers {case.path} in its place "
            f"({case.answer.status})",
            candidates=(
                "the proxy sends this path elsewhere, or it is switched off there (maintenance)",
                "ZITADEL was starting a moment ago, and works now",
            ),
            fix=("try again", f"let the proxy in front of ZITADEL pass {case.request}; its log says more"),
        )
    yield Finding(
        id="zitadel.behind_proxy_down",
        cause=f"a proxy answers at {case.host}, but ZITADEL behind it does not ({case.answer.status})",
        likely=True,
        fix=("start ZITADEL, or correct ZITADEL's address in the proxy's configuration; its log says more",),
    )


def _in_between(case: _Case) -> Finding:
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
