"""What a command loads: those that serve nothing load no server."""

import json

import pytest

from tests.support import processes
from tests.support.upstream import answer, json_body, upstream
from zdemo.cli.app import COMMANDS, load

ROWS = {"project": {"name": "x"}, "authorizations": [], "pagination": {"totalResult": "0"}}
BODIES = {  # of what a command asks
    "call public": {"message": "hello"},
    "introspect": {"active": True, "aud": ["1"]},
    "role list": ROWS,
}
SERVERS = {"flask", "werkzeug", "granian", "zdemo.server", "zdemo.emulator", "jwt", "cryptography", "pydantic"}

_LOADED = """
import contextlib, io, json, sys
import zdemo.cli
if len(sys.argv) > 1:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        try:
            zdemo.cli.main()
        except SystemExit as end:
            assert not end.code, end.code
    assert out.getvalue(), "nothing was printed"
print(json.dumps(sorted(sys.modules)))
"""


def loaded(*arguments: str, **environment: str) -> set[str]:
    return set(json.loads(processes.run_python(_LOADED, *arguments, environment=environment)))


@pytest.mark.parametrize("line", ["", "serve --help"])
def test_help_loads_no_server_and_no_other_command(line: str) -> None:
    modules = loaded(*line.split())
    assert modules & {*SERVERS, "requests"} == set()
    assert {name for name in COMMANDS if f"zdemo.cli.commands.{name}" in modules} == set(line.split()) - {"--help"}


def test_the_summary_of_a_command_is_the_first_line_of_its_help() -> None:
    assert [load(name).help.splitlines()[0] for name in COMMANDS] == [summary for summary, _ in COMMANDS.values()]


@pytest.mark.parametrize("command", BODIES)
def test_asking_loads_no_server_and_nothing_that_draws(command: str) -> None:
    with upstream(answer(json_body(BODIES[command]))) as server:
        environment = {
            "ZDEMO_API_URL": server.url,
            "ZITADEL_DOMAIN": server.url,
            "ZITADEL_PROJECT_ID": "1",
            **dict.fromkeys(("CLIENT_ID", "CLIENT_SECRET", "PAT", "ZITADEL_ADMIN_PAT"), "x"),
        }
        modules = loaded(*command.split(), **environment)
        assert server.requests
    assert "requests" in modules
    assert modules & {*SERVERS, "rich"} == set()
