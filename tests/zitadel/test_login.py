"""The login of a person for a program: what the address for the browser takes, and what each refusal says to do."""

from collections.abc import Iterator
from contextlib import closing

import pytest
import requests

from tests.support.emulator_target import TIMEOUT_SECONDS
from tests.support.logins import CALLBACK, add_client
from tests.support.upstream import answer, json_body, upstream
from zdemo.config.settings import LoginSettings
from zdemo.emulator import Emulator, emulate
from zdemo.emulator.seed import APP_CLIENT_ID
from zdemo.errors import ZdemoError
from zdemo.serving.embedded import serving
from zdemo.zitadel.introspection_client import IssuedToken
from zdemo.zitadel.login import CodeFlow, LoginClient
from zdemo.zitadel.records import NewDevice

SCOPES = ["openid"]
NATIVE = {"applicationType": "OIDC_APP_TYPE_NATIVE", "developmentMode": False}


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with emulate() as running:
        yield running


def client(url: str, client_id: str = APP_CLIENT_ID) -> LoginClient:
    return LoginClient(LoginSettings.from_env({"ZITADEL_DOMAIN": url, "ZDEMO_APP_CLIENT_ID": client_id}))


def get(address: str) -> requests.Response:
    return requests.get(address, timeout=TIMEOUT_SECONDS)


def test_the_address_takes_the_answer_of_its_own_login_alone() -> None:
    flow, other = (CodeFlow(APP_CLIENT_ID, SCOPES) for _ in range(2))
    assert flow.path != other.path
    assert "prompt=select_account" in flow.path, "a browser that is logged in can choose somebody else"
    assert flow.answer_in(f"https://zitadel.example{flow.path}") == {}, "a redirect to https repeats the state"
    with serving(flow) as port:
        flow.redirect_uri = f"http://127.0.0.1:{port}/callback"
        here = f"{flow.redirect_uri}?code=x"
        state = flow.path.partition("state=")[2].partition("&")[0]
        foreign = other.path.partition("state=")[2].partition("&")[0]
        for address in (here, f"{here}&state=", f"{here}&state={foreign}", f"{here}&state=%C3%A4", f"{here}&state=%FF"):
            assert get(address).status_code == 404
        assert get(f"http://127.0.0.1:{port}/?state={state}").status_code == 404
        assert requests.post(f"{here}&state={state}", timeout=TIMEOUT_SECONDS).status_code == 404
        with pytest.raises(ZdemoError, match="nobody logged in") as late:
            flow.wait(0)
        assert "--device" in late.value.hint
        page = get(f"{here}&state={state}")
        assert (page.status_code, page.headers["Cache-Control"]) == (200, "no-store")
        assert "close this page" in page.text
        assert flow.wait()["code"] == "x"


@pytest.mark.parametrize(
    ("method", "settings", "hint"),
    [
        ("NONE", {}, "add http://127.0.0.1/callback to the application's redirect URIs; its type must be Native"),
        ("NONE", NATIVE | {"grantTypes": ["OIDC_GRANT_TYPE_DEVICE_CODE"]}, "allow the grant type"),
        ("BASIC", NATIVE, "an active OIDC application without a secret; zdemo setup --app creates one"),
    ],
)
def test_an_application_that_cannot_do_it_is_explained(
    emulator: Emulator, method: str, settings: dict[str, object], hint: str
) -> None:
    person = add_client(emulator, method, **settings)
    with closing(client(emulator.url, person.client_id)) as login:
        flow = CodeFlow(person.client_id, SCOPES, CALLBACK if settings else "http://127.0.0.1:1/callback")
        with pytest.raises(ZdemoError, match="ZITADEL refuses the login: ") as refused:
            login.redeem(flow, flow.answer_in(person.choose(login.begin(flow)).headers["Location"]))
    assert hint in refused.value.hint


def test_a_device_asks_until_the_person_has_answered(emulator: Emulator) -> None:
    person, paused = add_client(emulator), list[float]()

    def device(seconds: int = 300, **form: str) -> IssuedToken:
        began = login.begin_device(SCOPES)
        shown = NewDevice(code=began.code, user_code="", address="", seconds=seconds)

        def pause(seconds: float) -> None:
            paused.append(seconds)
            if form:
                person.send("POST", "/device", data={"user_code": began.user_code, **form})

        return login.wait_for_device(shown, SCOPES, pause=pause)

    with closing(client(emulator.url)) as login:
        assert device(person="ada").text.startswith("eyJ")
        for seconds, form, words in ((300, {"cancel": "1"}, "access_denied"), (12, {}, "nobody logged in")):
            with pytest.raises(ZdemoError, match=words):
                device(seconds, **form)
    assert paused == [5, 5, 5, 5]


def test_a_device_that_asks_too_often_slows_down() -> None:
    paused, device = list[float](), NewDevice(code="c", user_code="", address="", interval=0)
    refused = [answer(json_body({"error": error}), 400) for error in ("slow_down", "slow_down", "expired_token")]
    late = pytest.raises(ZdemoError, match="expired_token")
    with upstream(*refused) as zitadel, closing(client(zitadel.url)) as login, late:
        login.wait_for_device(device, SCOPES, pause=paused.append)
    assert paused == [6, 11]
