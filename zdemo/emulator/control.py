"""The control interface below ``/_zdemo/``: for the user's own programs on this machine, never for a web page.

A page of another site can make a browser send requests here, also with a host name of its own that leads to this
machine (DNS rebinding). So a request must name a loopback host, come from this machine, and have a header that a page
can send only after a CORS preflight, which is refused. A request with a browser's header about a page is refused too.
"""

import copy
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from zdemo.emulator.entities import NEVER, User
from zdemo.emulator.faults import Fault, Faults, new_fault
from zdemo.emulator.incoming import RequestRecords, read_body
from zdemo.emulator.world import World
from zdemo.serving.loopback import is_loopback_address, names_loopback

PREFIX = "/_zdemo/"
NAME_HEADER = "X-Zdemo-Emulator"
ALLOWED = {"state": ("GET",), "reset": ("POST",), "clock": ("GET", "POST"), "faults": ("GET", "POST", "DELETE")}
ALLOWED |= {"requests": ("GET", "DELETE"), "pats": ("POST",)}
UNITS = ("days", "hours", "minutes", "seconds")
LONGEST = timedelta(days=36500)
HEADERS = [
    ("Content-Type", "application/json"),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
]

Environ = dict[str, Any]
Answer = dict[str, Any]


class Refused(Exception):
    """A request to the control interface that is refused, with its status."""

    def __init__(self, message: str, status: int = 403) -> None:
        super().__init__(message)
        self.status = status


