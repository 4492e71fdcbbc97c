"""Why a call to the API came back as it did: what the API said, held against what ZITADEL says of the same token.

Above ``investigation``, which asks ZITADEL; here is only the comparison, since an API may be asking another ZITADEL,
or as another application, than the command line does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from zdemo.client import Call
from zdemo.config.settings import Settings
from zdemo.diagnosis import (
    SWAPPED_WITH_TOKEN,
    Certainty,
    Finding,
    TokenKind,
    finding_before_the_api,
    finding_for_gateway,
    speaks_as_zdemo,
    token_form,
)
from zdemo.investigation.investigate import Investigation, investigate

WHAT_ZITADEL_SAYS = "(what ZITADEL says of this token)"
AIRPLAY = "AirTunes"  # how AirPlay of macOS names its server
ROLE_MISSING_PREFIX = "role."
NOT_JUDGED = (502, 503, 504)
STARTED_BEFORE = "the API was started before its settings were changed, and still uses those of then"
RESTART = "restart zdemo serve, if its settings were changed since it was started"


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """``finding`` is the most likely cause. ``unasked`` says why ZITADEL was not asked, if it was not."""

    finding: Finding
    unasked: str = ""


def explain(
    call: Call, token: str | None, settings: Settings | None, *, unasked: str, again: str, now: float
) -> Explanation | None:
    """Explain a refusal or a failure of the API; ``None`` for an answer that needs no explanation.

    ZITADEL is asked only when a token was refused, or could not be judged, and ``settings`` are there; else
    ``unasked`` says what they lack. ``again`` is what a further command needs to have the same token: `` --pat`` when
    it was given that way.
    """
    if call.accepted:
        return None
    if before := _airplay(call) or finding_before_the_api(call.answer, call.setting):
        return Explanation(finding=before)
    code = call.challenge.error if call.challenge else ""
    if call.answer.status == 401 and not code and not call.is_page:
        return Explanation(finding=_no_token(call, token))
    judged = code in ("invalid_token", "insufficient_scope") or call.answer.status in (403, *NOT_JUDGED)
    judged = judged and not call.is_page
    if not judged:
        return Explanation(finding=_other(call, code))
    if settings is None or token is None:
        return Explanation(finding=_from_the_api_alone(call, token, code), unasked=unasked)
    investigation = investigate(settings, token, role=call.route.role, now=now)
    finding = _compared(call, token, code, investigation, settings)
    next_step = f"zdemo introspect{again}          {WHAT_ZITADEL_SAYS}"
    return Explanation(finding=replace(finding, fix=(*finding.fix, next_step)))


def _airplay(call: Call) -> Finding | None:
    if AIRPLAY not in call.answer.headers.get("server", ""):
        return None
    return Finding(
        id="call.airplay",
        cause=f"what answers there is AirPlay of macOS ({call.answer.status}), which takes port 5000, and not the API",
        fix=("zdemo serve --port 5001", "ZDEMO_API_URL=http://127.0.0.1:5001"),
    )


def _no_token(call: Call, token: str | None) -> Finding:
    if token is None:
        return Finding(
            id="call.no_token",
            cause="no token was sent, and this route asks for one",
            fix=(f"zdemo call {call.route} --pat          (asks for the token)", "or set PAT in .env"),
        )
    return Finding(
        id="call.token_not_seen",
        cause="a token was sent, but the API saw none",
        certainty=Certainty.OPEN,
        candidates=("a proxy in between takes the Authorization header field away", "that API wants another scheme"),
        fix=(f"zdemo call {call.route} -v          (the whole exchange)",),
    )


def _other(call: Call, code: str) -> Finding:
    status = call.answer.status
    if code == "invalid_request":
        return Finding(
            id="call.invalid_request",
            cause="the API says that the request is malformed, so ZITADEL was not asked",
            fix=(f"zdemo call {call.route} -v          (the whole exchange)",),
        )
    if call.is_page:
        return Finding(
            id="call.page",
            cause=f"a web page came ({status}, text/html), which is no answer of the API",
            certainty=Certainty.OPEN,
            candidates=("another web server answers there", "a proxy before the API answers in its place"),
            fix=("correct ZDEMO_API_URL or --url", "look at the log of the proxy, if there is one"),
        )
    if status == 404:
        return Finding(
            id="call.no_such_route",
            cause="there is no such route: what answers there is no zdemo API",
            fix=("correct ZDEMO_API_URL or --url", "zdemo serve          (runs the API)"),
        )
    return Finding(
        id="call.other",
        cause=f"the API answered {status}, which none of its routes does on its own",
        certainty=Certainty.OPEN,
        candidates=("another server or a proxy answers there", "the API has a fault: its log says which"),
        fix=("correct ZDEMO_API_URL or --url", "look at the API's log"),
    )


def _from_the_api_alone(call: Call, token: str | None, code: str) -> Finding:
    if gateway := finding_for_gateway(call.answer, call.setting):
        return gateway
    if call.answer.status in NOT_JUDGED:
        return Finding(
            id="call.cannot_judge",
            cause="the API could not have the token checked: ZITADEL does not answer it, or not usefully",
            fix=("look at the API's log: it names the cause",),
        )
    if code == "insufficient_scope":
        return Finding(
            id="call.role_missing",
            cause="the token is valid; the API finds no role read:messages in what ZITADEL says of it",
            fix=("zdemo introspect --pat          (tells which of the possible reasons it is)",),
        )
    if call.answer.status == 403:
        return _forbidden(call)
    form = token_form(token) if token else None
    odd = form and form.kind not in (TokenKind.PAT, TokenKind.OPAQUE, TokenKind.JWT)
    return Finding(
        id="call.token_refused",
        cause="the API says that the token is not active, or not meant for it",
        certainty=Certainty.OPEN,
        candidates=(
            *((f"it is no token for an API: {form.described}",) if form and odd else ()),
            "it was deleted, has expired, or its user is deactivated or locked (also if active again)",
            "it is of another ZITADEL, or meant for another project",
            "the text is not the whole token",
        ),
        fix=("zdemo introspect --pat          (narrows it down)",),
    )


def _forbidden(call: Call) -> Finding:
    """403 without a challenge: a zdemo API gives one (RFC 6750 §3)."""
    role = ("the API lets the token pass only with a role, which is missing",) if call.route.role else ()
    return Finding(
        id="call.forbidden",
        cause="the request is refused (403), without a challenge that would say why",
        certainty=Certainty.OPEN,
        candidates=(
            "a gateway or filter before the API refuses it",
            *role,
            "an API of another make wants more of the token",
        ),
        fix=("zdemo introspect --pat          (what ZITADEL says of this token)", "look at the log of the gateway"),
    )


def _compared(call: Call, token: str, code: str, investigation: Investigation, settings: Settings) -> Finding:
    """The finding of the investigation, if it explains what the API said; else that the two disagree."""
    finding = investigation.finding
    if call.answer.status in NOT_JUDGED:
        return _not_judged(call, investigation, settings)
    if investigation.introspection is None:
        return _judged_there_alone(call, token, code, finding)
    missing_role = code == "insufficient_scope" or call.answer.status == 403
    if finding and finding.id.startswith(ROLE_MISSING_PREFIX) == missing_role:
        return finding
    return _disagree(call, finding, settings)


def _judged_there_alone(call: Call, token: str, code: str, here: Finding | None) -> Finding:
    """The API has had the token judged, and from here it cannot be: what is in our way is not why the API refuses."""
    if here is None or here.id == SWAPPED_WITH_TOKEN:
        return here or _from_the_api_alone(call, token, code)
    said = _from_the_api_alone(call, token, code)
    cannot = "the API cannot have tokens checked, and says it so, which an API of another make may do"
    return replace(
        said,
        certainty=said.certainty if speaks_as_zdemo(call.answer) else Certainty.OPEN,
        candidates=said.candidates if speaks_as_zdemo(call.answer) else (*said.candidates, cannot),
        seen=(*said.seen, ("from here", f"the token cannot be checked: {here.cause}")),
        fix=("zdemo doctor          (names what stands in the way from here)",),
    )


def _not_judged(call: Call, investigation: Investigation, settings: Settings) -> Finding:
    """What stands in the way of the API, if it speaks for itself: what stands in our own way is most likely that."""
    finding = investigation.finding
    if gateway := finding_for_gateway(call.answer, call.setting):
        here = (
            finding.cause
            if finding and investigation.introspection is None
            else "ZITADEL answers, and tokens can be checked"
        )
        return replace(gateway, seen=(("from here", here),))
    return finding if finding and investigation.introspection is None else _api_cannot(call, settings)


def _api_cannot(call: Call, settings: Settings) -> Finding:
    """502 is for an answer that the API cannot use, as one to other credentials; 503 for one that does not come."""
    settings_first = call.answer.status == 502
    other = (
        STARTED_BEFORE,
        "the API uses another ZITADEL_DOMAIN, CLIENT_ID or CLIENT_SECRET than this command line",
    )
    way = ("the way from the API to ZITADEL is broken: network, proxy, certificates", "it was a passing failure")
    log = "look at the API's log: it names the cause"
    return Finding(
        id="call.api_cannot_ask",
        cause=f"the API cannot have tokens checked, though {settings.issuer} answers from here",
        certainty=Certainty.OPEN,
        candidates=(*other, *way) if settings_first else (*way, *other),
        fix=(
            *((RESTART, log) if settings_first else (log, RESTART)),
            "compare the settings of the API with those here",
        ),
    )


def _disagree(call: Call, finding: Finding | None, settings: Settings) -> Finding:
    said = f"{finding.cause}" if finding else "it may pass"
    forbidden = call.answer.status == 403 and call.challenge is None
    before = ("a gateway or filter before the API refuses the request",) if forbidden else ()
    return Finding(
        id="call.disagrees",
        cause=f"the API and {settings.issuer} do not say the same of this token",
        certainty=Certainty.OPEN,
        candidates=(
            *before,
            "the API asks another ZITADEL, or as another application, than this command line",
            "the API has another ZITADEL_PROJECT_ID than is set here",
            STARTED_BEFORE,
            "something changed a moment ago, and the API reuses an answer for a few seconds",
        ),
        seen=(("API", f"{call.answer.status}"), ("ZITADEL", said)),
        fix=(
            f"zdemo call {call.route}          (again, in some seconds)",
            RESTART,
            "compare ZITADEL_DOMAIN, CLIENT_ID and ZITADEL_PROJECT_ID of the API with those here",
        ),
    )
