"""``zdemo emulator``: the built-in ZITADEL emulator alone."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Annotated, Any

import typer

from zdemo.cli.layout import table
from zdemo.cli.old_keys import with_old_keys
from zdemo.cli.options import Expose, Host, Port, check_exposure, port_explained
from zdemo.cli.screen import Screen
from zdemo.config.columns import WITHOUT_TERMINAL
from zdemo.config.new_dotenv import EMULATOR_PORT
from zdemo.errors import ExitCode


def emulator(
    ctx: typer.Context,
    host: Host = "127.0.0.1",
    port: Port = EMULATOR_PORT,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document when the emulator is ready, then serve.")
    ] = False,
    expose_emulator: Expose = False,
) -> int:
    """Run the built-in ZITADEL emulator alone.

    For programs in any language, --json prints its address, its credentials and its tokens.

    Examples:
      zdemo emulator
      zdemo emulator --port 8080
      zdemo emulator --json

    Exit codes: 0 ended by Ctrl-C or SIGTERM; 1 the port is taken

    More: docs/emulator.md
    """
    from zdemo.emulator import emulate
    from zdemo.serving.signals import block_stop_signals, wait_for

    screen: Screen = ctx.obj
    check_exposure(screen, host, expose=expose_emulator)
    signals = block_stop_signals()
    with ExitStack() as stack:
        with port_explained(host, port, "zdemo emulator"):
            running = stack.enter_context(emulate(host=host, port=port))
        document = _document(running.url)
        if as_json:
            screen.document(with_old_keys(document))
        else:
            _show(screen, document)
        wait_for(signals)
    return ExitCode.YES


def _show(screen: Screen, document: dict[str, Any]) -> None:
    screen.say(f"ZITADEL (emulator) on {document['url']}; Ctrl-C stops it")
    screen.say("its state is in memory and ends with it")
    labels = {"project": "project", "CLIENT_ID": "client_id", "CLIENT_SECRET": "client_secret"}
    screen.pairs([(label, document[key]) for label, key in labels.items()], label_width=len("CLIENT_SECRET"))
    for line in known_users():
        screen.say(line)


def known_users() -> list[str]:
    """Return the emulator's users: name and role, and below them the PAT on a line of its own."""
    from zdemo.emulator import ADMIN, READER, VISITOR

    users = {READER: ", ".join(READER.roles), VISITOR: "(no role)", ADMIN: "(administrator)"}
    rows = table([(user.username, role) for user, role in users.items()], WITHOUT_TERMINAL)
    return [line for row, user in zip(rows, users, strict=True) for line in (row, f"  {user.pat}")]


def _document(url: str) -> dict[str, Any]:
    from zdemo.emulator import ADMIN, CLIENT_ID, CLIENT_SECRET, PROJECT_ID, READER, VISITOR

    return {
        "url": url,
        "admin_pat": ADMIN.pat,
        "project": PROJECT_ID,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "users": [
            {"id": u.id, "username": u.username, "pat": u.pat, "roles": list(u.roles)} for u in (READER, VISITOR, ADMIN)
        ],
    }
