"""The settings that setup writes to ``.env``, in groups, each under a comment that says what it is."""

import re
from collections.abc import Mapping

from zdemo.config.dotenv_file import Dotenv
from zdemo.config.dotenv_statements import LINE_END, Statement

GROUPS: Mapping[str, tuple[str, ...]] = {
    "# ZITADEL, and the project that defines the role": ("ZITADEL_DOMAIN", "ZITADEL_PROJECT_ID"),
    "# the credentials of the API application": ("CLIENT_ID", "CLIENT_SECRET", "ZITADEL_KEY_FILE"),
    "# the token of the user with the role; zdemo call and zdemo introspect send it": ("PAT",),
    "# the token of the user without the role": ("ZDEMO_VISITOR_PAT",),
}
SETTINGS = tuple(name for names in GROUPS.values() for name in names)
"""The settings that setup writes."""


def add_settings(dotenv: Dotenv, names: list[str]) -> None:
    """Add empty settings, each in its group, under the comment that says what the group is."""
    for comment, group in GROUPS.items():
        new = [Statement(key=name, value="", assignment=f"{name}=") for name in group if name in names]
        if new:
            dotenv.insert(_place(dotenv, comment, group), *new)


def _place(dotenv: Dotenv, comment: str, group: tuple[str, ...]) -> int:
    """Return the place behind a group; its comment is added at the end if it is not there.

    A comment that no setting of the group follows is not setup's, even when its text is the same.
    """
    for at in range(len(dotenv.statements)):
        if _begins_group(dotenv, at, comment, group):
            return _end_of_group(dotenv, at, group)
    at = len(dotenv.statements)
    dotenv.insert(at, Statement(blank=dotenv.line_end(at) if at else "", remark=comment))
    return len(dotenv.statements)


def _begins_group(dotenv: Dotenv, at: int, comment: str, group: tuple[str, ...]) -> bool:
    statement = dotenv.statements[at]
    return statement.key is None and statement.remark == comment and _end_of_group(dotenv, at, group) > at + 1


def _end_of_group(dotenv: Dotenv, at: int, group: tuple[str, ...]) -> int:
    at += 1
    while at < len(dotenv.statements) and dotenv.statements[at].key in group:
        at += 1
    return at


def remove_setting(dotenv: Dotenv, name: str) -> None:
    """Remove a setting of setup's and, when nothing of its group is left, the comment above it and the blank line."""
    found = dotenv.find(name)
    if found is None:
        return
    comment, group = next((item for item in GROUPS.items() if name in item[1]), ("", ()))
    heads = [s for at, s in enumerate(dotenv.statements) if _begins_group(dotenv, at, comment, group)]
    dotenv.remove(found)
    for at, statement in enumerate(dotenv.statements):
        if any(statement is head for head in heads) and not _begins_group(dotenv, at, comment, group):
            statement.blank = re.sub(rf"(?:{LINE_END.pattern})\Z", "", statement.blank)
            dotenv.remove(statement)
            return
