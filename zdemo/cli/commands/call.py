"""``zdemo call``: one request to the API, and why it got this answer."""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from zdemo.cli import token_input
from zdemo.cli.common_options import Caller, EnvFile, Json, Pat, check_address, split_url
from zdemo.cli.emulator_env_file import serve_emulator
from zdemo.cli.screen import Screen, show_finding
from zdemo.cli.usage import OUTPUT_GROUP, argument, flag, meant_or, option, option_of, verbose_flag
from zdemo.cli.watch import Watch
from zdemo.config.address import ISSUER, is_local, is_loopback
from zdemo.config.environment import EXPORTED, Environment, read_environment
from zdemo.config.names import THE_URL
from zdemo.config.settings import API_URL, ClientSettings, Settings
from zdemo.config.variables import is_public
from zdemo.diagnosis.finding import Finding
from zdemo.diagnosis.view import brief, reason
from zdemo.errors import ConnectionFailed, ExitCode, FailureKind, InsufficientScope, SettingsError, UsageError
from zdemo.errors.response import GATEWAY_STATUSES
from zdemo.errors.steps import Command, SetVariable
from zdemo.http.api_call import Call, Endpoint, Method, OtherRoute, call_api, curl_command, other_route, send_once
from zdemo.http.api_call import as_json as call_document
from zdemo.http.example_api import Route, named_route
from zdemo.text.masking import could_be_secret, masked, without_secret_query
from zdemo.text.printable import printable
from zdemo.text.spelling import did_you_mean

METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS. No body is sent. Default: GET."
KNOWN = "public, private, scoped, a path such as /messages, or a URL"
# Problems of an active token that can end by themselves, or with other settings of the API
MAY_CHANGE = tuple(f"token.{name}" for name in ("not_yet_valid", "contradiction", "other_audience", "wrong_project"))
UNTIL = "the answer changes or, with --expect, until that status comes, also from an API that is not running yet"


def _target(text: str, url: str | None) -> tuple[Endpoint, str | None, str]:
    """Return what an argument names, the address that the command line gives for the API, and the option for that.

    ``url`` is the value of ``--url``. Raises UsageError if the argument names nothing.
    """
    method, blank, rest = text.partition(" ")
    if blank and method in list(Method):
        raise UsageError(f"ROUTE begins with a method: {method}", hint=Command("call", (rest.strip(),), f"-X {method}"))
    if text in list(Route):
        return Route(text), url, "--url"
    if text.startswith("/"):
        return other_route(text, typed=text), url, "--url"
    if "://" not in text:
        meant = named_route(text) or did_you_mean(text, Route)
        raise UsageError(f"unknown route: {text}{'' if meant else f' ({KNOWN})'}", hint=meant_or(meant, _meant(text)))
    if url is not None:
        raise UsageError("--url cannot be combined with a URL", hint="leave out --url, or give the path alone")
    origin, path = split_url(text)
    return other_route(path, typed=text), origin, THE_URL


def _meant(text: str) -> Command:
    """Return the call of the URL or path that was probably meant: a text with a host lacks only the scheme."""
    words = re.fullmatch(r"([\w-]*(?:\.[\w-]+)*)(:\d+)?(/[\w./~-]*)?", text)
    if not words or could_be_secret(text):
        return Command("call --help")
    host, port, path = words.groups("")
    if host.isdigit() and not port:
        host, port = "", f":{host}"
    if not port and "." not in host and host != "localhost":
        return Command("call", (f"/{text}",))
    host = host or "localhost"
    return Command("call", (f"{'http' if is_loopback(host) else 'https'}://{host}{port}{path}",))


