"""Each worker on one processor of its own, and on another one when others need that."""

import os
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import pytest

from tests.support.served import environment_for, served
from tests.support.waiting import eventually
from zdemo.serving.affinity import CHANCE_TO_MOVE, Place, idle_seconds, share, spread

AWAY = environment_for("http://localhost:1")
MOVES, STAYS = 0.0, CHANCE_TO_MOVE

two_processors = pytest.mark.skipif(
    sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2, reason="Linux binds processes, and only where it can"
)


def bound_to(pid: int) -> set[frozenset[int]]:
    """Return the sets of processors that the threads of a process may use."""
    return {frozenset(os.sched_getaffinity(int(thread))) for thread in os.listdir(f"/proc/{pid}/task")}


@two_processors
def test_all_threads_of_a_worker_share_a_processor_that_the_other_worker_leaves_alone(tmp_path: Path) -> None:
    def found() -> Collection[set[frozenset[int]]]:
        return [bound_to(worker.pid) for worker in running.workers]

    with served(tmp_path, AWAY, "--workers", "2") as running:
        first, second = eventually(
            "both are bound", found, lambda it: len(it) == 2 and all(len(one) == 1 for (one,) in it)
        )
    assert first != second


@two_processors
def test_workers_that_outnumber_the_processors_run_on_all_of_them(tmp_path: Path) -> None:
    allowed = os.sched_getaffinity(0)
    with served(tmp_path, AWAY, "--workers", str(len(allowed) + 1)) as running:
        assert bound_to(running.workers[0].pid) == {frozenset(allowed)}


FOLLOWS = """
import os, sys
from zdemo.serving.affinity import Place, Reading, follow

first, second = processors = sorted(os.sched_getaffinity(0))[:2]
place = Place(processors, lambda: 0.0)
place.bind()
if "taskset" in sys.argv:
    os.sched_setaffinity(0, processors)
follow(place, [Reading(9.0, {first: 3.0, second: 3.0}, 1.0), Reading(11.0, {first: 3.2, second: 4.8}, 1.4)])
print([processors.index(one) for one in os.sched_getaffinity(0)])
"""

STARTS = """
import os, sys
from pathlib import Path
from zdemo.serving.affinity import keep_on_one_processor

allowed = os.sched_getaffinity(0)
keep_on_one_processor(1, 1, Path(sys.argv[1]))
print(os.sched_getaffinity(0) == allowed)
"""


def output_of(program: str, *arguments: str) -> str:
    """Run a program, since binding is for the rest of a process; return what it prints."""
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()  # noqa: S603  # it is above


@two_processors
def test_it_moves_when_two_readings_say_so() -> None:
    assert output_of(FOLLOWS) == "[1]"


@two_processors
def test_a_process_that_another_program_has_bound_stays_as_it_is() -> None:
    assert output_of(FOLLOWS, "taskset") == "[0, 1]"


@two_processors
def test_processors_of_which_one_is_not_known_are_all_used(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text(f"cpu{min(os.sched_getaffinity(0))} 1 2 3 4 5\n")
    assert output_of(STARTS, str(stat)) == "True"


@pytest.mark.parametrize(
    ("idle", "own", "chance", "best"),
    [
        ({0: 0.2, 1: 0.9}, 0.1, MOVES, 1),
        ({0: 0.2, 1: 0.9}, 0.1, STAYS, 0),  # the other server that is here may move instead
        ({0: 0.2, 1: 0.9}, 0.7, MOVES, 0),  # most of it is this process itself
        ({0: 0.4, 1: 0.6}, 0.1, MOVES, 0),  # too little to gain
        ({0: 0.2, 1: 0.9}, 0.0, MOVES, 0),  # it has nothing to do
        ({1: 1.0}, 0.1, MOVES, 1),  # a processor that was turned off
        ({0: 0.1, 5: 1.0}, 0.1, MOVES, 0),  # not one of ours
        ({}, 0.5, MOVES, 0),
    ],
)
def test_it_moves_to_a_processor_that_offers_much_more(
    idle: dict[int, float], own: float, chance: float, best: int
) -> None:
    assert Place([0, 1], lambda: chance).best(idle, own) == best


@pytest.mark.parametrize("workers", range(1, 6))
def test_each_processor_is_for_one_worker(workers: int) -> None:
    processors = [0, 2, 4, 1, 3]
    for turn in range(12):
        shares = [share(processors, number, workers, turn=turn) for number in range(1, workers + 1)]
        assert all(shares)
        assert sorted(one for own in shares for one in own) == sorted(processors)
    assert {share(processors, 1, workers, turn=turn)[0] for turn in range(12)} == set(processors)


def test_processors_that_share_a_core_are_far_apart(tmp_path: Path) -> None:
    for processor, siblings in enumerate(("0-1", "0-1", "2-3", "2-3")):
        folder = tmp_path / f"cpu{processor}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{siblings}\n")
    assert spread({0, 1, 2, 3}, tmp_path) == [0, 2, 1, 3]
    assert spread({4, 5}, tmp_path) == [4, 5]  # nothing is known of these


def test_the_idle_time_of_each_processor_includes_that_spent_waiting_for_a_disk(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    second = os.sysconf("SC_CLK_TCK")
    stat.write_text(f"cpu  9 9 9 9 9 0 0\ncpu0 1 2 3 {second} 0 0 0\ncpu3 1 2 3 {second} {2 * second} 0 0\nintr 5\n")
    assert idle_seconds(stat) == {0: 1.0, 3: 3.0}
    assert idle_seconds(tmp_path / "none") == {}
