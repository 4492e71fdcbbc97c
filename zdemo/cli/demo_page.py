"""``zdemo demo --page``: the tour on a page beside the API, one step at a time, for somebody who gives a talk."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from zdemo.cli.questions import typed_line
from zdemo.cli.screen import Screen
from zdemo.cli.token_input import at_terminal
from zdemo.config.environment import COMMAND_LINE, Environment
from zdemo.config.new_dotenv import create_dotenv
from zdemo.config.settings import Settings
from zdemo.demo.emulated import emulated_demo
from zdemo.demo.scenario import DemoEnvironment, Step
from zdemo.emulator import ADMIN, PROJECT_ID, READER, VISITOR
from zdemo.page import PageOptions, new_key, paged
from zdemo.serving import WSGIApp
from zdemo.serving.embedded import LOOPBACK, THREADS, serving
from zdemo.serving.temporary_folder import remove_abandoned, temporary_folder

FOLDER_NAMES = ("zdemo-demo-", ".env")  # how the name of a folder begins, and of its files end
FILE = "demo.env"
PAGE_THREADS = 16  # beside the API's; half of them can be open pages
PAUSE_SECONDS = 2.0  # before a step, where nobody can press Enter
POLL_SECONDS = 0.25  # between the requests of a step: the page shows each of them


class Presenter:
    """Serves the page beside the API of the demo, and lets a person decide when the next step begins."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._key = new_key()

    @contextmanager
    def demo(self) -> Iterator[DemoEnvironment]:
        """Run the demo with its page, at a pace at which people can follow.

        Commands that the page suggests work while the demo runs: they name a ``.env`` for this emulator and this API.
        """
        remove_abandoned(*FOLDER_NAMES)
        with emulated_demo(self._serve) as environment:
            yield replace(environment, poll_seconds=POLL_SECONDS, warms=True)

    @contextmanager
    def _serve(self, app: Any, settings: Settings, emulator: str) -> Iterator[str]:
        layers: list[WSGIApp] = []

        def call(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
            return layers[0](environ, start_response)

        with serving(call, threads=THREADS + PAGE_THREADS) as port, temporary_folder(*FOLDER_NAMES) as folder:
            api_url = f"http://{LOOPBACK}:{port}"  # which the page must know
            file, values = Path(folder, FILE), _values(settings, api_url)
            create_dotenv(file, "".join(f"{name}={value}\n" for name, value in values.items()))
            options = PageOptions(
                key=self._key,
                api_url=api_url,
                settings=replace(settings, project_id=PROJECT_ID),
                environment=Environment({COMMAND_LINE: values}),
                steps_file=file,
                emulator=emulator,
                emulator_users={"reader": READER.id, "visitor": VISITOR.id},
                emulator_pats={"reader": READER.token_id, "visitor": VISITOR.token_id},
                threads=PAGE_THREADS,
            )
            layers.append(paged(app, options))
            yield api_url

    def begin(self, environment: DemoEnvironment) -> None:
        """Show where the page is."""
        self._screen.say(f"page {environment.api_url}/?key={self._key}", whole=True)
        if at_terminal():
            self._screen.say("Open it beside this terminal. Enter runs the next step, Ctrl-C ends the demo.")
        self._screen.say()

    def before(self, number: int, step: Step) -> None:
        """Show what the next step does, and wait for the person."""
        sends = f"GET {step.route.path}, {step.caller.value}"
        self._screen.behind(f"{number:2}  next: ", f"{step.change.value}, then {sends}" if step.change else sends)
        self._wait("      press Enter")

    def end(self) -> None:
        """Keep the page until the person has seen enough of it."""
        self._wait("\npress Enter to end the demo and its page")

    def _wait(self, question: str) -> None:
        if at_terminal():
            typed_line(question)
        else:
            time.sleep(PAUSE_SECONDS)


def _values(settings: Settings, api_url: str) -> dict[str, str]:
    """Return the variables for this emulator and this API."""
    return {
        "ZITADEL_DOMAIN": settings.issuer,
        "CLIENT_ID": settings.client_id,
        "CLIENT_SECRET": settings.client_secret,
        "ZITADEL_PROJECT_ID": PROJECT_ID,
        "PAT": READER.pat,
        "ZDEMO_VISITOR_PAT": VISITOR.pat,
        "ZITADEL_ADMIN_PAT": ADMIN.pat,
        "ZDEMO_API_URL": api_url,
        "ZDEMO_CACHE_TTL": f"{settings.cache_ttl_seconds:g}",
    }
