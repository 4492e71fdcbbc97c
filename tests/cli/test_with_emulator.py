"""``zdemo emulator -- COMMAND``: what the command gets, and that none of its processes is left in any ending."""

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.support.cli import BASE, Shell, session, unbroken
from tests.support.processes import LONGEST_SECONDS, is_running, processes
from tests.support.upstream import free_port
from tests.support.waiting import eventually
from zdemo.config.file_io import create_file
from zdemo.emulator import CLIENT_SECRET, READER
from zdemo.text.masking import masked

SHOW = "import json, os; print(json.dumps(dict(os.environ)))"
STUBBORN = """
import os, pathlib, signal, subprocess, sys, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path("pids.new").write_text(f"{os.getpid()} {child.pid}")
os.rename("pids.new", "pids")
time.sleep(600)
"""
START = ("--", "touch", "started")
COUNTING = """
import pathlib, signal, sys
counted = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGQUIT}
signal.pthread_sigmask(signal.SIG_BLOCK, counted)
seen = []
pathlib.Path("ready").touch()
while signal.SIGTERM not in seen:
    seen.append(signal.sigwait(counted))
    pathlib.Path("seen").write_text(" ".join(map(str, map(int, seen))))
sys.exit(9)
"""


def python(script: str) -> tuple[str, ...]:
    return ("emulator", "--", sys.executable, "-c", script)


def written(path: Path) -> str:
    return eventually(f"{path.name} is written", lambda: path.read_text() if path.exists() else "")


def test_the_command_gets_a_whole_zitadel_of_its_own(bare: Shell) -> None:
    first, second = (bare(*python(SHOW)).document for _ in range(2))
    names = "ZITADEL_DOMAIN CLIENT_ID CLIENT_SECRET ZITADEL_PROJECT_ID PAT ZDEMO_VISITOR_PAT ZITADEL_ADMIN_PAT"
    for name in (*names.split(), "ZDEMO_APP_CLIENT_ID", "ZITADEL_KEY_FILE", "ZDEMO_USER_KEY_FILE"):
        assert first[name] not in ("", second[name]), f"{name} does not tell two emulators apart"
    assert first["CLIENT_SECRET"] != CLIENT_SECRET
    assert not Path(first["ZITADEL_KEY_FILE"]).parent.exists(), "its key files are removed"


@pytest.mark.thorough
def test_the_command_can_log_a_person_in_without_a_browser(bare: Shell) -> None:
    command = (sys.executable, "-m", "zdemo", "token", "--login", "--json", "--scope", "openid email")
    ran = bare("emulator", "--auto-login", "ADA", "--", *command)
    assert list(ran.document) == ["access_token", "token_type", "expires_in", "scope"]
    assert (ran.code, len(ran.lines), ran.document["scope"]) == (0, 1, "openid email")


@pytest.mark.thorough
def test_zdemo_as_the_command_does_not_warn_about_settings_in_a_dotenv(bare: Shell) -> None:
    create_file(bare.folder / ".env", "PAT=another\nCLIENT_ID=312909075212468231\n")
    ran = bare("emulator", "--", sys.executable, "-m", "zdemo", "doctor", "--only", "settings")
    assert (ran.code, "hides" in ran.all, "warning" in ran.all) == (0, False, False)


def test_its_words_go_to_standard_error_and_options_behind_the_dashes_are_the_commands(bare: Shell) -> None:
    ran = bare("emulator", "--", "sh", "-c", "cat; echo $0 $*; exit 7", "--json", "--help", "--pat", stdin="typed\n")
    assert (ran.code, ran.out) == (7, "typed\n--json --help --pat\n")
    assert ran.err.startswith("ZITADEL (emulator ")


