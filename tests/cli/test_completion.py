"""Completion: what may stand at a place of the line, and the script in a shell."""

import os
import stat
import sys

import pytest

from tests.support.cli import BASE, Shell, session
from zdemo.cli.app import COMMANDS
from zdemo.diagnosis.checks import CHECKS
from zdemo.verify.cases import CASES

IDS = [*(check.id for check in CHECKS), *dict.fromkeys(check.group for check in CHECKS)]
READY = "READY> "


@pytest.mark.parametrize(
    ("line", "candidates"),
    [
        ("zdemo ", list(COMMANDS)),
        ("zdemo do", ["doctor"]),
        ("zdemo --", ["--version", "--install-completion", "--show-completion", "--help"]),
        ("zdemo role ", ["list", "grant", "revoke"]),
        ("zdemo call ", ["public", "private", "scoped"]),
        ("zdemo call /messages --meth", ["--method"]),
        ("zdemo call /messages -X P", ["POST", "PUT", "PATCH"]),
        ("zdemo call --expect ", []),
        ("zdemo doctor --only ", IDS),
        ("zdemo doctor --explain api.q", ["api.query"]),
        ("zdemo verify --only saf", ["safe", *(case.id for case in CASES if case.id.startswith("safe."))]),
        ("zdemo role grant ", []),  # only ZITADEL knows, and no key asks it
        ("zdemo setup --auth ", ["basic", "private-key-jwt"]),
    ],
)
def test_the_candidates_are_those_that_may_stand_there(bare: Shell, line: str, candidates: list[str]) -> None:
    words = line.split(" ")
    ran = bare(_ZDEMO_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(len(words) - 1))
    assert (ran.code, ran.err, ran.out.split()) == (0, "", candidates)


@pytest.mark.thorough
def test_the_script_completes_what_is_typed_and_falls_back_to_files(shell: Shell) -> None:
    program = shell.folder / "zdemo"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m zdemo "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (shell.folder / "my-own.env").touch()
    path = os.pathsep.join((str(shell.folder), os.environ["PATH"]))
    env = {**BASE, **shell.env, "PATH": path, "HOME": str(shell.folder), "PS1": READY, "TERM": "dumb"}
    with session(["bash", "--norc", "--noprofile", "-i"], shell.folder, env) as typing:
        typing.type("zdemo --install-completion && source ~/.bashrc; echo rea''dy\n", "ready\n")
        for typed, more in (
            ("zdemo doct\t", "zdemo doctor "),
            ("zdemo call scop\t", "zdemo call scoped "),
            ("zdemo doctor --explain role.g\t", "role.granted "),
            ("zdemo call scoped --env-file my-o\t", "my-own.env "),
        ):
            typing.type(typed, more)
            typing.type("\x15", "")
