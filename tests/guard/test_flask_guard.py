"""The guard on another Flask app: three lines, and everything else stays that app's own."""

import asyncio
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from itertools import cycle
from typing import Any, ClassVar

import flask
import pytest
from fastapi import FastAPI
from flask import Blueprint, Flask
from flask.views import MethodView, View
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.middleware.proxy_fix import ProxyFix

from tests.support.apis import THREADS, Api, asking, running, settings_for
from tests.support.introspector_doubles import Scripted
from tests.support.rows import CHALLENGE, CHUNKED, FORM, INVALID_REQUEST, check_body
from tests.support.upstream import LOOPBACK
from tests.support.wire import bearer, converse, request
from zdemo.emulator import READER, VISITOR, emulate
from zdemo.errors import ROLE_SCOPE, GuardError, Refused, ZitadelUnavailable
from zdemo.guard.authorization import Policy
from zdemo.server import open_route, protect, requires_token
from zdemo.zitadel.introspection_answer import ROLES_CLAIM, Introspection


class AsyncFlask(Flask):
    """A Flask that runs async views without another package (the hook is Flask's)."""

    def async_to_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **kwargs: asyncio.run(func(*args, **kwargs))


GUARDED: dict[str, Callable[[], Any]] = {
    "stream": requires_token()(lambda: iter(["a", "b", "c"])),
    "aborts": requires_token()(lambda: flask.abort(418)),
    "raises": requires_token()(lambda: dict[str, str]()["key"]),
    "plain": requires_token(lambda: "no parentheses"),
    "any": requires_token(any_of=["admin", "read:messages"])(lambda: "any"),
    "all": requires_token(all_of=("admin", "read:messages"))(lambda: "all"),
}


def _views(app: Flask) -> None:
    @app.get("/who")
    @requires_token()
    def who() -> dict[str, Any]:
        introspection = flask.g.introspection
        return {"sub": introspection.text("sub"), "roles": sorted(introspection.roles())}

    @app.get("/open")
    @open_route
    def open_to_all() -> str:
        return "known" if "introspection" in flask.g else "unknown"

    @app.get("/items/<int:item>")
    @requires_token(role="read:messages")
    def item(item: int) -> tuple[dict[str, int], int, dict[str, str]]:
        return {"item": item}, 203, {"X-Own": "yes", "Cache-Control": "public, max-age=60", "Vary": "Accept-Language"}

    @app.post("/items")
    @requires_token(role="read:messages")
    def add() -> tuple[str, int]:
        return flask.request.get_data(as_text=True), 201

    for name, view in GUARDED.items():
        app.get(f"/{name}", endpoint=name)(view)

    @app.get("/async")
    @requires_token()
    async def asynchronous() -> dict[str, str]:
        await asyncio.sleep(0)
        return {"sub": flask.g.introspection.text("sub")}


def _own_errors(app: Flask) -> None:
    @app.errorhandler(404)
    def not_found(_: Exception) -> tuple[str, int]:
        return "own 404", 404

    @app.errorhandler(LookupError)
    def lookup(error: LookupError) -> tuple[str, int]:
        return f"own: {error}", 409

    @app.errorhandler(Exception)
    def anything(error: Exception) -> tuple[str, int]:
        return f"own: {type(error).__name__}", 599

    @app.after_request
    def signed(response: flask.Response) -> flask.Response:
        response.headers["X-Signed"] = "own"
        response.headers["X-Known"] = "yes" if "introspection" in flask.g else "no"
        return response


@pytest.fixture(scope="module")
def other() -> Iterator[Api]:
    app = AsyncFlask("other")
    _views(app)
    _own_errors(app)
    with (
        emulate() as zitadel,
        asking(settings := settings_for(zitadel.url)) as client,
        running(protect(app, settings, client)) as api,
    ):
        yield api


