"""A process that has loaded zdemo and forks for each command, which saves up to 0.6 s of loading per command.

Each command is still a process, with folder, environment, arguments and files of its own; what a fork cannot show
(what is loaded at start, what Python itself reads from the environment) is tested with ``Shell.anew``.
Run as a program it takes one job per line, as JSON, and answers each with its exit code.
"""

import fcntl
import json
import os
import signal
import sys
import termios
import traceback
from typing import Any, TextIO

LONGEST_SECONDS = 60


def _streams() -> tuple[TextIO, TextIO, TextIO]:
    """Open the three streams of a new process in a UTF-8 locale."""
    return (
        open(0, encoding="utf-8", errors="surrogateescape", closefd=False),
        open(1, "w", encoding="utf-8", closefd=False),
        open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False),
    )


def _run(job: dict[str, Any]) -> int:
    """Become ``zdemo`` in the forked process, with folder, environment, files and arguments of the job."""
    signal.alarm(LONGEST_SECONDS)
    os.chdir(job["folder"])
    os.environ.clear()
    os.environ.update(job["env"])
    if job["terminal"]:
        os.setsid()
    for number, path in enumerate(job["files"]):
        # two streams may be one file, as at a terminal
        handle = os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_APPEND)
        os.dup2(handle, number)
        os.close(handle)
    if job["terminal"]:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    sys.stdin, sys.stdout, sys.stderr = _streams()
    sys.argv = ["zdemo", *job["arguments"]]
    from zdemo.cli import main

    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    return 1


def _serve() -> None:
    import rich.markdown  # noqa: F401  # all are imported once, for all forks
    import typer.rich_utils  # noqa: F401

    import zdemo.cli.commands.call
    import zdemo.cli.commands.doctor
    import zdemo.cli.commands.introspect
    import zdemo.cli.commands.role
    import zdemo.cli.commands.setup
    import zdemo.cli.commands.verify
    import zdemo.cli.entry
    import zdemo.demo.emulated
    import zdemo.diagnosis.ask.api_comparison
    import zdemo.http.transport
    import zdemo.page
    import zdemo.server  # noqa: F401

    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            code = _run(json.loads(line))
            sys.stdout.flush()
            os._exit(code)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    _serve()
