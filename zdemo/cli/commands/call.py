"""``zdemo call``: one request to the API, and why it got this answer."""

from __future__ import annotations

import json
import re
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple
from urllib.parse import urlsplit

import typer

from zdemo.cli.common_options import EnvFile, Json, Pat, check_address
from zdemo.cli.screen import Screen, show_finding
from zdemo.cli.token_input import checked_token, environment_with_token, tell_hidden, tell_mixed_sources, token_line
from zdemo.cli.usage import OUTPUT_GROUP, SETTINGS_GROUP, flag, option
from zdemo.cli.watch import Watch
from zdemo.config.address import is_loopback
from zdemo.config.environment import EXPORTED, Environment, read_environment
from zdemo.config.names import THE_URL, did_you_mean
from zdemo.config.settings import API_URL, ClientSettings, Settings
from zdemo.diagnosis.view import brief
from zdemo.errors import ExitCode, MissingTokenError, SettingsError, UsageError, ZdemoError
from zdemo.errors.response import GATEWAY_STATUSES
from zdemo.errors.steps import Command, in_words, sentence
from zdemo.http.api_call import Call, Endpoint, Method, OtherRoute, call_api, curl_command, other_route
from zdemo.http.api_call import as_json as call_document
from zdemo.http.example_api import Route
from zdemo.text.masking import masked, without_secret_query
from zdemo.text.printable import printable

if TYPE_CHECKING:
    from zdemo.diagnosis.ask.explain import Explanation
    from zdemo.diagnosis.finding import Finding

METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS. No body is sent."
KNOWN = "public, private, scoped, a path such as /messages, or a URL"
TOKENS = {"reader": "PAT", "visitor": "ZDEMO_VISITOR_PAT"}
# however long one waits
NEVER_ACCEPTED = ("token.too_short", "token.cut", "token.doubled", "token.client_secret", "token.is_id_token")


class CallTarget(NamedTuple):
    """An endpoint, and the address that the command line gives for the API; ``option`` is what gives it."""

    endpoint: Endpoint
    address: str | None
    option: str = "--url"


def target(text: str, url: str | None) -> CallTarget:
    """Return what an argument names; ``url`` is the value of ``--url``. Raises UsageError if it names nothing."""
    if text in list(Route):
        return CallTarget(Route(text), url)
    if text.startswith("/"):
        return CallTarget(other_route(text, typed=text), url)
    if "://" not in text:
        raise _unknown(text)
    if url is not None:
        raise UsageError("--url cannot be combined with a URL", hint="leave out --url, or give the path alone")
    scheme, mark, rest = text.partition("://")
    host = re.split(r"[/?#]", rest, maxsplit=1)[0]
    path = rest[len(host) :]
    endpoint = other_route(path if path.startswith("/") else f"/{path}", typed=text)
    return CallTarget(endpoint, f"{scheme}{mark}{host}", THE_URL)


def _unknown(text: str) -> UsageError:
    names = {name: route for route in Route for name in (route, route.path.removeprefix("/api/"))}
    if meant := names.get(did_you_mean(text, names)):
        return UsageError(f"unknown route: {text}", hint=f"did you mean {meant}?")
    is_path = re.fullmatch(r"[\w.-]+(/[\w.-]*)+", text)
    hint = f"did you mean /{text}?" if is_path else Command("call --help")
    return UsageError(f"unknown route: {text} ({KNOWN})", hint=hint)


