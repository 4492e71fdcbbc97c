"""The command line itself: help, wrong words, exit codes, closed and broken streams."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.support.cli import BASE, LONGEST_SECONDS, Shell, is_two_lines
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


@pytest.mark.parametrize(
    ("line", "said", "help_of"),
    [
        ("cal scoped", "did you mean call?", ""),
        ("nothing-like-it", "zdemo has demo, serve, call", ""),
        ("rol list", "did you mean role?", ""),
        ("role lst", "did you mean list?", "role"),
        ("call private --pta", "did you mean --pat?", "call"),
        ("call private --nothing-like-it", "zdemo call has no such option", "call"),
        ("call scope", "ROUTE has a value that it does not take: give public, private or scoped", "call"),
        ("call", "ROUTE is missing", "call"),
        ("call private --url", "--url lacks its value", "call"),
        ("call private --json=1", "--json takes no value", "call"),
        (
            "call private --expect 99",
            "--expect has a value that it does not take: give a whole number from 100",
            "call",
        ),
        ("serve --port 0", "from 1 to 65535", "serve"),
        ("setup --domain", "--domain lacks its value", "setup"),
        ("setup --auth none", "give basic or private-key-jwt", "setup"),
        ("doctor --only", "--only lacks its value", "doctor"),
        ("role list a b", "an argument too many: zdemo role list takes USER", "role list"),
        ("role grant a b c", "takes USER and ROLE", "role grant"),
        ("role grant a", "ROLE is missing", "role grant"),
        ("demo x", "zdemo demo takes none", "demo"),
    ],
)
def test_what_is_wrong_is_named_by_our_own_names(bare: Shell, line: str, said: str, help_of: str) -> None:
    ran = bare(*line.split())
    assert (ran.code, is_two_lines(ran)) == (2, True)
    assert said in ran.lines[0]
    assert ran.lines[1] == f"hint:  {' '.join(('zdemo', *help_of.split()))} --help"


@pytest.mark.parametrize("command", ["", "call", "role", "role grant"])
def test_the_short_option_shows_the_same_help(bare: Shell, command: str) -> None:
    short, long = bare(*command.split(), "-h"), bare(*command.split(), "--help")
    assert (short.code, short.out) == (0, long.out)
    assert "<" not in short.out.replace("<=x<=", "")
    assert "..." not in short.out.replace("[ARGS]...", "")


def test_the_shell_completes_the_ids_of_checks(bare: Shell) -> None:
    words = {"_ZDEMO_COMPLETE": "complete_bash", "COMP_WORDS": "zdemo doctor --only net.", "COMP_CWORD": "3"}
    assert "net.resolve" in bare.anew(**words).out.split()


def test_a_name_that_is_not_near_is_not_guessed(bare: Shell) -> None:
    assert bare("call", "scoped", "--bogus").lines[0] == "error: zdemo call has no such option"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("call private --json --nothing-like-it", 2),
        ("call private --url x:y --json", 2),
        ("introspect --json", 3),
        ("role list --json", 3),
        ("doctor --only nothing --json", 2),
        ("call private --pat - --json", 3),
    ],
)
def test_an_error_is_a_document_where_one_is_asked_for(bare: Shell, line: str, code: int) -> None:
    ran = bare(*line.split())
    assert ran.code == code
    assert ran.document.keys() == {"error", "hint"}
    assert ran.document["error"].split(";")[0] in ran.lines[0]
    assert ran.lines[-1] == f"hint:  {ran.document['hint']}"


def test_an_error_behind_a_document_does_not_write_a_second(shell: Shell) -> None:
    ran = shell("call", "private", "--json", "--expect", "401")
    assert (ran.code, ran.document["status"], "is 200, not 401" in ran.err) == (1, 200, True)
    ran = shell("introspect", "--json", CLIENT_SECRET="B" * 64)
    assert (ran.code, ran.document) == (1, {"error": "unauthorized_client"})


def test_a_folder_that_was_deleted_is_named(bare: Shell) -> None:
    done = _piped(bare, 'mkdir gone && cd gone && rmdir ../gone && "$1" -m zdemo doctor')
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[0] == "error: the folder that zdemo runs in was deleted"


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
@pytest.mark.parametrize("arguments", ["call private", "introspect --json", "role list", "--help", "--version"])
def test_an_answer_that_cannot_be_written_is_told(shell: Shell, arguments: str) -> None:
    done = _piped(shell, f'"$1" -m zdemo {arguments} > /dev/full')
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error: the answer cannot be written: No space left on device",
        "hint:  look at where standard output goes",
    ]
    done = _piped(shell, f'"$1" -m zdemo {arguments} > /dev/full 2> /dev/full')
    assert done.returncode == 1


@pytest.mark.parametrize("arguments", ["call private", "call private --json", "--help", "--version"])
def test_closed_standard_output_is_told(shell: Shell, arguments: str) -> None:
    done = _piped(shell, f'"$1" -m zdemo {arguments} >&-')
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == "error: the answer cannot be written: Bad file descriptor"
    assert len(done.stderr.splitlines()) == 2


def test_who_wants_the_exit_code_alone_may_close_standard_output(shell: Shell) -> None:
    for streams in (">&-", ">&- 2>&-", "<&- >&- 2>&-", "> /dev/full"):
        done = _piped(shell, f'"$1" -m zdemo introspect -q {streams}')
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("stderr", ["2>&-", "2> /dev/full", "2>&1 >/dev/null | true"])
def test_an_error_that_cannot_be_told_keeps_its_exit_code(bare: Shell, stderr: str) -> None:
    for arguments, code in (("call nothing", 2), ("introspect", 3), ("call public --url http://127.0.0.1:1", 4)):
        for more in ("", " --json"):
            done = _piped(bare, f'exec 3>&1; {{ "$1" -m zdemo {arguments}{more}; echo $? >&3; }} {stderr}')
            assert done.stdout.splitlines()[-1] == str(code)


def test_an_error_keeps_its_exit_code_where_its_document_cannot_be_written(bare: Shell) -> None:
    for stdout in (">&-", "> /dev/full"):
        done = _piped(bare, f'"$1" -m zdemo introspect --json {stdout}')
        assert done.returncode == 3
        assert "cannot be written" not in done.stderr
