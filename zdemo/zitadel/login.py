"""How a program lets a person log in: in a browser that returns with a code (RFC 8252), or as a device (RFC 8628)."""

import hmac
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from zdemo.config.settings import LoginSettings
from zdemo.errors import ConnectionFailed, ZdemoError
from zdemo.errors.response import Response
from zdemo.errors.steps import Command, Step
from zdemo.http.transport import Transport
from zdemo.zitadel.introspection_answer import TOKEN_PATH, USERINFO_PATH
from zdemo.zitadel.introspection_client import IssuedToken, issued_token
from zdemo.zitadel.introspection_response import answer_error, introspection_error
from zdemo.zitadel.records import NewDevice, read
from zdemo.zitadel.resources import REDIRECT_URI

AUTHORIZE_PATH, DEVICE_PATH = "/oauth/v2/authorize", "/oauth/v2/device_authorization"
CALLBACK = urlsplit(REDIRECT_URI).path
LOGIN_SECONDS = 300.0  # also how long a device code lives in ZITADEL
WAITING = f"waiting for the login, at most {LOGIN_SECONDS / 60:g} minutes"
AGAIN = "run the command again to start another login"
TWICE = "the login was started twice, perhaps by another user of this machine, so it was stopped"
NO_APP = Command(
    "setup --app", does="creates an OIDC application without a secret, whose ID is used where --client-id is left out"
)
HINTS: dict[str, Step] = {  # what ZITADEL's error or its description contains
    "redirect_uri": f"add {REDIRECT_URI} to the redirect URIs of the application, whose type must be Native",
    "not allowed": "allow the grant type on the application's page (Authorization Code, or Device Code)",
    "App.NotFound": NO_APP,
    "invalid_client": NO_APP,
}
PAGE = '<!doctype html><html lang="en"><meta name="color-scheme" content="light dark"><title>zdemo</title><h1>{}</h1>'
HEADERS = [("Content-Type", "text/html"), ("Cache-Control", "no-store")]


