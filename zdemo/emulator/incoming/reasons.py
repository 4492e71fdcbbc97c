"""Why requests are refused, as values: zdemo's diagnosis reads them, and the words here are for the log."""

from enum import Enum
from typing import NamedTuple

UNITS = ((172_800, 86_400, "days"), (7200, 3600, "hours"), (120, 60, "minutes"))


class Why(Enum):
    """A reason: its name is its ID, its value the words."""

    TOKEN_UNKNOWN = "unknown token"  # noqa: S105  # not a password, as below
    EXPIRED = "expired {ago}"
    REVOKED = "the token was revoked"
    REFRESHED = "the token was replaced by a refresh"
    LOGGED_OUT = "the person logged out"
    SESSION_DELETED = "the session was deleted"
    SESSION_DROPPED = "the emulator keeps no more logins"
    DELETED = "the PAT was deleted"
    USER_DEACTIVATED = "the user was deactivated"
    USER_LOCKED = "the user was locked"
    USER_WAS_OFF = "the user was deactivated or locked, and is active again"
    USER_REMOVED = "the user was removed"
    CLIENT_UNKNOWN = "unknown client"
    APPLICATION_DELETED = "the application was deleted"
    PROJECT_REMOVED = "the project was removed"
    INACTIVE = "the {name} is deactivated"
    WRONG_SECRET = "wrong client secret"  # noqa: S105
    ANOTHERS_SECRET = "the client secret of {name}"  # noqa: S105
    KEY_DELETED = "its key is unknown here, or was deleted"
    KEY_EXPIRED = "its key expired {ago}"
    USER_UNKNOWN = "no user has the ID in iss"


class Reason(NamedTuple):
    """A reason, what its ``name`` is about, and how many seconds it is ago: since the start, for what is unknown."""

    why: Why
    seconds: float = 0
    name: str = ""
    about: str = ""

    def __str__(self) -> str:
        size, unit = next(((size, unit) for least, size, unit in UNITS if self.seconds >= least), (1, "s"))
        return self.about + self.why.value.format(ago=f"{int(self.seconds / size)} {unit} ago", name=self.name)
