"""What the emulator prints at its start, and its log lines, at terminals of several widths and beside the API's."""

import io
import logging
import re
from dataclasses import astuple

import pytest

from tests.server.test_logs import Terminal
from tests.support.cli import Shell, Stack
from zdemo.cli.commands.emulator import BESIDE_THE_API, requests_log, show_start
from zdemo.cli.screen import Screen
from zdemo.emulator.incoming.request_records import REQUESTS_LOG, RequestRecord
from zdemo.emulator.seed import APP_CLIENT_ID, READER, known_start
from zdemo.errors.response import Response
from zdemo.server.logs import TextFormatter

INACTIVE = RequestRecord(
    method="POST",
    path="/oauth/v2/introspect",
    status=200,
    milliseconds=2.94,
    client="emulator-api",
    token="zdem…-000",  # masked
    reason="expired 3 s ago",
)
LISTED = RequestRecord(
    method="POST", path="/zitadel.user.v2.UserService/ListUsers", status=200, milliseconds=2.94, user="zdemo-admin"
)
WHOSE = "emulator-api, zdem…-000: expired 3 s ago"


def test_the_start_names_the_accounts_with_their_tokens_and_the_people() -> None:
    out = io.StringIO()
    show_start(Screen(stdout=out), known_start(), "http://localhost:8484")
    lines = out.getvalue().splitlines()
    assert {f"app            {APP_CLIENT_ID} (emulator-app)", "people         ada"} < set(lines)
    assert lines[lines.index("reader       read:messages") + 1] == f"  {READER.pat}"


@pytest.mark.parametrize(
    ("record", "columns", "lines"),
    [
        (INACTIVE, 40, ["200    2.9 ms  ZITADEL POST /oauth/v2/i…", "    emulator-api, zdem…-000: expired 3 …"]),
        (INACTIVE, 80, ["CLOCK  200    2.9 ms  ZITADEL POST /oauth/v2/introspect", f"    {WHOSE}"]),
        (INACTIVE, 0, [f"CLOCK  ZITADEL  POST /oauth/v2/introspect  200  {WHOSE}{' ' * 11}2.9 ms"]),
        (LISTED, 80, ["CLOCK  200    2.9 ms  ZITADEL POST UserService/ListUsers  zdemo-admin"]),
    ],
)
def test_a_log_line_shows_its_source_the_reason_and_the_service_without_its_package(
    record: RequestRecord, columns: int, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    formatter = TextFormatter(Terminal() if columns else io.StringIO(), requests_log(BESIDE_THE_API))
    event = logging.LogRecord(REQUESTS_LOG, logging.INFO, "", 1, "", astuple(record), None)
    assert re.sub(r"(?m)^\d\d:\d\d:\d\d", "CLOCK", formatter.format(event)).splitlines() == lines


def test_commands_name_the_emulator_unless_its_name_is_strange(shell: Shell, shared_stack: Stack) -> None:
    for line in ("role list", "doctor", "setup --dry-run"):
        assert re.search(rf"emulator\s+{shared_stack.emulator.world.name}\b", shell(*line.split()).out)
    for name in ("\x1b[31mred", "a-b-1 of mine"):
        headers = {"x-zdemo-emulator": name}
        assert Response(status=200, headers=headers, body=b"", seconds=0, url="").emulator == ""
