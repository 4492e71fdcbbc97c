"""The README's consoles: read them, run them, and write what came into it.

``python -m tests.support.readme`` runs every ``$ zdemo …`` of the README's consoles and puts the output below it.
``tests/test_readme.py`` runs them too, and compares.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from zdemo.config.dotenv_file import read_dotenv, update_dotenv
from zdemo.config.settings import Settings
from zdemo.emulator import emulate
from zdemo.server import create_app
from zdemo.serving.embedded import serving

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
CONSOLE = re.compile(r"(?<=^```console\n).*?(?=^```$)", re.MULTILINE | re.DOTALL)
SERVE = "zdemo serve --emulator"  # stays in the foreground: what it says is checked where `serve` is


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command of a console, and what the README says that it prints."""

    line: str
    output: str


def commands(console: str) -> list[Command]:
    """The commands of a console, in order."""
    found = re.split(r"^\$ (.*)$\n?", console, flags=re.MULTILINE)[1:]
    return [Command(line=line, output=output) for line, output in zip(found[::2], found[1::2], strict=True)]


@contextmanager
def stage() -> Iterator[Path]:
    """A folder with a ``.env``, and the emulator and the API that it points at, on free ports."""
    with tempfile.TemporaryDirectory() as folder, emulate() as emulator:
        env_file = Path(folder, ".env")
        env_file.write_bytes((ROOT / ".env.example").read_bytes())
        update_dotenv(env_file, {"ZITADEL_DOMAIN": emulator.url})
        with serving(create_app(Settings.from_env(read_dotenv(env_file)))) as port:
            update_dotenv(env_file, {"ZDEMO_API_URL": f"http://127.0.0.1:{port}"})
            yield Path(folder)


def run(command: Command, folder: Path) -> Command:
    """The same command with what it prints now; the ports are those of the documentation."""
    if not command.line.startswith("zdemo ") or command.line == SERVE:
        return command
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run(  # noqa: S603  # the command is one of the README
        [sys.executable, "-m", *command.line.split()],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    output = (done.stdout + done.stderr).replace("\n\n\n", "\n\n")
    if command.line != "zdemo demo":
        output = re.sub(r"http://localhost:\d+", "http://localhost:8484", output)
        output = re.sub(r"http://127\.0\.0\.1:\d+", "http://127.0.0.1:5000", output)
    return replace(command, output=output)


def essence(output: str) -> str:
    """What must be the same in each run: neither short numbers (ports, times) nor blanks, nor how long a step took."""
    output = re.sub(r"(?m)(?<=as expected), after \d+\.\d s$", "", output)  # a loaded machine makes it of any step
    return re.sub(r"[ \n]+", " ", re.sub(r"(?<![\w])\d{1,5}(\.\d+)?(?!\d)", "N", output)).strip()


def main() -> None:
    """Rewrite the README's consoles."""
    with stage() as folder:

        def printed(match: re.Match[str]) -> str:
            return "".join(f"$ {c.line}\n{run(c, folder).output}" for c in commands(match[0]))

        README.write_text(CONSOLE.sub(printed, README.read_text()))


if __name__ == "__main__":
    main()
