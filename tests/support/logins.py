"""What an OIDC client and a browser do to log a person in at the emulator: plain requests, no scripts."""

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
import requests

from tests.support.emulator_target import INTROSPECT, TIMEOUT_SECONDS, basic
from tests.support.zitadel_api import Api
from zdemo.emulator import CLIENT_ID, CLIENT_SECRET, ORGANIZATION_ID, PROJECT_ID, Emulator
from zdemo.emulator.entities import INSTANCE, NEVER, Application, Resource, User
from zdemo.emulator.seed import PERSON_PASSWORD
from zdemo.emulator.token_texts import encoded, new_secret

CALLBACK = "http://localhost:3000/callback"
BYE = "http://localhost:3000/bye"
VERIFIER = "a-verifier-that-is-long-enough-for-the-rules-of-pkce-0000"
CHALLENGE = encoded(hashlib.sha256(VERIFIER.encode()).digest())
SETTINGS: dict[str, object] = {
    "redirectUris": [CALLBACK],
    "postLogoutRedirectUris": [BYE],
    "responseTypes": ["OIDC_RESPONSE_TYPE_CODE"],
    "grantTypes": ["OIDC_GRANT_TYPE_AUTHORIZATION_CODE", "OIDC_GRANT_TYPE_REFRESH_TOKEN"],
    "applicationType": "OIDC_APP_TYPE_USER_AGENT",
    "developmentMode": True,
}


def add_client(emulator: Emulator, method: str = "NONE", /, **settings: object) -> "Client":
    """An OIDC application of the known project; ``method`` is the end of ZITADEL's word for its authentication."""
    world = emulator.world
    auth_method = f"OIDC_AUTH_METHOD_TYPE_{method}"
    application = world.add_application(world.projects[PROJECT_ID], f"app-{world.new_id()}", "oidc", auth_method)
    application.oidc = SETTINGS | settings
    application.secret = new_secret() if method in ("BASIC", "POST") else None
    return Client(emulator, application)


def add_administrator(emulator: Emulator, role: str) -> tuple[User, str]:
    """A service account with an administrator role, of the instance or of the organization, and its PAT."""
    world = emulator.world
    with world.lock:
        user = world.add_user(ORGANIZATION_ID, f"robot-{world.new_id()}", "Robot")
        resource = INSTANCE if role.startswith("IAM") else Resource("organization", ORGANIZATION_ID)
        world.add_administrator(user.id, resource, [role])
        return user, world.add_pat(user, NEVER).token


def session_of_ada(login: Api) -> dict[str, Any]:
    """A session with a checked password, in the form in which a login page answers with it."""
    checks = {"user": {"loginName": "ada"}, "password": {"password": PERSON_PASSWORD}}
    session = login.sessions.CreateSession(checks=checks)
    return {"session": {name: session[name] for name in ("sessionId", "sessionToken")}}


@dataclass
class Client:
    emulator: Emulator
    application: Application
    browser: requests.Session = field(default_factory=requests.Session)

    @property
    def client_id(self) -> str:
        return self.application.client_id

    def send(self, method: str, address: str, **more: Any) -> requests.Response:
        address = self.emulator.url + address if address.startswith("/") else address
        return self.browser.request(method, address, allow_redirects=False, timeout=TIMEOUT_SECONDS, **more)

    def authorize(self, method: str = "GET", headers: dict[str, str] | None = None, **change: Any) -> requests.Response:
        """An authorization request; a parameter given as None is left out."""
        asked = {"client_id": self.client_id, "redirect_uri": CALLBACK, "response_type": "code", "scope": "openid"}
        asked |= {"code_challenge": CHALLENGE, "code_challenge_method": "S256", "state": "a state", "nonce": "a nonce"}
        query = urlencode({name: value for name, value in (asked | change).items() if value is not None})
        if method == "POST":
            sent = {"Content-Type": "application/x-www-form-urlencoded"} | (headers or {})
            return self.send("POST", "/oauth/v2/authorize", data=query, headers=sent)
        return self.send("GET", f"/oauth/v2/authorize?{query}", headers=headers)

    def login_page(self, **change: Any) -> str:
        return self.authorize(**change).headers["Location"]

    def choose(self, page: str, person: str = "ada", **form: str) -> requests.Response:
        """Click on a person of the login page, unless it knows the browser."""
        answer = self.send("GET", page)
        if answer.status_code == 302:
            return answer
        return self.send("POST", page, data=hidden(answer.text) | {"person": person} | form)

    def code(self, person: str = "ada", /, **change: Any) -> str:
        return told(self.choose(self.login_page(**change), person))["code"]

    def token(self, grant: str, *, client: bool = True, **form: Any) -> requests.Response:
        own = {"client_id": self.client_id} | (
            {"client_secret": self.application.secret} if self.application.secret else {}
        )
        return self.send("POST", "/oauth/v2/token", data={"grant_type": grant, **(own if client else {}), **form})

    def exchange(self, code: str, /, **change: Any) -> requests.Response:
        form = {"code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER} | change
        return self.token("authorization_code", **form)

    def log_in(self, person: str = "ada", /, **change: Any) -> dict[str, Any]:
        answer = self.exchange(self.code(person, **change))
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = answer.json()
        return tokens

    def introspect(self, token: str) -> Any:
        """What the API of the known world is told about a token."""
        return self.send("POST", INTROSPECT, data={"token": token}, headers=basic(CLIENT_ID, CLIENT_SECRET)).json()

    def refresh(self, tokens: dict[str, Any], **form: Any) -> requests.Response:
        return self.token("refresh_token", refresh_token=tokens["refresh_token"], **form)


def told(answer: requests.Response, callback: str = CALLBACK) -> dict[str, str]:
    """The parameters with which a browser is sent back to the application."""
    assert answer.status_code == 302, answer.text
    address = answer.headers["Location"]
    assert address.startswith(f"{callback}?"), address
    return dict(parse_qsl(urlsplit(address).query))


def hidden(page: str) -> dict[str, str]:
    (value,) = set(re.findall(r'name="authRequest" value="(\w+)"', page))
    return {"authRequest": value}


def listed(page: str) -> list[str]:
    return re.findall(r'name="person" value="([^"]+)"', page.partition("Somebody else")[0])


def claims(token: str) -> dict[str, Any]:
    """The claims of a JWT, whose signature is not checked."""
    content: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return content
