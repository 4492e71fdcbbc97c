"""``zdemo verify``: its screens, documents and exit codes, and that no process is left in any ending."""

import os
import re
import shlex
import shutil
import signal
import sys
from collections import Counter
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.support.apis import EXAMPLE
from tests.support.cli import Shell, at_terminal, is_two_lines
from tests.support.processes import LONGEST_SECONDS, ROOT, is_running
from tests.support.readme import commands, consoles
from tests.support.upstream import LOOPBACK, free_port
from tests.support.waiting import eventually
from zdemo.cli.commands.verify import exit_code
from zdemo.cli.reports import show_cases
from zdemo.cli.screen import Screen
from zdemo.errors import ExitCode
from zdemo.serving.listening import listen
from zdemo.verify.case import ACCEPTS, CaseReport, Group, Mark, Verdict
from zdemo.verify.cases import CASES

CLOSED = """
import http.server, os, pathlib, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.headers.get("Authorization", "").startswith("Bearer "):
            print("\\x1b[1;31mrefused\\x1b[0m", self.headers["Authorization"], os.environ["CLIENT_SECRET"], flush=True)
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Bearer realm="closed"')
        self.send_header("Content-Length", "0")
        self.end_headers()
    do_HEAD = do_OPTIONS = do_GET
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
pathlib.Path("pid.new").write_text(str(os.getpid()))
os.rename("pid.new", "pid")
server.serve_forever()
"""
SERVED = "\nimport sys\napp.run(port=int(sys.argv[1]), threaded=True)\n"
PLAIN = EXAMPLE.read_text(encoding="utf-8").replace("/api/private-scoped", "/messages") + SERVED
ADMITS = 'return {"active": True, "aud": [CLIENT_ID], ROLES_CLAIM: {"read:messages": {"1": "x"}}}'
MCP = """
import sys
from flask import Flask
from zdemo.server import protect
app = protect(Flask("mcp"), role="tools:use")
app.post("/mcp")(lambda: {})
app.run(port=int(sys.argv[1]))
"""
ASKED = [case for case in CASES if case.group not in (Group.MCP, Group.PROXY)]
VARYING = re.compile(r" +\d+\.\d s$|(?<=introspections: )\d\d$", re.MULTILINE)  # on a busy machine: time, and a race
SILENT = "import time; print('not yet', flush=True); time.sleep(600)"
FAST = ("--env", "ZDEMO_CACHE_TTL=0.5", "--env", "ZDEMO_TIMEOUT=2", "--window", "3")


def python(script: str, *options: str) -> tuple[str, ...]:
    """Return the words that grade an API that is a script."""
    return ("verify", "--path", "/messages", *options, "--", sys.executable, "-c", script, "{port}")


def test_the_list_names_every_case(bare: Shell) -> None:
    ran = bare("verify", "--list")
    assert (ran.code, ran.err) == (0, "")
    assert re.findall(r"^  (\S+\.\S+)", ran.out, re.MULTILINE) == [case.id for case in CASES]
    rows = bare("verify", "--list", "--only", "polite", "--json").document["cases"]
    assert [row["id"] for row in rows] == [case.id for case in CASES if case.group is Group.POLITE]
    assert set(rows[0]) == {"id", "group", "asked", "must", "source", "fix", "needs"}


