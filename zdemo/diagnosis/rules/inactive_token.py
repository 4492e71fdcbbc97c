"""Why ZITADEL says ``{"active":false}``: one answer for about twenty causes."""

from collections.abc import Callable

from zdemo.config.variables import BY_NAME
from zdemo.diagnosis.evidence import Evidence, Probe, TokenCase
from zdemo.diagnosis.finding import Finding, quoted
from zdemo.diagnosis.rules.dead_token import DEAD_JWT, NOT_SEEN, REFRESHED, USE_LAST, USER_OFF, by_records
from zdemo.diagnosis.rules.emulators_reason import emulators_own
from zdemo.diagnosis.rules.rejected_client import USE_EMULATOR
from zdemo.diagnosis.rules.rule import rule, table
from zdemo.diagnosis.rules.unusable_response import database_away
from zdemo.diagnosis.token_form import COPY, LENGTHS, PAT_LENGTH, SECRET_LENGTH, SEND_ANOTHER, TokenKind, paste_problem
from zdemo.diagnosis.wording import Lines, clock_words, described, health_lines, shown_list
from zdemo.errors.steps import Command, SetVariable, Shell, Step
from zdemo.zitadel.introspection_answer import audience_scope, project_behind

SESSION_API_REFUSAL = "AUTHZ-Kl3p0"  # ZITADEL: a Session API token at an API that needs an access token
DATABASE_SICK = "zitadel.database_sick"
EMULATORS_TOKENS = [BY_NAME[name].emulator for name in ("PAT", "ZDEMO_VISITOR_PAT", "ZITADEL_ADMIN_PAT")]
FOR_OTHERS = "the token is valid, but not meant for this API"


def _copy(name: str, cause: str, *, likely: bool = False) -> Finding:
    otherwise = ("if you no longer have it: create a new one",)
    return Finding(id=f"token.{name}", cause=cause, likely=likely, fix=(COPY,), otherwise=otherwise)


BY_KIND = {
    TokenKind.DOUBLED: _copy("doubled", "several tokens stand in a row, or one was pasted twice"),
    TokenKind.CHANGED: _copy("damaged", "the token was changed in one place: its length is right, its form is not"),
    TokenKind.DAMAGED: Finding(
        id="token.damaged",
        cause="this is not a token of ZITADEL: it is another issuer's, or was damaged",
        fix=("use a token that this ZITADEL has issued: a PAT, or a token from its token endpoint",),
        otherwise=("if this ZITADEL did issue it: copy the whole token again",),
    ),
    TokenKind.CLIENT_SECRET: Finding(
        id="token.client_secret",
        cause=f"this looks like a client secret ({SECRET_LENGTH} letters and digits), not like a token",
        likely=True,
        fix=("give a token: a PAT, or an access token that the token endpoint issues for this secret",),
        otherwise=("if it is a PAT, it is cut off: copy the whole token",),
    ),
}


def zitadel_is_sick(case: TokenCase) -> Finding | None:
    """Return the finding when ZITADEL's database is down, or cannot be read in part; ``None`` when neither shows.

    A ZITADEL that works refuses a made-up client with 400; one that cannot read its clients answers 200 to all.
    """
    server, evidence = case.settings.zitadel.server, case.evidence
    made_up = evidence.answer(Probe.MADE_UP_CLIENT)
    everything_inactive = made_up.status == 200 and made_up.json_object().get("active") is False
    line = ((Probe.MADE_UP_CLIENT.value, "got 200 inactive, where a ZITADEL that works answers 400"),)
    seen = (*(line if everything_inactive else ()), *health_lines(evidence))
    if evidence.database_away:
        return database_away(server, seen)
    cause = "ZITADEL cannot read its database: it calls everything inactive, even for a made-up client"
    fix = (
        "look in ZITADEL's log and database (PostgreSQL) for an unreadable table, a missing role or a failed migration",
        Shell(f"curl -i {server}/debug/ready"),
    )
    return Finding(id=DATABASE_SICK, cause=cause, seen=seen, fix=fix) if everything_inactive else None


def _of(*kinds: TokenKind) -> Callable[[TokenCase], bool]:
    return lambda case: case.form.kind in kinds


@rule(Probe.ADMINISTRATOR, Probe.MADE_UP_CLIENT)
def _database_away(case: TokenCase) -> Finding | None:
    """Decide by readiness if it was asked for already, as for a ZITADEL that is slow."""
    return zitadel_is_sick(case) if case.evidence.database_away else None


def _may_be_sick(case: TokenCase) -> bool:
    return case.evidence.answer(Probe.MADE_UP_CLIENT).status != 400 and not case.evidence.administrator_is_active


