"""The log: one line per request, no token in it, nothing that a request could write into it, and never in the way."""

import io
import json
import logging
import re
import threading

import pytest

from tests.support.apis import PRIVATE, PUBLIC, SCOPED, Api, running, settings_for
from tests.support.introspector_doubles import Clock, Scripted
from tests.support.jwe import jwe
from tests.support.rows import check_body
from tests.support.waiting import eventually
from tests.support.wire import bearer, request
from zdemo.emulator import READER, VISITOR
from zdemo.guard.rate_limited_log import REPEAT_SECONDS, RateLimitedLog
from zdemo.server import create_app
from zdemo.server.logs import (
    ACCESS_FIELDS,
    ACCESS_LOG,
    BatchingHandler,
    JsonFormatter,
    TextFormatter,
)

LINE = re.compile(r"(\S+) (\S+) (\d{3}) (\w+) ([0-9a-f]{16}) (\d+\.\d) ms")


@pytest.fixture(autouse=True)
def everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)


def _access(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "zdemo.access"]


LINES = [
    (request(PUBLIC), "GET /api/public 200", "ok"),
    (request(SCOPED, bearer(READER.pat)), "GET /api/private-scoped 200", "ok"),
    (request(PRIVATE), "GET /api/private 401", "unauthorized"),
    (request(PRIVATE, bearer("unknown")), "GET /api/private 401", "invalid_token"),
    (request(SCOPED, bearer(VISITOR.pat)), "GET /api/private-scoped 401", "insufficient_scope"),
    (request("/nowhere?a=b"), "GET /nowhere 404", "not_found"),
    (request(PUBLIC, method="DELETE"), "DELETE /api/public 405", "method_not_allowed"),
    (request(PUBLIC, body=b"a" * 65_537), "GET /api/public 413", "request_entity_too_large"),
    (request("/a%0ab%1b[31m%7f"), "GET /a%0Ab%1B%5B31m%7F 404", "not_found"),
    (request("/%e2%80%a8%c2%85%e9%e9%22"), "GET /%E2%80%A8%C2%85%EF%BF%BD%EF%BF%BD%22 404", "not_found"),
    (request("/" + "a" * 500), "GET /" + "a" * 199 + " 404", "not_found"),
    (request("/" + "%0a" * 500), "GET /" + ("%0A" * 67)[:199] + " 404", "not_found"),
    (request(PUBLIC, method="X" * 300), "X" * 16 + " /api/public 405", "method_not_allowed"),
]