def call(  # the options
    ctx: typer.Context,
    route: Annotated[str, argument("ROUTE", KNOWN, autocompletion=lambda: list(Route))],
    method: Annotated[Method, option("METHOD", METHODS, "--method", "-X", case_sensitive=False)] = Method.GET,
    pat: Pat = None,
    caller: Caller = None,
    url: Annotated[str | None, option_of(API_URL, "URL", "Where the API is.")] = None,
    as_json: Json = False,
    verbose: Annotated[bool, verbose_flag("Show the whole exchange, with the token masked.")] = False,
    expect: Annotated[int | None, option("STATUS", "Succeed if the API answers this status.", min=100, max=599)] = None,
    curl: Annotated[bool, flag("Print the curl command; $PAT is the token.", "--curl", panel=OUTPUT_GROUP)] = False,
    watch: Annotated[bool, flag(f"Repeat until {UNTIL}. Gives up after 10 minutes.", "--watch")] = False,
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
      zdemo call scoped --watch --expect 401

    Exit codes: 0 the API accepted the request, or answered the status of --expect; 1 it did not; 3 a setting or the
    token is missing or wrong; 4 no answer, or the API could not check the token

    More: docs/commands.md, docs/api.md
    """
    screen: Screen = ctx.obj
    endpoint, address, named = _target(route.strip(), url)
    if watch and method not in (Method.GET, Method.HEAD, Method.OPTIONS):  # those change nothing (RFC 9110 §9.2.1)
        raise UsageError(f"--watch repeats the request, which may be wrong for {method}", hint="leave out --watch")

    def checked(environment: Environment) -> ClientSettings:
        if address is not None:
            check_address(named, address, environment, path=endpoint.path if named == THE_URL else "")
        return ClientSettings.from_env(environment)

    variable, option = token_input.TOKENS[caller or "reader"], {API_URL: (named, address)}
    environment = token_input.environment_with_token(screen, pat, caller, env_file, check=checked, **option)
    settings, is_asked_for = checked(environment), pat is not None or caller is not None
    is_open = endpoint is Route.PUBLIC and not is_asked_for
    environment = environment if is_open or curl else token_input.with_issued_token(screen, environment)
    token = None if is_open else token_input.checked_token(environment)
    if curl:
        place = (read_environment(env_file) if caller else environment).source(variable) if token else EXPORTED
        command = curl_command(settings, endpoint, method=method, variable=variable if token else "")
        screen.document({"curl": command}) if as_json else screen.say(command, whole=True)
        if place != EXPORTED:
            screen.note(f"${variable} is not set in this shell; first set it to the token from {place}")
        return ExitCode.YES
    if token and API_URL not in environment.hidden:  # that is said with the outcome
        token_input.tell_mixed_sources(screen, environment, "PAT", API_URL)
    if token and named == THE_URL and pat is None and not is_local(settings.api_url):
        screen.note(f"the token {token_input.token_line(environment, token)} goes to {settings.api_url}")
    send = partial(_send, environment, settings, endpoint, token, method)
    watched = Watch(screen, send, expect=expect) if watch else None
    outcome = _Outcome(screen, environment, token, env_file, is_asked_for, watched, as_json=as_json, verbose=verbose)
    if watched and (expect is None or expect < 300):
        watched.is_final = outcome.is_final
    result = watched.until_there(lambda first: None if as_json else outcome.show(first)) if watched else send()
    outcome.show(result)
    if not as_json and (watched or result.answer.status == expect):
        screen.say(f"{result.answer.status} {watched or 'as expected'}")
    return _exit_code(screen, result, expect)


def _send(
    environment: Environment, settings: ClientSettings, endpoint: Endpoint, token: str | None, method: Method
) -> Call:
    """Send the request. If neither the API nor the emulator of these settings runs, the fix starts both."""
    try:
        return call_api(settings, endpoint, token, method)
    except ConnectionFailed as failure:
        emulator = re.fullmatch(r"http://localhost:(\d{2,5})", environment.get(ISSUER, ""))
        is_here = failure.kind is FailureKind.REFUSED and is_local(settings.api_url)
        is_own = not isinstance(failure.steps[0], Command)
        if is_own or not (emulator and is_here and is_public(environment.get("CLIENT_SECRET", ""))):
            raise
        try:
            send_once(emulator[0], ISSUER, "GET", "/", timeout_seconds=settings.timeout_seconds)
        except ConnectionFailed:
            both = serve_emulator(int(emulator[1]), settings.api_url)
            failure.steps = replace(both, does="starts it, and the emulator"), *failure.steps[1:]
        raise


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

    def show(self, result: Call) -> None:
        screen, token, watched = self.screen, self.token, self.watched
        finding, username = self._explained(result)
        if finding:
            screen.told |= {*finding.because}
        shows_token = token or (result.route is not Route.PUBLIC and "PAT" not in self.environment)
        token_input.tell_hidden(screen, self.environment, API_URL, *(["PAT"] if shows_token else []))
        if self.as_json:
            more = {"seconds": round(watched.seconds, 3), "calls": watched.calls} if watched else {}
            screen.document(call_document(result, {**reason(finding), **more}))
            return
        status = screen.mark(str(result.answer.status), "green" if result.accepted else "red")
        screen.headline(f"{result.method} {result.url}", f"{status}  {result.answer.seconds * 1000:.0f} ms")
        if self.verbose:
            _show_exchange(screen, result, masked(token) if token else "")
        rows = [("token", token_input.token_line(self.environment, token, username))] if token else []
        screen.pairs([*rows, *_refusal(result)], indent=2, label_width=10)
        if result.accepted and not self.verbose:  # the exchange has the body
            screen.behind("  ", _message(result))
        if result.accepted and result.is_markup:
            screen.note("the answer is a web page: if your API does not send web pages, another server answered")
        if finding:
            finding = finding if self.verbose else brief(finding)
            show_finding(screen, finding, indent=2, evidence=finding.id.startswith("call."))

    def is_final(self, result: Call) -> bool:
        """Return whether the token can never be accepted."""
        finding, _ = self._explained(result)
        return finding is not None and finding.id.startswith("token.") and finding.id not in MAY_CHANGE

    def _explained(self, result: Call) -> tuple[Finding | None, str]:
        """Return why a call was refused, and whose token it is, for which no other API's token goes to ZITADEL."""
        token, environment, settings, unasked = self.token, self.environment, None, ""
        if result.accepted and (token is None or self.as_json or isinstance(result.route, OtherRoute)):
            return None, ""
        from zdemo.diagnosis.ask.explain import explain, username_of  # here, since not every call needs it

        try:
            settings = Settings.from_env(environment)
        except SettingsError as error:
            unasked = "; ".join(map(str, error.problems))
        if result.accepted:
            return None, username_of(settings, token or "") if settings else ""
        again, now = "--pat" if self.is_asked_for else "", time.time()
        finding, username = explain(result, token, settings, environment, unasked=unasked, again=again, now=now)
        return finding.with_env_file(self.env_file), username


def _exit_code(screen: Screen, result: Call, expect: int | None) -> ExitCode:
    status = result.answer.status
    if expect not in (None, status):
        steps = [SetVariable("ZDEMO_ROLE_DENIED_STATUS", str(expect), does="for the API: the status without the role")]
        is_of_role = {expect, status} == {401, 403} and getattr(result.challenge, "error", "") == InsufficientScope.code
        screen.error(f"the status is {status}, not {expect}", steps=steps if is_of_role else ())
        return ExitCode.NO
    if expect is not None:
        return ExitCode.YES
    if status in GATEWAY_STATUSES or result.is_page:
        return ExitCode.NO_ANSWER
    return ExitCode.YES if result.accepted else ExitCode.NO


MOST_SHOWN = 500  # characters of a body


def _refusal(call: Call) -> Iterator[tuple[str, str]]:
    """Yield what the body and the challenge of a refusal say."""
    if call.accepted:
        return
    refused = 400 <= call.answer.status < 500 and not call.is_page
    message, challenge = _message(call), call.challenge
    reason = ": ".join(filter(None, (challenge.error, challenge.description))) if challenge else ""
    yield "refused" if refused else "failed", message if call.answer.body else reason or message
    if call.answer.body and reason not in message:
        yield "challenge", reason


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
