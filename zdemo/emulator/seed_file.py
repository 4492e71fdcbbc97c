"""A world from a file that a person writes, in TOML or JSON; ``docs/emulator.md`` has an example of all of it.

Error messages name the field and, in TOML, the line. They never repeat a text that could be a secret.
"""

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any

Fields = Mapping[str, "Field"]
Table = dict[str, Any]

AUTH = {"basic": "API_AUTH_METHOD_TYPE_BASIC", "private_key_jwt": "API_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT"}
MANAGERS = ("IAM_OWNER", "IAM_OWNER_VIEWER", "ORG_OWNER", "ORG_OWNER_VIEWER", "ORG_USER_MANAGER")
STATES = {"active": "ACTIVE", "inactive": "INACTIVE", "locked": "LOCKED"}
TOKEN = re.compile(r"[A-Za-z0-9_.-]{20,512}")
_NAMES = {str: "a string", list: "a list", dict: "a table", bool: "true or false", int: "a number"}
CODE = re.compile(r"[!-~]{1,512}")  # what an ID or a secret may be: HTTP and the environment must be able to carry it
MOST_PARTS = 16  # of a dotted key, far more than any field needs; tomllib takes seconds for thousands of them
_TOO_MANY_PARTS = re.compile(rf"""(?:\.[ \t]*(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+){{{MOST_PARTS}}}""", re.ASCII)
_HEADER = re.compile(r"\s*\[(\[)?\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=")


