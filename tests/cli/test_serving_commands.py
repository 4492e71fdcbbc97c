"""``zdemo serve`` and ``zdemo emulator``: what they refuse, what they say, also in their log, and how they end."""

import io
import json
import logging
import re
import signal
import subprocess
from dataclasses import astuple, replace
from pathlib import Path

import pytest
import requests

from tests.server.test_logs import Terminal
from tests.support.cli import API_UNSET, Shell, Stack, is_two_lines
from tests.support.upstream import free_port, refusing_port
from tests.support.wire import PATIENCE_SECONDS
from zdemo.cli.commands.emulator import BESIDE_THE_API, requests_log, show_start
from zdemo.cli.screen import Screen
from zdemo.emulator import ADMIN, CLIENT_ID, CLIENT_SECRET, PROJECT_ID, READER, VISITOR
from zdemo.emulator.incoming.request_records import REQUESTS_LOG, RequestRecord
from zdemo.emulator.seed import APP_CLIENT_ID, known_start
from zdemo.errors.response import Response
from zdemo.server.logs import TextFormatter
from zdemo.serving.production import KILL_SECONDS

STOP_SECONDS = KILL_SECONDS - 1  # what does not stop is killed then, and that must not pass for an end


def stopped(process: subprocess.Popen[str], how: signal.Signals) -> tuple[int, str, str]:
    process.send_signal(how)
    out, err = process.communicate(timeout=STOP_SECONDS)
    assert "Traceback" not in out + err
    return process.returncode, out, err


def test_the_emulator_has_private_key_files_and_stops_cleanly(bare: Shell) -> None:
    port = free_port()
    exposed = ("--host", "0.0.0.0", "--expose-emulator")  # noqa: S104  # what is tested
    names = ("--external-domain", "zitadel:9000", "--external-domain", "auth.example")
    with bare.running("emulator", "--port", str(port), "--json", *exposed, *names) as process:
        assert process.stdout
        document = json.loads(process.stdout.readline())
        users, env = document.pop("users"), document.pop("env")
        assert document.pop("name")
        assert document == {
            "url": f"http://localhost:{port}",
            "port": port,
            "external_domains": ["localhost", "zitadel:9000", "auth.example"],
            "admin_pat": ADMIN.pat,
            "project": PROJECT_ID,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "app_client_id": env["ZDEMO_APP_CLIENT_ID"],
        }
        assert [user["pat"] for user in users] == [READER.pat, VISITOR.pat, ADMIN.pat]
        assert users[0] == {"id": READER.id, "username": "reader", "pat": READER.pat, "roles": ["read:messages"]}
        assert (env["ZITADEL_DOMAIN"], env["PAT"]) == (document["url"], READER.pat)
        for name, kind in (("ZITADEL_KEY_FILE", "application"), ("ZDEMO_USER_KEY_FILE", "serviceaccount")):
            file = Path(env[name])
            assert json.loads(file.read_text())["type"] == kind
            assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
        assert requests.get(f"{document['url']}/debug/healthz", timeout=PATIENCE_SECONDS).text == "ok"
        for host, issuer in (
            ("zitadel:9000", "http://zitadel:9000"),
            ("auth.example:8443", "http://auth.example:8443"),
            (f"localhost:{port}", document["url"]),
            ("zitadel:9001", "Instance not found"),
            ("other.example", "Instance not found"),
        ):
            discovery = f"{document['url']}/.well-known/openid-configuration"
            assert issuer in requests.get(discovery, headers={"Host": host}, timeout=PATIENCE_SECONDS).text
        code, out, err = stopped(process, signal.SIGINT)
    assert not Path(env["ZITADEL_KEY_FILE"]).parent.exists()
    warning = err.splitlines()[0]
    (line,) = [line for line in err.splitlines() if "healthz" in line]
    assert (code, out) == (0, "")
    assert ("warning" in warning, "public" in warning) == (True, True)
    assert re.fullmatch(r"\d\d:\d\d:\d\d  GET /debug/healthz +200 +\d+\.\d ms", line)


@pytest.mark.parametrize("line", ["emulator --host 0.0.0.0", "serve --emulator --host ::"])
def test_an_emulator_listens_on_loopback_only(bare: Shell, line: str) -> None:
    ran = bare(*line.split())
    assert (ran.code, is_two_lines(ran), "--expose-emulator" in ran.err) == (2, True, True)


