"""ZITADEL's API for tests: each call is a method of its service, and an answer is told what is expected of it.

    admin.projects.GetProject(projectId=project.id).has("creationDate", project={"name": "shop", "state": ...})
    visitor.projects.GetProject(projectId=project.id).refused(404, "membership not found", id="AUTHZ-cdgFk")

In what is expected, ``...`` is any value, ``None`` an absent member, and a list has as many members as that of the
answer. A dict names some members of an object, ``only`` names all of them.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Any, Self
from urllib.parse import quote

import requests

from tests.support.emulator_target import Server, bearer, hyphenated
from tests.support.waiting import eventually
from zdemo.emulator.messages.table import method_row


class Only(dict[str, Any]):
    """The members of an object that has no others."""


def only(*names: str, **values: Any) -> Only:
    return Only(dict.fromkeys(names, ...) | values)


DETAILS = only("sequence", "changeDate", "resourceOwner")
"""What a change of an object answers in v2."""

NO_MEMBERSHIP = (404, "membership not found", "AUTHZ-cdgFk")
"""The refusal for users who are not administrators."""


def fits(value: Any, expected: Any) -> bool:
    if isinstance(expected, dict):
        if not isinstance(value, dict) or (isinstance(expected, Only) and value.keys() != expected.keys()):
            return False
        return all(fits(value.get(name), member) for name, member in expected.items())
    if isinstance(expected, list):
        return isinstance(value, list) and len(value) == len(expected) and all(map(fits, value, expected))
    return value is not None if expected is ... else bool(value == expected)


def _body(response: requests.Response) -> Any:
    is_json = response.headers.get("Content-Type", "").startswith("application/json")
    return response.json() if is_json and response.content else {}


class Answer:
    """The answer to a request. What only reads is asked again until it is as expected: a real ZITADEL's reads trail."""

    def __init__(self, send: Callable[[], requests.Response], *, reads: bool = True) -> None:
        self.response, self._send, self._reads = send(), send, reads

    def __getitem__(self, name: str) -> Any:
        return self.has(name).response.json()[name]

    def has(self, *names: str, **values: Any) -> Self:
        """Expect success, and these members among others."""
        return self._members(dict.fromkeys(names, ...) | values)

    def only(self, *names: str, **values: Any) -> Self:
        """Expect success, and these members alone."""
        return self._members(only(*names, **values))

    def refused(self, status: int, message: str = "", id: str | None = None) -> None:
        """Expect an error of the API that has this ID, or has none; or OAuth's error, or its description."""

        def accepted(response: requests.Response) -> bool:
            body = _body(response)
            (detail,) = body.get("details") or [None]
            error_id = detail and detail.get("debug", detail).get("id", "")
            texts = {body.get("message", "").removesuffix(f" ({id})"), body.get("error"), body.get("error_description")}
            return response.status_code == status and error_id == id and (not message or message in texts)

        self._expect(f"{status} {message} {id or ''}", accepted)

    def _members(self, expected: dict[str, Any]) -> Self:
        def accepted(response: requests.Response) -> bool:
            return response.status_code == 200 and fits(_body(response), expected)

        return self._expect(f"200 {expected}", accepted)

    def _expect(self, expected: str, accepted: Callable[[requests.Response], bool]) -> Self:
        request = self.response.request
        message = f"{request.method} {request.url} {request.body!r} is answered by {expected}"
        if self._reads and not accepted(self.response):
            self.response = eventually(message, self._send, accepted)
        assert accepted(self.response), f"not so: {message}; answer: {self.response.status_code} {self.response.text}"
        return self


class Service:
    """A service of ZITADEL: its attributes are its methods, each called with the fields of its request."""

    def __init__(self, api: "Api", name: str) -> None:
        self._api, self._name = api, name

    def __getattr__(self, method: str) -> Callable[..., Answer]:
        return partial(self._api.ask, f"{self._name}Service/{method}")


class Api:
    """ZITADEL's v2 API (Connect protocol, JSON) with one bearer token, or with none, in the user's organization."""

    def __init__(self, server: Server, token: str | None, organization_id: str = "") -> None:
        self.server, self.token = server, token
        self._headers = {"Accept-Language": "en"}  # messages are translated
        if token is not None:
            self._headers |= bearer(token)
        if organization_id:
            self._headers["x-zitadel-orgid"] = organization_id
        service = partial(Service, self)
        self.projects, self.apps, self.users = service("Project"), service("Application"), service("User")
        self.authorizations, self.administrators = service("Authorization"), service("InternalPermission")
        self.organizations, self.features, self.web_keys = (
            service("Organization"),
            service("Feature"),
            service("WebKey"),
        )
        self.sessions, self.settings, self.oidc = service("Session"), service("Settings"), service("OIDC")

    def within(self, organization_id: str) -> "Api":
        return type(self)(self.server, self.token, organization_id)

    def ask(self, method: str, /, **fields: Any) -> Answer:
        reads = method.partition("/")[2].startswith(("Get", "List"))
        return self._answer("POST", connect_path(method), {"Connect-Protocol-Version": "1"}, reads=reads, json=fields)

    def do(self, method: str, /, **fields: Any) -> Any:
        """Call ``Service/Method``, which must succeed, and return the JSON of the answer."""
        return self.ask(method, **fields).has().response.json()

    def post(self, method: str, body: object, /, **headers: str) -> Answer:
        sent = {"Content-Type": "application/json"} | hyphenated(headers)
        return self._answer("POST", connect_path(method), sent, reads=False, data=body)

    def rest(self, method: str, path: str, body: Any = None) -> Answer:
        return self._answer(method, path, {}, reads=method == "GET", json=body)

    def v1(self, method: str, /, **fields: Any) -> Answer:
        """Call a method of v1 by REST: ``AddProject`` of the management API, or ``Admin/GetOrgByID``."""
        row = method_row(v1_name(method))
        named = partial(re.sub, "_(.)", lambda letter: letter[1].upper())
        path = re.sub(r"{(\w+)[^}]*}", lambda part: quote(fields.pop(named(part[1])), safe=""), row.path)
        body = fields if row.verb in ("POST", "PUT") else None
        return self._answer(row.verb, path, {}, reads=method.rpartition("/")[2].startswith(("Get", "List")), json=body)

    def _answer(self, method: str, path: str, headers: dict[str, str], *, reads: bool, **body: Any) -> Answer:
        return Answer(partial(self.server.send, method, path, headers=self._headers | headers, **body), reads=reads)


def connect_path(method: str) -> str:
    """``ProjectService/GetProject`` -> ``/zitadel.project.v2.ProjectService/GetProject``."""
    service = method.partition("Service/")[0]
    package = {"Organization": "org", "InternalPermission": "internal_permission"}.get(service, service.lower())
    return f"/zitadel.{package}.v2.{method}"


def v1_name(method: str) -> str:
    """Return the full name of a method of v1, such as ``AddProject`` or ``Admin/GetOrgByID``."""
    service, _, name = method.rpartition("/")
    service = service or "Management"
    return f"zitadel.{service.lower()}.v1.{service}Service/{name}"
