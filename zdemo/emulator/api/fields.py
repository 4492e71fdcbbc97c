"""Requests by their messages in ``messages.json``: fields as protobuf's JSON has them, rules of protoc-gen-validate.

In that file, ``!`` means required, ``?`` optional, ``[]`` a list, and ``1..200`` how many characters are allowed.
"""

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from zdemo.emulator.api_errors import ZitadelError
from zdemo.emulator.entities import NEVER, Entity

ABSENT: Any = object()
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NO_TIME = "0001-01-01T00:00:00Z"
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)
DURATION = re.compile(r"-?\d{1,12}(\.\d{1,9})?s", re.ASCII)
TEXT_RULE = re.compile(r"string(?: (\d*)\.\.(\d+)(\??))?")
MAX_DIGITS = 20  # of a 64-bit integer


class UnreadableError(Exception):
    """JSON of the wrong type; the text names the field."""


class InvalidError(Exception):
    """A field that breaks its rule; the text is the rule, and each message around it adds a prefix."""


# --- JSON as protobuf reads and writes it ---


def moment(seconds: float) -> str:
    """Return an RFC 3339 time with no, three or six digits of a second, as few as possible."""
    when = EPOCH + timedelta(seconds=min(seconds, NEVER))
    digits = "microseconds" if when.microsecond % 1000 else "milliseconds" if when.microsecond else "seconds"
    return when.isoformat(timespec=digits).replace("+00:00", "Z")


def seconds_of(text: str) -> float:
    """Return the epoch seconds of an RFC 3339 time. Raises ValueError for others, also outside the years 1 to 9999."""
    if not RFC3339.fullmatch(text):
        raise ValueError(text)
    seconds = (datetime.fromisoformat(text) - EPOCH).total_seconds()
    if not -62135596800 <= seconds < NEVER + 1:
        raise ValueError(text)
    return min(seconds, NEVER)


def dates(entity: Entity) -> dict[str, str]:
    """Return when an object was created, and when it last changed, as most rows begin."""
    return {"creationDate": moment(entity.created), "changeDate": moment(entity.changed)}