def test_a_view_finds_zitadels_answer(other: Api) -> None:
    assert other.get("/who").json == {"sub": READER.id, "roles": ["read:messages"]}
    assert other.get("/who", VISITOR.pat).json == {"sub": VISITOR.id, "roles": []}
    assert other.get("/open").body == b"unknown"
    assert [other.get("/all").status, other.get("/any", VISITOR.pat).status] == [401, 401]
    refused = other.get("/raises", "unknown")  # else it would be 409
    assert (refused.status, refused.one("x-signed"), refused.one("x-known")) == (401, "own", "no")


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/stream", 200, b"abc"),
        ("/async", 200, f'{{"sub":"{READER.id}"}}\n'.encode()),
        ("/plain", 200, b"no parentheses"),
        ("/any", 200, b"any"),
        ("/aborts", 599, b"own: ImATeapot"),
        ("/raises", 409, b"own: 'key'"),
        ("/nowhere", 404, b"own 404"),
    ],
)
def test_views_may_return_and_raise_what_flask_allows(path: str, status: int, body: bytes, other: Api) -> None:
    reply = other.get(path)
    assert (reply.status, reply.one("x-signed")) == (status, "own")
    assert reply.one("x-known") == ("no" if path == "/nowhere" else "yes")
    assert reply.one("cache-control") == (None if path == "/nowhere" else "no-store")
    assert reply.body == body


def test_an_answer_that_depends_on_the_caller_is_not_for_caches(other: Api) -> None:
    reply = other.get("/items/7")
    assert (reply.status, reply.json, reply.one("x-own")) == (203, {"item": 7}, "yes")
    assert reply.one("cache-control") == "no-store"
    assert ", ".join(reply.all("vary")) == "Accept-Language, Authorization"


@pytest.mark.parametrize("token", [None, READER.pat])
def test_an_answer_stays_out_of_caches_when_something_wraps_the_dispatch_after_protect(token: str | None) -> None:
    app = _protected(Flask("own"))
    app.get("/x")(_view())
    app.dispatch_request = partial(app.dispatch_request)  # type: ignore[method-assign]  # as tracers do
    app.extensions["zdemo"] = replace(app.extensions["zdemo"], policy=Policy())
    app.extensions["zdemo"].introspector.outcome = Introspection(active=True, claims={})
    with running(app) as api:
        reply = api.get("/x", token)
    assert (reply.status, reply.one("cache-control")) == (200 if token else 401, "no-store")


WRONG_CALLS: dict[str, tuple[Callable[[], Any], str]] = {
    "a scope as a role": (lambda: requires_token(role=f"{ROLE_SCOPE}a"), 'write the key alone: "a"'),
    "what could be a token by position": (
        lambda: requires_token(READER.pat),  # type: ignore[call-overload]  # the mistake
        'write @requires_token(role="read:messages")',
    ),
    "the roles of a blueprint": (lambda: requires_token(role="a")(Blueprint("a", "a")), "blueprint.before_request("),  # type: ignore[call-overload]  # the mistake
    "a class": (lambda: requires_token()(MethodView), "decorators = [requires_token()]"),
    "an app of another framework": (lambda: _protected(FastAPI()), "write from zdemo.asgi import protect"),  # type: ignore[arg-type]  # the mistake
    "an open class": (lambda: open_route(MethodView), "name its path in open_routes"),
    "an open path as a decorator": (lambda: open_route("/"), "name its path in open_routes"),  # type: ignore[type-var]  # the mistake
    "an open view with parentheses": (open_route, "above a view, without parentheses"),
    "a guard that is called again": (requires_token(role="a"), "write @requires_token("),
    "an open view with a guard": (lambda: open_route(requires_token(_view())), "remove one of them"),
    "an open view inside a guard": (lambda: requires_token(open_route(_view())), "remove one of them"),
    "a view that is open too late": (lambda: (requires_token(view := _view()), open_route(view)), "remove one of them"),
    "a blueprint": (lambda: protect(Blueprint("a", "a")), "blueprint.before_request(requires_token("),  # type: ignore[arg-type]  # the mistake
    "a setting as an argument": (lambda: protect(Flask("own"), domain="x"), "set ZITADEL_DOMAIN in"),  # type: ignore[arg-type]  # the mistake
    "the address of an introspector": (
        lambda: protect(Flask("own"), settings_for("http://127.0.0.1:9"), "http://127.0.0.1:9"),  # type: ignore[arg-type]  # the mistake
        "leave it out",
    ),
    "the class of an app": (lambda: protect(Flask), "write protect(app) with the app itself"),  # type: ignore[arg-type]  # as people write
    "a second protect": (lambda: _protected(_protected(Flask("own"))), "call protect(app) once"),
}


def _view() -> Callable[[], str]:
    return lambda: "open"


def _protected(app: Flask, *open_routes: str) -> Flask:
    return protect(app, settings_for("http://127.0.0.1:9"), Scripted(), open_routes=open_routes)


@pytest.mark.parametrize("name", WRONG_CALLS)
def test_a_wrong_call_is_an_error_that_says_what_to_write(name: str) -> None:
    call, hint = WRONG_CALLS[name]
    with pytest.raises(GuardError) as wrong:
        call()
    assert hint in wrong.value.hint
    assert READER.pat not in f"{wrong.value} {wrong.value.hint}"


