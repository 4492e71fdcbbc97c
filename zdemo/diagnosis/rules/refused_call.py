"""Why an API refused a token, or could not judge it: by what it says, and compared with what ZITADEL says here."""

import re
from dataclasses import replace

from zdemo.config.names import near_role
from zdemo.diagnosis.evidence import NO_SETTINGS, NOT_ASKED, Probe, active_token
from zdemo.diagnosis.finding import Finding, quoted
from zdemo.diagnosis.rules.api_response import CHANGED, CODES, GET_JWT, TAKE_FROM_HEADER, VERIFIES_JWTS, ApiCase
from zdemo.diagnosis.rules.missing_role import pat_at_resource, with_other_token
from zdemo.diagnosis.rules.rule import rule, table
from zdemo.diagnosis.wording import shown_list, span
from zdemo.errors import ROLE_SCOPE
from zdemo.errors.steps import Command, Step
from zdemo.text.masking import masked
from zdemo.zitadel.introspection_answer import INTROSPECTION_PATH, KEYS_PATH, ROLES_CLAIM
from zdemo.zitadel.records import NEVER

REUSES = "it reuses an earlier answer of ZITADEL, for its ZDEMO_CACHE_TTL"
OTHER_ZITADEL = "the API asks another ZITADEL, or none"
OTHER_SETTINGS = (
    "the API was started before its settings were changed, asks another ZITADEL, or has another CLIENT_ID or "
    "ZITADEL_PROJECT_ID"
)
UNREACHED = "the API does not reach ZITADEL: network, proxy, certificates"
CLIENT_REFUSED = "ZITADEL refuses the API's CLIENT_ID or CLIENT_SECRET: wrong, or regenerated since"
RESTART = "restart zdemo serve, if its settings were changed since then"
COMPARE = (
    "compare the API's CLIENT_ID, CLIENT_SECRET, ZITADEL_PROJECT_ID, ZITADEL_DOMAIN and ZITADEL_INTERNAL_URL with "
    "those here"
)
SEND_FORM = "in the API, send a form with the token to {}, with CLIENT_ID and CLIENT_SECRET as Basic credentials"
LOG_IN_AGAIN = "use a token of a new login with the acr_values or max_age that the challenge names (-v shows it)"
NOT_TOLD = "which does not say whether a token is for this API: it is not the introspection"
ASK = "in the API, ask {} (ZITADEL_DOMAIN)"
NO_INSTANCE = "no instance for host"  # how the emulator's reason begins where a request names another host
ELSEWHERE = "the API verifies JWTs itself, for another issuer or audience"
WAIT = "try again when that time is over"
LOOKS_ELSEWHERE = "the API looks for the role elsewhere, such as in scope"
LOOK_THERE = f"in the API, look for the role among the keys of the claim {ROLES_CLAIM}"
READ_RIGHTLY = (
    "correct how the API reads that answer (see its log): active is true, aud a list, iss ZITADEL_DOMAIN, exp in "
    f"seconds, a PAT has no client_id, and the roles are the keys of {ROLES_CLAIM}"
)
NOTHING_SEEN = (  # in the words of Django REST framework, FastAPI and others
    r"(?i)not authenticated|not provided|\b(missing|no) \w* ?(token|header|credentials)"
    r"|(token|header|credentials)\W+(is |are )?(missing|required)"
)
OPENID_SCOPES = "openid", "profile", "email", "phone", "address", "offline_access"  # of OpenID Connect: no roles
ABOUT_ROLES = r"(?i)\brole|scope|permission|forbidden|denied|allowed|authori[sz]|^\s*$"  # of an API's own words
LET_THROUGH = "let what is between here and the API pass requests and their Authorization field, and keep no answers"
API_LOG = "check the API's log"
INTROSPECT = Command("introspect", option="--pat", does="what ZITADEL says about this token")
DOCTOR = Command("doctor", does="shows what prevents it")
NOT_FOR_THIS_API = "the token is not active, or not meant for this API"
LACKS_ROLE = "the user lacks a role or a permission that the API requires"
NO_ANSWER = "a proxy or gateway in front of the API gets no answer from it"
A_GATEWAY = "a gateway or filter in front of the API refuses the request"


