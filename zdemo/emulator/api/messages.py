"""Request messages as data: how their JSON is read, and the texts of ZITADEL's field validation.

Reading follows protobuf's JSON form: camelCase or snake_case names, unknown fields and enum words are ignored, and
``null`` is the same as absent. The texts of the validation are those of protoc-gen-validate.
"""

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from zdemo.emulator.api.json_values import JsonObject, seconds_of
from zdemo.emulator.errors import ZitadelError

ABSENT: Any = object()
MAX_DIGITS = 20  # of a 64-bit integer
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")  # JSON's


class UnreadableError(Exception):
    """JSON of the wrong type: protobuf's text, the wrong value and the name of its field."""

    def __init__(self, text: str, value: object, field: str) -> None:
        super().__init__(text)
        self.value, self.field = value, field


class InvalidError(Exception):
    """A field that breaks its rule; the text is the rule, and each message around it adds a prefix."""


def opening(value: object) -> str:
    """Return the beginning of a value's JSON as protobuf quotes it: a bracket, or the whole value."""
    if isinstance(value, dict | list):
        return "{" if isinstance(value, dict) else "["
    return json.dumps(value, ensure_ascii=False)


# --- the types of fields ---


class FieldType:
    """The type of a field and its rule; a type of single values has ``_parse``, which raises for a wrong one."""

    name = ""  # protobuf's

    def read(self, value: Any, field: str) -> Any:
        """Return the value in Python, or ``ABSENT``; raise ``UnreadableError`` for the wrong type."""
        try:
            return self._parse(value)
        except (AttributeError, TypeError, ValueError):
            raise UnreadableError(f"invalid value for {self.name} field {field}", value, field) from None

    def check(self, value: Any) -> None:
        """Raise ``InvalidError`` if a value, or ``ABSENT``, breaks the rule of the type."""
        self._check(value)

    def _parse(self, value: Any) -> Any:
        raise NotImplementedError

    def _check(self, value: Any) -> None:
        """Accept every value."""


def _check_length(length: int, least: int, most: int, unit: str) -> None:
    if least and most and not least <= length <= most:
        raise InvalidError(f"value length must be between {least} and {most} {unit}, inclusive")
    if most and length > most:
        raise InvalidError(f"value length must be at most {most} {unit}")


@dataclass(frozen=True)
class Text(FieldType):
    """A string without lone surrogates; the length of an ``optional`` one counts only when it is there."""

    least: int = 0
    most: int = 0
    optional: bool = False
    name = "string"

    def _parse(self, value: Any) -> str:
        if not isinstance(value, str) or any("\ud800" <= c <= "\udfff" for c in value):
            raise TypeError
        return value

    def _check(self, value: Any) -> None:
        if value is ABSENT and self.optional:
            return
        text = "" if value is ABSENT else value
        if "\0" in text:
            raise ZitadelError('ERROR: invalid byte sequence for encoding "UTF8": 0x00 (SQLSTATE 22021)')  # PostgreSQL
        _check_length(len(text), self.least, self.most, "runes")


ID = Text(1, 200)  # an ID, a name or a key that must be there
OPTIONAL = Text(1, 200, optional=True)


