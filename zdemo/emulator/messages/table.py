"""The table of methods, messages and enumerations in ``table.txt``, which ``tools/zitadel_messages.py`` writes.

A line begins with the full name of a method, a message or an enumeration (here without ``zitadel.user.v2.``):

    UserService/AddKey AddKeyRequest AddKeyResponse POST /v2/users/{user_id}/keys
    ManagementService/RemoveApp RemoveAppRequest RemoveAppResponse DELETE /management/… project.app.delete projectId
    CreateUserRequest user_id:2:?string:1..200 human@user_type!:4:CreateUserRequest.Human …
    Gender = GENDER_UNSPECIFIED:0 GENDER_FEMALE:1 …

A field is its name, its number (0 if that is not known), its label and type, and its rules. The label is ``[]`` for a
list, ``{}`` for an object with names of the client's choice, and ``?`` if an absent value differs from an empty one.
Fields with the same ``@user_type`` exclude each other, and one is required if there is a ``!``.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

TABLE = Path(__file__).with_suffix(".txt")


class MethodRow(NamedTuple):
    """A method: its messages, its REST form, and of v1 the permission that it needs, for the project in a field."""

    request: str
    answer: str
    verb: str = ""
    path: str = ""
    permission: str = "authenticated"
    project: str = ""


class FieldRow(NamedTuple):
    """A field of a message; ``choice`` names the fields that exclude each other, with ``!`` if one is required."""

    name: str
    number: int
    label: str
    type: str
    rules: list[str]
    choice: str


@cache
def lines() -> dict[str, str]:
    """Return the rest of each line by the name that it begins with, in the file's order."""
    parts = (line.partition(" ") for line in TABLE.read_text(encoding="utf-8").splitlines())
    return {name: rest for name, _, rest in parts}


def method_row(name: str) -> MethodRow:
    """Return a method by its full name, such as ``zitadel.user.v2.UserService/AddKey``."""
    return MethodRow(*lines()[name].split())


def field_rows(name: str) -> list[FieldRow]:
    """Return the fields of a message by its full name."""
    fields = []
    for field in lines()[name].split():
        name, number, kind, *rules = field.split(":")
        name, _, choice = name.partition("@")
        label = kind[:2] if kind[0] in "[{" else kind[: kind[0] == "?"]
        fields.append(FieldRow(name, int(number), label, kind.removeprefix(label), rules, choice))
    return fields


def words_of(name: str) -> dict[str, int]:
    """Return the words of an enumeration with their numbers, or nothing if the name is that of a message."""
    kind, *words = lines()[name].split() or [""]
    pairs = (word.split(":") for word in words if kind == "=")
    return {word: int(number) for word, number in pairs}