def by_its_code(case: ApiCase) -> Finding:
    """Judge by the API's answer alone."""
    if case.failed:
        cause = "the API could not have the token checked: it gets no usable answer from ZITADEL"
        return Finding(id="call.cannot_judge", cause=cause, fix=(DOCTOR, API_LOG))
    if case.code == "insufficient_scope":
        cause = f"the API says that the token does not have the role {case.call.role or 'that it requires'}"
        return Finding(id="call.role_missing", cause=cause, fix=(INTROSPECT,))
    if case.status == 403 or not case.code:  # a zdemo API always sends a challenge (RFC 6750 §3)
        name, candidates = "call.refused", (NOT_FOR_THIS_API, "the API takes other credentials")
        if case.status == 403:
            name, candidates = "call.forbidden", (A_GATEWAY, LACKS_ROLE)
        cause = f"the API refused the request ({case.status}) without a challenge that says why"
        return Finding(id=name, cause=cause, candidates=candidates, fix=(INTROSPECT, API_LOG))
    has_form = case.form.is_access_token or not case.token
    return Finding(
        id="call.token_refused",
        cause=f"the API says: {NOT_FOR_THIS_API}",
        candidates=(
            *(() if has_form else (f"it does not look like an access token: {case.form.described}",)),
            "it was deleted, has expired, or its user was deactivated or locked (even if reactivated since)",
            "it belongs to another ZITADEL, or is meant for another project",
            "the text is not the whole token",
        ),
        fix=(INTROSPECT,),
    )


# --- the API's answer, compared with the investigation's finding


def _roles(case: ApiCase) -> str:
    return ", ".join(quoted(role, 60) for role in case.introspection.roles())


@rule(when=lambda case: case.failed)
def _api_cannot_ask(case: ApiCase) -> Finding:
    if case.here and case.introspection is NOT_ASKED:  # most likely, the API cannot ask ZITADEL for the same reason
        return case.here
    first = ("it was a temporary failure", UNREACHED)
    if case.status == 502:  # an answer came (the tree in zdemo/errors)
        first = (CLIENT_REFUSED, "a server other than ZITADEL answers it")
    cause = f"the API cannot have tokens checked, though {case.issuer} answers from here"
    fix = ("try again: ZITADEL works from here", API_LOG, RESTART, COMPARE)
    others = (*first, OTHER_SETTINGS, *(() if case.from_zdemo else [NO_ANSWER]))
    return Finding(id="call.api_cannot_ask", cause=cause, candidates=others, fix=fix)


@rule(when=lambda case: case.introspection is NOT_ASKED)
def _by_the_api_alone(case: ApiCase) -> Finding:
    finding, here = by_its_code(case), case.here
    if not here or here.id == "client.swapped_with_token":
        return here or finding  # the API could ask ZITADEL, so another obstacle here is not why it refuses
    fix = (DOCTOR,) if here.candidates else here.fix
    return replace(finding.and_seen([("from here", f"the token cannot be checked: {here.cause}")]), fix=fix)


def _missing(case: ApiCase) -> list[str]:
    """Return the roles that the API requires, and the token does not have; one can be enough. ROLE is unknown."""
    required = case.call.role or (case.call.challenge.scope if case.call.challenge else "")
    keys = [key.removeprefix(ROLE_SCOPE) for key in required.split() if key not in OPENID_SCOPES] or ["ROLE"]
    return [quoted(key, 60) for key in keys if key not in case.introspection.roles()]


def _tells(case: ApiCase) -> bool:
    """Return whether the API fails, or names a cause that is neither the token nor a role: a code of its own."""
    return case.status == 500 or not re.search(rf"{ABOUT_ROLES}|token|invalid|expired|active", case.code)


def _lacks_a_role(case: ApiCase) -> bool:
    return case.is_other and case.code == "insufficient_scope" and case.introspection.active and bool(_missing(case))


