"""``zdemo verify``: grade any API that takes bearer tokens, in any language."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated

import typer

from zdemo.cli import reports, with_emulator
from zdemo.cli.common_options import HIGHEST_PORT, Json, Junit, port_explained, split_url
from zdemo.cli.screen import Screen
from zdemo.cli.usage import argument, check_excludes, completing, flag, option, unknown_id, verbose_flag
from zdemo.config.address import is_loopback
from zdemo.config.dotenv_file import valid_dotenv
from zdemo.config.environment import KEY_FILE
from zdemo.errors import ExitCode, SettingsError, UsageError, ZdemoError
from zdemo.errors.steps import DEFAULT_ENV_FILE, Command
from zdemo.http.example_api import ROLE
from zdemo.verify.case import CaseReport, Group, Mark
from zdemo.verify.cases import CASES
from zdemo.verify.cases.mcp import MESSAGE
from zdemo.verify.examine import examine, requested

if TYPE_CHECKING:
    from zdemo.verify.api_process import RunningApi
    from zdemo.verify.backend import Backend
    from zdemo.verify.run import VerifyRun

PORTS = ("PORT", "FLASK_RUN_PORT", "UVICORN_PORT")  # the last two are read where {port} was left out
FOR_THE_API = ("ZITADEL_DOMAIN", "CLIENT_ID", "CLIENT_SECRET", "ZITADEL_PROJECT_ID")
PATH = r"/[!-\"$-~]*"  # ASCII without blanks, and without a fragment
NAMES = {group.value: f"all cases of the group {group.value}" for group in Group} | {c.id: c.asked for c in CASES}
DOMAIN = "The host name in ZITADEL's issuer. It must resolve to this machine."
BACKEND = "COMMAND starts a proxy: be the API behind it, on this port of 127.0.0.1, and judge what arrives there."
COMMAND = "Start the API with this command, which listens on {port}."
PORT = "The port on which COMMAND listens, if it does not take {port}."
ONLY = "Run this case or group, and those it needs. Repeatable."
_seconds = partial(option, "SECONDS", shows_default=True, max=600)
EXAMPLE = Command("verify --path /messages -- flask --app app run --port {port}", uses_settings=False)


def verify(  # noqa: PLR0913, PLR0917  # Typer makes each option an argument
    ctx: typer.Context,
    command: Annotated[list[str] | None, argument("COMMAND", COMMAND)] = None,
    path: Annotated[str | None, option("PATH", "A path that requires a token with the role.")] = None,
    role: Annotated[str | None, option("ROLE", f"The role that the path requires ({ROLE}).")] = None,
    no_role: Annotated[bool, flag("The path requires a token, but no role.", "--no-role")] = False,
    public: Annotated[str | None, option("PATH", "A path that requires no token.")] = None,
    mcp: Annotated[bool, flag("Check who can use the MCP server at the path instead.", "--mcp")] = False,
    backend: Annotated[int | None, option("PORT", BACKEND, min=1, max=HIGHEST_PORT)] = None,
    port: Annotated[int | None, option("PORT", PORT, min=1, max=HIGHEST_PORT)] = None,
    env: with_emulator.Env = None,
    external_domain: Annotated[str, option("NAME", DOMAIN, shows_default=True)] = "localhost",
    window: Annotated[float, _seconds("How long a deleted token or removed role still passes.", min=0)] = 10,
    start_seconds: Annotated[float, _seconds("How long the API may take to start.", min=1)] = 30,
    only: Annotated[list[str] | None, option("ID|GROUP", ONLY, autocompletion=completing(NAMES))] = None,
    strict: Annotated[bool, flag("Count the group hardening, too.", "--strict")] = False,
    list_cases: Annotated[bool, flag("List the cases: their IDs, and what is asked.", "--list")] = False,
    verbose: Annotated[bool, verbose_flag("Show every case with what was seen.")] = False,
    as_json: Json = False,
    junit_file: Junit = None,
) -> int:
    """Grade any API that takes bearer tokens, in any language.

    Runs the API against a ZITADEL emulator, asks some 70 questions about safety, correctness, robustness and
    politeness, and shows what was seen, what must be, and how to fix it. COMMAND gets ZITADEL_DOMAIN, CLIENT_ID,
    CLIENT_SECRET, ZITADEL_PROJECT_ID and PORT. In COMMAND and in the text of --env, {port}, {domain}, {client_id},
    {project_id} and {key_file} stand for their values, and in --env also {client_secret}.

    Examples:
      zdemo verify --path /messages -- flask --app app run --port {port}
      zdemo verify --path /messages --role reader --env ISSUER={domain} -- npm start
      zdemo verify --path /messages --no-role --strict -- uvicorn app:app --port {port}
      zdemo verify --mcp --path /mcp --role tools:use -- uvicorn server:app --port {port}
      zdemo verify --path /messages --port 8000 --backend 8080 -- ./start-proxy

    Exit codes: 0 all is as it must be; 1 something is not; 2 wrong command line; 4 the API did not start, or ended, or
    there was not enough time for all questions

    More: docs/verify.md
    """
    screen: Screen = ctx.obj
    names = tuple(only or ())
    for name in names:
        if name not in NAMES:
            raise unknown_id("case", name, NAMES, Command("verify --list", uses_settings=False, does="shows the IDs"))
    if list_cases:
        rows = [reports.described(case) for case in requested(CASES, names)]
        return reports.show_list(screen, "cases", rows, "asked", as_json=as_json)
    target = GradedApi(
        command=command or [],
        env=env or [],
        path=path or "",
        public=public or "",
        role="" if no_role else role or ROLE,
        mcp=mcp,
        backend=backend,
        port=port,
        external_domain=external_domain,
        window_seconds=window,
        start_seconds=start_seconds,
    )
    check_excludes(ctx, "no_role", "role")
    check_excludes(ctx, "mcp", "backend")
    _check(target, names)
    if junit_file is not None:
        reports.check_report(junit_file, "verify", as_json=as_json)
    started = time.monotonic()
    with emulated_run(screen, target) as run, screen.waiting("asking") as wait:
        _check_paths(run, target)
        done = list(examine(run, names, strict=strict, tell=lambda at, of, case: wait(f"{at} of {of}: {case.asked}")))
        screen.hide(*run.api.hidden)
    seconds = time.monotonic() - started
    if junit_file:
        reports.write_report(screen, junit_file, "verify", reports.reported_cases(done), seconds=seconds)
    if as_json:
        screen.document(reports.cases_as_document(done, seconds))
    elif junit_file != reports.STANDARD_OUTPUT:
        reports.show_cases(screen, done, seconds, run.about_refusal, verbose=verbose)
    return exit_code(done, names)


def exit_code(reports: list[CaseReport], only: tuple[str, ...]) -> ExitCode:
    """Return no when a case failed, or when one that was requested by name could not be asked."""
    marks = {report.mark for report in reports}
    if Mark.FAIL in marks or any(report.mark is Mark.SKIP and report.case.id in only for report in reports):
        return ExitCode.NO
    return ExitCode.NO_ANSWER if Mark.UNASKED in marks else ExitCode.YES


def _check_paths(run: VerifyRun, target: GradedApi) -> None:
    """Raise UsageError for a path that the API does not have, and for a public one that needs a token."""
    if run.bare.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        what = f"the API answers {run.bare.status} to GET {target.path} without a token"
        raise ZdemoError(what, hint="run it alone, and read what it prints: it fails by itself")
    if run.answer.status in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
        what = f"the API answers {run.answer.status} to {run.answer.line}"
        raise UsageError(f"{what}: give --path a path that it has, and that allows this method")
    if target.public and (status := run.api.send(path=target.public).status) in (401, 403, 404):
        raise UsageError(f"the API answers {status} to {target.public}: give --public a path that needs no token")


def _check(target: GradedApi, names: Sequence[str]) -> None:
    """Raise UsageError for what is missing or wrong, before anything is started; ``names`` are those of cases."""
    groups = {case.group for case in requested(CASES, names)}
    if groups == {Group.PROXY} and target.backend is None:
        raise UsageError(f"{names[0]} is about a proxy", hint="add --backend PORT")
    if not any((group is Group.MCP) is target.mcp for group in groups):
        add = "leave out --mcp" if target.mcp else "add --mcp"
        raise UsageError(f"{names[0]} is {'not ' if target.mcp else ''}about an MCP server", hint=add)
    for name, text in (("--path", target.path), ("--public", target.public)):
        if text and not re.fullmatch(PATH, text):
            _, meant = split_url(text) if ":" in text else ("", f"/{text}")  # a URL, or an address without http://
            example = f"{name} {meant if re.fullmatch(PATH, meant) else '/messages'}"
            raise UsageError(f"{name} is not a path: {text}", hint=f"for example {example}")
    if "://" in (target.command or [""])[0]:
        what = f"zdemo verify starts the API itself, and this is not a command: {target.command[0]}"
        raise UsageError(what, hint=Command("doctor --api", (target.command[0],), does="checks an API that runs"))
    if not target.path:
        raise UsageError("--path is missing: which path requires a token?", hint=EXAMPLE)
    if not target.command:
        raise UsageError("the command that starts the API is missing", hint=EXAMPLE)
    is_here = False  # the emulator listens on IPv4's loopback
    with suppress(OSError, UnicodeError):
        is_here = is_loopback(socket.gethostbyname(target.external_domain))
    if not is_here:
        hint = f"add this line to /etc/hosts: 127.0.0.1 {target.external_domain}"
        raise UsageError(f"--external-domain does not resolve to this machine: {target.external_domain}", hint=hint)
    with_emulator.check_command(target.command, target.env, instead=Command("doctor --api URL"))


# --- the API and the emulator


@dataclass(frozen=True, kw_only=True)
class GradedApi:
    """The API that is graded, and how long things may take."""

    command: Sequence[str]
    env: Sequence[str]
    path: str
    public: str
    role: str
    mcp: bool
    backend: int | None
    port: int | None
    external_domain: str
    window_seconds: float
    start_seconds: float


def _given(target: GradedApi, values: Mapping[str, str], port: int) -> dict[str, str]:
    """Return the variables that the API gets: no token, and a key file only where its ``.env`` names another."""
    names = [*FOR_THE_API, *(text.partition("=")[0] for text in target.env)]
    with suppress(SettingsError):
        names += [KEY_FILE] if valid_dotenv(DEFAULT_ENV_FILE).values.get(KEY_FILE, "").strip() else []
    return {**dict.fromkeys(PORTS, str(port)), **{name: values[name] for name in names if name in values}}


def _wait(screen: Screen, target: GradedApi, api: RunningApi, origin: str) -> None:
    """Wait until the API answers; if it does not, show what it printed last."""
    from zdemo.verify.run import last_lines

    try:
        with screen.waiting(f"waiting for {target.command[0]} to answer at {origin}{target.path}"):
            is_proxy = target.backend is not None
            api.wait_until_it_answers(origin, target.path, target.start_seconds, is_proxy=is_proxy)
    except ZdemoError:
        for line in last_lines(api.printed()):
            screen.behind("  ", reports.shortened(screen, line), stream=screen.stderr)
        raise


def _backend(stack: ExitStack, port: int) -> Backend:
    """Listen as the API behind a proxy."""
    from zdemo.serving.embedded import LOOPBACK, serving
    from zdemo.verify.backend import Backend

    with port_explained(LOOPBACK, port, "--backend"):
        stack.enter_context(serving(backend := Backend(), port=port))
    return backend


@contextmanager
def emulated_run(screen: Screen, target: GradedApi) -> Iterator[VerifyRun]:
    """Run an emulator, start the API in front of it, and wait until it answers; yield what the cases ask with."""
    from zdemo.emulator import World, emulate
    from zdemo.emulator.seed import random_start
    from zdemo.serving.signals import left_by_signals
    from zdemo.verify.api_client import MOST_SECONDS, ApiClient
    from zdemo.verify.api_process import LOOPBACK, api_running, free_port
    from zdemo.verify.emulated_issuer import emulated_issuer
    from zdemo.verify.judgments import secrets_of
    from zdemo.verify.run import VerifyRun

    start = random_start(World(external_domain=target.external_domain))
    with ExitStack() as stack:
        stack.enter_context(left_by_signals())
        values = stack.enter_context(with_emulator.exported(start))
        running = stack.enter_context(emulate(start.world))
        issuer = stack.enter_context(emulated_issuer(running, start.project_id))
        backend = _backend(stack, target.backend) if target.backend else None
        with port_explained(LOOPBACK, target.port or 0):
            port = free_port(target.port or 0)
        values["ZITADEL_DOMAIN"] = running.url
        screen.hide(start.client_secret)
        given = _given(target, {**values, **with_emulator.variables(target.env, values, port)}, port)
        environment = with_emulator.command_environment(screen, "the API", given)
        command = with_emulator.expanded(target.command, values, port)
        api = stack.enter_context(api_running(command, environment, target.command))
        origin = f"http://{LOOPBACK}:{port}"
        _wait(screen, target, api, origin)
        seconds, message = MOST_SECONDS + target.window_seconds, MESSAGE if target.mcp else None
        run = VerifyRun(
            api=stack.enter_context(closing(ApiClient(origin, target.path, seconds, patient=True, message=message))),
            issuer=issuer,
            role=target.role,
            mcp=target.mcp,
            backend=backend,
            public=target.public,
            window_seconds=target.window_seconds,
            printed=api.printed,
            gone=api.gone,
            secrets=secrets_of(start.client_id, start.client_secret),
            project_id=start.project_id,
            issuer_url=running.url,
        )
        issuer.gives_pats = not target.mcp and "resource_metadata=" not in run.bare.challenge
        yield run
