"""Why ZITADEL refuses the assertion of an API application that uses a key: the clock, the issuer, or the key."""

from __future__ import annotations

from zdemo.diagnosis.cases import ClientCase
from zdemo.diagnosis.evidence import Evidence, Probe
from zdemo.diagnosis.finding import Finding, quoted
from zdemo.diagnosis.phrases import CLOCK_COMPARED, CLOCK_TOLERANCE_SECONDS, SYNCHRONISE, Lines, clock_words
from zdemo.diagnosis.token_form import ID_DIGITS
from zdemo.introspection.client_assertion import CLOCK_LEEWAY_SECONDS, LIFETIME_SECONDS, audience_of


def ask_administrator(evidence: Evidence) -> str:
    """Return the next step to find out which cause it is."""
    if evidence.with_administrator:
        return (
            "ZITADEL_ADMIN_PAT did not show which: its user cannot see enough, or time ran out; see admin.rights of "
            "zdemo doctor"
        )
    return "set ZITADEL_ADMIN_PAT to an administrator's PAT; then zdemo doctor shows which it is"


def assertions_are_refused(clock_ahead_seconds: float) -> bool:
    """Return whether the clocks differ so much that ZITADEL refuses every assertion that is signed here."""
    return not -LIFETIME_SECONDS < clock_ahead_seconds <= CLOCK_LEEWAY_SECONDS + 1


def clock_skewed(case: ClientCase) -> Finding | None:
    """Return the finding when an assertion that was signed just now is in the future for ZITADEL, or has expired.

    It is only likely, because a proxy may have written its own ``Date``.
    """
    ahead = case.evidence.clock_ahead_seconds
    if ahead is None or not assertions_are_refused(ahead):
        return None
    what = "in the future" if ahead > 0 else "expired already"
    return Finding(
        id="clock.skewed",
        cause=f"{clock_words(ahead)}: for ZITADEL, an assertion signed with the key of ZITADEL_KEY_FILE is {what}",
        likely=True,
        seen=(CLOCK_COMPARED,),
        fix=(SYNCHRONISE,),
    )


def issuer_differs(case: ClientCase) -> Finding | None:
    """Return the finding when assertions name another audience than ZITADEL's issuer, which it compares exactly."""
    if case.settings.key is None:
        return None
    discovery = case.evidence.answer(Probe.DISCOVERY)
    issuer = discovery.json_object().get("issuer") if discovery and discovery.status == 200 else None
    audience = audience_of(case.settings.issuer)
    if not isinstance(issuer, str) or issuer == audience:
        return None
    return Finding(
        id="client.issuer_differs",
        cause=f"ZITADEL's issuer is {quoted(issuer)}, but assertions signed with the key of ZITADEL_KEY_FILE are for "
        f"{audience} (ZITADEL_DOMAIN): ZITADEL accepts only assertions for its own issuer",
        seen=(("discovery", f"issuer {quoted(issuer)}"),),
        fix=(
            f"ZITADEL_DOMAIN={quoted(issuer)}, if that answers from here",
            "or let the proxy before ZITADEL pass Host unchanged and send X-Forwarded-Proto (ZITADEL: ExternalSecure)",
        ),
    )


def key_refused(case: ClientCase) -> Finding | None:
    """Return the open finding for a refused key; ``None`` when no key was used."""
    key, evidence = case.settings.key, case.evidence
    if key is None:
        return None
    candidates = [
        "the key was deleted in ZITADEL, or has expired",
        "the application, its project or its organization is inactive or deleted",
        "clientId or keyId in the key file was changed: they belong to other keys or applications",
    ]
    elsewhere = "the key file belongs to another ZITADEL, or this one was recreated since"
    candidates.insert(0 if evidence.token_is_dead else len(candidates), elsewhere)
    seen: Lines = ()
    ahead = evidence.clock_ahead_seconds
    if ahead is not None and abs(ahead) > CLOCK_TOLERANCE_SECONDS:
        candidates.insert(0, clock_words(ahead))
        seen = (CLOCK_COMPARED,)
    application = f"application {key.client_id}" if ID_DIGITS.fullmatch(key.client_id) else "the application"
    key_name = f"key {key.key_id}" if ID_DIGITS.fullmatch(key.key_id) else "the key"
    return Finding(
        id="client.key_refused",
        cause=f"{case.refused} (ZITADEL_KEY_FILE)",
        candidates=tuple(candidates),
        seen=seen,
        fix=(
            f"check in ZITADEL that {application} (its client ID) is active, that it lists {key_name}, and when that "
            "expires",
            "create a new key there and set ZITADEL_KEY_FILE to its file",
            ask_administrator(evidence),
        ),
    )