def call(  # the options
    ctx: typer.Context,
    route: Annotated[
        str,
        typer.Argument(
            metavar="ROUTE",
            help="public, private or scoped; for any API, a path such as /messages, or a URL.",
            show_default=False,
            autocompletion=lambda: list(Route),
        ),
    ],
    method: Annotated[
        Method, option("METHOD", METHODS, "--method", "-X", shows_default=True, case_sensitive=False)
    ] = Method.GET,
    pat: Pat = None,
    caller: Annotated[
        Literal["reader", "visitor"] | None, option("USER", "Whose token to send: reader (PAT) or visitor.", "--as")
    ] = None,
    url: Annotated[str | None, option("URL", "Where the API is. Default: ZDEMO_API_URL.", panel=SETTINGS_GROUP)] = None,
    as_json: Json = False,
    verbose: Annotated[
        bool, flag("Show the whole exchange, with the token masked.", "--verbose", "-v", panel=OUTPUT_GROUP)
    ] = False,
    expect: Annotated[int | None, option("STATUS", "Succeed if the API answers this status.", min=100, max=599)] = None,
    curl: Annotated[
        bool, flag("Print the curl command instead of sending; $PAT in it is the token.", "--curl", panel=OUTPUT_GROUP)
    ] = False,
    watch: Annotated[
        bool,
        flag(
            "Repeat until the answer changes; with --expect, until that status comes. Also waits for an API that "
            "is not running yet. Gives up after 10 minutes.",
            "--watch",
        ),
    ] = False,
    env_file: EnvFile = None,
) -> int:
    """Send one request to an API, and explain the response.

    The token also goes to a URL that you type. It goes over http only to this machine, or with ZDEMO_ALLOW_HTTP=1.

    Examples:
      zdemo call scoped
      zdemo call scoped --pat
      zdemo call scoped --as visitor
      zdemo call /messages -X POST
      zdemo call https://api.example.com/messages
      zdemo call private --url http://127.0.0.1:5001 -v
      zdemo call scoped --watch --expect 401
      zdemo call scoped --curl

    Exit codes: 0 the API accepted the request, or answered the status of --expect; 1 it did not; 3 a setting or the
    token is missing or wrong; 4 no answer, or the API could not check the token

    More: docs/commands.md, docs/api.md
    """
    screen: Screen = ctx.obj
    endpoint, address, named = target(route, url)
    if watch and not method.is_safe:
        raise UsageError(f"--watch repeats the request, which may be wrong for {method}", hint="leave out --watch")

    def checked(environment: Environment) -> ClientSettings:
        if address is not None:
            check_address(named, address, environment)
        return ClientSettings.from_env(environment)

    variable, options = TOKENS[caller or "reader"], {API_URL: (named, address)}
    if caller:
        options["PAT"] = variable, _value_of(variable, pat, env_file)
    environment = environment_with_token(screen, pat, env_file, options, check=checked)
    settings, is_asked_for = checked(environment), pat is not None or caller is not None
    token = None if endpoint is Route.PUBLIC and not is_asked_for else checked_token(environment)
    if curl:
        place = (read_environment(env_file) if caller else environment).source(variable) if token else EXPORTED
        command = curl_command(settings, endpoint, method=method, variable=variable if token else "")
        return _show_curl(screen, command, variable, place, as_json=as_json)
    if token:
        _tell_where_it_goes(screen, environment, settings, token, typed_url=named == THE_URL and pat is None)
    watched = Watch(screen, lambda: call_api(settings, endpoint, token, method), expect=expect) if watch else None
    outcome = _Outcome(screen, environment, token, env_file, is_asked_for, watched, as_json=as_json, verbose=verbose)

    def begin(first: Call) -> None:
        finding = None if as_json else outcome.show(first)  # --json prints one document
        if finding and finding.id in NEVER_ACCEPTED and not finding.candidates and expect in range(200, 300):
            raise ZdemoError(f"{expect} cannot come with this token", hint=finding.steps[0])

    result = watched.until_there(begin) if watched else call_api(settings, endpoint, token, method)
    outcome.show(result)
    if not as_json and (watched or result.answer.status == expect):
        screen.say(f"{result.answer.status} {watched or 'as expected'}")
    return _exit_code(screen, result, expect)


def _show_curl(screen: Screen, command: str, variable: str, place: str, *, as_json: bool) -> ExitCode:
    """Print the curl command; ``place`` is where the token in its variable comes from."""
    screen.document({"curl": command}) if as_json else screen.say(command, whole=True)
    if place != EXPORTED:
        screen.tell(f"note: ${variable} is not set in this shell; first set it to the token from {place}")
    return ExitCode.YES


def _tell_where_it_goes(
    screen: Screen, environment: Environment, settings: ClientSettings, token: str, *, typed_url: bool
) -> None:
    """Print a note where the token comes from another place than the address, or goes to another machine."""
    if API_URL not in environment.hidden:  # that is said with the outcome
        tell_mixed_sources(screen, environment, "PAT", API_URL)
    if typed_url and not is_loopback(urlsplit(settings.api_url).hostname or ""):
        screen.tell(f"note: the token {token_line(environment, token)} goes to {settings.api_url}")


@dataclass(frozen=True)
class _Outcome:
    """How the outcome of a call is shown; ``is_asked_for``: an option names the token."""

    screen: Screen
    environment: Environment
    token: str | None
    env_file: Path | None
    is_asked_for: bool
    watched: Watch | None
    as_json: bool
    verbose: bool

    def show(self, result: Call) -> Finding | None:
        """Show the answer, and why it is a refusal; return that finding."""
        screen, token, environment = self.screen, self.token, self.environment
        explanation = _explanation(result, token, environment, again="--pat" if self.is_asked_for else "")
        if explanation:
            explanation = replace(explanation, finding=explanation.finding.with_env_file(self.env_file))
        if explanation:
            screen.told |= {problem.text for problem in explanation.finding.because}
        shows_token = token or (result.route is not Route.PUBLIC and "PAT" not in environment)
        tell_hidden(screen, environment, API_URL, *(["PAT"] if shows_token else []))
        if self.as_json:
            watched = self.watched
            more = {"seconds": round(watched.seconds, 3), "calls": watched.calls} if watched else {}
            screen.document(call_document(result, {**_reason(explanation), **more}))
        else:
            whose = explanation.username if explanation else _username(result, token, environment)
            line = token_line(environment, token, whose) if token else ""
            bearer = masked(token) if token and self.verbose else ""
            show_call(screen, result, explanation, line, bearer=bearer, verbose=self.verbose)
        return explanation.finding if explanation else None


