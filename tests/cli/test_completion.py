"""Completion: what may stand at a place of the line, and the scripts in the shells that are installed here."""

import os
import shutil
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.cli import BASE, Shell
from tests.support.interactive import session
from zdemo.cli.app import COMMANDS
from zdemo.doctor import CHECKS
from zdemo.doctor.check import group_of
from zdemo.doctor.conformance import API_CHECKS
from zdemo.verify.cases import CASES

IDS = [*(check.id for check in CHECKS), *dict.fromkeys(group_of(check.id) for check in CHECKS)]
READY = "READY> "


def completed(shell: Shell, line: str, kind: str = "bash", **env: str) -> list[str]:
    """Return the candidates for a line that ends at the cursor."""
    ran = shell(line, _ZDEMO_COMPLETE=kind, COMP_WORDBREAKS=" \t\n\"'><=;|&(:", **env)
    assert (ran.code, ran.err) == (0, "")
    return ran.out.splitlines()


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("zdemo ", [*COMMANDS, "help"]),
        ("zdemo  do", ["doctor"]),
        ("/usr/bin/zdemo do", ["doctor"]),
        ("zdemo --", ["--version", "--show-completion", "--install-completion", "--help"]),
        ("zdemo --show-completion ", ["bash", "zsh", "fish"]),
        ("zdemo help ", list(COMMANDS)),
        ("zdemo help ro", ["role"]),
        ("zdemo help role g", ["grant"]),
        ("zdemo role ", ["list", "grant", "revoke"]),
        ("zdemo call ", ["public", "private", "scoped"]),
        ("zdemo call s", ["scoped"]),
        ("zdemo call scoped ", []),
        ("zdemo call /mess", []),
        ("zdemo call https://h", []),
        ("zdemo call /messages --meth", ["--method"]),
        ("zdemo call /messages -X P", ["POST", "PUT", "PATCH"]),
        ("zdemo call --pat x --url y pri", ["private"]),
        ("zdemo call --pat x --verb", ["--verbose"]),
        ("zdemo call --pat x --pa", []),
        ("zdemo call --expect ", []),
        ("zdemo call --env-file ", []),
        ("zdemo doctor --only ", IDS),
        ("zdemo doctor --only net.tls --only net.r", ["net.resolve"]),
        ("zdemo doctor --only net.tls --only cred", ["credentials"]),
        ("zdemo doctor --only=token.a", ["token.active", "token.audience"]),
        ("zdemo doctor --explain api.q", ["api.query"]),
        ("zdemo verify --only saf", ["safe", *(case.id for case in CASES if case.id.startswith("safe."))]),
        ("zdemo token --scope o", ["openid"]),
        ("zdemo token --scope openid --sc", ["--scope"]),
        ("zdemo token --scope urn:zitadel:iam:org:projects:r", ["roles"]),  # bash has split it at the colons
        ("zdemo role grant ", []),  # only ZITADEL knows, and no key asks it
        ("zdemo setup --auth ", ["basic", "private-key-jwt"]),
        ("zdemo nonsense ", []),
        ("zdemo 'cal", ["call"]),
        ("zdemo call scoped --env-file 'it is", []),
        ("", [*COMMANDS, "help"]),
    ],
)
def test_the_candidates_are_those_that_may_stand_there(bare: Shell, line: str, found: list[str]) -> None:
    assert completed(bare, line) == found


def test_zsh_and_fish_get_the_meaning_too(bare: Shell) -> None:
    meaning = next(check.what for check in API_CHECKS if check.id == "api.query")
    for kind in ("zsh", "fish"):
        assert completed(bare, "zdemo doc", kind) == [f"doctor\t{COMMANDS['doctor'][1]}"]
        assert completed(bare, "zdemo doctor --explain api.q", kind) == [f"api.query\t{meaning}"]


# --- the scripts


def place_program(shell: Shell) -> dict[str, str]:
    """Put a program ``zdemo`` into the folder, and return the environment in which shells find it."""
    program = shell.folder / "zdemo"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m zdemo "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    path = os.pathsep.join((str(shell.folder), os.environ["PATH"]))
    return {**BASE, **shell.env, "PATH": path, "HOME": str(shell.folder), "PS1": READY, "TERM": "dumb"}


