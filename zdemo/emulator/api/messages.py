"""Request messages as data: how their JSON is read, and the texts of ZITADEL's field validation.

Reading follows protobuf's JSON form: camelCase or snake_case names, unknown fields and enum words are ignored, and
``null`` is the same as absent. The texts of the validation are those of protoc-gen-validate.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zdemo.emulator.api.field_types import ABSENT, FieldType, InvalidError, Repeated, UnreadableError, unexpected
from zdemo.emulator.api.json_values import repeated_names


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
        if not isinstance(value, dict):
            raise unexpected(value, name)
        read: dict[str, Any] = {}
        seen: set[str] = set()
        for key, given in value.items():
            field = self._names.get(key)
            if field is None:
                continue
            if field in seen or key in repeated_names(value):
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
    """A message inside a message."""

    message: Message
    required: bool = False

    def read(self, value: Any, name: str) -> Any:
        """Read the message."""
        return self.message.read(value, name)

    def check(self, value: Any) -> None:
        """Check the fields of the message."""
        if value is not ABSENT:
            try:
                self.message.check(value)
            except InvalidError as reason:
                raise InvalidError(f"embedded message failed validation | caused by: {reason}") from None
        elif self.required:
            raise InvalidError("value is required")


def _snake(name: str) -> str:
    return "".join("_" + c.lower() if c.isupper() else c for c in name)
