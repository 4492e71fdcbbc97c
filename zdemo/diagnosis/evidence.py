"""What is known: ZITADEL's answers to probes, the records that an administrator's PAT shows, and a case of a token.

A case is what rules judge.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Self

from zdemo.config.settings import Settings
from zdemo.diagnosis.finding import quoted
from zdemo.diagnosis.token_form import TokenForm, TokenKind
from zdemo.errors import ROLE_SCOPE, ConnectionFailed, IntrospectionError, Refused
from zdemo.errors.response import Response
from zdemo.errors.steps import Step
from zdemo.guard.authorization import NO_ROLE, Policy, RequiredRoles, authorize
from zdemo.zitadel.introspection_answer import INTROSPECTION_PATH, ROLES_CLAIM, Introspection, project_behind
from zdemo.zitadel.records import Application, Credential, Organization, Project, RoleAssignment, UserEvent

NO_RESPONSE = Response(status=0, headers={}, body=b"", seconds=0, url="")
CLOCK_TOLERANCE_SECONDS = 5  # ``Date`` has a resolution of 1 s, and an answer takes its time
OWN_API_SCOPE = "urn:zitadel:iam:org:project:id:zitadel:aud"
PROJECT_CLAIM = re.compile(r"urn:zitadel:iam:org:project:([^:]+):roles")
ID_LENGTH = 18  # digits of an ID that ZITADEL makes


@dataclass(frozen=True, kw_only=True)
class ClientRecords:
    """What a client ID belongs to, up to the first thing that is inactive."""

    whole_instance: bool = False  # whether the administrator sees everything: what is not listed does not exist
    application: Application | None = None
    project: Project | None = None
    organization: Organization | None = None
    keys: tuple[Credential, ...] | None = None  # only when zdemo uses a key file
    with_own_id: Application | None = None  # if there is none: the application with this resource ID


@dataclass(frozen=True, kw_only=True)
class PatIds:
    """Whose PAT a token is, and which."""

    user: str  # an ID or a login name
    pat_id: str = ""  # empty when it is unknown
    variable: str = "PAT"
    named_by: tuple[str, ...] = ("ZDEMO_PAT_USER_ID", "ZDEMO_PAT_ID")  # empty if setup's state file knows the token


@dataclass(frozen=True, kw_only=True)
class PatRecords(PatIds):
    """The user of a PAT and, when the PAT's ID is known, the PAT."""

    user_id: str  # empty when it is unknown
    state: str  # ``ACTIVE``, ``INACTIVE``, ``LOCKED`` or ``REMOVED``
    pats: tuple[Credential, ...] | None = None
    events: tuple[UserEvent, ...] | None = None  # ``None`` when the administrator may not read them
    all_events: bool = True  # false when older ones are missing

    @property
    def pat(self) -> Credential | None:
        """The PAT itself, if it is still listed."""
        return next((pat for pat in self.pats or () if pat.id == self.pat_id), None)

    @property
    def id_bytes(self) -> int | None:
        """How many bytes are sealed in the PAT: its ID, ``:`` and its user's ID; ``None`` when that is unknown."""
        return (len(self.pat_id) or ID_LENGTH) + 1 + len(self.user_id) if self.user_id else None

    @property
    def all_known(self) -> bool:
        """Whether the events show everything that happened since the PAT was made."""
        return self.events is not None and (
            self.all_events or self.last("user.pat.added", pat_id=self.pat_id) is not None
        )

    def last(self, *types: str, pat_id: str = "") -> UserEvent | None:
        """Return the latest event of these types, about one PAT if its ID is given."""
        events = [e for e in self.events or () if e.type in types and (not pat_id or e.pat_id == pat_id)]
        return max(events, key=lambda event: event.sequence, default=None)


@dataclass(frozen=True, kw_only=True)
class ApisQuestion:
    """A request of the API to zdemo's emulator, by its record; ``reason`` is empty for an active token."""

    path: str
    status: int
    token: str  # masked
    reason: str
    about_client: bool  # whether the reason is about the client and not about the form of the request
    client: str  # the application, if it is another than that of the settings


@dataclass(frozen=True, kw_only=True)
class EmulatorsReason:
    """Why zdemo's emulator refused; for what is unknown there, ``seconds`` is how long it has been running."""

    id: str
    seconds: float
    name: str