@pytest.mark.parametrize(
    ("line", "option"),
    [
        ("serve --port {a}", "--port"),
        ("serve --emulator --port {free} --emulator-port {a}", "--emulator-port"),
        ("emulator --port {a} -- npm test", "--port"),
        ("emulator --host ::1 --port {zitadel}", "--port"),  # localhost would still lead to the other
    ],
)
def test_where_a_port_is_taken_another_one_is_named(line: str, option: str, shell: Shell) -> None:
    with refusing_port() as taken:
        ports = {"a": taken, "free": free_port(), "zitadel": int(shell.env["ZITADEL_DOMAIN"].rpartition(":")[2])}
        ran = shell(*line.format(**ports).split())
        suggestion = re.search(rf" {option} (\d+)", " ".join(ran.err.split()))
        assert suggestion, ran.err
        assert int(suggestion[1]) not in ports.values()
    assert (ran.code, "is taken" in ran.err) == (1, True)


@pytest.mark.thorough
def test_the_api_starts_while_zitadel_is_away_and_with_json_logs_each_line_is_an_object(shell: Shell) -> None:
    with refusing_port() as closed:
        env = {"ZITADEL_DOMAIN": f"http://127.0.0.1:{closed}"}
        with shell.serving("--json-logs", **env) as (process, url):
            ran = shell("call", "private", "--url", url, **env)
            assert (ran.code, " 503 " in ran.out, "refuses connections" in ran.out) == (4, True, True)
            code, out, err = stopped(process, signal.SIGINT)
    lines = [json.loads(line) for line in err.splitlines()]
    assert (code in (0, 130), out) == (True, "")
    assert lines[0]["message"].startswith(f"API on {url}, asks {env['ZITADEL_DOMAIN']}")
    assert lines[-1]["path"] == "/api/private"


@pytest.mark.thorough
def test_what_is_wrong_is_told_at_the_start_without_a_secret_and_there_may_be_no_page(shell: Shell) -> None:
    port = free_port()
    store = f"redis://:a-password-of-the-store@127.0.0.1:{port}"
    env = {"ZDEMO_CACHE_URL": store, "ZDEMO_CACHE_TTL": "60", "CLIENT_SECRET": f"{CLIENT_SECRET[:-1]}1"}
    domain = shell.env["ZITADEL_DOMAIN"]
    env["ZITADEL_INTERNAL_URL"] = inside = domain.replace("localhost", "127.0.0.1")
    with shell.serving("--no-page", **env) as (process, url):
        assert requests.get(url, timeout=PATIENCE_SECONDS).status_code == 404
        code, _, err = stopped(process, signal.SIGTERM)
    text = " ".join(err.split())
    assert f"ZITADEL {domain} at see the warning {inside} " in text
    assert f"API {url} cache 60 s, shared at 127.0.0.1:{port} " in text
    assert f"warning: the store at 127.0.0.1:{port} refuses connections, so answers are not shared fix" in text
    assert code == 0
    assert re.search(r"warning: \S.*CLIENT_SECRET.* fix copy CLIENT_SECRET again", text)
    assert not [words for words in ("a-password", "key=", "zdemo call") if words in err]


@pytest.mark.thorough
def test_a_session_by_hand(bare: Shell) -> None:
    """The commands and the page of the banner work as they stand, and leave a person's ``.env`` alone.

    Without a ``.env``, README.md shows it.
    """
    port, api_port = str(free_port()), str(free_port())
    bare = replace(bare, env=API_UNSET)
    mine = "ZITADEL_DOMAIN=https://mine.example\nCLIENT_SECRET=another-secret\n"
    mine += f"ZDEMO_API_URL=http://127.0.0.1:{api_port}\n"
    (bare.folder / ".env").write_text(mine)
    with bare.serving("--emulator", "--emulator-port", port, at=api_port, ZDEMO_CACHE_TTL="60") as (process, url):
        assert process.stdout
        assert process.stderr
        before: list[str] = []
        while not before or not before[-1].startswith("page"):
            before.append(process.stderr.readline())
        page = before[-1].split()[1]
        assert re.fullmatch(rf"{url}/\?key=\w{{16,}}", page)
        assert requests.get(page, timeout=PATIENCE_SECONDS).status_code == 200
        option = ("--env-file", "emulator.env")
        init = ("init", "--emulator", "--emulator-port", port, "--api-url", url, *option)
        call, revoke = ("call", "scoped", *option), ("role", "revoke", "reader", "read:messages", *option)
        assert [bare(*command).code for command in (init, call, revoke)] == [0, 0, 0]
        refused = bare(*call)
        grant = " ".join(("zdemo role grant reader read:messages", *option))
        assert (refused.code, grant in " ".join(refused.out.split())) == (1, True)
        requests.get(f"{url}/api/private?access_token={ADMIN.pat[:-1]}", timeout=PATIENCE_SECONDS)
        process.send_signal(signal.SIGTERM)
        rest, out, code = process.stderr.read(), process.stdout.read(), process.wait(STOP_SECONDS)
    assert (code, out, page.partition("key=")[2] in rest) == (0, "", False)
    err = "".join(before) + rest
    banner = err.partition("in another terminal")[0]
    assert re.search(rf"emulator [a-z]+-[a-z]+-\d+  http://localhost:{port} +credentials accepted\n", banner)
    assert re.search(rf"API  +{url} +cache 60 s\n", banner)
    for command in (init, call, revoke):
        assert re.search(rf"^ *zdemo {re.escape(' '.join(command))}( |$)", err, re.MULTILINE)
    assert (bare.folder / ".env").read_text() == mine
    assert not [secret for secret in (READER.pat, ADMIN.pat[:-1], CLIENT_SECRET) if secret in err]
    lines = [line.split(maxsplit=1)[1] for line in err.splitlines() if re.match(r"\d\d:\d\d:\d\d  ", line)]
    assert [line for line in lines if "reader lacks read:messages" in line]
    assert [line for line in lines if "POST AuthorizationService/DeleteAuthorization" in line]


