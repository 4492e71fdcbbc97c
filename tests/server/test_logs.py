"""The log: one line per request, no token in it, nothing that a request could write into it, and never in the way."""

import io
import itertools
import json
import logging
import re
import threading

import pytest

from tests.support.apis import PRIVATE, PUBLIC, SCOPED, Api, Time, protected_api, running, settings_for
from tests.support.introspector_doubles import Clock, Scripted
from tests.support.rows import check_body
from tests.support.secret_forms import jwe
from tests.support.waiting import eventually
from tests.support.wire import request
from zdemo.emulator import READER, VISITOR, Emulator
from zdemo.guard.instruments import REPEAT_SECONDS, RateLimitedLog
from zdemo.server import create_app
from zdemo.server.logs import ACCESS_FIELDS, ACCESS_LOG, BatchingHandler, JsonFormatter, TextFormatter
from zdemo.text.columns import cells
from zdemo.zitadel.introspection_answer import Introspection

LINE = re.compile(r"(\S+) (\S+) (\d{3}) (\w+) ([0-9a-f]{16}) (\d+\.\d) ms")
WITHOUT_TERMINAL = re.compile(
    r"\d\d:\d\d:\d\d  \S+ \S+ *  \d{3}  .*  (hit|asked|joined| {6}) +\d+\.\d ms  [0-9a-f]{16}"
)
NOWHERE = settings_for("http://127.0.0.1:9", project_id=None)


@pytest.fixture(autouse=True)
def everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)


def _access(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == ACCESS_LOG]


def _facts(caplog: pytest.LogCaptureFixture, *names: str) -> list[tuple[object, ...]]:
    records = [record.args for record in caplog.records if record.name == ACCESS_LOG and isinstance(record.args, tuple)]
    named = [dict(zip(ACCESS_FIELDS, args, strict=True)) for args in records]
    return [tuple(fields[name] for name in names) for fields in named]


LINES = [
    (request(PUBLIC), "GET /api/public 200", "ok"),
    (request("/nowhere?a=b"), "GET /nowhere 404", "not_found"),
    (request(PUBLIC, method="DELETE"), "DELETE /api/public 405", "method_not_allowed"),
    (request(PUBLIC, body=b"a" * 65_537), "GET /api/public 413", "request_entity_too_large"),
    (request("/a%0ab%1b[31m%7f"), "GET /a%0Ab%1B%5B31m%7F 404", "not_found"),
    (request("/%e2%80%a8%c2%85%e9%e9%22"), "GET /%E2%80%A8%C2%85%EF%BF%BD%EF%BF%BD%22 404", "not_found"),
    (request("/" + "a" * 500), "GET /" + "a" * 199 + " 404", "not_found"),
    (request("/" + "%0a" * 500), "GET /" + ("%0A" * 67)[:199] + " 404", "not_found"),
    (request(PUBLIC, method="X" * 31), "X" * 16 + " /api/public 405", "method_not_allowed"),
    (request(PUBLIC, method=READER.pat), "ZDEM...-000 /api/public 405", "method_not_allowed"),
]