class Probe(StrEnum):
    """A question to ZITADEL; the value is its label in a line of evidence.

    ``cost`` orders questions: one is sent only after those that cost less did not decide.
    """

    cost: int

    def __new__(cls, label: str, cost: int) -> Self:
        """Make a probe with its cost."""
        probe = str.__new__(cls, label)
        probe._value_, probe.cost = label, cost
        return probe

    TOKEN = "introspection", 0  # a label, not a password
    EMULATOR = "emulator's record", 0
    APIS_QUESTION = "emulator's record of the API", 0
    DISCOVERY = "discovery", 1
    READY = "readiness", 1
    HEALTH = "health", 2
    ADMINISTRATOR = "administrator's PAT", 3  # whether it is active
    OWN_PAIR_AT_TOKEN_ENDPOINT = "token endpoint", 3  # a label, not a password
    ASSIGNMENTS = "role assignments", 3
    OWN_RIGHTS = "own rights", 3
    MADE_UP_CLIENT = "made-up client", 4
    USERINFO = "userinfo", 4
    ADMINISTRATOR_USERINFO = "userinfo of the administrator's PAT", 4
    CLIENT_RECORDS = "records of the client", 5
    PAT_RECORDS = "records of the PAT", 5
    ADMINISTRATOR_RIGHTS = "roles of the administrator's PAT", 5
    KEYS = "keys", 6
    WHOAMI = "own user", 6


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is known about a token, and about the ZITADEL that was asked; what is ``None`` is unknown."""

    replies: Mapping[Probe, Response | ConnectionFailed] = field(default_factory=dict)  # without those not sent
    late: frozenset[Probe] = frozenset()  # those that were needed, but got no response in time
    signature_fits: bool | None = None
    clock_ahead_seconds: float | None = None  # how far this machine's clock is ahead of ZITADEL's
    assignments: tuple[RoleAssignment, ...] | None = None
    assignments_from: str = "the token itself"  # the token that ZITADEL was asked with
    own_rights: tuple[str, ...] | None = None  # the administrator roles of the token's user
    is_admin_pat: bool = False  # whether the token is ZITADEL_ADMIN_PAT
    other_pat: str = ""  # where PAT is set to another token than --pat gave
    admin_pat_rights: tuple[str, ...] | None = None  # the administrator roles of its user
    with_administrator: bool = False  # whether there is an administrator's PAT
    unusable_admin_pat: Step = ""  # what to do before ZITADEL_ADMIN_PAT can be used
    admin_option: str = ""  # what a command that acts as an administrator needs at its end
    ids: PatIds | None = None  # of the token's user and the PAT, if they are known
    client_records: ClientRecords | None = None  # what the administrator's PAT showed
    pat_records: PatRecords | None = None
    emulators_reason: EmulatorsReason | None = None
    apis_questions: tuple[ApisQuestion, ...] | None = None  # during the call, the latest last
    is_setups_client: bool = False  # whether setup wrote CLIENT_ID

    # what the replies mean
    refused: frozenset[Probe] = field(init=False)  # with ZITADEL's JSON: a proxy's 401 says nothing about a token
    token_is_alive: bool = field(init=False)  # userinfo answers with the user's ID, as no catch-all page does
    administrator_is_active: bool | None = field(init=False)  # what introspection says of ZITADEL_ADMIN_PAT
    is_ready: bool = field(init=False)  # ZITADEL says that its database answers
    is_healthy: bool = field(init=False)  # ZITADEL's process is alive
    database_away: bool = field(init=False)  # ZITADEL itself says that it cannot reach its database
    issuer: str = field(init=False)  # the issuer that discovery names, or empty
    is_discovered: bool = field(init=False)  # discovery names an introspection endpoint with ZITADEL's path
    is_zitadel: bool = field(init=False)  # certainly, by its readiness check or by discovery
    clock_off_by: float = field(init=False)  # seconds, as ``clock_ahead_seconds``; 0 also when nothing is known

    def __post_init__(self) -> None:
        """Read the replies once, so that rules read plain values (ZITADEL's texts are ``"ok"``, ``ok``, and 412)."""
        userinfo, administrator, ready, health, discovery = map(
            self.answer, (Probe.USERINFO, Probe.ADMINISTRATOR, Probe.READY, Probe.HEALTH, Probe.DISCOVERY)
        )
        active = administrator.json_object().get("active") if administrator.status == 200 else None
        subject = userinfo.json_object().get("sub") if userinfo.status == 200 else None
        metadata = discovery.json_object() if discovery.status == 200 else {}
        endpoint = str(metadata.get("introspection_endpoint", ""))
        is_ready, is_discovered = ready.status == 200 and ready.json() == "ok", endpoint.endswith(INTROSPECTION_PATH)
        ahead = self.clock_ahead_seconds or 0
        vars(self).update(
            refused=frozenset(
                probe
                for probe in self.replies
                if (answer := self.answer(probe)).status == 401 and answer.json_object().get("error") == "access_denied"
            ),
            token_is_alive=isinstance(subject, str) and subject != "",
            administrator_is_active=active if isinstance(active, bool) else None,
            is_ready=is_ready,
            is_healthy=health.status == 200 and health.text.strip() == "ok",
            database_away=ready.status == 412,
            issuer=quoted(metadata.get("issuer")),
            is_discovered=is_discovered,
            is_zitadel=is_ready or is_discovered,
            clock_off_by=ahead if abs(ahead) > CLOCK_TOLERANCE_SECONDS else 0,
        )

    def answer(self, probe: Probe) -> Response:
        """Return the response to a probe; without one, its status is 0."""
        reply = self.replies.get(probe)
        return reply if isinstance(reply, Response) else NO_RESPONSE

    def failure(self, probe: Probe) -> ConnectionFailed | None:
        """Return why a probe got no response; ``None`` when it got one or was not sent."""
        reply = self.replies.get(probe)
        return reply if isinstance(reply, ConnectionFailed) else None


NOTHING = Evidence()
NO_SETTINGS = Settings(issuer="", client_id="", client_secret="")  # where they are unknown
UNREAD = TokenForm(kind=TokenKind.UNKNOWN, length=0)
NOT_ASKED = Introspection(active=False)  # where ZITADEL did not say whether the token is active


@dataclass(frozen=True, kw_only=True)
class ActiveToken:
    """What the introspection of an active token shows about its user's roles, and about the API application."""

    is_pat: bool
    may_list: bool  # whether ZITADEL lets it list its user's role assignments and administrator roles
    user: str  # as commands take it: the ID if hidden characters make the name look like another's
    project: str | None  # that the API application belongs to; ``None`` when that does not show
    requested: frozenset[str]  # the role keys in the scope: for a PAT all that the project defines
    defined: frozenset[str] | None  # the roles that the project defines, which only a PAT of this client shows
    granted: tuple[str, ...]  # in the configured project


def active_token(introspection: Introspection, settings: Settings) -> ActiveToken:
    """Read an introspection.

    A PAT's audience ends with the client ID and the project. The claim of a granted role names the project, and so
    does another token's audience when its only entry is not the client ID.
    """
    claims, scopes, audience = introspection.claims, introspection.scopes, introspection.audience
    is_pat = "client_id" not in claims  # only a PAT has none (ZITADEL)
    username, *others = (introspection.text(name) for name in ("username", "preferred_username", "sub"))
    requested = frozenset(scope.removeprefix(ROLE_SCOPE) for scope in scopes if scope.startswith(ROLE_SCOPE))
    project = project_behind(settings.client_id, audience) if is_pat else None
    named = [match[1] for claim in claims if (match := PROJECT_CLAIM.fullmatch(claim))]
    if not project and ROLES_CLAIM in claims and len(named) == 1:
        project = named[0]
    elif not project and len(audience) == 1 and audience[0] != settings.client_id:
        project = audience[0]
    return ActiveToken(
        is_pat=is_pat,
        may_list=is_pat or OWN_API_SCOPE in scopes,
        user=next((name for name in (username, *others) if name and name == quoted(name)), "USER"),
        project=project,
        requested=requested,
        defined=requested if is_pat and settings.client_id in audience else None,
        granted=tuple(introspection.roles(settings.project_id)),
    )


@dataclass(frozen=True, kw_only=True)
class TokenCase:
    """What is known about a token: ZITADEL's ``introspection``, or the ``error`` that came instead of one.

    ``token`` is empty where a random text was sent in its place. ``role`` is what the API requires, if anything.
    ``now`` is in epoch seconds.
    """

    settings: Settings = NO_SETTINGS
    token: str = field(default="", repr=False)
    form: TokenForm = UNREAD  # of the token
    role: str = ""
    introspection: Introspection = field(default=NOT_ASKED, repr=False)
    error: IntrospectionError | ConnectionFailed | None = None
    evidence: Evidence = NOTHING
    now: float = 0.0

    @property
    def answer(self) -> Response:
        """The response that came instead of the expected one; without one, its status is 0."""
        return self.error.answer or NO_RESPONSE if isinstance(self.error, IntrospectionError) else NO_RESPONSE

    @property
    def failure(self) -> ConnectionFailed | None:
        """Why no response came."""
        return self.error if isinstance(self.error, ConnectionFailed) else self.error.failure if self.error else None

    @property
    def zitadels_now(self) -> float:
        """The time by ZITADEL's clock: this machine's may be wrong."""
        return self.now - self.evidence.clock_off_by

    @cached_property
    def active(self) -> ActiveToken:
        """What an active token shows."""
        return active_token(self.introspection, self.settings)

    @cached_property
    def refusal(self) -> Refused | None:
        """Why the API refuses the token, decided by the function that the API uses; ``None`` when it accepts it."""
        return refusal_of(self.introspection, self.settings, role=self.role, now=self.now)


def refusal_of(introspection: Introspection, settings: Settings, *, role: str | None, now: float) -> Refused | None:
    """Return the API's refusal, decided by the function that the API uses; ``None`` when it accepts the token."""
    roles = RequiredRoles(all_of=(role,)) if role else NO_ROLE
    try:
        authorize(introspection, Policy.from_settings(settings), now=now, roles=roles)
    except Refused as refusal:
        return refusal.with_traceback(None)  # its frames hold what was asked about
    return None
