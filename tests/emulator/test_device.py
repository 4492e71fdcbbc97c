"""Device authorization: what the device hears until a person has said yes or no, and what login pages are told."""

from datetime import timedelta
from typing import Any

import pytest
import requests

from tests.support.emulator_target import NOBODY, Api, Server, answer, error_id, oauth_refusal
from tests.support.workshop import HUMAN, App, Project, User, Workshop
from zdemo.emulator import ADMIN, ORGANIZATION_ID, Emulator
from zdemo.emulator.oidc.device import GRANT

AUTHORIZATION = "/oauth/v2/device_authorization"
DEVICE_APP = {
    "applicationType": "OIDC_APP_TYPE_NATIVE",
    "authMethodType": "OIDC_AUTH_METHOD_TYPE_NONE",
    "grantTypes": ["OIDC_GRANT_TYPE_DEVICE_CODE", "OIDC_GRANT_TYPE_REFRESH_TOKEN"],
}
ANOTHERS = "client_id does not correspond to the client_id in the authorization request"


class Device:
    """A device that shows a code and asks for its tokens."""

    def __init__(self, server: Server, app: App, scope: str = "openid offline_access") -> None:
        self.server, self.app = server, app
        self.shown = server.post_form(AUTHORIZATION, [("client_id", app.client_id), ("scope", scope)]).json()

    def ask(self, app: App | None = None) -> requests.Response:
        client = (app or self.app).client_id
        form = [("grant_type", GRANT), ("device_code", self.shown["device_code"]), ("client_id", client)]
        return self.server.post_form("/oauth/v2/token", form)


@pytest.fixture
def device(server: Server, workshop: Workshop, project: Project) -> Device:
    return Device(server, workshop.app(project, oidcConfiguration=DEVICE_APP))


@pytest.fixture
def login(server: Server, workshop: Workshop) -> Api:
    """The API as a login page calls it."""
    return Api(server, login_client(workshop).pat)


def login_client(workshop: Workshop) -> User:
    user = workshop.user()
    fields: dict[str, Any] = {"userId": user.id, "resource": {"instance": True}, "roles": ["IAM_LOGIN_CLIENT"]}
    workshop.admin.do("InternalPermissionService/CreateAdministrator", **fields)
    return user


def session_of(login: Api, user: User) -> dict[str, str]:
    checks = {"user": {"userId": user.id}, "password": HUMAN["password"]}
    made = login.do("SessionService/CreateSession", checks=checks)
    return {"sessionId": made["sessionId"], "sessionToken": made["sessionToken"]}


def test_a_device_gets_its_tokens_once_when_a_person_says_yes(
    device: Device, login: Api, workshop: Workshop, server: Server
) -> None:
    shown, page = device.shown, f"{server.url}/device"
    assert [len(shown["device_code"]), len(shown["user_code"]), shown["user_code"][4]] == [22, 9, "-"]
    assert shown["verification_uri_complete"] == f"{shown['verification_uri']}?user_code={shown['user_code']}"
    assert (shown["verification_uri"], shown["expires_in"], shown["interval"]) == (page, 300, 5)
    assert device.ask().json()["error"] == "authorization_pending"
    request = login.do("OIDCService/GetDeviceAuthorizationRequest", userCode=shown["user_code"])
    request = request["deviceAuthorizationRequest"]
    id = request.pop("id")
    assert len(id) == 257
    assert request == {
        "clientId": device.app.client_id,
        "scope": ["openid", "offline_access"],
        "appName": device.app.name,
        "projectName": device.app.project.name,
    }
    yes = {"session": session_of(login, workshop.user(pat=False, machine=None, human=HUMAN))}
    assert answer(decide(login, id, **yes)) == (200, {})
    tokens = device.ask()
    assert (tokens.status_code, "refresh_token" in tokens.json(), "id_token" in tokens.json()) == (200, True, True)
    assert answer(device.ask()) == oauth_refusal("invalid_grant")
    assert error_id(decide(login, id, **yes)) == (400, "COMMAND-D30Jf")
    assert error_id(look(login, device)) == (404, "QUERY-Sah9a")


def look(login: Api, device: Device) -> requests.Response:
    return login.ask("OIDCService/GetDeviceAuthorizationRequest", userCode=device.shown["user_code"])


