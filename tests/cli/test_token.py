"""``zdemo token``: an access token of a service account or a person, and nothing else on standard output."""

import re
import sys
from pathlib import Path

import pytest

from tests.support.cli import BASE, CTRL_C, Shell, Stack, at_terminal, is_two_lines
from tests.support.planting import AUDIENCE, Planter
from tests.support.processes import forker
from tests.support.upstream import answer, depending, json_body, upstream
from zdemo.emulator import CLIENT_ID, PROJECT_ID, READER, VISITOR
from zdemo.emulator.seed import APP_CLIENT_ID

USER = {"ZDEMO_USER_CLIENT_ID": "reader", "ZDEMO_USER_CLIENT_SECRET": READER.secret}
OPAQUE = re.compile(r"eyJ[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){4}\n")
NO_SECRET = {"ZDEMO_USER_CLIENT_SECRET": ""}


@pytest.fixture
def reader(shell: Shell) -> Shell:
    """The settings of a shell, and the credentials of the reader."""
    return Shell(folder=shell.folder, env={**shell.env, "ZITADEL_PROJECT_ID": PROJECT_ID, **USER})


def test_the_token_alone_is_on_standard_output_and_the_api_accepts_it(reader: Shell) -> None:
    ran = reader("token")
    assert (ran.code, ran.err) == (0, "")
    assert OPAQUE.fullmatch(ran.out)
    assert reader("call", "scoped", "--pat", "-", stdin=ran.out).code == 0
    document = reader("token", "--json").document
    assert list(document) == ["access_token", "token_type", "expires_in", "scope"]
    usual = f"openid profile urn:zitadel:iam:org:projects:roles {AUDIENCE}"
    assert (document["token_type"], document["scope"]) == ("Bearer", usual)


def test_the_token_is_whole_also_when_it_is_a_known_one(reader: Shell) -> None:
    """A JWT begins as the one before did, which may be PAT; a secret that is hidden elsewhere is the answer here."""
    jwt = "eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiIxIiwiaWF0IjoxMjM0NTY3OH0.c2lnbmF0dXJlMTIzNDU2Nzg5MA"
    with upstream(answer(json_body({"access_token": jwt, "token_type": "Bearer"}))) as zitadel:
        for known in (jwt, jwt[:-8] + "AbCd1234"):
            ran = reader("token", ZITADEL_DOMAIN=zitadel.url, PAT=known)
            assert (ran.code, ran.out) == (0, f"{jwt}\n")
        ran = reader("token", "--json", ZITADEL_DOMAIN=zitadel.url, PAT=jwt)
        assert (ran.document["access_token"], ran.document["expires_in"]) == (jwt, None)


def test_scopes_replace_the_usual_ones(reader: Shell) -> None:
    ran = reader("token", "--json", "--scope", "openid email", "--scope", AUDIENCE)
    assert (ran.code, ran.err, ran.document["scope"]) == (0, "", f"openid email {AUDIENCE}")
    ran = reader("token", "--scope", "openid")
    assert (ran.code, f"--scope {AUDIENCE}" in ran.err) == (0, True)
    assert "separate scopes by blanks, not by commas" in reader("token", "--scope", f"openid,{AUDIENCE}").err
    ran = reader("token", ZITADEL_PROJECT_ID="")
    assert (ran.code, "set ZITADEL_PROJECT_ID" in ran.err) == (0, True)


def test_the_secret_comes_from_standard_input_or_a_prompt_and_never_from_the_command_line(reader: Shell) -> None:
    assert OPAQUE.fullmatch(reader("token", "--client-secret", "-", stdin=f"{READER.secret}\n", **NO_SECRET).out)
    for arguments, typed, code, words in (
        (("--client-id", "reader"), READER.secret, 0, "client secret of reader for http://localhost"),
        (("--client-secret",), "a-wrong-secret", 1, "the typed secret is not the client secret of the user reader"),
    ):
        status, screen = at_terminal(reader, "token", *arguments, when="not shown: ", typed=f"{typed}\n", **NO_SECRET)
        assert (status, words in screen, typed in screen) == (code, True, False)
    for words, stdin, code, named in (
        (f"--client-secret {READER.secret}", "", 2, "does not take the secret itself"),
        ("--client-secret", "", 2, "no terminal"),
        ("--client-secret -", "\n", 3, "client secret is empty"),
    ):
        ran = reader("token", *words.split(), stdin=stdin)
        assert (ran.code, is_two_lines(ran), named in ran.err) == (code, True, True)
        assert READER.secret[:8] not in ran.all


