"""Request messages as data: how their JSON is read, and what ZITADEL's field validation says about them.

Reading follows protobuf's JSON form: camelCase or snake_case names, unknown fields and enum words ignored,
``null`` the same as absent. Validation texts are those of protoc-gen-validate.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zdemo.emulator.api.kinds import ABSENT, InvalidError, Kind, Repeated, UnreadableError, opening
from zdemo.emulator.api.values import repeated_names


@dataclass(frozen=True)
class OneOf:
    """Fields of which at most one may be there; ``name`` is the protobuf name of the choice."""

    name: str
    fields: tuple[str, ...]
    required: bool = False


class Message:
    """A request, or a part of one: its protobuf name, its fields by their camelCase names, its choices."""

    def __init__(self, name: str, /, *choices: OneOf, **fields: Kind) -> None:
        self.name = name
        self.choices = choices
        self.fields: Mapping[str, Kind] = fields
        self._names = {n: n for n in fields} | {_snake(n): n for n in fields}
        self._chosen = {field for choice in choices for field in choice.fields}

    def read(self, value: Any, name: str = "") -> dict[str, Any]:
        """Known fields that are there, by camelCase name."""
        if not isinstance(value, dict):
            raise UnreadableError(f"unexpected token {opening(value)}", value, name)
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
            found = self.fields[field].read(given, key)
            if found is not ABSENT:
                self._refuse_second(field, key, read)
                read[field] = found
        return read

    def _refuse_second(self, field: str, key: str, read: Mapping[str, Any]) -> None:
        for choice in self.choices:
            if field in choice.fields and any(other in read for other in choice.fields):
                what = f'error parsing "{key}", oneof {choice.name} is already set'
                raise UnreadableError(what, ABSENT, key)

    def check(self, body: Mapping[str, Any]) -> None:
        """Raises ``InvalidError`` for the first field that breaks its rule."""
        for field, kind in self.fields.items():
            if field not in self._chosen:
                self._check_field(field, kind, body.get(field, ABSENT))
        for choice in self.choices:
            chosen = [field for field in choice.fields if field in body]
            if choice.required and not chosen:
                raise InvalidError(f"invalid {self.name}.{choice.name}: value is required")
            for field in chosen:
                self._check_field(field, self.fields[field], body[field])

    def _check_field(self, field: str, kind: Kind, value: Any) -> None:
        label = field[0].upper() + field[1:]
        try:
            kind.check(value)
            if isinstance(kind, Repeated) and value is not ABSENT:
                seen: set[Any] = set()
                for place, item in enumerate(value):
                    label = f"{field[0].upper()}{field[1:]}[{place}]"
                    if kind.unique and item in seen:
                        raise InvalidError("repeated value must contain unique items")
                    if kind.unique:
                        seen.add(item)
                    kind.of.check(item)
        except InvalidError as reason:
            raise InvalidError(f"invalid {self.name}.{label}: {reason}") from None


@dataclass(frozen=True)
class Sub(Kind):
    """A message inside a message."""

    message: Message
    required: bool = False

    def _read(self, value: Any, name: str) -> Any:
        return self.message.read(value, name)

    def _check(self, value: Any) -> None:
        if value is not ABSENT:
            try:
                self.message.check(value)
            except InvalidError as reason:
                raise InvalidError(f"embedded message failed validation | caused by: {reason}") from None
        elif self.required:
            raise InvalidError("value is required")


def _snake(name: str) -> str:
    return "".join("_" + c.lower() if c.isupper() else c for c in name)
