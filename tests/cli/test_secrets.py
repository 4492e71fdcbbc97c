"""No token and no secret gets out: not by what is right, not by what is wrong, not by what others send back."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
import requests

from tests.support.cli import Ran, Reporter, Shell, story
from tests.support.ports import free_port
from tests.support.upstream import Behaviour, Received, answer, depending, refusing_port, upstream
from zdemo.cli.redaction import Redaction
from zdemo.config.environment import Environment
from zdemo.config.masking import masked, token_like
from zdemo.config.settings import AdminSettings, Settings
from zdemo.emulator.seed import PROJECT_ID

PAT = "Qz7_kT2vRw9-LmXb4NcJ8hGfY1sDpA6eUoV3iZt5yHq0WnKxB7rEjSgMlC2uOaIdF9PvTQk"
SECRET = "h8Kq2ZtXw5LmVn9RbJc4GyFs7DpAe1UoYi3WkTx6BrEjHgMlNu0OaIdSfPvQzC2X"
ADMIN = "Jx3-pW8sVb_Kd6LqYt9RmZc2HnGf5XaSo4UeTi7BwPj1MkQyDr0ElNvCuOgIhFz8AbVx5Tk"
ODD = 'p%q+r/s=t&u~"v\\w:x#y!Zabcdefghijklmnop0123456789QRSTUVWXY'  # what old secrets, and other servers', may hold
WITH_SLASHES = "Cn9aRy7kQ2mZx8/Lp4Wd6TbVeHs5Gf3J/kQ2mZx8Lp4Wd6/TbVeHs5Gf3JCn9aRy7="
WITH_DOTS = "abc.Cn9aRy7kQ2mZx8.Lp4Wd6TbVeHs5Gf3J.kQ2mZx8Lp4Wd6TbVeH"
SHORT = "Cn9aRy7kQ2mZx8Lp4Wd6TbVe"
CANARIES = (PAT, SECRET, ADMIN)
LONGEST_SHOWN = 4
SETTINGS = {
    "CLIENT_ID": "353545601679624705",
    "CLIENT_SECRET": SECRET,
    "PAT": PAT,
    "ZITADEL_ADMIN_PAT": ADMIN,
    "ZITADEL_PROJECT_ID": PROJECT_ID,
    "ZDEMO_TIMEOUT": "3",
}


def forms(secret: str) -> Iterator[str]:
    """How a text may stand in an output: as it is, in a URL, in JSON, in base64 wherever it begins."""
    yield from (secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1])
    yield json.dumps(secret)[1:-1].replace("/", "\\/")
    for text in (secret, quote_plus(secret)):
        yield text.encode().hex()
        for at in range(3):
            plain = base64.b64encode(b"\0" * at + text.encode()).decode()[4:-4]
            yield from (plain, plain.translate(str.maketrans("+/", "-_")))


def leak(text: str, *secrets: str) -> str:
    """The first piece of a secret that stands in a text, more than may be shown; empty when there is none."""
    text = text.lower()
    for secret in secrets:
        for form in forms(secret):
            size = LONGEST_SHOWN + 2 if form == secret else 12
            pieces = (form[at : at + size].lower() for at in range(len(form) - size + 1))
            if found := next((piece for piece in pieces if piece in text), ""):
                return found
    return ""


def read(text: str) -> str:
    """A text, and what a program reads in it that takes it, or a part of it, for JSON."""
    return text + re.sub(r"\\+u([0-9a-f]{4})", lambda escape: chr(int(escape[1], 16)), text)


def assert_silent(ran: Ran, *secrets: str) -> None:
    found = leak(read(ran.all), *(secrets or CANARIES))
    assert not found, f"{found!r} in {ran.all}"


@pytest.fixture(scope="module")
def shared_story() -> Iterator[Reporter]:
    with story() as running:
        yield running


@pytest.fixture
def shell(shared_story: Reporter, tmp_path: Path) -> Iterator[Shell]:
    """The canaries as settings of an emulator that does not know them; afterwards no file may hold one."""
    env = SETTINGS | {"ZITADEL_DOMAIN": shared_story.emulator.url, "ZDEMO_API_URL": shared_story.api_url}
    yield Shell(folder=tmp_path, env=env)
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.name not in (".env", "my.env"):
            assert not leak(path.read_text(errors="replace"), *CANARIES)


def test_a_long_text_is_looked_through_in_time() -> None:
    """As a server may send it: each of its backslashes could begin an escape."""
    secret = "wQ7rT2yU8iO5pA3sD6fG"
    redaction = Redaction()
    redaction.hide(secret)
    text = "\\" * 1_000_000 + f" \\u0041 {secret}"
    assert secret not in redaction(text)


def test_this_test_would_notice() -> None:
    for secret in (*CANARIES, ODD):
        assert not leak(f"the token {masked(secret)}, and nothing more", secret)
        for shown in (secret, secret.lower(), secret[:10], secret[20:30], quote(secret), json.dumps(secret)):
            assert leak(f"it is {shown}, is it not", secret)
        for before in ("", "x", "id:", "1234:"):
            assert leak(base64.b64encode(f"{before}{secret}".encode()).decode(), secret)


# --- in their places

CLIENT_COMMANDS = (
    ("call", "private"),
    ("call", "scoped", "-v"),
    ("call", "scoped", "--json"),
    ("call", "private", "--curl"),
    ("introspect",),
    ("introspect", "--json"),
    ("introspect", "--require", "read:messages"),
    ("role", "list"),
    ("role", "grant", "reader", "read:messages"),
    ("doctor",),
    ("doctor", "--json"),
    ("setup", "--dry-run"),
    ("setup", "--yes", "--json"),
    ("setup", "--teardown", "--yes"),
    ("demo", "--live"),
)


@pytest.mark.parametrize("command", CLIENT_COMMANDS, ids=" ".join)
def test_as_settings_of_a_zitadel_that_refuses_them(shell: Shell, command: tuple[str, ...]) -> None:
    assert_silent(shell(*command))
    shell.dotenv(PAT=f"'{PAT}'", CLIENT_SECRET=f'"{SECRET}"', ZITADEL_ADMIN_PAT=ADMIN)
    assert_silent(shell(*command, PAT="", CLIENT_SECRET="", ZITADEL_ADMIN_PAT=""))
    with refusing_port() as port:
        assert_silent(shell(*command, ZITADEL_DOMAIN=f"http://127.0.0.1:{port}"))
        assert_silent(shell(*command, ZDEMO_API_URL=f"https://127.0.0.1:{port}"))


@pytest.mark.parametrize("command", [("call", "private", "-v"), ("introspect",), ("introspect", "--json")])
def test_as_an_option_or_on_standard_input(shell: Shell, command: tuple[str, ...]) -> None:
    for arguments, stdin in ((("--pat", ADMIN), ""), (("--pat", "-"), f"{SECRET}\r\n"), ((f"--pat={PAT}",), "")):
        assert_silent(shell(*command, *arguments, stdin=stdin))
    assert_silent(shell("call", "private", "--pat", "-", "-v", stdin=f"{ADMIN}\n{SECRET}\n{PAT}\n"))


@pytest.mark.parametrize(
    "broken", ['"{}"', "“{}”", "Bearer {}", "{} x", "x{}\u200b", "{}\x01", "<{}>", "PAT={}", "{}…"]
)
def test_with_what_a_paste_brought_along(shell: Shell, broken: str) -> None:
    env = {name: broken.format(SETTINGS[name]) for name in ("PAT", "ZITADEL_ADMIN_PAT", "CLIENT_SECRET")}
    for command in (("call", "private", "-v"), ("introspect",), ("role", "list")):
        assert_silent(shell(*command, **env))
    assert_silent(shell("call", "scoped", "--json", "--pat", broken.format(SECRET)))
    assert_silent(shell("introspect", PAT=broken.format(ADMIN)))


# --- sent back by others


def _echo(status: int, kind: str, shape: Callable[[list[str]], bytes]) -> Behaviour:
    """An answer that repeats all that was sent, in header fields, body and address, in clear and encoded."""

    def choose(received: Received) -> Behaviour:
        credentials = received.headers.get("authorization", "")
        clear = credentials.partition(" ")[2]
        if credentials.startswith("Basic"):
            clear += " " + base64.b64decode(clear).decode()
        said = [clear, *received.form.values(), received.headers.get("x-echo", "")]
        said += [base64.b64encode(f"{before}{text}".encode()).decode() for text in said for before in ("", "a", "ab")]
        said += [quote(text, safe="") for text in said] + [text.encode().hex() for text in said]
        said += [clear.upper(), clear[:25], clear[20:45], clear[:11], clear[30:38], clear[:60].lower(), clear[-9:]]
        line = quote(" ".join(said), safe=" /:+=%-_~")
        headers = {
            "Content-Type": kind,
            "X-Echo": line,
            "Location": f"https://elsewhere.example/?token={line}",
            "Set-Cookie": f"token={said[0]}",
            "WWW-Authenticate": f'Bearer error="invalid_token", error_description="{line}", scope="{line}"',
            "Retry-After": said[0],
            f"X-{re.sub('[^A-Za-z0-9_-]', '', clear)[:60]}": "1",
        }
        return answer(shape(said), status, headers=headers)

    return depending(choose)


def _error(said: list[str]) -> bytes:
    return json.dumps({"error": said[0], "error_description": " ".join(said), "message": "\n".join(said)}).encode()


def _escaped(said: list[str]) -> bytes:
    """JSON that any parser reads, and no eye: every character as its number; and once more, as JSON within JSON."""
    numbers = "".join(f"\\u{ord(c):04x}" for c in " ".join(said))
    within = numbers.replace("\\", "\\\\")
    return f'{{"active":true,"sub":"{numbers}","error":"{numbers}","message":"{within}"}}'.encode()


def _claims(said: list[str]) -> bytes:
    names = ("sub", "iss", "username", "client_id", "scope", "jti", "name", said[0])
    roles = {text: {text: text} for text in ("read:messages", *said)}
    claims = dict.fromkeys(names, " ".join(said)) | {"urn:zitadel:iam:org:project:roles": roles}
    return json.dumps(
        {**claims, "active": True, "aud": said, f"urn:zitadel:iam:org:project:{said[0]}:roles": 1}
    ).encode()


def _rows(said: list[str]) -> bytes:
    text = " ".join(said)
    person = {"id": text, "preferredLoginName": text}
    row = {
        **person,
        "user": person,
        "project": {"id": text, "name": text},
        "organization": {"name": text},
        "state": "STATE_ACTIVE",
        "roles": [{"key": text}],
        "key": text,
        "userId": text,
    }
    return json.dumps({"authorizations": [row], "projectRoles": [row], "result": [row], "project": row}).encode()


def _page(said: list[str]) -> bytes:
    return "\n".join(said).encode()


ECHOES = {
    "claims": _echo(200, "application/json", _claims),
    "rows": _echo(200, "application/json", _rows),
    "escaped": _echo(200, "application/json", _escaped),
    "escaped 401": _echo(401, "application/json", _escaped),
    "page": _echo(200, "text/html", _page),
    "odd media type": _echo(200, f"text/{SECRET}", _page),
    "redirect": _echo(302, "text/plain", _page),
    "400": _echo(400, "application/json", _error),
    "401": _echo(401, "application/json", _error),
    "403": _echo(403, "application/json", _error),
    "404 text": _echo(404, "text/plain", lambda said: b"unable to set instance using origin " + _page(said)),
    "429": _echo(429, "text/plain", _page),
    "500": _echo(500, "application/json", _error),
}


@pytest.mark.parametrize("echo", ECHOES)
def test_whatever_an_upstream_sends_back(shell: Shell, echo: str) -> None:
    with upstream(ECHOES[echo]) as server:
        for command in CLIENT_COMMANDS:
            assert_silent(shell(*command, ZITADEL_DOMAIN=server.url, ZDEMO_API_URL=server.url))


def test_a_secret_of_odd_characters_in_any_encoding(shell: Shell) -> None:
    for echo in ("claims", "400", "page"):
        with upstream(ECHOES[echo]) as server:
            for command in CLIENT_COMMANDS:
                ran = shell(*command, ZITADEL_DOMAIN=server.url, ZDEMO_API_URL=server.url, CLIENT_SECRET=ODD)
                assert_silent(ran, PAT, ODD, ADMIN)


# --- in the wrong place

MISPLACED = (
    "{}",
    "--{}",
    "-{}",
    "call {}",
    "call private {}",
    "call private --{}",
    "call private --json={}",
    "call private --expect {}",
    "call private --expect={}",
    "call private --url {}",
    "call private --url http://{}",
    "call private --url https://{}.example.invalid/",
    "call private --url http://me:{}@localhost",
    "call private --url http://localhost/{}",
    "call private --env-file {}",
    "call private --env-file ./{}/.env",
    "call {} --pat",
    "call --pat {}",
    "call private --pat {} {}",
    "introspect {}",
    "introspect --require {}",
    "introspect --env-file {}",
    "introspect -{}",
    "demo {}",
    "serve {}",
    "serve --port {}",
    "serve --host {}",
    "serve --threads {}",
    "serve --workers {}",
    "serve --env-file {}",
    "emulator {}",
    "emulator --port {}",
    "emulator --host {}",
    "emulator --expose-emulator --host {}",
    "role {}",
    "role list {}",
    "role list --env-file {}",
    "role list x {}",
    "role grant {} read:messages",
    "role grant reader {}",
    "role revoke {} {}",
    "doctor {}",
    "doctor --only {}",
    "setup {}",
    "setup --role {} --dry-run",
    "setup --project-name {} --dry-run",
    "role revoke reader {} {}",
)


@pytest.mark.parametrize("line", MISPLACED)
def test_in_a_wrong_command_line(shell: Shell, line: str) -> None:
    for first, second in ((PAT, SECRET), (f'"{SECRET}"', PAT)):
        ran = shell(*line.format(first, second).split(" "))
        assert ran.code != 0
        assert_silent(ran)


@pytest.mark.parametrize("token", [WITH_SLASHES, WITH_DOTS, SHORT, f"{SHORT}Hs5Gf3J"])
@pytest.mark.parametrize(
    "line",
    [
        "call private --env-file {}",
        "introspect --env-file {}",
        "doctor --env-file {}",
        "demo --live --env-file {}",
        "role list {}",
        "role grant reader {}",
        "call private --url http://{}.localhost:1",
    ],
)
def test_a_token_of_another_server_in_a_wrong_command_line(shell: Shell, line: str, token: str) -> None:
    for more in ((), ("--json",)):
        ran = shell(*line.format(token).split(" "), *more)
        assert ran.code != 0
        assert_silent(ran, token)


def test_in_a_role_or_a_user_that_the_emulator_is_asked_for(shared_story: Reporter, tmp_path: Path) -> None:
    working = Shell(folder=tmp_path, env=shared_story.env)
    for line in ("role list {}", "role grant {} read:messages", "role grant reader {}", "introspect --require {}"):
        for more in ((), ("--json",)):
            ran = working(*line.format(PAT).split(), *more)
            assert ran.code == 1
            assert_silent(ran)


@pytest.mark.parametrize(
    "name",
    [
        "ZITADEL_DOMAIN",
        "CLIENT_ID",
        "ZITADEL_PROJECT_ID",
        "ZDEMO_API_URL",
        "ZDEMO_TIMEOUT",
        "ZDEMO_CACHE_TTL",
        "ZDEMO_CACHE_SIZE",
        "ZDEMO_ALLOW_HTTP",
        "ZDEMO_ROLE_DENIED_STATUS",
        "ZITADEL_KEY_FILE",
        "REQUESTS_CA_BUNDLE",
        "HTTP_PROXY",
        "NO_COLOR",
    ],
)
def test_in_a_setting_that_is_no_place_for_it(shell: Shell, name: str) -> None:
    for text in (PAT, f'"{SECRET}" {ADMIN}', f"http://{ADMIN}", f"https://x:{SECRET}@localhost/{PAT}"):
        assert_silent(shell("introspect", **{name: text}))
    assert_silent(shell("role", "list", **{name: SECRET}))
    assert_silent(shell("call", "scoped", "-v", **{name: ADMIN}))
    if name == "ZITADEL_DOMAIN":
        assert_silent(shell("serve", **{name: PAT}))


@pytest.mark.parametrize(
    "text",
    [
        "{}\n",
        "PAT {}\n",
        "PAT: {}\n",
        "={}\n",
        "PAT='{}\n",
        'PAT="{}\n',
        "PAT={}{}\nCLIENT_SECRET\n{}\n",
        "export {}\n",
        "{}=1\n",
        "ZITADEL_DOMAIN={}\nCLIENT_ID={}\nZDEMO_TIMEOUT={}\n",
        "PAT={} # {}\n{}\n",
    ],
)
def test_in_a_dotenv_file_that_is_broken(shell: Shell, text: str) -> None:
    content = text.replace("{}", PAT, 1).replace("{}", SECRET, 1).replace("{}", ADMIN)
    (shell.folder / ".env").write_text(content)
    (shell.folder / "my.env").write_text(content)
    emptied = dict.fromkeys(("PAT", "CLIENT_ID", "CLIENT_SECRET", "ZITADEL_DOMAIN", "ZDEMO_TIMEOUT"), "")
    for command in (("call", "private"), ("introspect",), ("role", "list", "--env-file", "my.env")):
        assert_silent(shell(*command, **emptied))


# --- what the server writes


def _started(url: str, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            requests.get(url, timeout=5)
        except requests.ConnectionError:
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"nothing answers at {url}")


def test_in_the_log_of_the_api(shell: Shell) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with (
        upstream(*ECHOES.values()) as server,
        shell.running("serve", "--port", str(port), ZITADEL_DOMAIN=server.url, ZDEMO_CACHE_TTL="0") as process,
    ):
        _started(f"{url}/api/public", process)
        bodies = []
        for _ in ECHOES:
            came = requests.get(f"{url}/api/private", headers={"Authorization": f"Bearer {PAT}"}, timeout=5)
            bodies.append(f"{came.headers} {came.text}")
        for headers in ({"Authorization": f"Basic {PAT}"}, {"Authorization": f"Bearer {PAT} {SECRET}"}, {"X": PAT}):
            came = requests.get(f"{url}/api/private?access_token={PAT}&x={ADMIN}", headers=headers, timeout=5)
            bodies.append(f"{came.headers} {came.text}")
        came = requests.post(f"{url}/api/public?{PAT}", data={"access_token": PAT, SECRET: ADMIN}, timeout=5)
        bodies.append(f"{came.headers} {came.text}")
        process.terminate()
        out, err = process.communicate(timeout=20)
    assert "GET /api/private" in err
    for text in (out, err, *bodies):
        assert not leak(text, *CANARIES), text


def test_in_what_objects_say_of_themselves() -> None:
    variables = SETTINGS | {"ZITADEL_DOMAIN": "http://localhost:1"}
    objects = (Settings.from_env(variables), AdminSettings.from_env(variables), Environment({"here": variables}))
    for thing in objects:
        assert not leak(f"{thing!r} {thing}", *CANARIES)


# --- the parts that see to it


def test_a_redaction_leaves_the_ends_of_a_long_secret_and_nothing_of_a_short_one() -> None:
    redaction = Redaction()
    redaction.hide(PAT, "shortsecret", " 'in-quotes-1' ", "tiny", "")
    assert redaction(f"a {PAT} b") == f"a {masked(PAT)} b"
    assert redaction("a shortsecret in-quotes-1 tiny") == "a \u2026 \u2026 tiny"
    assert redaction(f"HTTP://{PAT.lower()}/") == f"HTTP://{masked(PAT)}/"
    assert Redaction()(PAT) == PAT


def test_a_redaction_knows_cut_off_pieces_of_what_is_random_and_leaves_words_alone() -> None:
    redaction = Redaction()
    redaction.hide(PAT, "zdemoEmulatorClientSecretKnownToEverybodyForDevelopmentOnly00000")
    for piece in (PAT[:11], PAT[30:38], PAT[-7:], f"x-{PAT[:60].lower()}", "ClientSecretKnownTo"):
        assert not leak(redaction(f"it is {piece}\u2026"), PAT)
        assert "\u2026" in redaction(f"it is {piece} "), piece
    words = 'the "clientSecret" of the emulator is known, \u0130 promise'  # a letter that is longer in small
    assert redaction(words) == words


def test_a_redaction_reads_the_escapes_of_json_and_what_it_leaves_is_json() -> None:
    redaction = Redaction()
    redaction.hide(PAT, ODD)
    for secret in (PAT, ODD):
        numbers = "".join(f"\\u{ord(c):04X}" for c in secret)
        document = redaction(f'{{"a": "{numbers}", "b": "\\u0022\\u005c\\u001b\\ud83d\\ude00\\u00fc"}}')
        assert json.loads(document) == {"a": masked(PAT) if secret == PAT else "\u2026", "b": '"\\\x1b\U0001f600\u00fc'}
    innocent = '{"a": "\\u00fc"}'
    assert redaction(innocent) == innocent


@pytest.mark.parametrize("secret", [PAT, SECRET, ODD, "gr\u00fc\u00dfe-aus-dem-\u00e4ther-und-noch-mehr"])
def test_a_redaction_knows_every_form(secret: str) -> None:
    redaction = Redaction()
    redaction.hide(secret)
    for form in forms(secret):
        assert not leak(redaction(f"x {form} y"), secret)
    for before in ("", "x", "id:", "353545601679624705:"):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            assert not leak(redaction(encode(f"{before}{secret}".encode()).decode()), secret)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (PAT, [PAT]),
        (f"--pat={PAT}", [PAT]),
        (f'"{SECRET}"', [SECRET]),
        (f"https://me:{SECRET}@host", [SECRET]),
        (f"eyJhbGciOi.eyJpc3MiOi.{SECRET}", [f"eyJhbGciOi.eyJpc3MiOi.{SECRET}"]),
        ("https://my-instance-with-a-long-name-abc123.zitadel.cloud", []),
        ("/srv/a-very-long-folder-name-that-somebody-has-chosen/.env", []),
        (f"./{PAT}/.env", [PAT]),
        (WITH_SLASHES, [WITH_SLASHES.rstrip("=")]),
        (WITH_DOTS, [WITH_DOTS]),
        (SHORT, [SHORT]),
        (f"http://{SHORT}.localhost:1", [SHORT]),
        ("/home/me/Documents/Projects2026/MyCompany/Api7/settings/.env", []),
        ("a9f86d081884c7d659a2feaa0c55ad01-123456789.us-east-1.elb.amazonaws.com", []),
        ("reader", []),
        ("read:messages", []),
        ("353545601679624705", []),
    ],
)
def test_what_looks_like_a_token_is_found_in_any_place(text: str, found: list[str]) -> None:
    assert token_like(text) == found
