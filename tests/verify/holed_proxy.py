"""A proxy that guards a backend, right but for the hole that a test chooses."""

import posixpath
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote

from tests.support.upstream import LOOPBACK
from zdemo.errors import IntrospectionError
from zdemo.zitadel.introspection_answer import Introspection, Introspector

OPEN_PATH = "/open"  # and all below
IDENTITY = ("X-Auth-Subject", "X-Auth-Username", "X-Auth-Roles")
Fields = list[tuple[str, str]]


@dataclass
class HoledProxy:
    """``hole`` is the name of its mistake; with none it is right."""

    introspector: Introspector
    role: str
    project_id: str
    backend: int = 0
    hole: str = ""
    answers: dict[str, Introspection] = field(default_factory=dict)

    def refusal(self, method: str, target: str, sent: dict[str, str]) -> tuple[int, Introspection | None]:
        """Return the status of a refusal, or 0, and what is known of the user."""
        role = self.role
        if self.hole == "original":
            target = sent.get("x-original-url", target)
        if self.hole == "query":
            role = parse_qs(target.partition("?")[2]).get("role", [role])[0]
        if self.hole == "method":
            method = sent.get("x-http-method-override", method)
        exempt = {
            "method": method == "OPTIONS",
            "options": method == "OPTIONS",
            "passes_options": method == "OPTIONS",
            "preflight": "access-control-request-method" in sent,
            "upgrade": "upgrade" in sent,
            "large": int(sent.get("content-length", 0)) >= 1 << 20,
            "slashes": target.startswith("//"),
        }
        if exempt.get(self.hole) or self.is_open(target):
            return 0, None
        token = sent.get("authorization", "").removeprefix("Bearer ")
        try:
            answer = self.answers[token] if token in self.answers else self.introspector.introspect(token or "none")
        except IntrospectionError:
            return 503, None
        self.answers[token] = answer
        if not answer.active:
            return 401, None
        return (0, answer) if not role or role in answer.roles(self.project_id) else (403, None)

    def is_open(self, target: str) -> bool:
        path = target.partition("?")[0]
        path = path if self.hole == "encoded_slash" else unquote(path).replace("\\", "/")
        path = path if self.hole == "parameters" else re.sub(";[^/]*", "", path)
        return f"{posixpath.normpath(path)}/".startswith(f"{OPEN_PATH}/")

    def passed_on(self, fields: Fields, user: Introspection | None) -> Fields:
        """Return the header fields for the backend."""
        named = {name.strip().lower() for each, value in fields if each == "Connection" for name in value.split(",")}
        hop = {"host", "connection", "content-length", "upgrade", *named}
        if self.hole == "options" and user is None:
            return [pair for pair in fields if pair[0].lower() not in hop]
        keeps = {"underscores": "_", "dots": "."}.get(self.hole)
        kept = [
            pair
            for pair in fields
            if not re.fullmatch("x[-_.]auth[-_.].*", pair[0].lower()) or (keeps and keeps in pair[0])
        ]
        values = ("", "", "")
        if user and self.hole != "tells_nothing":
            values = (user.text("sub"), user.text("username"), ",".join(user.roles(self.project_id)))
        for name, value in zip(IDENTITY, values, strict=True):
            claimed = [text for each, text in fields if each.lower() == name.lower()]
            keeps_claim = {
                "identity": len(claimed) == 1 and claimed != [""],
                "empty": "" in claimed,
                "nameless": claimed and not value,
                "repeated": len(claimed) > 1,
            }
            use = claimed if keeps_claim.get(self.hole) else [value] if self.hole != "tells_nothing" else []
            kept += [(name, text) for text in use]
        late = named if self.hole == "connection" else set()
        return [pair for pair in kept if pair[0].lower() not in hop - named | late]


@contextmanager
def listening(proxy: HoledProxy) -> Iterator[int]:
    """Serve it during the block; yield its port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def __getattr__(self, name: str) -> Any:
            if name.startswith("do_"):
                return self._pass_on
            raise AttributeError(name)

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fields = self.headers.items()
            target = self.requestline.split()[1]
            sent = {name.lower(): value for name, value in fields}
            if proxy.hole == "strict":  # nothing wrong: it refuses whatever is odd
                odd = any(name.startswith(("x", "access")) and "verify" not in name for name in sent)
                if odd or body or "upgrade" in sent or not re.fullmatch("[/a-z]+", target):
                    self._answer(405 if body else 400)
                    return
            status, user = proxy.refusal(self.command, target, sent)
            if status or proxy.hole == "arrives":
                self._answer(status or 200)
                return
            connection = HTTPConnection(LOOPBACK, proxy.backend)
            connection.putrequest(self.command, target, skip_accept_encoding=True)
            body = body[: 1 << 16] if proxy.hole == "body" else body
            for name, value in [*proxy.passed_on(fields, user), ("Content-Length", str(len(body)))]:
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            answer.read()
            connection.close()
            self._answer(answer.status)

        def _answer(self, status: int) -> None:
            self.send_response_only(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