@rule(Probe.OWN_RIGHTS, when=_lacks_a_role)
def _lacks_role(case: ApiCase) -> Finding:
    scope = case.call.challenge.scope if case.call.challenge else ""
    token, roles = active_token(case.introspection, NO_SETTINGS), _roles(case)
    required = next(iter(_missing(case)), "ROLE")
    fix: Step = Command("role grant", (token.user, required))
    rights, is_admin_pat = case.evidence.own_rights, case.token == case.environment.get("ZITADEL_ADMIN_PAT")
    has = f"only {roles}" if roles else "no role"
    cause = f"the API requires more than a valid token, and ZITADEL shows {has} for this one"
    seen = (("required", scope),) if scope else ()
    if rights or (rights is None and is_admin_pat):
        fix = with_other_token(case.evidence)
    elif scope and token.is_pat and token.requested and required not in token.requested:
        cause += f"; the project of CLIENT_ID does not define {required}"
        define = Command("role grant --create-role", (token.user, required), does="defines the role first")
        fix = f"in the API, require {near}" if (near := near_role(required, token.requested)) else define
    otherwise = ("or, if the API requires a scope and not a role: request the token with that scope",)
    return Finding(id="call.no_role", cause=cause, seen=seen, fix=(fix,), otherwise=otherwise)


@rule(when=lambda case: not case.here and case.is_other and case.code not in ("invalid_token", "insufficient_scope"))
def _own_rules(case: ApiCase) -> Finding:
    roles = _roles(case)
    first = [VERIFIES_JWTS] if case.status == 401 and case.form.is_opaque else []
    if not roles or (case.status != 401 and case.answer.media_type != "text/html"):
        first = [LACKS_ROLE, *first]
    candidates = dict.fromkeys((*first, A_GATEWAY, LACKS_ROLE, OTHER_SETTINGS, CHANGED))
    cause = f"{case.issuer} says that the token is active: the API refuses it for a reason of its own"
    if _tells(case):
        fix = LOG_IN_AGAIN if case.code == "insufficient_user_authentication" else API_LOG  # RFC 9470 §3
        return Finding(id="call.own_rules", cause=f"{cause}, which its challenge names", fix=(fix,))
    seen = (("roles", roles or "none"),)
    return Finding(id="call.own_rules", cause=cause, candidates=tuple(candidates), seen=seen, fix=(API_LOG,))


def _is_pat(case: ApiCase) -> Finding | None:
    is_resource = "resource_metadata=" in (case.call.challenge.text if case.call.challenge else "")
    is_pat = "client_id" not in case.introspection.claims
    return pat_at_resource(likely=True) if is_resource and is_pat and case.code == "invalid_token" else None


@rule(when=lambda case: case.code == "invalid_token" and case.introspection.actor)
def _actor(case: ApiCase) -> Finding:
    cause = f"the API does not allow user {quoted(case.introspection.actor, 60)} to impersonate the token's user"
    return Finding(id="call.own_rules", cause=cause, likely=True, fix=("use a token of the user's own login", API_LOG))


@rule(when=lambda case: not case.from_zdemo and re.search(r"(?i)audience|\baud\b", case.words))
def _audience(case: ApiCase) -> Finding:
    cause = f"the API refuses the token's audience, which is a list: {shown_list([*case.introspection.audience])}"
    fix = "in the API, require that the list contains CLIENT_ID or ZITADEL_PROJECT_ID"
    return Finding(id="call.own_rules", cause=cause, fix=(fix,))


