"""Why ZITADEL could not be asked: the connection, the address, the server, its database.

The sentences for connections that fail are those of ``zdemo.http.failures``; this module is about responses that are
not introspections. No finding mentions the caller's token, which has no part in any of this.
"""

from zdemo.config.settings import Settings
from zdemo.diagnosis.cases import ClientCase, ResponseCase
from zdemo.diagnosis.evidence import NOTHING, Evidence, Probe
from zdemo.diagnosis.finding import Finding, quoted
from zdemo.diagnosis.intermediaries import gateway, in_between, lost_on_the_way, network_login, own_proxy, rate_limited
from zdemo.diagnosis.phrases import Lines, correct_address, described, health_lines, redirected_to, url
from zdemo.diagnosis.phrases import expects_https as https_expected
from zdemo.diagnosis.rejected_client import finding_for_credentials
from zdemo.errors import ConnectionFailed, CredentialsRefused, FailureKind, IntrospectionError
from zdemo.introspection.refusals import DATABASE_AWAY, explain_instance_not_found, instance_not_found

FILTERED = (401, 403, 407, 413)  # with a page: how a filter, or a login page in front of ZITADEL, refuses


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
