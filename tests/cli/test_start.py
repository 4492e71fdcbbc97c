"""What a command loads: those that serve nothing load no server."""

from __future__ import annotations

import json

import pytest

from tests.support import processes
from tests.support.upstream import answer, json_body, upstream
from zdemo.cli.app import COMMANDS, load

SERVERS = {"flask", "werkzeug", "granian", "cheroot", "zdemo.server", "zdemo.emulator", "jwt", "cryptography"}

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


HELP = [(), ("--help",), *((name, "--help") for name in COMMANDS)]


@pytest.mark.parametrize("arguments", HELP, ids=lambda words: " ".join(words) or "import")
def test_help_loads_no_server(arguments: tuple[str, ...]) -> None:
    assert loaded(*arguments) & SERVERS == set()


@pytest.mark.parametrize("arguments", [("--help",), ("call", "--help")], ids=" ".join)
def test_help_imports_the_command_that_is_called_and_no_other(arguments: tuple[str, ...]) -> None:
    modules = loaded(*arguments)
    assert "requests" not in modules
    assert {name for name in COMMANDS if f"zdemo.cli.{name}" in modules} == set(arguments) - {"--help"}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_summary_of_a_command_is_the_first_line_of_its_help(name: str) -> None:
    assert load(name).help.splitlines()[0] == COMMANDS[name][1]


def test_a_call_loads_no_server() -> None:
    with upstream(answer(json_body({"message": "hello"}))) as api:
        modules = loaded("call", "public", "--url", api.url)
        assert len(api.requests) == 1
    assert "requests" in modules
    assert modules & SERVERS == set()


@pytest.mark.parametrize("arguments", [("introspect",), ("introspect", "--json")])
def test_asking_zitadel_loads_no_server_and_nothing_that_draws(arguments: tuple[str, ...]) -> None:
    with upstream(answer(json_body({"active": True, "aud": ["1"]}))) as zitadel:
        environment = {"ZITADEL_DOMAIN": zitadel.url, "CLIENT_ID": "1", "CLIENT_SECRET": "2", "PAT": "x"}
        modules = loaded(*arguments, **environment)
    assert modules & {*SERVERS, "rich"} == set()


def test_the_roles_load_no_server_and_nothing_that_draws() -> None:
    rows = {"project": {"name": "x"}, "authorizations": [], "pagination": {"totalResult": "0"}}
    with upstream(answer(json_body(rows))) as zitadel:
        environment = {"ZITADEL_DOMAIN": zitadel.url, "ZITADEL_ADMIN_PAT": "x", "ZITADEL_PROJECT_ID": "1"}
        modules = loaded("role", "list", **environment)
    assert modules & {*SERVERS, "rich"} == set()