@rule(Probe.APIS_QUESTION, when=lambda case: case.is_other)
def _by_the_emulators_record(case: ApiCase) -> Finding | None:
    """Judge by what the API asked zdemo's emulator: its question is wrong, or what it does with the answer."""
    questions, emulator, sent = case.evidence.apis_questions, f"the emulator at {case.issuer}", masked(case.token or "")
    if questions is None:
        return None
    tells, of_none = _tells(case), () if case.form.is_opaque else (KEYS_PATH,)  # the keys help to verify a JWT
    about = [each for each in questions if each.path == INTROSPECTION_PATH or each.token in ("", sent)]
    asked = [each for each in about if "introspect" in each.path or not (tells or each.path in of_none)]
    lost = next((each for each in questions if each.reason.startswith(NO_INSTANCE)), None)
    if not asked and not lost:
        return None if tells else _not_asked(case, emulator)
    question = lost or max(reversed(asked), key=lambda each: (each.path == INTROSPECTION_PATH, each.token == sent))
    likely, fix = False, SEND_FORM.format(case.issuer + INTROSPECTION_PATH)
    roles, says_so = _roles(case), case.code == "insufficient_scope"
    if lost:
        cause = f"{emulator} refuses the API's question at {lost.path}: {lost.reason}"
        fix = ASK.format(case.issuer)
    elif question.path != INTROSPECTION_PATH:  # a request may be of another
        cause, likely = f"the API asks {case.issuer}{question.path}, {NOT_TOLD}", True
    elif question.status != 200:
        cause = f"{emulator} refuses the API's question about the token: {question.reason}"
        fix = COMPARE if question.about_client else fix
    elif tells and not question.reason:
        return None
    elif question.token != sent:  # another caller's is possible
        reason = question.reason or "which is active"
        cause, likely = f"the API asks {emulator} about another text than the token: {question.token}, {reason}", True
        fix = "in the API, pass on what follows Bearer in the Authorization header: whole, without quotes and blanks"
    elif question.reason:
        cause, fix = f"{emulator} calls the token inactive when this API asks: {question.reason}", COMPARE
    elif not says_so and not (case.status == 403 and re.search(ABOUT_ROLES, case.answer.text)):
        cause = f"{emulator} told the API that the token is active: the API refuses it for a reason of its own"
        fix = READ_RIGHTLY
    elif not roles:
        return (finding := _lacks_role.judge(case)) and replace(finding, likely=True)
    elif question.client:
        cause = f"the API asks as the application {question.client}, and sees the roles in that application's project"
        likely, fix = not says_so, COMPARE
    else:
        cause = f"{LOOKS_ELSEWHERE}: {emulator} told it that the token is active, with {roles}"
        likely, fix = not says_so, LOOK_THERE
    return Finding(id="call.own_rules", cause=cause, likely=likely, only_emulator=not likely, fix=(fix,))


def _not_asked(case: ApiCase, emulator: str) -> Finding:
    """Return that the API did not ask: a refused role then comes from an earlier answer."""
    first, fix, verifies = OTHER_ZITADEL, ASK.format(case.issuer), VERIFIES_JWTS if case.form.is_opaque else ELSEWHERE
    others = (CHANGED,) if case.from_zdemo else (UNREACHED, NO_ANSWER) if case.failed else (verifies, A_GATEWAY, REUSES)
    if case.code == "insufficient_scope":
        first, fix = REUSES, WAIT
    elif not case.code and (case.call.challenge or re.search(NOTHING_SEEN, case.words)):  # RFC 6750 §3.1
        first, fix = "the API does not see the token: a proxy removes it, or the API looks elsewhere", TAKE_FROM_HEADER
    elif case.status == 403:
        first, fix = A_GATEWAY, API_LOG
    candidates = tuple(dict.fromkeys((first, OTHER_ZITADEL, *others)))
    cause = f"the API did not ask {emulator} about this token"
    return Finding(id="call.disagrees", cause=cause, candidates=candidates, fix=(fix,))


def _says_expired(case: ApiCase) -> bool:
    description = case.call.challenge.description if case.call.challenge else ""
    return not case.from_zdemo and bool(re.search(r"(?i)expired(?!.*\bor\b)", description))  # not RFC 6750's sentence


def _apis_clock(case: ApiCase) -> Finding | None:
    """Judge by what the API says, or by the Date of both answers: the token is valid for ZITADEL now."""
    token = case.introspection
    here, there = case.evidence.answer(Probe.TOKEN).date or 0, case.answer.date or 0  # 0: unknown
    late = token.expires_at is not None and there >= token.expires_at > here > 0
    early = token.not_before is not None and 0 < there < token.not_before <= here
    is_dated, ends = late or early, (token.expires_at or NEVER) < NEVER
    if case.code != "invalid_token" or not (is_dated or (ends and _says_expired(case))):
        return None
    by = f"{span(abs(there - here))} {'ahead of' if late else 'behind'} ZITADEL's" if is_dated else "ahead"
    cause = f"the API's clock is {by}, so the token {'is not valid yet' if early else 'has expired'} for the API"
    fix = "synchronise the clock of the API's machine (NTP)"
    return Finding(id="call.clock_skewed", cause=cause, likely=True, fix=(fix,))


