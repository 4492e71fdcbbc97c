"""What setup is asked for, checked before anything is asked of ZITADEL; and the IDs that it chooses."""

from __future__ import annotations

import secrets
import time
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from zdemo.errors import UsageError
from zdemo.management.model import Auth

LONGEST_NAME = 200  # characters (ZITADEL: of every name and role key)
BROKEN_IN_ROLES = '"{},\\'  # ZITADEL loses or splits assignments of roles whose keys hold one of these
ZITADEL_EPOCH = 1_556_496_000  # 2019-04-29T00:00:00Z, where the time in ZITADEL's IDs begins (epoch seconds)
UNITS_A_SECOND = 100
RANDOM_BITS = 24  # below the time: ZITADEL puts a sequence and its machine there


@dataclass(frozen=True, kw_only=True)
class SetupOptions:
    """Names and kinds. ``auth`` of ``None``: as the application has it, and Basic for a new one."""

    project_name: str = "zdemo"
    role: str = "read:messages"
    app_name: str = "zdemo-api"
    reader_name: str = "zdemo-reader"
    visitor_name: str = "zdemo-visitor"
    auth: Auth | None = None
    pat_days: int = 30
    rotate_secret: bool = False

    def check(self) -> None:
        """Raises UsageError for what ZITADEL would refuse, or take and then stumble over."""
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
                "--role is a key that ZITADEL takes and then loses or splits",
                hint=f"choose one without any of {BROKEN_IN_ROLES} that is not NULL, e.g. read:messages",
            )
        if self.reader_name.casefold() == self.visitor_name.casefold():
            raise UsageError(
                "--reader-name and --visitor-name are the same", hint="one of the two has the role, the other has not"
            )

    def adopting(self, *, project_name: str, app_name: str, reader_name: str, visitor_name: str) -> SetupOptions:
        """With these names of what setup made (empty: it did not), where the usual one stands: nobody chose that."""
        return replace(
            self,
            project_name=_chosen(self.project_name, SetupOptions.project_name, project_name),
            app_name=_chosen(self.app_name, SetupOptions.app_name, app_name),
            reader_name=_chosen(self.reader_name, SetupOptions.reader_name, reader_name),
            visitor_name=_chosen(self.visitor_name, SetupOptions.visitor_name, visitor_name),
        )


def _chosen(wanted: str, usual: str, made: str) -> str:
    return made if made and wanted == usual else wanted


def _problem(name: str) -> str:
    if not name.strip():
        return "is empty"
    if name != name.strip():
        return "begins or ends with a blank"
    if len(name) > LONGEST_NAME:
        return "is too long"
    return "holds a control character" if any(unicodedata.category(c).startswith("C") for c in name) else ""


def new_id(clock: Callable[[], float] = time.time) -> str:
    """An ID in ZITADEL's own form, 18 digits today: 10 ms since 2019-04-29, then 24 bits, which are random here."""
    units = int((clock() - ZITADEL_EPOCH) * UNITS_A_SECOND)
    return str(units << RANDOM_BITS | secrets.randbits(RANDOM_BITS))


def new_ids(variables: Iterable[str]) -> dict[str, str]:
    """An ID of its own for each variable."""
    made: dict[str, str] = {}
    for variable in variables:
        while (candidate := new_id()) in made.values():
            pass
        made[variable] = candidate
    return made