def decide(login: Api, id: str, **decision: Any) -> requests.Response:
    return login.ask("OIDCService/AuthorizeOrDenyDeviceAuthorization", deviceAuthorizationId=id, **decision)


def test_a_device_hears_no(device: Device, login: Api) -> None:
    id = look(login, device).json()["deviceAuthorizationRequest"]["id"]
    assert answer(decide(login, id, deny={})) == (200, {})
    assert answer(device.ask()) == oauth_refusal("access_denied", "The authorization request was denied.")


def test_the_code_is_for_its_application_and_needs_the_grant_type(
    device: Device, workshop: Workshop, web_app: App, server: Server, project: Project
) -> None:
    other = workshop.app(project, oidcConfiguration=DEVICE_APP)
    assert answer(device.ask(other)) == oauth_refusal("invalid_client", ANOTHERS)
    without = workshop.app(project, oidcConfiguration=DEVICE_APP | {"grantTypes": []})
    refusal = oauth_refusal("unauthorized_client", f'grant_type "{GRANT}" not allowed')
    assert answer(Device(server, without).ask()) == refusal
    form = [("grant_type", GRANT), ("client_id", other.client_id)]
    assert answer(server.post_form("/oauth/v2/token", form)) == oauth_refusal("invalid_request", "device_code missing")
    assert answer(server.post_form(AUTHORIZATION, [("client_id", web_app.client_id)])) == oauth_refusal(
        "invalid_client", "empty client secret"
    )


def test_only_a_login_client_with_the_token_of_a_session_says_yes(
    device: Device, login: Api, admin: Api, workshop: Workshop
) -> None:
    """An owner of the instance may read the request."""
    id = look(admin, device).json()["deviceAuthorizationRequest"]["id"]
    session = session_of(login, workshop.user(pat=False, machine=None, human=HUMAN))
    assert error_id(decide(admin, id, session=session)) == (403, "AUTH-AWfge")
    assert error_id(decide(login, id, session=session | {"sessionToken": "x"})) == (403, "COMMAND-sGr42")
    assert error_id(decide(login, id, session=session | {"sessionId": NOBODY})) == (400, "COMMAND-Flk38")
    assert error_id(decide(login, "x", session=session)) == (404, "COMMAND-D2hf2")
    assert error_id(decide(login, "x", deny={})) == (404, "COMMAND-gee5A")
    assert decide(login, id).status_code == 400
    assert device.ask().json()["error"] == "authorization_pending"


@pytest.mark.usefixtures("emulator_only")
def test_a_person_says_yes_or_no_on_the_emulators_page(device: Device, server: Server) -> None:
    page, code = "/device", device.shown["user_code"]
    assert 'name="user_code"' in server.get(page).text
    assert "No device waits with this code." in server.get(f"{page}?user_code=x").text
    assert 'value="ada"' in server.get(f"{page}?user_code={code.lower()}").text
    foreign = server.post_form(page, [("authRequest", code), ("person", "ada")], {"Origin": "https://evil.example"})
    assert foreign.status_code == 403
    assert "not a login name" in server.post_form(page, [("authRequest", code)]).text
    assert device.ask().json()["error"] == "authorization_pending"
    assert "is connected" in server.post_form(page, [("authRequest", code), ("person", "ada")]).text
    assert device.ask().status_code == 200
    other = Device(server, device.app)
    refused = server.post_form(page, [("authRequest", other.shown["user_code"]), ("cancel", "1")])
    assert ("gets no tokens" in refused.text, other.ask().json()["error"]) == (True, "access_denied")


def test_a_code_ends_after_five_minutes(own: Emulator, near: Server) -> None:
    admin = Api(near, ADMIN.pat)
    project = admin.do("ProjectService/CreateProject", organizationId=ORGANIZATION_ID, name="p")["projectId"]
    fields = {"projectId": project, "name": "tv", "oidcConfiguration": DEVICE_APP}
    client_id = admin.do("ApplicationService/CreateApplication", **fields)["oidcConfiguration"]["clientId"]
    form = [("client_id", client_id)]
    code = near.post_form(AUTHORIZATION, form).json()["device_code"]
    form += [("grant_type", GRANT), ("device_code", code)]
    for seconds, error in ((299, "authorization_pending"), (2, "expired_token")):
        own.control.timeline.advance(timedelta(seconds=seconds))
        assert near.post_form("/oauth/v2/token", form).json()["error"] == error
