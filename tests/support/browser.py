"""A headless Chromium, and a watch on what a page of zdemo never does in it."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:  # Playwright loads for a second, in each process that looks for tests
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Page, Request, WebError
    from playwright.sync_api import expect as expect
else:

    def expect(found: Any) -> Any:
        from playwright.sync_api import expect as expecting

        expecting.set_options(timeout=LONGEST_MS)
        return expecting(found)


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ("--disable-gpu", "--disable-quic", "--disable-sync")  # besides those by which Playwright keeps it offline
LONGEST_MS = 30_000  # only a test that fails waits this long
WIDE, NARROW = (1440, 900), (375, 800)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run Debian's Chromium for the block, with a profile and a home of its own.

    Until the end of the block, an event loop runs in this thread, so that ``asyncio.run`` cannot be called.
    """
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory(prefix="zdemo-chromium-", ignore_cleanup_errors=True) as home:
        environment: dict[str, str | float | bool] = {"HOME": home, "PATH": os.defpath}
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=CHROMIUM, args=FLAGS, env=environment, timeout=2 * LONGEST_MS
            )
            yield browser
            browser.close()


class Watch:
    """What the pages of a context did, and a page of zdemo never does.

    These are errors and warnings in the console (a violation of the Content-Security-Policy is one), exceptions that
    nobody catches, native dialogs, and requests to another origin. ``expected`` is a pattern for the messages that a
    test provokes.
    """

    def __init__(self, context: BrowserContext, origin: str) -> None:
        self.problems: list[str] = []
        self.expected = r"(?!)"
        self._origin = origin
        context.on("console", self._on_console)
        context.on("weberror", self._on_error)
        context.on("request", self._on_request)
        context.on("dialog", self._on_dialog)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self._note(f"console {message.type}: {message.text}")

    def _on_error(self, error: WebError) -> None:
        self._note(f"exception: {error.error}")

    def _on_request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if f"{parts.scheme}://{parts.netloc}" != self._origin:
            self._note(f"request to another origin: {request.url}")

    def _on_dialog(self, dialog: Dialog) -> None:
        self._note(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _note(self, problem: str) -> None:
        if not re.search(self.expected, problem):
            self.problems.append(problem)


@contextmanager
def watched(
    browser: Browser, origin: str, *, size: tuple[int, int] = WIDE, dark: bool = False, still: bool = False
) -> Iterator[tuple[BrowserContext, Watch]]:
    """Open a context with its own cookies for the block; ``still`` asks pages for reduced motion."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce" if still else "no-preference",
    )
    context.set_default_timeout(LONGEST_MS)
    watch = Watch(context, origin)
    try:
        yield context, watch
    finally:
        context.close()


def add_axe(context: BrowserContext) -> None:
    """Load axe-core in each page that the context opens from now on, past its Content-Security-Policy."""
    context.add_init_script(files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))


def violations(page: Page, *rules: str) -> list[str]:
    """Return what axe-core finds wrong, by all rules or these, in a page of a context with axe: rule and elements."""
    options = {"resultTypes": ["violations"], **({"runOnly": rules} if rules else {})}
    results = page.evaluate("(options) => axe.run(options)", options)
    return [
        f"{found['id']}: {found['help']}: {[node['html'][:200] for node in found['nodes']]}"
        for found in results["violations"]
    ]
