"""The command line itself: help, wrong words, exit codes, closed and broken streams."""

import os
import re

import pytest

from tests.support.cli import ROOT, Shell
from tests.support.terminal import shown_at
from zdemo.cli.app import COMMANDS, load
from zdemo.config.columns import cells
from zdemo.errors import ExitCode

PATHS = (*COMMANDS, "role list", "role grant", "role revoke")


@pytest.mark.parametrize("arguments", [(), ("--help",), ("help",)])
def test_help_names_every_command_and_a_first_step(bare: Shell, arguments: tuple[str, ...]) -> None:
    ran = bare.anew(*arguments)
    assert ran.code == (0 if arguments else 2)
    assert all(f"\n  {name} " in ran.out for name in COMMANDS)
    assert re.search("^First +zdemo demo$", ran.out, re.MULTILINE)
    assert {group for _, _, group in COMMANDS.values()} < set(re.findall("^(.*):$", ran.out, re.MULTILINE))
    for option in ("--version", "-V"):
        assert bare(option).out.split()[0] == "zdemo"


@pytest.mark.parametrize("path", PATHS)
def test_each_help_has_examples_exit_codes_and_where_to_read_more(bare: Shell, path: str) -> None:
    ran = bare(*path.split(), "--help")
    assert (ran.code, ran.err) == (0, "")
    assert bare(*path.split(), "-h").out == bare("help", *path.split()).out == ran.out
    assert re.fullmatch(
        rf"Usage: zdemo {path} (\[OPTIONS\]( \[?[A-Z]+\]?)*( \[-- COMMAND …\])?|COMMAND)", ran.out.splitlines()[0]
    )
    assert len(ran.out.splitlines()) < 60
    examples = re.findall("^  (zdemo .*)$", ran.out.partition("\nExamples:\n")[2], re.MULTILINE)
    assert len(examples) > 1
    assert all(f"{example} ".startswith(f"zdemo {path} ") for example in examples)
    assert re.search("^Exit codes  0 ", ran.out, re.MULTILINE)
    pages = re.findall(r"docs/[\w-]+\.md", ran.out[ran.out.index("\nMore  ") :])
    assert pages
    assert " ".join(ran.out.split()).endswith("(in the source of zdemo)")
    assert all((ROOT / page).exists() for page in pages)
    assert "<" not in ran.out.replace("--pat - < token.txt", "")
    assert "..." not in ran.out


@pytest.mark.parametrize("path", ["role", *PATHS])
def test_each_example_is_a_right_command_line(path: str) -> None:
    """A value that asks, a redirection and a file are left out: only the words are read here."""
    command = load(path.split()[0])
    for word in path.split()[1:]:
        command = command.get_command(None, word)
    examples = re.findall("^ *(zdemo .*)$", command.help.partition("Examples:")[2], re.MULTILINE)
    for example in (part for line in examples for part in line.split(" | ")):
        words = re.sub(" < .*", "", example).split()[1:]
        arguments = [f"{word}=x" if word.endswith("-pat") and word == words[-1] else word for word in words]
        used, inner = load(arguments[0]), arguments[1:]
        if hasattr(used, "get_command"):
            used, inner = used.get_command(None, arguments[1]), arguments[2:]
        assert used.make_context("zdemo", inner)


def test_help_is_as_wide_as_the_terminal_and_coloured_as_all_else(bare: Shell) -> None:
    for path in ("", *PATHS):
        for width in (40, 60, 80, 120):
            rows = shown_at(width, bare, *path.split(), "--help", NO_COLOR="1").splitlines()
            assert [row for row in rows if cells(row) > width and not row.startswith("  zdemo ")] == []
    assert "\x1b[1mOptions:\x1b[0m" in shown_at(80, bare, "call", "--help")
    assert "\x1b" not in shown_at(80, bare, "call", "--help", CLICOLOR="0")
    assert "\x1b[1m" in bare("--help", FORCE_COLOR="1").out