def test_the_ports_that_are_named_instead_are_free(shell: Shell) -> None:
    with refusing_port() as taken, refusing_port() as emulators:
        ran = shell("serve", "--emulator", "--port", f"{taken}", "--emulator-port", f"{emulators}")
    (free,) = re.findall(r"another port: --port (\d+) --emulator-port (\d+)$", " ".join(ran.err.split()))
    assert len({taken, emulators, *map(int, free)}) == 4


def test_the_emulator_listens_at_the_port_in_its_dotenv(bare: Shell) -> None:
    with refusing_port() as taken:
        assert bare("init", "--emulator", "--emulator-port", f"{taken}").code == 0
        ran = bare("serve", "--emulator", "--port", f"{free_port()}")
    assert (ran.code, f"cannot listen on port {taken} of localhost" in ran.err) == (1, True)


INACTIVE = RequestRecord(
    method="POST",
    path="/oauth/v2/introspect",
    status=200,
    milliseconds=2.94,
    client="emulator-api",
    token="zdem…-000",  # masked
    reason="expired 3 s ago",
)
LISTED = RequestRecord(
    method="POST", path="/zitadel.user.v2.UserService/ListUsers", status=200, milliseconds=2.94, user="zdemo-admin"
)
WHOSE = "emulator-api, zdem…-000: expired 3 s ago"


def test_the_start_names_the_accounts_with_their_tokens_and_the_people() -> None:
    out = io.StringIO()
    show_start(Screen(stdout=out), known_start(), "http://localhost:8484")
    lines = out.getvalue().splitlines()
    assert {f"app            {APP_CLIENT_ID} (emulator-app)", "people         ada"} < set(lines)
    assert lines[lines.index("reader       read:messages") + 1] == f"  {READER.pat}"


@pytest.mark.parametrize(
    ("record", "columns", "lines"),
    [
        (INACTIVE, 40, ["200    2.9 ms  ZITADEL POST /oauth/v2/i…", "    emulator-api, zdem…-000: expired 3 …"]),
        (INACTIVE, 80, ["CLOCK  200    2.9 ms  ZITADEL POST /oauth/v2/introspect", f"    {WHOSE}"]),
        (INACTIVE, 0, [f"CLOCK  ZITADEL  POST /oauth/v2/introspect  200  {WHOSE}{' ' * 11}2.9 ms"]),
        (LISTED, 80, ["CLOCK  200    2.9 ms  ZITADEL POST UserService/ListUsers  zdemo-admin"]),
    ],
)
def test_a_log_line_shows_its_source_the_reason_and_the_service_without_its_package(
    record: RequestRecord, columns: int, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    formatter = TextFormatter(Terminal() if columns else io.StringIO(), requests_log(BESIDE_THE_API))
    event = logging.LogRecord(REQUESTS_LOG, logging.INFO, "", 1, "", astuple(record), None)
    assert re.sub(r"(?m)^\d\d:\d\d:\d\d", "CLOCK", formatter.format(event)).splitlines() == lines


def test_commands_name_the_emulator_unless_its_name_is_strange(shell: Shell, shared_stack: Stack) -> None:
    for line in ("role list", "doctor", "setup --dry-run"):
        assert re.search(rf"emulator\s+{shared_stack.emulator.world.name}\b", shell(*line.split()).out)
    for name in ("\x1b[31mred", "a-b-1 of mine"):
        headers = {"x-zdemo-emulator": name}
        assert Response(status=200, headers=headers, body=b"", seconds=0, url="").emulator == ""
