"""``zdemo doctor``: what is wrong, from the settings to the API, and how to fix it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from zdemo.cli.explain import explain
from zdemo.cli.layout import pad, step
from zdemo.cli.options import EnvFile, Json, check_address
from zdemo.cli.screen import Screen
from zdemo.cli.token_input import hide_secrets, tell_mixed_sources
from zdemo.config.environment import Environment
from zdemo.config.names import did_you_mean
from zdemo.config.printable import printable
from zdemo.diagnosis import Certainty
from zdemo.doctor import API_CHECKS, CHECKS, Check, CheckReport, DoctorContext, Outcome, Target, examine
from zdemo.errors import ExitCode, UsageError

LABELS = {Outcome.PASS: "ok", Outcome.WARN: "warn", Outcome.FAIL: "FAIL", Outcome.SKIP: "skip"}
COLOURS = {Outcome.PASS: "green", Outcome.WARN: "yellow", Outcome.FAIL: "red", Outcome.SKIP: "bright_black"}
LABEL_WIDTH, ID_WIDTH = 6, 22
INDENT = " " * (LABEL_WIDTH + ID_WIDTH)
A_GLANCE = 8  # checks that fit on a screen with their failures
EVERY_CHECK: Sequence[Check[Any]] = (*CHECKS, *API_CHECKS)
MOST_SEEN = 6  # lines of evidence; --json has all of them


def _check_ids(incomplete: str) -> list[tuple[str, str]]:
    return [(check.id, check.what) for check in CHECKS if check.id.startswith(incomplete)]


def _all_ids(incomplete: str) -> list[tuple[str, str]]:
    return [(check.id, check.what) for check in EVERY_CHECK if check.id.startswith(incomplete)]


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
    explained: Annotated[
        str | None,
        typer.Option(
            "--explain",
            metavar="ID",
            help="Explain this check, and how to fix what it finds.",
            show_default=False,
            autocompletion=_all_ids,
        ),
    ] = None,
    env_file: EnvFile = None,
) -> int:
    """Find out what is wrong, and how to fix it.

    Checks everything from the settings and the network to the token, its role, and the API.

    Examples:
      zdemo doctor
      zdemo doctor --only token.active
      zdemo doctor --explain token.active
      zdemo doctor --api http://127.0.0.1:5000/api/private

    Variables: all of zdemo's, see docs/settings.md

    Exit codes: 0 no check failed; 1 one failed, or one that --only names could not run; 2 no such check

    More: docs/troubleshooting.md
    """
    screen: Screen = ctx.obj
    if explained is not None:
        _check_names((explained,), [check.id for check in EVERY_CHECK])
        explain(screen, next(check for check in EVERY_CHECK if check.id == explained), as_json=as_json)
        return ExitCode.YES
    started, names = time.monotonic(), tuple(only or ())
    checks: Sequence[Check[DoctorContext] | Check[Target]] = CHECKS if api is None else API_CHECKS
    _check_names(names, [check.id for check in checks])
    if list_checks:
        _show_list(screen, checks, as_json=as_json)
        return ExitCode.YES
    with screen.waiting("running the checks"):
        done = [report for report in _run(screen, names, api, env_file) if report.worth_showing]
    if as_json:
        screen.document(_as_document(done, time.monotonic() - started))
    else:
        for one in done:
            _show(screen, one)
        _show_summary(screen, done, time.monotonic() - started)
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
    context = DoctorContext(env_file)
    hide_secrets(screen, context.environment)
    if api is not None:
        return examine(API_CHECKS, _target(context.environment, api), only)
    for token in ("PAT", "ZITADEL_ADMIN_PAT"):
        tell_mixed_sources(screen, context.environment, token, "ZITADEL_DOMAIN")
    return examine(CHECKS, context, only)


def _target(environment: Environment, url: str) -> Target:
    """Return the API at a URL."""
    parts = urlsplit(url if "://" in url else f"//{url}")
    origin = f"{parts.scheme}://{parts.netloc}" if parts.scheme else parts.netloc
    origin = check_address("--api", origin, environment, example="http://127.0.0.1:5000/api/private")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    token = environment.get("PAT", "").strip()
    return Target(origin=origin, path=path, token=token if token.isascii() and token.isprintable() else "")


def _show(screen: Screen, done: CheckReport) -> None:
    """Show a check, and what to do if it failed."""
    result = done.result
    label = screen.mark(LABELS[result.outcome], COLOURS[result.outcome])
    screen.behind(f"{pad(label, LABEL_WIDTH)}{done.id:<{ID_WIDTH}}", result.evidence)
    if result.outcome in (Outcome.PASS, Outcome.SKIP):
        return
    if result.seen:
        _below(screen, "seen: ", "; ".join(f"{label}: {text}" for label, text in result.seen[:MOST_SEEN]))
    can_be = "it can be: " if result.certainty is Certainty.OPEN else "perhaps: "
    for candidate in result.candidates:
        _below(screen, can_be, candidate)
        can_be = "       or: "
    lead = "fix: "
    for fix in (*(f"{fix};" for fix in result.fix[:-1]), *result.fix[-1:]):
        _below(screen, lead, fix)
        lead = " " * len(lead)
    _below(screen, "see: ", f"zdemo doctor --explain {done.id}")


def _below(screen: Screen, lead: str, text: str) -> None:
    screen.behind(f"{INDENT}{lead}", step(text))


def _show_summary(screen: Screen, done: Sequence[CheckReport], seconds: float) -> None:
    """Show how many checks had which outcome; repeat what failed when it may have scrolled off the screen."""
    screen.say()
    screen.headline(_summary(done), f"{seconds:.1f} s")
    if len(done) <= A_GLANCE:
        return
    for one in done:
        if one.result.outcome is Outcome.FAIL:
            what = step((*one.result.fix, one.result.evidence)[0])
            screen.pairs([("failed", f"{one.id}: {what}")], label_width=LABEL_WIDTH)


def _summary(done: Sequence[CheckReport]) -> str:
    """Return the numbers of outcomes, without zeros."""
    count = Counter(one.result.outcome for one in done)
    words = {
        Outcome.FAIL: "failed",
        Outcome.WARN: "warning" if count[Outcome.WARN] == 1 else "warnings",
        Outcome.PASS: "passed",
        Outcome.SKIP: "skipped",
    }
    return ", ".join(f"{count[outcome]} {word}" for outcome, word in words.items() if count[outcome])


def _show_list(screen: Screen, checks: Sequence[Check[Any]], *, as_json: bool) -> None:
    """Show the IDs of checks and what they check."""
    if as_json:
        screen.document(
            {"checks": [{"id": c.id, "what": c.what, "needs": list(c.needs), "anchor": c.anchor} for c in checks]}
        )
        return
    for check in checks:
        screen.behind(f"{check.id:<{ID_WIDTH}}", check.what)


def _as_document(done: Sequence[CheckReport], seconds: float) -> dict[str, Any]:
    """Return the document for programs; ``fix`` is one text, empty where nothing needs a fix."""
    return {
        "passed": not any(one.result.outcome is Outcome.FAIL for one in done),
        "summary": {outcome.value: sum(one.result.outcome is outcome for one in done) for outcome in Outcome},
        "seconds": round(seconds, 3),
        "checks": [
            {
                "id": one.id,
                "outcome": one.result.outcome.value,
                "evidence": printable(one.result.evidence),
                "fix": step("; ".join(one.result.fix)),
                "certainty": one.result.certainty.value,
                "candidates": [printable(text) for text in one.result.candidates],
                "seen": [printable(f"{label}: {text}") for label, text in one.result.seen],
                "anchor": one.anchor,
            }
            for one in done
        ],
    }