@pytest.mark.parametrize(
    ("line", "error", "hint"),
    [
        ("cal scoped", "no such command: cal", "did you mean call?"),
        ("frobnicate", "no such command: frobnicate", "zdemo --help"),
        ("it's", "no such command: it's", "zdemo --help"),
        ("--frob", "no such option: --frob", "zdemo --help"),
        ("role lst", "no such command: lst", "did you mean list?"),
        ("role --frob", "no such option: --frob", "zdemo role --help"),
        ("call private --pta", "no such option: --pta", "did you mean --pat?"),
        ("call private --bogus=1", "no such option: --bogus", "zdemo call --help"),
        ("call scopd", "unknown route: scopd", "did you mean scoped?"),
        (
            "call it's",
            "unknown route: it's (public, private, scoped, a path such as /messages, or a URL)",
            "zdemo call --help",
        ),
        (
            "call me:word@host/",
            "unknown route: … (public, private, scoped, a path such as /messages, or a URL)",
            "zdemo call --help",
        ),
        (
            "call api/messages",
            "unknown route: api/messages (public, private, scoped, a path such as /messages, or a URL)",
            "did you mean /api/messages?",
        ),
        (
            "call http://me:word@localhost/",
            "the URL contains a user name or password",
            "use http://localhost in the URL",
        ),
        (
            "call https:/localhost/x",
            "the URL has a damaged scheme: https:/localhost/x",
            "use https://localhost in the URL",
        ),
        (
            "call https://localhost/x --url https://localhost",
            "--url cannot be combined with a URL",
            "leave out --url, or give the path alone",
        ),
        ("call /messages#top", "a fragment (#) is not sent to an API", "leave out # and what follows it"),
        ("call /messages -X PSOT", "invalid value for --method: PSOT", "did you mean POST?"),
        (
            "call /messages -X POST --watch",
            "--watch repeats the request, which may be wrong for POST",
            "leave out --watch",
        ),
        ("call", "missing argument: ROUTE", "zdemo call --help"),
        ("call private now", "unexpected argument: now", "zdemo call --help"),
        ("call private --url", "option --url needs a value", "zdemo call --help"),
        ("call private --json=1", "option --json takes no value", "zdemo call --help"),
        ("call private --expect abc", "invalid value for --expect: abc (100 to 599)", "zdemo call --help"),
        ("call private --expect 600", "invalid value for --expect: 600 (100 to 599)", "zdemo call --help"),
        ("serve --port 0", "invalid value for --port: 0 (1 to 65535)", "zdemo serve --help"),
        (
            "serve --emulator-port 9000",
            "--emulator-port needs --emulator",
            "add it: zdemo serve --emulator --emulator-port 9000",
        ),
        (
            "serve --expose-emulator",
            "--expose-emulator needs --emulator",
            "add it: zdemo serve --emulator --expose-emulator",
        ),
        (
            "init --emulator-port 9000",
            "--emulator-port needs --emulator",
            "add it: zdemo init --emulator --emulator-port 9000",
        ),
        ("serve --threads 3", "invalid value for --threads: 3 (4 to 1024)", "zdemo serve --help"),
        ("setup --auth none", "invalid value for --auth: none (basic or private-key-jwt)", "zdemo setup --help"),
        ("setup --domain", "option --domain needs a value", "zdemo setup --help"),
        ("doctor --only role.grantd", "unknown check: role.grantd", "did you mean role.granted?"),
        ("doctor --only x", "unknown check: x", "zdemo doctor --list shows the groups and IDs"),
        ("doctor --only crdentials", "unknown check: crdentials", "did you mean credentials?"),
        ("doctor --explain net.conect", "unknown check: net.conect", "did you mean net.connect?"),
        ("doctor --explain x", "unknown check: x", "zdemo doctor --list shows the IDs"),
        ("scoped", "no such command: scoped", "did you mean zdemo call scoped?"),
        ("private --json", "no such command: private", "did you mean zdemo call private --json?"),
        ("start", "no such command: start", "did you mean zdemo serve?"),
        ("run --port 5001", "no such command: run", "did you mean zdemo serve --port 5001?"),
        ("test", "no such command: test", "did you mean zdemo call?"),
        ("grant reader x", "no such command: grant", "did you mean zdemo role grant reader x?"),
        ("roles", "no such command: roles", "did you mean zdemo role list?"),
        ("role start", "no such command: start", "zdemo role --help"),
        ("DOCTOR", "no such command: DOCTOR", "did you mean doctor?"),
        ("intro", "no such command: intro", "did you mean introspect?"),
        ("start --pat hunter2", "no such command: start", "did you mean zdemo serve?"),
        ("net.tls", "no such command: net.tls", "a check is not a command: zdemo doctor --explain net.tls"),
        ("serve --pat x", "no such option: --pat", "--pat belongs to zdemo call and zdemo introspect"),
        ("call scoped --dry-run", "no such option: --dry-run", "--dry-run belongs to zdemo setup"),
        ("init --json", "no such option: --json", "--json belongs to zdemo demo, zdemo call and others"),
        ("--json doctor", "no such option: --json", "put it behind the command: zdemo doctor --json"),
        ("role --json list", "no such option: --json", "put it behind the command: zdemo role list --json"),
        ("--port=1 serve", "no such option: --port", "put it behind the command: zdemo serve --port"),
        ("call scoped -pat x", "no such option: -pat", "did you mean --pat?"),
        ("call scoped -expect=401", "no such option: -expect", "did you mean --expect?"),
        ("call scoped -exp", "no such option: -exp", "did you mean --expect?"),
        ("serve -pat x", "no such option: -pat", "--pat belongs to zdemo call and zdemo introspect"),
        ("call scoped \u2013pat x", "the dash of \u2013pat is not a hyphen (U+2013)", "did you mean --pat?"),
        ("call scoped \u2014json", "the dash of \u2014json is not a hyphen (U+2014)", "did you mean --json?"),
        ("call scoped -\u2212url=x", "the dash of -\u2212url is not a hyphen (U+2212)", "did you mean --url?"),
        ("role list \u2013json", "the dash of \u2013json is not a hyphen (U+2013)", "did you mean --json?"),
        ("\u2013help", "the dash of \u2013help is not a hyphen (U+2013)", "did you mean --help?"),
        ("call \u201cscoped\u201d", "unknown route: \u201cscoped\u201d", "did you mean scoped?"),
        ("help cal", "no such command: cal", "did you mean call?"),
        ("help role lst", "no such command: lst", "did you mean list?"),
        ("role list a b", "unexpected argument: b", "zdemo role list --help"),
        ("role grant a b c d", "unexpected argument: c d", "zdemo role grant --help"),
        ("init emulator", "unexpected argument: emulator", "did you mean --emulator?"),
        ("init --emu", "no such option: --emu", "did you mean --emulator?"),
        ("token --usr x", "no such option: --usr", "did you mean --client-id?"),
        ("call scoped --token x", "no such option: --token", "did you mean --pat?"),
        ("demo --version", "no such option: --version", "zdemo --version"),
        ("role grant a", "missing argument: ROLE", "zdemo role grant --help"),
    ],
)
def test_a_wrong_command_line_is_named_by_what_was_typed(bare: Shell, line: str, error: str, hint: str) -> None:
    ran = bare(*line.split())
    assert ran.code == ExitCode.USAGE
    assert ran.document == {"error": error, "hint": hint} if "--json" in line.split() else ran.out == ""
    assert ran.lines == [f"error: {error}", f"hint:  {hint}"]


