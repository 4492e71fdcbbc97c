"""Flask without what takes time and this API does not use, see docs/performance.md."""

import json
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from inspect import iscoroutinefunction
from typing import Any

from flask import Flask, Request, Response
from flask.json.provider import DefaultJSONProvider
from flask.sessions import NullSession, SessionInterface
from werkzeug.routing import MapAdapter, Rule
from werkzeug.sansio.utils import get_host

LONGEST_KEPT_HOST = 255  # characters
COMPACT = {"separators": (",", ":")}  # what Flask asks for when it does not debug


class OnePiece(Response):
    """A response whose body is given to the server as a list, if it is in memory, and not as an iterator with an end.

    A 200 like that needs none of the corrections that Werkzeug makes: its length is known, and it leads nowhere else.
    """

    def get_wsgi_response(self, environ: dict[str, Any]) -> tuple[Iterable[bytes], str, list[tuple[str, str]]]:
        """Return the body, the status line and the headers."""
        is_complete = self.status_code == 200 and self.is_sequence and "Content-Length" in self.headers
        if not is_complete or environ["REQUEST_METHOD"] == "HEAD":
            return super().get_wsgi_response(environ)
        body = list(self.iter_encoded())
        self.close()
        return body, self.status, self.headers.to_wsgi_list()


class OneEncoder(DefaultJSONProvider):
    """JSON as Flask writes it, by an encoder that is made once, and not for each answer."""

    def __init__(self, app: Flask) -> None:
        super().__init__(app)
        self._encoder = json.JSONEncoder(
            default=self.default,
            ensure_ascii=self.ensure_ascii,
            sort_keys=self.sort_keys,
            separators=COMPACT["separators"],
        )

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        """Return JSON text."""
        return self._encoder.encode(obj) if kwargs == COMPACT else super().dumps(obj, **kwargs)


class NoSessions(SessionInterface):
    """Sessions of an app without a secret key: always empty, and never saved."""

    _empty = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:  # noqa: ARG002  # Flask's
        """Return the session of every request."""
        return self._empty


class KeptRoutes(MapAdapter):
    """The search for a route, done only once for a route without variables.

    Werkzeug's search also leaves garbage, and Python's collector stops all threads to free it.
    ``found`` has the routes by path and method. Only a route's own path is kept there, not other ways to spell it.
    """

    def __init__(self, *args: Any, found: dict[tuple[str, str], Rule], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._found = found

    def match(self, *args: Any, **kwargs: Any) -> tuple[Any, Mapping[str, Any]]:
        """Return a route and its variables as werkzeug does."""
        if self.websocket or args or kwargs != {"return_rule": True}:  # not as Flask calls it for each request
            return super().match(*args, **kwargs)
        key = self.path_info, self.default_method
        if rule := self._found.get(key):
            return rule, {}
        rule, variables = super().match(return_rule=True)
        if self.path_info == rule.rule and not rule.arguments and self.default_method in (rule.methods or ()):
            self._found[key] = rule
        return rule, variables


class ApiFlask(Flask):
    """The app of the example API."""

    response_class = OnePiece
    json_provider_class = OneEncoder
    session_interface = NoSessions()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._found_routes: dict[tuple[str, str], Rule] = {}

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that a request can call; whether one is async is looked up once."""
        return super().ensure_sync(func) if _is_async(func) else func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Return what finds the route of a request: by its path alone, since no route here has a host of its own."""
        if request is None or self.config.get("TRUSTED_HOSTS"):  # the latter is new in Flask 3.1
            return super().create_url_adapter(request)
        return KeptRoutes(
            self.url_map,
            found=self._found_routes,
            server_name=_host(request.scheme, request.environ.get("HTTP_HOST")),
            script_name=request.root_path,
            subdomain="",
            url_scheme=request.scheme,
            path_info=request.path,
            default_method=request.method,
            query_args=request.environ.get("QUERY_STRING"),
        )


_is_async = lru_cache(maxsize=256)(iscoroutinefunction)


def _host(scheme: str, header: str | None) -> str:
    """Return the host that a request names. A long one is not kept: a client may send many of 400 KB."""
    find = _kept_host if len(header or "") <= LONGEST_KEPT_HOST else _kept_host.__wrapped__
    return find(scheme, header)


@lru_cache(maxsize=64)
def _kept_host(scheme: str, header: str | None) -> str:
    """Return the host that a request names. Cached, since most requests name the same few."""
    return get_host(scheme, header).lower()
