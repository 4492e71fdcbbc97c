"""Why ZITADEL refuses what is signed here (RFC 7523): the clock, or the audience."""

from zdemo.diagnosis.evidence import Evidence, Probe
from zdemo.diagnosis.finding import Finding, quoted
from zdemo.diagnosis.wording import CLOCK_COMPARED, SYNCHRONISE, clock_words
from zdemo.errors.steps import SetVariable
from zdemo.zitadel.client_assertion import CLOCK_LEEWAY_SECONDS, LIFETIME_SECONDS, audience_of


def assertions_are_refused(clock_ahead_seconds: float) -> bool:
    """Return whether ZITADEL refuses every assertion that is signed here, because the clocks differ so much."""
    return not -LIFETIME_SECONDS < clock_ahead_seconds <= CLOCK_LEEWAY_SECONDS + 1


def finding_for_clock(evidence: Evidence, signer: str) -> Finding | None:
    """Find assertions in the future or expired for ZITADEL; only likely: a proxy may have written the ``Date``."""
    ahead = evidence.clock_ahead_seconds
    if ahead is None or not assertions_are_refused(ahead):
        return None
    what = "in the future" if ahead > 0 else "expired already"
    return Finding(
        id="clock.skewed",
        cause=f"{clock_words(ahead)}: for ZITADEL, an assertion signed with {signer} is {what}",
        likely=True,
        seen=(CLOCK_COMPARED,),
        fix=(SYNCHRONISE,),
    )


def finding_for_audience(evidence: Evidence, zitadel_domain: str, signer: str, *, kind: str) -> Finding | None:
    """Find assertions that name another audience than ZITADEL's issuer, which it compares exactly."""
    issuer, audience = evidence.body(Probe.DISCOVERY).get("issuer"), audience_of(zitadel_domain)
    if evidence.status(Probe.DISCOVERY) != 200 or not isinstance(issuer, str) or issuer == audience:
        return None
    return Finding(
        id=f"{kind}.issuer_differs",
        cause=f"ZITADEL's issuer is {quoted(issuer)}, but assertions signed with {signer} are for {audience} "
        "(ZITADEL_DOMAIN): ZITADEL accepts only assertions for its own issuer",
        seen=(("discovery", f"issuer {quoted(issuer)}"),),
        fix=(SetVariable("ZITADEL_DOMAIN", quoted(issuer), does="if that answers from here"),),
        otherwise=(
            "let the proxy in front of ZITADEL pass Host unchanged, and send X-Forwarded-Proto (see ExternalSecure)",
        ),
    )
