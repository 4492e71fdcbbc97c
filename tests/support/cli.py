"""Run ``zdemo`` as a person does: as a process with a folder and an environment of its own."""

import json
import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.processes import LONGEST_SECONDS, ROOT, forker, process_of, running_process
from tests.support.served import Served, answering
from tests.support.upstream import Behaviour, free_port, upstream
from zdemo.cli.layout import BELOW
from zdemo.config.settings import Settings
from zdemo.emulator import ADMIN, CLIENT_ID, CLIENT_SECRET, READER, Emulator, emulate
from zdemo.server import create_app
from zdemo.serving.embedded import serving
from zdemo.text.columns import WITHOUT_TERMINAL, cells

COMMAND = r"(?:zdemo|curl|chmod|unset|export|pip|openssl)(?: [^ ;,()]+)+"  # as a screen shows it, in one line
CACHE_SECONDS = 0.1  # of the API, so that no test waits for a change to reach it
NO_API = "http://127.0.0.1:1"  # where nothing is: at the default address a developer's own API may run
API_UNSET = {"ZDEMO_API_URL": ""}  # for tests where a file names the API, or where nothing may be exported
BASE = {
    "PYTHONPATH": str(ROOT),
    "PATH": os.defpath,
    "HOME": "/nonexistent",
    "PYTHONWARNINGS": "error",
    "ZDEMO_API_URL": NO_API,
}