def test_a_request_is_one_line(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    ids = [api.send(data).one("x-request-id") for data, _, _ in LINES]
    for line, identity, (_, start, outcome) in zip(_access(caplog), ids, LINES, strict=True):
        assert line.startswith(f"{start} {outcome} {identity} ")
        assert LINE.fullmatch(line)


PAT = "Yq3xT7mN_2bVkR9sLwE4uZ8cHd-5fGa1JpQ6oXnB0vMiStCyWrUeDzKh7gAjF3lP2R8wQ4n"
BASE64 = "q83vEjRWeJASNFZ4kKvN7xI0/VniQEjRWeJCrze8SNFZ4kBI0VniQ+8SNFZ4kA=="
JWT = f"eyJhbGciOiJSUzI1NiIsImtpZCI6IjMyMDAwMCJ9.{PAT}Zz.{PAT}"
HEX = "3f0a91b2c4d5e6f708192a3b4c5d0a115e6f70819203f4a5b6c7d8e9f0a1a8b7"
MOST_SHOWN = 9  # characters of a token that stand together: the ends of two parts and the slash between them
PATHS = {
    f"/api/private;token={PAT};a=1": "/api/private;token=Yq3x...wQ4n;a=1",
    f"/x/{''.join(f'%25{ord(character):02X}' for character in PAT)}/y": "/x/Yq3x...wQ4n/y",
    f"/reset/{HEX[:32]}.html": "/reset/3f0a...0a11.html",
    **{path: path for path in ("/a%252Fb%2525", "/users/550e8400-e29b-41d4-a716-446655440000/RoleAssignments")},
}


def test_a_token_in_a_path_is_masked_also_where_the_log_cuts_it(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    for path in PATHS:
        api.send(request(path))
    assert [line.split()[1] for line in _access(caplog)] == [*PATHS.values()]
    for token in (PAT, JWT, jwe("PAT"), BASE64, HEX):
        encoded = "".join(f"%252525{ord(character):02X}" for character in token)
        for before in (0, 1, 60, *range(170, 199, 4)):
            api.send(request(f"/{'a' * before}/{token}/{token}"))
            api.send(request(f"/{token}/{'a' * before}/{encoded}{'/y' * 200}"))
        pieces = [token[at : at + MOST_SHOWN + 1] for at in range(len(token) - MOST_SHOWN)]
        assert not [piece for piece in pieces if piece in "\n".join(_access(caplog))]


def test_a_bug_is_a_500_without_details_and_a_traceback_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with running(create_app(NOWHERE, Scripted(ZeroDivisionError("a bug")))) as api:
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


def test_the_log_tells_caller_source_and_reason(zitadel: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    expected = [
        (PUBLIC, None, (200, "ok", None, None, None)),
        (PRIVATE, None, (401, "unauthorized", None, None, "no bearer token")),
        (PRIVATE, READER.pat, (200, "ok", "asked", "reader", None)),
        (SCOPED, READER.pat, (200, "ok", "hit", "reader", None)),
        (SCOPED, VISITOR.pat, (401, "insufficient_scope", "asked", "visitor", "lacks read:messages")),
        (SCOPED, VISITOR.pat, (401, "insufficient_scope", "hit", "visitor", "lacks read:messages")),
        (PRIVATE, "unknown", (401, "invalid_token", "asked", None, "the token is not active")),
        ("/nowhere", None, (404, "not_found", None, None, "no such path")),
    ]
    with protected_api(settings_for(zitadel.url), Time()) as api:
        for target, token, _ in expected:
            api.get(target, token)
    names = ("status", "outcome", "cache", "caller", "reason")
    assert _facts(caplog, *names) == [facts for _, _, facts in expected]


def test_a_long_name_is_cut_and_a_zitadel_that_is_away_is_the_reason(caplog: pytest.LogCaptureFixture) -> None:
    name = "ada and " * 60 + "\u202e\n"
    with running(create_app(NOWHERE, Scripted(Introspection(active=True, claims={"username": name})))) as api:
        assert api.get(PRIVATE).status == 200
    with protected_api(NOWHERE, Time()) as api:
        assert api.get(PRIVATE).status == 503
    named, away = _facts(caplog, "caller", "reason")
    assert named == (name[:60], None)
    assert (away[0], "127.0.0.1" in str(away[1])) == (None, True)


def test_the_same_error_is_logged_once_per_minute(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    limited = RateLimitedLog(logging.getLogger("zdemo.server"), clock)
    for seconds in (0, REPEAT_SECONDS - 1, 1):
        clock.advance(seconds)
        limited.error("one", f"at {clock():.0f}")
    assert [record.getMessage() for record in caplog.records] == ["one: at 1000", "one: at 1060"]


NASTY = "\x07\x1b[31m\x7f\x85\x9b31m\u2028\u2029\u202e\u2066\u200b\ufeff\udc9b\U000e0001\r\nGET /forged 200 ok"
SHOWN = r"\x07\x1b[31m\x7f\x85\x9b31m\u2028\u2029\u202e\u2066\u200b\ufeff\udc9b\U000e0001\r\nGET /forged 200 ok"
VALUES = dict.fromkeys(ACCESS_FIELDS, "x") | {"status": 200, "milliseconds": 1.0}
NOW = 1_800_000_000.0
ID = "0123456789abcdef"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def event(*args: object, error: Exception | None = None) -> logging.LogRecord:
    """A record whose message is its arguments."""
    info = (type(error), error, None) if error else None
    return logging.LogRecord("zdemo.server", logging.ERROR, "", 1, " ".join(["%s"] * len(args)), args, info)


def test_a_line_as_json_has_a_field_for_each_thing() -> None:
    line = json.loads(JsonFormatter().request_line(NOW + 0.25, tuple(VALUES.values())))
    assert line == {"time": "2027-01-15T08:00:00.250Z", "level": "info", "logger": ACCESS_LOG, **VALUES}


def test_no_field_of_a_request_acts_on_what_shows_it() -> None:
    for field in {*ACCESS_FIELDS} - {"status", "milliseconds"}:
        for formatter in (JsonFormatter(), TextFormatter(io.StringIO())):
            text = formatter.request_line(NOW, tuple((VALUES | {field: NASTY}).values()))
            assert text.isprintable()
            assert (r"\x9b31m" in text) is (field != "outcome" or isinstance(formatter, JsonFormatter))


def test_no_character_of_an_event_acts_on_what_shows_it() -> None:
    record = event("Zürich", NASTY, error=ValueError(NASTY))
    text = JsonFormatter().format(record)
    assert text.isascii()
    assert text.isprintable()
    line = json.loads(text)
    assert line["message"] == f"Zürich {SHOWN}"
    assert line["traceback"] == f"ValueError: {SHOWN}".replace(r"\nGET", "\nGET")
    message, *traceback = TextFormatter(io.StringIO()).format(record).split("\n")
    assert message == f"Zürich {SHOWN}"
    assert "\n".join(traceback) == f"    ValueError: {SHOWN}".replace(r"\nGET", "\n    GET")


@pytest.mark.parametrize(("stream", "count"), [(Terminal(), 3), (io.StringIO(), 1)])
def test_long_events_wrap_at_a_terminal_alone(stream: io.StringIO, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    message = f"no token needed for: {', '.join(['/api/public'] * 5)}"
    record = logging.LogRecord("zdemo.server", logging.INFO, "", 1, message, (), None)
    lines = TextFormatter(stream).format(record).splitlines()
    assert (len(lines), " ".join(line.strip() for line in lines)) == (count, message)
    assert count == 1 or max(map(len, lines)) <= 40


def test_no_line_is_wider_than_its_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    callers = ("reader", "漢字" * 15, "e\u0301" * 30, "\x1b[31m" * 12, None)
    reasons = (None, "lacks read:messages", "the token is not active", "too long " * 40)
    paths, widths = (PUBLIC, SCOPED, "/" + "a" * 199), (40, 60, 80, 120)
    for columns, path, caller, reason in itertools.product(widths, paths, callers, reasons):
        monkeypatch.setenv("COLUMNS", str(columns))
        form = TextFormatter(Terminal())
        lines = form.line(NOW, "GET", path, 401, "invalid_token", ID, 2.94, "asked", caller, None, reason).splitlines()
        assert len(lines) <= 2
        assert all(line.isprintable() and cells(line) <= columns for line in lines)
        assert "401" in lines[0]


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


def test_lines_are_written_soon_and_in_order_except_a_broken_one(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    handler = BatchingHandler(stream, TextFormatter(stream))
    broken = record("%d and %d")
    broken.args = ("one",)
    for line in (broken, record("two")):
        handler.handle(line)
    handler.log_request(*VALUES.values())
    handler.handle(record("three", logging.WARNING))
    eventually("the others are written", lambda: stream.getvalue().endswith("\nthree\n"))
    first, second, _ = stream.getvalue().splitlines()
    assert (first, "  x x  " in second) == ("two", True)
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
