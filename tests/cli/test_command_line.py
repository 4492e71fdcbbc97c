"""The command line as a whole: its help, its words for mistakes, and its streams."""

import os
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import BASE, Shell, at_terminal
from tests.support.processes import ROOT, forker
from zdemo.cli.app import COMMANDS, load
from zdemo.cli.usage import NO_VALUE
from zdemo.errors import ExitCode
from zdemo.text.columns import cells

PATHS = (*COMMANDS, "role list", "role grant", "role revoke")


def test_help_names_every_command_and_a_first_step(bare: Shell) -> None:
    helps = [bare(*arguments) for arguments in ((), ("--help",), ("-h",), ("help",))]
    assert [ran.code for ran in helps] == [2, 0, 0, 0]
    assert {ran.out.strip() for ran in helps} == {helps[0].out.strip()}
    of_role = bare("help", "role", "list").out
    assert of_role == bare("role", "list", "--help").out
    assert all(re.search(f"^ {part}: ", of_role, re.MULTILINE) for part in ("Examples", "Exit codes", "More"))
    assert all(f"│ {name} " in helps[0].out for name in COMMANDS)
    assert "First: zdemo demo" in helps[0].out
    assert {group for _, group in COMMANDS.values()} < set(re.findall("─ ([^─]+) ─", helps[0].out))
    for option in ("--version", "-V"):
        assert bare(option).out.split()[0] == "zdemo"


@pytest.mark.parametrize("path", ["role", *PATHS])
def test_each_help_has_right_examples_exit_codes_and_where_to_read_more(path: str) -> None:
    """A value that asks, a redirection and a file are left out of examples: only the words are read here."""
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
    assert len(examples) > 1
    assert all(f"{example} ".startswith(f"zdemo {path} ") for example in examples)
    assert re.search("^ *Exit codes: 0 ", command.help, re.MULTILINE)
    pages = re.findall(r"docs/[\w-]+\.md", command.help[command.help.index("More: ") :])
    assert pages
    assert all((ROOT / page).exists() for page in pages)


def test_help_is_as_wide_as_the_terminal_and_coloured_as_all_else(bare: Shell) -> None:
    for width in (40, 200):
        rows = at_terminal(bare, "call", "--help", NO_COLOR="1", columns=str(width))[1].splitlines()
        assert max(map(cells, rows)) == min(width, 120)
    assert "\x1b[1" in at_terminal(bare, "call", "--help", columns="80")[1]
    assert "\x1b" not in at_terminal(bare, "call", "--help", CLICOLOR="0", columns="80")[1]
    assert "\x1b[1" in bare("--help", FORCE_COLOR="1").out


DOCTOR = "zdemo doctor --api http://a/b"
PORT, AT_END = "change --emulator-port", "put a bare --admin-pat at the end of the line"
LISTED = f"zdemo --help\n  commands (options follow them): {', '.join(COMMANDS)}"
TOKEN, IS_TOKEN = "aB3x" * 20, "took a token or a secret"
ROUTES = "(public, private, scoped, a path such as /messages, or a URL)"