class Ran(NamedTuple):
    """What a command left: its exit code, standard output and standard error.

    In ``err``, lines that were broken where a terminal ends are whole again.
    """

    code: int
    out: str
    err: str

    @property
    def all(self) -> str:
        return self.out + self.err

    @property
    def document(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        return self.err.splitlines()


def unbroken(text: str) -> str:
    """Return messages without the line ends that the width of their lines made."""
    lines = text.splitlines()
    joined = lines[:1]
    for before, line in pairwise(lines):
        word = line.split()[0] if line.strip() else ""
        is_step = re.match(COMMAND, line.lstrip())
        may_continue = (line.startswith(" ") and not is_step) or (
            word == line and cells(line) > WITHOUT_TERMINAL - BELOW
        )
        if may_continue and cells(before) + 1 + cells(word) > WITHOUT_TERMINAL - BELOW:
            joined[-1] += f" {line.lstrip()}"
        else:
            joined.append(line)
    return "".join(f"{line}\n" for line in joined)


def _ran(done: subprocess.CompletedProcess[bytes]) -> Ran:
    ran = Ran(code=done.returncode, out=done.stdout.decode(), err=unbroken(done.stderr.decode()))
    assert "Traceback" not in ran.all, ran.all
    return ran


@dataclass(frozen=True, kw_only=True)
class Shell:
    """A folder and an environment to run commands in; ``env`` is exported there.

    ``program`` and ``base`` are others for another installation than this repository.
    """

    folder: Path
    env: Mapping[str, str]
    program: Sequence[str] = (sys.executable, "-m", "zdemo")
    base: Mapping[str, str] = field(default_factory=lambda: BASE)

    def __call__(self, *arguments: str | bytes, stdin: str | bytes = b"", **env: str) -> Ran:
        """Run ``zdemo`` to its end; ``env`` is exported for this command alone. A traceback is always a failure."""
        texts = [os.fsdecode(argument) for argument in arguments]
        return _ran(process_of(texts).run(texts, self.folder, {**BASE, **self.env, **env}, os.fsencode(stdin)))

    def beside(self, zitadel: Behaviour, *arguments: str, **env: str) -> Ran:
        """Run ``zdemo`` with a server in place of ZITADEL."""
        with upstream(zitadel) as server:
            return self(*arguments, ZITADEL_DOMAIN=server.url, **env)

    def in_new_process(self, *arguments: str | bytes, stdin: str | bytes = b"", **env: str) -> Ran:
        """Run ``zdemo`` in a Python that starts for this command."""
        done = subprocess.run(  # noqa: S603  # the program under test
            [*self.program, *arguments],
            cwd=self.folder,
            env={**self.base, **self.env, **env},
            input=os.fsencode(stdin),
            capture_output=True,
            timeout=LONGEST_SECONDS,
            check=False,
        )
        return _ran(done)

    def dotenv(self, **values: str) -> None:
        (self.folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in values.items()))

    @contextmanager
    def running(self, *arguments: str, **env: str) -> Iterator[subprocess.Popen[str]]:
        """Run ``zdemo`` while the block lasts; end it by SIGTERM if it still runs."""
        command, exported = [*self.program, *arguments], {**self.base, **self.env, **env}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        with running_process(command, self.folder, exported, **pipes) as process:
            yield process

    @contextmanager
    def serving(self, *arguments: str, at: str = "", **env: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
        """Run ``zdemo serve``, on a free port or this one, for the block; yield process and address once it answers."""
        port = at or str(free_port())
        with self.running("serve", "--port", port, *arguments, **env) as process:
            answering(Served(process=process, port=int(port), folder=self.folder))
            yield process, f"http://127.0.0.1:{port}"


def is_two_lines(ran: Ran) -> bool:
    """Return whether a failure is one ``error:`` and a ``hint:``, and with ``--json`` a document of the two."""
    first, *rest = ran.lines or [""]
    if not (first.startswith("error: ") and rest[:1] and rest[0].startswith("hint:  ")):
        return False
    hint = "\n".join(line[len("hint:  ") :] for line in rest)
    document = {"error": first.removeprefix("error: "), "hint": hint}
    return ran.out == "" or document.items() <= ran.document.items()


def settings(url: str, **more: str) -> dict[str, str]:
    return {"ZITADEL_DOMAIN": url, "CLIENT_ID": CLIENT_ID, "CLIENT_SECRET": CLIENT_SECRET, "PAT": READER.pat, **more}


def administered(url: str, **more: str) -> dict[str, str]:
    return settings(url, ZITADEL_ADMIN_PAT=ADMIN.pat, **more)


class Stack(NamedTuple):
    """An emulated ZITADEL and the API in front of it; ``env`` holds the settings for them."""

    emulator: Emulator
    api_url: str

    @property
    def env(self) -> dict[str, str]:
        return administered(self.emulator.url, ZDEMO_API_URL=self.api_url)


@contextmanager
def stack() -> Iterator[Stack]:
    """Run both on free ports while the block lasts, with a known world of their own."""
    with emulate() as emulator:
        settings = Settings(
            issuer=emulator.url, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, cache_ttl_seconds=CACHE_SECONDS
        )
        with serving(create_app(settings)) as port:
            yield Stack(emulator=emulator, api_url=f"http://127.0.0.1:{port}")


CONTROLLED = "import os, sys; os.login_tty(0); os.execvp(sys.argv[1], sys.argv[1:])"
CONTROL = re.compile(r"\x1b(?:\[[\d;?>=]*[a-zA-Z]|[\]P][^\x07\x1b]*(?:\x07|\x1b\\)|[=>78(][B0]?)|\r|\x07|\x0f")
CTRL_C, PRESSED_AGAIN_SECONDS = "\x03", 5.0


class Terminal:
    """The terminal of a program that a test talks to. With 0 columns, it does not know its width."""

    def __init__(self, columns: int) -> None:
        self._master, self.slave = pty.openpty()
        termios.tcsetwinsize(self.slave, (24, columns))

    def type(self, text: str, awaited: str | None = None) -> str:
        """Type, and return the output until ``awaited`` stands in one line, or until the program ends."""
        output, end = b"", time.monotonic() + LONGEST_SECONDS
        with suppress(OSError):  # how Linux says that the other end is closed
            os.write(self._master, text.encode())
            while awaited is None or awaited not in CONTROL.sub("", output.decode(errors="replace")).replace("\n", " "):
                assert time.monotonic() < end, f"{awaited!r} is not in {output!r}"
                if select.select([self._master], [], [], PRESSED_AGAIN_SECONDS)[0]:
                    output += os.read(self._master, 1 << 16)
                elif text == CTRL_C:  # Python notices one that comes just before it waits for input only at the next
                    os.write(self._master, text.encode())
        return output.decode(errors="replace").replace("\r\n", "\n")

    def foreground(self) -> int:
        return os.tcgetpgrp(self._master)

    def close(self) -> None:
        os.close(self._master)


def at_terminal(
    shell: Shell, *arguments: str, columns: str = "0", when: str = "", typed: str | Callable[[], str] = "", **env: str
) -> tuple[int, str]:
    """Return the exit code and the terminal's output; ``typed`` is typed once ``when`` appears.

    A function is called then, and returns what to type.
    """
    variables = {**BASE, "TERM": "xterm-256color", **shell.env, **env}
    with closing(Terminal(int(columns))) as terminal, ThreadPoolExecutor(1) as pool:
        streams = [Path(os.ttyname(terminal.slave))] * 3
        code = pool.submit(forker().run_at, streams, arguments, shell.folder, variables, terminal=True)
        code.add_done_callback(lambda _: os.close(terminal.slave))
        screen = terminal.type("", when) if typed else ""
        screen += terminal.type(typed() if callable(typed) else typed)
    return code.result(), screen


@contextmanager
def session(command: Sequence[str], folder: Path, env: Mapping[str, str]) -> Iterator[Terminal]:
    """Run a shell, which controls its terminal, for the block."""
    with closing(Terminal(200)) as terminal:
        process = subprocess.Popen(  # noqa: S603  # a shell that the test names
            [sys.executable, "-c", CONTROLLED, *command], cwd=folder, env=dict(env), stdin=terminal.slave
        )
        os.close(terminal.slave)
        try:
            yield terminal
        finally:
            process.kill()
            process.wait()
