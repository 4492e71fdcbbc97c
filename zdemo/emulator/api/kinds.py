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

from zdemo.emulator.api.values import seconds_of
from zdemo.emulator.errors import ZitadelError

ABSENT: Any = object()
MAX_DIGITS = 20  # of a 64-bit integer
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")  # JSON's


class UnreadableError(Exception):
    """JSON of the wrong type. ``what`` says so in protobuf's words; ``value`` is the culprit, ``field`` its name."""

    def __init__(self, what: str, value: object, field: str) -> None:
        super().__init__(what)
        self.what = what
        self.value = value
        self.field = field


class InvalidError(Exception):
    """A field breaks its rule; the text is the rule, prefixed by the message on the way out."""


class Kind:
    """The type of a field and its rule."""

    def read(self, value: Any, name: str) -> Any:
        """The value in Python, or ``ABSENT``; raises ``UnreadableError``."""
        return self._read(value, name)

    def check(self, value: Any) -> None:
        """Raises ``InvalidError``. ``value`` may be ``ABSENT``."""
        self._check(value)

    def _read(self, value: Any, name: str) -> Any:
        raise NotImplementedError

    def _check(self, value: Any) -> None:
        """Most types have no rule of their own."""


def wrong(kind: str, value: object, name: str) -> UnreadableError:
    """The complaint about a value of another type."""
    return UnreadableError(f"invalid value for {kind} field {name}", value, name)


@dataclass(frozen=True)
class Text(Kind):
    """A string. ``optional``: the length counts only when it is there."""

    least: int = 0
    most: int = 0
    optional: bool = False

    def _read(self, value: Any, name: str) -> Any:
        if not isinstance(value, str) or any("\ud800" <= c <= "\udfff" for c in value):
            raise wrong("string", value, name)  # half a surrogate pair is no text either
        return value

    def _check(self, value: Any) -> None:
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


@dataclass(frozen=True)
class Flag(Kind):
    """A boolean."""

    def _read(self, value: Any, name: str) -> Any:
        if not isinstance(value, bool):
            raise wrong("bool", value, name)
        return value


@dataclass(frozen=True)
class Count(Kind):
    """An unsigned integer, as a number or as text, in any notation (``1.0``, ``1e1``)."""

    bits: int = 64

    def _read(self, value: Any, name: str) -> Any:
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
class Enum(Kind):
    """One of some words, the default first. An unknown word is ignored, an unknown number only if ``lenient``."""

    words: tuple[str, ...]
    refused: tuple[str, ...] = ()
    lenient: bool = False

    def _read(self, value: Any, name: str) -> Any:
        if isinstance(value, str):
            return value if value in self.words else ABSENT
        number = _whole(value)
        if number is None:
            raise wrong("enum", value, name)
        if 0 <= number < len(self.words):
            return self.words[number]
        return ABSENT if self.lenient else str(number)

    def _check(self, value: Any) -> None:
        word = self.words[0] if value is ABSENT else value
        if word not in self.words:
            raise InvalidError("value must be one of the defined enum values")
        if word in self.refused:
            places = " ".join(str(self.words.index(w)) for w in self.refused)
            raise InvalidError(f"value must not be in list [{places}]")


@dataclass(frozen=True)
class Time(Kind):
    """A timestamp, read to epoch seconds."""

    required: bool = False

    def _read(self, value: Any, name: str) -> Any:
        try:
            return seconds_of(value)
        except (TypeError, ValueError):
            what = "invalid google.protobuf.Timestamp value"
            raise UnreadableError(what, value, name) from None

    def _check(self, value: Any) -> None:
        if self.required and value is ABSENT:
            raise InvalidError("value is required")


@dataclass(frozen=True)
class Data(Kind):
    """Bytes, as base64 of either alphabet, padded or not."""

    least: int = 0
    most: int = 0

    def _read(self, value: Any, name: str) -> Any:
        try:
            plain = value.replace("-", "+").replace("_", "/").rstrip("=")
            return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
        except (AttributeError, binascii.Error, ValueError):
            raise wrong("bytes", value, name) from None

    def _check(self, value: Any) -> None:
        length = 0 if value is ABSENT else len(value)
        if self.least and self.most and not self.least <= length <= self.most:
            raise InvalidError(f"value length must be between {self.least} and {self.most} bytes, inclusive")


@dataclass(frozen=True)
class Anything(Kind):
    """An object that is kept as it came."""

    def _read(self, value: Any, name: str) -> Any:
        if not isinstance(value, dict):
            raise UnreadableError(f"unexpected token {opening(value)}", value, name)
        return value


@dataclass(frozen=True)
class Repeated(Kind):
    """A list. Complaints about an element are about ``Name[i]``."""

    of: Kind
    unique: bool = False
    least: int = 0

    def _read(self, value: Any, name: str) -> Any:
        if not isinstance(value, list):
            raise UnreadableError(f"unexpected token {opening(value)}", value, name)
        read = [self.of.read(item, name) for item in value]
        return [item for item in read if item is not ABSENT]

    def _check(self, value: Any) -> None:
        if self.least and (value is ABSENT or len(value) < self.least):
            raise InvalidError(f"value must contain at least {self.least} item(s)")


@dataclass(frozen=True)
class Deferred(Kind):
    """A type that is named before it exists: a message that contains itself."""

    find: Callable[[], Kind]

    def _read(self, value: Any, name: str) -> Any:
        return self.find().read(value, name)

    def _check(self, value: Any) -> None:
        self.find().check(value)


def opening(value: object) -> str:
    """How protobuf quotes a value where it wants an object or a list."""
    if isinstance(value, dict | list):
        return "{" if isinstance(value, dict) else "["
    return json.dumps(value, ensure_ascii=False)
