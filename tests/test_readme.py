"""The README is true: its consoles print what it says, and every command, option, setting and exit code is in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.readme import CONSOLE, README, SERVE, Command, commands, essence, run, stage
from zdemo.cli.app import COMMANDS as TABLE
from zdemo.cli.app import load
from zdemo.errors import ExitCode

TEXT = README.read_text()
STORY = [command for console in CONSOLE.findall(TEXT) for command in commands(console)]


def all_commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every command of the program that does something, by its path."""
    if not hasattr(command, "commands"):
        yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from all_commands(inner, f"{path} {name}")


COMMANDS = {path: found for name in TABLE for path, found in all_commands(load(name), f"zdemo {name}")}


def test_the_consoles_print_what_the_readme_says() -> None:
    with stage() as folder:
        for command in STORY:
            now: Command = run(command, folder)
            assert essence(now.output) == essence(command.output), f"$ {command.line}\n{now.output}"


def test_the_first_command_comes_before_every_other_way_to_install() -> None:
    first, second = re.findall(r"^    (python3 -m venv .*)$", TEXT, re.MULTILINE)
    assert first.endswith("zdemo demo")
    assert second.endswith("pytest -q -n auto")
    assert TEXT.index(second) < min(TEXT.index(other) for other in ("pipx", "uv ", "activate"))


def test_the_story_begins_with_the_tour_and_the_server() -> None:
    assert [c.line for c in STORY][:3] == ["zdemo demo", "cp .env.example .env", SERVE]


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_and_option_is_documented(path: str) -> None:
    row = next((line for line in TEXT.splitlines() if line.startswith("| `zdemo") and f"`{path}" in line), None)
    assert row, f"{path} has no row in the README's table of commands"
    for parameter in COMMANDS[path].params:
        if parameter.param_type_name == "option" and parameter.name != "help":
            assert any(f"`{option}" in row for option in parameter.opts), f"{path}: {parameter.opts}"


@pytest.mark.parametrize("code", ExitCode)
def test_every_exit_code_is_documented(code: ExitCode) -> None:
    assert re.search(rf"^\| {code.value} \|", TEXT, re.MULTILINE)


def test_every_setting_is_documented_and_nothing_else() -> None:
    package = README.parent / "zdemo"
    files = [*(package / "config").glob("*.py"), package / "provisioning" / "names.py"]
    source = "".join(path.read_text() for path in files)
    names = set(re.findall(r'"((?:ZDEMO|ZITADEL)_[A-Z_]+|CLIENT_ID|CLIENT_SECRET|PAT)"', source))
    table = TEXT[TEXT.index("## Settings") : TEXT.index("## The emulator")]
    documented = set(re.findall(r"`((?:ZDEMO|ZITADEL)_[A-Z_]+|CLIENT_ID|CLIENT_SECRET|PAT)`", table))
    assert documented == names
