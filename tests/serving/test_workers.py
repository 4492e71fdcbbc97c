"""The processes of ``zdemo serve``: their names, signals that reach any thread, and an end that leaves none behind."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.server.test_faults import PROJECT
from tests.support.apis import PRIVATE, PUBLIC
from tests.support.cli import Shell, is_two_lines
from tests.support.connection_faults import ACTIVE
from tests.support.processes import processes
from tests.support.served import Served, environment_for, served, started
from tests.support.upstream import LOOPBACK, free_port, hang, upstream
from tests.support.waiting import eventually
from tests.support.wire import PATIENCE_SECONDS
from zdemo.cli.commands.serve import METRICS_FOLDER
from zdemo.emulator import READER
from zdemo.errors import ExitCode
from zdemo.serving.listening import listen
from zdemo.serving.production import KILL_SECONDS

pytestmark = pytest.mark.thorough

AWAY = environment_for("http://localhost:1")  # a ZITADEL that is away; what is asked here needs none
STOP_SECONDS = KILL_SECONDS / 2  # a worker that overlooks a signal takes longer
FEW_FILES = 256

linux = pytest.mark.skipif(sys.platform != "linux", reason="a signal can be sent to one thread on Linux only")


def all_gone(process: subprocess.Popen[bytes]) -> bool:
    return not [running for running in processes() if running.group == process.pid]


def threads(pid: int) -> list[int]:
    """Return the threads of a process, without its main thread."""
    return sorted({int(name) for name in os.listdir(f"/proc/{pid}/task")} - {pid})


def check_processes(running: Served, count: int, *, is_bound: bool) -> None:
    """Each process says what it is; each worker stays on a processor of its own, or on none."""
    workers = eventually("all are named", lambda: running.workers, lambda it: len(it) == count)
    place = f"{LOOPBACK}:{running.port}"
    titles = {f"zdemo serve: worker {number} of {count}, {place}" for number in range(1, count + 1)}
    assert {worker.command for worker in workers} == titles
    assert [server.command for server in processes() if server.pid == running.process.pid] == [f"zdemo serve: {place}"]
    if sys.platform != "linux" or len(allowed := os.sched_getaffinity(0)) < count:
        return
    used = set()
    for thread in (thread for worker in workers for thread in (worker.pid, *threads(worker.pid))):
        with suppress(ProcessLookupError):  # it has ended meanwhile
            used.add(frozenset(os.sched_getaffinity(thread)))
    assert len(used) == (count if is_bound else 1)
    assert all(len(processors) == 1 if is_bound else processors == allowed for processors in used)


def test_nothing_is_left_of_a_server_that_was_killed(tmp_path: Path) -> None:
    with (
        upstream(hang) as up,
        served(tmp_path, {**environment_for(up.url), "ZDEMO_TIMEOUT": "60"}, "--workers", "2") as running,
        ThreadPoolExecutor() as pool,
    ):
        check_processes(running, 2, is_bound=True)
        pool.submit(running.get, PRIVATE)
        eventually("the request is under way", lambda: up.requests)
        running.process.kill()
        eventually("all of its processes have ended", lambda: all_gone(running.process))
        listen(LOOPBACK, running.port).close()  # the port is free
    assert "Traceback" not in running.log


def test_no_module_of_the_working_directory_runs(tmp_path: Path) -> None:
    for name in ("fcntl", "pickle", "signal", "socket", "threading"):
        (tmp_path / f"{name}.py").write_text("open('trap', 'w')")
    command = Path(sys.executable).with_name("zdemo")  # python -m zdemo would run them, by Python's own rule
    with served(
        tmp_path, AWAY, "--workers", "2", "--no-pin", before=f'shift 5; set -- {shlex.quote(str(command))} "$@"'
    ) as running:
        check_processes(running, 2, is_bound=False)
        assert running.get(PUBLIC).status == 200
    assert not (tmp_path / "trap").exists()


@linux
def test_sigterm_stops_a_worker_or_the_server_whichever_thread_the_system_chooses(tmp_path: Path) -> None:
    with served(tmp_path, AWAY, "--pin") as running:
        check_processes(running, 1, is_bound=True)
        (worker,) = running.workers
        os.kill(threads(worker.pid)[-1], signal.SIGTERM)
        (another,) = eventually("it is replaced", lambda: [it for it in running.workers if it.pid != worker.pid])
        assert running.get(PUBLIC).status == 200
        assert another.command == worker.command
        os.kill(threads(running.process.pid)[0], signal.SIGTERM)
        assert running.process.wait(STOP_SECONDS) == ExitCode.YES


@linux
def test_a_worker_that_ends_again_and_again_ends_the_server_with_a_reason(tmp_path: Path) -> None:
    def ended() -> int | None:
        for worker in running.workers:
            with suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGKILL)
        return running.process.poll()

    with served(tmp_path, AWAY) as running:
        assert eventually("it has ended", ended) == ExitCode.NO
    assert "error: the API has stopped: a worker ended again within seconds of its start" in running.log


# At once, Ctrl-C reaches Python itself, which may answer with a traceback.


def test_ctrl_c_while_it_starts_ends_it_quietly(tmp_path: Path) -> None:
    """As Ctrl-C at a terminal, it reaches the whole process group, at the moment when a worker starts."""
    with started(tmp_path, AWAY, "--workers", "2", "--port", str(free_port())) as process:
        eventually("a worker starts", lambda: [it for it in processes() if it.parent == process.pid])
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(2 * KILL_SECONDS) in {ExitCode.YES, 130, -signal.SIGINT}
        eventually("all of its processes have ended", lambda: all_gone(process))
    log = (tmp_path / "stderr").read_text()
    assert not re.search(r"Traceback|Error|Exception", log)


@pytest.mark.parametrize("name", ["missing", "file"])
def test_a_folder_for_metrics_that_cannot_be_used_is_refused_with_what_to_do(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    shell = Shell(folder=tmp_path, env={**AWAY, METRICS_FOLDER: str(tmp_path / name)})
    ran = shell("serve", "--open-metrics", "--port", str(free_port()))
    assert (ran.code, is_two_lines(ran)) == (ExitCode.NO, True)
    assert ran.err.startswith("error: no metrics can be kept in ")
    assert f"set {METRICS_FOLDER} to a folder" in ran.err


def test_clients_beyond_the_limit_of_open_files_take_none_from_the_others(tmp_path: Path) -> None:
    """There are more than may be open at all; the token of the client that came first must still be checked."""
    few = f"ulimit -n {FEW_FILES}"
    with (
        upstream(ACTIVE) as up,
        served(tmp_path, {**environment_for(up.url), "ZITADEL_PROJECT_ID": PROJECT}, before=few) as running,
        closing(HTTPConnection(LOOPBACK, running.port, timeout=PATIENCE_SECONDS)) as first,
        ExitStack() as others,
    ):
        statuses = []
        for target in (PUBLIC, PRIVATE):
            first.request("GET", target, headers={"Authorization": f"Bearer {READER.pat}"})
            response = first.getresponse()
            response.read()
            statuses.append(response.status)
            for _ in range(2 * FEW_FILES):
                others.enter_context(socket.create_connection((LOOPBACK, running.port)))
        assert statuses == [200, 200]
        others.close()
        assert running.get(PRIVATE).status == 200
        assert running.stop(signal.SIGHUP) == ExitCode.YES, "a terminal that is closed stops it"
