"""The control interface below ``/_zdemo/``: for the user's own programs on this machine, never for a web page.

A page of another site can make a browser send requests here, also with a host name of its own that leads to this
machine (DNS rebinding). So a request must name a loopback host, come from this machine, and have a header that a page
can send only after a CORS preflight, which is refused. A request with a browser's header about a page is refused too.
"""

import copy
import itertools
import json
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import asdict, is_dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from zdemo.emulator.app import create_app
from zdemo.emulator.entities import NEVER
from zdemo.emulator.faults import Fault, Faults, new_fault
from zdemo.emulator.incoming.body import read_body
from zdemo.emulator.incoming.request_records import KEPT, NUMBER, RequestRecord
from zdemo.emulator.sessions import set_auto_login
from zdemo.emulator.signing_keys import rotate
from zdemo.emulator.world import World
from zdemo.serving.loopback import is_loopback_address, names_loopback

PREFIX = "/_zdemo/"
UNITS = {"days": 86_400, "hours": 3600, "minutes": 60, "seconds": 1}
MOST_DAYS = 36_500

Environ = dict[str, Any]
Answer = dict[str, Any]


class Refused(ValueError):
    """A request to the control interface that is refused, with its status; any other ValueError gets 400."""

    def __init__(self, message: str, status: int = 403) -> None:
        super().__init__(message)
        self.status = status