def _value_of(variable: str, pat: str | None, env_file: Path | None) -> str:
    if pat is not None:
        raise UsageError("--as and --pat both name a token", hint="leave out one of them")
    if value := read_environment(env_file).get(variable):
        return value
    hint = sentence(Command("setup"), "creates one; or set it in .env")
    raise MissingTokenError(f"{variable} is not set", hint=hint)


def _explanation(result: Call, token: str | None, environment: Environment, *, again: str) -> Explanation | None:
    if result.accepted:
        return None
    from zdemo.diagnosis.ask.explain import explain  # here, since an accepted call does not need it

    settings, unasked = None, ""
    try:
        settings = Settings.from_env(environment)
    except SettingsError as error:
        unasked = "; ".join(map(str, error.problems))
    return explain(result, token, settings, environment, unasked=unasked, again=again, now=time.time())


def _username(result: Call, token: str | None, environment: Environment) -> str:
    """Return the name of the user whose token the API accepted; no other API's token goes to ZITADEL for that."""
    if token is None or isinstance(result.route, OtherRoute):
        return ""
    from zdemo.diagnosis.ask.explain import username_of  # as above

    with suppress(SettingsError):
        return username_of(Settings.from_env(environment), token)
    return ""


def _reason(explanation: Explanation | None) -> dict[str, object]:
    finding = explanation.finding if explanation else None
    return {
        "finding": finding.id if finding else None,
        "because": [problem.text for problem in finding.because] if finding else [],
        "why": finding.cause if finding else None,
        "certainty": finding.certainty if finding else None,
        "candidates": list(finding.candidates) if finding else [],
        "next": [printable(in_words(step)) for step in finding.steps] if finding else [],
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


MOST_SHOWN = 500  # characters of a body


def show_call(
    screen: Screen, call: Call, explanation: Explanation | None, token: str, *, bearer: str, verbose: bool
) -> None:
    """Show one call; ``token`` says whose it is, what may be shown of it, and its source; or it is empty."""
    status = screen.mark(str(call.answer.status), "green" if call.accepted else "red")
    screen.headline(f"{call.method} {call.url}", f"{status}  {call.answer.seconds * 1000:.0f} ms")
    if verbose:
        _show_exchange(screen, call, bearer)
    rows = [("token", token)] if token else []
    if not call.accepted:
        refused = 400 <= call.answer.status < 500 and not call.is_page
        message, challenge = _message(call), call.challenge
        said = ": ".join(filter(None, (challenge.error, challenge.description))) if challenge else ""
        rows.append(("refused" if refused else "failed", message if call.answer.body else said or message))
        if call.answer.body and said not in message:
            rows.append(("challenge", said))
    screen.pairs(rows, indent=2, label_width=10)
    if call.accepted and not verbose:  # the exchange has the body
        screen.behind("  ", _message(call))
    if explanation:
        finding = explanation.finding if verbose else brief(explanation.finding)
        show_finding(screen, finding, indent=2, evidence=finding.id.startswith("call."))
        if explanation.unasked:
            screen.pairs([("not asked", f"ZITADEL: {explanation.unasked}")], indent=2, label_width=10)


def _message(call: Call) -> str:
    """Return what the body says: zdemo's own message or error, or any body, shortened."""
    body, size = call.body, len(call.answer.body)
    if isinstance(body, dict):
        if call.accepted and isinstance(message := body.get("message"), str):
            return message
        if not call.accepted and isinstance(code := body.get("error"), str):
            return ": ".join(filter(None, (code, str(body.get("error_description", "")))))
    kind = call.answer.media_type or "no media type"
    if isinstance(body, str) and (title := re.search(r"(?i)<title>([^<]{1,100})", body)):
        return f"a web page: {' '.join(title[1].split())} ({kind}, {size} bytes)"
    if isinstance(body, str) and kind != "text/plain":
        return f"the answer is not a JSON object ({kind}, {size} bytes)" if size else "the answer has no body"
    text = body.strip() if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}… ({size} bytes; --json shows all)"


def _show_exchange(screen: Screen, call: Call, bearer: str) -> None:
    screen.say(f"> {call.method} {printable(without_secret_query(call.route.path))}")
    if bearer:
        screen.say(f"> Authorization: Bearer {bearer}")
    screen.say("> Accept: application/json")
    screen.say(f"< {call.answer.status}")
    for name, value in call.answer.headers.items():
        screen.behind("< ", f"{name}: {value}", hang=2)
    screen.behind("< ", call.answer.text.strip())
