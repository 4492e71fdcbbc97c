"""``zdemo emulator -- COMMAND``: what the command gets, and that none of its processes is left in any ending."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli import BASE, LONGEST_SECONDS, Shell, is_two_lines, unbroken
from tests.support.interactive import session
from tests.support.ports import free_port
from tests.support.processes import is_running, processes
from tests.support.waiting import eventually
from zdemo.emulator import CLIENT_SECRET, READER

SHOW = "import json, os; print(json.dumps(dict(os.environ)))"
STUBBORN = """
import os, pathlib, signal, subprocess, sys, time
for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(one, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path("pids.new").write_text(f"{os.getpid()} {child.pid}")
os.rename("pids.new", "pids")
time.sleep(600)
"""
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


# --- what the command gets


def test_the_command_gets_a_whole_zitadel_of_its_own(bare: Shell) -> None:
    first, second = (bare(*python(SHOW)).document for _ in range(2))
    names = ("ZITADEL_DOMAIN", "CLIENT_ID", "CLIENT_SECRET", "ZITADEL_PROJECT_ID", "PAT", "ZDEMO_VISITOR_PAT")
    for name in (*names, "ZITADEL_ADMIN_PAT", "ZITADEL_KEY_FILE", "ZDEMO_USER_KEY_FILE"):
        assert first[name] not in ("", second[name]), f"{name} does not tell two emulators apart"
    assert first["CLIENT_SECRET"] != CLIENT_SECRET
    assert not Path(first["ZITADEL_KEY_FILE"]).parent.exists(), "its key files are removed"


def test_its_words_go_to_standard_error_and_its_exit_code_is_the_commands(bare: Shell) -> None:
    ran = bare.anew("emulator", "--", "sh", "-c", "cat; echo mine; exit 7", stdin="typed\n")
    assert (ran.code, ran.out) == (7, "typed\nmine\n")
    assert ran.err.startswith("ZITADEL (emulator ")


def test_key_files_work_and_are_private(bare: Shell) -> None:
    script = """
import json, os, pathlib, stat
for name in ("ZITADEL_KEY_FILE", "ZDEMO_USER_KEY_FILE"):
    path = os.environ[name]
    mode = stat.S_IMODE(os.stat(path).st_mode), stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode)
    print(json.loads(pathlib.Path(path).read_text())["type"], *map(oct, mode), flush=True)
