"""Requests by the table of ZITADEL's messages: fields as protobuf's JSON has them, rules of protoc-gen-validate."""

import base64
import dataclasses
import re
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache, partial
from typing import Any

from zdemo.emulator.api_errors import ZitadelError
from zdemo.emulator.entities import EPOCH, NEVER, Entity, moment
from zdemo.emulator.messages.table import FieldRow, field_rows, words_of

ABSENT: Any = object()
NO_TIME = "0001-01-01T00:00:00Z"
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)
DURATION = re.compile(r"-?\d{1,12}(\.\d{1,9})?s", re.ASCII)


class UnreadableError(Exception):
    """JSON of the wrong type; the text names the field."""


class InvalidError(Exception):
    """A field that breaks its rule; the text is the rule, and each message around it adds a prefix."""


# --- JSON as protobuf reads and writes it ---


def seconds_of(text: str) -> float:
    """Return the epoch seconds of an RFC 3339 time. Raises ValueError for others, also outside the years 1 to 9999."""
    if not RFC3339.fullmatch(text):
        raise ValueError(text)
    seconds = (datetime.fromisoformat(text) - EPOCH).total_seconds()
    if not -62135596800 <= seconds < NEVER + 1:
        raise ValueError(text)
    return min(seconds, NEVER)


def attributes(entity: Entity) -> dict[str, Any]:
    """Return the attributes of an object by the names that messages have for them, without secrets."""
    named = {camel(field.name): getattr(entity, field.name) for field in dataclasses.fields(entity) if field.repr}
    return named | {"creationDate": entity.created, "changeDate": entity.changed, "state": getattr(entity, "state", "")}


def details(entity: Entity, organization_id: str, *, created: bool = False, date: str = "changeDate") -> dict[str, Any]:
    """Return the ``details`` object of the older messages; ``date`` names the time of the change."""
    answer = {"sequence": entity.sequence, date: entity.changed, "resourceOwner": organization_id}
    return answer | ({"creationDate": entity.created} if created else {})


@cache
def camel(name: str) -> str:
    """Return the name that JSON has for a field."""
    return re.sub("_(.)", lambda letter: letter[1].upper(), name)


# --- reading JSON, and the rules of fields ---


def _text(value: Any) -> str:
    if not isinstance(value, str) or any("\ud800" <= c <= "\udfff" for c in value):
        raise TypeError
    return value


def _typed(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError
    return value


def _whole(value: Any) -> int:
    if isinstance(value, str) and value.isdecimal() and len(value) <= 20:  # of a 64-bit integer
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise TypeError
    return int(value)


def _unsigned(bits: int, value: Any) -> int:
    number = _whole(value)
    if not 0 <= number < 2**bits:
        raise ValueError
    return number


def _bytes_of(text: Any) -> bytes:
    """Return the bytes of base64 of either alphabet, with or without padding."""
    plain = text.replace("-", "+").replace("_", "/").rstrip("=")
    return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)


def _seconds(value: Any) -> float:
    if not DURATION.fullmatch(value):
        raise ValueError
    return float(value[:-1])


def _word(words: dict[str, int], rules: list[str], value: Any) -> Any:
    """Return a word of an enumeration; unknown words are ignored, and numbers too unless a rule will refuse them."""
    if isinstance(value, str):
        return value if value in words else ABSENT
    number = _whole(value)
    return next((word for word in words if words[word] == number), number if "defined" in rules else ABSENT)


READERS: dict[str, tuple[Callable[[Any], Any], Any]] = {  # and what an absent field counts as
    "string": (_text, ""),
    "bytes": (_bytes_of, b""),
    "bool": (partial(_typed, bool), False),
    "uint32": (partial(_unsigned, 32), 0),
    "uint64": (partial(_unsigned, 64), 0),
    "google.protobuf.Timestamp": (seconds_of, ABSENT),
    "google.protobuf.Duration": (_seconds, ABSENT),
    "google.protobuf.Struct": (partial(_typed, dict), ABSENT),
}
WRITERS: dict[str, Callable[[Any], Any]] = {  # of values that JSON has as texts
    "bytes": lambda content: base64.b64encode(content).decode(),
    "uint64": str,
    "google.protobuf.Timestamp": moment,
    "google.protobuf.Duration": lambda seconds: f"{seconds:.0f}s" if seconds == int(seconds) else f"{seconds:.3f}s",
}


Rule = tuple[Callable[[Any], object], str]  # a test of a value, and the error text


def _storable(text: str) -> bool:
    if "\0" in text:
        raise ZitadelError('ERROR: invalid byte sequence for encoding "UTF8": 0x00 (SQLSTATE 22021)')  # PostgreSQL
    return True


RULES: dict[str, Rule] = {  # the others have numbers, are for messages, or (``uri_ref``) have no effect
    "email": (
        re.compile(r"[^\s@]+@[^\s@]+").fullmatch,  # roughly ZITADEL's
        "value must be a valid email address | caused by: mail: missing '@' or angle-addr",
    ),
    "true": (lambda value: value is True, "value must equal true"),
    "defined": (lambda word: isinstance(word, str), "value must be one of the defined enum values"),
    "positive": (lambda seconds: seconds > 0, "value must be greater than 0s"),
}


def _rule(rule: str, kind: str) -> Rule:
    """Return a rule about the length of a text, bytes or a list, or about a duration."""
    least, _, most = rule.removeprefix("[]").partition("..")
    low, high = int(least or 0), int(most or sys.maxsize)
    if kind == "google.protobuf.Duration":
        return (lambda seconds: low <= seconds <= high, f"value must be inside range [{least}s, {most}s]")
    if rule.startswith("[]"):
        return (lambda items: len(items) <= high, f"value must contain no more than {most} item(s)")
    unit = "runes" if kind == "string" else "bytes"
    limits = f"at least {least} {unit}" if least else f"at most {most} {unit}"
    if least and most:
        limits = f"{most} {unit}" if least == most else f"between {least} and {most} {unit}, inclusive"
    return (lambda value: low <= len(value) <= high, f"value length must be {limits}")


