"""The consoles in README.md and docs/, and what stands about the settings in .env.example and docs/settings.md.

``python -m tests.support.readme`` writes the settings, and the table of what the emulator supports. It runs every
``$ zdemo …`` in a ``console`` block, and replaces the output below it. ``tests/test_docs.py`` runs them too,
and compares. A line ``…`` stands for lines left out.
"""

import os
import re
import shlex
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from tests.support import supported
from tests.support.files import update_dotenv
from tests.support.processes import ROOT, forker
from zdemo.config.dotenv_file import valid_dotenv
from zdemo.config.new_dotenv import emulator_text
from zdemo.config.settings import Settings
from zdemo.config.variables import VARIABLES
from zdemo.emulator import ADMIN, emulate
from zdemo.server import create_app
from zdemo.serving.embedded import serving

README = ROOT / "README.md"
PAGES = (README, *sorted((ROOT / "docs").glob("*.md")))
WITHOUT_DOTENV = "setup.md"  # this page begins with an empty folder
CONSOLE = re.compile(r"(?<=^```console\n).*?(?=^```$)", re.MULTILINE | re.DOTALL)
TESTED_ELSEWHERE = ("zdemo serve", "zdemo emulator", "zdemo init", "zdemo verify --path")  # they need time, or no .env
LEFT_OUT = "…"


@dataclass(frozen=True, kw_only=True)
class Command:
    line: str
    output: str

    @property
    def runs(self) -> bool:
        """Whether the command is one of zdemo's that ends by itself, and that the stage is made for."""
        return self.line.startswith("zdemo ") and not self.line.startswith(TESTED_ELSEWHERE)


class Stage(NamedTuple):
    folder: Path
    variables: dict[str, str]


def consoles(page: Path) -> list[str]:
    return CONSOLE.findall(page.read_text(encoding="utf-8"))


def commands(console: str) -> list[Command]:
    parts = re.split(r"^\$ (.*)$\n?", console, flags=re.MULTILINE)[1:]
    return [Command(line=line, output=output) for line, output in zip(parts[::2], parts[1::2], strict=True)]


WITH_CONSOLES = [page for page in PAGES if any(c.runs for console in consoles(page) for c in commands(console))]


@contextmanager
def stage(page: Path) -> Iterator[Stage]:
    """Run the emulator and the API on free ports, beside a folder whose ``.env`` points at them.

    The guide to setup gets no ``.env``: it finds an administrator's token in the environment, as it tells its readers.
    """
    with tempfile.TemporaryDirectory() as folder, emulate() as emulator:
        env_file = Path(folder, ".env")
        if page.name == WITHOUT_DOTENV:
            yield Stage(folder=Path(folder), variables={"ZITADEL_DOMAIN": emulator.url, "ZITADEL_ADMIN_PAT": ADMIN.pat})
            return
        env_file.write_bytes((ROOT / ".env.example").read_bytes())
        update_dotenv(env_file, {"ZITADEL_DOMAIN": emulator.url})
        with serving(create_app(Settings.from_env(valid_dotenv(env_file).values))) as port:
            update_dotenv(env_file, {"ZDEMO_API_URL": f"http://127.0.0.1:{port}"})
            yield Stage(folder=Path(folder), variables={})


def run(command: Command, stage: Stage) -> Command:
    """Return the command with the output it has now; the ports are those of the documentation."""
    if not command.runs:
        return command
    words = shlex.split(command.line, comments=True)[1:]
    variables = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **stage.variables}
    with tempfile.NamedTemporaryFile() as screen:
        streams = [Path(name) for name in (os.devnull, screen.name, screen.name)]
        forker().run_at(streams, words, stage.folder, variables)
        output = screen.read().decode().replace("\n\n\n", "\n\n")
    if command.line != "zdemo demo":
        output = re.sub(r"http://localhost:\d+", "http://localhost:8484", output)
        output = re.sub(r"http://127\.0\.0\.1:\d+", "http://127.0.0.1:5000", output)
    return replace(command, output=abridged(output, command.output))


def abridged(output: str, example: str) -> str:
    """Return the lines of ``output`` that ``example`` has around its lines ``…``.

    The first part is as long as it is in ``example``, and so is the last; a part between begins with the same line.
    """
    parts = [part.splitlines() for part in re.split(rf"^{LEFT_OUT}\n", example, flags=re.MULTILINE)]
    if len(parts) == 1:
        return output
    lines = output.splitlines()
    first, *between, last = parts
    kept = [lines[: len(first)]]
    for part in between:
        start = next(number for number, line in enumerate(lines) if essence(line) == essence(part[0]))
        kept.append(lines[start : start + len(part)])
    kept.append(lines[-len(last) :] if last else [])
    return f"{LEFT_OUT}\n".join("".join(f"{line}\n" for line in part) for part in kept)


def essence(output: str) -> str:
    """Return what must be the same in each run: no short numbers (ports, times), no spaces, no IDs.

    The seconds of a setting are not a measured time: "0 s here" stays.
    """
    output = re.sub(r"(?m); the API follows after \d+\.\d s$", "", output)  # a loaded machine adds it to any change
    output = re.sub(r"\bemulator\s+[a-z]+-[a-z]+-\d\d\b", "emulator NAME", output)  # each has its own
    output = re.sub(r"\b\d{18}\b", "ID", output)  # setup chooses new ones
    return re.sub(r"[ \n]+", " ", re.sub(r"(?<![\w])\d{1,5}(\.\d+)?(?![\d.]| s here)", "N", output)).strip()


def rewrite(page: Path) -> None:
    """Put what the commands of a page print now into its consoles, where more than times and ports differ."""
    with stage(page) as place:

        def printed(match: re.Match[str]) -> str:
            pairs = ((command, run(command, place)) for command in commands(match[0]))
            kept = (was if essence(was.output) == essence(now.output) else now for was, now in pairs)
            return "".join(f"$ {command.line}\n{command.output}" for command in kept)

        page.write_text(CONSOLE.sub(printed, page.read_text(encoding="utf-8")), encoding="utf-8")


def table() -> str:
    rows = ["| variable | meaning | default |", "| --- | --- | --- |"]
    for variable in VARIABLES:
        rows += [f"| **{variable.group}** | | |"] if variable.group else []
        is_required = variable.missing and variable.to_fill_in
        default = variable.shown_default or ("required" if is_required else "none")
        rows.append(f"| `{variable.name}` | {variable.sentence} | {default} |")
    return "\n".join(rows) + "\n"


def pages() -> dict[Path, str]:
    page = ROOT / "docs" / "settings.md"
    text = re.sub(r"(?:^\|.*\n)+", lambda _: table(), page.read_text(encoding="utf-8"), count=1, flags=re.MULTILINE)
    return {page: text, ROOT / ".env.example": emulator_text()}


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
    supported.PAGE.write_text(supported.page(), encoding="utf-8")
    for page in WITH_CONSOLES:
        rewrite(page)
