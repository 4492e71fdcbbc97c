"""The emulator's lines at a terminal of each width, and beside the API's."""

import io
import json
import logging
import re
from dataclasses import astuple

import pytest

from tests.server.test_log_lines import Terminal
from zdemo.cli.emulator_log import BESIDE_THE_API, requests_log
from zdemo.config.columns import cells
from zdemo.emulator import REQUESTS_LOG, RequestRecord
from zdemo.server.logs import JsonFormatter, TextFormatter

INACTIVE = RequestRecord(
    method="POST",
    path="/oauth/v2/introspect",
    status=200,
    milliseconds=2.94,
    client="emulator-api",
    token="zdem…-000",  # masked
    reason="expired 3 s ago",
)
CREATED = RequestRecord(
    method="POST", path="/zitadel.user.v2.UserService/ListUsers", status=200, milliseconds=2.94, user="zdemo-admin"
)
NASTY = RequestRecord(method="G\x1b[31m", path="/\u202e", status=404, milliseconds=1, client="\x9b" * 90, reason="a\nb")


def shown(
    record: RequestRecord, columns: int, monkeypatch: pytest.MonkeyPatch, mark: str = BESIDE_THE_API
) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    formatter = TextFormatter(Terminal() if columns else io.StringIO(), requests_log(mark))
    event = logging.LogRecord(REQUESTS_LOG, logging.INFO, "", 1, "", astuple(record), None)
    return [re.sub(r"^\d\d:\d\d:\d\d", "CLOCK", line) for line in formatter.format(event).splitlines()]


@pytest.mark.parametrize(
    ("columns", "lines"),
    [
        (
            0,
            [
                "CLOCK  ZITADEL  POST /oauth/v2/introspect  200  emulator-api, zdem…-000: expired 3 s ago"
                + " " * 11
                + "2.9 ms"
            ],
        ),
        (40, ["200    2.9 ms  ZITADEL POST /oauth/v2/i…", "    emulator-api, zdem…-000: expired 3 …"]),
        (
            60,
            [
                "CLOCK  200    2.9 ms  ZITADEL  POST /oauth/v2/introspect",
                "    emulator-api, zdem…-000: expired 3 s ago",
            ],
        ),
        (
            80,
            [
                "CLOCK  200    2.9 ms  ZITADEL        POST /oauth/v2/introspect",
                "    emulator-api, zdem…-000: expired 3 s ago",
            ],
        ),
    ],
)
def test_a_line_says_whose_it_is_and_the_reason(
    columns: int, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shown(INACTIVE, columns, monkeypatch) == lines


def test_a_service_is_shown_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = shown(CREATED, 80, monkeypatch, mark="")
    assert line.startswith("CLOCK  200    2.9 ms  POST UserService/ListUsers  zdemo-admin")


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_nothing_is_wider_than_the_terminal_or_acts_on_it(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for record in (INACTIVE, CREATED, NASTY):
        lines = shown(record, columns, monkeypatch)
        assert len(lines) <= 2
        assert all(line.isprintable() and cells(line) <= columns + 3 for line in lines)  # CLOCK is three shorter


def test_json_has_the_fields_of_the_record() -> None:
    event = logging.LogRecord(REQUESTS_LOG, logging.INFO, "", 1, "", astuple(INACTIVE), None)
    line = json.loads(JsonFormatter(requests_log("")).format(event))
    assert {name: line[name] for name in ("client", "token", "status", "reason", "path")} == {
        "client": "emulator-api",
        "token": "zdem…-000",
        "status": 200,
        "reason": "expired 3 s ago",
        "path": "/oauth/v2/introspect",
    }