class SeedError(ValueError):
    """What is wrong in a seed file, with the place; the hint says what to write."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, kw_only=True)
class Field:
    """What a field takes: its type, the words that are allowed, or the fields of the tables in a list.

    A ``code`` is an ID or a secret.
    """

    kind: type = str
    required: bool = False
    code: bool = False
    words: tuple[str, ...] = ()
    each: Fields | None = None


_CODE = Field(code=True)
_TEXTS = Field(kind=list)
SCHEMA: Fields = {
    "organizations": Field(kind=list, each={"name": Field(required=True), "id": _CODE}),
    "projects": Field(
        kind=list,
        each={
            "name": Field(required=True),
            "id": _CODE,
            "organization": Field(),
            "roles": _TEXTS,
            "applications": Field(
                kind=list,
                each={
                    "name": Field(required=True),
                    "id": _CODE,
                    "auth": Field(words=tuple(AUTH)),
                    "client_id": _CODE,
                    "client_secret": _CODE,
                },
            ),
        },
    ),
    "users": Field(
        kind=list,
        each={
            "username": Field(required=True),
            "id": _CODE,
            "name": Field(),
            "organization": Field(),
            "state": Field(words=tuple(STATES)),
            "secret": _CODE,
            "administrator": Field(words=MANAGERS),
            "assignments": Field(
                kind=list, each={"project": Field(required=True), "roles": Field(kind=list, required=True)}
            ),
            "tokens": Field(
                kind=list, each={"token": Field(), "expires": Field(kind=datetime), "expires_in": Field(kind=int)}
            ),
        },
    ),
}


class Places:
    """Where in a file a field stands, such as ``seed.toml, line 3: users[0].name``."""

    def __init__(self, name: str, text: str = "") -> None:
        self._name = name
        self._lines = dict(_toml_lines(text)) if name.endswith(".toml") else {}

    def error(self, path: str, what: str, hint: str = "") -> SeedError:
        """Return the error about a field."""
        known = path if path in self._lines else f"{path}[0]"  # a list begins where its first table does
        known = known if known in self._lines else path
        while known and known not in self._lines:
            known = known[: max(known.rfind("."), known.rfind("["), 0)]
        line = f", line {self._lines[known]}" if known else ""
        return SeedError(f"{self._name}{line}: {_shown(path)}: {what}" if path else f"{self._name}: {what}", hint)


def read_seed(text: str, name: str) -> tuple[Table, Places]:
    """Return the checked content of a seed file, whose name ends with .toml or .json.

    Raises SeedError: it cannot be parsed, or a field is unknown, missing or has a wrong value.
    """
    places = Places(name, text)
    value = _parsed(text, name)
    if not isinstance(value, dict):
        raise SeedError(f"{name}: the content is not a JSON object")
    _check_table(value, SCHEMA, "", places)
    return value, places


def _parsed(text: str, name: str) -> Any:
    try:
        if name.endswith(".toml"):
            return tomllib.loads(_with_short_keys(text, name))
        return json.loads(text, object_pairs_hook=lambda pairs: _object(pairs, name))
    except SeedError:
        raise
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"\(at (line \d+, column \d+|end of document)\)", str(error))
        raise SeedError(f"{name}{f', {found[1]}' if found else ''}: not valid TOML", "see docs/emulator.md") from None
    except json.JSONDecodeError as error:
        raise SeedError(f"{name}, line {error.lineno}: not valid JSON ({error.msg})") from None
    except RecursionError:
        raise SeedError(f"{name}: nested too deeply") from None
    except ValueError:  # Python's limit for the digits of a number
        raise SeedError(f"{name}: a number is too long") from None


def _with_short_keys(text: str, name: str) -> str:
    if found := _TOO_MANY_PARTS.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise SeedError(f"{name}, line {line}: a key has more than {MOST_PARTS} parts")
    return text


def _object(pairs: list[tuple[str, Any]], name: str) -> Table:
    """Return an object of JSON, whose parser would take the last of two fields with one name."""
    table: Table = {}
    for key, value in pairs:
        if key in table:
            raise SeedError(f"{name}: a table has two fields with one name: {_shown(key)}")
        table[key] = value
    return table


def _check_table(table: Table, fields: Fields, path: str, places: Places) -> None:
    for name, value in table.items():
        at = f"{path}.{name}" if path else name
        if name not in fields:
            raise places.error(at, "unknown field", _meant(name, fields))
        _check_value(value, fields[name], at, places)
    for name, field in fields.items():
        if field.required and not table.get(name):
            raise places.error(path, f"{name} is missing")


def _check_value(value: Any, field: Field, at: str, places: Places) -> None:
    if field.kind is datetime:
        if not isinstance(value, datetime | str) or _moment(value) is None:
            raise places.error(at, "must be a time with its zone", "for example 2030-01-01T00:00:00Z")
        return
    kind: Any = field.kind  # a type, which mypy would take for the type of the value
    if not isinstance(value, kind) or (isinstance(value, bool) and field.kind is int):
        raise places.error(at, f"must be {_NAMES[field.kind]}")
    if isinstance(value, str):
        _check_text(value, field, at, places)
    if field.words and value not in field.words:
        raise places.error(at, f"unknown value: {value}", _meant(value, field.words))
    if field.kind is list:
        for number, inner in enumerate(value):
            wanted: Any = dict if field.each else str
            if not isinstance(inner, wanted):
                raise places.error(f"{at}[{number}]", f"must be {_NAMES[wanted]}")
            if field.each:
                _check_table(dict(inner), field.each, f"{at}[{number}]", places)
            else:
                _check_text(inner, field, f"{at}[{number}]", places)


def _check_text(text: str, field: Field, at: str, places: Places) -> None:
    if field.code and not CODE.fullmatch(text):
        raise places.error(at, "must be 1 to 512 letters, digits and signs of ASCII, without blanks")
    if not text.isprintable():
        raise places.error(at, "has a control character or another character that nobody sees")


def _moment(value: datetime | str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def expiry(token: Table, now: float, never: float) -> float:
    """Return when a token of a checked file expires."""
    if "expires_in" in token:
        seconds: int = token["expires_in"]
        return min(now + max(-never, min(seconds, never)), never)  # before it is added: a large one has no float
    moment = _moment(token["expires"]) if "expires" in token else None
    return moment.timestamp() if moment else never


def _shown(name: str) -> str:
    """Return a name that is in no schema, so that it stays on its line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def _meant(word: str, known: Iterable[str]) -> str:
    near = get_close_matches(word.lower(), known, 1, 0.6)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"


def _toml_lines(text: str) -> Iterator[tuple[str, int]]:
    """Yield the path and the line of each table and field that begins a line."""
    counts: dict[str, int] = {}
    prefix = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.fullmatch(line):
            *outer, last = (part.strip().strip("\"'") for part in header[2].split("."))
            parent = ""
            for part in outer:
                parent = f"{parent}.{part}".lstrip(".")
                parent += f"[{counts[parent]}]" if parent in counts else ""
            prefix = f"{parent}.{last}".lstrip(".")
            if header[1]:
                counts[prefix] = counts.get(prefix, -1) + 1
                prefix += f"[{counts[prefix]}]"
            yield prefix, number
        elif key := _KEY.match(line):
            yield f"{prefix}.{key[1]}".lstrip("."), number