# --- fields and messages ---


class Field:
    """A field of a message; its rules are for each element if it is a list.

    ``read`` returns values in Python, or ``ABSENT``, and raises one of the errors that ``Message.read`` expects.
    """

    def __init__(self, row: FieldRow) -> None:
        self.row, self.name = row, camel(row.name)
        words = self._words = {} if row.type in READERS else words_of(row.type)
        first = next(iter(words), ABSENT)
        self._is_message = not words and row.type not in READERS
        self._read, zero = READERS.get(row.type, (partial(_word, words, row.rules), first))
        if self._is_message:
            self._read = lambda value: message_of(row.type).read(value)  # later, since it can contain itself
        self.zero = ABSENT if row.label or row.choice else zero  # what the rules see if the field is absent
        known = RULES | {"set": (lambda word: word != first, f"value must not be in list [{first}]")}
        rules = {name: known.get(name) or _rule(name, row.type) for name in row.rules if name in known or ".." in name}
        self._write = WRITERS.get(row.type, lambda value: value)
        self._of_list = [rules.pop(name) for name in row.rules if name.startswith("[]")]
        self._of_each = [(_storable, "")] * (row.type == "string") + list(rules.values())

    def read(self, value: Any) -> Any:
        """Return the Python value of a JSON value."""
        return self._each(self._read, value)

    def show(self, value: Any) -> Any:
        """Return the JSON form of a value; a text has it already."""
        return self._each(self._show, value)

    def _each(self, convert: Callable[[Any], Any], value: Any) -> Any:
        if self.row.label == "[]":
            return [item for item in map(convert, _typed(list, value)) if item is not ABSENT]
        return {_text(k): convert(v) for k, v in value.items()} if self.row.label == "{}" else convert(value)

    def _show(self, value: Any) -> Any:
        if self._is_message:
            return message_of(self.row.type).show(value)
        if isinstance(value, str):  # a word can lack the beginning that all words of the enumeration have
            return next((word for word in self._words if word.endswith(f"_{value}")), value)
        return self._write(value)

    def check(self, value: Any) -> None:
        """Raise ``InvalidError`` for the first rule that a value breaks, or ``ABSENT``."""
        place = ""
        try:
            if value is ABSENT:
                if "required" in self.row.rules:
                    raise InvalidError("value is required")
            elif self.row.label != "[]":
                self._check_one(value)
            else:
                _check(self._of_list, value)
                seen = set[Any]()
                for number, item in enumerate(value):
                    place = f"[{number}]"
                    if "unique" in self.row.rules:
                        if item in seen:
                            raise InvalidError("repeated value must contain unique items")
                        seen.add(item)
                    self._check_one(item)
        except InvalidError as reason:
            raise InvalidError(f"{self.name[0].upper()}{self.name[1:]}{place}: {reason}") from None

    def _check_one(self, value: Any) -> None:
        _check(self._of_each, value)
        if self._is_message and self.row.label != "{}":
            try:
                message_of(self.row.type).check(value)
            except InvalidError as reason:
                raise InvalidError(f"embedded message failed validation | caused by: {reason}") from None


def _check(rules: list[Rule], value: Any) -> None:
    for holds, text in rules:
        if not holds(value):
            raise InvalidError(text)


class Message:
    """A request, or a part of one, by its full name: its fields by their camelCase names."""

    def __init__(self, name: str) -> None:
        self._name = re.sub("^[^A-Z]*", "", name).replace(".", "_")  # as in Go
        self.fields = {field.name: field for field in map(Field, field_rows(name))}
        self._names = self.fields | {field.row.name: field for field in self.fields.values()}
        self.lists = {name for name, field in self._names.items() if field.row.label == "[]"}
        self._choices: dict[str, list[Field]] = {"": []}
        for field in self.fields.values():
            self._choices.setdefault(field.row.choice, []).append(field)

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
                content = field.read(given)
            except (ArithmeticError, AttributeError, TypeError, ValueError):
                raise UnreadableError(f"the value of {key} has the wrong type") from None
            if content is not ABSENT:
                choice = self._choices[field.row.choice] if field.row.choice else []
                if any(other.name in read for other in choice):
                    raise UnreadableError(f"{key} excludes another field that is given")
                read[field.name] = content
        return read

    def show(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of its fields as JSON has them, without those that protobuf's JSON leaves out."""
        given = {name: value for name, value in values.items() if name in self.fields and value not in (None, [])}
        zeros = {name: self.fields[name].zero for name in given}
        return {n: self.fields[n].show(v) for n, v in given.items() if zeros[n] is ABSENT or v not in ("", zeros[n])}

    def check(self, body: Mapping[str, Any]) -> None:
        """Raise ``InvalidError`` for the first field that breaks its rule, those that exclude each other at the end."""
        try:
            for field in self._choices[""]:
                field.check(body.get(field.name, field.zero))
            for choice, fields in self._choices.items():
                given = [field for field in fields if field.name in body] if choice else []
                if choice.endswith("!") and not given:
                    raise InvalidError(f"{re.sub('[_!]', '', choice.title())}: value is required")
                for field in given:
                    field.check(body[field.name])
        except InvalidError as reason:
            raise InvalidError(f"invalid {self._name}.{reason}") from None


message_of = cache(Message)
