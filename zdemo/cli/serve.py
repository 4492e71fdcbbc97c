"""``zdemo serve``: the API in the foreground, on request with the emulator beside it."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from zdemo.cli.emulator import known_users
from zdemo.cli.env_file import DEFAULT, with_emulator_settings
from zdemo.cli.options import EnvFile, Expose, Host, Port, check_exposure, check_port
from zdemo.cli.screen import Screen
from zdemo.cli.token_input import hide_secrets, tell_warnings
from zdemo.config.environment import Environment, read_environment
from zdemo.config.settings import Settings
from zdemo.errors import ExitCode, ZdemoError

KEY_FILE = "ZITADEL_KEY_FILE"
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
DEFAULT_THREADS = 128
FIRST_STEPS = ("zdemo call scoped", "zdemo role revoke reader read:messages", "zdemo call scoped")


def serve(
    ctx: typer.Context,
    host: Host = "127.0.0.1",
    port: Port = 5000,
    threads: Annotated[
        int, typer.Option(metavar="COUNT", min=4, max=1024, help="Threads per worker.")
    ] = DEFAULT_THREADS,
    workers: Annotated[int, typer.Option(metavar="COUNT", min=1, max=64, help="Worker processes.")] = 1,
    emulator: Annotated[
        bool, typer.Option("--emulator", help="Run the built-in ZITADEL emulator beside the API.")
    ] = False,
    expose_emulator: Expose = False,
    json_logs: Annotated[bool, typer.Option("--json-logs", help="Log one JSON object per line.")] = False,
    open_metrics: Annotated[
        bool, typer.Option("--open-metrics", help="Serve /metrics, to everybody who reaches the API. Off by default.")
    ] = False,
    env_file: EnvFile = None,
) -> int:
    """Run the API: three routes, guarded by token introspection.

    Example: zdemo serve --emulator
    """
    screen: Screen = ctx.obj
    if json_logs:
        from zdemo.server import log_to_stderr  # here, since a line of help needs no server

        log_to_stderr(as_json=True)
        screen = _JsonLogScreen(redaction=screen.redaction)
    environment = read_environment(env_file)
    if emulator:
        check_exposure(screen, host, expose=expose_emulator)
        environment = _with_emulator(screen, environment)
    settings = Settings.from_env(environment)
    tell_warnings(screen, settings)
    check_port(host, port, "zdemo serve")
    with ExitStack() as stack:
        if emulator:
            _start_emulator(screen, stack, env_file or DEFAULT)  # before secrets are hidden: the emulator's are public
        hide_secrets(screen, environment)
        if open_metrics:
            stack.enter_context(_shared_metrics(workers))
        screen.tell(
            f"API on http://{f'[{host}]' if ':' in host else host}:{port}, asks {settings.issuer}; Ctrl-C stops it"
        )
        from zdemo.server import WorkerApp  # here, for the same reason
        from zdemo.serving.production import serve_forever
        from zdemo.serving.spare_threads import spare_threads, thread_limit

        spare = spare_threads(threads=threads, workers=workers, limit=thread_limit())
        build = WorkerApp(
            settings=settings,
            threads=threads,
            spare_threads=spare,
            json_logs=json_logs,
            open_metrics=open_metrics,
        )
        serve_forever(build, host=host, port=port, workers=workers, threads=threads + spare)
    return ExitCode.YES


class _JsonLogScreen(Screen):
    """A screen that writes its messages to the API's log, so that each line is a JSON object from the first on."""

    def tell(self, text: str) -> None:
        """Log a message."""
        logging.getLogger("zdemo.serve").info("%s", self.redaction(text.strip()))


def _with_emulator(screen: Screen, environment: Environment) -> Environment:
    """Return the environment with the emulator's settings in place of the person's."""
    from zdemo.emulator import CLIENT_ID, CLIENT_SECRET, DEFAULT_PORT, PROJECT_ID

    variables = {
        "ZITADEL_DOMAIN": f"http://localhost:{DEFAULT_PORT}",
        "CLIENT_ID": CLIENT_ID,
        "CLIENT_SECRET": CLIENT_SECRET,
        "ZITADEL_PROJECT_ID": PROJECT_ID,
    }
    shadowed = [name for name, value in variables.items() if environment.get(name, value).strip() != value]
    shadowed += [KEY_FILE] if KEY_FILE in environment else []
    if shadowed:
        screen.tell(f"note: --emulator ignores your {', '.join(shadowed)}")
    options = {name: ("--emulator", value) for name, value in variables.items()}
    return read_environment(environment.file, options).without(KEY_FILE)  # a key would win over the secret


def _start_emulator(screen: Screen, stack: ExitStack, env_file: Path) -> None:
    from zdemo.emulator import DEFAULT_PORT, emulate
    from zdemo.serving.production import port_is_free

    if not port_is_free("127.0.0.1", DEFAULT_PORT):
        commands = ", then ".join(with_emulator_settings(env_file, "zdemo serve"))
        raise ZdemoError(
            f"the emulator's port, {DEFAULT_PORT}, is taken", hint=f"if an emulator runs there already: {commands}"
        )
    running = stack.enter_context(emulate(port=DEFAULT_PORT))
    screen.tell(f"ZITADEL (emulator) on {running.url}; its state ends with it")
    for line in known_users():
        screen.tell(f"  {line}")
    screen.tell("try, in another terminal:")
    for command in with_emulator_settings(env_file, *FIRST_STEPS):
        screen.tell(f"  {command}")


@contextmanager
def _shared_metrics(workers: int) -> Iterator[None]:
    """Give several workers a folder for their metrics; the library finds it by the environment alone."""
    if workers == 1 or METRICS_FOLDER in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="zdemo-metrics-") as folder:
        os.environ[METRICS_FOLDER] = folder
        yield
