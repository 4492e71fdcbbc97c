"""Faults on demand: what a real ZITADEL in trouble was seen to answer, byte for byte, and faults of the network."""

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

from zdemo.emulator.incoming.origin import Origin
from zdemo.emulator.incoming.request_records import notes_of
from zdemo.emulator.oidc import DISCOVERY, ENDPOINTS, PREFIXES
from zdemo.emulator.oidc.responses import HTML, PLAIN
from zdemo.serving.embedded import SOCKET

Environ = dict[str, Any]
App = Callable[..., Iterable[bytes]]
Headers = list[tuple[str, str]]


KINDS = {
    "slow": "answers after some seconds (2 by default)",
    "hang": "does not answer; continues when the fault is cleared",
    "drip": "sends the answer byte by byte, one per second by default",
    "reset": "resets the connection (RST)",
    "stopped": "resets every connection, as if nothing ran here; it comes before all other faults",
    "rate-limited": "429, as from a ZITADEL that is blocked or over its limit",
    "internal-error": "500",
    "database-away": "500 with QUERY-d3fas, as from a ZITADEL without its database; 412 for /debug/ready",
    "not-json": "200 with an HTML page",
    "truncated": "ends the connection after half of the body",
    "redirect": "302 to a login page",
}
PATHS = {
    "discovery": DISCOVERY,
    "keys": ENDPOINTS["jwks_uri"][0],
    "management": "/zitadel.",
    **{name: ENDPOINTS[f"{name}_endpoint"][0] for name in ("introspection", "revocation", "token", "userinfo")},
}
STOPPED = "stopped"
SECONDS = {"slow": 2.0, "drip": 1.0}
MOST_SECONDS = 3600.0
ALIVE = ("/debug/healthz", "/debug/metrics")  # these answer also where ZITADEL's database is away, or hangs
LOOK_SECONDS = 0.1  # how often a request that hangs looks whether its client is still there
PAGE = "<!doctype html><title>Welcome</title><h1>Welcome</h1>\n"
LOGIN = "https://sso.example/login"
SERVER_ERROR = '{"error":"server_error","error_description":"Errors.Internal"}'


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A fault for the next ``times`` requests; ``path`` is a prefix, ``location`` where a redirect leads (307).

    Two faults are equal even if their ``times`` differ. Requests that wait continue when it has ``ended``.
    """

    kind: str
    times: int | None = field(default=None, compare=False)
    path: str = ""
    seconds: float = 0.0
    location: str = ""
    ended: threading.Event = field(default_factory=threading.Event, compare=False, repr=False)

    def hits(self, path: str) -> bool:
        """Return whether a request for this path meets the fault."""
        if self.kind != STOPPED and (path in ALIVE or (self.kind == "rate-limited" and path.startswith("/debug/"))):
            return path == self.path
        return path.startswith(self.path)


def new_fault(kind: str, *, times: int | None = None, path: str = "", seconds: float | None = None) -> Fault:
    """Return a fault; ``path`` is one of ``PATHS``, or begins with a slash. Raises ValueError, with the known words."""
    if kind not in KINDS:
        raise ValueError(f"unknown fault: {kind} (known: {', '.join(KINDS)})")
    is_name = path != "/management" and any(name.startswith(str(path)[1:]) for name in PATHS)  # with a slash before it
    is_name = is_name or path in map("{}/".format, PATHS.values())  # nothing is below these
    if path not in ("", "/", *PATHS) and (is_name or not str(path).startswith("/")):
        raise ValueError(f"unknown path: {path} (known: {', '.join(sorted(PATHS))}, and whole ones such as /oauth/v2)")
    if times is not None and (not isinstance(times, int) or times < 1):
        raise ValueError(f"times must be a whole number of at least 1, not {times!r}")
    if seconds is not None and kind not in SECONDS:
        raise ValueError(f"{kind} takes no seconds ({' and '.join(SECONDS)} do)")
    seconds = SECONDS.get(kind, 0.0) if seconds is None else seconds
    if not isinstance(seconds, int | float) or not 0 <= seconds <= MOST_SECONDS:
        raise ValueError(f"seconds must be a number from 0 to {MOST_SECONDS:.0f}, not {seconds!r}")
    return Fault(kind=kind, times=times, path=PATHS.get(path, path), seconds=seconds)


class Faults:
    """The faults that are active; the first one that fits is used, ``stopped`` before all others. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._active: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Add a fault behind the others."""
        with self._lock:
            self._active.append(replace(fault, ended=threading.Event()))

    def clear(self, like: Fault | None = None) -> None:
        """Remove the faults like this one, or all; requests that wait because of them continue."""
        with self._lock:
            for fault in [fault for fault in self._active if like in (None, fault)]:
                fault.ended.set()
                self._active.remove(fault)

    def active(self) -> Sequence[Fault]:
        """Return the faults that are active, with the times that are left."""
        with self._lock:
            return [fault for fault in self._active if fault.times != 0]

    def take(self, path: str) -> Fault | None:
        """Return the fault that a request meets, and count it."""
        with self._lock:
            for at in sorted(range(len(self._active)), key=lambda at: self._active[at].kind != STOPPED):
                fault = self._active[at]
                if fault.times != 0 and fault.hits(path):
                    if fault.times:  # a used-up fault stays, because a request may wait until it ends
                        self._active[at] = replace(fault, times=fault.times - 1)
                    return fault
        return None


def is_control(environ: Environ) -> bool:
    """Return whether a program that controls the emulator looks: it meets no fault, and nobody records it."""
    return environ.get("HTTP_X_ZDEMO_CONTROL") == "1"


def _wait(fault: Fault, seconds: float, client: socket.socket) -> None:
    """Wait until the time is over or the fault has ended. Raises ConnectionError if the client leaves."""
    while seconds > 0 and not fault.ended.wait(min(seconds, LOOK_SECONDS)):
        with suppress(BlockingIOError):  # the client is connected, and has sent nothing more
            if not client.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                raise ConnectionResetError
        seconds -= LOOK_SECONDS


class Faulty:
    """An application with faults. A request hangs while its answer is read: then it counts against no limit."""

    def __init__(self, app: App, faults: Faults, external_domain: str) -> None:
        self._app, self._faults, self._external_domain = app, faults, external_domain

    def __call__(self, environ: Environ, start: Callable[..., Any]) -> Iterable[bytes]:
        """Answer as the fault for this path says, or as usual."""
        path = environ["PATH_INFO"]
        fault = None if is_control(environ) else self._faults.take(path)
        if fault is None:
            return self._app(environ, start)
        notes_of(environ)["reason"] = f"fault: {fault.kind}"
        if fault.kind not in ("slow", "hang", "drip", "reset", STOPPED, "truncated"):
            status, headers, body = self._written(fault, path, environ)
            start(f"{status} -", [*headers, ("Content-Length", str(len(body)))])
            return [body]
        client = environ[SOCKET]
        if fault.kind == "slow":
            _wait(fault, fault.seconds, client)
        if fault.kind in ("hang", "reset", STOPPED):
            return self._silent(fault, environ, start)
        answer = self._app(environ, start)
        notes_of(environ).setdefault("reason", f"fault: {fault.kind}")
        return answer if fault.kind == "slow" else self._late(fault, b"".join(answer), client)

    def _silent(self, fault: Fault, environ: Environ, start: Callable[..., Any]) -> Iterator[bytes]:
        """Answer only if the fault is cleared; this runs after the request has been logged."""
        client = environ[SOCKET]
        if fault.kind in ("reset", STOPPED):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # at once
            client.close()  # else the server would first close the connection in order
            raise ConnectionResetError
        _wait(fault, inf, client)
        yield from self._app(environ, start)

    def _late(self, fault: Fault, body: bytes, client: socket.socket) -> Iterator[bytes]:
        if fault.kind == "truncated":
            yield body[: len(body) // 2]
            raise ConnectionResetError
        for at in range(len(body)):
            if fault.ended.is_set():
                yield body[at:]
                return
            yield body[at : at + 1]
            _wait(fault, fault.seconds, client)

    def _written(self, fault: Fault, path: str, environ: Environ) -> tuple[int, Headers, bytes]:
        kind = fault.kind
        if kind == "not-json":
            return 200, [("Content-Type", HTML)], PAGE.encode()
        if kind == "redirect":
            return 307 if fault.location else 302, [("Content-Type", PLAIN), ("Location", fault.location or LOGIN)], b""
        plain = path.startswith((*PREFIXES, "/debug/"))
        headers: Headers = [("X-Robots-Tag", "none")]
        if kind == "rate-limited":
            status, text = 429, "Your ZITADEL instance is blocked."
            code = ("resource_exhausted", 8, "Errors.Limits.Instance.Blocked (LIMITS-molsj)")
            headers.append(("Set-Cookie", "zitadel.quota.exhausted=true; Max-Age=300"))
        elif kind == "internal-error":
            status, text, code = 500, SERVER_ERROR, ("internal", 13, "Errors.Internal")
        else:
            status, text = self._database_away(path, environ)
            code = ("internal", 13, text)
            headers += [("Cache-Control", "no-store")] if path.startswith(PREFIXES) else []
        if plain and not text.startswith("{"):
            headers += [("Content-Type", PLAIN), ("X-Content-Type-Options", "nosniff")]
        else:
            headers.append(("Content-Type", "application/json"))
        if plain:
            return status, headers, f"{text}\n".encode()
        word, number, message = code
        body = {"code": word if path.startswith("/zitadel.") else number, "message": message}
        return status, headers, json.dumps(body, separators=(",", ":")).encode()

    def _database_away(self, path: str, environ: Environ) -> tuple[int, str]:
        failed = "failed to connect to `user=zitadel database=zitadel`: dial tcp: connect: connection refused"
        if path.startswith("/debug/"):
            status = 412 if path == "/debug/ready" else 500
            return status, f"ID=API-F24h2 Message=DB CONNECTION ERROR Parent=({failed})"
        why = f"ID=QUERY-d3fas Message=An internal error occurred Parent=({failed})"
        return 500, Origin.of(environ).unable(self._external_domain, why)