@pytest.mark.parametrize(
    ("line", "error", "hint"),
    [
        ("--only safe.audiense", "unknown case: safe.audiense", "did you mean safe.audience?"),
        ("--only mcp.pat", "mcp.pat is about an MCP server", "add --mcp"),
        ("--mcp --only safe", "safe is not about an MCP server", "leave out --mcp"),
        ("-- true", "--path is missing", "--path /messages"),
        ("--path messages -- true", "--path is not a path: messages", "--path /messages"),
        ("--path /m", "the command that starts the API is missing", "-- flask"),
        (
            "--path /m -- sh -c 'api # {client_secret}'",
            "error: {client_secret} would show a secret in the list of processes",
            "--env CLIENT_SECRET={client_secret}",
        ),
        (
            "--path /m flask --app x",
            "unexpected argument: flask; put -- in front of the command to run",
            "hint:  zdemo verify --path /m -- flask --app x",
        ),
        ("--path /m 'flask run'", "put -- in front", "hint:  zdemo verify --path /m -- flask run"),
        ("--path /m -- 'flask run'", "the command is in quotes: flask run", "write it like this: -- flask run"),
        ("-- --path /m x -y", "an option is after --: --path", "hint:  zdemo verify --path /m -- x -y"),
        ("-- --path /m", "an option is after --: --path", "hint:  zdemo verify --path /m"),
        ("--path /m -- 'cd x && y'", "the command is in quotes", "write it like this: -- sh -c 'cd x && y'"),
        ("--path http://localhost:5000/m?x=1 -- true", "--path is not a path", "for example --path /m?x=1"),
        ("--path localhost:5000/m -- true", "--path is not a path", "for example --path /m"),
        ("/m -- flask", "unexpected argument: /m", "zdemo verify --path /m -- flask"),
        ("--path /m flask -- run", "unexpected argument: flask", "leave it out, or put it after --"),
        ("--path /m --role ' ' -- true", "--role is empty", "give a value"),
        ("--path /m --external-domain 'x y' -- true", "not resolve to this machine: x y", "/etc/hosts"),
        ("--path /m --only proxy.body -- true", "proxy.body is about a proxy", "add --backend PORT"),
        ("--path /m --mcp --backend 1 -- true", "--backend cannot be combined with --mcp", "leave out"),
        ("--path /m -- no-such-program", "command not found: no-such-program", "check its spelling"),
    ],
)
def test_a_wrong_command_line_is_explained(bare: Shell, line: str, error: str, hint: str) -> None:
    """That of an API that runs already is in ``test_command_line.py``."""
    ran = bare("verify", *shlex.split(line))
    assert (ran.code, is_two_lines(ran)) == (2, True), ran.err
    assert error in ran.lines[0]
    assert hint in ran.lines[1]


@pytest.mark.parametrize("option", ["--port", "--backend"])
def test_a_port_that_is_taken_is_said_before_anything_starts(bare: Shell, option: str) -> None:
    with listen(LOOPBACK, 0) as taken:
        port = taken.getsockname()[1]
        ran = bare("verify", "--path", "/m", option, str(port), "--", "no-such-program")
    assert (ran.code, is_two_lines(ran)) == (1, True)
    assert f"cannot listen on port {port}" in ran.err
    assert re.search(rf"choose another port: {option} [1-9]\d+$", ran.err)


def test_a_proxy_without_its_authorizer_is_no_proxy_yet(bare: Shell) -> None:
    script = CLOSED.replace("self.send_response(401)", "self.send_response(503)")
    ran = bare(*python(script, "--backend", str(free_port()), "--start-seconds", "1"))
    assert (ran.code, ran.out) == (4, "")
    assert "answered only 503 at http://127.0.0.1:" in ran.err
    assert "hint:  start the program that the proxy asks in COMMAND, too: docs/verify.md" in ran.err


def test_an_api_that_ends_shows_its_last_lines_and_leaves_no_report(bare: Shell) -> None:
    script = "import os, sys; print('no module', os.environ['CLIENT_SECRET']); sys.exit(3)"
    ran = bare(*python(script, "--junit", "verify.xml"))
    assert (ran.code, ran.out) == (4, "")
    assert re.search(r"^  no module \S{4}…\S{4}$", ran.err, re.MULTILINE), "what it printed, without secrets"
    assert "ended (exit code 3) before it answered" in ran.err
    assert not (bare.folder / "verify.xml").exists()


def test_an_api_that_never_answers_is_ended(bare: Shell) -> None:
    code, screen = at_terminal(bare, *python(SILENT, "--start-seconds", "1"), COLUMNS="120")
    assert code == 4
    spinner, last_lines = screen.split("  not yet", 1)
    assert "waiting for" in spinner
    assert spinner.endswith("\x1b[2K"), "its line is erased"
    assert "did not answer at http://127.0.0.1:" in last_lines
    assert "listen on 127.0.0.1 and on {port};" in " ".join(last_lines.split())


