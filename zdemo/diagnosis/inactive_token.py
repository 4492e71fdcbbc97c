"""Why ZITADEL says ``{"active":false}``: about twenty causes and one answer, so much must stay open.

The rules are asked in order and the first that decides is the finding: first ZITADEL itself, then the text, then
whether the token lives for others, then what a JWT says, then what is left for a token of this form.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from zdemo.config.settings import Settings
from zdemo.diagnosis.evidence import NOTHING, Evidence, Probe
from zdemo.diagnosis.finding import Certainty, Finding
from zdemo.diagnosis.inactive_jwt import finding_for_jwt
from zdemo.diagnosis.inactive_other import finding_for_dead
from zdemo.diagnosis.inactive_pat import finding_for_pat_records
from zdemo.diagnosis.phrases import audience_scope, described, health, not_told, shown_list
from zdemo.diagnosis.token_form import TokenForm, TokenKind, paste_problem, token_form
from zdemo.diagnosis.unusable_response import database_away

SESSION_API_REFUSAL = "AUTHZ-Kl3p0"  # ZITADEL: a Session API token at an API that wants an access token


@dataclass(frozen=True, kw_only=True)
class Inactive:
    """What is known of an inactive token."""

    token: str
    form: TokenForm
    settings: Settings
    evidence: Evidence
    now: float

    @property
    def seen(self) -> tuple[tuple[str, str], ...]:
        """The evidence that most findings rest on."""
        lines = []
        if self.evidence.status(Probe.MADE_UP_CLIENT) == 400:
            ours = "key" if self.settings.key else "client ID and secret"
            lines.append(("credentials", f"good: ZITADEL answers this API's {ours}, and refuses others"))
        lines.append(("form", self.form.described))
        if self.evidence.token_is_dead:
            lines.append(("userinfo", "refused too: the token is dead, not merely meant for another API"))
        elif self.evidence.token_is_alive:
            lines.append(("userinfo", "answered: the token is alive"))
        elif userinfo := self.evidence.answer(Probe.USERINFO):
            lines.append(("userinfo", f"answers {described(userinfo)}, not as ZITADEL does: that says nothing"))
        if self.evidence.administrator_is_active:
            lines.append(("another", "the administrator's PAT is active: ZITADEL itself is sound"))
        return (*lines, *not_told(self.evidence, self.form.sendable))


def finding_for_inactive(token: str, settings: Settings, evidence: Evidence = NOTHING, *, now: float) -> Finding:
    """Why a token is inactive, as far as it can be known. Never a wrong single cause: see ``Finding.certainty``."""
    case = Inactive(token=token, form=token_form(token), settings=settings, evidence=evidence, now=now)
    for rule in _RULES:
        if finding := rule(case):
            return finding
    return _recorded(case) or finding_for_dead(case.form, settings.issuer, evidence, case.seen)


def _recorded(case: Inactive) -> Finding | None:
    """What an administrator sees of the PAT; of a text that is too short it tells only if the user's ID is as short."""
    evidence, records = case.evidence, case.evidence.pat_records
    short = case.form.kind is TokenKind.CUT and records is not None and records.length is not None
    if not short and case.form.kind not in (TokenKind.PAT, TokenKind.UNKNOWN):
        return None
    return finding_for_pat_records(records, case.form.length, case.seen, now=evidence.looked_up_at)


def _zitadel_is_sick(case: Inactive) -> Finding | None:
    """A sound ZITADEL refuses a made-up client with 400; one that cannot read its clients says 200 to all."""
    return zitadel_is_sick(case.settings.issuer, case.evidence)


