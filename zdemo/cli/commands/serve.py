"""``zdemo serve``: the API in the foreground, on request with the emulator beside it, and what its start shows."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from socket import socket
from tempfile import TemporaryDirectory, TemporaryFile
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from zdemo.cli import common_options
from zdemo.cli.emulator_env_file import emulator_env_file, init_emulator
from zdemo.cli.layout import GLUE
from zdemo.cli.screen import Screen
from zdemo.cli.token_input import TOKENS, hide_secrets, tell_warnings, with_admin
from zdemo.cli.usage import check_excludes, check_needs, flag, option
from zdemo.config.environment import Environment, read_environment
from zdemo.config.new_dotenv import emulator_in, emulator_settings, with_env_file
from zdemo.config.parsers import shown_address
from zdemo.config.settings import API_URL, Settings
from zdemo.config.variables import DEFAULT_API_URL, EMULATOR_PORT
from zdemo.diagnosis.view import brief, heading, why
from zdemo.errors import SettingsError, UsageError, ZdemoError
from zdemo.errors.steps import DEFAULT_ENV_FILE, Command, Step, in_line, in_lines
from zdemo.http.example_api import FORWARD_AUTH_PATHS
from zdemo.serving.loopback import names_loopback

if TYPE_CHECKING:
    from zdemo.diagnosis.ask.investigate import Investigation
    from zdemo.page import PageOptions
    from zdemo.server.tuning import WorkerApp

NOT_THE_EMULATORS = ("ZITADEL_KEY_FILE", "ZITADEL_INTERNAL_URL")  # they win over what the emulator needs
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
ACCEPTED, FAULTY, LATE = "credentials accepted", "see the warning", "no answer yet"
MOMENT_SECONDS = 0.5  # how long the start waits for ZITADEL; then the API starts, and the verdict follows
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # what a client connects to instead
ITS_PORT = f"With --emulator, the emulator's port. Default: the port in the emulator's .env, or {EMULATOR_PORT}."
PIN = "Keep each worker on one processor (Linux). On with several workers."
FORWARD_AUTH = "Answer a proxy that asks about each request, instead of the three routes."
DENIED_AS = "Status for a malformed Authorization: 401 for nginx."


def serve(
    ctx: typer.Context,
    host: common_options.Host = "127.0.0.1",
    port: common_options.Port = 5000,
    threads: Annotated[int, option("COUNT", "Threads per worker.", shows_default=True, min=4, max=1024)] = 128,
    workers: Annotated[int, option("COUNT", "Worker processes.", shows_default=True, min=1, max=64)] = 1,
    pin: Annotated[bool | None, flag(PIN, "--pin/--no-pin")] = None,
    emulator: Annotated[bool, flag("Run the built-in ZITADEL emulator beside the API.", "--emulator")] = False,
    emulator_port: Annotated[int | None, common_options.port_option(ITS_PORT)] = None,
    expose_emulator: common_options.Expose = False,
    json_logs: Annotated[bool, flag("Log one JSON object per line.", "--json-logs")] = False,
    open_metrics: Annotated[bool, flag("Serve /metrics to everybody who can reach the API.", "--open-metrics")] = False,
    forward_auth: Annotated[bool, flag(FORWARD_AUTH, "--forward-auth")] = False,
    denied_as: Annotated[int, option("STATUS", DENIED_AS, shows_default=True, min=400, max=401)] = 400,
    no_page: Annotated[bool, flag("Serve no page that shows the requests.", "--no-page")] = False,
    admin_pat: common_options.AdminPat = None,
    env_file: common_options.EnvFile = None,
) -> None:
    """Run the API: three routes, guarded by token introspection.

    Examples:
      zdemo serve
      zdemo serve --emulator
      zdemo serve --port 5001 --workers 2 --json-logs
      zdemo serve --forward-auth

    Exit codes: 0 ended by Ctrl-C or SIGTERM; 1 the port is taken, or a worker ended twice within seconds;
    3 a setting is missing or wrong

    More: docs/api.md, docs/settings.md, docs/performance.md
    """
    from zdemo.cli.commands.emulator import BESIDE_THE_API, requests_log  # here, because help needs no server
    from zdemo.page import new_key
    from zdemo.server.logs import OWN_REQUESTS, log_in_batches
    from zdemo.serving.listening import listen
    from zdemo.serving.signals import block_stop_signals

    check_needs(ctx, "emulator", "emulator_port", "expose_emulator")
    check_needs(ctx, "forward_auth", "denied_as")
    screen: Screen = ctx.obj
    check_excludes(ctx, "emulator", "admin_pat")
    check_excludes(ctx, "no_page", "admin_pat")
    environment = with_admin(screen, read_environment(env_file), admin_pat)
    block_stop_signals()  # until the server waits for them
    # in this process; the workers log for themselves
    requests = requests_log(BESIDE_THE_API) if emulator else OWN_REQUESTS
    log = partial(log_in_batches, batch_seconds=0, requests=requests)
    if json_logs:
        log(as_json=True)
        screen = _JsonLogScreen(redaction=screen.redaction)
    if emulator:
        common_options.check_exposure(screen, host, expose=expose_emulator)
        emulator_port = emulator_port or _port_of_emulator(environment)
        if port == emulator_port:
            raise UsageError(common_options.SAME_PORT.format(port), hint="change --emulator-port")
        environment = _with_emulator(environment, emulator_port)
    settings = Settings.from_env(environment)
    tell_warnings(screen, settings)
    with ExitStack() as stack:
        with common_options.port_explained(host, port, emulator=emulator_port or 0):
            listener = stack.enter_context(listen(host, port))
        place = ServeAddress(host, port, page_key="" if no_page else new_key(), forward_auth=forward_auth)
        if emulator_port:
            place = replace(place, emulator_port=emulator_port, emulator_name=_start_emulator(stack, emulator_port))
        hide_secrets(screen, environment)
        if open_metrics:
            _keep_metrics(stack, shared=workers > 1)
        tell_start(screen, environment, settings, place, as_json=json_logs)
        if emulator and not json_logs:  # below the banner
            log(as_json=False)
        from zdemo.server.tuning import WorkerApp

        worker = WorkerApp(settings=settings, threads=threads, json_logs=json_logs, open_metrics=open_metrics)
        worker = replace(worker, denied_as=denied_as if forward_auth else None)
        page = _page_options(place, environment, settings)
        _serve(worker, page, listener, workers=workers, pin=workers > 1 if pin is None else pin)


def _port_of_emulator(environment: Environment) -> int:
    with suppress(ValueError):  # of a wrong port
        return urlsplit(emulator_in(environment)).port or EMULATOR_PORT
    return EMULATOR_PORT


def _serve(worker: WorkerApp, page: PageOptions | None, listener: socket, *, workers: int, pin: bool) -> None:
    """Serve until a signal comes. Raises ZdemoError if a worker ends twice within seconds."""
    from zdemo.page import paged
    from zdemo.server.tuning import spare_threads
    from zdemo.serving.production import serve_forever

    build = partial(paged, worker, page) if page else worker
    threads = worker.threads + spare_threads(worker.threads) + (page.threads if page else 0)
    try:
        serve_forever(build, listener, workers=workers, threads=threads, pin=pin)
    except ChildProcessError as failed:
        hint = "look for its error above, or in the system's log, in case it was killed"
        raise ZdemoError(f"the API has stopped: {failed}", hint=hint) from failed


def _page_options(place: ServeAddress, environment: Environment, settings: Settings) -> PageOptions | None:
    from zdemo.diagnosis.evidence import PatIds
    from zdemo.emulator import READER, VISITOR
    from zdemo.page import PageOptions

    if not place.page_key:
        return None
    file, file_step = environment.file, None
    users = (READER, VISITOR) if place.emulator_name else ()
    if place.emulator_port:
        file, _ = emulator_env_file(file or DEFAULT_ENV_FILE, place.emulator_port)
        does = f"writes {file}, with the PAT of the emulator's administrator"
        file_step = with_env_file(replace(init_emulator(place.emulator_port, place.url), does=does), file)
    return PageOptions(
        key=place.page_key,
        api_url=place.url,
        settings=settings,
        environment=environment,
        steps_file=file,
        file_step=file_step,
        emulator=place.emulator_name,
        emulator_pats={
            user.username: PatIds(user=user.id, pat_id=user.token_id, variable=TOKENS[user.username], named_by=())
            for user in users
        },
    )


class _JsonLogScreen(Screen):
    """A screen that writes its messages to the API's log, so that each line is a JSON object from the first on."""

    def behind(self, lead: str, text: str, **_layout: object) -> None:
        logging.getLogger("zdemo.serve").info("%s", self.redaction(f"{lead}{text}".strip()))

    def steps(self, label: str, steps: Iterable[Step], **_layout: object) -> None:
        for step in steps:
            self.behind(f"{label} ", in_line(step))


