"""``zdemo call``: one request to the API, and why it got this answer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from zdemo.cli.help import OUTPUT_GROUP, SETTINGS_GROUP
from zdemo.cli.layout import step
from zdemo.cli.options import EnvFile, Json, Pat, check_address
from zdemo.cli.screen import Screen, show_finding
from zdemo.cli.token_input import checked_token, environment_with_token, tell_hidden, tell_mixed_sources, token_line
from zdemo.cli.watch import Watch
from zdemo.client import Call, Challenge, Route, call_api, curl_command
from zdemo.client import as_json as call_document
from zdemo.config.environment import Environment
from zdemo.config.settings import API_URL, ClientSettings
from zdemo.errors import ExitCode, SettingsError
from zdemo.http.response import GATEWAY_STATUSES

if TYPE_CHECKING:
    from zdemo.investigation import Explanation

HIDDEN = ".hidden"  # ends the IDs of findings about values that do not count


def call(
    ctx: typer.Context,
    route: Annotated[Route, typer.Argument(metavar="ROUTE", help="public, private or scoped.", show_default=False)],
    pat: Pat = None,
    url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Where the API is. Default: ZDEMO_API_URL.",
            show_default=False,
            rich_help_panel=SETTINGS_GROUP,
        ),
    ] = None,
    as_json: Json = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose", "-v", help="Show the whole exchange, with the token masked.", rich_help_panel=OUTPUT_GROUP
        ),
    ] = False,
    expect: Annotated[
        int | None,
        typer.Option(
            metavar="STATUS", min=100, max=599, help="Succeed if the API answers this status.", show_default=False
        ),
    ] = None,
    curl: Annotated[
        bool,
        typer.Option(
            "--curl",
            help="Print the curl command instead of sending; $PAT in it is the token.",
            rich_help_panel=OUTPUT_GROUP,
        ),
    ] = False,
    watch: Annotated[
        bool,
        typer.Option(
            "--watch",
            help="Repeat until the answer changes; with --expect, until that status comes. An API that does not run "
            "yet is waited for too. Gives up after 10 minutes.",
        ),
    ] = False,
    env_file: EnvFile = None,
) -> int:
    """Send one request to the API, and explain the response.

    Examples:
      zdemo call scoped
      zdemo call scoped --pat
      zdemo call private --url http://127.0.0.1:5001 -v
      zdemo call scoped --watch --expect 401
      zdemo call scoped --curl

    Variables: PAT, ZDEMO_API_URL; those of zdemo introspect, to explain a refusal

    Exit codes: 0 the API accepted the request, or answered the status of --expect; 1 it did not; 3 a setting or the
    token is missing or wrong; 4 no answer, or the API could not check the token

    More: docs/commands.md, docs/api.md
    """
    screen: Screen = ctx.obj
    environment = environment_with_token(screen, pat, env_file, {API_URL: ("--url", url)})
    if url is not None:
        check_address("--url", url, environment)
    settings = ClientSettings.from_env(environment)
    token = None if route is Route.PUBLIC and pat is None else checked_token(environment)
    if curl:
        command = curl_command(settings, route, with_token=token is not None)
        screen.document({"curl": command}) if as_json else screen.say(command, whole=True)
        return ExitCode.YES
    if token:
        tell_mixed_sources(screen, environment, "PAT", "ZDEMO_API_URL")

    watched = Watch(screen, lambda: call_api(settings, route, token), expect=expect) if watch else None

    def show(result: Call) -> None:
        explanation = _explanation(result, token, environment, again="" if pat is None else " --pat")
        names = (API_URL, *(["PAT"] if token else []))
        tell_hidden(screen, environment, *names, finding=explanation.finding if explanation else None)
        if as_json:
            more = {"seconds": round(watched.seconds, 3), "calls": watched.calls} if watched else {}
            screen.document(call_document(result, {**_reason(explanation), **more}))
        else:
            _show(screen, result, explanation, token_line(environment, token) if token else "", verbose=verbose)

    if watched:
        result = watched.until_there(lambda first: None if as_json else show(first))  # --json prints one document
    else:
        result = call_api(settings, route, token)
    show(result)
    if not as_json and (watched or result.answer.status == expect):
        screen.say(f"{result.answer.status} {watched or 'as expected'}")
    return _exit_code(screen, result, expect)


def _explanation(result: Call, token: str | None, environment: Environment, *, again: str) -> Explanation | None:
    if result.accepted:
        return None
    from zdemo.config.settings import Settings  # here, since an accepted call needs neither
    from zdemo.investigation import explain

    settings, unasked = None, ""
    try:
        settings = Settings.from_env(environment)
    except SettingsError as error:
        unasked = "; ".join(error.problems)
    return explain(result, token, settings, environment, unasked=unasked, again=again, now=time.time())


def _reason(explanation: Explanation | None) -> dict[str, object]:
    finding = explanation.finding if explanation else None
    return {
        "why": finding.cause if finding else None,
        "certainty": finding.certainty if finding else None,
        "candidates": list(finding.candidates) if finding else [],
        "next": [step(fix) for fix in finding.fix] if finding else [],
    }


def _exit_code(screen: Screen, result: Call, expect: int | None) -> ExitCode:
    status = result.answer.status
    if expect is not None:
        if status != expect:
            screen.error(f"the status is {status}, not {expect}")
        return ExitCode.YES if status == expect else ExitCode.NO
    if status in GATEWAY_STATUSES or result.is_page:
        return ExitCode.NO_ANSWER
    return ExitCode.YES if result.accepted else ExitCode.NO


def _show(screen: Screen, call: Call, explanation: Explanation | None, token: str, *, verbose: bool) -> None:
    """Show one call; ``token`` is the masked token and its source, or empty."""
    status = screen.mark(str(call.answer.status), "green" if call.accepted else "red")
    screen.headline(f"GET {call.url}", f"{status}  {call.answer.seconds * 1000:.0f} ms")
    if verbose:
        _show_exchange(screen, call, token)
    if call.accepted:
        screen.behind("  ", _message(call))
        return
    refused = 400 <= call.answer.status < 500 and not call.is_page
    rows = [("refused" if refused else "failed", _message(call))]
    if call.challenge:
        rows.append(("challenge", _in_words(call.challenge)))
    if token:
        rows.append(("token", token))
    screen.pairs(rows, indent=2, label_width=10)
    if explanation:
        finding = explanation.finding
        show_finding(screen, finding, indent=2, evidence=finding.id.startswith("call.") or finding.id.endswith(HIDDEN))
        if explanation.unasked:
            screen.pairs([("not asked", f"ZITADEL: {explanation.unasked}")], indent=2, label_width=10)


def _message(call: Call) -> str:
    body = call.body
    if not isinstance(body, dict):
        kind = call.answer.media_type or "no media type"
        return f"the answer is not a JSON object ({kind}, {len(call.answer.body)} bytes)"
    if call.accepted:
        return str(body.get("message", body))
    code, description = str(body.get("error", "no error code")), str(body.get("error_description", ""))
    return f"{code}: {description}" if description else code


def _in_words(challenge: Challenge) -> str:
    """Return what ``WWW-Authenticate`` says, in plain words (RFC 6750 §3)."""
    words = {
        "": "a bearer token is required; no error code, because no token was sent",
        "invalid_request": "the request is malformed",
        "invalid_token": "this token is not valid (any more): get another one",
        "insufficient_scope": f"the token is valid, but this is required too: {challenge.scope}",
    }
    return words.get(challenge.error, challenge.text)


def _show_exchange(screen: Screen, call: Call, token: str) -> None:
    screen.say(f"> GET {call.route.path}")
    if token:
        screen.say(f"> Authorization: Bearer {token.split(',')[0]}")
    screen.say("> Accept: application/json")
    screen.say(f"< {call.answer.status}")
    for name, value in call.answer.headers.items():
        screen.behind("< ", f"{name}: {value}", hang=2)
    screen.behind("< ", call.answer.text.strip())