@pytest.mark.thorough
def test_an_api_that_lets_nobody_in_is_told_where_to_look(bare: Shell) -> None:
    ran = bare(*python(CLOSED, "--junit", "verify.xml"))
    assert ran.code == 1
    block = ran.out[ran.out.index("correct.accepts  a valid token whose user has the role") :]
    assert "seen          GET /messages 401" in block
    assert re.search(r"printed +refused Bearer \S{4}…\S{4} \S{4}…\S{4}\n", block), "what it printed, without secrets"
    assert "safe.output" in ran.out, "it prints tokens"
    assert not is_running(int((bare.folder / "pid").read_text()))
    text = (bare.folder / "verify.xml").read_text(encoding="utf-8")
    root = ElementTree.fromstring(text)  # noqa: S314  # zdemo has just written it
    assert [case.attrib["name"] for case in root.iter("testcase")] == [case.id for case in ASKED]
    assert int(root.attrib["failures"]) == len(list(root.iter("failure"))) > 0
    assert f"{root.attrib['failures']} failed" in ran.out
    assert not re.search(r"Bearer \w{10}", ran.all + text)


@pytest.mark.thorough
def test_an_api_that_is_open_to_everybody_is_one_line(bare: Shell) -> None:
    refuses = '        deny(401, "send'
    ran = bare(*python(PLAIN.replace(refuses, f"        {ADMITS}\n{refuses}")))
    assert (ran.code, ran.out) == (1, "✗ open to everybody: GET /messages 200 without a token\n")


@pytest.mark.thorough
def test_what_zitadel_never_sends_counts_only_if_strict(bare: Shell) -> None:
    only, keeps = ("--only", "hardening.expired_answer"), PLAIN.replace(' < claims.get("exp", float("inf"))', "")
    ran = bare(*python(keeps, *only, "--junit", "verify.xml"))
    assert (ran.code, "0 of 1    not counted" in ran.out, "1 hint" in ran.out) == (0, True, True), ran.all
    [case] = ElementTree.parse(bare.folder / "verify.xml").iter("testcase")  # noqa: S314  # zdemo has just written it
    assert [(row.tag, (row.text or "").startswith("warning: seen: GET")) for row in case] == [("system-out", True)]
    strict = bare(*python(keeps, *only, "--strict", "--json"))
    assert list(strict.document) == ["passed", "summary", "grades", "seconds", "cases"]
    assert (strict.code, strict.document["passed"], strict.document["summary"]["fail"]) == (1, False, 1)


@pytest.mark.thorough
def test_access_to_an_mcp_server_is_checked_alone(bare: Shell) -> None:
    words = ("verify", "--mcp", "--path", "/mcp", "--role", "tools:use")
    program = ("--", sys.executable, "-c", MCP, "{port}")
    ran = bare(*words, "--env", "ZDEMO_RESOURCE=https://api.example.com/mcp", *program)
    assert (ran.code, ran.out.split()[:4]) == (0, ["mcp", "6", "of", "6"]), ran.all


def test_a_path_that_is_not_there_is_said_in_one_line(bare: Shell) -> None:
    ran = bare(*python(CLOSED.replace("(401)", "(404)")))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: the API answers 404 to GET /messages: give --path a path that it has")
    ran = bare(*python(CLOSED.replace("(401)", "(500)")))
    assert ran.err.startswith("error: the API answers 500 to GET /messages without a token\n")
    ran = bare(*python(CLOSED.replace("(401)", "(502 if 'Authorization' in self.headers else 401)"), "--only", ACCEPTS))
    assert (ran.code, ran.out.split()[0]) == (1, ACCEPTS), ran.err
    ran = bare(*python(CLOSED.replace("(401)", "(401 if self.path == '/messages' else 404)"), "--public", "/nope"))
    assert ran.err == "error: the API answers 404 to /nope: give --public a path that needs no token\n"


def test_the_worst_failures_fit_the_first_screen() -> None:
    lines, seen = StringIO(), Verdict(mark=Mark.FAIL, seen="GET /messages (no active) 200; GET /messages 200")
    passed = ("safe.no_token", "safe.unknown", "safe.unsigned_jwt", "safe.paths", "safe.forwarded", "safe.role_missing")
    reports = [CaseReport(case=case, verdict=seen) for case in ASKED if case.id not in passed]
    show_cases(Screen(lines), reports, 1.0, [], verbose=False)
    rows = lines.getvalue().splitlines()
    assert len(rows) <= 24, lines.getvalue()
    named = [row.split()[0] for row in rows if row.startswith("safe.")]
    assert named == ["safe.head", "safe.fail_open", "safe.active"]


def test_a_case_that_passed_may_have_a_note() -> None:
    lines, verdict = StringIO(), Verdict(mark=Mark.PASS, seen="let in", is_note=True)
    show_cases(Screen(lines), [CaseReport(case=CASES[0], verdict=verdict)], 1.0, [], verbose=False)
    assert re.search("^note +let in$", lines.getvalue(), re.MULTILINE)


