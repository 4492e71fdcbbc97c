"""A rule: one cause, the evidence that it needs, and the loop that finds the first rule that decides.

A table of rules is in the order in which causes are named. A rule is pure: it judges a case, which holds what is known.
"""

from collections.abc import Callable, Iterable, Sequence
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
    when: tuple[Condition[C], ...] = ()
    seen: tuple[Callable[[C], Lines], ...] = ()

    def is_possible(self, case: C) -> bool:
        """Return whether all conditions hold."""
        return all(condition(case) for condition in self.when)


def rule(*needs: Probe, when: Condition[Any] | None = None) -> Callable[[Judge[C]], Rule[C]]:
    """Make a rule of a function."""
    return lambda judge: Rule(judge, needs, (when,) if when else ())


def table(
    *rules: Rule[C] | Judge[C], when: Condition[C] | None = None, seen: Callable[[C], Lines] | None = None
) -> tuple[Rule[C], ...]:
    """Return rules that are possible only ``when`` this holds, and whose findings end with what was ``seen``.

    A plain function is a rule that is always possible, and needs nothing.
    """
    first, last = (when,) if when else (), (seen,) if seen else ()
    known = (entry if isinstance(entry, Rule) else Rule(entry) for entry in rules)
    return tuple(replace(entry, when=first + entry.when, seen=entry.seen + last) for entry in known)


def decide(rules: Sequence[Rule[C]], case: C, asker: Asker | None = None) -> Finding | None:
    """Return the finding of the first rule that decides; ``None`` if none does.

    What a rule needs is asked just before it judges, the cheapest first, together with what later rules need at that
    cost. Without an ``asker``, rules judge by what the case holds.
    """
    for position, current in enumerate(rules):
        if not current.is_possible(case):
            continue
        while asker and (wanted := asker.missing(current.needs)):
            cost = min(probe.cost for probe in wanted)
            later = (other.needs for other in rules[position + 1 :] if other.is_possible(case))
            at_cost = (probe for needs in (wanted, *map(asker.missing, later)) for probe in needs if probe.cost == cost)
            evidence = asker.ask(*dict.fromkeys(at_cost))
            case = replace(case, evidence=evidence)  # type: ignore[type-var]  # a dataclass, as said above
        if finding := current.judge(case):
            return finding.and_seen(line for seen in current.seen for line in seen(case))
    return None


def diagnose(rules: Sequence[Rule[C]], case: C, asker: Asker | None = None) -> Finding:
    """Return the finding of rules whose last one always decides."""
    finding = decide(rules, case, asker)
    assert finding is not None  # noqa: S101  # as said above
    return finding
