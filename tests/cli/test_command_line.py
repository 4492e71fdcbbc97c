"""The command line itself: help, wrong words, exit codes, closed and broken streams."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.cli.running import BASE, LONGEST_SECONDS, Shell, is_two_lines
from zdemo.errors import ExitCode

TYPED = "Wr0ngWord"
COMMANDS = ("demo", "serve", "call", "introspect", "emulator", "role")


@pytest.mark.parametrize("arguments", [(), ("--help",)])
def test_help_names_every_command_and_a_first_step(bare: Shell, arguments: tuple[str, ...]) -> None:
    ran = bare.anew(*arguments)
    assert ran.code == (0 if arguments else 2)
    assert all(command in ran.out for command in COMMANDS)
    assert "zdemo demo" in ran.out


@pytest.mark.parametrize("command", [*COMMANDS, "role list", "role grant", "role revoke"])
def test_the_help_of_each_command_is_short_and_has_an_example(bare: Shell, command: str) -> None:
    ran = bare(*command.split(), "--help")
    assert (ran.code, ran.err) == (0, "")
    assert len(ran.out.splitlines()) < 45
    assert command == "role" or f"Example: zdemo {command}" in ran.out.replace("\n", " ")


def test_the_version_is_told(bare: Shell) -> None:
    ran = bare("--version")
    assert (ran.code, ran.out.split()[0], ran.err) == (0, "zdemo", "")


@pytest.mark.parametrize(
    "arguments",
    [
        (TYPED,),
        (f"--{TYPED}",),
        (f"-{TYPED}",),
        ("call",),
        ("call", TYPED),
        ("call", "private", TYPED),
        ("call", "private", f"--{TYPED}"),
        ("call", "private", f"--{TYPED}=1"),
        ("call", "private", f"--json={TYPED}"),
        ("call", "private", "--expect", TYPED),
        ("call", "private", "--expect", "99"),
        ("call", "private", "--expect", "600"),
        ("call", "private", "--expect"),
        ("call", "private", "--url"),
        ("call", "private", "--pat", TYPED, TYPED),
        ("introspect", TYPED),
        ("introspect", "--require"),
        ("demo", TYPED),
        ("serve", "--port", TYPED),
        ("serve", "--port", "0"),
        ("serve", "--port", "65536"),
        ("serve", "--threads", TYPED),
        ("serve", "--workers", "0"),
        ("emulator", "--port", TYPED),
        ("role", TYPED),
        ("role", "list", "a", TYPED),
        ("role", "grant", TYPED),
        ("role", "revoke"),
        ("role", "grant", TYPED, TYPED, TYPED),
    ],
)
def test_a_wrong_command_line_is_two_lines_that_do_not_repeat_it(bare: Shell, arguments: tuple[str, ...]) -> None:
    ran = bare(*arguments)
    assert ran.code == ExitCode.USAGE
    assert is_two_lines(ran)
    assert TYPED not in ran.all
    assert "zdemo" in ran.lines[1]
    assert "--help" in ran.lines[1]


def test_a_wrong_command_line_is_one_in_a_process_of_its_own_too(bare: Shell) -> None:
    ran = bare.anew("call", "private", TYPED)
    assert (ran.code, is_two_lines(ran)) == (2, True)


def test_settings_that_are_missing_are_all_named_at_once(bare: Shell) -> None:
    ran = bare("introspect", "--pat", "abc")
    assert (ran.code, ran.out) == (3, "")
    assert all(name in ran.err for name in ("ZITADEL_DOMAIN", "CLIENT_ID", "CLIENT_SECRET"))
    assert "hint:" in ran.err
    ran = bare("role", "list")
    assert ran.code == 3
    assert all(name in ran.err for name in ("ZITADEL_DOMAIN", "ZITADEL_ADMIN_PAT"))
    assert bare("serve").code == 3


def test_call_needs_no_settings_at_all(bare: Shell) -> None:
    ran = bare("call", "public", "--curl")
    assert (ran.code, ran.out) == (0, "curl -i http://127.0.0.1:5000/api/public\n")


def _piped(shell: Shell, script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  # the test's own script
        ["/bin/sh", "-c", script, "sh", sys.executable],
        cwd=shell.folder,
        env={**BASE, **shell.env},
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )


def test_a_reader_that_leaves_early_is_no_crash(shell: Shell) -> None:
    done = _piped(shell, '"$1" -m zdemo introspect | true')
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("arguments", ["call private", "introspect", "call private --pat -", "call private --pat"])
def test_closed_standard_input_is_no_crash(shell: Shell, arguments: str) -> None:
    done = _piped(shell, f'"$1" -m zdemo {arguments} <&-')
    assert "Traceback" not in done.stderr
    assert done.returncode == {"call private --pat -": 3, "call private --pat": 2}.get(arguments, 0)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no device that is always full")
@pytest.mark.parametrize("arguments", ["call private", "introspect --json"])
def test_an_answer_that_cannot_be_written_is_told(shell: Shell, arguments: str) -> None:
    done = _piped(shell, f'"$1" -m zdemo {arguments} > /dev/full')
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "No space left" in done.stderr


def test_closed_standard_output_is_no_crash(shell: Shell) -> None:
    done = _piped(shell, '"$1" -m zdemo call private >&-')
    assert "Traceback" not in done.stderr
