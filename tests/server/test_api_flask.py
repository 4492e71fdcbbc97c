"""The example API's own kind of Flask answers as Flask does."""

import gc
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import flask
import pytest
from flask import Flask, Response
from werkzeug.routing import Rule
from werkzeug.routing.exceptions import WebsocketMismatch

from tests.support.apis import running
from tests.support.wire import request
from zdemo.server.api_flask import ApiFlask, KeptRoutes

ANSWERS: dict[str, Callable[[], Any]] = {
    "/dict": lambda: {"b": "é", "a": [1, None, datetime(2026, 1, 2, tzinfo=UTC)]},
    "/list": lambda: [1, "two"],
    "/text": lambda: ("text", 203),
    "/pieces": lambda: Response(["on", "ë"]),
    "/stream": lambda: Response(iter([b"one", b"two"])),
    "/empty": lambda: ("", 204),
    "/unmodified": lambda: ("nothing", 304),
    "/indented": lambda: flask.current_app.json.dumps({"a": 1}, indent=2),
    "/where/": lambda: flask.url_for("/where/", _external=True, a="é"),
    "/session": lambda: {"has": flask.session.get("a"), "new": flask.session.new},
}


ROUTES = ("/where?a=%C3%A9", "//where/", "/where//", "/%64ict", "/dict/", "/d%C3%AFct", "/absent")  # and those above
HOSTS = ("API.Example:5000", "api.example:80", "[::1]:5000", "bücher.example", "one two", "")
SEEN = ("content-type", "content-length", "location", "allow")


def answers_of(app: Flask, requests: Iterable[bytes]) -> list[tuple[object, ...]]:
    for path, answer in ANSWERS.items():
        app.add_url_rule(path, path, answer)
    with running(app) as api:
        replies = [api.send(one) for one in requests]
    return [(reply.status, *(reply.one(name) for name in SEEN), reply.body) for reply in replies]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
def test_answers_are_those_of_flask(method: str) -> None:
    requests = [request(target, method=method) for target in (*ANSWERS, *ROUTES)]
    assert answers_of(ApiFlask("one"), requests) == answers_of(Flask("other"), requests)


def test_addresses_in_answers_name_the_host_of_the_request() -> None:
    requests = [request(target, host=host) for host in HOSTS for target in ("/where", "/where/")]
    assert answers_of(ApiFlask("one"), requests) == answers_of(Flask("other"), requests)


def test_hosts_that_are_not_trusted_are_refused() -> None:
    app = ApiFlask("app")
    app.config["TRUSTED_HOSTS"] = ["api.example"]
    requests = [request("/dict", host=host) for host in ("api.example", "other.example")]
    assert [answer[0] for answer in answers_of(app, requests)] == [200, 400]


def test_only_the_path_of_a_route_without_variables_is_kept() -> None:
    app, found = ApiFlask("app"), dict[tuple[str, str], Rule]()
    for path in ("/where", "/users/<name>"):
        app.add_url_rule(path, path, str)

    def match(path: str, method: str = "GET", scheme: str = "http") -> tuple[str, object]:
        place = {"server_name": "a", "script_name": "", "subdomain": "", "url_scheme": scheme}
        routes = KeptRoutes(app.url_map, found=found, path_info=path, default_method=method, **place)
        rule, variables = routes.match(return_rule=True)
        return rule.rule, variables

    for _ in range(2):
        assert match("/where") == match("//where") == match("////where") == match("/where", "get") == ("/where", {})
        assert match("/users/ada") == ("/users/<name>", {"name": "ada"})
        assert match("/users/bob") == ("/users/<name>", {"name": "bob"})
    assert list(found) == [("/where", "GET")]
    with pytest.raises(WebsocketMismatch):
        match("/where", scheme="wss")


def test_a_long_host_is_not_kept() -> None:
    app = ApiFlask("app")
    host = "a" * 400_000
    references = sys.getrefcount(host)
    app.test_client().get("/", headers={"Host": host})
    gc.collect()
    assert sys.getrefcount(host) == references


def test_an_answer_in_memory_ends_before_it_is_sent() -> None:
    app = ApiFlask("app")
    events = []

    def ends() -> Response:
        response = Response("text")
        response.call_on_close(lambda: events.append("end"))
        return response

    app.add_url_rule("/", "ends", ends)
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "SERVER_NAME": "a", "SERVER_PORT": "1"}
    environ["wsgi.url_scheme"] = "http"
    body = app(environ, lambda *_: lambda _: None)
    assert (body, events) == ([b"text"], ["end"])


def test_sessions_cannot_be_written() -> None:
    app = ApiFlask("app")
    with app.test_request_context(), pytest.raises(RuntimeError, match="secret key"):
        flask.session["a"] = 1
