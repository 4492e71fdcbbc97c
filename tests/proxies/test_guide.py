"""nginx, Caddy and Envoy with the configurations of docs/guides/proxies.md before zdemo and an API; Traefik is not run.

Only ports are replaced, and where nginx writes. One process of each serves the tests that only ask it. ``zdemo verify
--backend`` of each passes all cases, and misses a line that is left out.
"""

import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest

from tests.support.apis import Endpoint
from tests.support.cli import Shell
from tests.support.processes import ROOT, running_process
from tests.support.rows import UNKNOWN
from tests.support.served import served
from tests.support.upstream import LOOPBACK, free_port
from tests.support.waiting import eventually
from tests.support.wire import Reply, bearer, request
from zdemo.testing import ZitadelEmulator
from zdemo.verify.case import OF_THE_API, Group, Mark
from zdemo.verify.cases import CASES

pytestmark = pytest.mark.thorough
GUIDE = (ROOT / "docs" / "guides" / "proxies.md").read_text()
WHERE = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}{os.pathsep}/usr/sbin"
COMMANDS = {
    "nginx": ["-p", ".", "-e", "error.log", "-g", "daemon off; pid nginx.pid; user root;", "-c"],
    "caddy": ["run", "--adapter", "caddyfile", "--config"],
    "envoy": ["--use-dynamic-base-id", "--concurrency", "1", "--log-level", "error", "-c"],
}
NGINX_FILES = "access_log off;" + "".join(
    f" {name}_temp_path {name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
)
IDENTITY = {"x-auth-subject", "x-auth-username", "x-auth-roles"}
TTL = {"ZDEMO_CACHE_TTL": "0", "ZDEMO_ROLE_DENIED_STATUS": "403"}


