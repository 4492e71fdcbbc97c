"""What exists already, as the plan needs it: pure, filled by ``look``."""

from dataclasses import dataclass
from enum import StrEnum

from zdemo.setup.options import SetupOptions
from zdemo.setup.state_file import IssuedCredential, SetupState
from zdemo.zitadel.records import Administrator, Application, Auth, Project, RoleAssignment, User


class CredentialState(StrEnum):
    """What ``.env`` holds of a PAT, or of the application's secret or key."""

    GOOD = "good"
    MISSING = "missing"
    REFUSED = "refused"  # ZITADEL does not accept it
    OTHER = "other"  # it is another user's


@dataclass(frozen=True, kw_only=True)
class UserFields:
    """The names of what belongs to one service account: fields of the state, a setting and an option."""

    user_id: str
    pats: str
    setting: str
    option: str

    def id_in(self, state: SetupState) -> str:
        """Return the ID that setup chose for the user."""
        return str(getattr(state, self.user_id))

    def issued(self, state: SetupState) -> tuple[IssuedCredential, ...]:
        """Return the PATs that setup created for the user."""
        return tuple(getattr(state, self.pats))


READER = UserFields(user_id="reader_id", pats="reader_pats", setting="PAT", option="--reader-name")
VISITOR = UserFields(user_id="visitor_id", pats="visitor_pats", setting="ZDEMO_VISITOR_PAT", option="--visitor-name")


@dataclass(frozen=True, kw_only=True)
class CurrentUser:
    """One of the two service accounts; ``name`` is the one that was asked for.

    ``lost``: the IDs of PATs that cannot be used: their texts were lost, or they are dead. ``elsewhere``: how many
    others setup issued before; they may be in use.
    """

    fields: UserFields
    name: str
    user: User | None = None
    assignment: RoleAssignment | None = None
    pat: CredentialState = CredentialState.MISSING
    pat_expires: int | None = None
    lost: tuple[str, ...] = ()
    elsewhere: int = 0


@dataclass(frozen=True, kw_only=True)
class CurrentState:
    """Everything that the plan depends on.

    ``permissions`` is ``None`` when ZITADEL does not say. ``credentials`` is what ``.env`` holds for the application.
    ``lost_keys`` are as a user's lost PATs; ``issued_keys`` are those that setup wrote to a file.
    ``foreign_admin_pat``: ``.env`` holds the emulator's administrator's PAT, but this ZITADEL is another one.
    """

    issuer: str
    state: SetupState
    options: SetupOptions
    admin: Administrator
    permissions: frozenset[str] | None
    project: Project | None
    role_keys: tuple[str, ...]
    application: Application | None
    credentials: CredentialState
    lost_keys: tuple[str, ...]
    issued_keys: tuple[str, ...]
    reader: CurrentUser
    visitor: CurrentUser
    foreign_admin_pat: bool = False

    @property
    def users(self) -> tuple[CurrentUser, CurrentUser]:
        """Both service accounts, the reader first."""
        return self.reader, self.visitor

    @property
    def auth(self) -> Auth:
        """How the application is to authenticate."""
        return self.options.auth_for(self.application)

    def owns(self, thing: Project | Application | User | None) -> bool:
        """Return whether setup created this object."""
        return thing is not None and self.state.owns(thing.id)
