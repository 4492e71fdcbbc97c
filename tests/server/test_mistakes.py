"""A guard in a wrong place, or none: each row is an app and requests, and no request without a token shows the text."""

from __future__ import annotations

import asyncio
import posixpath
import re
import threading
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote

import flask
import pytest
from flask import Blueprint, Flask, Response
from flask.views import MethodView, View
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import Rule

from tests.support.apis import Endpoint
from tests.support.mistakes import ORIGIN, PREFLIGHT, SETTINGS, TEXT, Mistakes, TwoTokens, ask, check, shows
from zdemo.emulator import READER
from zdemo.server import open_route, protect, requires_token
from zdemo.serving import WSGIApp
from zdemo.serving.embedded import serving

ROWS = Mistakes()
needs: Any = requires_token  # without its types, which find some of these mistakes before


def guarded(app: Flask | None = None, *open_routes: str) -> Flask:
    return protect(app or Flask("own", static_folder=None), SETTINGS, TwoTokens(), open_routes=open_routes)


def view() -> Callable[..., Any]:
    """Return a view that no other app has."""
    return lambda **_: TEXT


def with_view(app: Flask, path: str = "/x", function: Callable[..., Any] | None = None, **options: Any) -> Flask:
    app.add_url_rule(path, "x", function or view(), **options)
    return app


def plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """Any decorator that does not say what it wraps."""

    def inner(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return inner


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    """Any decorator that says it."""
    return wraps(function)(plain(function))


def cached(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator that answers everybody what it has answered once."""
    answers: list[Any] = []

    @wraps(function)
    def inner() -> Any:
        answers[:] = answers or [function()]
        return answers[0]

    return inner


# --- no guard, or one that nothing calls


@ROWS.row("/x", "/nested/part/x", ask("/x", method="HEAD"))
def a_view_without_a_guard() -> Flask:
    app, part, whole = guarded(), Blueprint("part", "part"), Blueprint("whole", "whole")
    with_view(part, function=lambda: Response(TEXT, headers={"X-Text": TEXT}))  # type: ignore[arg-type]  # as an app
    whole.register_blueprint(part, url_prefix="/part")
    app.register_blueprint(whole, url_prefix="/nested")
    return with_view(app, function=lambda: Response(TEXT, headers={"X-Text": TEXT}))


@ROWS.row(shows=False)
def a_guard_that_is_made_in_the_view() -> Flask:
    def wrong() -> str:
        needs(role="b")
        return TEXT

    return with_view(guarded(), function=wrong)


@ROWS.row(shows=False)
def a_guard_that_is_used_in_the_view() -> Flask:
    def wrong() -> str:
        needs(role="a")(view())()
        return TEXT

    return with_view(guarded(), function=wrong)


@ROWS.row(shows=False)
def a_guard_that_is_made_in_a_before_request_function() -> Flask:
    app = with_view(guarded())
    app.before_request(lambda: needs(role="a") and None)
    return app


@ROWS.row(shows=False)
def the_guard_as_a_before_request_function() -> Flask:
    app = with_view(guarded())
    app.before_request(needs)
    return app


@ROWS.row()
def a_guard_in_a_list() -> Flask:
    guards = [needs(role="a")]
    return with_view(guarded(), function=lambda: TEXT if guards else "")


@ROWS.row("/x", ask("/x", method="POST"))
def a_guard_on_one_method_of_a_class() -> Flask:
    class Things(MethodView):
        get = needs(role="a")(lambda _self: TEXT)

        def post(self) -> str:
            return TEXT

    return with_view(guarded(), function=Things.as_view("things"))


@ROWS.row()
def open_route_above_a_method() -> Flask:
    class Things(MethodView):
        @open_route
        def get(self) -> str:
            return TEXT

    return with_view(guarded(), function=Things.as_view("things"))


@ROWS.row()
def a_class_with_decorators_of_its_own() -> Flask:
    class Thing(View):
        decorators: ClassVar = [logged, cached, plain]

        def dispatch_request(self) -> str:
            return TEXT

    return with_view(guarded(), function=Thing.as_view("thing"))


@ROWS.row()
def a_view_that_is_async() -> Flask:
    class AsyncFlask(Flask):
        def async_to_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
            return lambda *args, **kwargs: asyncio.run(func(*args, **kwargs))

    async def asynchronous() -> str:
        return TEXT

    return with_view(guarded(AsyncFlask("own")), function=asynchronous)


@ROWS.row()
def a_stream() -> Flask:
    def parts() -> Iterator[str]:
        yield from TEXT

    return with_view(guarded(), function=lambda: Response(flask.stream_with_context(parts())))


@ROWS.row()
def a_view_in_a_thread() -> Flask:
    def wrong() -> str:
        found: list[str] = []
        thread = threading.Thread(target=flask.copy_current_request_context(lambda: found.append(TEXT)))
        thread.start()
        thread.join()
        return found[0]

    return with_view(guarded(), function=wrong)


# --- around the guard


@ROWS.row(shows=False)
def the_route_below_the_guard() -> Flask:
    app = guarded()
    needs(role="a")(app.get("/x")(lambda: TEXT))
    return app


@ROWS.row(shows=False)
def the_route_below_the_guard_in_a_blueprint() -> Flask:
    app, part = guarded(), Blueprint("part", "part")
    needs(part.get("/x")(lambda: TEXT))
    app.register_blueprint(part)
    return app


@ROWS.row(shows=False)
def the_route_between_two_guards() -> Flask:
    app = guarded()
    needs(role="b")(app.get("/x")(needs(lambda: TEXT)))
    return app


@ROWS.row(shows=False)
def a_view_that_is_guarded_elsewhere_and_after_the_first_request() -> Flask:
    def late() -> str:
        return TEXT

    app = with_view(guarded(), function=late)
    app.test_client().get("/x", headers={"Authorization": f"Bearer {READER.pat}"})
    needs(role="a")(late)
    return app


@ROWS.row()
def the_route_below_two_decorators() -> Flask:
    app = guarded()
    needs(role="b")(plain(app.get("/x")(lambda: TEXT)))
    return app


@ROWS.row()
def a_cache_above_the_guard() -> Flask:
    return with_view(guarded(), function=cached(needs(role="a")(lambda: TEXT)))


@ROWS.row()
def an_open_view_inside_another_decorator() -> Flask:
    return with_view(guarded(), function=logged(open_route(lambda: TEXT)))


@ROWS.row("/y")
def one_view_open_and_another_copied_from_it() -> Flask:
    app = with_view(guarded(), function=open_route(lambda: "open"))
    app.add_url_rule("/y", "y", wraps(app.view_functions["x"])(lambda: TEXT))
    return app


@ROWS.row()
def a_view_that_takes_the_place_of_an_open_one() -> Flask:
    app = with_view(guarded(), function=open_route(lambda: "open"))
    app.test_client().get("/x")
    app.view_functions["x"] = view()
    return app


@ROWS.row()
def a_rule_that_is_added_late() -> Flask:
    app = with_view(guarded(), "/open", open_route(lambda: "open"))
    app.test_client().get("/open")
    app.url_map.add(Rule("/x", endpoint="late"))
    app.view_functions["late"] = view()
    return app


# --- other parts of the app that answer


@ROWS.row()
def a_before_request_function_that_answers() -> Flask:
    app = Flask("own")
    app.before_request(lambda: TEXT)
    return guarded(with_view(app))


@ROWS.row()
def a_blueprint_that_answers_for_the_whole_app() -> Flask:
    app, part = Flask("own"), Blueprint("part", "part")
    part.before_app_request(lambda: TEXT)
    app.register_blueprint(part)
    return with_view(guarded(app))


@ROWS.row("/static/word.txt", "/files/word.txt")
def files() -> Flask:
    return files_of(Path())


def files_of(folder: Path) -> Flask:
    app = guarded(Flask("own", static_folder=folder, static_url_path="/static"))
    app.add_url_rule("/files/<path:name>", "files", lambda name: flask.send_from_directory(folder, name))
    return app


@ROWS.row()
def a_handler_for_every_error() -> Flask:
    app = with_view(Flask("own"))
    app.register_error_handler(Exception, lambda error: (f"own: {type(error).__name__}", 200))
    return guarded(app)


@ROWS.row("/x", "/x/", "/y/")
def a_slash_at_the_end() -> Flask:
    app = with_view(guarded(), strict_slashes=False)
    app.add_url_rule("/y/", "y", view())
    return app


@ROWS.row(ask("/x", "Connection: upgrade", "Upgrade: websocket", close=False, version="HTTP/1.0"), shows=False)
def a_handshake_of_a_websocket() -> Flask:
    return with_view(guarded())


# --- methods


@ROWS.row(
    *(ask("/x", method=method) for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS", "BREW")),
    ask("/x", ORIGIN, method="OPTIONS"),
    ask("/x", "Access-Control-Request-Method: GET", method="OPTIONS"),
    ask("/x", *PREFLIGHT),
)
def a_view_for_every_method() -> Flask:
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS", "BREW"]
    return with_view(guarded(), methods=methods)


@ROWS.row(ask("/x", *PREFLIGHT, method="OPTIONS"), shows=False)
def a_view_that_answers_preflights() -> Flask:
    return with_view(guarded(), methods=["GET", "OPTIONS"])


@ROWS.row(ask("/x", "X-HTTP-Method-Override: GET", method="OPTIONS"))
def a_method_in_a_header() -> Flask:
    app = with_view(guarded())
    inner = app.wsgi_app

    def overriding(environ: dict[str, Any], start: Any) -> Any:
        environ["REQUEST_METHOD"] = environ.get("HTTP_X_HTTP_METHOD_OVERRIDE", environ["REQUEST_METHOD"])
        return inner(environ, start)

    app.wsgi_app = overriding  # type: ignore[assignment,method-assign]  # as Flask's documentation says
    return app


# --- paths of open routes


def everywhere(path: str = "") -> str:
    """Answer as a router or a proxy would that takes a path for the one it means."""
    for _ in range(3):
        path = unquote(path).replace("\\", "/")
    means = posixpath.normpath(re.sub("//|;[^/]*", "/", f"/{path}"))
    return "open" if means == "/open" or means.startswith("/open/") else TEXT


def catching_all(*open_routes: str) -> Flask:
    app = guarded(None, *open_routes)
    app.url_map.merge_slashes = False
    return with_view(app, "/<path:path>", everywhere)


@ROWS.row(
    *("/open/../private", "/open/..", "/open/x/../../private", "/open/%2e%2e/private", "/open/.%2E/private"),
    *("/open/%252e%252e/private", "/open/%25252e%25252e/x", "/open%2f..%2fprivate", "/open/..%2fprivate"),
    *("/open/%252e./private", "/open/..%5cprivate", "/open/..\\private", "/open\\..\\private", "/open/..;/private"),
    *("//open/../private", "/open//../../private", "/open/x%3f/../../private", "/open/%3f/..%2f..%2fprivate"),
    *("/open/../private?/open/", "http://a/open/../private", "http:///open/../private", "/open/%00/../../x"),
)
def a_path_that_leads_out_of_an_open_one() -> Flask:
    return catching_all("/open/*", "/open/x/*")


@ROWS.row("/openprivate", "/open2/x", "/OPEN/x", "/Open", "/%6fpen2/x", "/private?/open/x", "/x/open/")
def a_path_that_begins_like_an_open_one() -> Flask:
    return catching_all("/open/*", "/open")


@ROWS.row("/open", "/open/x")
def a_rule_beside_an_open_one() -> Flask:
    app = guarded(None, "/open/<int:number>")
    app.add_url_rule("/open/<int:number>", "open", lambda **_: "open")
    app.add_url_rule("/open", "y", view())
    return with_view(app, "/open/<word>")


@ROWS.row(ask("/x", "X-Forwarded-Prefix: /open", "X-Forwarded-Path: /open/x"), "/x")
def a_prefix_that_the_client_claims() -> Flask:
    app = with_view(guarded(None, "/open/*"))
    app.wsgi_app = ProxyFix(app.wsgi_app, x_prefix=1)  # type: ignore[method-assign]  # as above
    return app


@ROWS.row("/open/x", "/open/open/../x")
def an_app_below_the_prefix_that_it_opens() -> Any:
    inner = with_view(guarded(None, "/open/*"))
    inner.add_url_rule("/open/../x", "y", view())
    return DispatcherMiddleware(Flask("outer"), {"/open": inner})


class Stage:
    """A WSGI app that is another one in each test, so that one server is enough."""

    def __init__(self) -> None:
        self.app: WSGIApp = Flask("none")

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Any:
        return self.app(environ, start)


STAGE = Stage()


@pytest.fixture(scope="module")
def api() -> Iterator[Endpoint]:
    with serving(STAGE) as port:
        yield Endpoint(port=port)


@pytest.mark.parametrize("name", ROWS)
def test_nobody_sees_the_text_without_a_token(name: str, api: Endpoint, tmp_path: Path) -> None:
    mistake = ROWS[name]
    (tmp_path / "word.txt").write_text(TEXT)
    STAGE.app = files_of(tmp_path) if mistake.build is files else mistake.build()
    check(api, mistake)


def test_no_request_of_a_test_finds_the_token_of_another() -> None:
    """A test may send several in one app context, whose ``g`` they share."""
    app = with_view(guarded(None, "/open"), function=needs(role="a")(lambda: TEXT))
    app.add_url_rule("/open", "open", lambda: "known" if "introspection" in flask.g else "unknown")
    app.add_url_rule("/plain", "plain", view())
    with app.app_context(), app.test_client() as client:
        for path, status in (("/x", 401), ("/plain", 401), ("/open", 200), ("/nowhere", 404)):
            admitted = client.get("/x", headers={"Authorization": f"Bearer {READER.pat}"})
            assert (admitted.text, "introspection" in flask.g) == (TEXT, True)
            reply = client.get(path)
            assert (reply.status_code, "introspection" in flask.g) == (status, False)
        assert client.get("/open").text == "unknown"


def test_a_mounted_app_decides_by_itself(api: Endpoint) -> None:
    """It gets the environ of the outer app, and may ask another ZITADEL."""
    inner = with_view(protect(Flask("inner"), SETTINGS, TwoTokens()))
    inner_zitadel = inner.extensions["zdemo"].introspector
    inner_zitadel.introspect = lambda _: flask.abort(418)

    def mounted(path: str) -> Any:
        return Response.from_app(inner, flask.request.environ | {"PATH_INFO": f"/{path}"})

    STAGE.app = with_view(guarded(), "/in/<path:path>", mounted)
    assert api.get("/in/x").status == 418
    assert not shows(api.get("/in/x", None))