def test_a_command_gets_other_names_too_but_none_that_lead_to_a_real_zitadel(bare: Shell) -> None:
    own = {
        **dict.fromkeys(("ZITADEL_DOMAIN", "ZITADEL_ISSUER"), "https://real.zitadel.cloud"),
        "PAT": "x" * 71,
        "ZDEMO_CACHE_URL": "redis://shared",
        "ZDEMO_USER_CLIENT_ID": "somebody",
        "HTTP_PROXY": "http://proxy.example:3128",
        "no_proxy": "intranet.example",
        "CLIENT_CERTIFICATE": "x",
    }
    texts = ["ISSUER={domain}", "AT={host}:{port}", "BASIC={client_id}:{client_secret}", 'RAW={"a": {b}}', "EMPTY="]
    options = [word for text in texts for word in ("--env", text)]
    ran = bare("emulator", "--port", str(free_port()), *options, "--", sys.executable, "-c", SHOW, **own)
    got = ran.document
    assert got["ISSUER"] == got["ZITADEL_DOMAIN"] == f"http://{got['AT']}"
    assert (got["BASIC"], got["RAW"]) == (f"{got['CLIENT_ID']}:{got['CLIENT_SECRET']}", '{"a": {b}}')
    assert (got["EMPTY"], got["PAT"]) == ("", READER.pat), "at a chosen port it has the values that everybody knows"
    assert "real" not in ran.out
    assert not {"ZITADEL_ISSUER", "ZDEMO_CACHE_URL", "ZDEMO_USER_CLIENT_ID"} & set(got)
    assert "note: the command does not get your ZDEMO_CACHE_URL, ZDEMO_USER_CLIENT_ID, ZITADEL_ISSUER" in ran.err
    assert all(got[name] == own[name] for name in ("CLIENT_CERTIFICATE", "HTTP_PROXY"))
    assert got["NO_PROXY"] == got["no_proxy"] == "intranet.example,localhost,127.0.0.1,::1"


@pytest.mark.parametrize(
    ("words", "code", "message", "hint"),
    [
        (("--env", "A={domian}", *START), 2, "unknown placeholder: {domian}", "did you mean {domain}?"),
        (("--env", "A={Domain}", *START), 2, "unknown placeholder: {Domain}", "did you mean {domain}?"),
        (("--env", "A={ZITADEL_DOMAIN}", *START), 2, "placeholder: {ZITADEL_DOMAIN}", "did you mean {domain}?"),
        ((*START, "{PORT}"), 2, "the command: unknown placeholder: {PORT}", "did you mean {port}?"),
        ((*START, "--port"), 2, "the command ends with --port", "write --port {port}, without $"),
        (("--env", "A=${domain}", *START), 2, "${domain} is a shell's variable", "write {domain}"),
        (("--env", "A={issuer}/x", *START), 2, "unknown placeholder: {issuer}", "known: domain, client_id"),
        (("--env", "domain", *START), 2, "invalid value for --env", "--env ZITADEL_ISSUER={domain}"),
        (("--env", "A=1"), 2, "--env needs COMMAND", "add COMMAND"),
        (("npm", "test"), 2, "", ""),
        (("--auto-login", "reader", *START), 2, "unknown person: reader", "known: ada"),
        (("--json", *START), 2, "--json cannot be combined with COMMAND", ""),
        (("--seed", "seed.json", *START), 3, "users[0].username: has a control character", "docs/emulator.md"),
        (("--seed", "token.json", *START), 3, f"contains unknown field {masked(READER.pat)}", "known: organizations"),
        (("--", "no-such-program"), 127, "no-such-program", ""),
        (("--", "./text"), 126, "./text", "chmod +x ./text"),
        (("--", "./crlf.sh"), 127, "./crlf.sh names an interpreter that does not exist", "LF, not CRLF"),
        (("--", "cd", "src"), 127, "only a shell can run this: cd", "-- sh -c 'cd src'"),
        (("--", "A=1", "env", "{port}"), 127, "only a shell can run this: A=1", "-- sh -c 'A=1 env {port}'"),
        (("--", "sh", "-c", 'test "${PORT}{PORT}" != {port}; exit $(({port} / {port} + 6))'), 7, "", ""),
    ],
)
def test_what_is_wrong_is_explained_and_starts_nothing(
    bare: Shell, words: tuple[str, ...], code: int, message: str, hint: str
) -> None:
    (bare.folder / "text").write_text("no program")
    (bare.folder / "crlf.sh").write_text("#!/bin/sh\r\n")
    (bare.folder / "crlf.sh").chmod(0o700)
    (bare.folder / "seed.json").write_text('{"users": [{"username": "a\\u001b[31m\\nB\\u202e"}]}')
    (bare.folder / "token.json").write_text(f'{{"{READER.pat}": 1}}')
    ran = bare("emulator", *words)
    text = unbroken(ran.all)
    assert (ran.code, message in text, hint in text, "\x1b" in ran.all) == (code, True, True, False)
    assert not (bare.folder / "started").exists()


