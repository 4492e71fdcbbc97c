"""Why the API answered as it did: its answer compared with what ZITADEL says about the same token.

The two may disagree, because the API may use another ZITADEL or another application than the command line.
"""

from dataclasses import dataclass, replace

from zdemo.client import Call, OtherRoute
from zdemo.config.environment import Environment
from zdemo.config.names import rename_steps
from zdemo.config.settings import Settings
from zdemo.diagnosis.ask.facts import Facts, PatIds
from zdemo.diagnosis.ask.investigate import Investigation, investigate, username_in
from zdemo.diagnosis.finding import Finding
from zdemo.diagnosis.rules.api_response import (
    API_LOG,
    COMPARE,
    RESTART,
    STARTED_BEFORE,
    code_of,
    finding_before_the_api,
    finding_for_disagreement,
    finding_for_gateway,
    finding_for_no_such_route,
    finding_for_own_rules,
    finding_for_page,
    finding_for_refusal_elsewhere,
    finding_for_route,
    finding_for_zitadel,
    is_from_zdemo,
    refused_without_reason,
)
from zdemo.diagnosis.rules.rejected_client import SWAPPED_WITH_TOKEN
from zdemo.diagnosis.rules.token_form import token_form
from zdemo.response import GATEWAY_STATUSES

WHAT_ZITADEL_SAYS = "(what ZITADEL says about this token)"
ROLE_MISSING_PREFIX = "role."
DOCTOR = "zdemo doctor  (shows what prevents it)"


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """The most likely cause; ``unasked`` says why ZITADEL was not asked, or is empty.

    ``username`` is the name of the token's user, where ZITADEL gives it.
    """

    finding: Finding
    unasked: str = ""
    username: str = ""


def explain(  # noqa: PLR0913  # each given by name
    call: Call,
    token: str | None,
    settings: Settings | None,
    environment: Environment,
    *,
    unasked: str,
    again: str,
    now: float,
    ids: PatIds | None = None,
    known: Investigation | None = None,
) -> Explanation | None:
    """Explain a refusal or a failure of the API; ``None`` for an answer that needs no explanation.

    ZITADEL is asked only when a token was refused or could not be judged, and only with ``settings``; ``unasked``
    says what is missing from them. ``environment`` has the settings' sources, and what else helps. ``again`` gives
    the same token to another command: `` --pat`` when it came from that option. ``ids`` say whose PAT the token is.
    ``known`` is what ZITADEL said about the token already.
    """
    if call.accepted:
        return None
    before = finding_before_the_api(call.answer, call.setting)
    if before := before or (finding_for_zitadel(call, settings.issuer) if settings else None):
        return Explanation(finding=before)
    code = code_of(call.answer)
    is_zdemo = not isinstance(call.route, OtherRoute)  # others may leave out the code of an error
    page = call.is_page and not code and is_zdemo
    if call.answer.status == 401 and not code and not page and (is_zdemo or token is None):
        return Explanation(finding=_no_token(call, token, environment))
    judged = code in ("invalid_token", "insufficient_scope") or call.answer.status in (401, 403, *GATEWAY_STATUSES)
    if not judged or page:
        return Explanation(finding=_other(call, code))
    if settings is None or token is None:
        return Explanation(finding=_from_the_api_alone(call, token, code), unasked=unasked)
    if (investigation := known) is None:
        with Facts.of(environment, settings, token, ids) as facts:
            for_role = code == "insufficient_scope"
            investigation = investigate(facts, role=call.role, now=now, refused_for_role=for_role)
    finding = _compared(call, token, code, investigation, settings)
    next_step = DOCTOR if call.answer.status in GATEWAY_STATUSES else f"zdemo introspect{again}  {WHAT_ZITADEL_SAYS}"
    return Explanation(finding=finding.and_then(next_step), username=username_in(investigation.introspection))


def _no_token(call: Call, token: str | None, environment: Environment) -> Finding:
    if token is None:
        return Finding(
            id="call.no_token",
            cause="this route requires a token, and none was sent",
            fix=(*rename_steps(environment, "PAT"), f"{call.command} --pat  (asks for the token)"),
            otherwise=(f"or {environment.elsewhere or 'set PAT in .env'}",),
        )
    if not is_from_zdemo(call.answer) and call.answer.body.strip():
        return finding_for_refusal_elsewhere(call.answer, call.setting, public=False)
    return Finding(
        id="call.token_not_seen",
        cause="a token was sent, but the API did not receive one",
        candidates=("a proxy in between removes the Authorization header field", "the API needs another scheme"),
        fix=(f"{call.command} -v  (the whole exchange)",),
    )


