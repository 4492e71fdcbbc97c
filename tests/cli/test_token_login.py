"""``zdemo token --login`` and ``--device``: a person's token, and what the terminal says until it is there."""

import sys

import pytest

from tests.support.cli import CTRL_C, Shell, at_terminal, is_two_lines
from tests.support.upstream import answer, depending, json_body, upstream
from zdemo.emulator import CLIENT_ID
from zdemo.emulator.seed import APP_CLIENT_ID

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
    ran = shell.anew("token", "--login", BROWSER=f"{sys.executable} {script} %s", **APP)
    assert (ran.code, ran.out.count("\n")) == (0, 1)
    assert f"{shell.env['ZITADEL_DOMAIN']}/oauth/v2/authorize?client_id={APP_CLIENT_ID}&" in ran.err
    found = shell("introspect", "--json", "--pat", "-", stdin=ran.out).document
    assert (found["username"], found["client_id"]) == ("ada", APP_CLIENT_ID)
    assert shell("call", "scoped", "--pat", "-", stdin=ran.out).code == 0


def test_without_a_browser_the_terminal_says_what_else_works_and_ctrl_c_ends_it(shell: Shell) -> None:
    code, shown = at_terminal(shell, "token", "--login", when="waiting", typed=CTRL_C.decode(), **APP)
    assert (code, "zdemo token --device" in shown, "interrupted" in shown) == (130, True, True)


def test_a_device_shows_its_address_and_its_code(shell: Shell) -> None:
    started = {"device_code": "d", "user_code": "BCDF-GHJK", "verification_uri": "http://z.example/device"}
    token = {"access_token": "x" * 20, "token_type": "Bearer", "expires_in": 3600}
    told = {"/oauth/v2/device_authorization": started, "/oauth/v2/token": token}
    with upstream(depending(lambda request: answer(json_body(told[request.target])))) as zitadel:
        ran = shell("token", "--device", ZITADEL_DOMAIN=zitadel.url, **APP)
    assert (ran.code, ran.out) == (0, "x" * 20 + "\n")
    assert ran.lines == ["open this address in any browser:", "http://z.example/device", "note: the code is BCDF-GHJK"]


@pytest.mark.parametrize(
    ("words", "change", "code", "named"),
    [
        ("--login --device", {}, 2, "--device cannot be combined with --login"),
        ("--login --key-file x", {}, 2, "--key-file cannot be combined with --login"),
        ("--device --client-secret -", {}, 2, "--client-secret cannot be combined with --device"),
        ("--login", {"ZDEMO_APP_CLIENT_ID": ""}, 3, "ZDEMO_APP_CLIENT_ID is not set"),
        (f"--login --client-id {CLIENT_ID}", {}, 1, "Errors.App.NotFound"),
        ("--device --client-id 7", {}, 1, "no active client not found"),
        ("--login", {"ZITADEL_DOMAIN": "http://127.0.0.1:1"}, 4, "refuses connections"),
    ],
)
def test_what_stands_in_the_way_is_said_at_once(
    shell: Shell, words: str, change: dict[str, str], code: int, named: str
) -> None:
    ran = shell("token", *words.split(), **APP | change)
    assert (ran.code, ran.out, is_two_lines(ran), named in ran.err) == (code, "", True, True)
