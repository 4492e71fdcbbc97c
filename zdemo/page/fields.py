"""The fields of a JSON object that the page sent, checked."""

from collections.abc import Mapping
from typing import Any

from zdemo.page.answers import PageRefusal


def text_of(body: Mapping[str, Any], name: str) -> str:
    """Return a text. Raises PageRefusal."""
    value = body.get(name)
    if not isinstance(value, str):
        raise _wrong(name, "a text")
    return value


def flag_of(body: Mapping[str, Any], name: str, default: bool) -> bool:
    """Return a flag, by default another one. Raises PageRefusal."""
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
