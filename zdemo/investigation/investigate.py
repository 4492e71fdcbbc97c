"""Ask ZITADEL about a token, and then the further questions that tell why the API would refuse it.

It gathers the evidence; what that means is said in ``zdemo.diagnosis``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime

from zdemo.config.settings import Settings
from zdemo.diagnosis import (
    LINE_END_INSIDE,
    ClientRecords,
    Evidence,
    Finding,
    PatRecords,
    Probe,
    TokenForm,
    TokenKind,
    finding_for_active,
    finding_for_error,
    finding_for_inactive,
    notes,
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
from zdemo.introspection.model import Introspection
from zdemo.introspection.refusals import introspection_error, read_answer
from zdemo.investigation.admin_lookup import AdminLookup, PatIds
from zdemo.investigation.probes import LEAST_SECONDS, Prober, Replies, random_token

SCOPED_ROLE = "read:messages"
# what a JWT may be signed with here; a key of the public list must never be used as a shared secret (RFC 8725 §3.1)
SIGNATURES = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "ES512", "EdDSA")
WAVERED = (
    "ZITADEL called this token inactive, and active when it was asked once more: its user was changed a moment ago, "
    "or ZITADEL's database is in trouble"
)
OVERLOOKED = (
    "the token has a line end inside. ZITADEL overlooks that, but no client can send it in a header field, and no API "
    "takes it so: what is said here holds for the token without the line end"
)


@dataclass(frozen=True, kw_only=True)
class Investigation:
    """What came out. ``answer`` is ZITADEL's introspection answer as it is, ``error`` why there is no introspection.

    ``finding`` is ``None`` when the token is active, in time, meant for this API, and has the role that was asked for.
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
    role: str | None = SCOPED_ROLE,
    now: float,
    admin_pat: str | None = None,
    ids: PatIds | None = None,
) -> Investigation:
    """Find out why the API would refuse a token, within ``settings.timeout_seconds`` in all.

    Without a token, ZITADEL is asked about a random text: whether it takes our credentials shows then, and no more.
    ``now`` (epoch seconds) is the time by which the token is judged. ``admin_pat`` adds what only an administrator's
    PAT shows: whether another token is good, the API application's project, what our client ID is when it is refused,
    and, by the ``ids`` of a PAT that is dead, what became of it.

    Raises:
        SettingsError: the CA bundle that the environment names cannot be used.
    """
    text = random_token() if token is None else token
    if not _can_be_sent(text):
        problem = paste_problem(text)
        error = MissingTokenError("the token cannot be sent", hint="give the token alone, as ZITADEL showed it")
        return Investigation(error=error, finding=problem)
    with Prober(settings, text, admin_pat=admin_pat) as inquiry:
        case = Inputs(
            settings=settings, token=text, made_up=token is None, role=role, now=now, admin_pat=admin_pat, ids=ids
        )
        found = _Investigator(inquiry, case).investigate()
        hidden = inquiry.secrets
    return replace(
        found,
        finding=found.finding.without(hidden) if found.finding else None,
        notes=tuple(without_secrets(remark, hidden) for remark in found.notes),
    )


