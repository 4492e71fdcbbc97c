"""Keep each worker on one processor (Linux): its threads take turns anyway, and to change processors is slow.

Only one thread of a process runs Python at a time. Without this, Linux wakes the next one on a processor that is
idle, whose caches hold nothing of the interpreter, so a request takes twice the processor time; docs/performance.md has
the figures. Other servers bind their threads too: Apache Traffic Server by default, nginx with worker_cpu_affinity.

The choice is not for ever: when other programs take the processor, the worker moves to one that is idle for longer, but
never to one that another worker of its server may use.
"""

import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

CHECK_SECONDS = 0.5
LEAST_GAIN = 0.2  # another processor must offer so much more of its time
LEAST_OWN = 0.1  # a worker that uses less stays: idle servers would all move to the same idle processor
# Two servers that share a processor would otherwise both leave it for the same one, again and again.
CHANCE_TO_MOVE = 0.5
STAT = Path("/proc/stat")
TASKS = Path("/proc/self/task")
TOPOLOGY = Path("/sys/devices/system/cpu")


def keep_on_one_processor(number: int, workers: int, stat: Path = STAT) -> None:
    """Bind this process, worker ``number`` of ``workers``, to its own processor, and move it if others use that.

    Do nothing where it cannot help: with fewer processors than workers, or only one; where Linux does not say how busy
    each of them is, as in a container that numbers them anew; without a lock of the interpreter; on other systems.
    """
    if sys.platform != "linux" or not getattr(sys, "_is_gil_enabled", lambda: True)():
        return
    allowed = os.sched_getaffinity(0)
    if len(allowed) < max(2, workers) or not all(map(idle_seconds(stat).get, allowed)):
        return
    # Other servers on this machine, with other parents, begin elsewhere
    own = share(spread(allowed), number, workers, turn=os.getppid())
    place = Place(own)
    if place.bind() and len(own) > 1:
        threading.Thread(target=follow, args=(place, _readings(stat)), name="affinity", daemon=True).start()


def share(processors: Sequence[int], number: int, workers: int, *, turn: int) -> Sequence[int]:
    """Return the processors that worker ``number``, counted from 1, may use, and no other worker of its server.

    Servers with another ``turn`` begin with another processor.
    """
    first = turn % len(processors)
    return [*processors[first:], *processors[:first]][number - 1 :: workers]


def spread(processors: Set[int], topology: Path = TOPOLOGY) -> Sequence[int]:
    """Return the processors in an order in which those that share a core (SMT) are far apart."""
    cores: dict[str, list[int]] = {}
    for processor in sorted(processors):
        try:
            core = (topology / f"cpu{processor}" / "topology" / "thread_siblings_list").read_text()
        except OSError:
            core = str(processor)
        cores.setdefault(core, []).append(processor)
    most = max(map(len, cores.values()))
    return [siblings[at] for at in range(most) for siblings in cores.values() if at < len(siblings)]


def idle_seconds(stat: Path = STAT) -> dict[int, float]:
    """Return for how long each processor has been idle since the machine started; nothing if it cannot be read."""
    try:
        lines = [line.split() for line in stat.read_text().splitlines() if line.startswith("cpu")]
    except OSError:
        return {}
    ticks = os.sysconf("SC_CLK_TCK")
    # the fields: user, nice, system, idle, iowait, and others
    return {int(name[3:]): (int(fields[3]) + int(fields[4])) / ticks for name, *fields in lines if name != "cpu"}


class Reading(NamedTuple):
    """For how many seconds each processor has been idle so far, and how many this process has used."""

    at: float  # on a clock that is never set
    idle: Mapping[int, float]
    own: float


class Place:
    """The one of ``processors`` that this process runs on; at first it is the first."""

    def __init__(self, processors: Sequence[int], chance: Callable[[], float] = random.random) -> None:
        self.processor = processors[0]
        self._all = processors
        self._chance = chance

    def best(self, idle: Mapping[int, float], own: float) -> int:
        """Return where to run next.

        ``idle`` is the share of the last time that each processor was idle, ``own`` what this process used of its own.
        """
        if own < LEAST_OWN:
            return self.processor
        best = max(self._all, key=lambda processor: idle.get(processor, 0.0))
        here = idle.get(self.processor, 0.0) + own  # what others leave of this one
        moves = idle.get(best, 0.0) >= here + LEAST_GAIN and self._chance() < CHANCE_TO_MOVE
        return best if moves else self.processor

    def bind(self) -> bool:
        """Bind all threads of this process, and so those that they start later. Tell whether Linux allows it."""
        bound: set[str] = set()
        while tasks := {task.name for task in TASKS.iterdir()} - bound:  # one that is not bound yet may start others
            for task in tasks:
                try:
                    os.sched_setaffinity(int(task), [self.processor])
                except ProcessLookupError:
                    pass  # it has just ended
                except OSError:  # the processors are others now, as in a container that was changed
                    return False
            bound |= tasks
        return True


def follow(place: Place, readings: Iterable[Reading]) -> None:
    """Move this process after each reading that says so, until Linux does not allow it or another program binds it."""
    for before, after in pairwise(readings):
        if os.sched_getaffinity(os.getpid()) != {place.processor}:
            return
        seconds = after.at - before.at
        idle = {one: (total - before.idle.get(one, total)) / seconds for one, total in after.idle.items()}
        best = place.best(idle, (after.own - before.own) / seconds)
        if best != place.processor:
            place.processor = best
            if not place.bind():
                return


def _readings(stat: Path) -> Iterator[Reading]:
    while True:
        yield Reading(time.monotonic(), idle_seconds(stat), time.process_time())
        time.sleep(CHECK_SECONDS)
