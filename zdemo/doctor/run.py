"""Carry checks out in order: what builds on a check that did not come out is skipped, and says on what."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from zdemo.doctor.check import Check, Result, failed, skipped
from zdemo.errors import ZdemoError

S = TypeVar("S")


@dataclass(frozen=True, kw_only=True)
class CheckReport:
    """A check that was carried out, or skipped.

    ``wanted``: it was asked for, and is not only the ground of another. ``tried``: nothing it builds on stopped it.
    """

    id: str
    anchor: str
    result: Result
    wanted: bool = True
    tried: bool = True

    @property
    def worth_showing(self) -> bool:
        """What was asked for, and what stands in its way."""
        return self.wanted or (self.tried and not self.result.satisfied)


def required(checks: Sequence[Check[S]], wanted: Collection[str]) -> set[str]:
    """The IDs that are wanted and all that they build on."""
    found: set[str] = set()
    needs = {check.id: check.needs for check in checks}
    queue = list(wanted)
    while queue:
        name = queue.pop()
        if name not in found:
            found.add(name)
            queue += needs[name]
    return found


def _examined(check: Check[S], subject: S) -> Result:
    """The result, also of a check that is told no in a way of its own: a broken CA bundle, a refusal."""
    try:
        return check.examine(subject)
    except ZdemoError as error:
        return failed(error.message, error.hint)


def examine(checks: Sequence[Check[S]], subject: S, wanted: Collection[str] = ()) -> Iterator[CheckReport]:
    """Each check as it is done; of ``wanted`` ones, with what they build on. None wanted: all of them."""
    names = required(checks, wanted) if wanted else {check.id for check in checks}
    unsatisfied: set[str] = set()
    for check in checks:
        if check.id not in names:
            continue
        missing = [name for name in check.needs if name in unsatisfied]
        result = skipped(f"needs {' and '.join(missing)}") if missing else _examined(check, subject)
        if not result.satisfied:
            unsatisfied.add(check.id)
        asked = not wanted or check.id in wanted
        yield CheckReport(id=check.id, anchor=check.anchor, result=result, wanted=asked, tried=not missing)
