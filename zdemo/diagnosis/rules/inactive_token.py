"""Why ZITADEL says ``{"active":false}``: one answer for about twenty causes. The first rule that decides counts."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from zdemo.config.settings import Settings
from zdemo.config.variables import BY_NAME, EMULATORS_DOMAIN
from zdemo.diagnosis.evidence import NOTHING, Evidence, Probe
from zdemo.diagnosis.finding import Finding, quoted
from zdemo.diagnosis.rules.inactive_pat import finding_for_pat_records
from zdemo.diagnosis.rules.unusable_response import database_away
from zdemo.diagnosis.token_form import (
    COPY,
    LENGTHS,
    SECRET_LENGTH,
    TokenForm,
    TokenKind,
    paste_problem,
    token_form,
)
from zdemo.diagnosis.wording import Lines, audience_scope, clock_words, described, health_lines, shown_list, span
from zdemo.zitadel.introspection_answer import project_behind, within_all_clocks

SESSION_API_REFUSAL = "AUTHZ-Kl3p0"  # ZITADEL: a Session API token at an API that needs an access token
DATABASE_SICK = "zitadel.database_sick"
EMULATORS_TOKENS = [BY_NAME[name].emulator for name in ("PAT", "ZDEMO_VISITOR_PAT", "ZITADEL_ADMIN_PAT")]
CLAIMS = ("iss", "aud", "exp")  # in every JWT from ZITADEL
FOR_OTHERS = "the token is valid, but not meant for this API"


@dataclass(frozen=True, kw_only=True)
class _Case:
    token: str  # which introspection calls inactive
    settings: Settings
    evidence: Evidence
    now: float  # epoch seconds

    @cached_property
    def form(self) -> TokenForm:
        return token_form(self.token)

    @property
    def seen(self) -> Lines:
        """The evidence that most findings rest on."""
        evidence, lines = self.evidence, []
        used = "key" if self.settings.key else "client ID and secret"
        if evidence.status(Probe.MADE_UP_CLIENT) == 400 or evidence.administrator_is_active:
            lines.append(("credentials", f"accepted: ZITADEL answers this API's {used}"))
        lines.append(("form", self.form.described))
        if evidence.refused(Probe.USERINFO):
            lines.append(("userinfo", "refused too, so a wrong audience alone is not the cause"))
        elif evidence.token_is_alive:
            lines.append(("userinfo", "accepted: the token is valid"))
        elif userinfo := evidence.answer(Probe.USERINFO):
            lines.append(("userinfo", f"{described(userinfo)}: not ZITADEL's answer, so it says nothing"))
        if evidence.administrator_is_active:
            lines.append(("ZITADEL", "works: the administrator's PAT is active"))
        if silent := [probe.value for probe in (Probe.MADE_UP_CLIENT, Probe.USERINFO) if probe in evidence.late]:
            lines.append(("not known", f"no answer in time: {', '.join(silent)}"))
        if self.form.kind is TokenKind.JWT and evidence.clock_off_by:
            lines.append(("clock", f"{clock_words(evidence.clock_off_by)}, by the Date of its answer"))
        return tuple(lines)


def finding_for_inactive(token: str, settings: Settings, evidence: Evidence = NOTHING, *, now: float) -> Finding:
    """Return why a token is inactive, as far as it can be known: never a wrong single cause."""
    case = _Case(token=token, settings=settings, evidence=evidence, now=now)
    if obvious := zitadel_is_sick(settings.zitadel.server, evidence) or paste_problem(token):
        return obvious
    return next(_rules(case)).and_seen(case.seen)


def _rules(case: _Case) -> Iterator[Finding]:
    evidence, form, settings = case.evidence, case.form, case.settings
    values = {
        settings.client_id: "the API application's client ID (CLIENT_ID)",
        settings.client_secret: "the API application's client secret (CLIENT_SECRET)",
    }
    what = "an ID of ZITADEL (digits only)" if form.kind is TokenKind.ID_NUMBER else ""
    if what := values.get(case.token.strip(), what):
        yield Finding(
            id="token.another_value",
            cause=f"this is not a token but {what}",
            fix=("give the token itself, from where it is kept",),
        )
    zitadel = evidence.answer(Probe.TOKEN)
    if case.token.strip() in EMULATORS_TOKENS and not (zitadel and zitadel.emulator):
        yield Finding(
            id="token.emulators",
            cause="this is a token of zdemo's emulator, but another ZITADEL answers",
            fix=("use a token of your ZITADEL; zdemo setup creates one", f"or {EMULATORS_DOMAIN}, if that is meant"),
        )
    if evidence.token_is_alive and form.kind is TokenKind.PAT:  # which is meant for every API
        yield Finding(
            id="token.contradiction",
            cause="ZITADEL contradicts itself: userinfo accepts this PAT, but introspection calls it inactive",
            candidates=(
                "its user was changed a moment ago, and not all of ZITADEL knows yet",
                "ZITADEL's database is in trouble",
            ),
            seen=health_lines(evidence),
            fix=("try again; if the answer stays the same, check ZITADEL's log and database",),
        )
    if evidence.token_is_alive:
        yield from _for_others(case)
    if form.kind is TokenKind.JWT:
        yield from _jwt(case)
    whoami = evidence.answer(Probe.WHOAMI)
    proven = whoami is not None and whoami.status == 403 and SESSION_API_REFUSAL in whoami.text
    line = ("own user", f"ZITADEL's API refuses it with 403 {SESSION_API_REFUSAL}, as it refuses Session API tokens")
    if proven or form.kind is TokenKind.SESSION_API:
        yield Finding(
            id="token.session_api",
            cause="this is a Session API token (from CreateSession), not an access token: no API accepts it",
            likely=not proven,
            seen=(line,) if proven else (),
            fix=("use a PAT of a service account, or an OIDC access token",),
        )
    if recorded := finding_by_records(form, evidence):
        yield recorded
    yield from _by_form(case)


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
        id=DATABASE_SICK,
        cause="ZITADEL cannot read its database: it calls everything inactive, even for a made-up client",
        seen=seen,
        fix=(
            "check ZITADEL's database (PostgreSQL) and its log for a table that cannot be read, a missing role or a "
            "failed migration; then try again",
            f"curl -i {server}/debug/ready",
        ),
    )


def _for_others(case: _Case) -> Iterator[Finding]:
    """Find which project is wrong: that of the token, or ZITADEL_PROJECT_ID; only ZITADEL can read an opaque token."""
    audience, configured = case.form.claims.get("aud"), case.settings.project_id
    shown = case.evidence.body(Probe.ADMINISTRATOR).get("aud")  # a PAT's, which names this application's project
    project = project_behind(case.settings.client_id, shown) if isinstance(shown, list) else None
    seen = (("audience", shown_list(audience)),) if audience else ()
    names_configured = configured in (audience if isinstance(audience, list) else [audience])
    if configured and (names_configured or (project and project != configured)):
        belongs = f"the API application belongs to {f'project {project}' if project else 'another project'}"
        right = "set ZITADEL_PROJECT_ID to the ID of the project that the API application (CLIENT_ID) belongs to"
        yield Finding(
            id="token.wrong_project",
            cause=f"ZITADEL_PROJECT_ID is wrong: {belongs}, not to {configured}; {FOR_OTHERS}",
            seen=seen,
            fix=(
                f"ZITADEL_PROJECT_ID={quoted(project, 40)}" if project else right,
                "then request a new token, e.g. with zdemo token",
            ),
            otherwise=(f"or, if project {configured} is meant: use an API application of that project",),
        )
    if configured and not project and not audience:
        yield Finding(
            id="token.other_audience",
            cause=FOR_OTHERS,
            candidates=(
                f"it was requested for another project, or without the scope {audience_scope(configured)}",
                f"ZITADEL_PROJECT_ID ({configured}) is wrong: the API application belongs to another project, and the "
                "token was requested for this one",
            ),
            fix=(
                "compare ZITADEL_PROJECT_ID with the project of the API application in ZITADEL (with "
                "ZITADEL_ADMIN_PAT, zdemo doctor shows it)",
                f"then request the token with the scope {audience_scope('PROJECT_ID')}",
            ),
        )
    project, whose = project or configured, "PROJECT_ID is the ID of the API application's project"
    yield Finding(
        id="token.other_audience",
        cause=f"{FOR_OTHERS}: its audience names neither this API application nor its project",
        seen=seen,
        fix=(f"request it with the scope {audience_scope(project)}", *([] if project else [whose])),
        otherwise=("if it was requested for another project on purpose: use an API application of that project",),
    )


def _jwt(case: _Case) -> Iterator[Finding]:
    """Yield why a JWT that userinfo refuses too is inactive, by its unverified claims, the surest first."""
    form, settings, evidence, now = case.form, case.settings, case.evidence, case.now
    claims, issuer = form.claims, settings.issuer
    keys = evidence.body(Probe.KEYS).get("keys")
    knows_its_key = None  # unknown
    if isinstance(keys, list):
        knows_its_key = any(isinstance(key, dict) and key.get("kid") == form.header.get("kid") for key in keys)
    if evidence.signature_fits is False:
        yield Finding(
            id="token.damaged",
            cause="the JWT's signature does not match its content: it was changed, or a part of it is missing",
            seen=(("signature", "does not match the key of this ZITADEL that the JWT names"),),
            fix=("copy the whole token again, or request a new one",),
        )
    discovered, named = quoted(evidence.body(Probe.DISCOVERY).get("issuer")), claims.get("iss")
    if isinstance(named, str) and named != (discovered or issuer):
        own, shown = discovered or issuer, quoted(named)
        why = {
            True: "; it is the same ZITADEL under another host name, port or scheme (it knows the key)",
            False: "; that is another ZITADEL or another product (this one does not know the key)",
            None: "; that is another ZITADEL, or this one under another host name, port or scheme",
        }[knows_its_key]
        yield Finding(
            id="token.other_issuer",
            cause=f"the token's issuer is {shown}, but this ZITADEL is {own}{why}",
            likely=not discovered,
            fix=(f"request the token from {own}",),
            otherwise=(f"or, if {shown} is the ZITADEL that is meant: ZITADEL_DOMAIN={shown}",),
        )
    if form.is_id_token:
        yield Finding(
            id="token.is_id_token",
            cause="this is an ID token: it tells the client who logged in, and no API accepts it",
            seen=(("claims", "at_hash or azp, and no jti: an ID token (OpenID Connect Core §2)"),),
            fix=("send the access_token from the same answer of the token endpoint",),
        )
    if (algorithm := quoted(form.header.get("alg"), 20)).upper().startswith(("NONE", "HS")):
        yield Finding(
            id="token.damaged",
            cause=f"the JWT's algorithm is {algorithm}, which ZITADEL never uses: another product made it",
            fix=(f"request a token from {issuer}, e.g. with zdemo token",),
        )
    if missing := [name for name in CLAIMS if name not in claims]:  # who issued it is open
        yield Finding(
            id="token.incomplete",
            cause=f"the JWT lacks {', '.join(missing)}, which all access tokens of ZITADEL have",
            candidates=(f"it is not a token of this ZITADEL ({issuer})", "it was changed, or made up"),
            fix=(f"request a token from {issuer}, e.g. with zdemo token",),
        )
    expires = claims["exp"] if type(claims.get("exp")) is int else None
    zitadels_now = now - (evidence.clock_ahead_seconds or 0)  # this machine's clock may be wrong
    if expires is not None and expires <= zitadels_now:
        yield Finding(
            id="token.expired",
            cause=f"the token has expired, {span(zitadels_now - within_all_clocks(expires))} ago",
            likely=expires > now,
            fix=("request a new one",),
        )
    audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    project = settings.project_id  # unknown, it may be the one that the audience names
    if project and project not in audience and settings.client_id not in audience:
        yield Finding(
            id="token.other_audience",
            cause="the token is not meant for this API (by its audience), and no longer valid",
            seen=(("audience", shown_list(audience)),),
            fix=(f"request a new one with the scope {audience_scope(project)}",),
        )
    if knows_its_key is False:
        yield Finding(
            id="token.unknown_key",
            cause=f"the token was signed with a key that {issuer} does not have now",
            candidates=(
                "it belongs to another ZITADEL with the same address, or to this one before it was recreated",
                "the key was replaced since the token was issued",
            ),
            seen=(("key", f"kid {quoted(form.header.get('kid'), 40)} is not among the keys at /oauth/v2/keys"),),
            fix=("request a new one",),
        )
    not_shown = "it is valid, but not meant for this API (userinfo did not show it)"
    damaged = "it was changed or cut off (its signature could not be checked)"
    yield Finding(
        id="token.ended",
        cause=f"the claims of the JWT are correct (issuer {issuer}, not expired), but ZITADEL calls it inactive",
        candidates=(
            *(() if evidence.refused(Probe.USERINFO) else (not_shown,)),
            "its session was ended, or it was revoked",
            "its user was deactivated, locked or removed since it was issued",
            *((damaged,) if evidence.signature_fits is None else ()),
        ),
        seen=(("audience", shown_list(audience)),),
        fix=("request a new one; if the token endpoint refuses that, its error says what is wrong with the user",),
    )


def finding_by_records(form: TokenForm, evidence: Evidence) -> Finding | None:
    """Decide by what an administrator sees; a text of unusual length counts only if the user's ID has such a length."""
    records = evidence.pat_records
    if records is None or records.id_bytes not in (None, form.sealed_bytes):
        return None  # records of a PAT of another length belong to another PAT
    fits = form.kind is TokenKind.PAT or (form.kind is TokenKind.CUT and records.id_bytes)
    return finding_for_pat_records(records, evidence.looked_up_at) if fits else None


