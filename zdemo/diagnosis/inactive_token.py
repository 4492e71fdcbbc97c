"""Why ZITADEL says ``{"active":false}``: one answer for about twenty causes, so much stays open.

The first rule that decides gives the finding. The rules look at ZITADEL first, then at the text of the token, then at
whether the token is alive for others, then at what a JWT says; the last one knows only the form of the token.
"""

from zdemo.config.settings import Settings
from zdemo.diagnosis.cases import InactiveCase
from zdemo.diagnosis.evidence import NOTHING, Evidence, Probe
from zdemo.diagnosis.finding import Finding, quoted
from zdemo.diagnosis.inactive_jwt import finding_for_jwt
from zdemo.diagnosis.inactive_other import finding_by_form
from zdemo.diagnosis.inactive_pat import finding_for_pat_records
from zdemo.diagnosis.phrases import audience_scope, health_lines, shown_list
from zdemo.diagnosis.token_form import TokenKind, paste_problem
from zdemo.diagnosis.unusable_response import database_away
from zdemo.introspection.model import project_behind

SESSION_API_REFUSAL = "AUTHZ-Kl3p0"  # ZITADEL: a Session API token at an API that needs an access token
CORRECT_PROJECT = "set ZITADEL_PROJECT_ID to the ID of the project that the API application (CLIENT_ID) belongs to"
ALIVE = "the token is alive, but not meant for this API"
REQUEST_AGAIN = "then request a new token, e.g. with zdemo token"
SHOWS_PROJECT = "with ZITADEL_ADMIN_PAT, zdemo doctor shows it"


def finding_for_inactive(token: str, settings: Settings, evidence: Evidence = NOTHING, *, now: float) -> Finding:
    """Return why a token is inactive, as far as it can be known: never a wrong single cause."""
    case = InactiveCase(token=token, settings=settings, evidence=evidence, now=now)
    if obvious := zitadel_is_sick(settings.zitadel.server, evidence) or paste_problem(token) or _another_value(case):
        return obvious
    finding = _alive_elsewhere(case) or finding_for_jwt(case) or _session_api(case) or _recorded(case)
    finding = finding or finding_by_form(case)
    return finding.and_seen(case.seen)


def zitadel_is_sick(server: str, evidence: Evidence) -> Finding | None:
    """Return the finding when ZITADEL's database is down, or cannot be read in part; ``None`` when neither shows.

    A ZITADEL that works refuses a made-up client with 400; one that cannot read its clients answers 200 to all.
    """
    made_up = Probe.MADE_UP_CLIENT
    everything_inactive = evidence.status(made_up) == 200 and evidence.body(made_up).get("active") is False
    line = ((made_up.value, "got 200 inactive, where a ZITADEL that works answers 400"),)
    seen = (*(line if everything_inactive else ()), *health_lines(evidence))
    if evidence.database_away:
        return database_away(server, seen)
    if not everything_inactive:
        return None
    return Finding(
        id="zitadel.database_sick",
        cause="ZITADEL cannot read its database: it calls everything inactive, even for a made-up client",
        seen=seen,
        fix=(
            "check ZITADEL's database (PostgreSQL) and its log for a table that cannot be read, a missing role or a "
            "failed migration; then try again",
            f"curl -i {server}/debug/ready",
        ),
    )


def _another_value(case: InactiveCase) -> Finding | None:
    """Find a value of the settings, or an ID, in place of the token."""
    token, settings = case.token.strip(), case.settings
    if settings.client_secret and token == settings.client_secret:
        what = "the API application's client secret (CLIENT_SECRET)"
    elif token == settings.client_id:
        what = "the API application's client ID (CLIENT_ID)"
    elif case.form.kind is TokenKind.ID_NUMBER:
        what = "an ID of ZITADEL (digits only)"
    else:
        return None
    return Finding(
        id="token.another_value",
        cause=f"this is not a token but {what}",
        seen=(("form", case.form.described),),
        fix=("give the token itself, from where it is kept",),
    )


