"""A process that has loaded zdemo, and runs one command after the other, each in a fork if its argument says so.

That saves up to 0.6 s of loading per command, and without a fork 20 ms more. Each command has a folder, environment,
arguments and files of its own. ``Shell.in_new_process`` tests the rest: what Python itself reads from the environment.
The process reads one job per line, as JSON, and answers each with its exit code.
"""

import gc
import json
import os
import signal
import sys
import traceback
from importlib import import_module
from typing import Any, TextIO, cast

from zdemo.cli.app import COMMANDS, load

LONGEST_SECONDS = 60
MODULES = (  # that commands import only when they need them
    *("typer.rich_utils", "tests.support.cli", "zdemo.cli.entry", "zdemo.demo.environments", "zdemo.http.transport"),
    *("zdemo.diagnosis.ask.investigate", "zdemo.page", "zdemo.verify.emulated_issuer"),
)


def _streams() -> tuple[TextIO | None, ...]:
    """Open the three streams of a new process in a UTF-8 locale; one that is closed is ``None``, as Python has it."""

    def opened(number: int, mode: str, errors: str) -> TextIO | None:
        try:
            return cast("TextIO", open(number, mode, encoding="utf-8", errors=errors, closefd=False))
        except OSError:
            return None

    return opened(0, "r", "surrogateescape"), opened(1, "w", "strict"), opened(2, "w", "backslashreplace")


def _become(job: dict[str, Any]) -> None:
    signal.alarm(LONGEST_SECONDS)
    os.chdir(job["folder"])
    os.environ.clear()
    os.environ.update(job["env"])
    if job["terminal"]:
        os.login_tty(os.open(job["files"][0], os.O_RDWR))
    for number, path in enumerate(job["files"]):
        if path is None:
            os.close(number)
            continue
        # two streams may be one file, as at a terminal
        handle = os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_APPEND)
        if handle != number:
            os.dup2(handle, number)
            os.close(handle)
    sys.stdin, sys.stdout, sys.stderr = _streams()
    sys.argv = ["zdemo", *job["arguments"]]


def _command(job: dict[str, Any]) -> int:
    from zdemo.cli.entry import run

    _become(job)
    try:
        return run(job["arguments"])
    except SystemExit as end:  # of completion
        return int(end.code or 0)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        signal.alarm(0)
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()


def _load() -> None:
    """Import what commands use."""
    for module in MODULES:
        import_module(module)
    for name in COMMANDS:
        load(name)
    gc.collect()
    gc.freeze()


def _serve(*, forks: bool) -> None:
    _load()
    with os.fdopen(os.dup(0)) as jobs, os.fdopen(os.dup(1), "w") as answers:  # commands get other streams
        for line in jobs:
            job = json.loads(line)
            if forks:
                child = os.fork()
                if child == 0:
                    os._exit(_command(job))
                code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            else:
                code = _command(job)
            print(code, file=answers, flush=True)


if __name__ == "__main__":
    _serve(forks=sys.argv[1:] == ["forks"])
    os._exit(0)  # without the 0.1 s in which Python takes apart what is loaded