def _by_form(case: _Case) -> Iterator[Finding]:
    """Yield the finding by the form alone, with all that it can be."""
    form, kind, from_setup = case.form, case.form.kind, case.evidence.from_setup
    if kind is TokenKind.PAT:
        new = "create a new PAT for the user (reactivate or unlock the user first if needed); that fixes each cause"
        again = "zdemo setup  (it made this PAT, and creates a new one where that is not valid)"
        page = "to find out which it is: the user's page in ZITADEL shows the user's state and PATs"
        yield Finding(
            id="token.dead",
            cause="the PAT is not valid here, and ZITADEL never says why",
            candidates=(
                "the PAT was deleted, or has expired",
                "its user was deactivated or locked (even if reactivated since), or removed",
                "a character of it was changed or is missing",
                *_doubts(case),
            ),
            fix=(again,) if from_setup else (new, _ask_administrator(case.evidence)),
            otherwise=() if from_setup else (page,),
        )
    if kind in (TokenKind.ACCESS, TokenKind.OPAQUE):
        refresh = "it is a refresh token: it has the same form, and no API accepts it"
        yield Finding(
            id="token.ended",
            cause="the token has ended, or was never an access token here, and ZITADEL never says why",
            candidates=(
                "it has expired (access tokens live 12 hours by default), or its session was ended or revoked",
                "its user was deactivated, locked or removed since it was issued",
                *((refresh,) if kind is TokenKind.OPAQUE else ()),
                *_doubts(case),
            ),
            fix=("request a new access token with the same client credentials; the answer shows which it was",),
            otherwise=(
                "(200: the old one had expired or ended; 400 Errors.User.NotActive: its user is deactivated or locked; "
                "client not found: its user was removed, or belongs to another ZITADEL)",
            ),
        )
    likely = "." in case.token and not case.token.startswith("eyJ")  # another issuer's tokens may look so, too
    if form.missing:
        yield _copy("token.cut", f"the token is cut off (incomplete): {form.size}, {form.missing}", likely=likely)
    if kind is TokenKind.CUT:
        is_whole = "." in case.token  # a JWE, whose parts are complete
        unusual = "not valid, and its length is unusual" if is_whole else "cut off (incomplete)"
        yield Finding(
            id="token.cut",
            cause=f"the token is {unusual}: {form.size}; {LENGTHS}",
            likely=not is_whole,
            candidates=(
                *(("it is cut off (incomplete), or something was added",) if is_whole else ()),
                "it is the whole token of a user whose ID was chosen by hand, and it is no longer valid",
                *_doubts(case),
            ),
            fix=(
                "copy the whole token again; if it is complete, create or request a new one",
                _ask_administrator(case.evidence),
            ),
        )
    if kind is TokenKind.DOUBLED:
        yield _copy("token.doubled", "the token was pasted twice, one copy after the other")
    if kind is TokenKind.DAMAGED:
        yield Finding(
            id="token.damaged",
            cause="this is not a token of ZITADEL: it is another issuer's, or was damaged",
            fix=("use a token that this ZITADEL has issued: a PAT, or a token from its token endpoint",),
            otherwise=("if this ZITADEL did issue it: copy the whole token again",),
        )
    if kind is TokenKind.CLIENT_SECRET:
        yield Finding(
            id="token.client_secret",
            cause=f"this looks like a client secret ({SECRET_LENGTH} letters and digits), not like a token",
            likely=True,
            fix=("give a token: a PAT, or an access token that the token endpoint issues for this secret",),
            otherwise=("if it is a PAT, it is cut off: copy the whole token",),
        )
    if kind in (TokenKind.REFRESH, TokenKind.CODE):
        what = f"this is not an access token but {'an' if kind is TokenKind.CODE else 'a'} {kind}"
        yield Finding(id="token.another_value", cause=what, fix=(form.fix,))
    yield _copy("token.too_short", f"this is not a token of ZITADEL, or only a piece of one: {form.size}; {LENGTHS}")


