"""A rule: one cause, the evidence that it needs, and the loop that finds the first rule that decides.

A table of rules is in the order in which causes are named. A rule is pure: it judges a case, which holds what is known.
"""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

from zdemo.diagnosis.evidence import Evidence, Probe
from zdemo.diagnosis.finding import Finding
from zdemo.diagnosis.wording import Lines

C = TypeVar("C")  # a case: a frozen dataclass with ``evidence``
Judge = Callable[[C], Finding | None]
Condition = Callable[[C], object]  # it holds where that is true


class Asker(Protocol):
    """Whoever sends probes."""

    @property
    def requests(self) -> Container[Probe]:
        """The probes that can be sent, and were not."""

    def ask(self, *probes: Probe) -> Evidence:
        """Send probes at the same time, and return all that is known then."""


@dataclass(frozen=True)
class Rule(Generic[C]):
    """One cause: ``judge`` returns its finding, or ``None``. It is asked only ``when`` all of these hold, in order.

    ``needs`` are the probes that ``judge`` reads. Those that cannot be sent stay unknown. A finding ends with what was
    ``seen``.
    """

    judge: Judge[C]
    needs: tuple[Probe, ...] = ()
    when: tuple[Condition[C], ...] = ()
    seen: tuple[Callable[[C], Lines], ...] = ()


def rule(*needs: Probe, when: Condition[Any] | None = None) -> Callable[[Judge[C]], Rule[C]]:
    """Make a rule of a function."""
    return lambda judge: Rule(judge, needs, (when,) if when else ())


def table(
    *rules: Rule[C] | Judge[C], when: Condition[C] | None = None, seen: Callable[[C], Lines] | None = None
) -> tuple[Rule[C], ...]:
    """Return rules that are possible only ``when`` this holds, and whose findings end with what was ``seen``.

    A plain function is a rule that is always possible, and needs nothing.
    """
    of_all = (entry if isinstance(entry, Rule) else Rule(entry) for entry in rules)
    outer, end = (when,) if when else (), (seen,) if seen else ()
    return tuple(replace(entry, when=(*outer, *entry.when), seen=(*entry.seen, *end)) for entry in of_all)


def decide(rules: Sequence[Rule[C]], case: C, asker: Asker | None = None) -> Finding | None:
    """Return the finding of the first rule that decides; ``None`` if none does.

    What a rule needs is asked just before it judges, the cheapest first, together with what later rules need at that
    cost. Without an ``asker``, rules judge by what the case holds.
    """
    for position, current in enumerate(rules):
        if not all(condition(case) for condition in current.when):
            continue
        while asker and (wanted := [probe for probe in current.needs if probe in asker.requests]):
            cost = min(probe.cost for probe in wanted)
            possible = [other for other in rules[position:] if all(condition(case) for condition in other.when)]
            needed = (probe for other in possible for probe in other.needs)
            at_cost = dict.fromkeys(probe for probe in needed if probe.cost == cost and probe in asker.requests)
            case = replace(case, evidence=asker.ask(*at_cost))  # type: ignore[type-var]  # a dataclass, as said above
        if finding := current.judge(case):
            return finding.and_seen(line for seen in current.seen for line in seen(case))
    return None


def diagnose(rules: Sequence[Rule[C]], case: C, asker: Asker | None = None) -> Finding:
    """Return the finding of rules whose last one always decides."""
    finding = decide(rules, case, asker)
    assert finding is not None  # noqa: S101  # as said above
    return finding