def test_control_characters_that_were_typed_do_not_reach_the_terminal(bare: Shell) -> None:
    for ran in (bare("call", "\x1b[31mred"), bare("\x1b[31mred\n", "--json")):
        assert (ran.code, "\x1b" in ran.all, "red" in ran.err) == (2, False, True)


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


def test_a_folder_that_was_deleted_is_named(bare: Shell) -> None:
    done = bare.script('mkdir gone && cd gone && rmdir ../gone && "$1" -m zdemo doctor')
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[0] == "error: the folder that zdemo runs in was deleted"


def test_a_reader_that_leaves_early_is_no_crash(shell: Shell) -> None:
    done = shell.script('"$1" -m zdemo introspect | true')
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("arguments", ["introspect", "call private --pat -", "call private --pat"])
def test_closed_standard_input_is_no_crash(shell: Shell, arguments: str) -> None:
    done = shell.script(f'"$1" -m zdemo {arguments} <&-')
    assert "Traceback" not in done.stderr
    assert done.returncode == {"call private --pat -": 3, "call private --pat": 2}.get(arguments, 0)


@pytest.mark.parametrize(
    ("stream", "why"), [("> /dev/full", "No space left on device"), (">&-", "Bad file descriptor")]
)
@pytest.mark.parametrize("arguments", ["call private", "introspect --json", "emulator --port 0 --json", "--version"])
def test_an_answer_that_cannot_be_written_is_an_error(shell: Shell, arguments: str, stream: str, why: str) -> None:
    if "full" in stream and not os.path.exists("/dev/full"):
        pytest.skip("this system has no device that is always full")
    done = shell.script(f'"$1" -m zdemo {arguments} {stream}')
    error, hint = f"error: the answer cannot be written: {why}", "hint:  check where standard output goes"
    assert (done.returncode, done.stderr.splitlines()) == (1, [error, hint])


def test_who_wants_the_exit_code_alone_may_close_standard_output(shell: Shell) -> None:
    for streams in ("<&- >&- 2>&-", "> /dev/full"):
        done = shell.script(f'"$1" -m zdemo introspect -q {streams}')
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("streams", ["2>&-", "> /dev/full 2> /dev/full", "2>&1 >/dev/null | true"])
@pytest.mark.parametrize(("arguments", "code"), [("call nothing", 2), ("introspect --json", 3)])
def test_an_error_that_cannot_be_written_keeps_its_exit_code(
    bare: Shell, arguments: str, code: int, streams: str
) -> None:
    done = bare.script(f'exec 3>&1; {{ "$1" -m zdemo {arguments}; echo $? >&3; }} {streams}')
    assert done.stdout.splitlines()[-1] == str(code)
    done = bare.script(f'"$1" -m zdemo {arguments} --json >&-')
    assert (done.returncode, "error: " in done.stderr, "written" in done.stderr) == (code, True, False)