def _doubts(case: _Case) -> tuple[str, ...]:
    """Return what is not about this token alone, and what no probe could rule out."""
    evidence, doubts = case.evidence, [f"it belongs to another ZITADEL than {case.settings.issuer}"]
    if evidence.administrator_is_active is False:
        doubts.append("ZITADEL_ADMIN_PAT is inactive as well: both may be of another (or a recreated) ZITADEL")
    if not evidence.refused(Probe.USERINFO) and case.form.kind is not TokenKind.PAT:
        doubts.append("it is valid, but not meant for this API (userinfo did not show it)")
    return (*doubts, "ZITADEL's database cannot be read, if it refuses all tokens")


def _ask_administrator(evidence: Evidence) -> str:
    if evidence.with_administrator and evidence.with_ids:
        return "ZITADEL_ADMIN_PAT did not show which: only an IAM_OWNER sees the users of all organizations"
    when = "shows which" if evidence.with_ids else "with PAT and ZDEMO_PAT_USER_ID set"
    return evidence.unusable_admin_pat or f"zdemo doctor{evidence.admin_option}  ({when})"


def _copy(name: str, cause: str, *, likely: bool = False) -> Finding:
    otherwise = ("if you no longer have it: create a new one",)
    return Finding(id=name, cause=cause, likely=likely, fix=(COPY,), otherwise=otherwise)
