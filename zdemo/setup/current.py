"""What a person asks setup for, and what exists already, as the plan needs both: pure, filled by ``look``."""

import re
from dataclasses import dataclass
from enum import StrEnum

from zdemo.config.names import MANAGER_ROLES
from zdemo.errors import UsageError
from zdemo.http.example_api import ROLE
from zdemo.setup.state_file import IssuedCredential, SetupState
from zdemo.zitadel.records import Application, Auth, Organization, Project, RoleAssignment, User

LONGEST_NAME = 200  # characters (ZITADEL: of every name and role key)
BROKEN_IN_ROLES = '"{},\\'  # ZITADEL loses or splits assignments of roles whose keys contain one of these


@dataclass(frozen=True, kw_only=True)
class SetupOptions:
    """Names, and how the application authenticates: ``None`` keeps what it has, and is Basic for a new one."""

    project_name: str = "zdemo"
    role: str = ROLE
    app_name: str = "zdemo-api"
    reader_name: str = "zdemo-reader"
    visitor_name: str = "zdemo-visitor"
    auth: Auth | None = None
    pat_hours: int = 30 * 24
    rotate_secret: bool = False
    login_app_name: str = ""  # of an application for people; empty without one

    @property
    def pat_period(self) -> str:
        """How long the PATs are valid, in words."""
        count, unit = (self.pat_hours, "hour") if self.pat_hours % 24 else (self.pat_hours // 24, "day")
        return f"{count} {unit}{'' if count == 1 else 's'}"

    def check(self) -> None:
        """Raise UsageError for what ZITADEL would refuse, or accept and then break on."""
        for field in ("project_name", "app_name", "reader_name", "visitor_name", "role"):
            option, name = f"--{field.replace('_', '-')}", getattr(self, field)
            if not name.strip() or name != name.strip() or not name.isprintable() or len(name) > LONGEST_NAME:
                what = f"{option} is empty or too long, has a control character, or starts or ends with a space"
                hint = f"give {option} 1 to {LONGEST_NAME} visible characters"
                raise UsageError(what, hint=hint)
            if re.fullmatch(r"\d{15,}", name):
                raise UsageError(f"{option} {name} is an ID", hint="setup finds what it needs by names: give the name")
        if set(self.role) & set(BROKEN_IN_ROLES) or self.role == "NULL":
            hint = f"choose a key other than NULL without any of {BROKEN_IN_ROLES}, e.g. read:messages"
            raise UsageError(f"--role {self.role}: ZITADEL accepts this key, and then loses or splits it", hint=hint)
        if self.role in MANAGER_ROLES:
            raise UsageError(f"--role {self.role} is a role of ZITADEL's administrators", hint="choose another key")
        if self.reader_name.casefold() == self.visitor_name.casefold():
            hint = "give two names: one of the users has the role, the other does not"
            raise UsageError(f"--reader-name and --visitor-name are the same: {self.visitor_name}", hint=hint)


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

    def issued(self, state: SetupState) -> tuple[IssuedCredential, ...]:
        """Return the PATs that setup created for the user."""
        return tuple(getattr(state, self.pats))


READER = UserFields(user_id="reader_id", pats="reader_pats", setting="PAT", option="--reader-name")
VISITOR = UserFields(user_id="visitor_id", pats="visitor_pats", setting="ZDEMO_VISITOR_PAT", option="--visitor-name")


@dataclass(frozen=True, kw_only=True)
class CurrentUser:
    """One of the two service accounts; ``name`` is the one that was asked for.

    ``lost``: the IDs of PATs that cannot be used: their texts were lost, or they are inactive.
    """

    fields: UserFields
    name: str
    user: User | None = None
    assignment: RoleAssignment | None = None
    pat: CredentialState = CredentialState.MISSING
    pat_expires: int | None = None
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CurrentState:
    """Everything that the plan depends on.

    ``permissions`` is ``None`` when ZITADEL does not say. ``auth`` is how the application is to authenticate, and
    ``credentials`` is what ``.env`` holds for the application.
    ``rotates``: a person allowed new ones, in this run or in one that was interrupted.
    ``old_keys``: the IDs of keys that setup created and that were lost, or that are replaced now.
    ``organization`` is where everything is created, if that is not the administrator's own, or was chosen.
    ``foreign_admin_pat``: ``.env`` holds the emulator's administrator's PAT, but this ZITADEL is another one.
    """

    issuer: str
    state: SetupState
    options: SetupOptions
    admin: User
    permissions: frozenset[str] | None
    project: Project | None
    role_keys: tuple[str, ...]
    application: Application | None
    auth: Auth
    credentials: CredentialState
    rotates: bool
    old_keys: tuple[str, ...]
    reader: CurrentUser
    visitor: CurrentUser
    login_app: Application | None = None
    organization: Organization | None = None
    foreign_admin_pat: bool = False

    @property
    def users(self) -> tuple[CurrentUser, CurrentUser]:
        """Both service accounts, the reader first."""
        return self.reader, self.visitor

    def owns(self, thing: Project | Application | User | None) -> bool:
        """Return whether setup created this object."""
        return thing is not None and self.state.owns(thing.id)
