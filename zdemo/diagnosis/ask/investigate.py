"""Ask ZITADEL about a token, and send the probes that show why the API would refuse it.

This module gathers the evidence; ``zdemo.diagnosis`` makes findings of it.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TypeVar

from zdemo.client import ROLE
from zdemo.config.environment import Environment
from zdemo.config.settings import Settings
from zdemo.diagnosis.ask.admin_lookup import AdminLookup, PatIds, pat_ids, unusable_admin_pat, usable_admin_pat
from zdemo.diagnosis.ask.probes import Prober, Replies, random_token
from zdemo.diagnosis.evidence import Evidence, Probe
from zdemo.diagnosis.finding import Finding, quoted, without_secrets
from zdemo.diagnosis.phrases import CLOCK_TOLERANCE_SECONDS
from zdemo.diagnosis.rules.active_token import finding_for_active, notes, refusal_of
from zdemo.diagnosis.rules.inactive_token import finding_for_inactive
from zdemo.diagnosis.rules.token_form import TokenForm, TokenKind, paste_problem, token_form
from zdemo.diagnosis.rules.unusable_response import finding_for_error
from zdemo.errors import (
    ConnectionFailed,
    CredentialsRefused,
    InsufficientScope,
    IntrospectionError,
    MissingTokenError,
    SettingsError,
    ZdemoError,
)
from zdemo.response import Response
from zdemo.zitadel.introspection_answer import Introspection
from zdemo.zitadel.introspection_client import IntrospectionClient
from zdemo.zitadel.refused_credentials import introspection_error, read_answer

T = TypeVar("T")

ABOUT_ZITADEL = (Probe.READY, Probe.HEALTH, Probe.DISCOVERY)
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


def investigate_with(
    environment: Environment,
    settings: Settings,
    token: str | None,
    *,
    role: str | None = ROLE,
    now: float,
    ids: PatIds | None = None,
) -> Investigation:
    """Investigate with an administrator's PAT, and the PAT's IDs, that the environment may hold."""
    return investigate(
        settings,
        token,
        role=role,
        now=now,
        admin_pat=usable_admin_pat(environment, settings.zitadel),
        unusable_admin_pat=unusable_admin_pat(environment, settings.zitadel),
        ids=ids or (pat_ids(environment, token) if token else None),
    )


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
        probes = []
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

    def _active(self, answer: Response, introspection: Introspection) -> Investigation:
        refusal = refusal_of(introspection, self.settings, role=self.role, now=self.now)
        evidence = self._evidence(answer)
        subject = introspection.text("sub")
        if isinstance(refusal, InsufficientScope) and subject:
            evidence = self._with_rights(self._with_assignments(evidence, subject, refusal.role))
        finding = finding_for_active(introspection, self.settings, evidence, role=self.role, now=self.now)
        found = notes(introspection, self.settings, self.role, now=self.now, evidence=evidence)
        if not (form := token_form(self.token)).sendable:
            found = (f"the token {form.problem}. {IGNORED}", *found)
        return Investigation(answer=answer, introspection=introspection, finding=finding, notes=found)

    def _with_assignments(self, evidence: Evidence, subject: str, role: str) -> Evidence:
        """Add the user's role assignments, listed with the token itself or else with the administrator's PAT."""
        found, replies = self.prober.assignments(subject)
        evidence = replace(evidence, replies=replies, assignments=found)
        if found is not None:
            return evidence
        found = self._look_up(lambda lookup: lookup.assignments(subject, role))
        return replace(evidence, assignments=found, assignments_from="ZITADEL_ADMIN_PAT")

    def _with_rights(self, evidence: Evidence) -> Evidence:
        """Add whether the token is an administrator's, and whether ZITADEL_ADMIN_PAT is not."""
        own = self.prober.own_rights()
        same = self.admin_pat == self.token.strip()
        other = self._look_up(AdminLookup.rights) if own and not same else None
        return replace(evidence, own_rights=own, is_admin_pat=same, admin_pat_rights=other)

    def _inactive(self, answer: Response, introspection: Introspection) -> Investigation:
        form = token_form(self.token)
        replies = self.prober.ask(*_probes_for(form, with_admin=self.admin_pat is not None))
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
    probes = [Probe.MADE_UP_CLIENT, Probe.READY]
    if form.problem or not form.sendable:
        return probes
    probes.append(Probe.USERINFO)
    probes += [Probe.DISCOVERY, Probe.KEYS] if form.kind is TokenKind.JWT else [Probe.WHOAMI]
    return [*probes, Probe.ADMINISTRATOR] if with_admin else probes


def clock_ahead_seconds(answer: Response, now: float) -> float | None:
    """Return how far this machine's clock is ahead of the answer's ``Date`` (resolution: 1 s); ``None`` without one.

    ``now`` is when the request was sent; the answer is assumed to have been written halfway.
    """
    return None if answer.date is None else now + answer.seconds / 2 - (answer.date + 0.5)


LONGEST_SHOWN = 60  # characters
PATIENCE_SECONDS = 1.0  # the name is an addition to an answer that is there


def username_in(introspection: Introspection | None) -> str:
    """Return the name in an introspection as it may be shown, or nothing."""
    return quoted(introspection.text("username"), LONGEST_SHOWN) if introspection else ""


def username_of(settings: Settings, token: str) -> str:
    """Return the name of a token's user, or nothing if ZITADEL does not give it at once."""
    seconds = min(settings.timeout_seconds, PATIENCE_SECONDS)
    try:
        with closing(IntrospectionClient(settings, timeout_seconds=seconds)) as client:
            return username_in(client.introspect(token))
    except (IntrospectionError, SettingsError):
        return ""


# algorithms of a JWT that are checked; a public key must never be used as a shared secret (RFC 8725 §3.1)
SIGNATURES = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "ES512", "EdDSA")


def signature_fits(token: str, form: TokenForm, replies: Replies) -> bool | None:
    """Return whether the key of this ZITADEL that a JWT names has signed it; ``None`` when that is unknown."""
    answer = replies.get(Probe.KEYS)
    keys = answer.json_object().get("keys") if isinstance(answer, Response) else None
    algorithm = form.header.get("alg")
    if form.kind is not TokenKind.JWT or not isinstance(keys, list) or algorithm not in SIGNATURES:
        return None
    key = next((k for k in keys if isinstance(k, dict) and k.get("kid") == form.header.get("kid")), None)
    if key is None:
        return None
    import jwt  # here, because it loads cryptography, which is slow to import

    try:
        jwt.PyJWS().decode(token.strip(), jwt.PyJWK.from_dict(key), algorithms=[algorithm])
    except jwt.InvalidSignatureError:
        return False
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    return True
