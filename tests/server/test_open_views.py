"""Views that are served without the guard that is written above them: such an app refuses every request."""

from __future__ import annotations

import functools
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any, ClassVar

import pytest
from flask import Blueprint, Flask
from flask.views import MethodView, View

from tests.support.apis import Api, running, settings_for
from tests.support.introspector_doubles import Scripted
from tests.support.processes import ROOT
from zdemo.errors import GuardError
from zdemo.introspection.model import ROLES_CLAIM, Introspection
from zdemo.server import protect, requires_token

WORD = b"what the guard keeps"
SETTINGS = settings_for("http://127.0.0.1:9", project_id=None)
ROLE = {"1": "acme.localhost"}
ACTIVE = Introspection(active=True, claims={"active": True, ROLES_CLAIM: {"a": ROLE, "b": ROLE}})


def protected(app: Flask) -> Flask:
    return protect(app, SETTINGS, Scripted(ACTIVE))


def view() -> bytes:
    return WORD


def copy_of_view() -> Callable[[], Any]:
    """Return a function that no other app serves."""
    return FunctionType(view.__code__, globals(), "view")


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    """Any decorator of the app's own."""

    @functools.wraps(function)
    def inner(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return inner


def plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """Any decorator of the app's own that does not say what it wraps."""

    def inner(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return inner


def limited(key: Callable[[], str]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator that holds more than one function."""

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        def inner(**kwargs: Any) -> Any:
            return function(**kwargs) if key() else None

        return inner

    return wrap


class Plain:
    """A decorator that is a class."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)


def caller() -> str:
    return "somebody"


def call(function: Callable[..., Any], **kwargs: Any) -> Any:
    return function(**kwargs)


def route_with(
    wrapper: Callable[[Callable[..., Any]], Callable[..., Any]], app: Flask | Blueprint
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An app's own form of ``route``, which registers a wrapper and returns the view."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        app.add_url_rule("/x", "x", wrapper(function))
        return function

    return register


class Things(MethodView):
    def get(self) -> bytes:
        return WORD


class Holder:
    def view(self) -> bytes:
        return WORD


# --- the route below the guard


def below(app: Flask | Blueprint) -> None:
    @requires_token()
    @app.get("/x")
    def below() -> bytes:
        return WORD


def below_without_parentheses(app: Flask | Blueprint) -> None:
    @requires_token
    @app.route("/x", endpoint="other")
    def below() -> bytes:
        return WORD


def below_with_a_role(app: Flask | Blueprint) -> None:
    @requires_token(any_of=["a"])
    @app.get("/x")
    async def below() -> bytes:
        return WORD


def below_another_decorator(app: Flask | Blueprint) -> None:
    @requires_token()
    @logged
    @app.get("/x")
    def below() -> Iterator[bytes]:
        yield WORD


def above_another_decorator(app: Flask | Blueprint) -> None:
    @requires_token()
    @app.get("/x")
    @logged
    def below() -> bytes:
        return WORD


def between_two_guards(app: Flask | Blueprint) -> None:
    @requires_token(role="a")
    @app.get("/x")
    @requires_token
    def between() -> bytes:
        return WORD


def registered_first(app: Flask | Blueprint) -> None:
    function = copy_of_view()
    app.add_url_rule("/x", view_func=function)
    requires_token()(function)


def a_class_registered_first(app: Flask | Blueprint) -> None:
    function = Things.as_view("things")
    app.add_url_rule("/x", view_func=function)
    requires_token()(function)


def a_method_registered_first(app: Flask | Blueprint) -> None:
    class Own(Holder):
        def view(self) -> bytes:
            return WORD

    holder = Own()
    app.add_url_rule("/x", view_func=holder.view)
    requires_token()(holder.view)


def a_partial_registered_first(app: Flask | Blueprint) -> None:
    function = functools.partial(copy_of_view())
    app.add_url_rule("/x", "x", function)
    requires_token()(function)


def with_and_without(app: Flask | Blueprint) -> None:
    """It could be meant, but it is what two routes around a guard would do."""
    function = copy_of_view()
    app.add_url_rule("/x", "open", function)
    app.add_url_rule("/y", "guarded", requires_token()(function))


def below_a_plain_decorator(app: Flask | Blueprint) -> None:
    @requires_token()
    @plain
    @app.get("/x")
    def below() -> bytes:
        return WORD


def below_a_plain_decorator_whose_name_it_has(app: Flask | Blueprint) -> None:
    @requires_token()
    @plain
    @app.get("/x")
    def function() -> bytes:
        return WORD


def below_two_decorators_with_helpers(app: Flask | Blueprint) -> None:
    @requires_token()
    @limited(caller)
    @logged
    @limited(caller)
    @app.get("/x")
    async def below() -> bytes:
        return WORD


def below_a_decorator_that_is_a_class(app: Flask | Blueprint) -> None:
    @requires_token()
    @Plain
    @Plain
    @app.get("/x")
    def below() -> bytes:
        return WORD


def between_two_guards_and_plain_decorators(app: Flask | Blueprint) -> None:
    @requires_token(role="a")
    @plain
    @app.get("/x")
    @plain
    @requires_token
    def between() -> bytes:
        return WORD


def a_partial_of_a_view(app: Flask | Blueprint) -> None:
    function = copy_of_view()
    app.add_url_rule("/x", view_func=function)
    requires_token()(functools.partial(function, **{}))


def a_default_of_a_lambda(app: Flask | Blueprint) -> None:
    function = copy_of_view()
    app.add_url_rule("/x", view_func=function)
    requires_token()(lambda inner=function: inner())


AT_THE_GUARD = [
    below,
    below_without_parentheses,
    below_with_a_role,
    below_another_decorator,
    above_another_decorator,
    between_two_guards,
    registered_first,
    a_class_registered_first,
    a_method_registered_first,
    a_partial_registered_first,
    with_and_without,
    below_a_plain_decorator,
    below_a_plain_decorator_whose_name_it_has,
    below_two_decorators_with_helpers,
    below_a_decorator_that_is_a_class,
    between_two_guards_and_plain_decorators,
    a_partial_of_a_view,
    a_default_of_a_lambda,
]


def wrapped_by_the_app(app: Flask | Blueprint) -> None:
    """As extensions do that register a wrapper and return the view."""

    def route(function: Callable[[], Any]) -> Callable[[], Any]:
        app.add_url_rule("/x", view_func=logged(function))
        return function

    requires_token()(route(copy_of_view()))


def guarded_first(app: Flask | Blueprint) -> None:
    function = copy_of_view()
    requires_token()(function)
    app.add_url_rule("/x", view_func=function)


def routed_through_a_lambda(app: Flask | Blueprint) -> None:
    @requires_token()
    @route_with(lambda function: lambda **kwargs: call(function, **kwargs), app)
    def below() -> bytes:
        return WORD


def routed_through_a_class(app: Flask | Blueprint) -> None:
    requires_token()(route_with(Plain, app)(copy_of_view()))


def routed_through_a_partial(app: Flask | Blueprint) -> None:
    requires_token()(route_with(lambda function: functools.partial(call, function), app)(copy_of_view()))


def routed_through_a_decorator_with_a_helper(app: Flask | Blueprint) -> None:
    requires_token()(route_with(limited(caller), app)(copy_of_view()))


def routed_and_decorated_plainly(app: Flask | Blueprint) -> None:
    requires_token()(plain(route_with(plain, app)(copy_of_view())))


LATER = [
    wrapped_by_the_app,
    guarded_first,
    routed_through_a_lambda,
    routed_through_a_class,
    routed_through_a_partial,
    routed_through_a_decorator_with_a_helper,
    routed_and_decorated_plainly,
]
WRONG = [*AT_THE_GUARD, *LATER]


def in_a_blueprint(build: Callable[[Flask | Blueprint], None]) -> Callable[[Flask], None]:
    def register(app: Flask) -> None:
        part, whole = Blueprint("part", __name__), Blueprint("whole", __name__)
        build(part)
        whole.register_blueprint(part, name="renamed")
        app.register_blueprint(whole)

    register.__name__ = f"{build.__name__}_in_a_blueprint"
    return register


@pytest.mark.parametrize("build", AT_THE_GUARD)
def test_a_protected_app_fails_where_the_guard_is_written(build: Callable[[Flask], None]) -> None:
    with pytest.raises(GuardError, match="without the guard that is written for it") as wrong:
        build(protected(Flask("own")))
    assert wrong.value.hint.startswith("write the route above @requires_token")


@pytest.mark.parametrize("build", [*WRONG, *map(in_a_blueprint, WRONG)])
def test_an_app_fails_where_it_is_protected(build: Callable[[Flask], None]) -> None:
    app = Flask("own")
    build(app)
    with pytest.raises(GuardError, match="without the guard that is written for it"):
        protected(app)


@pytest.mark.parametrize("protection", [protected, lambda app: app], ids=["protected", "protect forgotten"])
@pytest.mark.parametrize("build", [*LATER, *map(in_a_blueprint, WRONG)])
def test_at_the_latest_every_request_is_refused(
    build: Callable[[Flask], None], protection: Callable[[Flask], Flask], caplog: pytest.LogCaptureFixture
) -> None:
    app = Flask("own")
    protection(app)
    app.get("/open")(lambda: "open")
    build(app)
    with running(app) as api, caplog.at_level(logging.ERROR):
        for _ in range(2):
            for path in ("/x", "/y", "/open", "/nowhere", "/static/x"):
                for token in (None, "good"):
                    reply = api.get(path, token)
                    assert reply.status == 500
                    assert WORD not in reply.body
    assert "write the route above @requires_token" in caplog.text


def test_an_app_that_forgot_protect_and_has_the_wrong_order_refuses_too() -> None:
    app = Flask("own")
    below(app)
    with running(app) as api:
        assert [api.get("/x").status for _ in range(2)] == [500, 500]


def test_a_guarded_view_of_an_app_that_forgot_protect_is_an_error_that_says_so() -> None:
    app = Flask("own")
    app.get("/x")(requires_token()(copy_of_view()))
    app.get("/open")(lambda: "open")
    with running(app) as api:
        assert [api.get("/x").status, api.get("/x", None).status, api.get("/open").status] == [500, 500, 200]
    app.testing = True
    with pytest.raises(GuardError, match=r"protect\(app\) was not called") as wrong:
        app.test_client().get("/x")
    assert "protect(app)" in wrong.value.hint


# --- the right order, in every form


def _right(app: Flask) -> list[str]:
    """Register guarded views; return their paths."""

    class Guarded(View):
        decorators: ClassVar = [requires_token(role="a"), logged, requires_token]

        def dispatch_request(self) -> bytes:
            return WORD

    class Partly(MethodView):
        @requires_token(any_of={"a", "c"})
        def get(self) -> bytes:
            return WORD

        def post(self) -> str:
            return "open"

    part = Blueprint("part", __name__)
    once = requires_token(copy_of_view())
    views: dict[str, Any] = {
        "above": once,
        "the-same": once,
        "stacked": requires_token(role="a")(requires_token()(copy_of_view())),
        "decorated": logged(requires_token(all_of=("a", "b"))(logged(copy_of_view()))),
        "twice": requires_token(role="b")(copy_of_view()),
        "class": Guarded.as_view("class"),
        "partly": Partly.as_view("partly"),
        "method": requires_token()(Holder().view),
        "partial": requires_token()(functools.partial(view)),
        "builtin": requires_token()(logged(functools.partial(bytes, WORD))),
        "plain": plain(requires_token()(plain(copy_of_view()))),
        "object": requires_token()(Plain(copy_of_view())),
        "limited": requires_token()(limited(caller)(copy_of_view())),
    }
    for name, function in views.items():
        part.add_url_rule(f"/{name}", name.replace("-", "_"), function)
    app.register_blueprint(part)
    return [f"/{name}" for name in views]


def test_guards_below_their_routes_guard() -> None:
    app = protected(Flask("own"))
    paths = _right(app)
    with running(app) as api:
        _check_guarded(api, paths)
        assert api.get("/nowhere").status == 404


def _check_guarded(api: Api, paths: list[str]) -> None:
    assert {path: api.get(path, None).status for path in paths} == dict.fromkeys(paths, 401)
    assert {path: api.get(path).body for path in paths} == dict.fromkeys(paths, WORD)


def _calling_each_other(app: Flask, load: Callable[[], Any], *, decorate: Callable[..., Any]) -> None:
    """Register open and guarded views that call each other by their names, and share what they are given."""

    @app.get("/open", endpoint="open")
    @limited(caller)
    def shares() -> Any:
        return load()

    @decorate
    @app.get("/open-too", endpoint="open-too")
    @decorate
    def index() -> Any:
        return load()

    @app.get("/guarded", endpoint="guarded")
    @requires_token()
    @limited(caller)
    def guarded() -> Any:
        return index() if app.name else shares()

    @app.get("/guarded-too", endpoint="guarded-too")
    @decorate
    @requires_token(role="a")
    def other() -> Any:
        return guarded() if app.name else recursive()

    @app.get("/guarded-last", endpoint="guarded-last")
    @requires_token
    def recursive() -> Any:
        return other() if app.name else recursive()

    @app.get("/through", endpoint="through")
    def through() -> Any:
        return other()


@pytest.mark.parametrize("decorate", [lambda function: function, plain, logged, Plain])
def test_views_may_call_each_other(decorate: Callable[..., Any]) -> None:
    app = protected(Flask("own"))
    _calling_each_other(app, copy_of_view(), decorate=decorate)
    with running(app) as api:
        _check_guarded(api, ["/guarded", "/guarded-too", "/guarded-last", "/through"])
        assert [api.get(path, None).status for path in ("/open", "/open-too")] == [200, 200]


def test_an_app_may_be_protected_last_and_share_views_with_another() -> None:
    function = requires_token()(copy_of_view())
    for name in ("one", "other"):
        app = Flask(name)
        app.get("/x")(function)
        with running(protected(app)) as api:
            _check_guarded(api, ["/x"])


OF_A_NEW_PROCESS = """
from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from zdemo.config.settings import Settings
from zdemo.server import protect, requires_token

def view():
    return "secret"

def statuses(app, *paths):
    return [app.test_client().get(path).status_code for path in paths]

settings = Settings(issuer="http://127.0.0.1:9", client_id="1", client_secret="x")
one, other = protect(Flask("one"), settings), Flask("other")
one.get("/ok")(lambda: "ok")
"""
AN_OPEN_VIEW_OF_ANOTHER_APP = """
requires_token()(other.get("/x")(view))
one.wsgi_app = DispatcherMiddleware(one.wsgi_app, {"/other": other})
assert statuses(one, "/other/x", "/ok", "/other/x", "/ok", "/other/x") == [500, 200, 500, 200, 500]
"""
A_GUARD_THAT_IS_WRITTEN_LATE = """
requires_token()(lambda: "x")
for app in (one, other):
    app.get("/x", endpoint="x")(lambda view=view: view())
    assert statuses(app, "/x", "/x") == [200, 200]
requires_token()(view)
assert statuses(one, "/x", "/ok") == statuses(other, "/x", "/x") == [500, 500]
"""


@pytest.mark.parametrize("then", [AN_OPEN_VIEW_OF_ANOTHER_APP, A_GUARD_THAT_IS_WRITTEN_LATE])
def test_a_request_of_one_app_ends_no_refusal(then: str) -> None:
    code = OF_A_NEW_PROCESS + then  # since the apps of other tests count too
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60, check=True)  # noqa: S603  # the code is above


def test_only_a_guard_of_others_costs_a_signal_per_request() -> None:
    code = """
from flask import request_started
from zdemo.config.settings import Settings
from zdemo.server import create_app, requires_token
create_app(Settings(issuer="http://127.0.0.1:9", client_id="1", client_secret="x"))
assert not request_started.receivers
requires_token(lambda: "x")
assert request_started.receivers
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60, check=True)  # noqa: S603  # as above