def _with_emulator(environment: Environment, port: int) -> Environment:
    values = emulator_settings(port).items()
    options = {name: ("--emulator", value) for name, value in values if name != "ZDEMO_CACHE_TTL"}
    return read_environment(environment.file, options).without(*NOT_THE_EMULATORS)


def _start_emulator(stack: ExitStack, port: int) -> str:
    from zdemo.emulator import emulate

    with common_options.port_explained("localhost", port, "--emulator-port"):
        return stack.enter_context(emulate(port=port)).world.name


def _keep_metrics(stack: ExitStack, *, shared: bool) -> None:
    """Make sure that workers can share their metrics in a folder; the library finds it by the environment alone."""
    chosen = os.environ.get(METRICS_FOLDER)
    try:
        if chosen:
            TemporaryFile(dir=chosen).close()
        elif shared:
            folder = TemporaryDirectory(prefix="zdemo-metrics-", ignore_cleanup_errors=True)
            os.environ[METRICS_FOLDER] = stack.enter_context(folder)
        else:
            os.environ.pop(METRICS_FOLDER, None)
    except OSError as error:
        what = f"no metrics can be kept in {chosen or 'a temporary folder'}: {error.strerror}"
        hint = f"set {METRICS_FOLDER if chosen else 'TMPDIR'} to a folder that this user can write to"
        raise ZdemoError(what, hint=hint) from None