class Control:
    """An application with the control interface in front of it; every answer names the emulator."""

    def __init__(
        self, app: Callable[..., Iterable[bytes]], world: World, records: RequestRecords, faults: Faults
    ) -> None:
        self._app, self._world, self._records, self._faults = app, world, records, faults
        self.timeline = Timeline(world)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer below ``/_zdemo/``, and hand all other requests on."""

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            return start_response(status, [*headers, (NAME_HEADER, self._world.name)], *rest)

        path = environ["PATH_INFO"]
        if not f"{path}/".startswith(PREFIX):
            return self._app(environ, start)
        status, answer = 200, {}
        try:
            check_caller(environ)
            answer = self._answer(path.removeprefix(PREFIX), environ)
        except Refused as refusal:
            status, answer = refusal.status, {"error": str(refusal)}
        body = json.dumps(answer, separators=(",", ":")).encode() + b"\n"
        start(f"{status} {HTTPStatus(status).phrase}", [*HEADERS, ("Content-Length", str(len(body)))])
        return [body]

    def _answer(self, name: str, environ: Environ) -> Answer:
        method = environ["REQUEST_METHOD"]
        if name not in ALLOWED:
            raise Refused(f"unknown path (below {PREFIX}: {', '.join(ALLOWED)})", 404)
        if method not in ALLOWED[name]:
            raise Refused(f"{name} takes {' and '.join(ALLOWED[name])}", 405)
        with_body = environ.get("CONTENT_LENGTH", "") not in ("", "0") or "HTTP_TRANSFER_ENCODING" in environ
        body = _json_object(environ) if method == "POST" or (method == "DELETE" and with_body) else {}
        answer: Answer = getattr(self, f"_{method.lower()}_{name}")(body)
        return answer

    def _get_state(self, _body: Answer) -> Answer:
        with self._world.lock:
            now = self._world.now()
            users = [
                {
                    "id": u.id,
                    "username": u.username,
                    "state": u.state,
                    "pats": [pat.id for pat in u.pats.values() if not pat.dead and pat.expires > now],
                    "ended_pats": [pat.id for pat in u.pats.values() if pat.dead],  # listed, but ended for good
                }
                for u in self._world.users.values()
            ]
            projects = [{"id": p.id, "name": p.name, "roles": list(p.roles)} for p in self._world.projects.values()]
            assignments = [
                {"user_id": a.user_id, "project_id": a.project_id, "roles": list(a.role_keys)}
                for a in self._world.authorizations.values()
                if a.active
            ]
        return {
            "name": self._world.name,
            "external_domains": [self._world.external_domain, *self._world.other_domains],
            "advanced_seconds": self.timeline.advanced.total_seconds(),
            "faults": self._shown_faults(),
            "requests": len(self._records),
            "projects": projects,
            "users": users,
            "assignments": assignments,
        }

    def _post_reset(self, body: Answer) -> Answer:
        _only(body)
        self.reset()
        return self._get_state({})

    def reset(self) -> None:
        """Put everything back as it was at the start: the objects, the time, no faults and no requests."""
        self.timeline.reset()
        self._faults.clear()
        self._records.clear()

    def _get_clock(self, _body: Answer) -> Answer:
        return {"advanced_seconds": self.timeline.advanced.total_seconds()}

    def _post_clock(self, body: Answer) -> Answer:
        _only(body, "advance")
        parts = body.get("advance")
        if not isinstance(parts, dict) or not parts:
            raise Refused('advance is missing, for example {"advance": {"hours": 13}}', 400)
        self.timeline.advance(_duration(parts))
        return self._get_clock({})

    def _get_faults(self, _body: Answer) -> Answer:
        return {"faults": self._shown_faults()}

    def _post_faults(self, body: Answer) -> Answer:
        self._faults.add(self._fault(body))
        return self._get_faults({})

    def _delete_faults(self, body: Answer) -> Answer:
        self._faults.remove(self._fault(body)) if body else self._faults.clear()
        return self._get_faults({})

    def _fault(self, body: Answer) -> Fault:
        _only(body, "fault", "times", "path", "seconds")
        kind, path = _text(body, "fault"), _text(body, "path")
        times, seconds = _number(body, "times"), _number(body, "seconds")
        if isinstance(times, float):
            raise Refused("times must be a whole number", 400)
        try:
            return new_fault(kind, times=times, path=path, seconds=seconds)
        except ValueError as error:
            raise Refused(str(error), 400) from None

    def _shown_faults(self) -> list[Answer]:
        faults = [asdict(fault) for fault in self._faults.active()]
        return [{"fault": fault.pop("kind"), **{k: v for k, v in fault.items() if v}} for fault in faults]

    def _get_requests(self, _body: Answer) -> Answer:
        return {"requests": [asdict(record) for record in list(self._records)]}

    def _delete_requests(self, body: Answer) -> Answer:
        _only(body)
        self._records.clear()
        return self._get_requests({})

    def _post_pats(self, body: Answer) -> Answer:
        _only(body, "user_id")
        try:
            self.timeline.restore_pats(_text(body, "user_id"))
        except KeyError:
            raise Refused("user_id must be the ID of a user who was there at the start", 404) from None
        return self._get_state({})


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


def _json_object(environ: Environ) -> Answer:
    if environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused("the body must be JSON, with Content-Type: application/json", 415)
    try:
        value = json.loads(read_body(environ, lambda _count: None) or b"{}")
    except (OSError, ValueError, RecursionError):
        raise Refused("the body is not JSON", 400) from None
    if not isinstance(value, dict):
        raise Refused("the body is not a JSON object", 400)
    return value


def _only(body: Answer, *known: str) -> None:
    if unknown := [name for name in body if name not in known]:
        takes = f"known: {', '.join(known)}" if known else "there are no fields"
        raise Refused(f"unknown field: {unknown[0]} ({takes})", 400)


def _text(body: Answer, name: str) -> str:
    value = body.get(name, "")
    if not isinstance(value, str):
        raise Refused(f"{name} must be a string", 400)
    return value


def _number(body: Answer, name: str) -> Any:
    value = body.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise Refused(f"{name} must be a number", 400)
    return value


def _duration(parts: Answer) -> timedelta:
    _only(parts, *UNITS)
    numbers = {unit: _number(parts, unit) or 0.0 for unit in parts}
    try:
        duration = timedelta(**numbers)
    except (OverflowError, ValueError):
        duration = LONGEST + timedelta(1)
    if not timedelta() <= duration <= LONGEST:
        raise Refused(f"advance must be from 0 to {LONGEST.days} days", 400)
    return duration


# --- time and the way back ---

AGING = ("created", "changed", "expires", "expiration", "auth_time")  # fields that hold a time


class Timeline:
    """Keeps the beginning of a world. ``advanced`` is how much older the world has been made since."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._first = copy.deepcopy(self._state())
        self.advanced = timedelta()

    def _state(self) -> list[dict[str, Any]]:
        """Return all that changes, of the world and of its history."""
        parts = (self._world, self._world.history)
        return [{k: v for k, v in vars(part).items() if isinstance(v, dict | list | set)} for part in parts]

    def reset(self) -> None:
        """Put everything back as it was at the beginning."""
        with self._world.lock:
            for part, state in zip((self._world, self._world.history), copy.deepcopy(self._first), strict=True):
                vars(part).update(state)
            self.advanced = timedelta()

    def advance(self, duration: timedelta) -> None:
        """Make all objects older, as if this time had passed; the clock stays, since clients live in the same time."""
        seconds = duration.total_seconds()
        with self._world.lock:
            for fields in {id(fields): fields for fields in self._fields()}.values():
                _make_older(fields, seconds)
            for id_ in self._world.history.removed:
                self._world.history.removed[id_] -= seconds
            self.advanced += duration

    def _fields(self) -> Iterator[dict[str, Any]]:
        """Yield the fields of all objects; those of a token that has ended but is still listed come twice."""
        world, history = self._world, self._world.history
        owners = (world.projects, world.applications, world.users)
        for owner in (owner for group in owners for owner in group.values()):
            for inner in ("roles", "grants", "keys", "pats", "metadata"):
                yield from map(vars, getattr(owner, inner, {}).values())
        for group in (*owners, world.organizations, world.authorizations, world.administrators, world.session_tokens):
            yield from map(vars, group.values())
        for event in history.events:
            yield from (vars(event), event.payload)
        yield from (vars(ended.token) for ended in history.tokens.values())

    def restore_pats(self, user_id: str) -> None:
        """Give a user the personal access tokens of the beginning. Raises KeyError if the user was not there then."""
        first: dict[str, User] = self._first[0]["users"]
        with self._world.lock:
            user, pats = self._world.users[user_id], copy.deepcopy(first[user_id].pats)
            for pat in pats.values():
                _make_older(vars(pat), self.advanced.total_seconds())
                self._world.history.tokens.pop(pat.id, None)
                self._world.history.log(
                    user, "user.pat.added", tokenId=pat.id, expiration=pat.expires, scopes=pat.scopes
                )
            user.pats |= pats


def _make_older(fields: dict[str, Any], seconds: float) -> None:
    for name in AGING:
        if fields.get(name, NEVER) != NEVER:
            fields[name] -= seconds
