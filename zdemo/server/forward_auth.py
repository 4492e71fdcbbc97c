"""Forward authentication: a proxy asks about each request, which guards APIs in any language.

The path names the roles that a token needs, all of them: ``/auth/-``, ``/auth/role/A/role/B/-``. Clients reach what
follows ``-``, a query, and fields such as ``X-Forwarded-Uri``. So of the rest of a request, only ``Authorization`` is
read. A preflight is refused too: what tells that it is one comes from the client, so the proxy must answer it.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from flask import Flask, Request
from werkzeug.routing import Rule

from zdemo.config.settings import Settings
from zdemo.errors import IntrospectionError, InvalidRequest, Refused
from zdemo.guard.authorization import RequiredRoles, authorize, bearer_token
from zdemo.guard.flask_guard import (
    ID_HEADER,
    INTROSPECTION,
    NO_STORE,
    OBSERVED,
    OUTCOME,
    REASON,
    REQUEST_ID,
    VARY,
    explained,
    logger,
    serving_metadata,
)
from zdemo.guard.guard import DEFAULT_THREADS, Guard, Refusal, new_request_id, path_in
from zdemo.http.example_api import PROXIES_ONLY
from zdemo.serving import WSGIApp
from zdemo.text.printable import one_line
from zdemo.zitadel.introspection_answer import Introspection, Introspector

FORWARD_AUTH = "zdemo.forward_auth"  # the extension of an app that has it
PREFIX = "/auth/"
RULE = Rule(f"{PREFIX}<path:_>", endpoint="forward_auth")  # its name in the metrics
MALFORMED = InvalidRequest.status
MOST_IDENTITY_BYTES = 4096  # of the fields with the user; proxies take 4 to 8 KiB of header fields
_escaped = partial(quote, safe=":/@", errors="backslashreplace")  # JSON may hold half a character
NO_PATH = Refusal(404, "not_found", PROXIES_ONLY)
TOO_LARGE = Refusal(500, "internal_server_error", "the token's identity is too large; see this API's log")


def forward_auth(
    settings: Settings | Mapping[str, str] | None = None,
    introspector: Introspector | None = None,
    *,
    threads: int = DEFAULT_THREADS,
    denied_as: int = MALFORMED,
) -> WSGIApp:
    """Return the app for any WSGI server; the first arguments are those of ``protect``.

    ``denied_as`` is the status of a malformed ``Authorization``: 401 for nginx, which makes 500 of 400. Raises
    SettingsError.
    """
    guard = Guard.of(settings, introspector, (), threads=threads, log=logger)
    app = ForwardAuth(guard, denied_as)
    return serving_metadata(guard.resource, app) if guard.resource else app


@dataclass(frozen=True)
class ForwardAuth:
    """The WSGI app: it answers any method and any path."""

    guard: Guard
    denied_as: int

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer 200 with the user in three fields, or refuse the request."""
        identity = environ.setdefault(REQUEST_ID, new_request_id())
        environ[INTROSPECTION] = None
        answer, status, body = self._decide(environ, identity), HTTPStatus.OK, b""
        if isinstance(answer, Refusal):
            status, body = HTTPStatus(answer.status), json.dumps(answer.body(identity)).encode()
            environ.setdefault(OUTCOME, answer.error)
            environ.setdefault(REASON, answer.description)
            answer = [("Content-Type", "application/json"), *answer.headers.items()]
        if OBSERVED not in environ:  # the layer that observes adds its own
            answer += [NO_STORE, VARY, (ID_HEADER, identity)]
        headers = [*answer, ("Content-Length", str(len(body)))]
        start_response(f"{status.value} {status.phrase}", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def _decide(self, environ: dict[str, Any], identity: str) -> Refusal | list[tuple[str, str]]:
        roles = _roles_needed(environ)
        if roles is None:
            return NO_PATH
        try:
            token = bearer_token(environ.get("HTTP_AUTHORIZATION"))
            introspection = environ[INTROSPECTION] = self.guard.introspector.introspect(token)
            authorize(introspection, self.guard.policy, now=self.guard.now(), roles=roles)
        except (Refused, IntrospectionError) as error:
            answer, environ[REASON] = explained(error, self.guard, identity)
            return answer._replace(status=self.denied_as) if isinstance(error, InvalidRequest) else answer
        return self._identity(introspection)

    def _identity(self, introspection: Introspection) -> Refusal | list[tuple[str, str]]:
        """Return the fields with the user: all of them, also the empty ones, so that none of the client's is left."""
        roles = introspection.roles(self.guard.policy.project_id)
        fields = [
            ("X-Auth-Subject", _escaped(introspection.text("sub"))),
            ("X-Auth-Username", _escaped(introspection.text("username"))),
            ("X-Auth-Roles", ",".join(map(_escaped, roles))),
        ]
        size = sum(len(value) for _, value in fields)
        if size <= MOST_IDENTITY_BYTES:
            return fields
        what = f"the identity of {one_line(introspection.caller)} takes {size} bytes, more than {MOST_IDENTITY_BYTES}"
        self.guard.log.error(what, "grant the user fewer roles of this project")
        return TOO_LARGE


def add_forward_auth(app: Flask, guard: Guard, denied_as: int) -> None:
    """Let ``/auth/…`` of an app answer proxies, in a layer inside the one that observes."""
    inner, answer = app.wsgi_app, ForwardAuth(guard, denied_as)
    app.extensions[FORWARD_AUTH] = answer

    def call(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not environ["PATH_INFO"].startswith(PREFIX):
            return inner(environ, start_response)
        Request(environ).url_rule = RULE  # a request is kept where that layer looks for it
        try:
            return answer(environ, start_response)
        finally:
            environ["werkzeug.request"] = None  # as Flask does, else the two hold each other

    app.wsgi_app = call  # type: ignore[method-assign]  # as Flask's documentation says


def _roles_needed(environ: Mapping[str, Any]) -> RequiredRoles | None:
    """Return what the path asks for; ``None`` for any other path.

    Servers that tell the path as it came may have resolved ``..`` in the other one, and with it removed the roles.
    """
    sent = path_in(environ.get("RAW_URI") or environ.get("REQUEST_URI") or "")
    path = sent.removeprefix(environ.get("SCRIPT_NAME", "")) if sent else environ.get("PATH_INFO", "")
    segments = map(unquote_to_bytes if sent else bytes, path.encode("latin-1", "replace").split(b"/"))
    if next(segments) or next(segments, b"") != b"auth":
        return None
    roles: list[str] = []
    for segment in segments:
        if segment == b"-":
            return RequiredRoles(all_of=tuple(roles))
        role = next(segments, b"").decode(errors="replace")
        is_role = role not in ("", "-") and role.isprintable() and not {"/", "\ufffd"} & set(role)
        if segment != b"role" or not is_role:
            return None
        roles.append(role)
    return None