def _can_be_sent(token: str) -> bool:
    """Whether there is something, and it can stand in a form: bytes of the environment that are no text cannot."""
    try:
        return bool(token.encode().strip())
    except UnicodeEncodeError:
        return False


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What is asked about, and by what it is judged. ``made_up``: the token is a text of our own."""

    settings: Settings
    token: str
    made_up: bool
    role: str | None
    now: float
    admin_pat: str | None = field(default=None, repr=False)
    ids: PatIds | None = None


class _Investigator:
    """From the first answer to the questions that it calls for."""

    def __init__(self, inquiry: Prober, case: Inputs) -> None:
        self._inquiry = inquiry
        self._case = case

    def investigate(self) -> Investigation:
        first, health = self._inquiry.introspect()
        if isinstance(first, ConnectionFailed):
            error = introspection_error(first)
            finding = finding_for_error(error, self._case.settings, Evidence(replies=health))
            return Investigation(error=error, finding=finding)
        try:
            introspection = read_answer(first, with_key=self._case.settings.key is not None)
        except IntrospectionError as refusal:
            return self._no_introspection(first, refusal)
        if introspection.active:
            return self._active(first, introspection)
        return self._inactive(first, introspection)

    def _no_introspection(self, answer: Response, error: IntrospectionError) -> Investigation:
        questions = [Probe.READY, Probe.HEALTH]
        if isinstance(error, CredentialsRefused):
            questions = [Probe.RANDOM_TOKEN]
            if self._case.settings.key:
                questions.append(Probe.DISCOVERY)
            elif answer.status == 400:
                questions.append(Probe.OWN_PAIR_AT_TOKEN_ENDPOINT)
            if not self._case.made_up and _would_be_taken(self._case.token, self._case.settings.issuer):
                questions.append(Probe.USERINFO)
            if self._case.admin_pat and _would_be_taken(self._case.admin_pat, self._case.settings.issuer):
                questions.append(Probe.ADMINISTRATOR_USERINFO)
        evidence = Evidence(
            replies=self._inquiry.ask(*questions),
            clock_ahead_seconds=clock_ahead_seconds(answer, self._case.now),
            client_records=self._client_records() if isinstance(error, CredentialsRefused) else None,
            looked_up_at=self._case.now,
            token_kind=None if self._case.made_up else token_form(self._case.token).kind,
            with_administrator=self._case.admin_pat is not None,
        )
        return Investigation(
            answer=answer, error=error, finding=finding_for_error(error, self._case.settings, evidence)
        )

    def _client_records(self) -> ClientRecords | None:
        case = self._case
        if not case.admin_pat or self._inquiry.seconds_left <= LEAST_SECONDS:
            return None
        with self._administration(case.admin_pat) as administration:
            return administration.client(case.settings)

    def _pat_records(self) -> PatRecords | None:
        case = self._case
        if not case.admin_pat or not case.ids or self._inquiry.seconds_left <= LEAST_SECONDS:
            return None
        with self._administration(case.admin_pat) as administration:
            return administration.pat(case.ids)

    def _administration(self, admin_pat: str) -> AdminLookup:
        issuer = self._case.settings.issuer
        return AdminLookup(issuer, admin_pat, seconds_left=lambda: self._inquiry.seconds_left)

    def _active(self, answer: Response, introspection: Introspection, *more: str) -> Investigation:
        case = self._case
        refusal = refusal_of(introspection, case.settings, role=case.role, now=case.now)
        evidence = Evidence(
            clock_ahead_seconds=clock_ahead_seconds(answer, case.now), with_administrator=case.admin_pat is not None
        )
        subject = introspection.text("sub")
        if isinstance(refusal, InsufficientScope) and subject:
            evidence = self._with_assignments(evidence, subject, refusal.role)
        said = notes(introspection, case.settings, case.role, now=case.now, evidence=evidence)
        if token_form(case.token).problem == LINE_END_INSIDE:
            more = (*more, OVERLOOKED)
        return Investigation(
            answer=answer,
            introspection=introspection,
            finding=finding_for_active(introspection, case.settings, evidence, role=case.role, now=case.now),
            notes=(*more, *said),
        )

    def _with_assignments(self, evidence: Evidence, subject: str, role: str) -> Evidence:
        """The user's role assignments: asked with the token itself and, if it may not, with the administrator's PAT."""
        found, replies = self._inquiry.assignments(subject)
        evidence = replace(evidence, replies=replies, assignments=found)
        admin_pat = self._case.admin_pat
        if found is not None or not admin_pat or self._inquiry.seconds_left <= LEAST_SECONDS:
            return evidence
        with self._administration(admin_pat) as administration:
            found = administration.assignments(subject, role)
        return replace(evidence, assignments=found, assignments_from="ZITADEL_ADMIN_PAT")

    def _inactive(self, answer: Response, introspection: Introspection) -> Investigation:
        case = self._case
        form = token_form(case.token)
        replies = self._inquiry.ask(*_questions_for(form, with_admin=case.admin_pat is not None))
        again = replies.get(Probe.AGAIN)
        if isinstance(again, Response) and (changed := _active_now(again)):
            return self._active(again, changed, WAVERED)
        evidence = Evidence(
            replies=replies,
            signature_fits=signature_fits(case.token, form, replies),
            clock_ahead_seconds=clock_ahead_seconds(answer, case.now),
            pat_records=self._pat_records(),
            looked_up_at=case.now,
            with_administrator=case.admin_pat is not None,
            with_ids=case.ids is not None,
        )
        finding = finding_for_inactive(case.token, case.settings, evidence, now=case.now)
        return Investigation(answer=answer, introspection=introspection, finding=finding)


def _would_be_taken(token: str, issuer: str) -> bool:
    """Whether a token has the form of one that this ZITADEL would take: only then does a refusal tell anything."""
    form = token_form(token)
    own_jwt = form.kind is TokenKind.JWT and form.claims.get("iss") == issuer
    return own_jwt or form.kind in (TokenKind.PAT, TokenKind.OPAQUE)


def _questions_for(form: TokenForm, *, with_admin: bool) -> list[Probe]:
    """What narrows down why a token of this form is inactive."""
    questions = [Probe.MADE_UP_CLIENT, Probe.READY, Probe.AGAIN]
    if form.problem or not form.sendable:
        return questions
    questions.append(Probe.USERINFO)
    questions += [Probe.DISCOVERY, Probe.KEYS] if form.kind is TokenKind.JWT else [Probe.WHOAMI]
    return [*questions, Probe.ADMINISTRATOR] if with_admin else questions


def _active_now(answer: Response) -> Introspection | None:
    try:
        introspection = read_answer(answer)
    except IntrospectionError:
        return None
    return introspection if introspection.active else None


def clock_ahead_seconds(answer: Response, now: float) -> float | None:
    """By how much this machine's clock is ahead of the answer's ``Date`` (resolution: 1 s); ``None`` without one.

    ``now`` is when the question was sent; the answer is taken to be written half-way.
    """
    try:
        date = parsedate_to_datetime(answer.headers.get("date", ""))
        return now + answer.seconds / 2 - (date.timestamp() + 0.5)
    except (ValueError, OverflowError, OSError):
        return None


def signature_fits(token: str, form: TokenForm, replies: Replies) -> bool | None:
    """Whether a JWT was signed with the key of this ZITADEL that it names; ``None`` when that cannot be told."""
    answer = replies.get(Probe.KEYS)
    keys = answer.json_object().get("keys") if isinstance(answer, Response) else None
    algorithm = form.header.get("alg")
    if form.kind is not TokenKind.JWT or not isinstance(keys, list) or algorithm not in SIGNATURES:
        return None
    key = next((k for k in keys if isinstance(k, dict) and k.get("kid") == form.header.get("kid")), None)
    if key is None:
        return None
    import jwt  # loads cryptography, which is dear and needed for nothing else here

    try:
        jwt.PyJWS().decode(token.strip(), jwt.PyJWK.from_dict(key), algorithms=[algorithm])
    except jwt.InvalidSignatureError:
        return False
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    return True
