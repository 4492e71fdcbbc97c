"""Ask ZITADEL about a token, and send the probes that show why the API would refuse it.

This module gathers the evidence; ``zdemo.diagnosis`` makes findings of it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from zdemo.client import ROLE
from zdemo.config.settings import Settings
from zdemo.diagnosis import (
    CLOCK_TOLERANCE_SECONDS,
    JUST_CHANGED,
    Evidence,
    Finding,
    Probe,
    TokenForm,
    TokenKind,
    finding_for_active,
    finding_for_error,
    finding_for_inactive,
    notes,
    own_project,
    paste_problem,
    refusal_of,
    token_form,
    without_secrets,
)
from zdemo.errors import (
    ConnectionFailed,
    CredentialsRefused,
    InsufficientScope,
    IntrospectionError,
    MissingTokenError,
    ZdemoError,
)
from zdemo.http.response import Response
from zdemo.introspection.model import RESOURCE_OWNER, Introspection
from zdemo.introspection.refusals import introspection_error, read_answer
from zdemo.investigation.admin_lookup import AdminLookup, PatIds
from zdemo.investigation.jwt_signature import signature_fits
from zdemo.investigation.probes import Prober, random_token

T = TypeVar("T")

ABOUT_ZITADEL = (Probe.READY, Probe.HEALTH, Probe.DISCOVERY)
CHANGED = (
    "ZITADEL called this token inactive, and active a moment later: its user was changed just now, or ZITADEL's "
    "database is in trouble"
)
IGNORED = "ZITADEL ignores it, but no client can send it in a header field: all of this applies to the token alone"


@dataclass(frozen=True, kw_only=True)
class Investigation:
    """What ZITADEL says about a token, and why the API would refuse it.

    ``answer`` is ZITADEL's response to the introspection, and ``error`` says why there is no introspection.
    ``finding`` is ``None`` when the token is active, in time, meant for this API, and has the required role.
    """

    answer: Response | None = field(default=None, repr=False)
    introspection: Introspection | None = field(default=None, repr=False)
    error: ZdemoError | None = None
    finding: Finding | None = None
    notes: tuple[str, ...] = ()


def investigate(
    settings: Settings,
    token: str | None,
    *,
    role: str | None = ROLE,
    now: float,
    admin_pat: str | None = None,
    unusable_admin_pat: str = "",
    ids: PatIds | None = None,
) -> Investigation:
    """Return why the API would refuse a token, within ``settings.timeout_seconds`` in all.

    Without a token, ZITADEL is asked about a random text, which shows only whether it accepts the credentials.
    The token is judged by ``now`` (epoch seconds). ``admin_pat`` adds what only an administrator's PAT shows: whether
    another token is active, the API application's project, what a refused client ID belongs to, and, with ``ids``,
    what happened to a dead PAT. ``unusable_admin_pat`` is what to do before one that is set can be used.

    Raises SettingsError if the CA bundle that the environment names cannot be used.
    """
    text = random_token() if token is None else token
    if not _can_be_sent(text):
        problem = paste_problem(text)
        error = MissingTokenError("the token cannot be sent", hint="give the token alone, as ZITADEL shows it")
        return Investigation(error=error, finding=problem)
    with Prober(settings, text, admin_pat=admin_pat) as prober:
        found = _Investigator(
            prober=prober,
            settings=settings,
            token=text,
            made_up=token is None,
            role=role,
            now=now,
            admin_pat=admin_pat,
            unusable_admin_pat=unusable_admin_pat,
            ids=ids,
        ).investigate()
        hidden = prober.secrets
    return replace(
        found,
        finding=found.finding.without(hidden) if found.finding else None,
        notes=tuple(without_secrets(note, hidden) for note in found.notes),
    )


def _can_be_sent(token: str) -> bool:
    """Return whether a text can stand in a form: it is not blank, and has no undecodable bytes of the environment."""
    try:
        return bool(token.encode().strip())
    except UnicodeEncodeError:
        return False


@dataclass(frozen=True, kw_only=True)
class _Investigator:
    """Sends the introspection, and then the probes that its answer calls for; ``made_up``: the token is random."""

    prober: Prober
    settings: Settings
    token: str
    made_up: bool
    role: str | None
    now: float
    admin_pat: str | None = field(repr=False)
    unusable_admin_pat: str
    ids: PatIds | None

    def investigate(self) -> Investigation:
        first, health = self.prober.introspect()
        if isinstance(first, ConnectionFailed):
            error = introspection_error(first)
            finding = finding_for_error(error, self.settings, Evidence(replies=health))
            return Investigation(error=error, finding=finding)
        try:
            introspection = read_answer(first, with_key=self.settings.key is not None)
        except IntrospectionError as refusal:
            return self._no_introspection(first, refusal)
        if introspection.active:
            return self._active(first, introspection)
        return self._inactive(first, introspection)

    def _no_introspection(self, answer: Response, error: IntrospectionError) -> Investigation:
        refused = isinstance(error, CredentialsRefused)
        evidence = replace(
            self._evidence(answer),
            replies=self.prober.ask(*(self._probes_of_the_credentials(answer) if refused else ABOUT_ZITADEL)),
            client_records=self._look_up(lambda lookup: lookup.client(self.settings)) if refused else None,
            token_kind=None if self.made_up else token_form(self.token).kind,
        )
        return Investigation(answer=answer, error=error, finding=finding_for_error(error, self.settings, evidence))

    def _probes_of_the_credentials(self, answer: Response) -> list[Probe]:
        issuer = self.settings.issuer
        probes = [Probe.RANDOM_TOKEN]
        if self.settings.key:
            probes.append(Probe.DISCOVERY)
        elif answer.status == 400:
            probes.append(Probe.OWN_PAIR_AT_TOKEN_ENDPOINT)
        if not self.made_up and _would_be_taken(self.token, issuer):
            probes.append(Probe.USERINFO)
        if self.admin_pat and _would_be_taken(self.admin_pat, issuer):
            probes.append(Probe.ADMINISTRATOR_USERINFO)
        return probes

    def _evidence(self, answer: Response) -> Evidence:
        """Return the evidence of the first answer; what records say about time is judged by ZITADEL's clock."""
        ahead = clock_ahead_seconds(answer, self.now)
        return Evidence(
            clock_ahead_seconds=ahead,
            looked_up_at=self.now - (ahead if ahead and abs(ahead) > CLOCK_TOLERANCE_SECONDS else 0),
            with_administrator=self.admin_pat is not None,
            unusable_admin_pat=self.unusable_admin_pat,
            with_ids=self.ids is not None,
            from_setup=self.ids is not None and not self.ids.named_by,
        )

    def _look_up(self, question: Callable[[AdminLookup], T | None]) -> T | None:
        """Return what the administrator's PAT shows; ``None`` without such a PAT, or without time left."""
        admin_pat = self.admin_pat
        if not admin_pat or not self.prober.has_time:
            return None
        zitadel = self.settings.zitadel
        with AdminLookup(zitadel, admin_pat, seconds_left=lambda: self.prober.seconds_left) as lookup:
            return question(lookup)

    def _active(self, answer: Response, introspection: Introspection, *more: str) -> Investigation:
        refusal = refusal_of(introspection, self.settings, role=self.role, now=self.now)
        evidence = self._evidence(answer)
        subject = introspection.text("sub")
        if isinstance(refusal, InsufficientScope) and subject:
            evidence = self._with_rights(self._with_assignments(evidence, subject, refusal.role))
            evidence = self._with_guest(evidence, introspection)
        finding = finding_for_active(introspection, self.settings, evidence, role=self.role, now=self.now)
        if finding and finding.id == JUST_CHANGED:
            evidence = replace(evidence, replies={**evidence.replies, **self.prober.ask(Probe.AGAIN)})
            finding = finding_for_active(introspection, self.settings, evidence, role=self.role, now=self.now)
        more_notes = notes(introspection, self.settings, self.role, now=self.now, evidence=evidence)
        if not (form := token_form(self.token)).sendable:
            more = (*more, f"the token {form.problem}. {IGNORED}")
        return Investigation(
            answer=answer,
            introspection=introspection,
            finding=finding,
            notes=(*more, *more_notes),
        )

    def _with_assignments(self, evidence: Evidence, subject: str, role: str) -> Evidence:
        """Add the user's role assignments, listed with the token itself or else with the administrator's PAT."""
        found, replies = self.prober.assignments(subject)
        evidence = replace(evidence, replies=replies, assignments=found)
        if found is not None:
            return evidence
        found = self._look_up(lambda lookup: lookup.assignments(subject, role))
        return replace(evidence, assignments=found, assignments_from="ZITADEL_ADMIN_PAT")

    def _with_guest(self, evidence: Evidence, introspection: Introspection) -> Evidence:
        """Add what gives the user's organization roles of the project, if another one owns that."""
        organization = introspection.text(f"{RESOURCE_OWNER}:id"), introspection.text(f"{RESOURCE_OWNER}:name")
        project_id = own_project(introspection, self.settings)
        if not organization[0] or not project_id:
            return evidence
        return replace(evidence, guest_records=self._look_up(lambda lookup: lookup.guest(organization, project_id)))

    def _with_rights(self, evidence: Evidence) -> Evidence:
        """Add whether the token is an administrator's, and whether ZITADEL_ADMIN_PAT is not."""
        own = self.prober.own_rights()
        same = self.admin_pat == self.token.strip()
        other = self._look_up(AdminLookup.rights) if own and not same else None
        return replace(evidence, own_rights=own, is_admin_pat=same, admin_pat_rights=other)

    def _inactive(self, answer: Response, introspection: Introspection) -> Investigation:
        form = token_form(self.token)
        replies = self.prober.ask(*_probes_for(form, with_admin=self.admin_pat is not None))
        again = replies.get(Probe.AGAIN)
        if isinstance(again, Response) and (changed := _active_now(again)):
            return self._active(again, changed, CHANGED)
        ids = self.ids
        evidence = replace(
            self._evidence(answer),
            replies=replies,
            signature_fits=signature_fits(self.token, form, replies),
            pat_records=self._look_up(lambda lookup: lookup.pat(ids)) if ids else None,
        )
        finding = finding_for_inactive(self.token, self.settings, evidence, now=self.now)
        return Investigation(answer=answer, introspection=introspection, finding=finding)