def test_the_secret_of_another_user_is_not_sent(reader: Shell) -> None:
    with upstream(answer(json_body({}))) as zitadel:
        ran = reader("token", "--client-id", "visitor", ZITADEL_DOMAIN=zitadel.url)
        assert (ran.code, zitadel.requests) == (3, [])
    text = "ZDEMO_USER_CLIENT_SECRET from the environment is not used: "
    assert ran.lines[0] == f"error: {text}it is for ZDEMO_USER_CLIENT_ID=reader, not for visitor"
    assert "--client-secret -" in ran.err
    ran = reader("token", "--client-id", "visitor", ZDEMO_USER_CLIENT_ID="")
    assert ran.lines[0] == f"error: {text}ZDEMO_USER_CLIENT_ID does not name its user"
    code, screen = at_terminal(reader, "token", "--client-id", "visitor", when="not shown: ", typed="x\n")
    assert (code, f"note: {text}" in screen) == (1, True)


@pytest.mark.thorough
def test_a_key_file_gets_a_token_and_what_is_typed_wins(own_stack: Stack, own_shell: Shell, tmp_path: Path) -> None:
    key = Planter(own_stack.emulator).key_file(tmp_path, VISITOR.id)
    shell = Shell(folder=tmp_path, env={**own_shell.env, "ZITADEL_PROJECT_ID": PROJECT_ID})

    def whose(*arguments: str, **env: str) -> object:
        token = shell("token", *arguments, **env).out
        return shell("introspect", "--json", "--pat", "-", stdin=token).document["username"]

    assert whose("--key-file", key.name, **USER) == "visitor"
    assert whose(**USER, ZDEMO_USER_KEY_FILE=key.name) == "visitor"
    assert whose("--client-id", "reader", **USER, ZDEMO_USER_KEY_FILE=key.name) == "reader"
    ran = shell("token", "--key-file", key.name, "--client-id", "reader")
    assert (ran.code, is_two_lines(ran)) == (2, True)
    code, screen = at_terminal(shell, "token", ZDEMO_USER_KEY_FILE=key.name)
    assert (code, f"note: a token of user {VISITOR.id}, which expires in 12 hours\n" in screen) == (0, True)


def test_what_is_missing_or_refused_is_named(reader: Shell, shell: Shell) -> None:
    ran = shell("token")
    assert (ran.code, ran.out) == (3, "")
    for words in ("ZDEMO_USER_CLIENT_ID", "ZDEMO_USER_CLIENT_SECRET", "ZDEMO_USER_KEY_FILE", "login name"):
        assert words in ran.err
    ran = shell("token", "--key-file", "no.json", "--json")
    assert (ran.code, is_two_lines(ran), "--key-file names a file that does not exist" in ran.err) == (3, True, True)
    ran = reader("token", "--json", ZDEMO_USER_CLIENT_SECRET="A" * 64)
    assert (ran.code, list(ran.document)) == (1, ["error", "hint", "finding", "because"])
    assert "ZDEMO_USER_CLIENT_SECRET is not the client secret of the user reader; one of these" in ran.document["error"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"access_token": "x\x1b[2J", "token_type": "Bearer"}, 200),
        ({"access_token": "", "token_type": "Bearer"}, 200),
        ({"access_token": ["x"]}, 200),
        ([], 200),
        ({}, 404),
    ],
)
def test_what_is_not_a_token_is_never_printed(reader: Shell, body: object, status: int) -> None:
    ran = reader.beside(answer(json_body(body), status), "token")
    assert (ran.code, ran.out, "ZITADEL_DOMAIN" in ran.err, "\x1b" in ran.all) == (4, "", True, False)


