"""What the page refuses, and the checks of the fields of a JSON object that it was sent."""

from collections.abc import Mapping
from typing import Any

from zdemo.errors import ZdemoError
from zdemo.text.printable import printable


class PageRefusal(Exception):
    """A request to the page that is refused. ``code`` is for programs, ``description`` for people."""

    def __init__(
        self, status: int, code: str, description: str, *, hint: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(description)
        self.status, self.code, self.description, self.hint = status, code, description, hint
        self.headers = headers or {}

    @property
    def document(self) -> dict[str, str]:
        """The refusal as JSON."""
        found = {"error": self.code, "error_description": printable(self.description)}
        return found | {"hint": printable(self.hint)} if self.hint else found


def error_text(error: ZdemoError) -> str:
    """Return an error and its hint in one line, for an answer that is not a refusal."""
    return "; ".join(filter(None, (error.message, error.hint)))


def text_of(body: Mapping[str, Any], name: str) -> str:
    """Return a text. Raises PageRefusal."""
    value = body.get(name)
    if not isinstance(value, str):
        raise _wrong(name, "a text")
    return value


def flag_of(body: Mapping[str, Any], name: str, default: bool) -> bool:
    """Return a flag, or the default where there is none. Raises PageRefusal."""
    value = body.get(name, default)
    if not isinstance(value, bool):
        raise _wrong(name, "true or false")
    return value


def seconds_of(body: Mapping[str, Any], most: float) -> float:
    """Return the seconds, from 0 to ``most``. Raises PageRefusal."""
    value = body.get("seconds")
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:  # NaN is not
        raise _wrong("seconds", f"a number from 0 to {most:g}")
    return float(value)


def _wrong(name: str, what: str) -> PageRefusal:
    return PageRefusal(400, "invalid_field", f"{name} must be {what}")
