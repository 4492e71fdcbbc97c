"""The test client: one call to an API and its answer."""

import re
import shlex
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from zdemo.config.address import is_local, without_default_port
from zdemo.config.names import THE_URL, with_path
from zdemo.config.settings import API_URL, ClientSettings
from zdemo.config.variables import DEFAULT_API_URL
from zdemo.errors import ROLE_SCOPE, ConnectionFailed, FailureKind, UsageError, ZdemoError
from zdemo.errors.response import Response
from zdemo.errors.steps import Command
from zdemo.http.example_api import FORGET_PATH, IDENTITY_PATH, STORE_ERROR, Route
from zdemo.text.masking import without_secret_query
from zdemo.text.printable import one_line

LONGEST_IDENTITY = 120  # characters that are shown of what an API says it is
LOGIN_FORM = r"""(?i)type\s*=\s*["']?password"""  # the field of a login page
LOCAL_SECONDS = 2.0  # for what an API on this machine answers without asking ZITADEL
CHALLENGE_PARAMETER = r'\b([A-Za-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))'  # compiled when needed


@dataclass(frozen=True, kw_only=True)
class OtherRoute:
    """A path of any API, with its query. ``typed`` names it on the command line: the path, or a URL."""

    path: str
    typed: str
    role: None = None

    def __str__(self) -> str:
        return without_secret_query(self.typed)


Endpoint = Route | OtherRoute


def other_route(path: str, *, typed: str) -> OtherRoute:
    """Return a path of any API. Raises UsageError for what cannot stand in a request as it is."""
    if "#" in path:
        raise UsageError("a fragment (#) is not sent to an API", hint="leave out # and what follows it")
    if any(c.isspace() or not c.isprintable() for c in typed):
        raise UsageError("the path has a space or a control character", hint="write a space as %20")
    return OtherRoute(path=path, typed=typed)


class Method(StrEnum):
    """The methods of a request that make sense here: CONNECT is for proxies, and TRACE would send the token back."""

    GET = "GET"
    HEAD = "HEAD"
    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"
    DELETE = "DELETE"
    OPTIONS = "OPTIONS"


@dataclass(frozen=True, kw_only=True)
class Challenge:
    """A ``WWW-Authenticate: Bearer`` challenge (RFC 6750 §3). ``error`` is empty where no token was presented."""

    text: str
    error: str
    scope: str
    description: str = ""


def is_from_zdemo(answer: Response) -> bool:
    """Return whether a refusal is a zdemo API's own: JSON with an error and the ID of the request."""
    return all(map(answer.json_object().get, ("error", "request_id")))


def parse_challenge(value: str | None) -> Challenge | None:
    """Return the bearer challenge in a ``WWW-Authenticate`` value, if there is one."""
    scheme, _, rest = (value or "").strip().partition(" ")
    if scheme.lower() != "bearer":
        return None
    given = {name.lower(): quoted or plain for name, quoted, plain in re.findall(CHALLENGE_PARAMETER, rest)}
    error, scope, description = (given.get(name, "") for name in ("error", "scope", "error_description"))
    return Challenge(text=value or "", error=error, scope=scope, description=description)


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request and its answer. ``url`` is without what could be a secret, ``setting`` holds the API's address."""

    route: Endpoint
    url: str
    answer: Response
    setting: str = API_URL
    method: Method = Method.GET

    @property
    def path(self) -> str:
        """The path that was called, without its query."""
        return self.route.path.partition("?")[0]

    @property
    def below(self) -> str:
        """The path in the API's address, below which its routes are; all of it where a URL was typed."""
        return urlsplit(self.answer.url).path.removesuffix("" if self.setting == THE_URL else self.path)

    @property
    def command(self) -> Command:
        """The command that sends the same request again."""
        return Command("call", (str(self.route),), "" if self.method is Method.GET else f"-X {self.method}")

    @property
    def role(self) -> str | None:
        """The role that the route is known to require, or that the challenge names, if it names one alone."""
        scopes = self.challenge.scope.split() if self.challenge and not self.route.role else []
        named = scopes[0].removeprefix(ROLE_SCOPE) if len(scopes) == 1 and scopes[0].startswith(ROLE_SCOPE) else None
        return self.route.role or named

    @property
    def challenge(self) -> Challenge | None:
        """The challenge of an API that refused."""
        return parse_challenge(self.answer.headers.get("www-authenticate"))

    @property
    def body(self) -> Any:
        """The body as JSON, or as text when it is not JSON."""
        parsed = self.answer.json()
        return self.answer.text if parsed is None else parsed

    @property
    def accepted(self) -> bool:
        """Whether the API accepted the request: a web page or a zdemo API's refusal says no, whatever the status."""
        return self.answer.status < 300 and not self.is_page and not is_from_zdemo(self.answer)

    @property
    def is_page(self) -> bool:
        """Whether the answer is a web page, not the requested JSON; another API may send any except a login form."""
        if isinstance(self.route, OtherRoute) and (self.answer.status >= 300 or not self.is_markup):
            return False
        is_flasks = self.method is Method.OPTIONS and not self.answer.body  # Flask calls an empty answer text/html
        is_own = self.path not in [route.path for route in Route] and not re.search(LOGIN_FORM, self.answer.text)
        return self.answer.media_type == "text/html" and not is_own and not is_flasks

    @property
    def is_markup(self) -> bool:
        """Whether the body is HTML: Flask labels any text as HTML."""
        return self.answer.media_type == "text/html" and self.answer.body.lstrip()[:1] == b"<"


