"""The login of a person for a program: what the address for the browser takes, and what each refusal says to do."""

from contextlib import closing

import pytest
import requests

from tests.support.emulator_target import TIMEOUT_SECONDS
from tests.support.logins import CALLBACK, add_client
from tests.support.upstream import answer, json_body, upstream
from zdemo.config.settings import LoginSettings
from zdemo.emulator import Emulator
from zdemo.emulator.seed import APP_CLIENT_ID
from zdemo.errors import ZdemoError
from zdemo.serving.embedded import serving
from zdemo.zitadel.introspection_client import IssuedToken
from zdemo.zitadel.login import Login
from zdemo.zitadel.records import NewDevice

NATIVE = {"applicationType": "OIDC_APP_TYPE_NATIVE", "developmentMode": False}


def login_at(url: str, client_id: str = APP_CLIENT_ID, redirect_uri: str = "") -> Login:
    settings = LoginSettings.from_env({"ZITADEL_DOMAIN": url, "ZDEMO_APP_CLIENT_ID": client_id})
    return Login(settings, ["openid"], redirect_uri)


def get(address: str, browser: requests.Session | None = None) -> requests.Response:
    return (browser or requests.Session()).get(address, timeout=TIMEOUT_SECONDS, allow_redirects=False)


def test_the_address_takes_the_answer_of_its_own_login_alone() -> None:
    login, other = (login_at("https://zitadel.example") for _ in range(2))
    assert "prompt=select_account" in login.path, "a browser that is logged in can choose somebody else"
    assert login.answer_in(f"https://zitadel.example{login.path}") == {}, "a redirect to https repeats the state"
    state, foreign = (flow.path.partition("state=")[2].partition("&")[0] for flow in (login, other))
    with serving(login) as port:
        login.redirect_uri = here = f"http://127.0.0.1:{port}/callback"
        browser = requests.Session()
        rebound, image, ahead = ("Host", f"a.example:{port}"), ("Sec-Fetch-Dest", "image"), ("Sec-Purpose", "prefetch")
        for name, value in (rebound, image, ahead):
            asked = requests.get(f"http://127.0.0.1:{port}/", headers={name: value}, timeout=TIMEOUT_SECONDS)
            assert asked.status_code == 404, "neither a web page nor a browser that looks ahead starts it"
        assert get(f"{here}?code=x&state={state}", browser).status_code == 404, "nobody has started it"
        led = get(f"http://127.0.0.1:{port}/", browser)
        assert (led.status_code, led.headers["Location"]) == (302, f"https://zitadel.example{login.path}")
        assert led.headers["Set-Cookie"].endswith("; Path=/callback; HttpOnly; SameSite=Lax")
        foreign_ones = [f"{here}?code=x{more}" for more in ("", "&state=", f"&state={foreign}", "&state=%FF")]
        for address in (*foreign_ones, f"http://127.0.0.1:{port}/favicon.ico?code=x&state={state}"):
            assert get(address, browser).status_code == 404
        assert browser.post(f"{here}?code=x&state={state}", timeout=TIMEOUT_SECONDS).status_code == 404
        cookie = led.headers["Set-Cookie"].partition(";")[0]
        for wrong in ("a=b", cookie[:-1], f"{cookie}x", cookie.replace("=", "0=", 1)):
            another = requests.get(f"{here}?code=x&state={state}", headers={"Cookie": wrong}, timeout=TIMEOUT_SECONDS)
            assert another.status_code == 404, "another user may know the state"
        with pytest.raises(ZdemoError, match="nobody logged in") as late:
            login.wait(0)
        assert "--device" in late.value.hint
        page = get(f"{here}?code=x&state={state}", browser)
        assert (page.headers["Cache-Control"], "close this page" in page.text) == ("no-store", True)
        assert login.wait()["code"] == "x"
    with pytest.raises(ZdemoError, match="access_denied") as cancelled:
        login.redeem({"error": "access_denied"})
    assert cancelled.value.hint == "run the command again to start another login"


def test_a_login_that_another_user_starts_too_ends_without_a_token() -> None:
    token = answer(json_body({"access_token": "x" * 20, "token_type": "Bearer"}))
    with upstream(token) as zitadel, closing(login_at(zitadel.url)) as login, serving(login) as port:
        start = f"http://127.0.0.1:{port}/"
        login.redirect_uri = f"{start}callback"
        first, second = get(start), get(start)
        assert (first.status_code, second.status_code, "Set-Cookie" in second.headers) == (302, 409, False)
        assert "You are not logged in: the login was started twice" in second.text
        for given in (login.wait(), {"code": "of another user, who logged in before the second start"}):
            with pytest.raises(ZdemoError, match="started twice, perhaps by another user of this machine"):
                login.redeem(given)


@pytest.mark.parametrize(
    ("method", "settings", "hint"),
    [
        ("NONE", {}, "add http://127.0.0.1/callback to the redirect URIs of the application, whose type"),
        ("NONE", NATIVE | {"grantTypes": ["OIDC_GRANT_TYPE_DEVICE_CODE"]}, "allow the grant type"),
        ("BASIC", NATIVE, "zdemo setup --app: creates an OIDC application without a secret"),
    ],
)
def test_an_application_that_cannot_do_it_is_explained(
    own: Emulator, method: str, settings: dict[str, object], hint: str
) -> None:
    person = add_client(own, method, **settings)
    redirect_uri = CALLBACK if settings else "http://127.0.0.1:1/callback"
    refusal = pytest.raises(ZdemoError, match="ZITADEL refuses the login: ")
    with closing(login_at(own.url, person.client_id, redirect_uri)) as login, refusal as refused:
        login.redeem(login.answer_in(person.choose(login.begin()).headers["Location"]))
    assert hint in refused.value.hint


def test_a_device_asks_until_the_person_has_answered(own: Emulator) -> None:
    person, paused = add_client(own), list[float]()

    def device(seconds: int = 300, **form: str) -> IssuedToken:
        began = login.begin_device()
        new_device = NewDevice(code=began.code, user_code="", address="", seconds=seconds)

        def pause(seconds: float) -> None:
            paused.append(seconds)
            if form:
                person.send("POST", "/device", data={"user_code": began.user_code, **form})

        return login.wait_for_device(new_device, pause=pause)

    with closing(login_at(own.url)) as login:
        assert device(person="ada").text.startswith("eyJ")
        for seconds, form, words in ((300, {"cancel": "1"}, "access_denied"), (12, {}, "in within 10 s")):
            with pytest.raises(ZdemoError, match=words):
                device(seconds, **form)
    assert paused == [5, 5, 5, 5]


def test_a_device_that_asks_too_often_slows_down() -> None:
    paused, device = list[float](), NewDevice(code="c", user_code="", address="", interval=0)
    refused = [answer(json_body({"error": error}), 400) for error in ("slow_down", "slow_down", "expired_token")]
    late = pytest.raises(ZdemoError, match="expired_token")
    with upstream(*refused) as zitadel, closing(login_at(zitadel.url)) as login, late:
        login.wait_for_device(device, pause=paused.append)
    assert paused == [6, 11]
