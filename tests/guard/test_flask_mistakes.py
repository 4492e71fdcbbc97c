"""A guard in a wrong place, or none: each row is an app and requests, and no request without a token shows the text."""

import functools
import posixpath
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

import flask
import pytest
from flask import Blueprint, Flask, Response
from flask.views import MethodView
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import Rule

from tests.support.apis import Endpoint
from tests.support.mistakes import NOT_OPEN, PREFLIGHT, TEXT, Mistake, arguments, ask, check, shows
from zdemo.emulator import READER
from zdemo.server import open_route, protect, requires_token
from zdemo.serving.embedded import serving

App = TypeVar("App", Flask, Blueprint)
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS", "BREW"]
needs: Any = requires_token  # without its types, which find some of these mistakes before


def guarded(app: Flask | None = None, *open_routes: str) -> Flask:
    return protect(app or Flask("own", static_folder=None), *arguments(), open_routes=open_routes)


def view() -> Callable[..., Any]:
    return lambda **_: Response(TEXT, headers={"X-Text": TEXT})


def with_view(app: App, path: str = "/x", function: Callable[..., Any] | None = None, **options: Any) -> App:
    app.add_url_rule(path, f"at {path}", function or view(), **options)
    return app


def started(app: Flask) -> Flask:
    app.test_client().get("/x", headers={"Authorization": f"Bearer {READER.pat}"})
    return app


def plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """Any decorator that does not say what it wraps."""

    def inner(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return inner


class Things(MethodView):
    get = needs(role="a")(lambda _self: TEXT)

    @open_route  # which is not a view
    def post(self) -> str:
        return TEXT


GUARD = needs(role="a")
OPEN = open_route(lambda: "open")
VIEWS: dict[str, Callable[..., Any]] = {
    "nothing": view(),
    "a class with a guard at one method": Things.as_view("things"),
    "an open view inside another decorator": functools.wraps(OPEN)(lambda: TEXT),
    "a partial of an open view": functools.partial(open_route(lambda text=TEXT: text)),
}


def made_in_the_view() -> str:
    needs(role="b")
    return TEXT


WRONG_VIEWS: dict[str, Callable[..., Any]] = {
    "a guard that is made in the view": made_in_the_view,
    "a guard that is used in the view": lambda **_: needs(role="a")(view())(),
}


@functools.cache
def app_of_views() -> Flask:
    app = guarded(Flask("own"))
    part, whole = Blueprint("part", "part"), Blueprint("whole", "whole")
    whole.register_blueprint(with_view(part), url_prefix="/part")
    app.register_blueprint(whole, url_prefix="/nested")
    for name, function in {**VIEWS, **WRONG_VIEWS}.items():
        app.add_url_rule(f"/{name.replace(' ', '-')}", name, function, methods=["GET", "POST"])
    return app


def before_request(function: Any, *open_routes: str, role: bool = False) -> Mistake:
    def build() -> Flask:
        app, part = guarded(None, *open_routes), Blueprint("part", "part")
        part.before_request(function)
        app.register_blueprint(with_view(part))
        return app

    return Mistake(build, role=role)


def changed(change: Callable[[Flask], Any], app: Flask | None = None) -> Mistake:
    """Change what Flask runs before a request, after ``protect``."""

    def build() -> Flask:
        guarded_app = with_view(guarded(app or Flask("own")))
        change(guarded_app)
        return guarded_app

    return Mistake(build)


class Answering(Flask):
    def preprocess_request(self) -> str:
        return TEXT


def ignored(*open_routes: str, **attributes: Any) -> Mistake:
    """Write guards into an attribute of a class of views that Flask does not read."""
    views: Any = type("Ignored", (MethodView,), {"get": lambda _self: TEXT, **attributes})
    return Mistake(lambda: with_view(guarded(None, *open_routes), function=views.as_view("view")), shows=False)


def below(route: Callable[[Any], Any], *, is_shown: bool = False) -> Mistake:
    """Write a route below guards, in an app and in a blueprint."""

    def build() -> Flask:
        app, part = guarded(), Blueprint("part", "part", url_prefix="/part")
        route(app)
        route(part)
        app.register_blueprint(part)
        return app

    return Mistake(build, ("/x", "/part/x"), is_shown)


def guarded_late() -> Flask:
    late = view()
    app = started(with_view(guarded(), function=late))
    needs(role="a")(late)
    return app


def replaced() -> Flask:
    app = started(with_view(guarded(), function=open_route(lambda: "open")))
    app.view_functions["at /x"] = view()
    app.url_map.add(Rule("/late", endpoint="late"))
    app.view_functions["late"] = view()
    return app


def answering_before(*, in_blueprint: bool) -> Flask:
    app, part = Flask("own"), Blueprint("part", "part")
    (part.before_app_request if in_blueprint else app.before_request)(lambda: TEXT)
    app.register_blueprint(part)
    return with_view(guarded(app))


def around(app: Flask, layer: Callable[[Any], Any]) -> Flask:
    app.wsgi_app = layer(app.wsgi_app)  # type: ignore[method-assign]  # as Flask's documentation says
    return app


def overriding(inner: Any) -> Any:
    def call(environ: dict[str, Any], start: Any) -> Any:
        return inner(environ | {"REQUEST_METHOD": environ.get("HTTP_X_HTTP_METHOD_OVERRIDE", "GET")}, start)

    return call


def meaning(path: str) -> str:
    """Answer as a router or a proxy would that takes a path for the one it means."""
    for _ in range(3):
        path = unquote(path).replace("\\", "/")
    means = posixpath.normpath(re.sub("//|;[^/]*", "/", f"/{path}"))
    return "open" if f"{means}/".startswith("/open/") else TEXT


def catching_all() -> Flask:
    app = guarded(None, "/open/*", "/open", "/open/x/*")
    app.url_map.merge_slashes = False
    return with_view(app, "/<path:path>", meaning)


def beside_an_open_rule() -> Flask:
    app = with_view(guarded(None, "/open/<int:number>"), "/open/<int:number>", lambda **_: "open")
    return with_view(with_view(app, "/open/<word>"), "/open")


def files(folder: Path = Path()) -> Flask:
    app = guarded(Flask("own", static_folder=folder, static_url_path="/static"))
    return with_view(app, "/files/<path:name>", lambda name: flask.send_from_directory(folder, name))


def every_method() -> Flask:
    return with_view(guarded(), methods=METHODS)


ROWS = {
    **{name: Mistake(app_of_views, (f"/{name.replace(' ', '-')}",)) for name in VIEWS},
    **{name: Mistake(app_of_views, (f"/{name.replace(' ', '-')}",), shows=False) for name in WRONG_VIEWS},
    "a nested blueprint, and other methods": Mistake(
        app_of_views, ("/nested/part/x", ask("/nothing", method="HEAD"), ask("/nothing", method="POST"))
    ),
    "a class with a guard at one method": Mistake(app_of_views, ("/a-class-with-a-guard-at-one-method",), role=True),
    "open_route at a method of a class": Mistake(
        app_of_views, (ask("/a-class-with-a-guard-at-one-method", method="POST"),)
    ),
    "the guard itself before a request": before_request(needs),
    "the guard itself before a request of an open route": before_request(needs, "/x"),
    "a called guard before a request of an open route": before_request(needs(), "/x"),
    "a role before a request": before_request(needs(role="a"), role=True),
    "a role before a request of an open route": before_request(needs(role="a"), "/x", role=True),
    "a guard that Flask ignores": ignored(decorator=[needs(role="a")]),
    "a guard that Flask ignores, at an open route": ignored("/x", decorator=needs(role="a")),
    "a guard that Flask-RESTful alone reads": ignored(method_decorators=[needs(role="a")]),
    "a guard as a default, as in FastAPI": Mistake(
        lambda: with_view(guarded(), function=lambda _reader=GUARD: TEXT), shows=False
    ),
    "a cache around the guard": Mistake(
        lambda: with_view(guarded(), function=functools.cache(needs(role="a")(lambda: TEXT))), ("/x", "/x"), role=True
    ),
    "functions before a request that are replaced": changed(
        lambda app: setattr(app, "before_request_funcs", {None: [lambda: None]})
    ),
    "a list of functions that is replaced": changed(
        lambda app: app.before_request_funcs.update({None: [lambda: None]})
    ),
    "a list of functions that is cleared": changed(lambda app: app.before_request_funcs.clear()),
    "a function that is put first": changed(
        lambda app: app.before_request_funcs.setdefault(None, []).insert(0, lambda: TEXT)
    ),
    "a URL preprocessor that answers": changed(
        lambda app: app.url_value_preprocessor(lambda *_: flask.abort(Response(TEXT)))
    ),
    "a class of apps that answers before a request": changed(lambda _: None, Answering("own")),
    "a route below the guard": below(lambda app: needs(role="b")(app.get("/x")(lambda: TEXT))),
    "a route between two guards": below(lambda app: needs(role="b")(app.get("/x")(needs(lambda: TEXT)))),
    "a route below two decorators": below(
        lambda app: needs(role="b")(plain(app.get("/x")(lambda: TEXT))), is_shown=True
    ),
    "a guard that comes after the first request": Mistake(guarded_late, shows=False),
    "views that come after the first request": Mistake(replaced, ("/x", "/late")),
    "another function that answers before": Mistake(lambda: answering_before(in_blueprint=False)),
    "a blueprint that answers before": Mistake(lambda: answering_before(in_blueprint=True)),
    "static files": Mistake(files, ("/static/word.txt", "/files/word.txt")),
    "each method": Mistake(every_method, tuple(ask("/x", method=method) for method in METHODS)),
    "half a preflight": Mistake(
        every_method,
        (ask("/x", PREFLIGHT[0], method="OPTIONS"), ask("/x", PREFLIGHT[1], method="OPTIONS"), ask("/x", *PREFLIGHT)),
    ),
    "a preflight": Mistake(every_method, (ask("/x", *PREFLIGHT, method="OPTIONS"),), shows=False),
    "a method in a header": Mistake(
        lambda: around(with_view(guarded()), overriding), (ask("/x", "X-HTTP-Method-Override: GET", method="OPTIONS"),)
    ),
    "paths beside an open one": Mistake(
        catching_all, (*NOT_OPEN, "/open/..\\private", "http://a/open/../private", "http:///open/../private")
    ),
    "rules beside an open one": Mistake(beside_an_open_rule, ("/open", "/open/x")),
    "a prefix that the client claims": Mistake(
        lambda: around(with_view(guarded(None, "/open/*")), functools.partial(ProxyFix, x_prefix=1)),
        ("/x", ask("/x", "X-Forwarded-Prefix: /open", "X-Forwarded-Path: /open/x")),
    ),
    "an app below the prefix that it opens": Mistake(
        lambda: DispatcherMiddleware(Flask("outer"), {"/open": with_view(guarded(None, "/open/*"), "/<path:path>")}),
        ("/open/x", "/open/open/../x"),
    ),
}


STAGE: list[Flask] = []  # the app of the test that runs: one server is enough


@pytest.fixture(scope="module")
def api() -> Iterator[Endpoint]:
    def staged(environ: Any, start: Any) -> Any:
        return STAGE[-1](environ, start)

    with serving(staged) as port:
        yield Endpoint(port=port)


@pytest.mark.parametrize("name", ROWS)
def test_nobody_sees_the_text_without_a_token(name: str, api: Endpoint, tmp_path: Path) -> None:
    (tmp_path / "word.txt").write_text(TEXT)
    build = ROWS[name].build
    STAGE.append(files(tmp_path) if build is files else build())
    check(api, ROWS[name])


def test_no_request_of_a_test_finds_the_token_of_another() -> None:
    """A test may send several in one app context, whose ``g`` they share."""
    app = with_view(with_view(guarded(None, "/open"), function=needs(role="a")(lambda: TEXT)), "/plain")
    with_view(app, "/open", lambda: "known" if "introspection" in flask.g else "unknown")
    with app.app_context(), app.test_client() as client:
        for path, status in (("/x", 401), ("/plain", 401), ("/open", 200), ("/nowhere", 404)):
            admitted = client.get("/x", headers={"Authorization": f"Bearer {READER.pat}"})
            assert (admitted.text, "introspection" in flask.g) == (TEXT, True)
            reply = client.get(path)
            assert (reply.status_code, "introspection" in flask.g) == (status, False)
        assert client.get("/open").text == "unknown"


def test_a_mounted_app_decides_by_itself(api: Endpoint) -> None:
    """It gets the environ of the outer app, and may ask another ZITADEL."""
    inner = with_view(guarded())
    inner.extensions["zdemo"].introspector.introspect = lambda _: flask.abort(418)
    outer = lambda: Response.from_app(inner, flask.request.environ | {"PATH_INFO": "/x"})  # noqa: E731  # a view
    STAGE.append(with_view(guarded(), "/in", outer))
    assert api.get("/in").status == 418
    assert not shows(api.get("/in", None))