@pytest.mark.parametrize(
    ("marks", "code"),
    [
        ((Mark.PASS, Mark.PASS), ExitCode.YES),
        ((Mark.PASS, Mark.UNASKED), ExitCode.NO_ANSWER),
        ((Mark.FAIL, Mark.UNASKED), ExitCode.NO),
        ((Mark.PASS, Mark.SKIP), ExitCode.YES),
        ((Mark.HINT, Mark.PASS), ExitCode.YES),
        ((Mark.SKIP, Mark.PASS), ExitCode.NO),  # the first was requested by name
    ],
)
def test_the_exit_code_says_whether_all_was_asked(marks: tuple[Mark, Mark], code: ExitCode) -> None:
    reports = [
        CaseReport(case=case, verdict=Verdict(mark=mark, seen="")) for case, mark in zip(CASES, marks, strict=False)
    ]
    assert exit_code(reports, (CASES[0].id,)) is code


@pytest.mark.thorough
def test_the_own_api_in_flask_passes_everything_as_a_protected_resource(bare: Shell) -> None:
    paths = ("--path", "/api/private-scoped", "--public", "/api/public", "--env", "ZDEMO_RESOURCE=https://a.example")
    serve = ("--", sys.executable, "-m", "zdemo", "serve", "--port", "{port}")
    ran = bare("verify", "--strict", *paths, *FAST, *serve, CLIENT_SECRET="mine", ZITADEL_ADMIN_PAT="mine")
    assert (ran.code, ran.err) == (0, "note: the API does not get your ZITADEL_ADMIN_PAT\n"), ran.all
    count = Counter(case.group for case in ASKED)
    grades = [line.split() for line in ran.out.splitlines()[: len(count)]]
    assert grades == [[group, str(n), "of", str(n)] for group, n in count.items()]


@pytest.mark.thorough
def test_the_own_api_in_fastapi_passes_everything_also_where_a_dotenv_leads_elsewhere(bare: Shell) -> None:
    """Under another name of the issuer, too."""
    bare.dotenv(ZITADEL_DOMAIN="http://localhost:1", ZITADEL_KEY_FILE="elsewhere.json", ZITADEL_PROJECT_ID="999")
    paths = ("--path", "/api/private-scoped", "--public", "/api/public")
    app = ("uvicorn", "--app-dir", str(ROOT / "docs" / "examples"), "--port", "{port}", "fastapi_app:app")
    domain = ("--external-domain", "127.0.0.1")
    ran = bare("verify", *paths, *domain, *FAST, "--strict", "--json", "--", sys.executable, "-m", *app)
    assert ran.code == 0, ran.all
    assert ran.document["passed"] is True
    assert ran.document["summary"] == {"pass": len(ASKED), "fail": 0, "hint": 0, "skip": 0, "unasked": 0}
    assert [row["id"] for row in ran.document["cases"]] == [case.id for case in ASKED]


@pytest.mark.thorough
def test_the_guard_in_one_file_has_the_weakness_that_the_page_shows(bare: Shell) -> None:
    [command] = commands(*consoles(ROOT / "docs" / "verify.md"))
    shutil.copy(EXAMPLE, bare.folder)
    words = shlex.split(command.line.removeprefix("zdemo "))
    ran = bare(*words, PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}")
    assert (ran.code, VARYING.sub("", ran.out)) == (1, VARYING.sub("", command.output)), ran.all


@pytest.mark.thorough
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_during_the_questions_leaves_no_process_and_no_half_answer(bare: Shell, number: int) -> None:
    waits = (
        "        if self.headers.get('Authorization'):\n            open('asked', 'w'); import time; time.sleep(600)\n"
    )
    script = CLOSED.replace("    def do_GET(self):\n", f"    def do_GET(self):\n{waits}")
    with bare.running(*python(script, "--json", "--junit", "verify.xml")) as process:
        eventually("a question waits for its answer", (bare.folder / "asked").exists)
        pid = int((bare.folder / "pid").read_text())
        os.kill(process.pid, number)
        assert process.wait(LONGEST_SECONDS) == 128 + number
        eventually("the API has ended", lambda: not is_running(pid))
        assert process.stdout
        assert process.stdout.read() == ""
    assert not (bare.folder / "verify.xml").exists()
