"""The server under test as a bare HTTP client sees it, and short forms of its answers to compare."""

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from requests.adapters import HTTPAdapter

from tests.support.strict import hold
from zdemo.emulator import ADMIN, Emulator, World, emulate, known_start
from zdemo.emulator.control import Refused
from zdemo.serving.embedded import LOOPBACK, serving

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


@contextmanager
def given_or_emulated(
    given: tuple[str, str] | None, run: Callable[[], AbstractContextManager[Emulator]] = emulate
) -> Iterator[tuple[str, str]]:
    """Yield a URL and an administrator's PAT: those on the command line, or those of a new emulator."""
    if given is not None:
        yield given
        return
    with run() as emulator:
        yield emulator.url, ADMIN.pat


class _Silent(Emulator):
    def _answer(self, name: str, environ: dict[str, Any]) -> dict[str, Any]:
        if name == "requests":
            raise Refused("it tells nobody", 404)
        return super()._answer(name, environ)


@contextmanager
def as_real(world: World | None = None) -> Iterator[Emulator]:
    """Run an emulator that tells nobody why it refuses, as a real ZITADEL."""
    emulator = _Silent(world or known_start().world)
    with serving(emulator, LOOPBACK, 0) as port:
        emulator.url = f"http://localhost:{port}"
        yield emulator


class Server:
    """One origin: redirects are not followed, cookies not kept, proxies and .netrc not read.

    Each answer of the API is held against the table of messages.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        parts = urlsplit(url)
        self.scheme, self.host, self.hostname = parts.scheme, parts.netloc, parts.hostname or ""
        self.port = parts.port or 80
        self._adapter = HTTPAdapter()  # unlike a session, it does none of that

    def send(self, method: str, path: str, **more: Any) -> requests.Response:
        request = requests.Request(method, self.url + path, **more).prepare()
        response = self._adapter.send(request, timeout=TIMEOUT_SECONDS)
        assert isinstance(response.content, bytes)  # read, so that the next request can use the connection
        hold(response)
        return response

    def get(self, path: str, **headers: str) -> requests.Response:
        return self.send("GET", path, headers=hyphenated(headers))

    def post_form(self, path: str, form: Form, headers: Headers | None = None) -> requests.Response:
        return self.send("POST", path, data=list(form), headers=headers)

    def close(self) -> None:
        self._adapter.close()
