"""Why an API refused a token, or could not judge it: by what it says, and compared with what ZITADEL says here."""

from dataclasses import replace

from zdemo.diagnosis.finding import Finding, quoted
from zdemo.diagnosis.rules.api_response import (
    CHANGED,
    GET_JWT,
    NGINX,
    VERIFIES_JWTS,
    ApiCase,
    code_of,
    gateway,
    is_from_zdemo,
)
from zdemo.diagnosis.rules.missing_role import user_of
from zdemo.diagnosis.rules.rule import diagnose, rule, table
from zdemo.diagnosis.wording import Lines
from zdemo.errors.steps import Command
from zdemo.http.api_call import Call, OtherRoute

STARTED_BEFORE = "the API was started before its settings were changed"
RESTART = "restart zdemo serve, if its settings were changed since then"
COMPARE = "compare the API's ZITADEL_DOMAIN, ZITADEL_INTERNAL_URL, CLIENT_ID and ZITADEL_PROJECT_ID with those here"
API_LOG = "check the API's log: it names the cause"
DOCTOR = Command("doctor", does="shows what prevents it")
A_GATEWAY = "a gateway or filter in front of the API refuses the request"


def _introspect(does: str) -> Command:
    return Command("introspect", option="--pat", does=does)


def _by_its_code(case: ApiCase) -> Finding:
    if case.failed:
        cause = "the API could not have the token checked: it gets no usable answer from ZITADEL"
        return Finding(id="call.cannot_judge", cause=cause, fix=(DOCTOR, API_LOG))
    if case.code == "insufficient_scope":
        cause = f"the token is valid, but does not have the role {case.call.role or 'that the API requires'}"
        fix = _introspect("shows which of the possible causes it is")
        return Finding(id="call.role_missing", cause=cause, fix=(fix,))
    if case.status == 403 or not case.code:  # a zdemo API always sends a challenge (RFC 6750 §3)
        role = "the API requires a role, which is missing, or has further requirements"
        dead, other = "the token is not active, or not meant for this API", "the API takes other credentials"
        return Finding(
            id="call.forbidden" if case.status == 403 else "call.refused",
            cause=f"the API refused the request ({case.status}) without a challenge that says why",
            candidates=(A_GATEWAY, role) if case.status == 403 else (dead, other),
            fix=(_introspect("what ZITADEL says about this token"), API_LOG),
        )
    has_form = case.form.is_access_token or not case.token
    return Finding(
        id="call.token_refused",
        cause="the API says that the token is not active, or not meant for this API",
        candidates=(
            *(() if has_form else (f"it does not look like an access token: {case.form.described}",)),
            "it was deleted, has expired, or its user was deactivated or locked (even if reactivated since)",
            "it belongs to another ZITADEL, or is meant for another project",
            "the text is not the whole token",
        ),
        fix=(_introspect("narrows it down"),),
    )


BY_API_ALONE = table(gateway, _by_its_code)


# --- the API's answer, compared with the investigation's finding


def _is_own_refusal(case: ApiCase) -> bool:  # of another API, which does not say that the token is invalid
    return case.is_other and case.code != "invalid_token"


@rule(when=lambda case: case.failed)
def _api_cannot_ask(case: ApiCase) -> Finding:
    if case.here and not case.introspection:  # most likely, the API cannot ask ZITADEL for the same reason
        return case.here
    return Finding(
        id="call.api_cannot_ask",
        cause=f"the API cannot have tokens checked, though {case.issuer} answers from here",
        candidates=(
            "the API does not reach ZITADEL: network, proxy, certificates",
            "it was a temporary failure",
            STARTED_BEFORE,
            "the API uses another ZITADEL_DOMAIN, CLIENT_ID or CLIENT_SECRET than this command line",
        ),
        fix=(API_LOG, RESTART, COMPARE),
    )


@rule(when=lambda case: not case.introspection)
def _by_the_api_alone(case: ApiCase) -> Finding:
    finding, here = diagnose(BY_API_ALONE, case), case.here
    if not here or here.id == "client.swapped_with_token":
        return here or finding  # the API could ask ZITADEL, so another obstacle here is not why it refuses
    if not case.from_zdemo:
        cannot = "it is not a zdemo API, and answers like this when it cannot have tokens checked"
        finding = replace(finding, candidates=(*finding.candidates, cannot))
    return replace(finding.and_seen([("from here", f"the token cannot be checked: {here.cause}")]), fix=(DOCTOR,))


