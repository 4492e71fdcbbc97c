"""``zdemo doctor``: what is wrong, from the settings to the API, and how to fix it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from zdemo.cli.addresses import origin_given_by
from zdemo.cli.doctor_screen import as_document, show_done, show_list, show_summary
from zdemo.cli.options import EnvFile, Json
from zdemo.cli.screen import Screen
from zdemo.cli.token_input import hide_secrets, tell_mixed_sources
from zdemo.config.environment import Environment
from zdemo.config.parsers import did_you_mean
from zdemo.doctor import API_CHECKS, CHECKS, Check, CheckReport, DoctorContext, LoadedSettings, Outcome, Target, examine
from zdemo.errors import ExitCode, UsageError


def _check_ids(incomplete: str) -> list[str]:
    return [check.id for check in CHECKS if check.id.startswith(incomplete)]


def doctor(
    ctx: typer.Context,
    as_json: Json = False,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID",
            help="Run this check, and those it builds on. Repeatable.",
            show_default=False,
            autocompletion=_check_ids,
        ),
    ] = None,
    list_checks: Annotated[
        bool, typer.Option("--list", help="List the checks: their IDs, and what they check.")
    ] = False,
    api: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Check any API that takes bearer tokens, at this URL.", show_default=False),
    ] = None,
    env_file: EnvFile = None,
) -> int:
    """Find out what is wrong, and how to fix it.

    From the settings and the network to the token, its role, and the API.

    Example: zdemo doctor
    """
    screen: Screen = ctx.obj
    started, names = time.monotonic(), tuple(only or ())
    checks: Sequence[Check[DoctorContext] | Check[Target]] = CHECKS if api is None else API_CHECKS
    _check_names(names, [check.id for check in checks])
    if list_checks:
        show_list(screen, checks, as_json=as_json)
        return ExitCode.YES
    with screen.waiting("running the checks"):
        done = [report for report in _run(screen, names, api, env_file) if report.worth_showing]
    if as_json:
        screen.document(as_document(done, time.monotonic() - started))
    else:
        for one in done:
            show_done(screen, one)
        show_summary(screen, done, time.monotonic() - started)
    return _exit_code(done, by_name=bool(names))


def _exit_code(done: list[CheckReport], *, by_name: bool) -> ExitCode:
    """Return no when a check failed, or when one that was requested by name could not run."""
    no = any(one.result.outcome is Outcome.FAIL or (by_name and not one.result.satisfied) for one in done)
    return ExitCode.NO if no else ExitCode.YES


def _check_names(only: tuple[str, ...], known: list[str]) -> None:
    for name in only:
        if name not in known:
            near = did_you_mean(name, known)
            hint = f"did you mean {near}?" if near else "zdemo doctor --list shows the IDs"
            raise UsageError(f"unknown check: {name}", hint=hint)


def _run(screen: Screen, only: tuple[str, ...], api: str | None, env_file: Path | None) -> Iterator[CheckReport]:
    read = LoadedSettings.at(env_file)
    hide_secrets(screen, read.environment)
    if api is not None:
        return examine(API_CHECKS, _target(read.environment, api), only)
    for token in ("PAT", "ZITADEL_ADMIN_PAT"):
        tell_mixed_sources(screen, read.environment, token, "ZITADEL_DOMAIN")
    return examine(CHECKS, DoctorContext(read), only)


def _target(environment: Environment, url: str) -> Target:
    """Return the API at a URL."""
    parts = urlsplit(url if "://" in url else f"//{url}")
    origin = f"{parts.scheme}://{parts.netloc}" if parts.scheme else parts.netloc
    origin = origin_given_by("--api", origin, environment, example="http://127.0.0.1:5000/api/private")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    token = environment.get("PAT", "").strip()
    return Target(origin=origin, path=path, token=token if token.isascii() and token.isprintable() else "")
