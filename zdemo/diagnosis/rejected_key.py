"""Why ZITADEL refuses the assertion of an API application that uses a key: the clock, the issuer, or the key itself."""

from __future__ import annotations

from zdemo.config.key_file import ApplicationKey
from zdemo.config.settings import Settings
from zdemo.diagnosis.evidence import Evidence, Probe
from zdemo.diagnosis.finding import Certainty, Finding, quoted
from zdemo.diagnosis.phrases import described
from zdemo.diagnosis.rejected_token import CLOCK_TOLERANCE_SECONDS, clock_words
from zdemo.diagnosis.token_form import ID_DIGITS
from zdemo.http.response import Response
from zdemo.introspection.client_assertion import CLOCK_LEEWAY_SECONDS, LIFETIME_SECONDS, audience_of

SYNCHRONISE = "synchronise the time of this machine (NTP), e.g. timedatectl set-ntp true, and check ZITADEL's"
CLOCK_SEEN = ("clock", "compared with the Date of ZITADEL's answer")


def ask_administrator(evidence: Evidence) -> str:
    """The next step to know which of the causes it is: the administrator's PAT, or why that did not tell."""
    if evidence.with_administrator:
        why = "its user sees too little, or time ran out"
        return f"ZITADEL_ADMIN_PAT did not tell which it is ({why}): zdemo doctor --only admin.rights says what it is"
    return "with an administrator's PAT in ZITADEL_ADMIN_PAT, zdemo doctor tells which it is"


def _seen(answer: Response) -> tuple[str, str]:
    body = answer.json_object()
    said = " ".join(filter(None, (quoted(body.get("error")), quoted(body.get("error_description")))))
    return "answer", f"{described(answer)}: {said}"


def clock_skewed(answer: Response, evidence: Evidence) -> Finding | None:
    """The finding when what was signed just now is in the future for ZITADEL, or over.

    It is likely and no more: a proxy may have written its own ``Date``.
    """
    ahead = evidence.clock_ahead_seconds
    if ahead is None or -LIFETIME_SECONDS < ahead <= CLOCK_LEEWAY_SECONDS + 1:
        return None
    what = "lies in the future" if ahead > 0 else "has expired already"
    return Finding(
        id="clock.skewed",
        cause=f"{clock_words(ahead)}: for ZITADEL, what is signed here with the key of ZITADEL_KEY_FILE {what}",
        certainty=Certainty.LIKELY,
        seen=(_seen(answer), CLOCK_SEEN),
        fix=(SYNCHRONISE,),
    )


def issuer_differs(answer: Response, settings: Settings, evidence: Evidence) -> Finding | None:
    """The finding when any assertion is refused: it must be made out to ZITADEL's own name, character by character."""
    discovery = evidence.answer(Probe.DISCOVERY)
    issuer = discovery.json_object().get("issuer") if discovery and discovery.status == 200 else None
    audience = audience_of(settings.issuer)
    if not isinstance(issuer, str) or issuer == audience:
        return None
    return Finding(
        id="client.issuer_differs",
        cause=f"ZITADEL calls itself {quoted(issuer)}, and what is signed with the key of ZITADEL_KEY_FILE is made out "
        f"to {audience} (ZITADEL_DOMAIN): it takes only what is made out to its own name",
        seen=(_seen(answer), ("discovery", f"issuer {quoted(issuer)}")),
        fix=(
            f"ZITADEL_DOMAIN={quoted(issuer)}, if that answers from here",
            "or let the proxy before ZITADEL pass Host unchanged and send X-Forwarded-Proto (ZITADEL: ExternalSecure)",
        ),
    )


def key_refused(answer: Response, key: ApplicationKey, evidence: Evidence) -> Finding:
    """The finding when nothing decides."""
    lines = [_seen(answer)]
    elsewhere = "the key file is another ZITADEL's, or this one was recreated since"
    candidates = [
        "the key was deleted in ZITADEL, or has expired",
        "the application, its project or its organization is inactive or deleted",
        "clientId or keyId in the key file was changed: they belong to other keys or applications",
    ]
    if evidence.token_is_dead:
        lines.append(("userinfo", "what was asked about is refused as well: everything may be another ZITADEL's"))
    candidates.insert(0 if evidence.token_is_dead else len(candidates), elsewhere)
    ahead = evidence.clock_ahead_seconds
    if ahead is not None and abs(ahead) > CLOCK_TOLERANCE_SECONDS:
        candidates.insert(0, clock_words(ahead))
        lines.append(CLOCK_SEEN)
    shown = {"application": key.client_id, "key": key.key_id}
    named = {what: f"{what} {name}" if ID_DIGITS.fullmatch(name) else f"the {what}" for what, name in shown.items()}
    return Finding(
        id="client.key_refused",
        cause="ZITADEL refuses the API application's key (ZITADEL_KEY_FILE)",
        certainty=Certainty.OPEN,
        candidates=tuple(candidates),
        seen=tuple(lines),
        fix=(
            f"see in ZITADEL that {named['application']} (its client ID) is active, that it lists {named['key']}, and "
            "when that expires",
            "create a new key there and set ZITADEL_KEY_FILE to its file",
            ask_administrator(evidence),
        ),
    )