class Backend(BaseHTTPRequestHandler):
    """An API that tells what arrived."""

    protocol_version = "HTTP/1.1"
    paths: ClassVar[list[str]] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._tell
        raise AttributeError(name)

    def _tell(self) -> None:
        self.paths.append(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        seen = {"method": self.command, "path": self.path, "fields": self.headers.items(), "length": length}
        body = json.dumps(seen).encode()
        self.send_response(403 if "forbidden" in self.path else 500 if "broken" in self.path else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@dataclass(frozen=True, kw_only=True)
class Proxy(Endpoint):
    name: str
    zitadel: ZitadelEmulator
    reader: str
    visitor: str

    def ask(self, target: str = "/messages", *fields: str, token: str | None = "", **parts: Any) -> Reply:
        sent = [] if token is None else [bearer(token or self.reader)]
        return self.send(request(target, *sent, *fields, **parts))

    def seen(self, target: str = "/messages", *fields: str, **parts: Any) -> Any:
        reply = self.ask(target, *fields, **parts)
        assert reply.status == 200, reply
        return json.loads(reply.body)


def command_of(name: str, folder: Path, ports: dict[str, int], *, instead: tuple[str, str] = ("", "")) -> list[str]:
    """Write the guide's configuration with other ports, and one change; return the command that runs the proxy."""
    program = shutil.which(name, path=WHERE)
    if program is None:
        pytest.skip(f"not installed: {name}")
    section = re.search(rf"^## {name}$.*?^```\w+\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL | re.IGNORECASE)
    assert section
    text = re.sub(rf"\b({'|'.join(ports)})\b", lambda match: str(ports[match[1]]), section[1])
    assert instead[0] in text
    text = text.replace(*instead) if instead[0] else text
    config = folder / f"{name}.yaml"
    config.write_text(text.replace("http {", f"http {{ {NGINX_FILES}", 1) if name == "nginx" else text)
    return [program, *COMMANDS[name], str(config)]


@contextmanager
def proxied(name: str, folder: Path, zdemo: int, api: int) -> Iterator[int]:
    port = free_port()
    command = command_of(name, folder, {"8000": port, "5000": zdemo, "8080": api})
    with (
        (folder / "log").open("wb") as log,
        running_process(command, folder, {"HOME": str(folder)}, stdout=log, stderr=log) as process,
    ):

        def answers() -> bool:
            assert process.poll() is None, (folder / "log").read_text()
            try:
                return Endpoint(port=port).get("/", None).status in (401, 502, 503)
            except ConnectionError:
                return False

        eventually(f"{name} answers", answers)
        yield port


@pytest.fixture(scope="module", params=COMMANDS)
def proxy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    backend = ThreadingHTTPServer((LOOPBACK, 0), Backend)
    Thread(target=backend.serve_forever, daemon=True).start()
    options = ["--forward-auth", "--no-page", *(["--denied-as", "401"] if request.param == "nginx" else [])]
    with (
        ZitadelEmulator() as zitadel,
        served(tmp_path_factory.mktemp("zdemo"), zitadel.env | TTL, *options, ready="/healthz") as zdemo,
        proxied(request.param, tmp_path_factory.mktemp("proxy"), zdemo.port, backend.server_port) as port,
    ):
        users = {"reader": zitadel.user("ünal,%", "read:messages", "a%b"), "visitor": zitadel.user("nobody")}
        yield Proxy(name=request.param, port=port, zitadel=zitadel, **users)
    backend.shutdown()
    backend.server_close()


def identity(seen: Any) -> dict[str, list[str]]:
    """Return the fields that a CGI, PHP or WSGI API would take for the user's, by their plain names."""
    fields: dict[str, list[str]] = {}
    for name, value in seen["fields"]:
        plain = re.sub("[^a-z0-9]", "-", name.lower())
        if plain.startswith("x-auth"):
            fields.setdefault(plain, []).append(value)
    return fields


def test_the_user_arrives_and_the_request_is_unchanged(proxy: Proxy) -> None:
    seen = proxy.seen("/messages?a=b", method="PATCH", body=b"abc")
    assert (seen["method"], seen["path"], seen["length"]) == ("PATCH", "/messages?a=b", 3)
    fields = identity(seen)
    assert set(fields) == IDENTITY
    assert (fields["x-auth-username"], fields["x-auth-roles"]) == (["%C3%BCnal%2C%25"], ["a%25b,read:messages"])
    upgrade = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: YQ==")
    assert proxy.ask("/messages", *upgrade, close=False).status == 200


ALIASES = [f"X{a}Auth{b}Roles" for a in "-_.~!" for b in "-_.~!"]
SPOOFS = [
    *([f"{name}: admin"] for name in ALIASES),
    ["X-Auth-Roles: admin", "x-auth-roles: root"],
    ["X-Auth-Roles:", "X-Auth-Subject:"],
    ["Connection: close, X-Auth-Roles, X-Auth-Subject, X-Auth-Username", "X-Auth-Roles: admin"],
    ["Connection: X-Auth-Roles"],
    ["X-Auth-Subject: 1", "X_Auth_Subject: 1", "X.Auth.Subject: 1", "X-AUTH_USERNAME: root"],
    ["X-Forwarded-Uri: /auth/-", "X-Original-URL: /auth/-", "X-HTTP-Method-Override: OPTIONS", "Forwarded: for=a"],
]


@pytest.mark.parametrize("spoof", SPOOFS, ids=lambda fields: fields[-1])
def test_identity_fields_of_the_client_do_not_arrive(spoof: list[str], proxy: Proxy) -> None:
    plain = identity(proxy.seen())
    assert identity(proxy.seen("/messages", *spoof)) == plain
    assert proxy.ask("/messages", *spoof, token=proxy.visitor).status == 403
    assert proxy.ask("/messages", *spoof, token=None).status == 401


PATHS = ["/a%2Fb", "/a/..;/b", "/a//b", "//auth/-", "/a/../b", "/..%2f..%2f..%2fauth/-", "/../../../-", "/%2e%2e/x"]
PATHS += ["/?/../../-", "/auth/-", "/-", "/zdemo", "/zdemo/", "/@denied", "/@failed", "/;/-", "/x?access_token=a"]
PATHS += ["/%5c..%5c", "/a%00b", "*", "http://elsewhere/auth/-"]


@pytest.mark.parametrize("path", PATHS)
def test_no_path_changes_what_is_needed(path: str, proxy: Proxy) -> None:
    for token in (None, proxy.visitor, UNKNOWN):
        for method in ("GET", "OPTIONS"):
            count = len(Backend.paths)
            reply = proxy.ask(path, token=token, method=method)
            assert len(Backend.paths) == count
            answers_itself = (proxy.name, path, method) == ("caddy", "*", "OPTIONS")  # Go does
            assert reply.status in ((200,) if answers_itself else (0, 400, 401, 403, 404, 405))


def test_what_the_api_refuses_or_breaks_is_its_own_answer(proxy: Proxy) -> None:
    for path, status in (("/forbidden", 403), ("/broken", 500)):
        reply = proxy.ask(path)
        assert (reply.status, reply.one("www-authenticate"), reply.one("retry-after")) == (status, None, None)
        assert json.loads(reply.body)["path"] == path


def test_up_to_4_kib_of_identity_arrive_and_more_are_refused(proxy: Proxy) -> None:
    roles = [f"{number:0200}" for number in range(20)]
    large = proxy.zitadel.user("large", *roles, "read:messages")
    assert identity(proxy.seen(token=large))["x-auth-roles"] == [",".join([*roles, "read:messages"])]
    proxy.zitadel.grant("large", "r" * 100)
    assert proxy.ask(token=large).status == {"nginx": 502, "caddy": 500, "envoy": 503}[proxy.name]


@pytest.mark.parametrize("name", COMMANDS)
def test_without_zdemo_nobody_passes(name: str, tmp_path: Path) -> None:
    with proxied(name, tmp_path, free_port(), free_port()) as port:
        reply = Endpoint(port=port).get("/messages", "a")
        assert reply.status == {"nginx": 502, "caddy": 502, "envoy": 503}[name]


def test_while_zitadel_is_away_all_are_told_to_come_back(proxy: Proxy) -> None:
    proxy.zitadel.fault("stopped")
    try:
        reply = proxy.ask()
        assert (reply.status, reply.one("www-authenticate")) == (503, None)
        assert int(reply.one("retry-after") or 0) >= 1
        assert proxy.ask(token=None).status == 401
    finally:
        proxy.zitadel.clear()
    eventually("ZITADEL is back", lambda: proxy.ask().status == 200)


FAST = ("--env", "ZDEMO_CACHE_TTL=0.5", "--env", "ZDEMO_TIMEOUT=2", "--window", "3")


def graded(name: str, folder: Path, *options: str, instead: tuple[str, str] = ("", "")) -> dict[str, dict[str, str]]:
    """Let ``zdemo verify`` start zdemo and the proxy, and return its cases by their IDs."""
    ports = {port: free_port() for port in ("8000", "5000", "8080")}
    own = ["--port", str(ports["5000"]), *(["--denied-as", "401"] if name == "nginx" else [])]
    zdemo = shlex.join([sys.executable, "-m", "zdemo", "serve", "--forward-auth", "--no-page", *own])
    command = f"{zdemo} & exec {shlex.join(command_of(name, folder, ports, instead=instead))}"
    doors = ("--port", str(ports["8000"]), "--backend", str(ports["8080"]), "--path", "/messages")
    shell = Shell(folder=folder, env={"HOME": str(folder), "ZDEMO_ROLE_DENIED_STATUS": "403"})
    ran = shell("verify", *doors, *options, "--json", "--", "sh", "-c", command)
    assert ran.out, ran.err
    return {case["id"]: case for case in ran.document["cases"]}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_proxy_as_the_guide_has_it_passes_everything(name: str, tmp_path: Path) -> None:
    cases = graded(name, tmp_path, *FAST, "--strict")
    assert cases.keys() == {case.id for case in CASES if case.group is not Group.MCP}
    others = {name: case["seen"] for name, case in cases.items() if case["outcome"] != Mark.PASS}
    assert others.keys() == {*OF_THE_API, "robust.public_while_hanging"}, others
    assert all(seen.startswith(("not judged at a proxy", "--public")) for seen in others.values())


MISTAKES = {
    "nginx": (("proxy_set_header X-Auth-Roles $roles;", ""), "proxy.identity"),
    "caddy": (("header_up X-Auth-Roles {header.X-Auth-Roles}", ""), "proxy.connection"),
    "envoy": (("x[^a-z0-9]auth[^a-z0-9].*", "x-auth-.*"), "proxy.underscores"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_line_that_the_guide_says_is_needed_is_missed(name: str, tmp_path: Path) -> None:
    instead, case = MISTAKES[name]
    cases = graded(name, tmp_path, "--only", "proxy", instead=instead)
    failed = {name: row["seen"] for name, row in cases.items() if row["outcome"] == Mark.FAIL}
    assert case in failed