@pytest.mark.parametrize(
    ("line", "error", "hint"),
    [
        ("cal scoped", "no such command: cal", "did you mean call?"),
        ("--json doctor", "no such option: --json", LISTED),
        ("call private --pta", "no such option: --pta", "did you mean --pat?"),
        ("call scoped -pat x", "no such option: -pat", "did you mean --pat?"),
        ("call private --url", "option --url needs a value", "zdemo call --help"),
        ("call private --json=1", "option --json takes no value", "zdemo call --help"),
        ("setup --teardown --auth basic", "--auth cannot be combined with --teardown", "leave out --auth"),
        ("serve --port 0", "invalid value for --port: 0 (1 to 65535)", "zdemo serve --help"),
        ("setup --auth none", "invalid value for --auth: none (basic or private-key-jwt)", "zdemo setup --help"),
        ("call /messages -X PSOT", "invalid value for --method: PSOT", "did you mean POST?"),
        ("call", "missing argument: ROUTE", "zdemo call --help"),
        ("role grant a b c d", "unexpected argument: c d", "zdemo role grant --help"),
        (f"introspect {TOKEN}", "unexpected argument: …", "did you mean zdemo introspect --pat?"),
        ("serve --emulator 5001", "unexpected argument: 5001", "did you mean zdemo serve --emulator --port 5001?"),
        ("call POST /a", "unexpected argument: /a", "did you mean zdemo call /a -X POST?"),
        ("call --pat scoped", "missing argument: ROUTE", "--pat took scoped: is a variable in front of it empty?"),
        ("introspect --require a --require b", "--require is given twice", "leave out one of them"),
        ("--show-completion tcsh", "--show-completion takes no value", "run it alone, in the shell that you mean"),
        ("emulator --", "the command after -- is missing", "is a variable there empty?"),
        ("verify http://a/b", "zdemo verify starts the API itself, and this is not a command: http://a/b", DOCTOR),
        ("role grant a ''", "ROLE is empty", "give a value: a variable there may be empty"),
        ("doctor --api /a", "--api names no host", "give an address, for example http://127.0.0.1:5000/a"),
        ("serve --emulator --port 8484", "the API and the emulator have the same port: 8484", PORT),
        ("init emulator", "unexpected argument: emulator", "did you mean --emulator?"),
        ("serve --cache-ttl 5", "no such option: --cache-ttl", "set ZDEMO_CACHE_TTL in the environment or in .env"),
        ("call scoped \u2013as x", "\u2013as begins with a long dash", "write --as"),
        ("call scoped -\u2013pat x", "-\u2013pat begins with a long dash", "write --pat"),
        (f"role grant reader {TOKEN}", f"ROLE {IS_TOKEN}", "give ROLE: The role's key, e.g. read:messages."),
        (f"role revoke {TOKEN} a", f"USER {IS_TOKEN}", "give USER: Login name, e-mail address or ID."),
        (f"token {TOKEN}", "unexpected argument: …", "zdemo token --help"),
        (f"setup --project-name {TOKEN}", f"--project-name {IS_TOKEN}", "give --project-name: The project."),
        ("serve app:app --port 80", "unexpected argument: app:app", "zdemo serve --help"),
        ("doctor http://a", "unexpected argument: http://a", "did you mean zdemo doctor --api http://a?"),
        ("verify --only a.b,c", "unknown case: a.b,c", "give one ID, and repeat the option for the next"),
        ("role grant a", "missing argument: ROLE", "USER took a: is a variable in front of it empty?"),
        ("call --as reader", "missing argument: ROUTE", "zdemo call --help"),
        ("init my.env", "unexpected argument: my.env", "did you mean zdemo init --env-file my.env?"),
        ("doctor --explain role", "unknown check: role", "did you mean role.granted?"),
        ("introspect --pat reader", "--pat takes a token, and reader is a user", "write --as reader instead"),
        *((f"call {t}", f"unknown route: {t}", "did you mean scoped?") for t in ("private_scoped", "Api/Scoped/")),
        ("call '\\api\\private'", r"unknown route: \api\private", "did you mean private?"),
        ("doctor token.active", "unexpected argument: token.active", "did you mean zdemo doctor --only token.active?"),
        ("token reader", "unexpected argument: reader", "did you mean zdemo token --client-id reader?"),
        ("call scoped --watch 5", "unexpected argument: 5", "--watch takes no value: leave out 5"),
        ("doctor --pat", "no such option: --pat", "set PAT in the environment or in .env"),
        ("serve --issuer x", "no such option: --issuer", "set ZITADEL_DOMAIN in the environment or in .env"),
        ("emulator stop", "unexpected argument: stop", "press Ctrl-C where it runs"),
        ("call scopd", "unknown route: scopd", "did you mean scoped?"),
        ("call me:word@host/", f"unknown route: … {ROUTES}", "zdemo call --help"),
        ("call http://me:word@[::1]/", "the URL contains a user name or password", "use http://[::1]/ as the URL"),
        ("call 'POST http://a/x'", "ROUTE begins with a method: POST", "zdemo call http://a/x -X POST"),
        ("call messages", f"unknown route: messages {ROUTES}", "zdemo call /messages"),
        ("call localhost:1/x", f"unknown route: localhost:1/x {ROUTES}", "zdemo call http://localhost:1/x"),
        ("call :1/x", f"unknown route: :1/x {ROUTES}", "zdemo call http://localhost:1/x"),
        ("call 8841", f"unknown route: 8841 {ROUTES}", "zdemo call http://localhost:8841"),
        ("call a.example.com/x", f"unknown route: a.example.com/x {ROUTES}", "zdemo call https://a.example.com/x"),
        ("emulator 8855 npm -w", "unexpected argument: 8855", "zdemo emulator --port 8855 -- npm -w"),
        ("emulator --port 1 2", "unexpected argument: 2", "leave it out, or put it after --"),
        ("emulator --env A {port} -- x", "unexpected argument: {port}", "zdemo emulator --env 'A={port}' -- x"),
        ("token --scope --client-secret=a", "--scope took --client-secret", NO_VALUE),
        (f"call {TOKEN}.x:1", f"unknown route: … {ROUTES}", "zdemo call --help"),
        ("call https:/a.example", f"unknown route: https:/a.example {ROUTES}", "zdemo call --help"),
        ("call http://a/x --url x", "--url cannot be combined with a URL", "leave out --url, or give the path alone"),
        ("call /messages#top", "a fragment (#) is not sent to an API", "leave out # and what follows it"),
        ("call /a -X PUT --watch", "--watch repeats the request, which may be wrong for PUT", "leave out --watch"),
        ("serve --emulator-port 9000", "--emulator-port needs --emulator", "add --emulator"),
        ("init --emulator --api-url http://localhost:8484", "the API and the emulator have the same port: 8484", PORT),
        ("emulator --host ::1 start --port 1", "unexpected argument: start", "did you mean zdemo emulator?"),
        ("call /a b -X POST", "unexpected argument: b", "zdemo call --help"),
        ("role grant a --admin-pat read:it", "--admin-pat took read:it", AT_END),
        (f"introspect --pat x {TOKEN}", "unexpected argument: …", "did you mean to give one token?"),
        ("doctor --yes", "--yes needs --fix", "add --fix"),
        ("doctor --fix --api x", "--api cannot be combined with --fix", "leave out --api"),
        ("serve --denied-as 401", "--denied-as needs --forward-auth", "add --forward-auth"),
        ("demo --admin-key x", "--admin-key needs --live", "add --live"),
        ("doctor --api http://[::1] --only token", "unknown check: token", "zdemo doctor --api URL --list"),
        ("doctor --only x", "unknown check: x", "zdemo doctor --list"),
    ],
)
def test_a_wrong_command_line_is_named_by_what_was_typed(bare: Shell, line: str, error: str, hint: str) -> None:
    ran = bare(*shlex.split(line))
    assert ran.code == ExitCode.USAGE
    assert ran.document == {"error": error, "hint": hint} if "--json" in line.split() else ran.out == ""
    assert ran.lines[:2] == [f"error: {error}", f"hint:  {hint}".partition("\n")[0]]