def _alive_elsewhere(case: InactiveCase) -> Finding | None:
    if not case.evidence.token_is_alive:
        return None
    if case.form.kind is TokenKind.PAT:
        return _contradiction(case)
    audience, configured = case.form.claims.get("aud"), case.settings.project_id
    shown = case.evidence.body(Probe.ADMINISTRATOR).get("aud")  # a PAT's, which names this application's project
    project = project_behind(case.settings.client_id, shown) if isinstance(shown, list) else None
    seen = (("audience", shown_list(audience)),) if audience else ()
    names_configured = configured in (audience if isinstance(audience, list) else [audience])
    if configured and (names_configured or (project and project != configured)):
        return _wrong_project(configured, project, names_configured=names_configured).and_seen(seen)
    if configured and not project and not audience:
        return _for_one_of_two_projects(configured)
    project = project or configured
    return Finding(
        id="token.other_audience",
        cause=f"{ALIVE}: its audience names neither this API application nor its project",
        seen=seen,
        fix=(
            f"request it with the scope {audience_scope(project)}",
            *(() if project else ("PROJECT_ID is the ID of the project that the API application belongs to",)),
        ),
        otherwise=("if it was requested for another project on purpose: use an API application of that project",),
    )


def _wrong_project(configured: str, project: str | None, *, names_configured: bool) -> Finding:
    """Find a configured project that is not the application's: the token was, or would be, requested for that one."""
    meant = f"the token is alive and meant for the project {configured}" if names_configured else ALIVE
    belongs = f"to project {project}, not to {configured}" if project else "to another project"
    return Finding(
        id="token.wrong_project",
        cause=f"ZITADEL_PROJECT_ID is wrong: the API application belongs {belongs}; {meant}"
        if project
        else f"{meant} (ZITADEL_PROJECT_ID), but the API application belongs {belongs}",
        fix=(f"ZITADEL_PROJECT_ID={quoted(project, 40)}" if project else CORRECT_PROJECT, REQUEST_AGAIN),
        otherwise=(f"or, if project {configured} is meant: use an API application of that project",),
    )


def _for_one_of_two_projects(configured: str) -> Finding:
    """Leave it open which project is wrong: nobody but ZITADEL can read an opaque token."""
    return Finding(
        id="token.other_audience",
        cause=ALIVE,
        candidates=(
            f"it was requested for another project, or without the scope {audience_scope(configured)}",
            f"ZITADEL_PROJECT_ID ({configured}) is wrong: the API application belongs to another project, and the "
            "token was requested for this one",
        ),
        fix=(
            f"compare ZITADEL_PROJECT_ID with the project of the API application in ZITADEL ({SHOWS_PROJECT})",
            f"then request the token with the scope {audience_scope('PROJECT_ID')}",
        ),
    )


def _contradiction(case: InactiveCase) -> Finding:
    """Return the finding for a PAT that is alive: a PAT is meant for every API, so its audience cannot be the cause."""
    return Finding(
        id="token.contradiction",
        cause="ZITADEL contradicts itself: userinfo accepts this PAT, but introspection calls it inactive",
        candidates=(
            "its user was changed a moment ago, and not all of ZITADEL knows yet",
            "ZITADEL's database is in trouble",
        ),
        seen=health_lines(case.evidence),
        fix=("try again; if the answer stays the same, check ZITADEL's log and database",),
    )


def _session_api(case: InactiveCase) -> Finding | None:
    whoami = case.evidence.answer(Probe.WHOAMI)
    proven = whoami is not None and whoami.status == 403 and SESSION_API_REFUSAL in whoami.text
    if not proven and case.form.kind is not TokenKind.SESSION_API:
        return None
    line = ("own user", f"ZITADEL's API refuses it with 403 {SESSION_API_REFUSAL}, as it refuses Session API tokens")
    return Finding(
        id="token.session_api",
        cause="this is a Session API token (from CreateSession), not an access token: no API accepts it",
        likely=not proven,
        seen=(line,) if proven else (),
        fix=("use a PAT of a service account, or an OIDC access token",),
    )


def _recorded(case: InactiveCase) -> Finding | None:
    """Decide by what an administrator sees; a text of unusual length counts only if the user's ID has such a length."""
    form, records = case.form, case.evidence.pat_records
    if records is None or records.id_bytes not in (None, form.sealed_bytes):
        return None  # records of a PAT of another length belong to another PAT
    fits = form.kind is TokenKind.PAT or (form.kind is TokenKind.CUT and records.id_bytes)
    return finding_for_pat_records(records, case.evidence.looked_up_at) if fits else None
