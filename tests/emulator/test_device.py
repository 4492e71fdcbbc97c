"""Device authorization: what the device hears until a person has said yes or no, and what login pages are told."""

from datetime import timedelta
from typing import Any

import pytest
import requests

from tests.support.emulator_target import Server, answer, oauth_refusal
from tests.support.logins import Client, add_client, session_of_ada
from tests.support.zitadel_api import Answer, Api
from zdemo.emulator import ADMIN, VISITOR, Emulator

GRANT = "urn:ietf:params:oauth:grant-type:device_code"

AUTHORIZATION = "/oauth/v2/device_authorization"
GRANTS = ["OIDC_GRANT_TYPE_DEVICE_CODE", "OIDC_GRANT_TYPE_REFRESH_TOKEN"]
ANOTHERS = "client_id does not correspond to the client_id in the authorization request"


class Device:
    def __init__(self, app: Client) -> None:
        self.app, form = app, {"client_id": app.client_id, "scope": "openid offline_access"}
        self.codes = app.send("POST", AUTHORIZATION, data=form).json()

    def ask(self, app: Client | None = None) -> requests.Response:
        return (app or self.app).token(GRANT, device_code=self.codes["device_code"])

    def look(self, login: Api) -> Answer:
        return login.oidc.GetDeviceAuthorizationRequest(userCode=self.codes["user_code"])


@pytest.fixture
def device(own: Emulator) -> Device:
    return Device(add_client(own, grantTypes=GRANTS))


def decide(login: Api, id: str, **decision: Any) -> Answer:
    return login.oidc.AuthorizeOrDenyDeviceAuthorization(deviceAuthorizationId=id, **decision)


def test_a_device_gets_its_tokens_once_when_a_person_says_yes(own: Emulator, device: Device, login: Api) -> None:
    codes, page = device.codes, f"{own.url}/device"
    assert [len(codes["device_code"]), len(codes["user_code"]), codes["user_code"][4]] == [22, 9, "-"]
    assert codes["verification_uri_complete"] == f"{page}?user_code={codes['user_code']}"
    assert (codes["verification_uri"], codes["expires_in"], codes["interval"]) == (page, 300, 5)
    assert device.ask().json()["error"] == "authorization_pending"
    request = device.look(login)["deviceAuthorizationRequest"]
    id, app = request.pop("id"), device.app.application
    assert len(id) == 257
    names = {"clientId": app.client_id, "appName": app.name, "projectName": "zdemo"}
    assert request == names | {"scope": ["openid", "offline_access"]}
    yes = session_of_ada(login)
    decide(login, id, **yes).only()
    tokens = device.ask()
    assert (tokens.status_code, {"refresh_token", "id_token"} - tokens.json().keys()) == (200, set())
    assert answer(device.ask()) == oauth_refusal("invalid_grant")
    decide(login, id, **yes).refused(400, id="COMMAND-D30Jf")
    device.look(login).refused(404, id="QUERY-Sah9a")


def test_a_device_that_is_refused_gets_access_denied(device: Device, login: Api) -> None:
    id = device.look(login)["deviceAuthorizationRequest"]["id"]
    decide(login, id, deny={}).only()
    assert answer(device.ask()) == oauth_refusal("access_denied", "The authorization request was denied.")


def test_the_code_is_for_its_application_and_needs_the_grant_type(own: Emulator, device: Device) -> None:
    other, without = add_client(own, grantTypes=GRANTS), Device(add_client(own, grantTypes=[]))
    assert answer(device.ask(other)) == oauth_refusal("invalid_client", ANOTHERS)
    assert answer(without.ask()) == oauth_refusal("unauthorized_client", f'grant_type "{GRANT}" not allowed')
    assert answer(other.token(GRANT)) == oauth_refusal("invalid_request", "device_code missing")
    refused = other.send("POST", AUTHORIZATION, data={"client_id": add_client(own, "BASIC").client_id})
    assert answer(refused) == oauth_refusal("invalid_client", "empty client secret")


def test_only_a_login_client_with_the_token_of_a_session_says_yes(device: Device, near: Server, login: Api) -> None:
    """Everybody may read the request."""
    admin, session = Api(near, ADMIN.pat), session_of_ada(login)["session"]
    id = device.look(Api(near, VISITOR.pat))["deviceAuthorizationRequest"]["id"]
    decide(admin, id, session=session).refused(403, id="AUTH-AWfge")
    decide(login, id, session=session | {"sessionToken": "x"}).refused(403, id="COMMAND-sGr42")
    decide(login, "x", session=session).refused(404, id="COMMAND-D2hf2")
    decide(login, "x", deny={}).refused(404, id="COMMAND-gee5A")
    assert decide(login, id).response.status_code == 400
    assert device.ask().json()["error"] == "authorization_pending"


def test_a_person_says_yes_or_no_on_the_emulators_page(device: Device, near: Server) -> None:
    page, code = "/ui/login/device", device.codes["user_code"]
    assert near.get(f"/device?user_code={code}").headers["Location"] == f"{page}?user_code={code}"
    assert 'name="user_code"' in near.get(near.get("/device").headers["Location"]).text
    assert "No device waits with this code." in near.get(f"{page}?user_code=x").text
    assert 'value="ada"' in near.get(f"{page}?user_code={code.lower()}").text
    foreign = near.post_form(page, [("user_code", code), ("person", "ada")], {"Origin": "https://evil.example"})
    assert foreign.status_code == 403
    assert "not a login name" in near.post_form(page, [("user_code", code)]).text
    assert device.ask().json()["error"] == "authorization_pending"
    assert "is connected" in near.post_form(page, [("user_code", code), ("person", "ada")]).text
    assert device.ask().status_code == 200
    other = Device(device.app)
    refused = near.post_form(page, [("user_code", other.codes["user_code"]), ("cancel", "1")])
    assert ("gets no tokens" in refused.text, other.ask().json()["error"]) == (True, "access_denied")


def test_a_code_ends_after_five_minutes(own: Emulator, device: Device) -> None:
    for seconds, error, text in ((299, "authorization_pending", "Log in"), (2, "expired_token", "No device waits")):
        own.advance(timedelta(seconds=seconds))
        assert device.ask().json()["error"] == error
        assert text in device.app.send("GET", f"/ui/login/device?user_code={device.codes['user_code']}").text
