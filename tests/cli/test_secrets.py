"""No token and no secret gets out: not in its place, not in a wrong one, not in what servers repeat."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, unquote_plus

import pytest
import requests

from tests.support.cli import Ran, Shell, Stack
from tests.support.secret_forms import ADMIN, FORMS, ODD, PAT, SECRET, jwe, leak
from tests.support.upstream import Behaviour, Received, answer, depending, refusing_port, upstream
from tests.support.wire import PATIENCE_SECONDS
from zdemo.emulator import ADMIN as EMULATORS_ADMIN
from zdemo.emulator import PROJECT_ID

DOTTED = "abc.Cn9aRy7kQ2mZx8.Lp4Wd6TbVeHs5Gf3J.kQ2mZx8Lp4Wd6TbVeH"  # of another server
CANARIES = (PAT, SECRET, ADMIN, SECRET[::-1])
SETTINGS = {
    "CLIENT_ID": "353545601679624705",
    "CLIENT_SECRET": SECRET,
    "PAT": PAT,
    "ZITADEL_ADMIN_PAT": ADMIN,
    "ZITADEL_PROJECT_ID": PROJECT_ID,
    "ZDEMO_USER_CLIENT_ID": "reader",
    "ZDEMO_USER_CLIENT_SECRET": SECRET[::-1],
    "ZDEMO_TIMEOUT": "3",
}
COMMANDS = (
    *("call private -v", "call scoped --json", "token", "introspect", "introspect --json", "role list"),
    *("role grant reader read:messages", "doctor", "doctor --json", "setup --dry-run", "setup --yes --json"),
    *("setup --teardown --yes", "demo --live"),
)


def assert_silent(ran: Ran, *secrets: str) -> None:
    read = ""
    with suppress(ValueError):
        read = str(json.loads(ran.out))  # by a program
    secret_piece = leak(f"{ran.all}\n{read}", *(secrets or CANARIES))
    assert not secret_piece, f"{secret_piece!r} in {ran.all}"


@pytest.fixture
def shell(shared_stack: Stack, tmp_path: Path) -> Iterator[Shell]:
    """The canaries as settings of an emulator that does not know them; afterwards no file may hold one."""
    env = SETTINGS | {"ZITADEL_DOMAIN": shared_stack.emulator.url, "ZDEMO_API_URL": shared_stack.api_url}
    yield Shell(folder=tmp_path, env=env)
    for path in tmp_path.rglob("*"):
        assert path.name == ".env" or not path.is_file() or not leak(path.read_text(errors="replace"), *CANARIES)


@pytest.mark.parametrize("command", COMMANDS)
def test_as_settings_of_a_zitadel_that_refuses_them(shell: Shell, command: str) -> None:
    assert_silent(shell(*command.split()))
    shell.dotenv(PAT=f"'{PAT}'", CLIENT_SECRET=f'"{SECRET}"', ZITADEL_ADMIN_PAT=ADMIN)
    with refusing_port() as port:
        closed = f"http://127.0.0.1:{port}"
        empty = dict.fromkeys(("PAT", "CLIENT_SECRET", "ZITADEL_ADMIN_PAT"), "")
        assert_silent(shell(*command.split(), ZITADEL_DOMAIN=closed, ZDEMO_API_URL=closed, **empty))


@pytest.mark.parametrize("broken", ['"{}"', "x{}\u200b", "PAT={}"])
def test_with_what_a_paste_brought_along(shell: Shell, broken: str) -> None:
    """Other forms are in ``test_token_form.py`` and ``test_no_message_repeats_what_could_be_a_secret``."""
    env = {name: broken.format(SETTINGS[name]) for name in ("PAT", "ZITADEL_ADMIN_PAT", "CLIENT_SECRET")}
    for line in ("call private -v", "role list"):
        assert_silent(shell(*line.split(), **env))
    assert_silent(shell("introspect", "--pat", "-", stdin=f"{broken.format(ADMIN)}\n{PAT}\n"))


def _echo(status: int, kind: str, shape: Callable[[list[str]], bytes]) -> Behaviour:
    """An answer that repeats all that was sent, in header fields, body and address, in each form that is hidden."""

    def choose(received: Received) -> Behaviour:
        clear = received.headers.get("authorization", "").partition(" ")[2]
        sent = [clear, *received.form.values()]
        if received.headers.get("authorization", "").startswith("Basic"):
            sent.append(unquote_plus(base64.b64decode(clear).decode().partition(":")[2]))
        sent = [form(text) for text in sent for form in FORMS.values()]
        line = quote(" ".join(sent), safe=" /:+=%-_~")
        headers = {
            "Content-Type": kind,
            "Location": f"https://elsewhere.example/?token={line}",
            "WWW-Authenticate": f'Bearer error="invalid_token", error_description="{line}", scope="{line}"',
            f"X-{re.sub('[^A-Za-z0-9_-]', '', clear)[:60]}": "1",
        }
        return answer(shape(sent), status, headers=headers)

    return depending(choose)


def _error(sent: list[str]) -> bytes:
    return json.dumps({"error": sent[0], "error_description": " ".join(sent), "message": "\n".join(sent)}).encode()


def _escaped(sent: list[str]) -> bytes:
    """JSON in which every character is a number."""
    numbers = "".join(f"\\u{ord(c):04x}" for c in " ".join(sent))
    return f'{{"active":true,"sub":"{numbers}","error":"{numbers}","message":"{numbers}"}}'.encode()


def _claims(sent: list[str]) -> bytes:
    claims = dict.fromkeys(("sub", "iss", "username", "client_id", "scope", sent[0]), " ".join(sent))
    roles = {text: {text: text} for text in ("read:messages", *sent)}
    return json.dumps({**claims, "active": True, "aud": sent, "urn:zitadel:iam:org:project:roles": roles}).encode()


def _rows(sent: list[str]) -> bytes:
    text = " ".join(sent)
    fields = {**dict.fromkeys(("id", "preferredLoginName", "name", "key", "userId"), text), "state": "STATE_ACTIVE"}
    row = {**fields, "user": fields, "project": fields, "organization": fields, "roles": [{"key": text}]}
    return json.dumps({"authorizations": [row], "projectRoles": [row], "result": [row], "project": row}).encode()


def _page(sent: list[str]) -> bytes:
    return "\n".join(sent).encode()


OF_REFUSALS = ("call private -v", "token", "introspect --json", "role list", "doctor", "setup --dry-run")
ECHOES = {
    "claims": _echo(200, "application/json", _claims),
    "rows": _echo(200, "application/json", _rows),
    "escaped": _echo(200, "application/json", _escaped),
    "redirect": _echo(302, "text/plain", _page),
    "400": _echo(400, "application/json", _error),
    "401": _echo(401, "application/json", _escaped),
    "404": _echo(404, "text/plain", lambda sent: b"unable to set instance using origin " + _page(sent)),
    "500": _echo(500, f"text/{SECRET}", _page),
}


@pytest.mark.thorough
@pytest.mark.parametrize("echo", ECHOES)
def test_whatever_a_server_repeats(shell: Shell, echo: str) -> None:
    with upstream(ECHOES[echo]) as server:
        for command in OF_REFUSALS if echo.isdecimal() or echo == "redirect" else COMMANDS:
            assert_silent(shell(*command.split(), ZITADEL_DOMAIN=server.url, ZDEMO_API_URL=server.url))
        assert_silent(shell("introspect", "--json", ZITADEL_DOMAIN=server.url, CLIENT_SECRET=ODD), PAT, ODD)


@pytest.mark.thorough
def test_in_the_log_of_the_api(shell: Shell) -> None:
    with (
        upstream(*ECHOES.values()) as server,
        shell.serving(ZITADEL_DOMAIN=server.url, ZDEMO_CACHE_TTL="0") as (process, url),
    ):
        form = {"access_token": PAT, SECRET: ADMIN}
        answers = [requests.post(f"{url}/api/public?{PAT}", data=form, timeout=PATIENCE_SECONDS)]
        for value in [f"Bearer {PAT}"] * len(ECHOES) + [f"Basic {PAT}", f"Bearer {PAT} {SECRET}"]:
            headers = {"Authorization": value}
            answers.append(requests.get(f"{url}/api/private?x={ADMIN}", headers=headers, timeout=PATIENCE_SECONDS))
        process.terminate()
        out, err = process.communicate(timeout=20)
    assert "GET /api/private" in err
    for text in (out, err, *(f"{got.headers} {got.text}" for got in answers)):
        assert not leak(text, *CANARIES), text


@pytest.mark.parametrize(
    "line",
    [
        *("{}", "--{}", "-{}", "call {}", "call private {}", "call private --{}", "call private --json={}"),
        *("call private --expect {}", "call private --url {}", "call private --url https://{}.example.invalid/"),
        *("call private --url http://me:{}@localhost", "call private --env-file ./{}/.env", "call private --pat {} {}"),
        *("introspect --require {}", "introspect -{}", "serve --port {}", "serve --host {}", "emulator --host {}"),
        *("role {}", "role list {}", "role grant {} read:messages", "role grant reader {}", "role revoke reader {} {}"),
        *("doctor --only {}", "doctor --api {}", "setup --auth {}", "setup --domain {}", "setup --role {} --dry-run"),
    ],
)
def test_in_a_wrong_command_line(shell: Shell, line: str) -> None:
    for typed in (jwe("PAT"), f'"{SECRET}"', DOTTED)[: 1 if " " in line else 3]:
        ran = shell(*line.replace("{}", typed).split(" "), "--json")
        assert ran.code != 0
        assert_silent(ran, *CANARIES, typed.strip('"'))


@pytest.mark.parametrize(
    "typed",
    [
        "aGVsbG8/d29ybGQrZm9v/YmFyYmF6cXV4MTIzNDU2Nzg5MA==",
        "p@ss#w0rd!?&=x",
        "Xy7{Kfoo}9zQw8",
        "!{Kfoo}!{bar_baz}",
        "p@ss\x01Word-Zdemo?&=x",
        "p@ssWord-Zdemo\np@ssWord-Zdemo",
        '{"key": "-----BEGIN RSA PRIVATE KEY-----\\nMIIE/8NIdfb/zll5"}',
    ],
)
def test_a_password_or_key_in_a_wrong_place_is_hidden_whole(shell: Shell, typed: str) -> None:
    for line in ("call {}", "call private --{}", "call private --expect {}"):
        ran = shell(*line.replace(" ", "\0").replace("{}", typed).split("\0"), "--json")
        assert ran.code == 2
        assert not [piece for at in range(len(typed) - 7) if (piece := typed[at : at + 8]) in ran.all]


@pytest.mark.parametrize("typed", ["({})", "'{}'", "it's:{}"])
def test_a_token_in_place_of_a_role_is_hidden_and_becomes_none(shared_stack: Stack, tmp_path: Path, typed: str) -> None:
    env = {**shared_stack.env, "ZITADEL_PROJECT_ID": PROJECT_ID, "ZDEMO_VISITOR_PAT": jwe("access token")}
    token = jwe("PAT")
    ran = Shell(folder=tmp_path, env=env)("role", "grant", "reader", typed.format(token))
    assert ("has no role" in ran.err, "--create-role" in ran.err) == (True, False)
    assert_silent(ran, token)


@pytest.mark.parametrize("address", ["https://me:hunter2pass@z.example", "https://z.example:hunter2pass"])
def test_a_password_in_an_address_that_the_emulators_token_is_not_for(shell: Shell, address: str) -> None:
    shell.dotenv(ZITADEL_ADMIN_PAT=EMULATORS_ADMIN.pat)
    ran = shell("setup", "--dry-run", ZITADEL_DOMAIN=address, ZITADEL_ADMIN_PAT="")
    assert ("is not for another ZITADEL" in ran.err, "hunter2pass" in ran.all) == (True, False)


def test_a_password_in_an_address_that_names_a_file(shell: Shell) -> None:
    assert_silent(shell("introspect", "--env-file", "http://me:aB3xjemTSlg1PFCAJd@x"), "aB3xjemTSlg1PFCAJd")


@pytest.mark.parametrize(
    "name", ["ZITADEL_DOMAIN", "CLIENT_ID", "ZDEMO_API_URL", "ZDEMO_TIMEOUT", "ZITADEL_KEY_FILE", "REQUESTS_CA_BUNDLE"]
)
def test_in_a_wrong_setting(shell: Shell, name: str) -> None:
    token = jwe("PAT")
    for text in (f'"{SECRET}" {ADMIN}', f"https://x:{SECRET}@localhost/{PAT}", f"https://{token}.example.com", token):
        line = "call scoped -v" if name == "ZDEMO_API_URL" else "introspect"
        assert_silent(shell(*line.split(), **{name: text}), *CANARIES, token)


def test_no_token_shows_from_an_address_in_place_of_the_certificates(shell: Shell) -> None:
    env = {"ZITADEL_DOMAIN": "https://localhost:1", "REQUESTS_CA_BUNDLE": "http://host/?access_token=letmein"}
    for line in ("introspect", "setup --dry-run", "doctor -v", "doctor --json"):
        ran = shell(*line.split(), **env)
        assert ("REQUESTS_CA_BUNDLE names a file that does not exist" in ran.all, "letmein" in ran.all) == (True, False)


@pytest.mark.parametrize(
    "text", ["{}\n", "PAT: {}\n", "={}\n", "PAT='{}\n", "PAT={}\nCLIENT_SECRET\n{}\n", "{}=1\n", "CLIENT_{}=1\n"]
)
def test_in_a_broken_dotenv_file(shell: Shell, text: str) -> None:
    (shell.folder / ".env").write_text(text.replace("{}", PAT, 1).replace("{}", SECRET))
    for command in ("introspect", "init"):
        assert_silent(shell(command, PAT="", CLIENT_SECRET=""))
