"""Logins without a page: ``--auto-login`` and the control interface."""

import pytest
import requests

from tests.support.emulator_target import TIMEOUT_SECONDS
from tests.support.logins import CALLBACK, Client, claims, told
from zdemo.emulator.login.sessions import add_person, set_auto_login
from zdemo.emulator.seed import PERSON_ID

NAVIGATION = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}


@pytest.fixture
def automatic(public: Client) -> Client:
    set_auto_login(public.emulator.world, "ADA")
    return public


def test_authorize_answers_at_once(automatic: Client) -> None:
    for change in ({}, {"prompt": "none"}, {"prompt": "login"}, {"max_age": "0"}):
        tokens = automatic.exchange(told(automatic.authorize(headers=NAVIGATION, **change))["code"]).json()
        assert (claims(tokens["id_token"])["sub"], claims(tokens["id_token"])["amr"]) == (PERSON_ID, ["pwd"])


def test_a_hint_chooses_somebody_else_or_the_page(automatic: Client) -> None:
    world = automatic.emulator.world
    eve = add_person(world, next(iter(world.organizations)), "eve", "Eve", "Person", email="eve@example.com")
    tokens = automatic.exchange(told(automatic.authorize(login_hint="Eve"))["code"]).json()
    assert claims(tokens["id_token"])["sub"] == eve.id
    other = world.add_organization("Other")
    world.set_user_state(eve, "INACTIVE", "user.deactivated")
    for change in (
        {"login_hint": "nobody"},
        {"login_hint": "eve"},
        {"login_hint": "reader"},
        {"scope": f"openid urn:zitadel:iam:org:id:{other.id}"},
    ):
        assert automatic.login_page(**change).startswith("/ui/v2/login/login?"), change


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", "Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
        {"Origin": "http://evil.example"},
    ],
)
def test_a_script_of_a_web_page_gets_no_code(automatic: Client, headers: dict[str, str]) -> None:
    answer = automatic.authorize(headers=headers)
    assert answer.headers["Location"].startswith("/ui/v2/login/login?")
    assert automatic.emulator.world.codes == {}


def test_an_address_that_is_not_registered_gets_no_code(automatic: Client) -> None:
    assert automatic.authorize(redirect_uri=f"{CALLBACK}/").status_code == 400


def test_the_control_interface_switches_it(public: Client) -> None:
    def ask(method: str, json: object = None) -> tuple[int, object]:
        headers, address = {"X-Zdemo-Control": "1"}, f"{public.emulator.url}/_zdemo/login"
        answer = requests.request(method, address, json=json, headers=headers, timeout=TIMEOUT_SECONDS)
        return answer.status_code, answer.json()

    assert ask("GET") == (200, {"auto_login": ""})
    assert ask("POST", {"user": "ada"}) == (200, {"auto_login": "ada"})
    assert told(public.authorize())["code"]
    assert ask("POST", {"user": "reader"}) == (404, {"error": "unknown person: reader"})
    assert ask("DELETE") == (200, {"auto_login": ""})
    assert public.login_page()
    ask("POST", {"user": "ada"})
    public.emulator.control.reset()
    assert ask("GET") == (200, {"auto_login": ""})
    assert (public.emulator.world.login_sessions, public.emulator.world.codes) == ({}, {})


def test_time_that_passes_makes_logins_older(public: Client) -> None:
    tokens = public.log_in(scope="openid offline_access")
    code = public.code()
    headers = {"X-Zdemo-Control": "1"}
    body = {"advance": {"minutes": 11}}
    answer = requests.post(f"{public.emulator.url}/_zdemo/clock", json=body, headers=headers, timeout=TIMEOUT_SECONDS)
    assert answer.ok
    assert public.exchange(code).status_code == 400
    assert "Log in to" in public.send("GET", public.login_page(max_age="600")).text
    before, after = claims(tokens["id_token"]), claims(public.refresh(tokens).json()["id_token"])
    assert before["auth_time"] - after["auth_time"] == 660
