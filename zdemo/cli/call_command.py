"""``zdemo call``: one request to the API, and why it was answered so."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zdemo.cli.addresses import origin_given_by
from zdemo.cli.call_screen import show_call
from zdemo.cli.screen import Screen, step
from zdemo.cli.token_input import checked_token, environment_with_token, mixed_sources, token_line
from zdemo.client import Call, as_json, call_api, curl_command
from zdemo.config.client_settings import DEFAULT_API_URL, ClientSettings
from zdemo.config.environment import Environment
from zdemo.errors import ExitCode, SettingsError, ZdemoError
from zdemo.route import Route

if TYPE_CHECKING:
    from zdemo.investigation.api_comparison import Explanation

COULD_NOT_JUDGE = (502, 503, 504)
WATCH_SECONDS = 0.25
PATIENCE_SECONDS = 600  # whoever changes something elsewhere has done it by then; a script must not hang for ever


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The options of ``zdemo call``."""

    pat: str | None
    url: str | None
    json: bool
    verbose: bool
    expect: int | None
    curl: bool
    env_file: Path | None


def run_call(route: Route, asked: Asked, *, watch: bool) -> int:
    """``zdemo call``."""
    screen = Screen()
    environment = environment_with_token(screen, asked.pat, asked.env_file, ZDEMO_API_URL=asked.url)
    if asked.url is not None:
        origin_given_by("--url", asked.url, environment, example=DEFAULT_API_URL)
    settings = ClientSettings.from_env(environment)
    unasked = route is Route.PUBLIC and asked.pat is None
    token = None if unasked else checked_token(environment)
    if asked.curl:
        command = curl_command(settings, route, with_token=token is not None)
        screen.document({"curl": command}) if asked.json else screen.say(command)
        return ExitCode.YES
    if token and (note := mixed_sources(environment, "ZDEMO_API_URL")):
        screen.tell(f"note: {note}")
    result = call_api(settings, route, token)
    shown = token_line(environment, token) if token else ""
    done = not watch or result.answer.status == asked.expect
    if done or not asked.json:  # a document comes alone
        _show(screen, result, _explained(result, token, environment, asked), shown, asked)
    if not done:
        result = watched(screen, settings, token, result, expect=asked.expect)
        _show(screen, result, _explained(result, token, environment, asked), shown, asked)
    return _exit_code(screen, result, asked.expect)


def _explained(result: Call, token: str | None, environment: Environment, asked: Asked) -> Explanation | None:
    if result.accepted:
        return None
    from zdemo.config.settings import Settings  # here, since an accepted call needs neither
    from zdemo.investigation.api_comparison import explain

    settings, unasked = None, ""
    try:
        settings = Settings.from_env(environment)
    except SettingsError as error:
        unasked = "; ".join(error.problems)
    again = "" if asked.pat is None else " --pat"
    return explain(result, token, settings, unasked=unasked, again=again, now=time.time())


def _show(screen: Screen, result: Call, explanation: Explanation | None, token: str, asked: Asked) -> None:
    if not asked.json:
        show_call(screen, result, explanation, token, verbose=asked.verbose)
        return
    finding = explanation.finding if explanation else None
    more = {
        "why": finding.cause if finding else None,
        "certainty": finding.certainty if finding else None,
        "candidates": list(finding.candidates) if finding else [],
        "next": [step(fix) for fix in finding.fix] if finding else [],
    }
    screen.document(as_json(result, more))


def watched(
    screen: Screen,
    settings: ClientSettings,
    token: str | None,
    first: Call,
    *,
    expect: int | None,
    patience_seconds: float = PATIENCE_SECONDS,
) -> Call:
    """Repeat the call until it is answered otherwise; with ``expect``, until that status comes. Not for ever."""
    wanted = "another answer" if expect is None else str(expect)
    end = time.monotonic() + patience_seconds
    with screen.waiting(f"{first.answer.status}, waiting for {wanted} (Ctrl-C ends it)"):
        while time.monotonic() < end:
            time.sleep(WATCH_SECONDS)
            result = call_api(settings, first.route, token)
            there = result.decisive != first.decisive if expect is None else result.answer.status == expect
            if there:
                return result
    if expect is None:
        still = f"the answer is {first.answer.status} still"
        hint = "if it had changed before: with --expect STATUS, --watch ends at once when that status is there"
    else:
        still = f"{expect} has not come"
        hint = "zdemo introspect shows what ZITADEL says; an API follows within its ZDEMO_CACHE_TTL"
    raise ZdemoError(f"{still}, after {patience_seconds:g} s", hint=hint)


def _exit_code(screen: Screen, result: Call, expect: int | None) -> ExitCode:
    status = result.answer.status
    if expect is not None:
        if status != expect:
            screen.error(f"{status} came, {expect} was expected")
        return ExitCode.YES if status == expect else ExitCode.NO
    if status in COULD_NOT_JUDGE or result.is_page:
        return ExitCode.NO_ANSWER
    return ExitCode.YES if result.accepted else ExitCode.NO
