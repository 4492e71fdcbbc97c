"""Why ZITADEL could not be asked: the connection, the server, its database; ``between`` and ``hosts`` know the rest.

The sentences for connections that fail are those of ``zdemo.http.failures``; here it is about answers that are none.
None of them speaks of the caller's token: it had no part in any of this.
"""

from __future__ import annotations

from collections.abc import Callable

from zdemo.config.settings import Settings
from zdemo.diagnosis.evidence import NOTHING, Evidence, Probe
from zdemo.diagnosis.finding import Certainty, Finding, quoted
from zdemo.diagnosis.intermediaries import gateway, in_between, lost_on_the_way, network_login, own_proxy, rate_limited
from zdemo.diagnosis.phrases import described, health, origin, seen, url
from zdemo.diagnosis.rejected_client import finding_for_credentials
from zdemo.diagnosis.wrong_address import expects_tls, redirects, wrong_host
from zdemo.errors import ConnectionFailed, CredentialsRefused, FailureKind, IntrospectionError
from zdemo.http.response import Response
from zdemo.introspection.refusals import DATABASE_AWAY

FILTERED = (401, 403, 407, 413)  # with a page: how a filter, or a login before it, refuses


def finding_for_error(
    error: IntrospectionError | ConnectionFailed, settings: Settings | None = None, evidence: Evidence = NOTHING
) -> Finding:
    """The finding for an error of introspection, or for a connection that failed (to ZITADEL or to the API)."""
    failure = error if isinstance(error, ConnectionFailed) else error.failure
    if failure is not None:
        return _failure(failure, evidence)
    answer = error.answer if isinstance(error, IntrospectionError) else None
    if answer is None:
        return Finding(id="zitadel.unavailable", cause=error.message, fix=(error.hint,))
    if isinstance(error, CredentialsRefused):
        return finding_for_credentials(answer, settings, evidence)
    found = next((finding for rule in _RULES if (finding := rule(answer, evidence))), None)
    return found or Finding(
        id="zitadel.unusable",
        cause=quoted(error.message, 300),
        certainty=Certainty.OPEN,
        candidates=(
            "ZITADEL_DOMAIN names another server than a ZITADEL",
            "something between here and ZITADEL changes the question or the answer",
        ),
        seen=(seen(answer), *health(evidence)),
        fix=(error.hint,),
    )


def _failure(failure: ConnectionFailed, evidence: Evidence) -> Finding:
    if failure.kind is not FailureKind.TIMEOUT or not evidence.is_healthy:
        return Finding(id=f"net.{failure.kind}", cause=failure.message, seen=health(evidence), fix=(failure.hint,))
    if evidence.is_ready:
        return Finding(
            id="zitadel.hangs",
            cause=f"ZITADEL lives and its database answers, but introspection does not: {failure.message}",
            certainty=Certainty.OPEN,
            candidates=("a lock on a table of its database", "overload", "a proxy that holds back /oauth"),
            seen=health(evidence),
            fix=("look at ZITADEL's log and at its database (locks, load), then try again", failure.hint),
        )
    return Finding(
        id="zitadel.database_hangs",
        cause=f"ZITADEL lives, but its database hangs: {failure.message}, while its health check answers at once",
        certainty=Certainty.CERTAIN if evidence.timed_out(Probe.READY) else Certainty.LIKELY,
        seen=health(evidence),
        fix=("look at ZITADEL's database (PostgreSQL) and the network to it, then try again",),
    )


def _database_away(answer: Response, evidence: Evidence) -> Finding | None:
    if DATABASE_AWAY not in answer.text and not evidence.database_away:
        return None
    return database_away(origin(answer), (seen(answer), *health(evidence)))


def database_away(origin: str, seen: tuple[tuple[str, str], ...]) -> Finding:
    """ZITADEL says so itself: the 404 with its error ID, or 412 of its readiness check."""
    return Finding(
        id="zitadel.database_away",
        cause="ZITADEL's database is away: ZITADEL runs, but cannot reach it",
        seen=seen,
        fix=(
            "start or repair ZITADEL's database (PostgreSQL), then try again; ZITADEL needs no restart",
            f"curl -i {origin}/debug/ready     (200 when it is back)",
        ),
    )


def _fails(answer: Response, evidence: Evidence) -> Finding | None:
    if answer.status < 500:
        return None
    return Finding(
        id="zitadel.fails",
        cause=f"what answers at {url(answer).netloc} fails ({answer.status})",
        certainty=Certainty.OPEN,
        candidates=("ZITADEL itself, or its database, is in trouble", "a proxy before it", "another server"),
        seen=(seen(answer), *health(evidence)),
        fix=("look at ZITADEL's log and at that of the proxy, then try again",),
    )


def _other_server(answer: Response, evidence: Evidence) -> Finding | None:
    body = answer.json_object()
    if body and (answer.status != 200 or "active" in body):
        return None
    host = url(answer).netloc
    if evidence.is_ready:
        return in_between(answer, evidence)
    if answer.media_type == "text/html" and answer.status in FILTERED:
        return Finding(
            id="zitadel.filtered",
            cause=f"another server than ZITADEL answers at {host}: it refuses the request ({described(answer)})",
            certainty=Certainty.OPEN,
            candidates=(
                "a proxy or bot filter before ZITADEL, or one that wants a login of its own",
                "ZITADEL_DOMAIN names another web server",
            ),
            seen=(seen(answer), *health(evidence)),
            fix=("let the filter pass POST /oauth/v2/introspect without a login, or correct ZITADEL_DOMAIN",),
        )
    return Finding(
        id="zitadel.other_server",
        cause=f"what answers at {host} is not a ZITADEL but another server ({described(answer)})",
        certainty=Certainty.CERTAIN if answer.media_type == "text/html" else Certainty.LIKELY,
        seen=(seen(answer), *health(evidence)),
        fix=("correct ZITADEL_DOMAIN: host and port of your ZITADEL, e.g. ZITADEL_DOMAIN=http://localhost:8080",),
    )


_RULES: tuple[Callable[[Response, Evidence], Finding | None], ...] = (
    wrong_host,
    _database_away,
    network_login,
    own_proxy,
    rate_limited,
    redirects,
    expects_tls,
    lost_on_the_way,
    gateway,
    _fails,
    _other_server,
)
