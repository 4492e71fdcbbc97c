"""``zdemo introspect``: what ZITADEL says about a token, and what follows."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from zdemo.authorization import Policy, authorize
from zdemo.cli.introspect_screen import show_investigation
from zdemo.cli.options import EnvFile, Pat
from zdemo.cli.screen import Screen
from zdemo.cli.token_input import environment_with_token, required_token, tell_mixed_sources, tell_warnings
from zdemo.client import ROLE
from zdemo.config.settings import Settings
from zdemo.errors import ConnectionFailed, ExitCode, Refused, ZdemoError
from zdemo.introspection.client import IntrospectionClient
from zdemo.introspection.model import Introspection
from zdemo.introspection.refusals import introspection_error, read_answer
from zdemo.investigation.admin_lookup import pat_ids, usable_admin_pat
from zdemo.investigation.investigate import Investigation, investigate


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
    _raise_if_plain(investigation)
    show_investigation(screen, investigation, settings, token, now=now)
    if investigation.introspection is None:
        return investigation.error.exit_code if investigation.error else ExitCode.NO
    return _judge(investigation.introspection, settings, require, now=now)


def _raw(screen: Screen, settings: Settings, token: str, *, show: bool) -> Introspection:
    """Ask, print the answer as it is if it is JSON, and read it."""
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


def _judge(found: Introspection, settings: Settings, require: str | None, *, now: float) -> ExitCode:
    """Without a role the question is whether the token is active; with one, whether the API would let it pass."""
    if require is None:
        return ExitCode.YES if found.active else ExitCode.NO
    try:
        authorize(found, Policy.from_settings(settings), now=now, role=require)
    except Refused:
        return ExitCode.NO
    return ExitCode.YES


def _raise_if_plain(investigation: Investigation) -> None:
    """An error that two lines can say is said in two lines."""
    error, finding = investigation.error, investigation.finding
    if error and (finding is None or not (finding.candidates or finding.seen)):
        if finding:
            error.message, error.hint = finding.said, "; ".join(finding.fix)
        raise error
