"""The server under test as a bare HTTP client sees it, and short forms of its answers to compare."""

import base64
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import quote, urlsplit

import requests

from zdemo.emulator import ADMIN, emulate

DISCOVERY = "/.well-known/openid-configuration"
KEYS = "/oauth/v2/keys"
INTROSPECT = "/oauth/v2/introspect"
TOKEN = "/oauth/v2/token"
REVOKE = "/oauth/v2/revoke"
USERINFO = "/oidc/v1/userinfo"

NOBODY = "299999999999999999"
"""An ID that no object has."""

WRONG_SECRET = "x" * 64

TIMEOUT_SECONDS = 30
PACKAGES = {
    "ProjectService": "zitadel.project.v2",
    "ApplicationService": "zitadel.application.v2",
    "UserService": "zitadel.user.v2",
    "AuthorizationService": "zitadel.authorization.v2",
    "InternalPermissionService": "zitadel.internal_permission.v2",
    "OrganizationService": "zitadel.org.v2",
    "FeatureService": "zitadel.feature.v2",
    "OIDCService": "zitadel.oidc.v2",
    "SessionService": "zitadel.session.v2",
    "SettingsService": "zitadel.settings.v2",
}

Form = Iterable[tuple[str, str]]
Headers = Mapping[str, str]


def basic(client_id: str, secret: str) -> dict[str, str]:
    """Client credentials, form-encoded before base64 (RFC 6749 §2.3.1)."""
    return raw_basic(f"{quote(client_id, safe='')}:{quote(secret, safe='')}")


def raw_basic(pair: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def hyphenated(headers: Headers) -> dict[str, str]:
    """Header fields from keyword arguments, whose names have underscores for hyphens."""
    return {name.replace("_", "-"): value for name, value in headers.items()}


def answer(response: requests.Response) -> tuple[int, Any]:
    return response.status_code, response.json()


def oauth_refusal(error: str, description: str | None = None) -> tuple[int, dict[str, str]]:
    """What ``answer`` gives for a 400 of an OAuth endpoint; without a description the member is absent."""
    return 400, {"error": error} | ({} if description is None else {"error_description": description})


def api_error(response: requests.Response) -> tuple[int, str]:
    """Status and message of an error of the API, e.g. ``(404, "Project not found (QUERY-fk2fs)")``."""
    return response.status_code, response.json()["message"]


def error_id(response: requests.Response) -> tuple[int, str]:
    """Status and ZITADEL's ID of an error of the API, e.g. ``(404, "QUERY-fk2fs")``."""
    body = response.json()
    assert "details" in body, f"an error without an ID: {response.status_code} {body}"
    return response.status_code, body["details"][0]["debug"]["id"]


@contextmanager
def given_or_emulated(given: tuple[str, str] | None) -> Iterator[tuple[str, str]]:
    """Yield a URL and an administrator's PAT: those on the command line, or those of a new emulator."""
    if given is not None:
        yield given
        return
    with emulate() as emulator:
        yield emulator.url, ADMIN.pat


class Server:
    """One origin: redirects are not followed, cookies not kept, proxies and .netrc not read."""

    def __init__(self, url: str) -> None:
        self.url = url
        parts = urlsplit(url)
        self.scheme, self.host, self.hostname = parts.scheme, parts.netloc, parts.hostname or ""
        self.port = parts.port or 80
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def send(
        self, method: str, path: str, *, headers: Headers | None = None, data: Any = None, json: Any = None
    ) -> requests.Response:
        return self._session.request(
            method,
            self.url + path,
            headers=headers,
            data=data,
            json=json,
            timeout=TIMEOUT_SECONDS,
            allow_redirects=False,
        )

    def get(self, path: str, **headers: str) -> requests.Response:
        return self.send("GET", path, headers=hyphenated(headers))

    def post_form(self, path: str, form: Form, headers: Headers | None = None) -> requests.Response:
        return self.send("POST", path, data=list(form), headers=headers)

    def close(self) -> None:
        self._session.close()


class Api:
    """ZITADEL's v2 API (Connect protocol, JSON) with one bearer token, or with none."""

    def __init__(self, server: Server, token: str | None) -> None:
        self.server, self.token = server, token

    def ask(self, method: str, headers: Headers | None = None, /, **fields: Any) -> requests.Response:
        """Call ``Service/Method`` with these fields, and return any response."""
        sent = self._headers() | {"Connect-Protocol-Version": "1"} | dict(headers or {})
        return self.server.send("POST", connect_path(method), json=fields, headers=sent)

    def do(self, method: str, /, **fields: Any) -> Any:
        """Call ``Service/Method``, which must succeed, and return the JSON of the answer."""
        response = self.ask(method, **fields)
        assert response.status_code == 200, f"{method}: {response.status_code} {response.text}"
        return response.json()

    def post(self, method: str, body: object, /, **headers: str) -> requests.Response:
        sent = {"Content-Type": "application/json"} | self._headers() | hyphenated(headers)
        return self.server.send("POST", connect_path(method), data=body, headers=sent)

    def rest(self, method: str, path: str, /, body: Any = None, **headers: str) -> requests.Response:
        return self.server.send(method, path, json=body, headers=self._headers() | hyphenated(headers))

    def _headers(self) -> dict[str, str]:
        english = {"Accept-Language": "en"}  # messages are translated
        return english if self.token is None else english | bearer(self.token)


def connect_path(method: str) -> str:
    """``ProjectService/GetProject`` -> ``/zitadel.project.v2.ProjectService/GetProject``."""
    return f"/{PACKAGES[method.split('/')[0]]}.{method}"