@dataclass(frozen=True)
class Flag(FieldType):
    """A field that is true or false."""

    name = "bool"

    def _parse(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise TypeError
        return value


@dataclass(frozen=True)
class Count(FieldType):
    """An unsigned integer, as a number or as text, in any notation (``1.0``, ``1e1``)."""

    bits: int = 64

    @property
    def name(self) -> str:  # type: ignore[override]  # it depends on the size
        """Protobuf's name of the type."""
        return f"uint{self.bits}"

    def _parse(self, value: Any) -> int:
        number = _whole(value)
        if not 0 <= number < 2**self.bits:
            raise ValueError
        return number


def _whole(value: Any) -> int:
    if isinstance(value, str):
        if len(value) > MAX_DIGITS or not NUMBER.fullmatch(value):
            raise ValueError
        value = int(value) if value.isdigit() else float(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError
    return value


@dataclass(frozen=True)
class Enum(FieldType):
    """A word or its number, the default first; unknown words are ignored, and unknown numbers if ``lenient``."""

    words: tuple[str, ...]
    refused: tuple[str, ...] = ()
    lenient: bool = False
    name = "enum"

    def _parse(self, value: Any) -> Any:
        if isinstance(value, str):
            return value if value in self.words else ABSENT
        number = _whole(value)
        if 0 <= number < len(self.words):
            return self.words[number]
        return ABSENT if self.lenient else str(number)

    def _check(self, value: Any) -> None:
        word = self.words[0] if value is ABSENT else value
        if word not in self.words:
            raise InvalidError("value must be one of the defined enum values")
        if word in self.refused:
            numbers = " ".join(str(self.words.index(w)) for w in self.refused)
            raise InvalidError(f"value must not be in list [{numbers}]")


def enum(prefix: str, *words: str, refuses_first: bool = False) -> Enum:
    """Return the type whose words begin with the prefix."""
    full = tuple(f"{prefix}_{word}" for word in words)
    return Enum(full, refused=full[:1] if refuses_first else ())


@dataclass(frozen=True)
class Time(FieldType):
    """A timestamp (RFC 3339), read to epoch seconds."""

    required: bool = False

    def read(self, value: Any, field: str) -> Any:
        """Return the epoch seconds."""
        try:
            return seconds_of(value)
        except (TypeError, ValueError):
            raise UnreadableError("invalid google.protobuf.Timestamp value", value, field) from None

    def _check(self, value: Any) -> None:
        if self.required and value is ABSENT:
            raise InvalidError("value is required")


@dataclass(frozen=True)
class Data(FieldType):
    """Bytes, as base64 of either alphabet, with or without padding."""

    most: int = 0
    name = "bytes"

    def _parse(self, value: Any) -> bytes:
        plain = value.replace("-", "+").replace("_", "/").rstrip("=")
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)

    def _check(self, value: Any) -> None:
        _check_length(0 if value is ABSENT else len(value), 0, self.most, "bytes")


@dataclass(frozen=True)
class Anything(FieldType):
    """An object that is kept as it was sent."""

    def read(self, value: Any, field: str) -> Any:
        """Return the object."""
        if not isinstance(value, dict):
            raise UnreadableError(f"unexpected token {opening(value)}", value, field)
        return value


@dataclass(frozen=True)
class Repeated(FieldType):
    """A list; errors about an element name it ``Name[i]``."""

    of: FieldType
    unique: bool = False

    def read(self, value: Any, field: str) -> Any:
        """Return the elements that are not ignored."""
        if not isinstance(value, list):
            raise UnreadableError(f"unexpected token {opening(value)}", value, field)
        read = [self.of.read(item, field) for item in value]
        return [item for item in read if item is not ABSENT]


# --- messages ---


@dataclass(frozen=True)
class OneOf:
    """A choice of fields of which at most one can be there; ``name`` is its protobuf name."""

    name: str
    fields: tuple[str, ...]
    required: bool = False


class Message:
    """A request, or a part of one: its protobuf name, its fields by their camelCase names, and its choices."""

    def __init__(self, name: str, /, *choices: OneOf, **fields: FieldType) -> None:
        self.name = name
        self.choices = choices
        self.fields: Mapping[str, FieldType] = fields
        self._names = {n: n for n in fields} | {_snake(n): n for n in fields}
        self._in_choices = {field for choice in choices for field in choice.fields}

    def read(self, value: Any, name: str = "") -> dict[str, Any]:
        """Return the known fields that are there, by camelCase name."""
        if not isinstance(value, JsonObject):
            raise UnreadableError(f"unexpected token {opening(value)}", value, name)
        read: dict[str, Any] = {}
        seen: set[str] = set()
        for key, given in value.items():
            field = self._names.get(key)
            if field is None:
                continue
            if field in seen or key in value.repeated:
                raise UnreadableError(f'duplicate field "{key}"', ABSENT, key)
            seen.add(field)
            if given is None:
                continue
            content = self.fields[field].read(given, key)
            if content is not ABSENT:
                self._refuse_second_choice(field, key, read)
                read[field] = content
        return read

    def _refuse_second_choice(self, field: str, key: str, read: Mapping[str, Any]) -> None:
        for choice in self.choices:
            if field in choice.fields and any(other in read for other in choice.fields):
                raise UnreadableError(f'error parsing "{key}", oneof {choice.name} is already set', ABSENT, key)

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
            field_type.check(value)
            if isinstance(field_type, Repeated) and value is not ABSENT:
                seen: set[Any] = set()
                for place, item in enumerate(value):
                    label = f"{name}[{place}]"
                    if field_type.unique and item in seen:
                        raise InvalidError("repeated value must contain unique items")
                    if field_type.unique:
                        seen.add(item)
                    field_type.of.check(item)
        except InvalidError as reason:
            raise InvalidError(f"invalid {self.name}.{label}: {reason}") from None


@dataclass(frozen=True)
class Sub(FieldType):
    """A message inside a message; a function that returns it stands for one that contains itself."""

    message: Message | Callable[[], Message]
    required: bool = False

    @property
    def _message(self) -> Message:
        return self.message if isinstance(self.message, Message) else self.message()

    def read(self, value: Any, field: str) -> Any:
        """Return the fields of the message."""
        return self._message.read(value, field)

    def _check(self, value: Any) -> None:
        if value is ABSENT:
            if self.required:
                raise InvalidError("value is required")
            return
        try:
            self._message.check(value)
        except InvalidError as reason:
            raise InvalidError(f"embedded message failed validation | caused by: {reason}") from None


def _snake(name: str) -> str:
    return "".join("_" + c.lower() if c.isupper() else c for c in name)