SILENT = [
    *(request(path, FORM, "Content-Length: 10") for path in ("/who", "/items/7", "/any")),
    request("/who", "Authorization: Basic YTpi", FORM, CHUNKED),
    request("/who", bearer(READER.pat), FORM, "Content-Length: 10"),
    request("/who", bearer("unknown"), FORM, CHUNKED),
]


def test_a_body_that_never_comes_keeps_no_thread_of_another_app(other: Api) -> None:
    """Each of them would hold a thread for as long as it likes, or until the server ends it."""
    with ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection((LOOPBACK, other.port), 5)) for _ in range(2 * THREADS)]
        for client, data in zip(clients, cycle(SILENT), strict=False):
            client.sendall(data)
        assert other.get("/open").body == b"unknown"
        statuses = [converse(client, b"").status for client in clients]
    assert statuses == [status for _, status in zip(clients, cycle([401, 401, 401, 401, 200, 401]), strict=False)]


def test_a_second_token_in_a_form_is_seen_where_nobody_waits_for_it(other: Api) -> None:
    client = other.app.test_client()  # it has the whole body in memory, as some servers do
    headers = {"Authorization": f"Bearer {READER.pat}"}
    sent = [client.post("/items", headers=headers, data=data) for data in ({"a": "b"}, {"access_token": "a"})]
    assert [reply.status_code for reply in sent] == [201, 400]
    assert sent[1].headers["WWW-Authenticate"] == INVALID_REQUEST
    assert sent[0].text == "a=b"  # the view can read it, too


@pytest.mark.parametrize("path", ["/literal", "/below/a/b", "/rule/7", "/marked", "/marked-below", "/marked-class"])
def test_what_is_named_open_needs_no_token_and_asks_nobody(path: str) -> None:
    app = _protected(Flask("own"), "/literal", "/below/*", "/rule/<int:number>")
    for rule in ("/literal", "/below/<path:rest>", "/rule/<int:number>", "/rule/<word>"):
        app.add_url_rule(rule, rule, lambda **_: "open")
    app.get("/marked")(open_route(lambda: "open"))
    open_route(app.get("/marked-below", endpoint="below")(lambda: "open"))

    class Open(View):
        decorators: ClassVar = [open_route]

        def dispatch_request(self) -> str:
            return "open"

    app.add_url_rule("/marked-class", view_func=Open.as_view("class"))
    with running(app) as api:
        replies = [api.get(path, token) for token in (None, READER.pat, "unknown", "a b")]
        assert {(reply.status, reply.body, reply.one("cache-control")) for reply in replies} == {(200, b"open", None)}
        assert api.get("/rule/word", None).status == 401
    assert app.extensions["zdemo"].introspector.asked == []


def test_one_request_asks_zitadel_once_whatever_guards_it_meets() -> None:
    app = _protected(Flask("own"), "/open")
    app.get("/x", endpoint="x")(requires_token(requires_token(role="read:messages")(requires_token(_view()))))
    app.get("/open", endpoint="open")(requires_token(requires_token(_view())))
    introspector = app.extensions["zdemo"].introspector
    introspector.outcome = Introspection(active=True, claims={ROLES_CLAIM: {"read:messages": {"1": "acme.localhost"}}})
    app.extensions["zdemo"] = replace(app.extensions["zdemo"], policy=Policy())
    with running(app) as api:
        assert [(api.get(path).status, len(introspector.asked)) for path in ("/x", "/open")] == [(200, 1), (200, 2)]
        assert [api.get(path, None).status for path in ("/x", "/open")] == [401, 401]


@pytest.mark.parametrize("handled", [None, 404, NotFound, HTTPException, Exception])
@pytest.mark.parametrize("before", [True, False])
def test_unknown_paths_and_methods_are_json_unless_the_app_handles_them(handled: Any, *, before: bool) -> None:
    app = Flask("own")
    if not before:
        _protected(app)
    if handled:
        app.register_error_handler(handled, lambda _: ("own", 404))
    if before:
        _protected(app)
    app.post("/x")(_view())
    with running(app) as api:
        reply = api.get("/nowhere", None)
        method = api.get("/x", None)
    if handled:
        assert (reply.status, reply.body) == (404, b"own")
    else:
        check_body(reply, "not_found")
    if handled in (None, 404, NotFound):
        assert (method.status, {*(method.one("allow") or "").split(", ")}) == (405, {"OPTIONS", "POST"})
        check_body(method, "method_not_allowed")


