"""The line of a request: what a terminal of each width shows, and what a file holds; who it was, and why."""

import io
import itertools
import logging
import re
from collections.abc import Callable

import pytest

from tests.support.apis import PRIVATE, PUBLIC, SCOPED, Time, protected_api, running, settings_for
from tests.support.introspector_doubles import Scripted
from zdemo.emulator import READER, VISITOR, Emulator
from zdemo.server import create_app
from zdemo.server.logs import ACCESS_FIELDS, RequestLines
from zdemo.text.columns import cells
from zdemo.zitadel.introspection_answer import Introspection

WITHOUT_TERMINAL = re.compile(
    r"\d\d:\d\d:\d\d  \S+ \S+ *  \d{3}  .*  (hit|asked|joined| {6}) +\d+\.\d ms  [0-9a-f]{16}"
)
NOW = 1_800_000_000.0
ID = "0123456789abcdef"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def lines_at(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Return how a request looks at a terminal of a width, without colours."""

    def lines(columns: int, path: str, status: int, caller: str | None, reason: str | None = None) -> list[str]:
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("NO_COLOR", "1")
        form = RequestLines(Terminal())
        return form.line(NOW, "GET", path, status, "", ID, 2.94, "asked", caller, reason).splitlines()

    return lines


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (40, ["403    2.9 ms  GET /api/private-scoped", "    reader lacks read:messages"]),
        (80, ["CLOCK  403    2.9 ms  asked   0123…  GET /api/private-scoped", "    reader lacks read:messages"]),
        (
            120,
            ["CLOCK  403    2.9 ms  asked   0123…  GET /api/private-scoped   reader lacks read:messages"],
        ),
    ],
)
def test_a_refusal_names_who_lacks_what_at_every_width(
    columns: int, expected: list[str], lines_at: Callable[..., list[str]]
) -> None:
    shown = lines_at(columns, SCOPED, 403, "reader", "lacks read:messages")
    assert [re.sub(r"^\d\d:\d\d:\d\d", "CLOCK", line) for line in shown] == expected


def test_no_line_is_wider_than_its_terminal(lines_at: Callable[..., list[str]]) -> None:
    callers = ("reader", "漢字" * 15, "e\u0301" * 30, "\x1b[31m" * 12, None)
    reasons = (None, "lacks read:messages", "the token is not active", "too long " * 40)
    paths, widths = (PUBLIC, SCOPED, "/" + "a" * 199), (40, 60, 80, 120)
    for columns, path, caller, reason in itertools.product(widths, paths, callers, reasons):
        shown = lines_at(columns, path, 401, caller, reason)
        assert len(shown) <= 2
        assert all(line.isprintable() and cells(line) <= columns for line in shown)
        assert "401" in shown[0]


@pytest.mark.parametrize(
    ("status", "variables", "stream", "shown"),
    [
        (200, {}, Terminal(), "\x1b[32m200\x1b[0m"),
        (401, {}, Terminal(), "\x1b[33m401\x1b[0m"),
        (503, {}, Terminal(), "\x1b[31m503\x1b[0m"),
        (200, {}, io.StringIO(), "200"),
        (200, {"FORCE_COLOR": "1"}, io.StringIO(), "\x1b[32m200\x1b[0m"),
    ],
)
def test_the_status_is_coloured_where_colours_are_shown(
    status: int, variables: dict[str, str], stream: io.StringIO, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    line = RequestLines(stream).line(NOW, "GET", PUBLIC, status, "", ID, 1.0, None, None, None)
    assert f" {shown} " in line
    assert ("\x1b" in line) is ("\x1b" in shown)


# --- the facts behind the line


@pytest.fixture(autouse=True)
def everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def facts(caplog: pytest.LogCaptureFixture) -> list[tuple[object, ...]]:
    """Return status, cache, caller and reason of each request."""
    records = [r.args for r in caplog.records if r.name == "zdemo.access" and isinstance(r.args, tuple)]
    named = [dict(zip(ACCESS_FIELDS, args, strict=True)) for args in records]
    return [tuple(one[name] for name in ("status", "cache", "caller", "reason")) for one in named]


def test_the_log_tells_who_it_was_how_the_answer_came_and_why(
    zitadel: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    expected = [
        (PUBLIC, None, (200, None, None, None)),
        (PRIVATE, None, (401, None, None, "no bearer token")),
        (PRIVATE, READER.pat, (200, "asked", "reader", None)),
        (SCOPED, READER.pat, (200, "hit", "reader", None)),
        (SCOPED, VISITOR.pat, (401, "asked", "visitor", "lacks read:messages")),
        (SCOPED, VISITOR.pat, (401, "hit", "visitor", "lacks read:messages")),
        (PRIVATE, "unknown", (401, "asked", None, "the token is not active")),
        ("/nowhere", None, (404, None, None, "no such path")),
    ]
    with protected_api(settings_for(zitadel.url), Time()) as api:
        for target, token, _ in expected:
            api.get(target, token)
    assert facts(caplog) == [fact for _, _, fact in expected]


def test_a_long_name_is_cut_and_a_zitadel_that_is_away_is_the_reason(caplog: pytest.LogCaptureFixture) -> None:
    settings = settings_for("http://127.0.0.1:9", project_id=None)
    name = "ada and " * 60 + "\u202e\n"
    with running(create_app(settings, Scripted(Introspection(active=True, claims={"username": name})))) as api:
        assert api.get(PRIVATE).status == 200
    with protected_api(settings, Time()) as api:
        assert api.get(PRIVATE).status == 503
    (_, _, caller, _), (status, cache, nobody, reason) = facts(caplog)
    assert caller == name[:60]
    assert (status, cache, nobody, "127.0.0.1" in str(reason)) == (503, None, None, True)
