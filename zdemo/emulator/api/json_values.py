"""Times, objects and defaults, written and read as in protobuf's JSON form."""

import re
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from zdemo.emulator.entities import NEVER

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NO_TIME = "0001-01-01T00:00:00Z"
RFC3339 = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")


def moment(seconds: float) -> str:
    """Return an RFC 3339 time with no, three or six digits of a second, as few as possible."""
    when = EPOCH + timedelta(seconds=min(seconds, NEVER))
    text = when.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    micros = when.microsecond
    if not micros:
        return f"{text}Z"
    return f"{text}.{micros // 1000:03}Z" if micros % 1000 == 0 else f"{text}.{micros:06}Z"


def seconds_of(text: str) -> float:
    """Return the epoch seconds of an RFC 3339 time.

    Raises ValueError if it is not a time, or outside the years 1 to 9999.
    """
    match = RFC3339.fullmatch(text)
    if not match:
        raise ValueError(text)
    base, fraction, zone = match.groups()
    # The zone is subtracted by hand: datetime overflows when 9999-12-31T23:59:59 is moved to another zone.
    naive = datetime.fromisoformat(base + "+00:00") - EPOCH
    offset = 0 if zone == "Z" else (int(zone[1:3]) * 60 + int(zone[4:])) * (60 if zone[0] == "+" else -60)
    seconds = naive.total_seconds() - offset
    if not -62135596800 <= seconds <= NEVER:
        raise ValueError(text)
    return min(seconds + float(f"0.{fraction or 0}"), NEVER)


class JsonObject(dict[str, Any]):
    """A JSON object that keeps the last value of each name, and knows which names occurred twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        counted = Counter(name for name, _ in pairs) if len(self) < len(pairs) else {}
        self.repeated = {name for name, count in counted.items() if count > 1}


def without_defaults(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields without those that protobuf's JSON leaves out: false, empty texts and lists, ``None``."""
    return {name: value for name, value in fields.items() if value not in (None, False, "", [])}
