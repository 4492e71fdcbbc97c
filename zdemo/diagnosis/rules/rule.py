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


def _always(_case: Any) -> bool:
    return True


class Asker(Protocol):
    """Whoever sends probes."""

    def missing(self, probes: Iterable[Probe]) -> tuple[Probe, ...]:
        """Return the probes that can be sent, and were not."""

    def ask(self, *probes: Probe) -> Evidence:
        """Send probes at the same time, and return all that is known then."""


@dataclass(frozen=True)
class Rule(Generic[C]):
    """One cause: ``judge`` returns its finding, or ``None``. It is asked only ``when`` it is possible.

    ``needs`` are the probes that ``judge`` reads. Those that cannot be sent stay unknown.
    """

    judge: Judge[C]
    needs: tuple[Probe, ...] = ()
    when: Callable[[C], bool] = _always


def rule(*needs: Probe, when: Callable[[Any], bool] = _always) -> Callable[[Judge[C]], Rule[C]]:
    """Make a rule of a function."""
    return lambda judge: Rule(judge, needs, when)


def table(
    *rules: Rule[C] | Judge[C], when: Callable[[C], bool] = _always, seen: Callable[[C], Lines] = lambda _case: ()
) -> tuple[Rule[C], ...]:
    """Return rules that are possible only ``when`` this holds too, and whose findings end with what was ``seen``.

    A plain function is a rule that is always possible, and needs nothing.
    """

    def limited(either: Rule[C] | Judge[C]) -> Rule[C]:
        inner = either if isinstance(either, Rule) else Rule(either)

        def judge(case: C) -> Finding | None:
            finding = inner.judge(case)
            return finding.and_seen(seen(case)) if finding else None

        return Rule(judge, inner.needs, lambda case: when(case) and inner.when(case))

    return tuple(map(limited, rules))


def decide(rules: Sequence[Rule[C]], case: C, asker: Asker | None = None) -> Finding | None:
    """Return the finding of the first rule that decides; ``None`` if none does.

    What a rule needs is asked just before it judges, the cheapest first, together with what later rules need at that
    cost. Without an ``asker``, rules judge by what the case holds.
    """
    for position, current in enumerate(rules):
        if not current.when(case):
            continue
        while asker and (wanted := asker.missing(current.needs)):
            cost = min(probe.cost for probe in wanted)
            later = (probe for other in rules[position + 1 :] if other.when(case) for probe in other.needs)
            probes = dict.fromkeys(probe for probe in (*wanted, *asker.missing(later)) if probe.cost == cost)
            case = replace(case, evidence=asker.ask(*probes))  # type: ignore[type-var]  # a dataclass, as said above
        if finding := current.judge(case):
            return finding
    return None


def diagnose(rules: Sequence[Rule[C]], case: C, asker: Asker | None = None) -> Finding:
    """Return the finding of a table whose last rule always decides."""
    finding = decide(rules, case, asker)
    assert finding is not None  # noqa: S101  # as said above
    return finding