def without_defaults(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields without those that protobuf's JSON leaves out: false, empty texts and lists, ``None``."""
    return {name: value for name, value in fields.items() if value not in (None, False, "", [])}


# --- the types of fields ---


class FieldType:
    """The type of a field and its rule, for ``Message``."""

    required: bool = False

    def _read(self, value: Any) -> Any:
        """Return the value in Python, or ``ABSENT``. Raises one of the errors that ``Message.read`` expects."""
        raise NotImplementedError

    def _check(self, value: Any) -> None:
        """Raise ``InvalidError`` if a value breaks the rule of the type; texts have one for ``ABSENT`` too."""


@dataclass(frozen=True)
class Text(FieldType):
    """A string without lone surrogates; the length of an ``optional`` one counts only when it is there."""

    least: int = 0
    most: int = 0
    optional: bool = False

    def _read(self, value: Any) -> str:
        if not isinstance(value, str) or any("\ud800" <= c <= "\udfff" for c in value):
            raise TypeError
        return value

    def _check(self, value: Any) -> None:
        if value is ABSENT and self.optional:
            return
        text = "" if value is ABSENT else value
        if "\0" in text:
            raise ZitadelError('ERROR: invalid byte sequence for encoding "UTF8": 0x00 (SQLSTATE 22021)')  # PostgreSQL
        if self.least and not self.least <= len(text) <= self.most:
            raise InvalidError(f"value length must be between {self.least} and {self.most} runes, inclusive")
        if self.most and len(text) > self.most:
            raise InvalidError(f"value length must be at most {self.most} runes")


class EmailAddress(Text):
    """An e-mail address, by ZITADEL's rough rule."""

    def _check(self, value: Any) -> None:
        super()._check(value)
        if not re.fullmatch(r"[^\s@]+@[^\s@]+", value):
            raise InvalidError("value must be a valid email address | caused by: mail: missing '@' or angle-addr")


@dataclass(frozen=True)
class Value(FieldType):
    """A value without a rule, and the function that reads it."""

    read: Callable[[Any], Any]
    required: bool = False

    def _read(self, value: Any) -> Any:
        return self.read(value)


def _typed(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError
    return value


def _unsigned(value: Any) -> int:
    number = _whole(value)
    if not 0 <= number < 2**64:
        raise ValueError
    return number


def _whole(value: Any) -> int:
    if isinstance(value, str) and value.isdecimal() and len(value) <= MAX_DIGITS:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise TypeError
    return int(value)


@dataclass(frozen=True)
class Enum(FieldType):
    """A word or its number, the default first; unknown ones are ignored."""

    words: tuple[str, ...]

    def _read(self, value: Any) -> Any:
        if isinstance(value, str):
            return value if value in self.words else ABSENT
        number = _whole(value)
        return self.words[number] if 0 <= number < len(self.words) else ABSENT


class Duration(FieldType):
    """A number of seconds that is not zero, such as ``3600s`` or ``1.5s``."""

    def _read(self, value: Any) -> float:
        if not DURATION.fullmatch(value):
            raise ValueError
        return float(value[:-1])

    def _check(self, value: Any) -> None:
        if value <= 0:
            raise InvalidError("value must be greater than 0s")


def _bytes_of(text: Any) -> bytes:
    """Return the bytes of base64 of either alphabet, with or without padding."""
    plain = text.replace("-", "+").replace("_", "/").rstrip("=")
    return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)


TYPES: dict[str, FieldType] = {
    "id": Text(1, 200),  # also a name or a key
    "id?": Text(1, 200, optional=True),
    "email": EmailAddress(1, 200),
    "bool": Value(partial(_typed, bool)),
    "object": Value(partial(_typed, dict)),
    "uint64": Value(_unsigned),
    "bytes": Value(_bytes_of),
    "time": Value(seconds_of),
    "time!": Value(seconds_of, required=True),
    "duration": Duration(),
}


@dataclass(frozen=True)
class Repeated(FieldType):
    """A list; errors about an element name it ``Name[i]``."""

    of: FieldType
    unique: bool = False

    def _read(self, value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise TypeError
        return [item for item in map(self.of._read, value) if item is not ABSENT]


@dataclass(frozen=True)
class Map(FieldType):
    """An object whose members have names of the client's choice, and values of one type."""

    of: FieldType

    def _read(self, value: Any) -> dict[str, Any]:
        return {Text()._read(name): self.of._read(content) for name, content in value.items()}


# --- messages ---


class OneOf(NamedTuple):
    """A choice of fields of which at most one can be there; ``name`` is its protobuf name."""

    name: str
    fields: tuple[str, ...]
    required: bool = False


class Message:
    """A request, or a part of one: its protobuf name, its fields by their camelCase names, and its choices."""

    def __init__(self, name: str, choices: list[OneOf], fields: Mapping[str, FieldType]) -> None:
        self.name, self.choices, self.fields = name, choices, fields
        self._names = {n: n for n in fields} | {re.sub("[A-Z]", lambda c: "_" + c[0].lower(), n): n for n in fields}
        self._in_choices = {field for choice in choices for field in choice.fields}

    def read(self, value: Any) -> dict[str, Any]:
        """Return the known fields that are there, by camelCase name. Raises UnreadableError."""
        if not isinstance(value, dict):
            raise UnreadableError("an object is expected")
        read: dict[str, Any] = {}
        for key, given in value.items():
            field = self._names.get(key)
            if field is None or given is None:
                continue
            try:
                content = self.fields[field]._read(given)
            except (ArithmeticError, AttributeError, TypeError, ValueError):
                raise UnreadableError(f"the value of {key} has the wrong type") from None
            if content is not ABSENT:
                if any(field in c.fields and not read.keys().isdisjoint(c.fields) for c in self.choices):
                    raise UnreadableError(f"{key} excludes another field that is given")
                read[field] = content
        return read

    def check(self, body: Mapping[str, Any]) -> None:
        """Raise ``InvalidError`` for the first field that breaks its rule."""
        for field, field_type in self.fields.items():
            if field not in self._in_choices:
                self._check_field(field, field_type, body.get(field, ABSENT))
        for choice in self.choices:
            chosen = [field for field in choice.fields if field in body]
            if choice.required and not chosen:
                raise InvalidError(f"invalid {self.name}.{choice.name}: value is required")
            for field in chosen:
                self._check_field(field, self.fields[field], body[field])

    def _check_field(self, field: str, field_type: FieldType, value: Any) -> None:
        label = name = field[0].upper() + field[1:]
        try:
            if value is ABSENT and not isinstance(field_type, Text):
                if field_type.required:
                    raise InvalidError("value is required")
                return
            field_type._check(value)
            if isinstance(field_type, Repeated):
                seen: set[Any] = set()
                for place, item in enumerate(value):
                    label = f"{name}[{place}]"
                    if field_type.unique and item in seen:
                        raise InvalidError("repeated value must contain unique items")
                    if field_type.unique:
                        seen.add(item)
                    field_type.of._check(item)
        except InvalidError as reason:
            raise InvalidError(f"invalid {self.name}.{label}: {reason}") from None


@dataclass(frozen=True)
class Sub(FieldType):
    """A message inside a message, which may contain itself."""

    message: Callable[[], Message]
    required: bool = False

    def _read(self, value: Any) -> dict[str, Any]:
        return self.message().read(value)

    def _check(self, value: Any) -> None:
        try:
            self.message().check(value)
        except InvalidError as reason:
            raise InvalidError(f"embedded message failed validation | caused by: {reason}") from None


@cache
def _tables() -> dict[str, dict[str, Any]]:
    """Return messages and enumerations by service, those of all services included."""
    tables = json.loads(Path(__file__).with_name("messages.json").read_text())
    return {service: tables[""] | own for service, own in tables.items()}


@cache
def message_of(service: str, name: str) -> Message:
    """Return a message of a service."""
    choices, fields = [], {}
    for key, kind in _tables()[service][name].items():
        if key.startswith("oneof "):
            choices.append(OneOf(key[6:].rstrip("!"), tuple(kind), key.endswith("!")))
        else:
            fields[key] = _type_of(service, kind)
    return Message(name, choices, fields)


def _type_of(service: str, kind: str) -> FieldType:
    if kind.startswith("[]"):
        return Repeated(_type_of(service, kind.removeprefix("[]").removeprefix("unique ")), "unique" in kind)
    if kind.startswith("map "):
        return Map(_type_of(service, kind.removeprefix("map ")))
    if rule := TEXT_RULE.fullmatch(kind):
        return Text(int(rule[1] or 0), int(rule[2] or 0), bool(rule[3]))
    if kind in TYPES:
        return TYPES[kind]
    name = kind.rstrip("!")
    if isinstance(words := _tables()[service][name], list):
        return Enum(tuple(words))
    return Sub(partial(message_of, service, name), kind.endswith("!"))
