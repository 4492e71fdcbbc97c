"""``zdemo mcp``: the diagnosis as a read-only MCP server. Its tools run zdemo's commands, and return their JSON."""

import asyncio
import json
import re
import signal
import sys
from typing import Any

import typer

from zdemo import __version__
from zdemo.cli.common_options import EnvFile
from zdemo.cli.screen import Screen
from zdemo.cli.token_input import FROM_STDIN, TOKENS
from zdemo.config.parsers import installing
from zdemo.errors import ZdemoError
from zdemo.http.example_api import ROLE
from zdemo.text.masking import holds_token
from zdemo.text.printable import printable
from zdemo.text.redaction import in_texts

CALLERS = {variable: caller for caller, variable in TOKENS.items()}
TOOLS = {  # the command line of each, what it does, and its arguments
    "introspect": ("introspect -v", "Say what ZITADEL answers about a token, and why.", "setting token role"),
    "doctor": ("doctor", "Check the settings, the network, ZITADEL, the token in PAT, its role, and the API.", "only"),
    "explain": ("doctor", "Explain a check of doctor, and how to fix what it finds.", "check"),
}
ARGUMENTS = {  # the option that each gives, and its meaning
    "setting": ("--as", f"The setting that holds the token: {' or '.join(CALLERS)}. Default: PAT."),
    "token": ("--pat", "The token itself, instead of a setting. It is not repeated."),
    "role": ("--require", f"The role that the API requires. Default: {ROLE}."),
    "only": ("--only", "A check or a group of checks; those that it builds on run too. Default: all."),
    "check": ("--explain", "The ID of the check, for example token.active."),
}
PROCESSES = asyncio.Semaphore(2)  # at once: a client may send any number of calls
LONGEST = 200  # characters of an argument that is not a token; no role of ZITADEL's is longer


def mcp(ctx: typer.Context, env_file: EnvFile = None) -> None:
    """Give the diagnosis to an MCP client, over standard input and output.

    The tools introspect, doctor and explain change nothing, and give what these commands print with --json. A token is
    named by its setting, or given by the client.

    Examples:
      zdemo mcp
      zdemo mcp --env-file my-api.env

    Variables: all of zdemo's, see docs/settings.md

    Exit codes: 0 the client closed standard input; 1 the package mcp, version 2, is not installed

    More: docs/commands.md
    """
    screen: Screen = ctx.obj
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Python waits for the thread that reads standard input
    try:
        if sys.stdin is not None:  # it was not closed
            asyncio.run(_serve(screen, [] if env_file is None else [f"--env-file={env_file}"]))
    except* OSError:
        pass  # the client no longer reads


async def _serve(screen: Screen, options: list[str]) -> None:
    """Answer the client until it closes standard input; every command gets ``options``."""
    try:  # few people install it
        from mcp.server import Server
        from mcp.server.stdio import stdio_server
        from mcp.shared.exceptions import MCPError
        from mcp.types import INVALID_PARAMS, CallToolResult, ListToolsResult, TextContent, Tool, ToolAnnotations
    except ImportError:
        hint = installing("'zdemo[mcp]'")
        raise ZdemoError("zdemo mcp needs the package mcp, version 2, which is not installed", hint=hint) from None

    async def tools(*_: object) -> ListToolsResult:
        unchanged = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True)
        listed = []
        for name, (_line, text, names) in TOOLS.items():
            properties = {key: {"type": "string", "description": ARGUMENTS[key][1]} for key in names.split()}
            required = [key for key in properties if key == "check"]  # without it, doctor would run
            schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
            listed.append(Tool(name=name, description=text, input_schema=schema, annotations=unchanged))
        return ListToolsResult(tools=listed)

    async def call(_: object, asked: Any) -> CallToolResult:
        if asked.name not in TOOLS:
            raise MCPError(INVALID_PARAMS, f"unknown tool (known: {', '.join(TOOLS)})")
        async with PROCESSES:
            document = await answer_to(asked.name, asked.arguments or {}, options)
        text = TextContent(type="text", text=json.dumps(document, ensure_ascii=False))
        return CallToolResult(content=[text], structured_content=document, is_error="error" in document)

    server = Server("zdemo", version=__version__, on_list_tools=tools, on_call_tool=call)
    screen.note("an MCP client starts this command and sends it JSON-RPC on standard input: Ctrl-C ends it")
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


async def answer_to(tool: str, given: dict[str, Any], options: list[str]) -> dict[str, Any]:
    """Return what a tool's command prints, or an error that repeats no argument, which may be a token.

    The token goes to the command's standard input: others can read command lines. If the client cancels, it ends.
    """
    command, _, names = TOOLS[tool]
    given = {name: value for name, value in given.items() if value is not None}
    if not given.keys() <= {*names.split()} or (tool == "explain" and not given):
        return {"error": "wrong arguments", "hint": f"{tool} takes {names.replace(' ', ', ')}"}
    if re.fullmatch("[A-Z_]+", str(given.get("token"))):
        return {"error": "token is the name of a setting, not a token", "hint": f"setting: {', '.join(CALLERS)}"}
    token, words = given.get("token", ""), [*command.split(), "--json", *options]
    for name, value in given.items():
        text = CALLERS.get(str(value)) if name == "setting" else FROM_STDIN if name == "token" else value
        if isinstance(text, str) and holds_token(text):  # a token in a wrong place
            text = None
        if not isinstance(value, str) or not isinstance(text, str) or len(text) > LONGEST or "\0" in text:
            return {"error": f"invalid value for {name}", "hint": ARGUMENTS[name][1]}
        words.append(f"{ARGUMENTS[name][0]}={text}")
    pipe, nowhere = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    zdemo = [sys.executable, "-P", "-m", "zdemo"]  # -P: the folder may have a zdemo.py of its own
    process = await asyncio.create_subprocess_exec(*zdemo, *words, stdin=pipe, stdout=pipe, stderr=nowhere)
    try:
        printed, _ = await process.communicate(token.encode(errors="replace"))
        document: dict[str, Any] = in_texts(printable, json.loads(printed))  # half a surrogate pair cannot be sent
    finally:
        if process.returncode is None:
            process.kill()
    return document
