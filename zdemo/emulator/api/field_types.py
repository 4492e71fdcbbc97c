"""Types of request fields: how their JSON is read, and their rules.

Reading follows protobuf's JSON form; the texts of the rules are those of protoc-gen-validate.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from zdemo.emulator.api.json_values import seconds_of
from zdemo.emulator.errors import ZitadelError

ABSENT: Any = object()
MAX_DIGITS = 20  # of a 64-bit integer
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")  # JSON's


class UnreadableError(Exception):
    """JSON of the wrong type: protobuf's text, the wrong value and the name of its field."""

    def __init__(self, text: str, value: object, field: str) -> None:
        super().__init__(text)
        self.text = text
        self.value = value
        self.field = field


class InvalidError(Exception):
    """A field that breaks its rule; the text is the rule, and each message around it adds a prefix."""


class FieldType:
    """The type of a field and its rule."""

    def read(self, value: Any, name: str) -> Any:
        """Return the value in Python, or ``ABSENT``; raise ``UnreadableError`` for the wrong type."""
        raise NotImplementedError

    def check(self, value: Any) -> None:
        """Raise ``InvalidError`` if a value, or ``ABSENT``, breaks the rule of the type, if it has one."""


def wrong(type_name: str, value: object, name: str) -> UnreadableError:
    """Return the error about a value of another type."""
    return UnreadableError(f"invalid value for {type_name} field {name}", value, name)


def unexpected(value: object, name: str) -> UnreadableError:
    """Return the error about a value in place of an object or a list."""
    return UnreadableError(f"unexpected token {opening(value)}", value, name)


def opening(value: object) -> str:
    """Return the beginning of a value's JSON as protobuf quotes it: a bracket, or the whole value."""
    if isinstance(value, dict | list):
        return "{" if isinstance(value, dict) else "["
    return json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True)
class Text(FieldType):
    """A string; the length of an ``optional`` one counts only when it is there."""

    least: int = 0
    most: int = 0
    optional: bool = False

    def read(self, value: Any, name: str) -> Any:
        """Read a string without lone surrogates."""
        if not isinstance(value, str) or any("\ud800" <= c <= "\udfff" for c in value):
            raise wrong("string", value, name)
        return value

    def check(self, value: Any) -> None:
        """Check the length."""
        if value is ABSENT and self.optional:
            return
        length = 0 if value is ABSENT else len(value)
        if length and "\0" in value:
            raise ZitadelError('ERROR: invalid byte sequence for encoding "UTF8": 0x00 (SQLSTATE 22021)')  # PostgreSQL
        if self.least and self.most and not self.least <= length <= self.most:
            raise InvalidError(f"value length must be between {self.least} and {self.most} runes, inclusive")
        if length < self.least:
            raise InvalidError(f"value length must be at least {self.least} runes")
        if self.most and length > self.most:
            raise InvalidError(f"value length must be at most {self.most} runes")


ID = Text(1, 200)  # an ID, a name or a key that must be there
OPTIONAL = Text(1, 200, optional=True)


@dataclass(frozen=True)
class Flag(FieldType):
    """A field that is true or false."""

    def read(self, value: Any, name: str) -> Any:
        """Read a boolean."""
        if not isinstance(value, bool):
            raise wrong("bool", value, name)
        return value


@dataclass(frozen=True)
class Count(FieldType):
    """An unsigned integer, as a number or as text, in any notation (``1.0``, ``1e1``)."""

    bits: int = 64

    def read(self, value: Any, name: str) -> Any:
        """Read an integer in the range of its type."""
        number = _whole(value)
        if number is None or not 0 <= number < 2**self.bits:
            raise wrong(f"uint{self.bits}", value, name)
        return number


def _whole(value: object) -> int | None:
    if isinstance(value, str):
        if len(value) > MAX_DIGITS or not NUMBER.fullmatch(value):
            return None
        value = int(value) if value.isdigit() else float(value)
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


@dataclass(frozen=True)
class Enum(FieldType):
    """One of some words, the default first; an unknown number is ignored only if ``lenient``."""

    words: tuple[str, ...]
    refused: tuple[str, ...] = ()
    lenient: bool = False

    def read(self, value: Any, name: str) -> Any:
        """Read a word or its number; an unknown word is ignored."""
        if isinstance(value, str):
            return value if value in self.words else ABSENT
        number = _whole(value)
        if number is None:
            raise wrong("enum", value, name)
        if 0 <= number < len(self.words):
            return self.words[number]
        return ABSENT if self.lenient else str(number)

    def check(self, value: Any) -> None:
        """Check that the word is known and allowed."""
        word = self.words[0] if value is ABSENT else value
        if word not in self.words:
            raise InvalidError("value must be one of the defined enum values")
        if word in self.refused:
            numbers = " ".join(str(self.words.index(w)) for w in self.refused)
            raise InvalidError(f"value must not be in list [{numbers}]")


@dataclass(frozen=True)
class Time(FieldType):
    """A timestamp, read to epoch seconds."""

    required: bool = False

    def read(self, value: Any, name: str) -> Any:
        """Read an RFC 3339 time."""
        try:
            return seconds_of(value)
        except (TypeError, ValueError):
            raise UnreadableError("invalid google.protobuf.Timestamp value", value, name) from None

    def check(self, value: Any) -> None:
        """Check that a required time is there."""
        if self.required and value is ABSENT:
            raise InvalidError("value is required")


@dataclass(frozen=True)
class Data(FieldType):
    """Bytes, as base64 of either alphabet, with or without padding."""

    least: int = 0
    most: int = 0

    def read(self, value: Any, name: str) -> Any:
        """Read base64 to bytes."""
        try:
            plain = value.replace("-", "+").replace("_", "/").rstrip("=")
            return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
        except (AttributeError, binascii.Error, ValueError):
            raise wrong("bytes", value, name) from None

    def check(self, value: Any) -> None:
        """Check the length."""
        length = 0 if value is ABSENT else len(value)
        if self.least and self.most and not self.least <= length <= self.most:
            raise InvalidError(f"value length must be between {self.least} and {self.most} bytes, inclusive")


@dataclass(frozen=True)
class Anything(FieldType):
    """An object that is kept as it was sent."""

    def read(self, value: Any, name: str) -> Any:
        """Read any object."""
        if not isinstance(value, dict):
            raise unexpected(value, name)
        return value


@dataclass(frozen=True)
class Repeated(FieldType):
    """A list; errors about an element name it ``Name[i]``."""

    of: FieldType
    unique: bool = False
    least: int = 0

    def read(self, value: Any, name: str) -> Any:
        """Read every element."""
        if not isinstance(value, list):
            raise unexpected(value, name)
        read = [self.of.read(item, name) for item in value]
        return [item for item in read if item is not ABSENT]

    def check(self, value: Any) -> None:
        """Check the number of elements; the message checks the elements."""
        if self.least and (value is ABSENT or len(value) < self.least):
            raise InvalidError(f"value must contain at least {self.least} item(s)")


@dataclass(frozen=True)
class Deferred(FieldType):
    """A type that is named before it exists, for messages that contain themselves."""

    find: Callable[[], FieldType]

    def read(self, value: Any, name: str) -> Any:
        """Read as the other type does."""
        return self.find().read(value, name)

    def check(self, value: Any) -> None:
        """Check as the other type does."""
        self.find().check(value)