STARTS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "source <(zdemo --show-completion bash)"),
    "zsh": (
        ["zsh", "-f", "-i"],
        "autoload -Uz compinit; compinit -u; source <(zdemo --show-completion zsh)",
    ),
    "fish": (
        ["fish", "--private"],
        "zdemo --show-completion fish | source; function fish_prompt; echo -n 'READY> '; end",
    ),
}


@pytest.mark.parametrize("name", STARTS)
def test_the_script_completes_what_is_typed(name: str, shell: Shell) -> None:
    command, line = STARTS[name]
    if not shutil.which(command[0]):
        pytest.skip(f"{name} is not installed")
    with session(command, shell.folder, place_program(shell)) as typing:
        typing.type(f"{line}; echo rea''dy\n", "ready\n")
        for typed, more in (
            ("zdemo doct\t", "zdemo doctor "),
            ("zdemo call scop\t", "zdemo call scoped "),
            ("zdemo doctor --explain role.g\t", "role.granted "),
            ("zdemo token --scope urn:zitadel:iam:org:projects:r\t", "roles "),
            ("zdemo call --pat x --verb\t", "--verbose "),
        ):
            typing.type(typed, more)
            typing.type("\x15", "")


def test_bash_falls_back_to_files(shell: Shell) -> None:
    (shell.folder / "my-own.env").touch()
    with session(STARTS["bash"][0], shell.folder, place_program(shell)) as typing:
        typing.type(f"{STARTS['bash'][1]}; echo rea''dy\n", "ready\n")
        typing.type("zdemo call scoped --env-file my-o\t", "my-own.env ")


def in_home(bare: Shell, **env: str) -> Mapping[str, str]:
    return {"HOME": str(bare.folder), **env}


def test_installing_adds_one_line_and_changes_nothing_else(bare: Shell) -> None:
    for name, start in (("bash", ".bashrc"), ("zsh", ".zshrc")):
        (bare.folder / start).write_bytes(b"# mine \xff, without a line end")
        ran = bare("--install-completion", name, **in_home(bare))
        path = bare.folder / ".local" / "share" / "zdemo" / f"completion.{name}"
        assert (ran.code, ran.err, str(path) in ran.out) == (0, "", True)
        once = (bare.folder / start).read_bytes()
        assert once == b"# mine \xff, without a line end\n" + f"source {path}\n".encode()
        assert bare("--install-completion", **in_home(bare, SHELL=f"/bin/{name}")).code == 0
        assert (bare.folder / start).read_bytes() == once
        assert path.read_text() == bare("--show-completion", name).out


def test_fish_finds_its_script_by_itself(bare: Shell) -> None:
    assert bare("--install-completion", "fish", **in_home(bare)).code == 0
    assert [path.name for path in (bare.folder / ".config" / "fish" / "completions").iterdir()] == ["zdemo.fish"]


@pytest.mark.parametrize(
    ("words", "env", "code", "error"),
    [
        ("--show-completion tcsh", {}, 2, "unknown shell: tcsh"),
        ("--show-completion", {"SHELL": "/bin/tcsh"}, 2, "unknown shell: tcsh"),
        ("--install-completion", {"SHELL": ""}, 2, "the variable SHELL does not name your shell"),
        ("--install-completion bash", {"HOME": "/dev/null"}, 1, "cannot be written: Not a directory"),
    ],
)
def test_what_cannot_be_installed_is_named(bare: Shell, words: str, env: dict[str, str], code: int, error: str) -> None:
    ran = bare(*words.split(), **env)
    assert (ran.code, ran.out, error in ran.lines[0]) == (code, "", True)
    assert "zdemo --show-completion" in ran.lines[1]


def test_a_home_of_its_own_is_used(bare: Shell, tmp_path: Path) -> None:
    env = in_home(bare, XDG_DATA_HOME=str(tmp_path / "data"), ZDOTDIR=str(tmp_path))
    assert bare("--install-completion", "zsh", **env).code == 0
    assert (tmp_path / "data" / "zdemo" / "completion.zsh").exists()
    assert (tmp_path / ".zshrc").exists()
