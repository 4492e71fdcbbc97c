"""``zdemo emulator``: the built-in ZITADEL emulator, alone or for one command."""

from __future__ import annotations

import errno
import os
import re
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zdemo.cli import with_emulator
from zdemo.cli.common_options import HIGHEST_PORT, Expose, Host, check_exposure, port_explained
from zdemo.cli.screen import Screen
from zdemo.cli.usage import argument, check_excludes, check_needs, flag, option
from zdemo.config.variables import EMULATOR_PORT
from zdemo.errors import ExitCode, UsageError
from zdemo.errors.steps import Command
from zdemo.text.printable import one_line

if TYPE_CHECKING:
    from zdemo.emulator import Emulator
    from zdemo.emulator.seed import Start
    from zdemo.server.logs import RequestLog, TextFormatter


COMMAND = "Run this command against the emulator, and end with it."
PORT = "The port to listen on. 0 takes a free port, with random secrets. Default: 8484, and 0 with COMMAND."
EXPORT = Command("emulator --export world.toml", uses_settings=False)
DOMAIN = "Also answer to this host name, with this name in the issuer; can be repeated."
Domains = Annotated[list[str] | None, option("NAME[:PORT]", DOMAIN, envvar="ZDEMO_EXTERNAL_DOMAIN", show_envvar=False)]


def emulator(  # noqa: PLR0913, PLR0917 - Typer makes each option an argument
    ctx: typer.Context,
    command: Annotated[list[str] | None, argument("COMMAND", COMMAND)] = None,
    host: Host = "127.0.0.1",
    port: Annotated[int | None, option("PORT", PORT, min=0, max=HIGHEST_PORT)] = None,
    env: with_emulator.Env = None,
    as_json: Annotated[bool, flag("Print one JSON document when the emulator is ready, then serve.", "--json")] = False,
    until_stdin_closes: Annotated[bool, flag("End when standard input is closed.", "--until-stdin-closes")] = False,
    seed: Annotated[Path | None, option("FILE", "Start with the objects of this TOML or JSON file.")] = None,
    auto_login: Annotated[str | None, option("USER", "Log this person in at once, without the login page.")] = None,
    external_domain: Domains = None,
    expose_emulator: Expose = False,
    export: Annotated[Path | None, option("FILE", "Write the objects of your ZITADEL into a new seed.")] = None,
    people: Annotated[bool, flag("With --export: the people too.", "--people")] = False,
) -> int:
    """Run the built-in ZITADEL emulator, alone or for one command.

    COMMAND gets the address, the credentials and the tokens as variables: ZITADEL_DOMAIN, CLIENT_ID, CLIENT_SECRET,
    ZITADEL_PROJECT_ID, PAT, ZDEMO_VISITOR_PAT, ZITADEL_ADMIN_PAT, ZDEMO_APP_CLIENT_ID, ZITADEL_KEY_FILE and
    ZDEMO_USER_KEY_FILE. For other programs, --json prints them.

    Examples:
      zdemo emulator
      zdemo emulator -- npm test
      zdemo emulator --env OIDC_ISSUER={domain} -- go test .
      zdemo emulator --port 0 --json --until-stdin-closes
      zdemo emulator --export world.toml

    Exit codes: 0 ended by Ctrl-C or SIGTERM, or exported; 1 the port is taken, or a missing permission; 3 a setting is
    missing or wrong; 4 no answer from ZITADEL; with COMMAND, its exit code; 126 it is not executable; 127 it is not
    found; 128 plus the number of the signal that ended it

    More: docs/emulator.md
    """
    screen: Screen = ctx.obj
    check_needs(ctx, "export", "people")
    check_needs(ctx, "command", "env")
    check_excludes(ctx, "command", "as_json", "until_stdin_closes", "export")
    check_excludes(ctx, "export", "seed", "auto_login", "until_stdin_closes", "port")
    if export:
        return export_seed(screen, export, people=people, as_json=as_json)
    check_exposure(screen, host, expose=expose_emulator)
    port = port if port is not None else 0 if command else EMULATOR_PORT
    start = with_emulator.new_start(port, seed, external_domain or [], auto_login or "")
    if command:
        with_emulator.check_command(command, env or [], instead=Command("emulator --json", uses_settings=False))
        return with_emulator.run_with_emulator(ctx, command, env or [], start, host=host, port=port)
    from zdemo.emulator import emulate  # here, because help needs no server
    from zdemo.server.logs import log_in_batches
    from zdemo.serving.signals import block_stop_signals, wait_for

    signals = block_stop_signals()
    log_in_batches(batch_seconds=0, requests=requests_log())
    with ExitStack() as stack:
        values = stack.enter_context(with_emulator.exported(start)) if as_json else {}
        with port_explained("127.0.0.1", port), socket() as probe:  # localhost may lead there
            if host == "::1" and probe.connect_ex(("127.0.0.1", port)) == 0:
                raise OSError(errno.EADDRINUSE, "")
        with port_explained(host, port):
            running = stack.enter_context(emulate(start.world, host=host, port=port))
        if as_json:
            screen.document(_document(start, running, {"ZITADEL_DOMAIN": running.url, **values}))
        else:
            show_start(screen, start, running.url)
        if until_stdin_closes:
            with_emulator.stop_when_stdin_closes()
        wait_for(signals)
    return ExitCode.YES