@rule(when=_says_expired)
def _expired_though_it_never_does(_case: ApiCase) -> Finding:
    cause = f"the API receives another token than this one, which never expires: {CHANGED}"
    return Finding(id="call.own_rules", cause=cause, likely=True, fix=(LET_THROUGH, API_LOG))


def _compared(case: ApiCase) -> Finding:
    """Return the investigation's finding, where it explains the API's answer; else they disagree."""
    if case.here:
        role_is_missing = case.code == "insufficient_scope" or case.status == 403
        agrees = case.here.id.startswith("role.") == role_is_missing or case.here.id == "zitadel.bare_answer"
        if agrees or (case.is_other and case.code not in CODES):
            return case.here
    finding = finding_for_disagreement(case, case.here.cause if case.here else "it is accepted")
    if case.code == "insufficient_scope" and case.is_other and not (case.here or case.from_zdemo):
        cause = f"{LOOKS_ELSEWHERE}: the user has {_roles(case)}"
        return replace(finding, cause=cause, likely=True, fix=(LOOK_THERE,))
    return finding


def other_api(difference: str, setting: str) -> Finding:
    """Return that the API said in which way it is not the one of these settings."""
    otherwise = f"or, if another API is meant: correct {setting}"
    return Finding(id="call.disagrees", cause=f"the API {difference}", fix=(RESTART,), otherwise=(otherwise,))


def same_settings(finding: Finding) -> Finding:
    """Return the finding about an API that said that it has these settings, which are then not the cause."""
    of_settings = ELSEWHERE, VERIFIES_JWTS, OTHER_SETTINGS, OTHER_ZITADEL
    first, *others = (candidate for candidate in finding.candidates if candidate not in of_settings)
    steps = (WAIT if first == REUSES else LET_THROUGH,) if finding.id != "call.api_cannot_ask" else finding.steps
    cause = f"{first} ({finding.cause})"
    return replace(finding, cause=cause, likely=True, candidates=tuple(others), fix=steps, otherwise=())


def finding_for_disagreement(case: ApiCase, zitadel: str) -> Finding:
    """Return why the API and ZITADEL may disagree about a token; ``zitadel`` is what ZITADEL says of it."""
    candidates = [OTHER_SETTINGS]
    if case.code == "insufficient_scope" or not case.from_zdemo:  # only answers about active tokens are reused
        candidates.append(REUSES)
    if case.code in ("", "invalid_token") and not (case.call.accepted or case.from_zdemo):
        verifies = [] if case.here or case.status == 403 else [VERIFIES_JWTS if case.form.is_opaque else ELSEWHERE]
        candidates = [*verifies, CLIENT_REFUSED if case.code else A_GATEWAY, *candidates]
    jwt = GET_JWT if VERIFIES_JWTS in candidates and not case.is_at_emulator else ()
    return Finding(
        id="call.disagrees",
        cause=f"the API and {case.issuer} disagree about this token",
        candidates=(*candidates, "something in between caches answers, or changes the Authorization header"),
        seen=(("API", f"{case.status}"), ("ZITADEL", zitadel)),
        fix=(*jwt, COMPARE if case.is_other else RESTART),
        otherwise=() if case.is_other else (COMPARE,),
    )


ASKS = table(_by_the_emulators_record, when=lambda case: case.introspection.active and case.here is None)
COMPARED = (
    *table(
        replace(_lacks_role, when=(_lacks_a_role, lambda case: _missing(case) != ["ROLE"] or not _roles(case))),
        *(_is_pat, _actor, _audience, _apis_clock, _by_the_emulators_record, _lacks_role),
        _expired_though_it_never_does,
        when=lambda case: case.introspection.active and case.here is None,
    ),
    *table(_api_cannot_ask, _by_the_api_alone, _own_rules, _compared),
)
