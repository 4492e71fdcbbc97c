"""``zdemo serve`` and ``zdemo emulator``: what runs in the foreground until it is stopped."""

from __future__ import annotations

import logging
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from zdemo.cli.redaction import REDACTION
from zdemo.cli.screen import Screen, columns
from zdemo.cli.token_input import hide_secrets, tell_warnings
from zdemo.config.environment import read_environment
from zdemo.config.parsers import is_loopback
from zdemo.config.settings import Settings
from zdemo.errors import ExitCode, UsageError, ZdemoError
from zdemo.serving.production import port_is_free, serve_forever

KEY_FILE = "ZITADEL_KEY_FILE"
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
EXPOSED = "the emulator's tokens are public knowledge: whoever reaches {host} can use them"


@dataclass(frozen=True, kw_only=True)
class Served:
    """The options of ``zdemo serve`` that say how. ``threads`` is per worker."""

    host: str
    port: int
    threads: int
    workers: int
    json_logs: bool
    open_metrics: bool


class _LoggingScreen(Screen):
    """Tells its story as the API logs with ``--json-logs``, so that each line is a JSON object from the first on."""

    def __init__(self) -> None:
        super().__init__()
        from zdemo.server.logs import log_to_stderr

        log_to_stderr(as_json=True)

    def tell(self, text: str) -> None:
        """A line of the story."""
        logging.getLogger("zdemo.serve").info("%s", REDACTION(text.strip()))


def run_serve(served: Served, *, with_emulator: bool, expose: bool, env_file: Path | None) -> int:
    """``zdemo serve``."""
    screen = _LoggingScreen() if served.json_logs else Screen()
    environment = read_environment(env_file)
    if with_emulator:
        _check_exposure(screen, served.host, expose=expose)
        emulators = _emulator_variables()
        shadowed = [name for name, value in emulators.items() if environment.get(name, value).strip() != value]
        shadowed += [KEY_FILE] if KEY_FILE in environment else []
        if shadowed:
            screen.tell(f"note: the emulator is used; {', '.join(shadowed)} of your settings are not")
        environment = read_environment(env_file, **emulators).without(KEY_FILE)  # it would win over the secret
    settings = Settings.from_env(environment)
    tell_warnings(screen, settings)
    _check_port(served.host, served.port, "zdemo serve")
    with ExitStack() as stack:
        if with_emulator:
            _start_emulator(screen, stack)  # before secrets are hidden: the emulator's are public
        hide_secrets(screen, environment)
        stack.enter_context(_shared_metrics(served.workers))
        host = f"[{served.host}]" if ":" in served.host else served.host
        screen.tell(f"API on http://{host}:{served.port}, asks {settings.issuer}; Ctrl-C stops it")
        _serve(served, settings)
    return ExitCode.YES


def _serve(served: Served, settings: Settings) -> None:
    from zdemo.server.worker import Build

    build = Build(
        settings=settings, threads=served.threads, json_logs=served.json_logs, open_metrics=served.open_metrics
    )
    serve_forever(build, host=served.host, port=served.port, workers=served.workers, threads=served.threads)


@contextmanager
def _shared_metrics(workers: int) -> Iterator[None]:
    """A folder in which several workers gather their metrics; their library finds it by the environment alone."""
    if workers == 1 or METRICS_FOLDER in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="zdemo-metrics-") as folder:
        os.environ[METRICS_FOLDER] = folder
        yield


def _emulator_variables() -> dict[str, str]:
    from zdemo.emulator.seed import CLIENT_ID, CLIENT_SECRET, DEFAULT_PORT, PROJECT_ID

    return {
        "ZITADEL_DOMAIN": f"http://localhost:{DEFAULT_PORT}",
        "CLIENT_ID": CLIENT_ID,
        "CLIENT_SECRET": CLIENT_SECRET,
        "ZITADEL_PROJECT_ID": PROJECT_ID,
    }


