"""``zdemo demo``: the scenario, step by step, as text or as JSON."""

import json
import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Any

import typer

from zdemo.cli.common_options import AdminKey, AdminPat, EnvFile, Json
from zdemo.cli.layout import BELOW, pad
from zdemo.cli.screen import Screen
from zdemo.cli.token_input import admin_settings
from zdemo.cli.usage import check_needs, flag, verbose_flag
from zdemo.demo.scenario import STEPS, Caller, DemoEnvironment, Interrupted, StepResult
from zdemo.errors import ExitCode, IntrospectionError
from zdemo.errors.steps import Command, Shell, Step
from zdemo.http.api_call import Call
from zdemo.http.example_api import Route
from zdemo.serving.signals import SIGNALLED
from zdemo.zitadel.introspection_answer import INTROSPECTION_PATH, ROLES_CLAIM

ROUTE_WIDTH, CALLER_WIDTH = max(map(len, Route)), max(len(caller.value) for caller in Caller)
SHOWN_CLAIMS = ("active", "username", "aud", ROLES_CLAIM)  # the claims that decide, and a name


def demo(
    ctx: typer.Context,
    as_json: Json = False,
    live: Annotated[bool, flag("Use your own ZITADEL, with objects that are removed at the end.", "--live")] = False,
    verbose: Annotated[bool, verbose_flag("Show each request and answer, with tokens masked.")] = False,
    admin_pat: AdminPat = None,
    admin_key: AdminKey = None,
    env_file: EnvFile = None,
) -> int:
    """See an API check ZITADEL tokens, with nothing configured.

    Runs the API and a ZITADEL emulator, sends eleven requests over real HTTP, and shows the reason for each answer.

    Examples:
      zdemo demo
      zdemo demo -v
      zdemo demo --live --admin-pat

    Exit codes: 0 every answer was the expected one; 1 one was not; 3 a setting is missing or wrong; 4 no answer

    More: docs/commands.md, docs/setup.md
    """
    check_needs(ctx, "live", "admin_pat", "admin_key")
    screen: Screen = ctx.obj
    logging.getLogger("zdemo").addHandler(logging.NullHandler())  # an API logs its outage, and this demo makes one
    with screen.waiting("starting"):  # the first start after an installation compiles what it loads
        from zdemo.demo.environments import emulated_demo, live_demo  # here, because help needs no server

    if not live:
        return _run(screen, emulated_demo(), as_json=as_json, live=False, verbose=verbose)
    _, settings = admin_settings(screen, env_file, admin_pat, admin_key)
    try:
        return _run(screen, live_demo(settings, screen), as_json=as_json, live=True, verbose=verbose)
    except Interrupted as interrupted:
        number = int(*interrupted.args)
        if number != signal.SIGINT:  # Ctrl-C is reported as for every command
            screen.tell("interrupted")
        return SIGNALLED + number


def _run(
    screen: Screen, demo: AbstractContextManager[DemoEnvironment], *, as_json: bool, live: bool, verbose: bool
) -> int:
    results: list[StepResult] = []
    start = time.monotonic()
    with demo as environment:
        if not as_json:
            screen.table([(f"ZITADEL {environment.zitadel}", f"  API {environment.api_url}")])
            screen.say()
        running = environment.run()
        for number in range(1, len(STEPS) + 1):
            with screen.waiting(f"step {number} of {len(STEPS)}"):
                result = next(running)
            results.append(result)
            if as_json:
                continue
            if verbose and number > 1:
                screen.say()
            show_result(screen, number, result)
            if verbose and result.call:
                show_exchange(screen, result, result.call)
    if as_json:
        screen.document(results_as_json(results))
    else:
        show_end(screen, results, time.monotonic() - start, live=live)
    return ExitCode.YES if all(result.passed for result in results) else ExitCode.NO


def show_result(screen: Screen, number: int, result: StepResult) -> None:
    """Show one step: what was changed and sent, what came, and why; or what was expected."""
    step, seconds = result.step, result.seconds
    after = f"; the API follows after {seconds:.1f} s" if seconds is not None and seconds >= 0.05 else ""
    if step.change:
        screen.say(f"    {step.change.value}{after}")
    status = screen.mark(str(result.actual), "green" if result.passed else "red")
    why = step.why if result.passed else f"EXPECTED {step.expected}: {step.why}"
    request = f"{pad(step.route, ROUTE_WIDTH)}  {pad(step.caller.value, CALLER_WIDTH)}"
    screen.behind(f"{number:2}  {request}  {status}  ", why)


def show_exchange(screen: Screen, result: StepResult, call: Call) -> None:
    """Show the request and its answer, and between them what the API and ZITADEL said to each other."""
    answer, header = call.answer, f"\nAuthorization: Bearer {result.token}" if result.token else ""
    rows = [("request", f"GET {call.url}{header}"), *_introspections(result)]
    rows.append(("answer", f"{answer.status}, {answer.seconds * 1000:.0f} ms"))
    if call.challenge:
        rows.append(("", f"WWW-Authenticate: {call.challenge.text}"))
    rows.append(("", answer.text.strip()))
    screen.pairs(rows, indent=3 * BELOW, label_width=9)


def _introspections(result: StepResult) -> Iterator[tuple[str, str]]:
    if not result.token or result.step.route is Route.PUBLIC:
        yield "ZITADEL", "not asked"
    elif not result.introspections:
        why = "a fresh answer is in the cache" if result.actual < 500 else "the API waits until ZITADEL is back"
        yield "ZITADEL", f"not asked: {why}"
    for token, outcome in result.introspections:
        yield "ZITADEL", f"POST {INTROSPECTION_PATH}, token={token}"
        if isinstance(outcome, IntrospectionError):
            yield "", f"no answer: {outcome.message}"
            continue
        claims = {name: outcome.claims[name] for name in SHOWN_CLAIMS if name in outcome.claims}
        yield "", json.dumps(claims, ensure_ascii=False)
        if result.reason:
            yield "", f"only the emulator says why: {result.reason}"


def show_end(screen: Screen, results: Sequence[StepResult], seconds: float, *, live: bool) -> None:
    """Show the total, and what to do next."""
    screen.say()
    screen.headline(f"{sum(result.passed for result in results)} of {len(results)} as expected", f"{seconds:.1f} s")
    then: Step = Shell(f"{_command()} serve --emulator", does="runs both, and says what to try")
    if live:
        then = Command("setup", does="creates objects to keep, and writes .env")
    screen.steps("next", [then], label_width=4)


def _command() -> str:
    """Return the command as this shell knows it: by its path, where its folder is not on ``PATH``."""
    program = Path(sys.argv[0])
    return "zdemo" if shutil.which("zdemo") or program.name != "zdemo" else os.path.relpath(program)


def results_as_json(results: Sequence[StepResult]) -> dict[str, Any]:
    """Return the results as one document."""
    rows = [
        {
            "name": result.step.name,
            "request": f"GET {result.step.route.path}, {result.step.caller.value}",
            "expected": result.step.expected,
            "actual": result.actual,
            "passed": result.passed,
            "seconds": None if result.seconds is None else round(result.seconds, 3),
            "why": result.step.why,
        }
        for result in results
    ]
    return {"passed": all(result.passed for result in results), "steps": rows}
