"""``zdemo mcp``, asked by the SDK's own client: the values of the commands, nothing changed, and no secret repeated."""

import asyncio
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.support.cli import BASE, Shell
from tests.support.processes import LONGEST_SECONDS, processes
from tests.support.upstream import answer, hang, upstream
from zdemo.cli.commands.mcp import answer_to
from zdemo.config.parsers import installing
from zdemo.emulator import ADMIN, CLIENT_SECRET, READER, VISITOR
from zdemo.errors.steps import in_words

if TYPE_CHECKING:
    from mcp.types import Tool  # elsewhere in functions: the package takes long to load, which each worker would do

DEAD = "zdemoDeadTokenThatNobodyKnows0123456789abcdefghijklmnopqrstuvwxyzABCDEF"
SECRETS = (CLIENT_SECRET, CLIENT_SECRET[::-1], READER.pat, VISITOR.pat, ADMIN.pat, DEAD)
Call = tuple[str, Mapping[str, Any]]


class Session(NamedTuple):
    tools: "list[Tool]"
    answers: list[Any]  # documents, or the error of the protocol
    errors: list[bool]
    version: str


def session(shell: Shell, *calls: Call, options: Sequence[str] = (), mode: str = "auto", **env: str) -> Session:
    """Make calls through the SDK's client, which starts the server. Nothing that it writes may hold a secret."""
    from mcp import Client, StdioServerParameters, stdio_client
    from mcp.shared.exceptions import MCPError

    args, env = ["-P", "-m", "zdemo", "mcp", *options], {**BASE, **shell.env, **env}
    server = StdioServerParameters(command=sys.executable, args=args, env=env, cwd=shell.folder)

    async def talk() -> Session:
        transport = stdio_client(server, errlog=log)
        async with Client(transport, read_timeout_seconds=LONGEST_SECONDS, mode=mode) as client:
            seen = Session((await client.list_tools()).tools, [], [], client.protocol_version)
            for name, arguments in calls:
                try:
                    result = await client.call_tool(name, dict(arguments))
                except MCPError as error:
                    seen.answers.append(error.message)
                    seen.errors.append(True)
                else:
                    text = json.loads(result.content[0].model_dump()["text"])
                    assert text == result.structured_content
                    seen.answers.append(text)
                    seen.errors.append(result.is_error)
            return seen

    with tempfile.TemporaryFile("w+") as log:
        seen = asyncio.run(talk())
        log.seek(0)
        written = log.read() + str(seen)
    assert not [secret for secret in SECRETS if secret in written]
    return seen


REFUSED: Sequence[Call] = (  # before a command runs
    *(("introspect", {"setting": name}) for name in ("ZITADEL_API_CLIENT_SECRET", "CLIENT_SECRET", "reader", DEAD)),
    *(("introspect", {"token": token}) for token in ([DEAD], 5)),
    *(("introspect", {"role": role}) for role in (DEAD, "a " * 101, "\0", {DEAD: 1})),
    ("introspect", {"setting": "PAT", "token": DEAD}),
    *(("introspect", {"token": name}) for name in ("PAT", "VISITOR_PAT")),
    ("introspect", {DEAD: DEAD}),
    ("introspect", {"env_file": "/etc/passwd"}),
    *(("doctor", {"only": check}) for check in (DEAD, ["role"])),
    *(("doctor", {name: True}) for name in ("fix", "yes", "api")),
    *(("explain", arguments) for arguments in ({}, {"check": DEAD}, {"check": "token.active", "fix": "1"})),
)


def test_a_tool_gives_what_its_command_prints_and_a_wrong_call_runs_none(bare: Shell) -> None:
    documents = [asyncio.run(answer_to(tool, dict(arguments), [])) for tool, arguments in REFUSED]
    assert {tuple(document) for document in documents} == {("error", "hint")}
    assert DEAD not in str(documents)
    explained = asyncio.run(answer_to("explain", {"check": "net.tls"}, []))
    assert explained == bare("doctor", "--explain", "net.tls", "--json").document


@pytest.mark.thorough
def test_a_tool_gives_what_its_command_prints_and_a_wrong_call_repeats_nothing(shell: Shell) -> None:
    visitor = {"ZDEMO_VISITOR_PAT": VISITOR.pat}
    asked = {"setting": "ZDEMO_VISITOR_PAT", "token": None, "role": "admin"}
    rows: Mapping[str, Call] = {
        "introspect -v --as visitor --require admin": ("introspect", asked),
        "introspect -v --pat -": ("introspect", {"token": DEAD}),
        "doctor --explain net.tls": ("explain", {"check": "net.tls"}),
        "doctor --only nothing": ("doctor", {"only": "nothing"}),
    }
    wrong = [("introspect", {"token": ""}), ("doctor", {"only": "role --fix"}), ("repair", {}), (DEAD, {"token": DEAD})]
    seen = session(shell, *rows.values(), *REFUSED, *wrong, **visitor)
    documents = [shell(*line.split(), "--json", stdin=DEAD, **visitor).document for line in rows]
    without_time = [re.sub(r"started .*? ago", "", str(those)) for those in (seen.answers[: len(rows)], documents)]
    assert without_time[0] == without_time[1]
    assert [answer["finding"] for answer in seen.answers[:2]] == ["role.not_granted", "token.token_unknown"]
    assert seen.errors == [False] * 3 + [True] * (1 + len(REFUSED) + len(wrong))


