"""What a command loads: those that serve nothing load no server."""

import json

from tests.support import processes
from tests.support.upstream import answer, json_body, upstream
from zdemo.cli.app import COMMANDS, load

SERVERS = {"flask", "werkzeug", "granian", "zdemo.server", "zdemo.emulator", "jwt", "cryptography", "pydantic"}

_LOADED = """
import contextlib, io, json, sys
import zdemo.cli
for line in sys.argv[1:]:
    sys.argv[1:] = line.split()
    with contextlib.redirect_stdout(io.StringIO()) as out:
        try:
            zdemo.cli.main()
        except SystemExit as end:
            assert not end.code, end.code
    assert out.getvalue(), "nothing was printed"
print(json.dumps(sorted(sys.modules)))
"""


def loaded(*lines: str, **environment: str) -> set[str]:
    return set(json.loads(processes.run_python(_LOADED, *lines, environment=environment)))


def test_help_loads_no_server_and_no_other_command_and_begins_with_the_summary() -> None:
    modules = loaded("serve --help")
    assert modules & {*SERVERS, "requests"} == set()
    assert {name for name in COMMANDS if f"zdemo.cli.commands.{name}" in modules} == {"serve"}
    assert [load(name).help.splitlines()[0] for name in COMMANDS] == [summary for summary, _ in COMMANDS.values()]


def test_asking_loads_no_server_and_nothing_that_draws() -> None:
    body = {"message": "hello", "active": True, "aud": ["1"], "project": {"name": "x"}, "authorizations": []}
    with upstream(answer(json_body(body))) as server:  # to each command
        environment = {
            "ZDEMO_API_URL": server.url,
            "ZITADEL_DOMAIN": server.url,
            "ZITADEL_PROJECT_ID": "1",
            **dict.fromkeys(("CLIENT_ID", "CLIENT_SECRET", "PAT", "ZITADEL_ADMIN_PAT"), "x"),
        }
        modules = loaded("call public", "introspect", "role list", **environment)
        assert len(server.requests) > 2
    assert "requests" in modules
    assert modules & {*SERVERS, "rich"} == set()