# --- the start: addresses, whether ZITADEL and the store accept the API, and what to try


@dataclass(frozen=True)
class ServeAddress:
    """Where the API listens; port and name of the emulator if it runs beside it; the page's key if there is a page.

    ``forward_auth``: it has the paths for proxies, not the example's routes.
    """

    host: str
    port: int
    emulator_port: int | None = None
    emulator_name: str = ""
    page_key: str = field(default="", repr=False)
    forward_auth: bool = False

    @property
    def url(self) -> str:
        """The API's address, as a client on this machine writes it."""
        host = ANY_ADDRESS.get(self.host, self.host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def page_url(self) -> str:
        """The address that opens the page; empty if there is none. It is for a loopback host only."""
        is_served = self.page_key and names_loopback(urlsplit(self.url).netloc)
        return f"{self.url}/?key={self.page_key}" if is_served else ""


def _tell_fault(screen: Screen, environment: Environment, asked: Future[Investigation], verdict: str) -> None:
    """Show the cause of a fault and its fix below the banner, as doctor does; ``verdict`` is the banner's."""
    error, finding = asked.result().error, asked.result().finding
    if error is None or finding is None:  # each error has a finding
        if verdict == LATE:
            screen.tell(f"ZITADEL: {ACCEPTED}")
        return
    finding = brief(finding).with_env_file(environment.file)
    screen.warn(f"{why(finding)}{f'; {heading(finding)}' if finding.candidates else ''}")
    screen.pairs([("note", problem.text) for problem in finding.because], label_width=7, stream=screen.stderr)
    screen.pairs([("", candidate) for candidate in finding.candidates], label_width=7, stream=screen.stderr)
    screen.steps("fix", finding.fix, label_width=7, stream=screen.stderr)


def tell_start(
    screen: Screen, environment: Environment, settings: Settings, place: ServeAddress, *, as_json: bool = False
) -> None:
    """Show the banner; warn if the store does not work, or ZITADEL does not accept the credentials.

    If ZITADEL needs longer than a moment, its warning follows later. Raises SettingsError if the CA bundle that the
    environment names cannot be used.
    """
    from zdemo.diagnosis.ask.investigate import investigate_with  # here, because help asks nothing
    from zdemo.guard.build import state_of_store

    asked: Future[Investigation] = Future()

    def ask() -> None:
        try:
            asked.set_result(investigate_with(environment, settings, None, role=None, now=time.time()))
        except SettingsError as error:
            asked.set_exception(error)

    threading.Thread(target=ask, name="preflight", daemon=True).start()
    url, ttl = settings.cache_url, settings.cache_ttl_seconds
    store = state_of_store(settings) if url and ttl else None  # also takes less than a moment, while ZITADEL is asked
    verdict = LATE
    with suppress(TimeoutError):
        verdict = FAULTY if asked.result(MOMENT_SECONDS).error else ACCEPTED
    if as_json:
        page = f", page on {place.page_url}" if place.page_url else ""
        screen.tell(f"API on {place.url}, asks {settings.zitadel}: {verdict}{page}")
    else:
        name = f"emulator {place.emulator_name}" if place.emulator_name else "ZITADEL"
        cache = f"cache {ttl:g} s" if ttl else "no cache"
        cache += f", shared at {shown_address(url)}" if url and ttl else ""
        rows = [(name, str(settings.zitadel), verdict), ("API", place.url, cache)]
        screen.table(rows, stream=screen.stderr)
        if place.page_url:  # too wide for a column
            screen.behind(f"{'page':<{len(name)}}  ", place.page_url, stream=screen.stderr)
        screen.tell("")
        if verdict != FAULTY:  # a fault comes first, and its fix is the next step
            screen.tell("in another terminal")
            for step in _steps(environment, place):
                screen.behind("  ", in_lines(step, GLUE), stream=screen.stderr)
            screen.tell("")
    if store and not store.ok:
        screen.warn(f"{store.reason}, so answers are not shared")
        screen.behind("fix      ", store.hint, stream=screen.stderr)
    asked.add_done_callback(lambda done: _tell_fault(screen, environment, done, verdict))


def _steps(environment: Environment, place: ServeAddress) -> list[Step]:
    """Return the commands to run next; each can be pasted as it is, and overwrites nothing."""
    routes = list(FORWARD_AUTH_PATHS) if place.forward_auth else ["public", "scoped"]
    route = routes[bool(place.emulator_port or environment.get("PAT"))]
    url = "" if place.url == environment.get(API_URL, DEFAULT_API_URL).rstrip("/") else f" --url {place.url}"
    call, mine = Command(f"call {route}{url}"), environment.file or DEFAULT_ENV_FILE
    if not place.emulator_port:
        return [with_env_file(call, mine)]
    path, has_settings = emulator_env_file(mine, place.emulator_port)
    init = () if has_settings else (init_emulator(place.emulator_port, place.url),)
    return [with_env_file(command, path) for command in (*init, call, Command("role revoke reader read:messages"))]