class Login:
    """A login of a person, in a browser or on a device, and the app that leads a browser to ZITADEL and back.

    Every user of the machine can read where a browser is sent, and can connect to the app. So ``/`` leads there once,
    and gives that browser the cookie that its answer needs. ``redirect_uri`` is set once it is known. What asks ZITADEL
    raises ZdemoError if it refuses, or does not answer.
    """

    def __init__(self, settings: LoginSettings, scopes: Sequence[str], redirect_uri: str = "") -> None:
        self.settings, self.redirect_uri, self._scopes = settings, redirect_uri, scopes
        self._state, self._verifier = secrets.token_urlsafe(), secrets.token_urlsafe(48)
        self._cookie, self._starts = secrets.token_urlsafe(), list[object]()  # each start has a thread
        self._answers: SimpleQueue[dict[str, str]] = SimpleQueue()
        self._transport = Transport.to_zitadel(settings.zitadel)
        self.close = self._transport.close

    @property
    def path(self) -> str:
        """The authorization request (RFC 6749 §4.1.1); the person chooses who they are also if they are logged in."""
        challenge = urlsafe_b64encode(sha256(self._verifier.encode()).digest()).rstrip(b"=").decode()
        query = {"client_id": self.settings.client_id, "redirect_uri": self.redirect_uri, "response_type": "code"}
        query |= {"scope": " ".join(self._scopes), "state": self._state, "prompt": "select_account"}
        return f"{AUTHORIZE_PATH}?{urlencode({**query, 'code_challenge': challenge, 'code_challenge_method': 'S256'})}"

    def answer_in(self, address: str) -> dict[str, str]:
        """Return the parameters of an address; empty unless it is that of the program, with the state of this login."""
        place, _, query = address.partition("?")
        given = dict(parse_qsl(query)) if place == self.redirect_uri else {}
        return given if hmac.compare_digest(given.get("state", "").encode(), self._state.encode()) else {}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        """Lead the first browser to ZITADEL, take the answer to this login from it, and tell the person."""
        asked, answer = (environ["REQUEST_METHOD"], environ["PATH_INFO"]), dict[str, str]()
        status, headers, told = "404 Not Found", HEADERS, "No login of this browser waits for this."
        cookie = f"zdemo-login-{urlsplit(self.redirect_uri).port}={self._cookie}"  # all ports of a host share cookies
        is_seen = environ.get("HTTP_SEC_FETCH_DEST", "document") == "document" and "HTTP_SEC_PURPOSE" not in environ
        if environ.get("HTTP_HOST") != urlsplit(self.redirect_uri).netloc or not is_seen:
            asked = ("", "")  # by a web page (with DNS rebinding, or for an image), or by a browser that looks ahead
        if asked == ("GET", "/"):
            self._starts.append(asked)
            status, told = "302 Found", "Log in at ZITADEL."
            set_cookie = f"{cookie}; Max-Age={LOGIN_SECONDS:g}; Path={CALLBACK}; HttpOnly; SameSite=Lax"
            headers = [*HEADERS, ("Location", self.settings.issuer + self.path), ("Set-Cookie", set_cookie)]
        elif asked == ("GET", CALLBACK) and cookie in environ.get("HTTP_COOKIE", "").split("; "):
            answer = self.answer_in(f"{self.redirect_uri}?{environ['QUERY_STRING']}")
        if answer:
            status, told = "200 OK", f"You are {'' if 'code' in answer else 'not '}logged in. You can close this page."
        if is_twice := len(self._starts) > 1:
            status, headers, told = "409 Conflict", HEADERS, f"You are not logged in: {TWICE}."
        start_response(status, headers)
        try:
            yield PAGE.format(told).encode()
        finally:  # after the page was sent: the server ends with the login
            if answer or is_twice:
                self._answers.put(answer)

    def wait(self, seconds: float = LOGIN_SECONDS) -> dict[str, str]:
        """Return the answer, or nothing once the login was started twice. Raises ZdemoError if none comes in time."""
        try:
            return self._answers.get(timeout=seconds)
        except Empty:
            hint = "run the command again", Command("token --device", does="without a browser on this machine")
            raise ZdemoError(f"nobody logged in within {LOGIN_SECONDS / 60:g} minutes", hint=hint) from None

    def person(self, token: IssuedToken) -> str:
        """Return who logged in, by name and ID as userinfo gives them; empty when it does not."""
        with suppress(ZdemoError):
            claims = self.send("GET", USERINFO_PATH, token.text).json_object()
            name, user = claims.get("preferred_username"), f"user {claims['sub']}" if claims.get("sub") else ""
            return f"{name} ({user})" if name and user else user
        return ""

    def send(self, method: str, path: str, token: str = "", **form: str) -> Response:
        """Return the answer to a request, whatever its status."""
        seconds, headers = self.settings.timeout_seconds, {"Accept": "application/json"}
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        try:
            return self._transport.send(method, path, timeout_seconds=seconds, headers=headers, form=form or None)
        except ConnectionFailed as failure:
            raise introspection_error(failure) from failure

    def begin(self) -> str:
        """Return where ZITADEL sends the browser; a login that it refuses to begin would leave the person there."""
        answer = self.send("GET", self.path)
        if answer.status not in (302, 303):
            raise refusal(answer)
        return answer.headers.get("location", "")

    def redeem(self, answer: Mapping[str, str]) -> IssuedToken:
        """Exchange the code of an answer for a token. Raises ZdemoError if the login was started twice by then."""
        sent = {"code": answer.get("code", ""), "code_verifier": self._verifier, "redirect_uri": self.redirect_uri}
        token = self._token("authorization_code", **sent) if sent["code"] else None
        if len(self._starts) > 1:
            raise ZdemoError(TWICE, hint=AGAIN)
        if token is None:
            raise LoginRefused(answer)
        return token

    def begin_device(self) -> NewDevice:
        """Return the code for the person, and that for ``wait_for_device``."""
        answer = self.send("POST", DEVICE_PATH, client_id=self.settings.client_id, scope=" ".join(self._scopes))
        try:
            return read(NewDevice, answer.json_object())
        except (ValueError, TypeError):
            raise refusal(answer) from None

    def wait_for_device(self, device: NewDevice, *, pause: Callable[[float], None] = time.sleep) -> IssuedToken:
        """Ask until the person has logged in; ``pause`` waits for so many seconds."""
        waited, interval, longest = 0, max(device.interval, 1), min(device.seconds, LOGIN_SECONDS)
        while True:
            try:
                return self._token("urn:ietf:params:oauth:grant-type:device_code", device_code=device.code)
            except LoginRefused as error:
                if error.code not in ("authorization_pending", "slow_down"):
                    raise
                interval += 5 if error.code == "slow_down" else 0  # RFC 8628 §3.5
            if waited + interval > longest:
                raise ZdemoError(f"nobody logged in within {waited} s", hint=AGAIN)
            pause(interval)
            waited += interval

    def _token(self, grant: str, **form: str) -> IssuedToken:
        answer = self.send("POST", TOKEN_PATH, grant_type=grant, client_id=self.settings.client_id, **form)
        if issued := issued_token(answer, self._scopes):
            return issued
        raise refusal(answer)


class LoginRefused(ZdemoError):
    """An error of OAuth in ZITADEL's words, with what to do; ``code`` is its name."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        self.code = str(answer.get("error", "no reason given"))
        reason = f"{self.code}: {answer.get('error_description') or ''}"[:300].rstrip(": ")
        hint = next((hint for words, hint in HINTS.items() if words in reason), AGAIN)
        super().__init__(f"ZITADEL refuses the login: {reason}", hint=hint)


def refusal(answer: Response) -> ZdemoError:
    """Return the error that an answer means."""
    body = answer.json_object()
    return LoginRefused(body) if answer.status < 500 and "error" in body else answer_error(answer)