def zitadel_is_sick(issuer: str, evidence: Evidence) -> Finding | None:
    """The finding when ZITADEL's database is away, or cannot be read in part; ``None`` when nothing shows that."""
    made_up = evidence.answer(Probe.MADE_UP_CLIENT)
    everything_inactive = made_up is not None and made_up.status == 200 and made_up.json_object().get("active") is False
    seen = (
        *(
            (("made-up client", "answered 200 inactive, where a sound ZITADEL answers 400"),)
            if everything_inactive
            else ()
        ),
        *health(evidence),
    )
    if evidence.database_away:
        return database_away(issuer, seen)
    if not everything_inactive:
        return None
    return Finding(
        id="zitadel.database_sick",
        cause="ZITADEL cannot read its database: it says inactive to everything, even to a made-up client",
        seen=seen,
        fix=(
            "look at ZITADEL's database (PostgreSQL) and its log: a table that cannot be read, a role or a migration; "
            "then try again",
            f"curl -i {issuer}/debug/ready",
        ),
    )


def _pasted(case: Inactive) -> Finding | None:
    return paste_problem(case.token)


def _another_value(case: Inactive) -> Finding | None:
    """A value of the settings, or an ID, where the token should be."""
    what = ""
    if case.settings.client_secret and case.token.strip() == case.settings.client_secret:
        what = "the API application's client secret (CLIENT_SECRET)"
    elif case.token.strip() == case.settings.client_id:
        what = "the API application's client ID (CLIENT_ID)"
    elif case.form.kind is TokenKind.ID_NUMBER:
        what = "an ID of ZITADEL (digits only)"
    if not what:
        return None
    return Finding(
        id="token.another_value",
        cause=f"this is no token but {what}",
        seen=(("form", case.form.described),),
        fix=("give the token itself: a PAT is shown once, when it is created (71 characters)",),
    )


def _alive_elsewhere(case: Inactive) -> Finding | None:
    if not case.evidence.token_is_alive:
        return None
    if case.form.kind is TokenKind.PAT:
        return _contradiction(case)
    project = case.settings.project_id or case.evidence.project_id(case.settings.client_id)
    audience = case.form.claims.get("aud")
    seen = case.seen
    if audience:
        seen += (("audience", shown_list(audience)),)
    return Finding(
        id="token.other_audience",
        cause="the token is alive, but not meant for this API: its audience names neither this API application nor "
        "its project",
        seen=seen,
        fix=(
            f"request it with the scope {audience_scope(project)}",
            *(() if project else ("PROJECT_ID is the ID of the project that the API application belongs to",)),
            "if it was requested for another project on purpose: use an API application of that project",
        ),
    )


def _contradiction(case: Inactive) -> Finding:
    """ZITADEL takes any PAT for meant for any API, so that the audience cannot be the reason."""
    return Finding(
        id="token.contradiction",
        cause="ZITADEL contradicts itself: userinfo takes this PAT, and introspection calls it inactive",
        certainty=Certainty.OPEN,
        candidates=(
            "its user was changed a moment ago, and not all of ZITADEL has noticed",
            "ZITADEL's database is in trouble",
        ),
        seen=(*case.seen, *health(case.evidence)),
        fix=("ask once more; if it stays so, look at ZITADEL's log and database",),
    )


def _session_api(case: Inactive) -> Finding | None:
    whoami = case.evidence.answer(Probe.WHOAMI)
    proven = whoami is not None and whoami.status == 403 and SESSION_API_REFUSAL in whoami.text
    if not proven and case.form.kind is not TokenKind.SESSION_API:
        return None
    seen = case.seen
    if proven:
        seen += (("own user", f"ZITADEL's API refuses it with 403 {SESSION_API_REFUSAL}, as Session API tokens"),)
    return Finding(
        id="token.session_api",
        cause="this is a Session API token (from CreateSession), not an access token: no API takes it",
        certainty=Certainty.CERTAIN if proven else Certainty.LIKELY,
        seen=seen,
        fix=("use a PAT of a service user, or an OIDC access token",),
    )


def _jwt(case: Inactive) -> Finding | None:
    if case.form.kind is not TokenKind.JWT:
        return None
    return finding_for_jwt(case.form, case.settings, case.evidence, case.seen, now=case.now)


_RULES: tuple[Callable[[Inactive], Finding | None], ...] = (
    _zitadel_is_sick,
    _pasted,
    _another_value,
    _alive_elsewhere,
    _jwt,
    _session_api,
)
