"""The log: one line a request, nothing about a token, and nothing that a request could write into it."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask

from tests.support.apis import PRIVATE, PUBLIC, SCOPED, Api, plain_api, running, settings_for
from tests.support.rows import ROWS, check_body
from tests.support.wire import bearer, request
from zdemo.config.settings import Settings
from zdemo.emulator import emulate
from zdemo.emulator.seed import CLIENT_SECRET, READER, VISITOR
from zdemo.introspection.model import Introspection
from zdemo.server import create_app
from zdemo.server.logs import JsonFormatter

LINE = re.compile(r"(\S+) (\S+) (\d{3}) (\w+) ([0-9a-f]{16}) (\d+\.\d) ms")


class Gathering(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Iterator[list[logging.LogRecord]]:
    """All that is logged during a test; it grows."""
    caplog.set_level(logging.DEBUG)
    handler = Gathering()
    logging.getLogger().addHandler(handler)
    yield handler.records
    logging.getLogger().removeHandler(handler)


def _access(lines: list[logging.LogRecord]) -> list[str]:
    return [record.getMessage() for record in lines if record.name == "zdemo.access"]


@pytest.mark.parametrize(
    ("data", "start", "outcome"),
    [
        (request(PUBLIC), "GET /api/public 200", "ok"),
        (request(SCOPED, bearer(READER.pat)), "GET /api/private-scoped 200", "ok"),
        (request(PRIVATE), "GET /api/private 401", "unauthorized"),
        (request(PRIVATE, "Authorization: Bearer"), "GET /api/private 400", "invalid_request"),
        (request(PRIVATE, bearer("unknown")), "GET /api/private 401", "invalid_token"),
        (request(SCOPED, bearer(VISITOR.pat)), "GET /api/private-scoped 401", "insufficient_scope"),
        (request("/nowhere?a=b"), "GET /nowhere 404", "not_found"),
        (request(PUBLIC, method="DELETE"), "DELETE /api/public 405", "method_not_allowed"),
        (request(PUBLIC, body=b"a" * 65_537), "GET /api/public 413", "request_entity_too_large"),
        (request("/a%0ab%1b[31m%7f"), "GET /a%0Ab%1B%5B31m%7F 404", "not_found"),
        (request("/%e2%80%a8%c2%85%e9%e9%22"), "GET /%E2%80%A8%C2%85%EF%BF%BD%EF%BF%BD%22 404", "not_found"),
        (request("/%25%20"), "GET /%25%20 404", "not_found"),
        (request("/" + "a" * 500), "GET /" + "a" * 199 + " 404", "not_found"),
        (request("/" + "%0a" * 500), "GET /" + ("%0A" * 67)[:199] + " 404", "not_found"),
        (request(PUBLIC, method="X" * 300), "X" * 16 + " /api/public 405", "method_not_allowed"),
    ],
    ids=lambda value: None if isinstance(value, str) else "",
)
def test_a_request_is_one_line(data: bytes, start: str, outcome: str, api: Api, lines: list[logging.LogRecord]) -> None:
    reply = api.send(data)
    (line,) = _access(lines)
    assert line.startswith(f"{start} {outcome} {reply.one('x-request-id')} ")
    assert LINE.fullmatch(line)


def test_no_line_holds_a_token_a_secret_or_a_query(api: Api, lines: list[logging.LogRecord]) -> None:
    for row in ROWS.values():
        api.send(row.data)
    api.send(request(f"{PRIVATE}?canary-of-the-query={READER.pat}"))
    api.send(request(PRIVATE, f"X-Request-ID: {READER.pat}", f"User-Agent: {READER.pat}", f"Referer: {READER.pat}"))
    text = "\n".join(record.getMessage() for record in lines)
    assert len(_access(lines)) == len(ROWS) + 2
    for canary in (READER.pat, VISITOR.pat, CLIENT_SECRET, "canary-of-the-query", "?"):
        assert canary not in text
    assert all(LINE.fullmatch(line) for line in _access(lines))
    assert not [record for record in lines if record.levelno > logging.INFO]


class Broken:
    """An introspector with a bug."""

    def introspect(self, token: str) -> Introspection:  # noqa: ARG002  # the protocol
        raise ZeroDivisionError("in the introspector")


def test_a_bug_is_a_500_that_tells_nothing_and_a_traceback_in_the_log(lines: list[logging.LogRecord]) -> None:
    with running(create_app(settings_for("http://127.0.0.1:9"), Broken())) as api:
        reply = api.get(PRIVATE)
    assert reply.status == 500
    assert reply.one("www-authenticate") is None
    check_body(reply, "internal_server_error")
    assert b"ZeroDivision" not in reply.body
    (error,) = (record for record in lines if record.levelno >= logging.ERROR)
    assert error.exc_info
    assert error.exc_info[0] is ZeroDivisionError
    assert str(reply.one("x-request-id")) in error.getMessage()
    assert len(_access(lines)) == 1
    assert READER.pat not in logging.Formatter().format(error)


def test_a_view_that_fails_is_a_500_as_json(settings: Settings, lines: list[logging.LogRecord]) -> None:
    app: Flask = create_app(settings)

    @app.get("/fails")
    def fails() -> str:
        raise ZeroDivisionError("in a view")

    with running(app) as api:
        check_body(api.get("/fails"), "internal_server_error")
        assert api.get(PUBLIC).status == 200
    assert [line.split()[2] for line in _access(lines)] == ["500", "200"]


def test_an_outage_is_told_once_and_not_for_every_request(lines: list[logging.LogRecord]) -> None:
    with plain_api(settings_for("http://127.0.0.1:9")) as api:
        assert [api.get().status for _ in range(5)] == [503] * 5
    assert len([record for record in lines if record.levelno >= logging.ERROR]) == 1
    assert len(_access(lines)) == 5


def test_refused_credentials_are_told_once_with_the_setting(lines: list[logging.LogRecord]) -> None:
    with emulate() as emulator:
        settings = replace(settings_for(emulator.url), client_secret="B" * 64)
        with running(create_app(settings)) as api:
            assert [api.get(PRIVATE, READER.pat).status for _ in range(5)] == [502] * 5
    (complaint,) = [record.getMessage() for record in lines if record.levelno >= logging.ERROR]
    assert "CLIENT_SECRET" in complaint
    assert settings.client_secret not in complaint


def test_a_line_as_json_has_a_field_for_each_thing(api: Api, lines: list[logging.LogRecord]) -> None:
    reply = api.send(request('/a%0a"%22%e2%80%a8', method="A%22B"))
    (record,) = (record for record in lines if record.name == "zdemo.access")
    text = JsonFormatter().format(record)
    assert "\n" not in text
    line = json.loads(text)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert 0 <= line.pop("milliseconds") < 10_000
    assert line == {
        "level": "info",
        "logger": "zdemo.access",
        "method": "A%2522B",
        "path": "/a%0A%22%22%E2%80%A8",
        "status": 404,
        "outcome": "not_found",
        "request_id": reply.one("x-request-id"),
    }


def test_an_event_as_json_is_one_line_with_its_traceback() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        record = logging.LogRecord("zdemo.server", logging.ERROR, "", 1, "request %s failed", ("7",), sys.exc_info())
    text = JsonFormatter().format(record)
    assert "\n" not in text
    line = json.loads(text)
    assert (line["level"], line["message"]) == ("error", "request 7 failed")
    assert line["traceback"].endswith("ValueError: two\nlines")