os.execv("/bin/sh", ["sh", "-c", "exec \\"$0\\" -m zdemo introspect -q --require read:messages", os.sys.executable])
"""
    ran = bare(*python(script))
    assert ran.out == "application 0o600 0o700\nserviceaccount 0o600 0o700\n"
    assert ran.code == 0, "the PAT is active for the application that signs with the key, and has the role"


def test_other_names_are_exported_with_the_values_of_the_emulator(bare: Shell) -> None:
    texts = ["ISSUER={domain}", "AT={host}:{port}", "BASIC={client_id}:{client_secret}", "RAW={{pat}}", "EMPTY="]
    options = [word for text in texts for word in ("--env", text)]
    got = bare("emulator", *options, "--", sys.executable, "-c", SHOW).document
    assert got["ISSUER"] == got["ZITADEL_DOMAIN"] == f"http://{got['AT']}"
    assert (got["BASIC"], got["RAW"]) == (f"{got['CLIENT_ID']}:{got['CLIENT_SECRET']}", "{pat}")
    assert got["EMPTY"] == ""


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("A={domian}", "unknown placeholder: domian", "did you mean {domain}?"),
        ("A={xyz}", "unknown placeholder: xyz", "{client_id}"),
        ("A=x}", "single brace: }", "}}"),
        ("domain", "invalid value for --env", "--env ZITADEL_ISSUER={domain}"),
        ("1A=x", "invalid value for --env", "--env ZITADEL_ISSUER={domain}"),
    ],
)
def test_a_wrong_text_for_a_variable_is_explained(bare: Shell, text: str, message: str, hint: str) -> None:
    ran = bare("emulator", "--env", text, "--", "touch", "started")
    assert (ran.code, message in ran.err, hint in ran.err) == (2, True, True), ran.err
    assert not (bare.folder / "started").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"us[31mers": 1}', "us[31mers: unknown field"),
        ('{"users": [{"username": "a\\u001b[31m\\nB\\u202e"}]}', "users[0].username: has a control character"),
        (f'{{"users": {"9" * 6000}}}', "a number is too long"),
        (
            '{"projects": [{"name": "p", "applications": [{"name": "x", "client_secret": "s\\u0000x"}]}]}',
            "projects[0].applications[0].client_secret: must be 1 to 512",
        ),
    ],
)
@pytest.mark.parametrize("words", [("--port", "0"), ("--", "touch", "started")])
def test_a_wrong_seed_file_starts_nothing(bare: Shell, text: str, message: str, words: tuple[str, ...]) -> None:
    (bare.folder / "seed.json").write_text(text)
    ran = bare("emulator", "--seed", "seed.json", *words)
    assert (ran.code, message in unbroken(ran.err), "unexpected" in ran.err, "\x1b" in ran.err) == (
        3,
        True,
        False,
        False,
    )
    assert not (bare.folder / "started").exists()


def test_the_persons_own_settings_do_not_lead_the_command_to_a_real_zitadel(bare: Shell) -> None:
    own = {
        "ZITADEL_DOMAIN": "https://real.zitadel.cloud",
        "ZITADEL_ISSUER": "https://real.zitadel.cloud",
        "PAT": "x" * 71,
        "ZDEMO_CACHE_URL": "redis://shared",
        "ZDEMO_USER_CLIENT_ID": "somebody",
        "HTTP_PROXY": "http://proxy.example:3128",
        "no_proxy": "intranet.example",
        "OTHER": "stays",
        "CLIENT_CERTIFICATE": "stays",
    }
    ran = bare(*python(SHOW), **own)
    got = ran.document
    assert "real" not in ran.out
    assert got["PAT"] != own["PAT"]
    assert not {"ZITADEL_ISSUER", "ZDEMO_CACHE_URL", "ZDEMO_USER_CLIENT_ID"} & set(got)
    assert "note: the command does not get your ZDEMO_CACHE_URL, ZDEMO_USER_CLIENT_ID, ZITADEL_ISSUER" in ran.err
    assert all(got[name] == own[name] for name in ("OTHER", "CLIENT_CERTIFICATE", "HTTP_PROXY"))
    assert got["NO_PROXY"] == got["no_proxy"] == "intranet.example,localhost,127.0.0.1,::1"


def test_a_chosen_port_has_the_values_that_everybody_knows(bare: Shell) -> None:
    port = free_port()
    got = bare("emulator", "--port", str(port), "--", sys.executable, "-c", SHOW).document
    assert (got["ZITADEL_DOMAIN"], got["PAT"]) == (f"http://localhost:{port}", READER.pat)


def test_a_command_that_is_not_there_and_one_that_cannot_run_are_told_apart(bare: Shell) -> None:
    (bare.folder / "text").write_text("no program")
    for word, code in (("no-such-program", 127), ("./text", 126), (".", 126)):
        ran = bare("emulator", "--", word)
        assert (ran.code, word in ran.err, ran.out) == (code, True, ""), ran.err


@pytest.mark.parametrize("words", [("npm", "test"), ("--json", "--", "true"), ("--until-stdin-closes", "--", "true")])
def test_what_does_not_fit_to_a_command_is_refused(bare: Shell, words: tuple[str, ...]) -> None:
    ran = bare("emulator", *words)
    assert (ran.code, is_two_lines(ran)) == (2, True), ran.err
    assert bare("emulator", "--env", "A=1").code == 2


def test_options_behind_the_dashes_are_the_commands(bare: Shell) -> None:
    ran = bare("emulator", "--", "echo", "--json", "--help", "\u2013x", "--pat")
    assert (ran.code, ran.out) == (0, "--json --help \u2013x --pat\n")


# --- how it ends


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGQUIT])
def test_each_signal_reaches_the_command_once(bare: Shell, how: signal.Signals) -> None:
    with bare.running(*python(COUNTING)) as process:
        eventually("it runs", (bare.folder / "ready").exists)
        process.send_signal(how)
        assert written(bare.folder / "seen") == str(int(how))
        process.send_signal(signal.SIGTERM)
        assert process.wait(LONGEST_SECONDS) == 9
    assert (bare.folder / "seen").read_text() == f"{int(how)} {int(signal.SIGTERM)}"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_that_ends_the_command_is_in_the_exit_code(bare: Shell, how: signal.Signals) -> None:
    assert bare("emulator", "--", "sh", "-c", f"kill -{int(how)} $$").code == 128 + how


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_of_a_stubborn_command(bare: Shell, how: signal.Signals) -> None:
    """It ignores SIGTERM, and so does its child; with SIGKILL, zdemo has no chance to do anything."""
    with bare.running(*python(STUBBORN), TMPDIR=str(bare.folder)) as process:
        pids = [int(pid) for pid in written(bare.folder / "pids").split()]
        process.send_signal(how)
        assert process.wait(LONGEST_SECONDS) == (-how if how == signal.SIGKILL else 128 + signal.SIGKILL)
        eventually("all have ended", lambda: not any(map(is_running, pids)))
        eventually("the key files are removed", lambda: not list(bare.folder.glob("zdemo-emulator-*")))


def test_what_the_command_leaves_running_is_ended(bare: Shell) -> None:
    ran = bare("emulator", "--", "sh", "-c", "sleep 600 >/dev/null 2>&1 & echo $!")
    assert (ran.code, is_running(int(ran.out))) == (0, False)


def test_ctrl_c_at_a_terminal_reaches_the_command_once_and_ctrl_z_stops_both(bare: Shell) -> None:
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


def test_a_command_keeps_the_terminal(bare: Shell) -> None:
    env = {**BASE, "PS1": "$ ", "TERM": "xterm", "P": sys.executable, "Z": "-m zdemo emulator --"}
    with session(["sh", "-i"], bare.folder, env) as shell:
        shell.type("$P $Z sh -c 'read word </dev/tty; echo got-$word'\n", "for ")
        assert "got-typed" in shell.type("typed\n", "got-typed")
        shell.type("$P $Z sh -c 'read word; echo got-$word' | cat\n", "for ")
        assert "got-later" in shell.type("later\n", "got-later")


def test_zdemo_ends_when_standard_input_closes(bare: Shell) -> None:
    with subprocess.Popen(  # noqa: S603  # the program under test
        [*bare.program, "emulator", "--port", "0", "--json", "--until-stdin-closes"],
        cwd=bare.folder,
        env={**BASE, **bare.env},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        assert json.loads(process.stdout.readline())["port"]
        assert process.poll() is None
        process.stdin.close()
        assert process.wait(LONGEST_SECONDS) == 0


def test_two_on_free_ports_share_nothing(bare: Shell) -> None:
    arguments = ("emulator", "--port", "0", "--json")
    with bare.running(*arguments) as one, bare.running(*arguments) as other:
        assert one.stdout
        assert other.stdout
        first, second = json.loads(one.stdout.readline()), json.loads(other.stdout.readline())
    for key in ("url", "name", "port", "admin_pat", "project", "client_id", "client_secret"):
        assert first[key] != second[key]