def show_start(screen: Screen, start: Start, url: str) -> None:
    """Show the emulator's address, project, applications and users."""
    from zdemo.emulator.sessions import people

    screen.say(f"ZITADEL (emulator {start.world.name}) on {url}; Ctrl-C stops it")
    if start.world.other_domains:
        screen.say(f"it also answers to {', '.join(start.world.other_domains)}")
    if start.world.auto_login:
        screen.say(f"it logs {start.world.auto_login} in without the login page")
    screen.say("its state is in memory, and is lost when it stops")
    rows = [("project", start.project_id), ("CLIENT_ID", start.client_id), ("CLIENT_SECRET", start.client_secret)]
    for app in (app for app in start.world.applications.values() if app.client_id != start.client_id):
        rows.append(("app", f"{app.client_id} ({app.name})"))
        rows.append(("redirect URIs", app.redirect_uris))
    rows.append(("people", ", ".join(user.username for user in people(start.world))))
    screen.pairs([(label, text) for label, text in rows if text], label_width=len("CLIENT_SECRET"))
    width = max(len(user.username) for user in start.users)
    for user in start.users:
        roles = "(administrator)" if user.administrator else ", ".join(user.roles) or "(no role)"
        screen.say(f"{user.username:<{width}}  {roles}")
        screen.say(f"  {user.pat}")


def export_seed(screen: Screen, path: Path, *, people: bool, as_json: bool) -> int:
    """Write a seed with the objects of the ZITADEL in the settings to a new file."""
    from zdemo.cli.token_input import admin_settings  # here, since an emulator needs no settings
    from zdemo.config.file_io import check_writable, create_file
    from zdemo.setup.seed_export import SeedExport
    from zdemo.zitadel.management import ManagementClient

    if path.suffix != ".toml":
        raise UsageError(f"invalid value for --export: {path} (a .toml file)", hint=EXPORT)
    if os.path.lexists(path):
        raise UsageError(f"{path} exists already", hint="give --export the name of a new file")
    check_writable(path)
    _, settings = admin_settings(screen, None, None, None, asks=True)
    client = ManagementClient(settings.zitadel, settings.admin_pat, timeout_seconds=settings.timeout_seconds)
    seed = SeedExport(client, settings.admin_pat)
    with screen.waiting(f"reading {settings.zitadel}"):
        text = seed.text(people=people)
    create_file(path, text)
    tables = re.findall(r"^\[\[(?:\w+\.)?(\w+)\]\]", text, re.MULTILINE)
    counts = Counter(kind for kind in tables if kind != "tokens")
    if as_json:
        screen.document({"file": str(path), **counts, "left_out": seed.left_out})
        return ExitCode.YES
    screen.say(one_line(f"wrote {path}: {', '.join(f'{kind} {count}' for kind, count in counts.items())}"))
    screen.steps("left out", (f"{what}: {count}" if count else what for what, count in seed.left_out.items()))
    screen.say("its secrets and tokens are new; they work in the emulator only")
    run = Command("emulator --seed", (str(path),), uses_settings=False)
    variables = replace(run, text="emulator --json --seed", does="prints the variables of a matching .env")
    screen.steps("next", [run, variables])
    return ExitCode.YES


def _document(start: Start, running: Emulator, values: dict[str, str]) -> dict[str, Any]:
    return {
        "url": running.url,
        "name": start.world.name,
        "port": running.port,
        "external_domains": [start.world.external_domain, *start.world.other_domains],
        "admin_pat": start.admin_pat,
        "project": start.project_id,
        "client_id": start.client_id,
        "client_secret": start.client_secret,
        "app_client_id": start.app_client_id,
        "users": [{"id": u.id, "username": u.username, "pat": u.pat, "roles": list(u.roles)} for u in start.users],
        "env": values,
    }


PACKAGE = r"^/zitadel\.[\w.]+\.(?=\w+/)"  # stands before the name of a service
BESIDE_THE_API = "ZITADEL"  # tells its lines from those of the API in the same terminal


def requests_log(mark: str = "") -> RequestLog:
    """Return how the emulator's requests are logged; ``mark`` stands before each."""
    from zdemo.emulator.incoming.request_records import FIELDS, REQUESTS_LOG
    from zdemo.server.logs import RequestLog

    return RequestLog(REQUESTS_LOG, FIELDS, partial(_line, mark))


def _line(mark: str, lines: TextFormatter, _created: float, *fields: Any) -> str:
    from zdemo.emulator.incoming.request_records import RequestRecord

    record = RequestRecord(*fields)
    who = ", ".join(filter(None, (record.client, record.user or record.token)))
    what = ": ".join(filter(None, (who, record.reason)))
    request, took = one_line(f"{record.method} {re.sub(PACKAGE, '', record.path)}"), f"{record.milliseconds:.1f} ms"
    return lines.laid_out(f"{lines.clock(record.at)}  ", request, record.status, one_line(what), ("", took, ""), mark)