@rule(Probe.TOKEN)
def _another_value(case: TokenCase) -> Finding | None:
    value, answer = case.token.strip(), case.evidence.answer(Probe.TOKEN)  # the page has no token
    if value in EMULATORS_TOKENS and answer.status and not answer.emulator:
        use_own = Command("setup", does="creates a token of your ZITADEL, if you have none")
        cause = "this is a token of zdemo's emulator, but another ZITADEL answers"
        return Finding(id="token.emulators", cause=cause, fix=(use_own,), otherwise=(USE_EMULATOR,))
    values = {
        case.settings.client_id: "the API application's client ID (CLIENT_ID)",
        case.settings.client_secret: "the API application's client secret (CLIENT_SECRET)",
    }
    what = values.get(value, "an ID of ZITADEL (digits only)" if case.form.kind is TokenKind.ID_NUMBER else "")
    fix = "give the token itself, from where it is kept"
    return Finding(id="token.another_value", cause=f"this is not a token but {what}", fix=(fix,)) if what else None


@rule(Probe.USERINFO)
def _alive(case: TokenCase) -> Finding | None:
    if not case.evidence.token_is_alive:
        return None
    if case.form.kind is not TokenKind.PAT:
        return _not_for_this_api(case)
    cause = "ZITADEL contradicts itself: userinfo accepts this PAT, but introspection calls it inactive"
    candidates = "its user was changed a moment ago", "ZITADEL's database is in trouble"
    fix, seen = ("try again", "then check ZITADEL's log and database"), health_lines(case.evidence)
    return Finding(id="token.contradiction", cause=cause, candidates=candidates, seen=seen, fix=fix)


def _not_for_this_api(case: TokenCase) -> Finding:
    configured, audience = case.settings.project_id, case.form.audience
    named = case.evidence.answer(Probe.ADMINISTRATOR).json_object().get("aud")  # for a PAT it names the own project
    project = project_behind(case.settings.client_id, named) if isinstance(named, list) else None
    scope, seen = audience_scope(project or configured), (("audience", shown_list(audience)),) if audience else ()
    if configured and (configured in audience or (project and project != configured)):
        right = "" if project else "set ZITADEL_PROJECT_ID to the ID of the project that the API application belongs to"
        belongs = f"the API application belongs to {f'project {project}' if project else 'another project'}"
        return Finding(
            id="token.wrong_project",
            cause=f"ZITADEL_PROJECT_ID is wrong: {belongs}, not to {configured}; {FOR_OTHERS}",
            seen=seen,
            fix=(
                SetVariable("ZITADEL_PROJECT_ID", quoted(project, 40), advice=right),
                Command("token", does="then requests a new token, for example"),
            ),
            otherwise=(f"if project {configured} is meant: use an API application of that project",),
        )
    is_open = configured and not project and not audience  # only ZITADEL can read an opaque token
    without = f"it was requested without the scope {scope}"
    wrong = f"ZITADEL_PROJECT_ID ({configured}) is wrong: the API application belongs to another project"
    compare = "compare ZITADEL_PROJECT_ID with the project of the API application"
    shows = Command("doctor", option=case.evidence.admin_option, does="shows that project, with an administrator's PAT")
    first = () if project or configured else ("PROJECT_ID is the ID of the API application's project",)
    then = (compare, shows) if is_open else ()
    name = "token.other_audience"
    cause = FOR_OTHERS if is_open else f"{FOR_OTHERS}: {without}, so its audience does not name the project"
    candidates = (without, wrong) if is_open else ()
    fix = (*first, f"request it with the scope {scope}", *then)
    otherwise = ("if it was requested for another project on purpose: use an API application of that project",)
    return Finding(id=name, cause=cause, candidates=candidates, seen=seen, fix=fix, otherwise=otherwise)


@rule(Probe.WHOAMI, when=_of(TokenKind.SESSION_API, TokenKind.UNUSUAL))
def _session_api(case: TokenCase) -> Finding | None:
    whoami = case.evidence.answer(Probe.WHOAMI)
    proven = whoami.status == 403 and SESSION_API_REFUSAL in whoami.text
    if not proven and case.form.kind is not TokenKind.SESSION_API:
        return None
    cause = "this is a Session API token (from CreateSession), not an access token: no API accepts it"
    fix = "use a PAT of a service account, or an OIDC access token"
    return Finding(id="token.session_api", cause=cause, likely=not proven, fix=(fix,))


@rule(Probe.ADMINISTRATOR, Probe.USERINFO, when=_of(TokenKind.PAT))
def _dead_pat(case: TokenCase) -> Finding:
    new = "reactivate or unlock the user if needed, then create a new PAT: that fixes each cause"
    page = "to find out the cause: the user's page in ZITADEL shows the user's state and PATs"
    again = Command("setup", does="setup created this PAT, and creates a new one if it is not valid")
    is_setups = case.evidence.ids is not None and not case.evidence.ids.named_by
    return Finding(
        id="token.dead",
        cause="the PAT is not valid here, and ZITADEL never says why",
        candidates=(
            "the PAT was deleted, or has expired",
            "its user was deactivated or locked (even if reactivated since), or removed",
            "a character of it was changed or is missing",
            *_doubts(case),
        ),
        fix=(again,) if is_setups else (new, _ask_administrator(case.evidence)),
        otherwise=() if is_setups else (page,),
    )


