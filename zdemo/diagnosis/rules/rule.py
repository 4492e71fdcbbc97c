"""A rule: one cause, the evidence that it needs, and the loop that finds the first rule that decides.

A table of rules is in the order in which causes are named. A rule is pure: it judges a case, which holds what is known.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

from zdemo.diagnosis.evidence import Evidence, Probe
from zdemo.diagnosis.finding import Finding
from zdemo.diagnosis.wording import Lines

C = TypeVar("C")  # a case: a frozen dataclass with ``evidence``
Judge = Callable[[C], Finding | None]
Condition = Callable[[C], bool]


class Asker(Protocol):
    """Whoever sends probes."""

    def missing(self, probes: Iterable[Probe]) -> tuple[Probe, ...]:
        """Return the probes that can be sent, and were not."""

    def ask(self, *probes: Probe) -> Evidence:
        """Send probes at the same time, and return all that is known then."""


@dataclass(frozen=True)
class Rule(Generic[C]):
    """One cause: ``judge`` returns its finding, or ``None``. It is asked only ``when`` it is possible.

    ``needs`` are the probes that ``judge`` reads. Those that cannot be sent stay unknown. A finding ends with what was
    ``seen``.
    """

    judge: Judge[C]
    needs: tuple[Probe, ...] = ()
    when: Condition[C] | None = None
    seen: tuple[Callable[[C], Lines], ...] = ()


@dataclass(frozen=True)
class Table(Generic[C]):
    """Rules that are possible only ``when`` this holds, which no probe changes: it is asked once."""

    rules: "Sequence[Rule[C] | Table[C]]"
    when: Condition[C] | None = None


def rule(*needs: Probe, when: Condition[Any] | None = None) -> Callable[[Judge[C]], Rule[C]]:
    """Make a rule of a function."""
    return lambda judge: Rule(judge, needs, when)


def table(
    *rules: Rule[C] | Table[C] | Judge[C], when: Condition[C] | None = None, seen: Callable[[C], Lines] | None = None
) -> tuple[Table[C]]:
    """Return a table of rules whose findings end with what was ``seen``.

    A plain function is a rule that is always possible, and needs nothing.
    """

    def entry(either: Rule[C] | Table[C] | Judge[C]) -> Rule[C] | Table[C]:
        if isinstance(either, Table):
            return replace(either, rules=tuple(map(entry, either.rules)))
        known = either if isinstance(either, Rule) else Rule(either)
        return replace(known, seen=(*known.seen, seen)) if seen else known

    return (Table(tuple(map(entry, rules)), when),)


def _possible(rules: Sequence[Rule[C] | Table[C]], case: C) -> Iterator[Rule[C]]:
    """Yield the rules of the tables that are possible."""
    for entry in rules:
        if isinstance(entry, Rule):
            yield entry
        elif entry.when is None or entry.when(case):
            yield from _possible(entry.rules, case)


def decide(rules: Sequence[Rule[C] | Table[C]], case: C, asker: Asker | None = None) -> Finding | None:
    """Return the finding of the first rule that decides; ``None`` if none does.

    What a rule needs is asked just before it judges, the cheapest first, together with what later rules need at that
    cost. Without an ``asker``, rules judge by what the case holds.
    """
    possible = [*_possible(rules, case)]
    for position, current in enumerate(possible):
        if current.when and not current.when(case):
            continue
        while asker and (wanted := asker.missing(current.needs)):
            cost = min(probe.cost for probe in wanted)
            later = (other.needs for other in possible[position + 1 :] if other.when is None or other.when(case))
            at_cost = (probe for needs in (wanted, *map(asker.missing, later)) for probe in needs if probe.cost == cost)
            evidence = asker.ask(*dict.fromkeys(at_cost))
            case = replace(case, evidence=evidence)  # type: ignore[type-var]  # a dataclass, as said above
        if finding := current.judge(case):
            return finding.and_seen(line for seen in current.seen for line in seen(case))
    return None


def diagnose(rules: Sequence[Rule[C] | Table[C]], case: C, asker: Asker | None = None) -> Finding:
    """Return the finding of rules whose last one always decides."""
    finding = decide(rules, case, asker)
    assert finding is not None  # noqa: S101  # as said above
    return finding