APP = {"ZDEMO_APP_CLIENT_ID": APP_CLIENT_ID}
BROWSER = """
import re, sys, requests
session = requests.Session()
shown = session.get(sys.argv[1])
asked = re.search(r'name="authRequest" value="([^"]+)"', shown.text)[1]
session.post(shown.url, data={"authRequest": asked, "person": "ada"}).raise_for_status()
"""


def test_a_person_logs_in_in_the_browser(shell: Shell) -> None:
    script = shell.folder / "browser.py"
    script.write_text(BROWSER)
    browser = {"BROWSER": f"{sys.executable} {script} %s"}
    code, screen = at_terminal(shell, "token", "--login", **browser, **APP)
    whose = re.search(r"note: a token of ada \(user (\d+)\), which expires in 12 hours\n", screen)
    ran = forker().run(["token", "--login"], shell.folder, {**BASE, **shell.env, **browser, **APP}, b"")
    assert (ran.returncode, ran.stdout.count(b"\n")) == (0, 1)
    assert re.search(rb"(?m)^http://127\.0\.0\.1:\d+/$", ran.stderr), "others can read what a browser is started with"
    introspection = shell("introspect", "--json", "--pat", "-", stdin=ran.stdout).document
    assert (introspection["username"], introspection["client_id"]) == ("ada", APP_CLIENT_ID)
    assert (code, whose and whose[1]) == (0, introspection["sub"]), screen
    assert shell("call", "scoped", "--pat", "-", stdin=ran.stdout).code == 0


def test_without_a_browser_the_terminal_shows_another_way_and_ctrl_c_ends_it(shell: Shell) -> None:
    code, screen = at_terminal(shell, "token", "--login", when="waiting", typed=CTRL_C, **APP)
    assert (code, "zdemo token --device" in screen, "interrupted" in screen) == (130, True, True)


def test_a_device_shows_its_address_and_its_code(shell: Shell) -> None:
    started = {"device_code": "d", "user_code": "BCDF-GHJK", "verification_uri": "http://z.example/device"}
    token = {"access_token": "x" * 20, "token_type": "Bearer", "expires_in": 3600}
    told = {"/oauth/v2/device_authorization": started, "/oauth/v2/token": token}
    ran = shell.beside(depending(lambda request: answer(json_body(told[request.target]))), "token", "--device", **APP)
    assert (ran.code, ran.out) == (0, "x" * 20 + "\n")
    assert ran.lines[:3] == [
        "open this address in any browser:",
        "http://z.example/device",
        "note: the code is BCDF-GHJK",
    ]
    assert ran.lines[3].startswith("note: to decline, press Ctrl-C here: "), "a denial fails on ZITADEL's own page"


@pytest.mark.parametrize(
    ("words", "change", "code", "named"),
    [
        ("--login --key-file x", {}, 2, "--key-file cannot be combined with --login"),
        ("--device --client-secret -", {}, 2, "--client-secret cannot be combined with --device"),
        ("--login", {"ZDEMO_APP_CLIENT_ID": ""}, 3, "ZDEMO_APP_CLIENT_ID is not set"),
        (f"--login --client-id {CLIENT_ID}", {}, 1, "Errors.App.NotFound: --client-id is of an API application, not"),
        ("--device", {"ZDEMO_APP_CLIENT_ID": CLIENT_ID}, 1, "not found: ZDEMO_APP_CLIENT_ID is of an API application"),
        ("--login --client-id x", {}, 1, "Errors.App.NotFound\n"),
        ("--device --client-id 7", {}, 1, "no active client not found"),
        ("--login", {"ZITADEL_DOMAIN": "http://127.0.0.1:1"}, 4, "refuses connections"),
    ],
)
def test_obstacles_are_named_at_once(shell: Shell, words: str, change: dict[str, str], code: int, named: str) -> None:
    ran = shell("token", *words.split(), **APP | change)
    assert (ran.code, ran.out, is_two_lines(ran), named in ran.err) == (code, "", True, True)
