"""``zdemo introspect``: what ZITADEL says about a token, and what follows."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from zdemo.cli.introspect_screen import show_investigation
from zdemo.cli.options import EnvFile, Pat
from zdemo.cli.screen import Screen
from zdemo.cli.token_input import environment_with_token, required_token, tell_mixed_sources, tell_warnings
from zdemo.client import ROLE
from zdemo.config.settings import Settings
from zdemo.diagnosis import refusal_of
from zdemo.errors import ConnectionFailed, ExitCode, ZdemoError
from zdemo.introspection.client import IntrospectionClient
from zdemo.introspection.model import Introspection
from zdemo.introspection.refusals import introspection_error, read_answer
from zdemo.investigation import investigate, pat_ids, usable_admin_pat


def introspect(
    ctx: typer.Context,
    pat: Pat = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print ZITADEL's answer unchanged.")] = False,
    require: Annotated[
        str | None, typer.Option(metavar="ROLE", help="Succeed only if the token has this role.", show_default=False)
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing; the exit code is the answer.")] = False,
    env_file: EnvFile = None,
) -> int:
    """Ask ZITADEL about a token, and explain the answer.

    Who it belongs to, which roles it has, what the API answers to it on each route, and why.

    Example: zdemo introspect --pat
    """
    screen: Screen = ctx.obj
    require = require.strip() if require else require  # blanks around it come from the shell
    environment = environment_with_token(screen, pat, env_file)
    settings = Settings.from_env(environment)
    tell_warnings(screen, settings)
    token = required_token(environment)
    if require is not None and not require.strip() and not quiet:
        raise ZdemoError("--require is empty, and no token has such a role", hint="e.g. --require read:messages")
    tell_mixed_sources(screen, environment, "PAT", "ZITADEL_DOMAIN")
    now = time.time()
    if as_json or quiet:
        return _judge(_raw(screen, settings, token, show=not quiet), settings, require, now=now)
    with screen.waiting(f"asking {settings.issuer}"):
        investigation = investigate(
            settings,
            token,
            role=require or ROLE,
            now=now,
            admin_pat=usable_admin_pat(environment),
            ids=pat_ids(environment, token),
        )
    error, finding = investigation.error, investigation.finding
    if error and finding and not (finding.candidates or finding.seen):  # two lines say all of it
        screen.error(finding.sentence, "; ".join(finding.fix))
        return error.exit_code
    show_investigation(screen, investigation, settings, token, now=now)
    if investigation.introspection is None:
        return error.exit_code if error else ExitCode.NO
    return _judge(investigation.introspection, settings, require, now=now)


def _raw(screen: Screen, settings: Settings, token: str, *, show: bool) -> Introspection:
    """Ask ZITADEL, print its answer unchanged if it is JSON, and read it."""
    client = IntrospectionClient(settings)
    try:
        screen.hide(*client.secrets)
        answer = client.ask(token)
    except ConnectionFailed as failure:
        raise introspection_error(failure) from failure
    finally:
        client.close()
    if show and answer.json() is not None:
        screen.document(answer.text.rstrip("\n"))
    return read_answer(answer, with_key=settings.key is not None)


def _judge(introspection: Introspection, settings: Settings, require: str | None, *, now: float) -> ExitCode:
    """Return yes when the token is active or, with a required role, when the API would accept it."""
    if require is None:
        return ExitCode.YES if introspection.active else ExitCode.NO
    return ExitCode.NO if refusal_of(introspection, settings, role=require, now=now) else ExitCode.YES
