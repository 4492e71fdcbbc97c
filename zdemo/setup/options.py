"""What a person asks setup for, checked before ZITADEL is asked anything."""

import unicodedata
from dataclasses import dataclass

from zdemo.client import ROLE
from zdemo.errors import UsageError
from zdemo.zitadel.records import Application, Auth

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

    def auth_for(self, application: Application | None) -> Auth:
        """Return how the application is to authenticate."""
        return self.auth or (application.auth if application else Auth.BASIC)

    @property
    def pat_period(self) -> str:
        """How long the PATs are valid, in words."""
        count, unit = (self.pat_hours, "hour") if self.pat_hours % 24 else (self.pat_hours // 24, "day")
        return f"{count} {unit}{'' if count == 1 else 's'}"

    def check(self) -> None:
        """Raise UsageError for what ZITADEL would refuse, or accept and then break on."""
        names = {
            "--project-name": self.project_name,
            "--app-name": self.app_name,
            "--reader-name": self.reader_name,
            "--visitor-name": self.visitor_name,
            "--role": self.role,
        }
        for option, name in names.items():
            if problem := _problem(name):
                raise UsageError(f"{option} {problem}", hint=f"give {option} 1 to {LONGEST_NAME} visible characters")
        if set(self.role) & set(BROKEN_IN_ROLES) or self.role == "NULL":
            raise UsageError(
                f"--role {self.role}: ZITADEL accepts this key, and then loses or splits it",
                hint=f"choose a key other than NULL without any of {BROKEN_IN_ROLES}, e.g. read:messages",
            )
        if self.reader_name.casefold() == self.visitor_name.casefold():
            raise UsageError(
                f"--reader-name and --visitor-name are the same: {self.visitor_name}",
                hint="give two names: one of the users has the role, the other does not",
            )


def _problem(name: str) -> str:
    if not name.strip():
        return "is empty"
    if name != name.strip():
        return "begins or ends with a space"
    if len(name) > LONGEST_NAME:
        return "is too long"
    return "contains a control character" if any(unicodedata.category(c).startswith("C") for c in name) else ""