def test_a_signal_that_ends_the_command_is_in_the_exit_code_and_what_it_leaves_running_is_ended(bare: Shell) -> None:
    ran = bare("emulator", "--", "sh", "-c", "sleep 600 >/dev/null 2>&1 & echo $!; kill -9 $$")
    assert (ran.code, is_running(int(ran.out))) == (128 + signal.SIGKILL, False)


@pytest.mark.thorough
def test_nothing_is_left_of_a_stubborn_command(tmp_path: Path) -> None:
    """It ignores SIGTERM, and so does its child."""
    with Shell(folder=tmp_path, env={"TMPDIR": str(tmp_path)}).running(*python(STUBBORN)) as process:
        pids = [int(pid) for pid in written(tmp_path / "pids").split()]
        process.send_signal(signal.SIGTERM)
        assert process.wait(LONGEST_SECONDS) == 128 + signal.SIGKILL
        assert not any(map(is_running, pids))
        assert not list(tmp_path.glob("zdemo-emulator-*")), "the key files are removed"


@pytest.mark.thorough
def test_a_command_has_the_terminal_and_its_keys_reach_it_once(bare: Shell) -> None:
    """Through a real shell with job control, as a person does it."""
    (bare.folder / "count.py").write_text(COUNTING)
    env = {**BASE, "PS1": "$ ", "TERM": "xterm", "P": sys.executable, "Z": "-m zdemo emulator --"}
    with session(["sh", "-i"], bare.folder, env) as shell:
        shell.type(f"$P $Z $P {bare.folder}/count.py\n", "for ")
        eventually("it runs", (bare.folder / "ready").exists)
        ours = [process for process in processes() if f"{bare.folder}/count.py" in process.command]
        zdemo, command = sorted(ours, key=lambda process: "-m zdemo" not in process.command)
        shell.type("\x03", "^C")
        assert written(bare.folder / "seen") == str(int(signal.SIGINT))
        shell.type("\x1a", "Stopped")
        shell.type("fg\n", "count.py")
        eventually("the command has the terminal again", lambda: shell.foreground() == command.group)
        shell.type("\x1c", "^\\")
        twice = f"{int(signal.SIGINT)} {int(signal.SIGQUIT)}"
        eventually("Ctrl-\\ has arrived", (bare.folder / "seen").read_text, lambda seen: seen == twice)
        os.kill(zdemo.pid, signal.SIGTERM)
        assert "code=9" in shell.type("echo code=$?\n", "code=9")
        shell.type("$P $Z sh -c 'read word; echo got-$word' | cat\n", "for ")
        assert "got-later" in shell.type("later\n", "got-later")


def test_zdemo_ends_when_standard_input_closes(bare: Shell) -> None:
    ran = bare("emulator", "--port", "0", "--json", "--until-stdin-closes", stdin="not yet\n")
    assert (ran.code, ran.err, ran.document["port"] > 0) == (0, "", True)
