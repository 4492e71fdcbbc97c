"""Start what ``zdemo verify`` needs: a ZITADEL, and the API with settings that lead to it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zdemo.cli.exports import command_environment, expanded, placeholders, variables
from zdemo.cli.screen import Screen
from zdemo.cli.verify_screen import shortened
from zdemo.cli.with_emulator import exported, key_files
from zdemo.config.dotenv_file import parse_dotenv, read_dotenv
from zdemo.config.new_dotenv import emulator_text
from zdemo.config.settings import DEFAULT_CACHE_TTL_SECONDS
from zdemo.errors import SettingsError, UsageError, ZdemoError

if TYPE_CHECKING:
    from zdemo.verify.api_process import RunningApi
    from zdemo.verify.bench import Bench
    from zdemo.verify.emulated import EmulatedIssuer

KEY_FILE = "ZITADEL_KEY_FILE"
CACHE_TTL = "ZDEMO_CACHE_TTL"
FOR_THE_API = ("ZITADEL_DOMAIN", "CLIENT_ID", "CLIENT_SECRET", "ZITADEL_PROJECT_ID", CACHE_TTL)
DOTENV = ".env"
PORT = "PORT"


@dataclass(frozen=True, kw_only=True)
class GradedApi:
    """The API that is graded, and how long things may take."""

    command: Sequence[str]
    env: Sequence[str]
    path: str
    public: str
    role: str
    external_domain: str
    window_seconds: float
    start_seconds: float


@contextmanager
def emulated_bench(screen: Screen, target: GradedApi) -> Iterator[Bench]:
    """Run an emulator and the API in front of it; yield what the cases ask with."""
    from zdemo.emulator import World, emulate, random_start
    from zdemo.verify.emulated import emulated_issuer

    with ExitStack() as stack:
        start = random_start(World(external_domain=target.external_domain))
        needs_file = KEY_FILE in _dotenv() or any("{key_file}" in text for text in (*target.env, *target.command))
        files = stack.enter_context(key_files(start)) if needs_file else {}
        running = stack.enter_context(emulate(start.world))
        issuer = stack.enter_context(emulated_issuer(running, start.project_id))
        values = {**exported(start, running.url), **files, **_default_cache(screen, target)}
        yield stack.enter_context(_bench(screen, target, values, issuer))


def _dotenv() -> dict[str, str]:
    """Return what the folder's ``.env`` sets, which the API may read; nothing if it cannot be read."""
    try:
        return {name: value.strip() for name, value in read_dotenv(Path(DOTENV)).items() if value.strip()}
    except SettingsError:
        return {}


def _default_cache(screen: Screen, target: GradedApi) -> dict[str, str]:
    """Return the default TTL if nothing but the ``.env`` of ``zdemo init --emulator`` turns the API's cache off."""
    found, written = _dotenv(), parse_dotenv(emulator_text())
    is_given = os.environ.get(CACHE_TTL, "").strip() or any(text.startswith(f"{CACHE_TTL}=") for text in target.env)
    if is_given or any(found.get(name) != written[name] for name in ("CLIENT_SECRET", CACHE_TTL)):
        return {}
    default = f"{DEFAULT_CACHE_TTL_SECONDS:g}"
    off = f"{CACHE_TTL}={written[CACHE_TTL]}"
    screen.tell(
        f"note: the API gets {CACHE_TTL}={default}: the {off} in {DOTENV} is for trying things out with the "
        f"emulator (--env {off} grades the API without a cache)"
    )
    return {CACHE_TTL: default}


def api_environment(target: GradedApi, values: Mapping[str, str], port: int) -> tuple[dict[str, str], list[str]]:
    """Return the environment of the API, and the names of the person's variables that it does not get.

    It gets no token, since it is not a client.
    """
    asked_for = {text.partition("=")[0] for text in target.env}
    own = (*FOR_THE_API, KEY_FILE) if KEY_FILE in _dotenv() else FOR_THE_API
    kept = {name: text for name, text in variables(values, port, target.env).items() if name in (*own, *asked_for)}
    return command_environment(os.environ, {PORT: str(port), **kept})


@contextmanager
def _bench(screen: Screen, target: GradedApi, values: Mapping[str, str], issuer: EmulatedIssuer) -> Iterator[Bench]:
    """Start the API and wait until it answers; yield what the cases ask with."""
    from zdemo.processes.group import SUPPORTED

    if not SUPPORTED:
        raise UsageError("a command can be run on Linux and macOS only", hint="zdemo doctor --api URL")
    from zdemo.verify.api_process import LOOPBACK, api_running, free_port
    from zdemo.verify.asker import Asker
    from zdemo.verify.bench import Bench
    from zdemo.verify.budget import MOST_SECONDS, RunBudget

    port = free_port()
    origin = f"http://{LOOPBACK}:{port}"
    environment, withdrawn = api_environment(target, values, port)
    command = expanded(target.command, placeholders(values, port))
    screen.hide(values["CLIENT_SECRET"])
    if withdrawn:
        screen.tell(f"note: the API does not get your {', '.join(withdrawn)}")
    with api_running(command, environment) as api:
        _wait(screen, api, origin, target)
        budget = RunBudget(MOST_SECONDS + target.window_seconds)
        with Asker(origin, target.path, budget, patient=True) as asker:
            yield Bench(
                api=asker,
                issuer=issuer,
                role=target.role,
                budget=budget,
                public=target.public,
                window_seconds=target.window_seconds,
                printed=api.output.content,
                gone=api.gone,
                client_id=values["CLIENT_ID"],
                client_secret=values["CLIENT_SECRET"],
                project_id=values["ZITADEL_PROJECT_ID"],
                issuer_url=values["ZITADEL_DOMAIN"],
            )


def _wait(screen: Screen, api: RunningApi, origin: str, target: GradedApi) -> None:
    from zdemo.verify.bench import last_lines

    try:
        with screen.waiting(f"waiting for {target.command[0]} to answer at {origin}{target.path}"):
            api.wait_until_it_answers(origin, target.path, target.start_seconds)
    except ZdemoError:
        for line in last_lines(api.output.content()):
            screen.behind("  ", shortened(screen, line), stream=screen.stderr)
        raise