def send_once(origin: str, setting: str, method: str, path: str, **parts: Any) -> Response:
    """Send one request over a connection of its own, as ``Transport.send`` does."""
    from zdemo.http.transport import Transport  # here, because --help, --curl and completion need no requests

    with closing(Transport(origin, setting=setting)) as transport:
        return transport.send(method, path, **parts)


def call_api(
    settings: ClientSettings,
    route: Endpoint,
    token: str | None,
    method: Method = Method.GET,
    *,
    headers: Mapping[str, str] | None = None,
) -> Call:
    """Send one request to a route, with the token if there is one. Raises ConnectionFailed if no answer comes."""
    sent = {"Accept": "application/json", **(headers or {})} | ({"Authorization": f"Bearer {token}"} if token else {})
    origin, setting, seconds = settings.api_url, settings.setting, settings.timeout_seconds
    try:
        answer = send_once(origin, setting, method, route.path, timeout_seconds=seconds, headers=sent)
    except ConnectionFailed as failure:
        if failure.kind is not FailureKind.REFUSED:
            failure.steps = with_path(failure.steps, THE_URL, route.path)
            raise
        what = f"{settings.api_url} refuses connections: the API is not running there"
        port = urlsplit(settings.api_url).port
        serve = "serve" if DEFAULT_API_URL.endswith(f":{port}") else f"serve --port {port}"
        is_own = setting == THE_URL and route.path not in [known.path for known in Route]
        start = "start your API: where it ended, its log says why" if is_own else Command(serve, does="starts it")
        hint = (start, f"or correct {settings.setting}") if port else failure.steps
        raise ConnectionFailed(what, hint=hint, kind=failure.kind) from failure
    url = settings.api_url + without_secret_query(route.path)
    return Call(route=route, url=url, answer=answer, setting=settings.setting, method=method)


def ask_difference(api_url: str, issuer: str, client_id: str | None, project_id: str | None) -> str | None:
    """Ask a zdemo API on this machine in which way it is not what these values say, after "the API".

    Return an empty text if it is, ``None`` if that is unknown.
    """
    identity: dict[str, Any] = {}
    with suppress(ZdemoError):
        if is_local(api_url):
            identity = send_once(api_url, API_URL, "GET", IDENTITY_PATH, timeout_seconds=LOCAL_SECONDS).json_object()
    match identity:
        case {"issuer": str(other), "client_id": _} if other != without_default_port(issuer):
            return f"asks another ZITADEL: {one_line(other[:LONGEST_IDENTITY])}, not {issuer}"
        case {"issuer": _, "client_id": str(other)} if client_id and other != client_id:
            return f"uses another application: client ID {one_line(other[:LONGEST_IDENTITY])}, not {client_id}"
        case {"issuer": _, "project_id": str(other)} if project_id and other != project_id:
            return f"reads the roles of another project: {one_line(other[:LONGEST_IDENTITY])}, not {project_id}"
        case {"issuer": _, "client_id": _}:
            return ""
    return None


@dataclass(frozen=True, kw_only=True)
class Forgotten:
    """What an API did with an order to forget; ``why_not`` is why it, or APIs with its store, did not forget."""

    done: bool = False
    why_not: str = ""


def order_to_forget(settings: ClientSettings, user_id: str, *, key: str, issuer: str, project_id: str) -> Forgotten:
    """Order an API of zdemo to forget its answers about a user; ``key`` may be empty. Any failure is an outcome."""
    parts: dict[str, Any] = {"headers": {"Authorization": f"Bearer {key}"} if key else {}, "json": {"user_id": user_id}}
    origin, setting, seconds = settings.api_url, settings.setting, settings.timeout_seconds
    try:
        if other := ask_difference(origin, issuer, None, project_id):
            return Forgotten(why_not=other)
        answer = send_once(origin, setting, "POST", FORGET_PATH, timeout_seconds=seconds, **parts)
    except ZdemoError:
        return Forgotten()
    body = answer.json_object()
    why_not = body.get("error_description")
    if answer.status == 200 and type(body.get("forgotten")) is int:
        return Forgotten(done=True)
    if answer.status == 503 and body.get("error") == STORE_ERROR:
        return Forgotten(done=True, why_not="forgot its answers, APIs that share its store did not: check the store")
    is_refusal = answer.status in (403, 503) and isinstance(why_not, str)  # not one of another program
    return Forgotten(why_not=f"did not forget its answers: {why_not} ({answer.status})" if is_refusal else "")


def curl_command(settings: ClientSettings, route: Endpoint, *, variable: str, method: Method = Method.GET) -> str:
    """Return the same request for curl, with a variable for the token, which keeps it out of the shell's history."""
    how = {Method.GET: "-i", Method.HEAD: "-I"}.get(method, f"-i -X {method}")
    header = f' -H "Authorization: Bearer ${variable}"' if variable else ""
    return f"curl {how}{header} {shlex.quote(settings.api_url + route.path)}"


def as_json(call: Call, more: Mapping[str, Any]) -> dict[str, Any]:
    """Return the call as a document."""
    return {
        "method": call.method,
        "url": call.url,
        "status": call.answer.status,
        "milliseconds": round(call.answer.seconds * 1000, 1),
        "body": call.body,
        "challenge": asdict(call.challenge) if call.challenge else None,
        **more,
    }
