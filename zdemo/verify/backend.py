"""The backend behind a proxy: it keeps what arrives there, as it arrived."""

import posixpath
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple
from urllib.parse import unquote

from zdemo.serving.embedded import RECEIVED
from zdemo.verify.api_client import ApiReply

IDENTITY = ("X-Auth-Subject", "X-Auth-Username", "X-Auth-Roles")  # what zdemo serve --forward-auth says of a user
MARKER = "x-zdemo-verify"  # each question has its own; a proxy's health checks have none
LONGEST_BODY = 1 << 22


class Arrival(NamedTuple):
    """A request as the backend got it."""

    method: str
    target: str
    fields: list[tuple[str, str]]
    size: int

    @property
    def path(self) -> str:
        """The path as the most generous backends read it: decoded, without ``;…`` and empty parts, ``..`` resolved."""
        path = unquote(self.target.partition("?")[0]).replace("\\", "/")
        return posixpath.normpath("/" + re.sub(";[^/]*", "", path).lstrip("/"))

    @property
    def identity(self) -> dict[str, list[str]]:
        """What it says of the user; CGI, WSGI and PHP take other characters in a name for ``-``."""
        plain = [(re.sub("[^a-z0-9]", "-", name.lower()), value.strip()) for name, value in self.fields]
        values = {name: [value for field, value in plain if field == name.lower()] for name in IDENTITY}
        return {name: [] if each == [""] else each for name, each in values.items()}


class Passage(NamedTuple):
    """A request to the proxy: its answer, and what of it arrived at the backend."""

    reply: ApiReply
    arrivals: list[Arrival]


class Backend:
    """A WSGI app that answers everything with 200, and keeps what arrives by the question's marker."""

    def __init__(self) -> None:
        self.arrivals: dict[str, list[Arrival]] = {}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request."""
        line, fields = environ[RECEIVED]
        method, target, *_ = line.split()
        marker = next((value for name, value in fields if name.lower() == MARKER), "")
        arrival = Arrival(method, target, fields, len(environ["wsgi.input"].read(LONGEST_BODY)))
        self.arrivals.setdefault(marker, []).append(arrival)
        start_response("200 OK", [("Content-Type", "text/plain"), ("Cache-Control", "no-store")])
        return [b"" if method == "HEAD" else b"the backend of zdemo verify"]
