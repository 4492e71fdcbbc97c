"""zdemo for programs: every command that ends gives JSON and asks nobody; the list of commands; the skill."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import API_UNSET, BASE, Shell, Stack
from tests.support.processes import ROOT, forker, process_of
from zdemo.config.variables import BY_NAME, SECRETS
from zdemo.emulator import ADMIN, CLIENT_SECRET, READER
from zdemo.errors import ExitCode

LINES = {  # of each command that ends by itself; a bare option of a token would ask at a terminal
    "demo": ["", "--live --admin-pat"],
    "init": ["", "--emulator"],
    "commands": ["", "--skill"],
    "call": ["scoped", "public --curl", "private --pat"],
    "token": ["", "--client-id reader --client-secret"],  # --login and --device wait for a browser, at most 5 minutes
    "verify": ["--list", "--only safe"],
    "introspect": ["", "-v", "--pat", "--admin-pat", "-q"],
    "doctor": ["", "--list", "--explain net.tls", "--admin-pat", "--fix"],
    "emulator": ["--export world.toml"],  # else --json prints a document when it is ready, then it serves
    "setup": ["", "--dry-run", "--teardown", "--admin-pat", "--app"],
    "role list": ["", "--admin-pat"],
    "role grant": ["visitor read:messages", "visitor new --create-role"],
    "role revoke": ["visitor read:messages", "nobody read:messages"],
}
WITHOUT_END = {  # and why they have no document that ends
    "serve": "runs until it is stopped; --json-logs is for programs",
    "mcp": "speaks the protocol until its client closes standard input",
}


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    shell = Shell(folder=tmp_path_factory.mktemp("commands"), env={})
    return {row["name"]: row for row in shell("commands", "--json").document["commands"]}


@pytest.mark.parametrize(
    "stdin", ["empty", *(pytest.param(kind, marks=pytest.mark.thorough) for kind in ("closed", "silent"))]
)
@pytest.mark.parametrize("command", [pytest.param(c, marks=[pytest.mark.thorough] * (c == "demo")) for c in LINES])
def test_no_command_asks_where_there_is_no_terminal(
    own_shell: Shell, listed: dict[str, Any], command: str, stdin: str
) -> None:
    """``silent`` is a pipe on which nobody writes: a command that reads it does not end."""
    codes = {*map(int, listed[command]["exit_codes"]), ExitCode.USAGE}
    out, err, pipe = (own_shell.folder / name for name in ("out", "err", "pipe"))
    os.mkfifo(pipe)
    writer = os.open(pipe, os.O_RDWR)
    streams = [{"closed": None, "empty": Path(os.devnull), "silent": pipe}[stdin], out, err]
    for line in LINES[command]:
        words = [*f"{command} --json".split(), *line.split()]
        for path in (out, err):
            path.write_bytes(b"")
        process = process_of(words) if stdin == "empty" else forker()
        code = process.run_at(streams, words, own_shell.folder, {**BASE, **own_shell.env})
        assert code in codes, f"{words}\n{err.read_text()}"
        assert "unexpected" not in err.read_text(), words
        assert "-q" in words or json.loads(out.read_text()), words
    os.close(writer)


def test_the_list_has_every_command_and_what_a_caller_needs(bare: Shell, listed: dict[str, Any]) -> None:
    rows = listed
    assert rows.keys() == LINES.keys() | WITHOUT_END.keys()
    options = {(name, option["names"][0]): option for name, row in rows.items() for option in row["options"]}
    assert options["call", "--url"]["settings"] == ["ZDEMO_API_URL"]
    assert options["emulator", "--external-domain"]["settings"] == ["ZDEMO_EXTERNAL_DOMAIN"]
    assert options["introspect", "--as"]["choices"] == ["reader", "visitor"]
    expected = {"least": 1, "most": 65535, "default": 5000, "takes": "PORT"}
    assert expected.items() <= options["serve", "--port"].items()
    assert {name for option in options.values() for name in option.get("settings", ())} <= BY_NAME.keys()
    assert rows["doctor"]["settings"] == [*BY_NAME]
    assert rows["emulator"]["exit_codes"].keys() >= {"0", "1", "126", "127", "128"}
    assert not [name for name, row in rows.items() if not row["exit_codes"]]
    text = bare("commands").out
    assert all(re.search(rf"^{name} +\w", text, re.MULTILINE) for name in rows)
    assert len(text.splitlines()) < 80


def test_the_list_holds_no_secret_that_is_set(shell: Shell) -> None:
    canaries = {name: f"{name.lower()}-canary-0123456789" for name in SECRETS}
    for line in ("commands --json", "commands", "commands --skill"):
        assert "canary" not in shell(*line.split(), **canaries).all


def test_the_commands_of_the_skill_run_as_they_stand_there(own_stack: Stack, tmp_path: Path) -> None:
    shell = Shell(folder=tmp_path, env=API_UNSET)
    skill = shell("commands", "--skill").out
    assert skill == (ROOT / "zdemo" / "cli" / "SKILL.md").read_text()
    assert re.match(r"---\nname: [a-z-]{1,64}\ndescription: .{1,1024}\n---\n", skill)
    shell.dotenv(**own_stack.env)
    (tmp_path / "token.txt").write_text(READER.pat)
    lines = [*re.findall(r"^ {7}zdemo (.*)$", skill, re.MULTILINE), "commands --json"]
    assert len(lines) == 6
    for line in lines:
        words, _, file = line.partition(" < ")
        ran = shell(*words.split(), stdin=(tmp_path / file).read_text() if file else "")
        assert (ran.code, type(ran.document)) == (0, dict), f"{line}\n{ran.err}"
        assert not [secret for secret in (READER.pat, ADMIN.pat, CLIENT_SECRET) if secret in ran.all]
    codes = re.findall(r"^\| (\d) \|", skill, re.MULTILINE)
    assert [int(code) for code in codes] == [code.value for code in ExitCode]