def test_a_request_is_one_line(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    ids = [api.send(data).one("x-request-id") for data, _, _ in LINES]
    for line, identity, (_, start, outcome) in zip(_access(caplog), ids, LINES, strict=True):
        assert line.startswith(f"{start} {outcome} {identity} ")
        assert LINE.fullmatch(line)


PAT = "Yq3xT7mN_2bVkR9sLwE4uZ8cHd-5fGa1JpQ6oXnB0vMiStCyWrUeDzKh7gAjF3lP2R8wQ4n"
BASE64 = "q83vEjRWeJASNFZ4kKvN7xI0/VniQEjRWeJCrze8SNFZ4kBI0VniQ+8SNFZ4kA=="
JWT = f"eyJhbGciOiJSUzI1NiIsImtpZCI6IjMyMDAwMCJ9.{PAT}Zz.{PAT}"
JWE = jwe("PAT")
HEX = "3f0a91b2c4d5e6f708192a3b4c5d0a115e6f70819203f4a5b6c7d8e9f0a1a8b7"


MOST_SHOWN = 9  # characters of a token that stand together: the ends of two parts and the slash between them
PATHS = {
    f"/api/private;token={PAT};a=1": "/api/private;token=Yq3x...wQ4n;a=1",
    f"/x/{''.join(f'%25{ord(character):02X}' for character in PAT)}/y": "/x/Yq3x...wQ4n/y",
    f"/reset/{HEX[:32]}.html": "/reset/3f0a...0a11.html",
    **{path: path for path in ("/a%252Fb%2525", "/users/550e8400-e29b-41d4-a716-446655440000/RoleAssignments")},
}


def test_a_token_in_a_path_is_masked(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    for path in PATHS:
        api.send(request(path))
    assert [line.split()[1] for line in _access(caplog)] == [*PATHS.values()]


@pytest.mark.parametrize("token", [PAT, JWT, JWE, BASE64, HEX], ids=["PAT", "JWT", "JWE", "base64", "hex"])
def test_a_token_anywhere_in_a_path_is_masked(token: str, api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """Also where the log cuts the path."""
    for before in (0, 1, 60, *range(170, 199, 4)):
        api.send(request(f"/{'a' * before}/{token}/{token}"))
    pieces = [token[at : at + MOST_SHOWN + 1] for at in range(len(token) - MOST_SHOWN)]
    assert not [piece for piece in pieces if piece in "\n".join(_access(caplog))]


def test_a_bug_is_a_500_without_details_and_a_traceback_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with running(create_app(settings_for("http://127.0.0.1:9"), Scripted(ZeroDivisionError("a bug")))) as api:
        reply = api.get(PRIVATE)
    assert (reply.status, reply.one("www-authenticate")) == (500, None)
    check_body(reply, "internal_server_error")
    assert b"a bug" not in reply.body
    (error,) = (record for record in caplog.records if record.levelno >= logging.ERROR)
    text = logging.Formatter().format(error)
    assert "ZeroDivisionError: a bug" in text
    assert str(reply.one("x-request-id")) in text
    assert READER.pat not in text
    assert len(_access(caplog)) == 1


def test_a_line_as_json_has_a_field_for_each_thing(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    reply = api.send(request('/a%0a"%22%e2%80%a8', method="A%22B"))
    (record,) = (record for record in caplog.records if record.name == "zdemo.access")
    line = json.loads(JsonFormatter().format(record))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert 0 <= line.pop("milliseconds") < 10_000
    facts = ("A%2522B", "/a%0A%22%22%E2%80%A8", 404, "not_found", reply.one("x-request-id"), None, None, "no such path")
    names = [name for name in ACCESS_FIELDS if name != "milliseconds"]
    assert line == {"level": "info", "logger": "zdemo.access", **dict(zip(names, facts, strict=True))}


NASTY = "\x07\x1b[31m\x7f\x85\x9b31m\u2028\u2029\u202e\u2066\u200b\ufeff\udc9b\U000e0001\r\nGET /forged 200 ok"
SHOWN = r"\x07\x1b[31m\x7f\x85\x9b31m\u2028\u2029\u202e\u2066\u200b\ufeff\udc9b\U000e0001\r\nGET /forged 200 ok"


def event(*args: object, name: str = "zdemo.server", error: Exception | None = None) -> logging.LogRecord:
    """A record whose message is its arguments."""
    info = (type(error), error, None) if error else None
    return logging.LogRecord(name, logging.ERROR, "", 1, " ".join(["%s"] * len(args)), args, info)


def test_no_character_of_a_json_line_acts_on_what_shows_it_or_breaks_it() -> None:
    text = JsonFormatter().format(event("Zürich", NASTY, error=ValueError(NASTY)))
    assert text.isascii()
    assert text.isprintable()
    line = json.loads(text)
    assert line["message"] == f"Zürich {SHOWN}"
    assert line["traceback"] == f"ValueError: {SHOWN}".replace(r"\nGET", "\nGET")


def test_no_field_of_a_request_acts_on_what_shows_it() -> None:
    for field in {*ACCESS_FIELDS} - {"status", "milliseconds"}:
        values = dict.fromkeys(ACCESS_FIELDS, "x") | {"status": 200, "milliseconds": 1.0}
        for formatter in (JsonFormatter(), TextFormatter(io.StringIO())):
            text = formatter.format(event(*(values | {field: NASTY}).values(), name=ACCESS_LOG))
            assert text.isprintable()
            assert (r"\x9b31m" in text) is (field != "outcome" or isinstance(formatter, JsonFormatter))


def test_a_text_line_is_one_line_and_a_traceback_looks_like_no_line() -> None:
    formatter = TextFormatter(io.StringIO())
    message, *traceback = formatter.format(event("Zürich", NASTY, error=ValueError(NASTY))).split("\n")
    assert message == f"Zürich {SHOWN}"
    assert "\n".join(traceback) == f"    ValueError: {SHOWN}".replace(r"\nGET", "\n    GET")


def test_the_same_error_is_logged_once_per_minute(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    limited = RateLimitedLog(logging.getLogger("zdemo.server"), clock)
    for seconds in (0, REPEAT_SECONDS - 1, 1):
        clock.advance(seconds)
        limited.error("one", f"at {clock():.0f}")
    assert [record.getMessage() for record in caplog.records] == ["one: at 1000", "one: at 1060"]


# --- the handler that writes in batches

PATIENCE_SECONDS = 20


def record(text: str, level: int = logging.INFO) -> logging.LogRecord:
    return logging.LogRecord("zdemo", level, __file__, 1, text, None, None)


class Stuck(io.StringIO):
    """A pipe without a reader, until ``go`` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.go = threading.Event(), threading.Event()

    def write(self, text: str) -> int:
        self.reached.set()
        assert self.go.wait(PATIENCE_SECONDS)
        return super().write(text)


def test_lines_are_written_soon_and_in_order_except_a_broken_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    stream = io.StringIO()
    handler = BatchingHandler(stream, TextFormatter(stream))
    broken = record("%d and %d")
    broken.args = ("one",)
    for line in (broken, record("two"), record("three", logging.WARNING)):
        handler.handle(line)
    eventually("the others are written", lambda: stream.getvalue() == "two\nthree\n")
    assert "Logging error" in capsys.readouterr().err


def test_a_stream_without_a_reader_keeps_no_request_waiting_and_drops_the_oldest_lines() -> None:
    stream = Stuck()
    handler = BatchingHandler(stream, TextFormatter(stream), most_waiting=100)
    handler.handle(record("one"))
    assert stream.reached.wait(PATIENCE_SECONDS)
    for number in range(110):
        handler.handle(record(str(number), logging.ERROR))
    stream.go.set()
    eventually("all is written", lambda: stream.getvalue().endswith("\n109\n"))
    assert stream.getvalue().splitlines()[:2] == ["one", "10"]
