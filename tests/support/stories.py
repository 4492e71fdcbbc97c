"""Stories for a ZITADEL: requests in lines, each with what is expected of its answer.

    # a title
    [WHO: ][twice ]REQUEST PATH=VALUE... -> EXPECTED...

A request is ``S/Method`` with the initial of its service, ``VERB /path`` of the REST API, or one of those to the OAuth
endpoints: ``introspect``, ``roles`` (the claim alone), ``userinfo``, ``revoke``, ``token``. WHO is a user with a PAT,
instead of the administrator. Values are JSON or text; ``<user.id>`` stands for an object, ``<user.name.upper>`` for
its name in capitals, ``<made.id>`` for the last answer of a change, ``@name`` for fields that have this name, and
``orgid`` for the header ``x-zitadel-orgid``.

Expected is a status that is not 200 with the message, the error ID or OAuth's error; or paths into the answer:
``PATH`` is there, ``PATH=VALUE`` (``null``: absent), ``PATH:a,b`` has exactly these members.
"""

import json
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import pytest
import requests

from tests.support.emulator_target import NOBODY, REVOKE, USERINFO, Api, basic, bearer
from tests.support.oauth import ROLES, OAuth
from tests.support.waiting import eventually
from tests.support.workshop import KEY_APP, Workshop, later

SERVICES = {
    "A": "ApplicationService",
    "F": "FeatureService",
    "I": "InternalPermissionService",
    "O": "OrganizationService",
    "P": "ProjectService",
    "S": "SessionService",
    "T": "SettingsService",
    "U": "UserService",
    "Z": "AuthorizationService",
}
COMMON = {
    "NO": NOBODY,
    "EMBEDDED": "embedded message failed validation | caused by",
    "LENGTH": "value length must be between 1 and 200 runes, inclusive",
}
LINE = re.compile(r"(?:(\w+): )?(twice )?((?:[A-Z]+ )?\S+)(.*?) ->(.*)")
READS = re.compile(r"\w/(Get|List)|GET |introspect|roles|userinfo|token")
EXPECTED = re.compile(r"([\w.]*)([=:]?)(.*)", re.DOTALL)
MAKERS: dict[str, Callable[[Workshop, Mapping[str, Any]], Any]] = {
    "user": lambda workshop, _: workshop.user(),
    "human": lambda workshop, _: workshop.human(),
    "session": lambda workshop, objects: workshop.session(objects["human"]),
    "own_project": lambda workshop, _: workshop.project("r", "s"),
    "own_app": lambda workshop, objects: workshop.app(objects["own_project"]),
    "own_key_app": lambda workshop, objects: workshop.app(objects["own_project"], apiConfiguration=KEY_APP),
    "own_organization": lambda workshop, _: workshop.organization(),
    "guest": lambda workshop, objects: workshop.user(organization=objects["own_organization"]),
    "assignment": lambda workshop, objects: workshop.grant(objects["user"], objects["own_project"], "r"),
    "secret": lambda workshop, objects: workshop.secret(objects["user"]),
    "name": lambda workshop, _: workshop.name("new"),
    "tomorrow": lambda *_: later(days=1),
    "next_week": lambda *_: later(days=7),
}


def stories(text: str) -> Callable[..., None]:
    """Return a test that runs each story in a text; each line before the first title is a story of its own."""
    found: dict[str, list[str]] = {}
    title = ""
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith("# "):
            title = line[2:]
        else:
            found.setdefault(title or line, []).append(line)

    @pytest.mark.parametrize("story", found.values(), ids=found)
    def test(objects: Objects, story: list[str]) -> None:
        objects.tell(story)

    return test