def _other(call: Call, code: str) -> Finding:
    status = call.answer.status
    if code == "invalid_request":
        return Finding(
            id="call.invalid_request",
            cause="the API says that the request is malformed, so it did not ask ZITADEL",
            fix=(f"{call.command} -v  (the whole exchange)",),
        )
    if found := finding_for_route(call):
        return found
    if status == 404:
        return finding_for_no_such_route(call.answer, call.setting)
    if call.is_page:
        return finding_for_page(call.answer, call.setting)
    return Finding(
        id="call.other",
        cause=f"the status is {status}, which says nothing about the token"
        if isinstance(call.route, OtherRoute)
        else f"the status is {status}, which no route of the API answers",
        candidates=("another server or a proxy answers there", "the API has a fault: its log names it"),
        fix=(f"correct {call.setting}", "check the API's log"),
    )


def _from_the_api_alone(call: Call, token: str | None, code: str) -> Finding:
    if gateway := finding_for_gateway(call.answer, call.setting):
        return gateway
    if call.answer.status in GATEWAY_STATUSES:
        return Finding(
            id="call.cannot_judge",
            cause="the API could not have the token checked: it gets no usable answer from ZITADEL",
            fix=(DOCTOR, API_LOG),
        )
    if code == "insufficient_scope":
        return Finding(
            id="call.role_missing",
            cause=f"the token is valid, but does not have the role {call.role or 'that the API requires'}",
            fix=("zdemo introspect --pat  (shows which of the possible causes it is)",),
        )
    if call.answer.status == 403:
        return _forbidden(call)
    if not code:
        return refused_without_reason(call)
    form = token_form(token or "")
    odd = () if form.is_access_token or not token else (f"it does not look like an access token: {form.described}",)
    return Finding(
        id="call.token_refused",
        cause="the API says that the token is not active, or not meant for this API",
        candidates=(
            *odd,
            "it was deleted, has expired, or its user was deactivated or locked (even if reactivated since)",
            "it belongs to another ZITADEL, or is meant for another project",
            "the text is not the whole token",
        ),
        fix=("zdemo introspect --pat  (narrows it down)",),
    )


def _forbidden(call: Call) -> Finding:
    """Return the finding for a 403 without a challenge, which a zdemo API always sends (RFC 6750 §3)."""
    role = ("the API accepts the token only with a role, which is missing",) if call.route.role else ()
    return Finding(
        id="call.forbidden",
        cause="the request was refused (403) without a challenge that says why",
        candidates=(
            "a gateway or filter in front of the API refuses it",
            *role,
            "it is not a zdemo API, and has further requirements",
        ),
        fix=("zdemo introspect --pat  (what ZITADEL says about this token)", "check the log of the gateway"),
    )


def _compared(call: Call, token: str, code: str, investigation: Investigation, settings: Settings) -> Finding:
    """Return the finding of the investigation if it explains the API's answer; else that the two disagree."""
    finding = investigation.finding
    if call.answer.status in GATEWAY_STATUSES:
        return _not_judged(call, investigation, settings)
    if investigation.introspection is None:
        return _judged_there_alone(call, token, code, finding)
    missing_role = code == "insufficient_scope" or call.answer.status == 403
    if isinstance(call.route, OtherRoute) and code != "invalid_token":
        if finding is None:
            return finding_for_own_rules(call, settings.issuer)
        if not code:
            return finding
    if finding and finding.id.startswith(ROLE_MISSING_PREFIX) == missing_role:
        return finding
    zitadel = finding.cause if finding else "it is accepted"
    return finding_for_disagreement(call, zitadel, settings)


def _judged_there_alone(call: Call, token: str, code: str, here: Finding | None) -> Finding:
    """Return the API's word alone: it could ask ZITADEL, so what prevents that here is not why it refuses."""
    if here is None or here.id == SWAPPED_WITH_TOKEN:
        return here or _from_the_api_alone(call, token, code)
    finding = _from_the_api_alone(call, token, code)
    if not is_from_zdemo(call.answer):
        cannot = "it is not a zdemo API, and answers like this when it cannot have tokens checked"
        finding = replace(finding, candidates=(*finding.candidates, cannot))
    return replace(
        finding, seen=(*finding.seen, ("from here", f"the token cannot be checked: {here.cause}")), fix=(DOCTOR,)
    )


def _not_judged(call: Call, investigation: Investigation, settings: Settings) -> Finding:
    """Return why the API cannot ask ZITADEL: most likely what prevents it from here too."""
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
    """Return the finding when only the API cannot ask: 502 is for an unusable answer, 503 for none."""
    settings_first = call.answer.status == 502
    other = (STARTED_BEFORE, "the API uses another ZITADEL_DOMAIN, CLIENT_ID or CLIENT_SECRET than this command line")
    network = ("the API does not reach ZITADEL: network, proxy, certificates", "it was a temporary failure")
    return Finding(
        id="call.api_cannot_ask",
        cause=f"the API cannot have tokens checked, though {settings.issuer} answers from here",
        candidates=(*other, *network) if settings_first else (*network, *other),
        fix=(*((RESTART, API_LOG) if settings_first else (API_LOG, RESTART)), COMPARE),
    )
