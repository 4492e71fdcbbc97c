"""Groups of checks: their checks, the words for a group's line, and which warning may explain which failure.

An ID without its own row belongs where the part before its dot does.
"""

from collections.abc import Sequence

from zdemo.doctor.check import CheckReport, Outcome

GROUPS = {
    "settings": "settings",
    "net": "network",
    "zitadel": "ZITADEL",
    "clock": "ZITADEL",
    "client": "credentials",
    "token": "token",
    "role": "role",
    "admin": "administrator",
    "cache": "cache",
    "api": "API",
    "api.no_token": "refusals",
    "api.other_scheme": "refusals",
    "api.malformed": "refusals",
    "api.too_long": "refusals",
    "api.garbage": "refusals",
    "api.scheme_case": "refusals",
    "api.query": "query",
    "api.both_ways": "query",
    "api.caching": "caching",
    "api.accepts": "acceptance",
}
VERDICTS = {  # of a check that failed or warned, where its result has no words of its own
    "settings.readable": ".env is not read, or only in part",
    "settings.complete": "not complete",
    "settings.shadowed": "one value hides another",
    "settings.wellformed": "a value looks wrong",
    "net.resolve": "the host name does not resolve",
    "net.connect": "no connection",
    "net.proxy": "the proxy lets nothing through",
    "net.tls": "no TLS connection",
    "zitadel.identity": "no answer from a ZITADEL",
    "zitadel.ready": "not ready",
    "zitadel.host": "no instance for this host",
    "zitadel.issuer": "has another address",
    "clock.skew": "clocks differ",
    "client.accepted": "not accepted",
    "client.kind": "another kind of client",
    "token.form": "does not look like a whole token",
    "token.active": "not active",
    "token.audience": "not for this API",
    "role.granted": "read:messages is missing",
    "admin.valid": "not valid",
    "admin.rights": "not enough permissions",
    "cache.reachable": "the store cannot be used",
    "cache.writable": "the store takes no answers",
    "api.reachable": "does not answer",
    "api.identity": "does not answer as zdemo serve does",
    "api.agrees": "disagrees with ZITADEL",
    "api.no_token": "no token",
    "api.other_scheme": "another scheme",
    "api.malformed": "a malformed header",
    "api.too_long": "a long token",
    "api.garbage": "a made-up token",
    "api.scheme_case": "bearer in small letters",
    "api.query": "a token in the query is read",
    "api.both_ways": "two tokens are not refused",
    "api.caching": "refusals may be cached",
    "api.accepts": "PAT is not accepted",
}
EXPLAINS = {  # warning: what it may be the cause of, as IDs or what stands before their dot
    "settings.readable": ("settings.complete", "client", "token"),
    "settings.shadowed": ("settings", "net", "zitadel", "client", "token", "role", "admin", "cache", "api"),
    "settings.wellformed": ("net", "zitadel", "client", "token", "role", "admin", "api.identity", "api.reachable"),
    "clock.skew": ("net.tls", "client", "token"),
    "client.kind": ("client.accepted",),
    "token.form": ("token.active",),
    "zitadel.host": ("zitadel.issuer", "client"),
}


def group_of(check_id: str) -> str:
    """Return the group that a check belongs to."""
    return GROUPS.get(check_id) or GROUPS[check_id.partition(".")[0]]


def explains(warning: CheckReport, failure: CheckReport) -> bool:
    """Return whether a warning may be the cause of a failure."""
    may = EXPLAINS.get(warning.id, ())
    return warning.result.outcome is Outcome.WARN and (failure.id in may or failure.id.partition(".")[0] in may)


def outcome_of(reports: Sequence[CheckReport]) -> Outcome:
    """Return the outcome of a group: the worst of its checks; one that could not run is worse than one that passed."""
    outcomes = {report.result.outcome for report in reports}
    for outcome in (Outcome.FAIL, Outcome.WARN):
        if outcome in outcomes:
            return outcome
    if any(not report.result.satisfied for report in reports):
        return Outcome.SKIP
    return Outcome.PASS if Outcome.PASS in outcomes else Outcome.SKIP


def line_of(reports: Sequence[CheckReport]) -> str:
    """Return what the line of a group says of its checks."""
    outcome = outcome_of(reports)
    with_it = [report for report in reports if report.result.outcome is outcome]
    if outcome in (Outcome.FAIL, Outcome.WARN):
        return ", ".join(report.result.brief or VERDICTS[report.id] for report in with_it)
    if outcome is Outcome.SKIP:
        with_it.sort(key=lambda report: report.result.satisfied)
        if with_it[0].blockers:
            return f"needs {' and '.join(dict.fromkeys(map(group_of, with_it[0].blockers)))}"
    briefs = [report.result.brief for report in with_it if report.result.brief]
    return ", ".join(briefs) if briefs and outcome is Outcome.PASS else (*briefs, with_it[0].result.text)[0]