@pytest.mark.thorough
def test_tools_change_nothing_and_what_is_wrong_is_a_cause_and_not_an_error(shell: Shell) -> None:
    seen = session(shell, ("introspect", {}), ("doctor", {}), CLIENT_SECRET=CLIENT_SECRET[::-1])
    hints = [(tool.name, tool.annotations and tool.annotations.read_only_hint) for tool in seen.tools]
    assert hints == [("introspect", True), ("doctor", True), ("explain", True)]
    assert (seen.answers[0]["finding"], seen.answers[1]["passed"]) == ("client.wrong_secret", False)
    with upstream(hang) as silent:
        hanging = session(shell, ("introspect", {}), ZITADEL_DOMAIN=silent.url, ZDEMO_TIMEOUT="0.3")
    assert (hanging.answers[0]["answer"], hanging.answers[0]["finding"]) == (None, "net.timeout")
    assert seen.errors + hanging.errors == [False] * 3


@pytest.mark.thorough
def test_half_a_surrogate_pair_in_a_claim_is_written_out_to_an_older_client_too(shell: Shell) -> None:
    with upstream(answer(b'{"active": true, "odd": "\\ud800"}')) as zitadel:
        seen = session(shell, ("introspect", {}), mode="legacy", ZITADEL_DOMAIN=zitadel.url)
    assert (seen.answers[0]["answer"]["odd"], seen.version < "2026") == ("\\ud800", True)


@pytest.mark.thorough
def test_two_commands_run_at_once(shell: Shell) -> None:
    from mcp import Client, StdioServerParameters, stdio_client

    (shell.folder / "of-this-test.env").touch()
    args, env = ["-m", "zdemo", "mcp", "--env-file=of-this-test.env"], {**BASE, **shell.env}
    server = StdioServerParameters(command=sys.executable, args=args, env=env, cwd=shell.folder)

    async def most() -> int:
        async with Client(stdio_client(server), read_timeout_seconds=LONGEST_SECONDS) as client:
            calls = [asyncio.ensure_future(client.call_tool("explain", {"check": "net.tls"})) for _ in range(6)]
            counts = [0]
            while (await asyncio.wait(calls, timeout=0.01, return_when=asyncio.ALL_COMPLETED))[1]:
                counts.append(sum("of-this-test.env --explain" in p.command for p in processes()))
            return max(counts)

    assert asyncio.run(most()) == 2


@pytest.mark.thorough
def test_lines_that_are_no_protocol_are_not_repeated(shell: Shell) -> None:
    from mcp.types import INVALID_PARAMS

    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "introspect", "arguments": [DEAD]}}
    lines = [DEAD, f'["{DEAD}"]', f'{{"method": 5, "params": "{DEAD}"}}', "\0", json.dumps(call)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    command, env = [*shell.program, "mcp"], {**BASE, **shell.env}
    with subprocess.Popen(command, cwd=shell.folder, env=env, **pipes) as process:  # type: ignore[call-overload]  # noqa: S603
        process.stdin.write("\n".join([*lines, ""]))
        process.stdin.flush()
        answer = process.stdout.readline()
        rest, notes = process.communicate(timeout=LONGEST_SECONDS)
    assert (process.returncode, rest, json.loads(answer)["error"]["code"]) == (0, "", INVALID_PARAMS)
    assert ("an MCP client starts this" in notes, DEAD in answer + notes) == (True, False)


@pytest.mark.thorough
def test_it_reads_the_file_that_is_named_and_runs_no_code_of_its_folder(shell: Shell, bare: Shell) -> None:
    (bare.folder / "zdemo.py").write_text("raise SystemExit('not this one')")
    (bare.folder / "my api.env").write_text("".join(f"{name}={value}\n" for name, value in shell.env.items()))
    seen = session(bare, ("introspect", {}), options=["--env-file", "my api.env"])
    assert (seen.answers[0]["finding"], seen.errors) == (None, [False])


def test_without_the_extra_it_says_what_to_install(bare: Shell) -> None:
    (bare.folder / "mcp.py").write_text("raise ImportError('version 1 has no MCPError')")
    ran = bare.in_new_process("mcp")
    assert (ran.code, ran.out) == (1, "")
    hint = in_words(installing("'zdemo[mcp]'"))
    assert ran.lines == ["error: zdemo mcp needs the package mcp, version 2, which is not installed", f"hint:  {hint}"]