def test_the_apps_own_handlers_answer_refusals_whenever_they_come() -> None:
    for before in (True, False):
        app = Flask("own") if before else _protected(Flask("own"))
        app.register_error_handler(Refused, lambda error: (f"own: {error}", 418))
        app.get("/x")(_view())
        with running(_protected(app) if before else app) as api:
            assert (api.get("/x", None).status, api.get("/x", None).body) == (418, b"own: no bearer token")


def test_a_guard_without_protect_is_an_error_that_says_so() -> None:
    app = Flask("own")
    app.get("/x")(requires_token(_view()))
    app.testing = True
    with pytest.raises(GuardError, match=r"protect\(app\) was not called"):
        app.test_client().get("/x")


def _with_error_router(app: Flask) -> None:
    """Do what Flask-RESTX does: every error that is raised is its own."""
    router: Any = lambda error: ({"router": str(error)}, 500)  # noqa: E731  # its type is Flask's
    app.handle_user_exception = router  # type: ignore[method-assign]  # as it does


@pytest.mark.parametrize("before", [True, False])
def test_a_refusal_stays_one_under_an_error_router(*, before: bool) -> None:
    class Scoped(MethodView):
        get = requires_token(role="a")(lambda _: "text")

    app, part = Flask("own"), Blueprint("part", "part")
    part.register_error_handler(Refused, lambda error: (f"own: {error}", 418))
    part.get("/part", endpoint="view")(_view())
    app.register_blueprint(part)
    if before:
        _with_error_router(app)
    _protected(app).add_url_rule("/role", view_func=Scoped.as_view("role"))
    introspector = app.extensions["zdemo"].introspector
    introspector.outcome = Introspection(active=True, claims={})
    app.extensions["zdemo"] = replace(app.extensions["zdemo"], policy=Policy())
    if not before:
        _with_error_router(app)
    with running(app) as api:
        replies = [api.get("/role", None), api.get("/role")]
        assert [(reply.status, reply.one("cache-control"), reply.one("vary")) for reply in replies] == [
            (401, "no-store", "Authorization")
        ] * 2
        assert replies[0].one("www-authenticate") == CHALLENGE
        check_body(replies[1], "insufficient_scope", description="the role a is missing")
        assert (api.get("/part", None).status, api.get("/part", None).json) == (500, {"router": "no bearer token"})
        introspector.outcome = ZitadelUnavailable("no answer", hint="wait")
        check_body(api.get("/role"), "service_unavailable")


def _through(inner: Any) -> Any:
    def through(environ: Any, start: Any) -> Any:
        return inner(environ, start)

    return through


def test_an_open_path_that_differs_in_its_last_slash_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    app = _protected(Flask("own"), "/a/", "/b")
    for path in ("/a", "/b/"):
        app.add_url_rule(path, path, _view())
    client = app.test_client()
    assert [client.get(path).status_code for path in ("/a", "/a", "/b/")] == [401, 401, 401]
    assert [record.getMessage() for record in caplog.records] == [
        "open_routes names /a/: /a needs a token: the slash at the end counts",
        "open_routes names /b: /b/ needs a token: the slash at the end counts",
    ]


def test_what_is_around_the_app_is_named_once_before_its_first_request(caplog: pytest.LogCaptureFixture) -> None:
    class Own(Flask):
        def wsgi_app(self, environ: Any, start_response: Any) -> Any:
            return super().wsgi_app(environ, start_response)

    caplog.set_level(logging.INFO, "zdemo.server")
    app = _protected(Own("own"))
    app.wsgi_app = ProxyFix(_through(partial(_through(app.wsgi_app))))  # type: ignore[method-assign]  # as Flask's documentation says
    app.before_request(lambda: logging.getLogger("zdemo.server").info("the request"))
    app.get("/x")(open_route(_view()))
    for _ in range(2):
        assert app.test_client().get("/x").text == "open"
    here = f"{__name__}._through.<locals>.through"
    own = f"{__name__}.{Own.__qualname__}.wsgi_app"
    layers = f"werkzeug.middleware.proxy_fix.ProxyFix, {here}, {here}, {own}"
    assert [record.getMessage() for record in caplog.records] == [
        "no token needed for: nothing",
        f"no token needed for requests that the layers around the app answer: {layers}",
        "the request",
        "the request",
    ]
