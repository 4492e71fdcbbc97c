"""The example API's own kind of Flask answers as Flask does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import flask
import pytest
from flask import Flask, Response

from tests.support.apis import running
from tests.support.wire import request
from zdemo.server.api_flask import ApiFlask

ANSWERS: dict[str, Callable[[], Any]] = {
    "/dict": lambda: {"b": "é", "a": [1, None, datetime(2026, 1, 2, tzinfo=UTC)]},
    "/list": lambda: [1, "two"],
    "/text": lambda: ("text", 203),
    "/pieces": lambda: Response(["on", "ë"]),
    "/stream": lambda: Response(iter([b"one", b"two"])),
    "/empty": lambda: ("", 204),
    "/unmodified": lambda: ("nothing", 304),
    "/indented": lambda: flask.current_app.json.dumps({"a": 1}, indent=2),
    "/session": lambda: {"has": flask.session.get("a"), "new": flask.session.new},
}


def answers_of(app: Flask) -> list[object]:
    for path, answer in ANSWERS.items():
        app.add_url_rule(path, path, answer)
    with running(app) as api:
        return [
            (reply.status, reply.one("content-type"), reply.one("content-length"), reply.body)
            for path in ANSWERS
            for method in ("GET", "HEAD")
            for reply in [api.send(request(path, method=method))]
        ]


def test_answers_are_those_of_flask() -> None:
    assert answers_of(ApiFlask("one")) == answers_of(Flask("other"))


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