def _check_exposure(screen: Screen, host: str, *, expose: bool) -> None:
    if is_loopback(host):
        return
    if not expose:
        raise UsageError(EXPOSED.format(host="that address"), hint="stay on 127.0.0.1, or add --expose-emulator")
    screen.tell("warning: " + EXPOSED.format(host=host))


def _check_port(host: str, port: int, command: str) -> None:
    """Refuse a taken port, or a host that is not ours, before anything starts."""
    try:
        free = port_is_free(host, port)
    except PermissionError:
        hint = f"choose one from 1024 on: {command} --port {port + 8000 if port < 1024 else 5000}"
        raise ZdemoError(f"port {port} cannot be listened on: this user may not", hint=hint) from None
    except OSError:
        raise UsageError("--host is no address of this machine", hint="try 127.0.0.1, or 0.0.0.0 for all") from None
    if not free:
        hint = f"stop what runs there, or choose another: {command} --port {port + 1}"
        airplay = "; on macOS it is often the AirPlay receiver" if port == 5000 else ""
        raise ZdemoError(f"port {port} of {host} cannot be listened on: it is taken{airplay}", hint=hint)


def _start_emulator(screen: Screen, stack: ExitStack) -> None:
    from zdemo.emulator import emulate
    from zdemo.emulator.seed import DEFAULT_PORT

    if not port_is_free("127.0.0.1", DEFAULT_PORT):
        raise ZdemoError(
            f"port {DEFAULT_PORT}, the emulator's, is taken",
            hint="if an emulator runs there already, start zdemo serve without --emulator; .env.example fits it",
        )
    running = stack.enter_context(emulate(port=DEFAULT_PORT))
    screen.tell(f"ZITADEL (emulated) on {running.url}; its state ends with it")
    for line in known_users():
        screen.tell(f"  {line}")
    screen.tell("try, in another terminal:")
    screen.tell("  cp .env.example .env          (its values are the emulator's)")
    screen.tell("  zdemo call scoped             (or --pat with one of the tokens above)")
    screen.tell("  zdemo role revoke reader read:messages")
    screen.tell("  zdemo call scoped")


def known_users() -> list[str]:
    """The emulator's users: name and roles, below that the PAT, which fills a line of its own."""
    from zdemo.emulator.seed import ADMIN, READER, VISITOR

    roles = [", ".join(READER.roles), "(no role)", "(administrator)"]
    users = (READER, VISITOR, ADMIN)
    who = columns([(user.username, role) for user, role in zip(users, roles, strict=True)])
    return [line for first, user in zip(who, users, strict=True) for line in (first, f"  {user.pat}")]


def run_emulator(*, host: str, port: int, as_json: bool, expose: bool) -> int:
    """``zdemo emulator``."""
    from zdemo.emulator import emulate
    from zdemo.emulator.seed import CLIENT_ID, CLIENT_SECRET, PROJECT_ID

    screen = Screen()
    _check_exposure(screen, host, expose=expose)
    _check_port(host, port, "zdemo emulator")
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with emulate(host=host, port=port) as running:
        if as_json:
            screen.document(_ready(running.url))
        else:
            screen.say(f"ZITADEL (emulated) on {running.url}; Ctrl-C stops it")
            screen.say("its state is in memory, and ends with it")
            credentials = [("project", PROJECT_ID), ("CLIENT_ID", CLIENT_ID), ("CLIENT_SECRET", CLIENT_SECRET)]
            screen.pairs(credentials, label_width=len("CLIENT_SECRET"))
            for line in known_users():
                screen.say(line)
        stopped.wait()
    return ExitCode.YES


def _ready(url: str) -> dict[str, object]:
    from zdemo.emulator.seed import ADMIN, CLIENT_ID, CLIENT_SECRET, PROJECT_ID, READER, VISITOR

    return {
        "url": url,
        "adminPat": ADMIN.pat,
        "project": PROJECT_ID,
        "clientId": CLIENT_ID,
        "clientSecret": CLIENT_SECRET,
        "users": [
            {"id": u.id, "username": u.username, "pat": u.pat, "roles": list(u.roles)} for u in (READER, VISITOR, ADMIN)
        ],
    }