def _would_be_taken(token: str, issuer: str) -> bool:
    """Return whether a token has the form of this ZITADEL's tokens: only then does a refusal mean anything."""
    form = token_form(token)
    return form.is_access_token and (form.kind is not TokenKind.JWT or form.claims.get("iss") == issuer)


def _probes_for(form: TokenForm, *, with_admin: bool) -> list[Probe]:
    """Return the probes that narrow down why a token of this form is inactive."""
    probes = [Probe.MADE_UP_CLIENT, Probe.READY, Probe.AGAIN]
    if form.problem or not form.sendable:
        return probes
    probes.append(Probe.USERINFO)
    probes += [Probe.DISCOVERY, Probe.KEYS] if form.kind is TokenKind.JWT else [Probe.WHOAMI]
    return [*probes, Probe.ADMINISTRATOR] if with_admin else probes


def _active_now(answer: Response) -> Introspection | None:
    try:
        introspection = read_answer(answer)
    except IntrospectionError:
        return None
    return introspection if introspection.active else None


def clock_ahead_seconds(answer: Response, now: float) -> float | None:
    """Return how far this machine's clock is ahead of the answer's ``Date`` (resolution: 1 s); ``None`` without one.

    ``now`` is when the request was sent; the answer is assumed to have been written halfway.
    """
    return None if answer.date is None else now + answer.seconds / 2 - (answer.date + 0.5)