def _own_rules(case: ApiCase) -> Finding | None:
    """ZITADEL has nothing against the token."""
    if not case.introspection or case.here or not _is_own_refusal(case):
        return None
    scope = case.call.challenge.scope if case.call.challenge else ""
    roles = ", ".join(quoted(role, 60) for role in case.introspection.roles())
    required = (("required", scope),) if scope else ()
    if case.code == "insufficient_scope" and not roles:
        role = scope if scope and " " not in scope else "ROLE"
        return Finding(
            id="call.no_role",
            cause="the API requires more than a valid token, and ZITADEL shows no role for this one",
            seen=required,
            fix=(Command("role grant", (user_of(case.introspection), quoted(role, 60))),),
            otherwise=("or, if the API requires a scope and not a role: request the token with that scope",),
        )
    filtered = (A_GATEWAY,) if case.status == 401 or case.answer.media_type == "text/html" else ()
    return Finding(
        id="call.own_rules",
        cause=f"{case.issuer} says that the token is active: the API refuses it for a reason of its own",
        candidates=(
            *((VERIFIES_JWTS,) if case.status == 401 and case.form.is_opaque else ()),
            *filtered,
            "the user lacks a role or a right that the API requires",
            "the API uses another application or project than this command line",
            *(() if filtered else (A_GATEWAY,)),
            CHANGED,
        ),
        seen=(*required, ("roles", roles or "none")),
        fix=(API_LOG,),
    )


def _compared(case: ApiCase) -> Finding:
    """Return the investigation's finding, where it explains the API's answer; else they disagree."""
    if case.here:
        role_is_missing = case.code == "insufficient_scope" or case.status == 403
        agrees = case.here.id.startswith("role.") == role_is_missing
        if agrees or (_is_own_refusal(case) and not case.code):
            return case.here
    finding = finding_for_disagreement(case.call, case.here.cause if case.here else "it is accepted", case.issuer)
    if case.here or case.from_zdemo:
        return finding
    if case.form.is_opaque:
        return replace(finding, candidates=(VERIFIES_JWTS, *finding.candidates), fix=(GET_JWT, *finding.fix))
    verifies = "the API verifies JWTs itself, for another issuer or audience"
    return replace(finding, candidates=(verifies, *finding.candidates))


def other_api(difference: str, setting: str) -> Finding:
    """Return that the API said in which way it is not the one of these settings."""
    return Finding(
        id="call.disagrees",
        cause=f"the API {difference}",
        fix=(RESTART,),
        otherwise=(f"or, if another API is meant: correct {setting}",),
    )


def finding_for_disagreement(call: Call, zitadel: str, issuer: str) -> Finding:
    """Return why the API and ZITADEL may disagree about a token; ``zitadel`` is what ZITADEL says of it."""
    is_other, code = isinstance(call.route, OtherRoute), code_of(call.answer)
    is_foreign = not call.accepted and not is_from_zdemo(call.answer)
    can_be_reused = call.accepted or is_foreign or code == "insufficient_scope"  # of active tokens alone
    return Finding(
        id="call.disagrees",
        cause=f"the API and {issuer} disagree about this token",
        candidates=(
            *((A_GATEWAY,) if is_foreign and not code else ()),
            STARTED_BEFORE,
            "it asks another ZITADEL, or has another CLIENT_ID or ZITADEL_PROJECT_ID",
            *(("it reuses an earlier answer of ZITADEL, for its ZDEMO_CACHE_TTL: try again",) if can_be_reused else ()),
            "something in between caches answers, or changes the Authorization header",
        ),
        seen=(("API", f"{call.answer.status}"), ("ZITADEL", zitadel)),
        fix=(COMPARE,) if is_other else (RESTART,),
        otherwise=(
            *(() if is_other else (COMPARE,)),
            *((f"or, behind a proxy, in {NGINX}",) if code == "invalid_token" else ()),
        ),
    )


def _from_here(case: ApiCase) -> Lines:
    obstacle = None if case.introspection else case.here
    return (("from here", obstacle.cause if obstacle else "ZITADEL answers, and tokens can be checked"),)


COMPARED = (
    *table(gateway, seen=_from_here),
    *table(_api_cannot_ask, _by_the_api_alone, _own_rules, _compared),
)