class Objects(dict[str, Any]):
    """The objects that lines name: those of ``shared``, and those that a story makes for itself when it names them.

    ``fields`` are what ``@name`` stands for; ``<NAME>`` is one of them too.
    """

    def __init__(self, shared: Callable[[str], Any], workshop: Workshop, oauth: OAuth, fields: dict[str, str]) -> None:
        super().__init__({name: text for name, text in (COMMON | fields).items() if name.isupper()})
        self._shared, self._workshop, self._oauth, self._fields = shared, workshop, oauth, fields

    def __missing__(self, name: str) -> Any:
        if maker := MAKERS.get(name.rstrip("0123456789")):
            made = maker(self._workshop, self)
        else:
            made = self._workshop.administrator(name) if name.isupper() else self._shared(name)
        self[name] = made
        return made

    def tell(self, lines: Iterable[str]) -> None:
        """Send the requests of a story; what is only read is asked for until it is as expected."""
        for line in lines:
            found = LINE.fullmatch(line)
            assert found, line
            who, twice, method, fields, expected = found.groups("")
            token = self[who].pat if who else self._oauth.admin.token
            ask = partial(self._ask, self._filled(method), nested(self._pairs(fields)), token)
            fits = partial(self._fits, self._with_fields(expected.strip()), method)
            for _ in range(2 if twice else 1):
                if READS.match(method):
                    response = eventually(line, ask, fits)
                else:
                    response = ask()
                    assert fits(response), f"{line}: {response.status_code} {response.text}"
                    self["made"] = _body(response)
            if method == "token" and response.status_code == 200:
                self["issued"], self["id_token"] = (response.json().get(f"{kind}_token") for kind in ("access", "id"))

    def _pairs(self, fields: str) -> Iterator[tuple[str, Any]]:
        for word in shlex.split(self._with_fields(fields)):
            path, _, value = word.partition("=")
            yield path, _value(self._filled(value))

    def _with_fields(self, text: str) -> str:
        return re.sub(r"(?<!\S)@(\w+)", lambda name: self._fields[name[1]], text)

    def _filled(self, text: str) -> str:
        def found(name: re.Match[str]) -> str:
            first, *rest = name[1].split(".")
            value = self[first]
            for part in rest:
                value = value[part] if isinstance(value, dict) else getattr(value, part)
            return self._filled(str(value() if callable(value) else value))

        return re.sub(r"<([\w.]+)>", found, text)

    def _ask(self, method: str, fields: dict[str, Any], token: str | None) -> requests.Response:
        if method in ("introspect", "roles"):
            return self._oauth.introspection(self[fields["app"]], fields["token"])
        if method == "token":
            return self._oauth.ask_for_token(fields["login"], fields["secret"], fields.get("scope", "openid"))
        if method == "userinfo":
            return self._oauth.server.send("GET", USERINFO, headers=bearer(fields["token"]))
        if method == "revoke":
            client = basic(self[fields["app"]].client_id, self[fields["app"]].secret)
            return self._oauth.server.post_form(REVOKE, [("token", fields["token"])], client)
        api, headers = Api(self._oauth.server, token), {}
        if "orgid" in fields:
            headers = {"x-zitadel-orgid": fields["orgid"]}
            fields = {name: value for name, value in fields.items() if name != "orgid"}
        if " " not in method:
            service, _, name = method.partition("/")
            return api.ask(f"{SERVICES[service]}/{name}", headers, **fields)
        verb, path = method.split(" ")
        return api.rest(
            verb, path, fields or None, **{name.replace("-", "_"): value for name, value in headers.items()}
        )

    def _fits(self, expected: str, method: str, response: requests.Response) -> bool:
        body, error = _body(response), self._filled(expected)
        if re.match(r"\d{3} ", error):
            if "code" in body:
                assert ("details" in body) != error.startswith("400 invalid "), "a field's rule has no ID"
            details = (body.get("details") or [{}])[0]
            texts = {body.get("message"), details.get("debug", details).get("id")}
            texts |= {body.get("error"), body.get("error_description")}
            return str(response.status_code) == error[:3] and error[4:] in texts
        if response.status_code != 200:
            return False
        found: Any = body.get(ROLES, {} if body["active"] else None) if method == "roles" else body
        return all(_fits(self._filled(word), found) for word in shlex.split(expected))


def _body(response: requests.Response) -> dict[str, Any]:
    body: dict[str, Any] = response.json() if response.content else {}
    return body


def nested(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Fields by their paths; members that are numbers make a list."""
    root: dict[str, Any] = {}
    for path, value in pairs:
        *outer, last = path.split(".")
        place = root
        for part in outer:
            place = place.setdefault(part, {})
        place[last] = value
    return {name: _with_lists(value) for name, value in root.items()}


def _with_lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    members = {name: _with_lists(inner) for name, inner in value.items()}
    return list(members.values()) if members and all(map(str.isdigit, members)) else members


def _value(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return text if isinstance(value, int) and not isinstance(value, bool) else value  # IDs are texts


def _fits(word: str, body: Any) -> bool:
    found = EXPECTED.fullmatch(word)
    assert found
    path, sign, wanted = found.groups()
    for part in filter(None, path.split(".")):
        if isinstance(body, list):
            body = body[int(part)] if int(part) < len(body) else None
        else:
            body = body.get(part) if body else None
    if sign == ":":
        members = (str(member) for member in body) if body is not None else None
        return members is not None and set(members) == set(filter(None, wanted.split(",")))
    return body in (_value(wanted), wanted) if sign else body is not None