class Emulator:
    """An emulator with the control interface in front of it; every answer names it, and its own number.

    It keeps the first state of its world. ``advanced`` is how much older its objects were made since.
    """

    url, port = "", 0  # the former with the host name of its instance, while it runs

    def __init__(self, world: World) -> None:
        self.world, self.faults, self.advanced = world, Faults(), timedelta()
        self.requests = deque[RequestRecord](maxlen=KEPT)  # the latest, the oldest first
        self._numbers = itertools.count(1)
        self._app, self._first = create_app(world, self.requests, self.faults), copy.deepcopy(_objects(world))

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer below ``/_zdemo/``, and hand all other requests on."""

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            own = ("X-Zdemo-Emulator", self.world.name), ("X-Zdemo-Request", str(environ[NUMBER]))
            return start_response(status, [*headers, *own], *rest)

        environ[NUMBER] = next(self._numbers)
        path = environ["PATH_INFO"]
        if not f"{path}/".startswith(PREFIX):
            return self._app(environ, start)
        try:
            check_caller(environ)
            status, answer = 200, self._answer(path.removeprefix(PREFIX), environ)
        except ValueError as error:
            status, answer = getattr(error, "status", 400), {"error": str(error)}
        body = json.dumps(answer, separators=(",", ":")).encode() + b"\n"
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        start(f"{status} {HTTPStatus(status).phrase}", headers)
        return [body]

    def _answer(self, name: str, environ: Environ) -> Answer:
        method = environ["REQUEST_METHOD"]
        if name not in ROUTES:
            raise Refused(f"unknown path (below {PREFIX}: {', '.join(ROUTES)})", 404)
        if method not in ROUTES[name]:
            raise Refused(f"{name} takes {' and '.join(ROUTES[name])}", 405)
        fields, change = ROUTES[name][method]
        change(self, _body(environ, fields))
        if name == "requests":
            return {"requests": [asdict(record) for record in list(self.requests)]}
        state, part = self._state(), {"clock": "advanced_seconds", "faults": "faults", "login": "auto_login"}.get(name)
        return {part: state[part]} if part else state

    def _state(self) -> Answer:
        faults = [
            {"fault": fault.kind} | {name: value for name in FAULT if (value := getattr(fault, name, None))}
            for fault in self.faults.active()
        ]
        with self.world.lock:
            now, users = self.world.now(), self.world.users.values()
            pats = {u.id: [pat.id for pat in u.pats.values() if not pat.dead and pat.expires > now] for u in users}
            projects, applications = self.world.projects.values(), self.world.applications.values()
            assignments = [a for a in self.world.authorizations.values() if a.active]
            return {
                "name": self.world.name,
                "external_domains": [self.world.external_domain, *self.world.other_domains],
                "advanced_seconds": self.advanced.total_seconds(),
                "faults": faults,
                "requests": len(self.requests),
                "auto_login": self.world.auto_login,
                "projects": [_values(p, "id", "name") | {"roles": list(p.roles)} for p in projects],
                "applications": [_values(a, "client_id", "name", "redirect_uris") for a in applications],
                "users": [_values(u, "id", "username", "state") | {"pats": pats[u.id]} for u in users],
                "assignments": [
                    _values(a, "user_id", "project_id") | {"roles": list(a.role_keys)} for a in assignments
                ],
            }

    def reset(self) -> None:
        """Put everything back as it was at the start: the objects, the time, no faults and no requests."""
        with self.world.lock:
            vars(self.world).update(copy.deepcopy(self._first))
            self.advanced = timedelta()
        self.faults.clear()
        self.requests.clear()

    def advance(self, duration: timedelta) -> None:
        """Make all objects older, as if this time had passed; the clock stays, since clients live in the same time."""
        seconds = duration.total_seconds()
        with self.world.lock:
            _make_older(_objects(self.world), seconds, set())
            for id_ in self.world.removed:
                self.world.removed[id_] -= seconds
            self.advanced += duration

    def restore_pats(self, user_id: str = "") -> None:
        """Restore the PATs that a user had at the start. Raises Refused if the user was not there at the start."""
        with self.world.lock:
            if user_id not in self._first["users"] or user_id not in self.world.users:
                raise Refused("user_id must be the ID of a user who was there at the start", 404)
            user, pats = self.world.users[user_id], copy.deepcopy(self._first["users"][user_id].pats)
            for pat in pats.values():
                _make_older(pat, self.advanced.total_seconds(), set())
                self.world.ended_tokens.pop(pat.id, None)
                self.world.log(user, "user.pat.added", tokenId=pat.id, expiration=pat.expires, scopes=pat.scopes)
            user.pats |= pats


def _values(thing: object, *names: str) -> Answer:
    return {name: getattr(thing, name) for name in names}


def check_caller(environ: Environ) -> None:
    """Raise Refused unless the request comes from a program on this machine, with the header that is required."""
    if not is_loopback_address(environ.get("REMOTE_ADDR", "")):
        raise Refused("the control interface answers only requests from this machine")
    if not names_loopback(environ.get("HTTP_HOST", "")):
        raise Refused("the control interface answers only to loopback hosts, for example localhost")
    if "HTTP_ORIGIN" in environ or any(name.startswith("HTTP_SEC_FETCH_S") for name in environ):
        raise Refused("the control interface is not for web pages")
    if environ.get("HTTP_X_ZDEMO_CONTROL") != "1":
        raise Refused("the header X-Zdemo-Control: 1 is missing")


# --- the requests: the fields of their bodies, and what they do ---


def _advance(emulator: Emulator, body: Answer) -> None:
    parts = _checked(body.get("advance", {}), dict.fromkeys(UNITS, float))
    seconds = sum(number * UNITS[name] for name, number in parts.items())
    if not parts or not 0 <= seconds <= MOST_DAYS * UNITS["days"]:
        raise ValueError(f'advance must be from 0 to {MOST_DAYS} days, for example {{"advance": {{"hours": 13}}}}')
    emulator.advance(timedelta(seconds=seconds))


def _fault(body: Answer) -> Fault:
    return new_fault(body.pop("fault", ""), **body)


def _log_in(emulator: Emulator, body: Answer) -> None:
    try:
        set_auto_login(emulator.world, body.get("user", ""))
    except KeyError as error:
        raise Refused(f"unknown person: {error.args[0]}", 404) from None


Fields = dict[str, type]
LOOK: tuple[Fields, Callable[..., None]] = ({}, lambda *_: None)
FAULT: Fields = {"fault": str, "times": int, "path": str, "seconds": float}
ROUTES: dict[str, dict[str, tuple[Fields, Callable[[Emulator, Answer], None]]]] = {
    "state": {"GET": LOOK},
    "reset": {"POST": ({}, lambda emulator, _: emulator.reset())},
    "clock": {"GET": LOOK, "POST": ({"advance": dict}, _advance)},
    "faults": {
        "GET": LOOK,
        "POST": (FAULT, lambda emulator, body: emulator.faults.add(_fault(body))),
        "DELETE": (FAULT, lambda emulator, body: emulator.faults.clear(_fault(body) if body else None)),
    },
    "login": {"GET": LOOK, "POST": ({"user": str}, _log_in), "DELETE": ({}, _log_in)},
    "keys": {
        "POST": ({}, lambda emulator, _: rotate(emulator.world)),
        "DELETE": ({}, lambda emulator, _: rotate(emulator.world, remove_old=True)),
    },
    "requests": {"GET": LOOK, "DELETE": ({}, lambda emulator, _: emulator.requests.clear())},
    "pats": {"POST": ({"user_id": str}, lambda emulator, body: emulator.restore_pats(**body))},
}
WORDS = {str: "a string", int: "a whole number", float: "a number", dict: "an object"}


def _body(environ: Environ, fields: Fields) -> Answer:
    """Return the fields of the body, which only a POST must have. Raises Refused, and ValueError for a field."""
    method, content = environ["REQUEST_METHOD"], read_body(environ) or b"{}"
    if method == "GET" or (method == "DELETE" and content == b"{}"):
        return {}
    if environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused("the body must be JSON, with Content-Type: application/json", 415)
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        raise ValueError("the body is not JSON") from None
    if not isinstance(value, dict):
        raise ValueError("the body is not a JSON object")
    return _checked(value, fields)


def _checked(body: Answer, fields: Fields) -> Answer:
    for name, value in body.items():
        if name not in fields:
            raise ValueError(f"unknown field: {name} (known: {', '.join(fields) or 'none'})")
        kind = int | float if fields[name] is float else fields[name]
        if isinstance(value, bool) or not isinstance(value, kind):
            raise ValueError(f"{name} must be {WORDS[fields[name]]}")
    return body


# --- what time changes ---

# Fields that hold a time
AGING = frozenset(
    ("created", "changed", "expires", "expiration", "auth_time", "user_checked", "password_checked", "password_changed")
)


def _objects(world: World) -> dict[str, Any]:
    return {name: value for name, value in vars(world).items() if isinstance(value, dict | list | set | str)}


def _make_older(value: Any, seconds: float, seen: set[int]) -> None:
    """Move the times in a value, and in all objects inside it, into the past, each once."""
    fields = vars(value) if is_dataclass(value) else value
    inside = fields if isinstance(fields, list) else []
    if isinstance(fields, dict) and id(fields) not in seen:
        seen.add(id(fields))
        for name in AGING & fields.keys():
            if isinstance(fields[name], int | float) and fields[name] != NEVER:
                fields[name] -= seconds
        inside = list(fields.values())
    for member in inside:
        _make_older(member, seconds, seen)