@rule(Probe.ADMINISTRATOR, Probe.USERINFO, when=_of(TokenKind.ACCESS, TokenKind.OPAQUE))
def _ended(case: TokenCase) -> Finding:
    refresh = "it is a refresh token: it has the same form, and no API accepts it"
    return Finding(
        id="token.ended",
        cause="the token has ended, or was never an access token here, and ZITADEL never says why",
        candidates=(
            "it has expired (access tokens live 12 hours by default), or its session was ended or revoked",
            REFRESHED,
            USER_OFF,
            *((refresh,) if case.form.kind is TokenKind.OPAQUE else ()),
            *_doubts(case),
        ),
        fix=(USE_LAST, "or request a new token: if the token endpoint refuses, its error names the cause"),
    )


@rule(when=_of(TokenKind.UNUSUAL))
def _unusual(case: TokenCase) -> Finding:
    is_jwe = "." in case.token or 0 < case.form.length - PAT_LENGTH < 4  # longer than an old PAT: not a piece of one
    what = "not valid, and its length is unusual" if is_jwe else "cut off (incomplete)"
    whole = 'it is whole, but not valid: its user has an ID chosen by hand (with a ":" in that ID, it never works)'
    changed = ("it is cut off (incomplete), or something was added",) if is_jwe else ()
    again = "copy the whole token again", "if it is complete: create or request a new one"
    cause = f"the token is {what}: {case.form.size}; {LENGTHS}"
    candidates = (*changed, whole, *_doubts(case))
    fix = (*again, _ask_administrator(case.evidence))
    return Finding(id="token.cut", cause=cause, likely=not is_jwe, candidates=candidates, fix=fix)


def _not_a_token(case: TokenCase) -> Finding:
    form, size = case.form, f"{case.form.size}; {case.form.whole}"
    if form.kind is TokenKind.CUT:  # another issuer's tokens may look like the end of one
        likely = "." in case.token and not case.token.startswith("eyJ")
        return _copy("cut", f"the token is cut off (incomplete): {size}", likely=likely)
    if form.kind in (TokenKind.REFRESH, TokenKind.CODE):
        cause = f"this is not an access token but {form.kind.with_article}"
        return Finding(id="token.another_value", cause=cause, fix=(SEND_ANOTHER,))
    return BY_KIND.get(form.kind) or _copy("too_short", f"this is not a token, or only a piece of one: {size}")


def _doubts(case: TokenCase) -> tuple[str, ...]:
    """Return what is not about this token alone, and what no probe could rule out."""
    evidence, doubts = case.evidence, [f"it belongs to another ZITADEL than {case.settings.issuer}"]
    if evidence.administrator_is_active is False:
        doubts.append(
            "the administrator's token is inactive as well: both may belong to another (or a recreated) ZITADEL"
        )
    if Probe.USERINFO not in evidence.refused and case.form.kind is not TokenKind.PAT:
        doubts.append(NOT_SEEN)
    if not evidence.administrator_is_active:
        doubts.append("ZITADEL's database cannot be read, if it refuses all tokens")
    return tuple(doubts)


def _ask_administrator(evidence: Evidence) -> Step:
    if evidence.with_administrator and evidence.ids:
        return "the administrator's token did not show the cause: only an IAM_OWNER sees the users of all organizations"
    when = "shows the cause" if evidence.ids else "shows the cause, with ZDEMO_PAT_USER_ID set beside PAT"
    return evidence.unusable_admin_pat or Command("doctor", option=evidence.admin_option, does=when)


def _seen(case: TokenCase) -> Lines:
    """Return the evidence that most findings rest on."""
    evidence, lines = case.evidence, []
    if not _may_be_sick(case):
        lines.append(("credentials", "accepted: ZITADEL answers this API"))
    lines.append(("form", case.form.described))
    if Probe.USERINFO in evidence.refused:
        lines.append(("userinfo", "refuses the token too, so the audience is not the only problem"))
    elif not evidence.token_is_alive and (userinfo := evidence.answer(Probe.USERINFO)).status:
        lines.append(("userinfo", f"{described(userinfo)}: not ZITADEL's answer, so it says nothing"))
    if evidence.administrator_is_active:
        lines.append(("ZITADEL", "works: the administrator's PAT is active"))
    if silent := [probe.value for probe in (Probe.MADE_UP_CLIENT, Probe.USERINFO) if probe in evidence.late]:
        lines.append(("not known", f"no answer in time: {', '.join(silent)}"))
    if case.form.kind is TokenKind.JWT and evidence.clock_off_by:
        lines.append(("clock", f"{clock_words(evidence.clock_off_by)}, by the Date of its answer"))
    return tuple(lines)


INACTIVE = (
    *table(emulators_own, seen=_seen),
    _database_away,
    rule(Probe.MADE_UP_CLIENT, Probe.READY, when=_may_be_sick)(zitadel_is_sick),
    *table(
        lambda case: paste_problem(case.token),
        *table(
            _another_value,
            by_records,
            _alive,
            *table(*DEAD_JWT, when=_of(TokenKind.JWT)),
            _session_api,
            _dead_pat,
            _ended,
            _unusual,
            _not_a_token,
            seen=_seen,
        ),
        when=lambda case: bool(case.token),
    ),
)
