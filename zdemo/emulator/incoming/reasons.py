"""Why requests are refused, as values: what only a log shows, and what zdemo's diagnosis reads, has its words here."""

from dataclasses import dataclass
from enum import Enum
from typing import Any

UNITS = ((172_800, 86_400, "days"), (7200, 3600, "hours"), (120, 60, "minutes"))


class Why(Enum):
    """A reason; its name in lower case is its ID, its value has the words."""

    TOKEN_UNKNOWN = "unknown token"  # noqa: S105  # not a password, as below
    TOKEN_EXPIRED = "expired {ago}"  # noqa: S105
    TOKEN_REVOKED = "the token was revoked"  # noqa: S105
    TOKEN_REFRESHED = "the token was replaced by a refresh"  # noqa: S105
    LOGGED_OUT = "the person logged out"
    SESSION_DELETED = "the session was deleted"
    SESSION_DROPPED = "the emulator keeps no more logins"
    PAT_DELETED = "the PAT was deleted"
    USER_DEACTIVATED = "the user was deactivated"
    USER_LOCKED = "the user was locked"
    USER_REMOVED = "the user was removed"
    CLIENT_UNKNOWN = "unknown client"
    CLIENT_DELETED = "the application was deleted"
    PROJECT_REMOVED = "the project was removed"
    APPLICATION_INACTIVE = "the application is deactivated"
    PROJECT_INACTIVE = "the project is deactivated"
    ORGANIZATION_INACTIVE = "the organization is deactivated"
    SECRET_WRONG = "wrong client secret"  # noqa: S105
    SECRET_OF_ANOTHER = "wrong client secret: it is that of {name}"  # noqa: S105
    SECRET_MISSING = "the application has no client secret"  # noqa: S105
    USER_SECRET_WRONG = "wrong secret of the user"  # noqa: S105
    USER_SECRET_OF_ANOTHER = "wrong secret of the user: it is that of {name}"  # noqa: S105
    USER_UNKNOWN = "no user has the ID in iss"
    KEY_UNKNOWN = "its key is unknown here, or was deleted"
    KEY_EXPIRED = "its key expired {ago}"


@dataclass(frozen=True)
class Reason:
    """A reason with its details: what it is ``about``, whose ``name`` it is, and how many seconds it is ago.

    For what is unknown, ``seconds`` is how long the emulator has been running.
    """

    why: Why
    seconds: float = 0
    name: str = ""
    about: str = ""

    def __str__(self) -> str:
        words = self.why.value.format(ago=ago(self.seconds), name=self.name)
        return f"{self.about}: {words}" if self.about else words

    @property
    def document(self) -> dict[str, Any]:
        """The reason for programs."""
        return {"id": self.why.name.lower(), "seconds": self.seconds, "name": self.name}


def ago(seconds: float) -> str:
    """Return how long ago something was."""
    size, unit = next(((size, unit) for least, size, unit in UNITS if seconds >= least), (1, "s"))
    return f"{int(seconds / size)} {unit} ago"