def test_an_error_behind_a_document_does_not_write_a_second(shell: Shell) -> None:
    ran = shell("call", "private", "--json", "--expect", "401")
    assert (ran.code, ran.document["status"], "is 200, not 401" in ran.err) == (1, 200, True)


DOCUMENTS = (
    *("call private", "call scoped --pat nobody", "call nonsense", "role list", "role grant visitor read:messages"),
    *("doctor", "doctor --list", "doctor --explain net.tls", "setup --dry-run", "setup --teardown --dry-run"),
)


def objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects(item)


def test_names_have_one_style_and_numbers_say_what_was_measured_and_no_more(own_shell: Shell) -> None:
    documents = [own_shell(*line.split(), "--json").document for line in DOCUMENTS]
    for key, value in (pair for json_object in objects(documents) for pair in json_object.items()):
        assert re.fullmatch("[a-z_]+", key), key
        digits = 1 if "milliseconds" in key.lower() else 3
        assert not isinstance(value, float) or value == round(value, digits), key


FULL = "the answer cannot be written: No space left on device"
CLOSED = "the answer cannot be written: Bad file descriptor"
FROM, TO = os.devnull, "/dev/full"


@pytest.mark.parametrize(
    ("line", "streams", "code", "error"),
    [  # None is a stream that is closed, and "" a file
        ("call private --pat -", (None, "", ""), 3, "the token is empty"),
        ("introspect --json", (FROM, TO, ""), 1, FULL),
        ("introspect --json", (FROM, None, ""), 1, CLOSED),
        ("introspect -q", (None, None, None), 0, ""),
        ("call nothing", (FROM, "", None), 2, ""),
    ],
)
def test_a_stream_that_is_closed_or_full_is_no_crash(
    shell: Shell, line: str, streams: tuple[str | None, ...], code: int, error: str
) -> None:
    files = [None if name is None else Path(name or shell.folder / "said") for name in streams]
    (shell.folder / "said").touch()
    ended = forker().run_at(files, line.split(), shell.folder, {**BASE, **shell.env})
    first = " ".join((shell.folder / "said").read_text().partition("\nhint:")[0].split())
    assert (ended, first) == (code, f"error: {error}" if error else "")


def test_a_working_folder_that_was_deleted_is_named(bare: Shell) -> None:
    script = 'mkdir gone; cd gone; rmdir ../gone; for name in init setup introspect; do "$0" -m zdemo $name; done'
    ran = replace(bare, program=("/bin/sh", "-c")).in_new_process(script, sys.executable)
    assert (ran.err.count("hint:  cd to another folder: this one was deleted\n"), "mkdir" in ran.err) == (3, False)


@pytest.mark.thorough
def test_a_reader_that_leaves_is_no_crash(shell: Shell) -> None:
    """In a shell, since Python writes its last words when it ends."""
    script = '"$0" -m zdemo introspect | true; "$0" -m zdemo --help > /dev/full; echo $?'
    done = replace(shell, program=("/bin/sh", "-c")).in_new_process(script, sys.executable)
    assert (done.code, done.out, " ".join(done.err.split()).startswith(f"error: {FULL} hint: ")) == (0, "1\n", True)
