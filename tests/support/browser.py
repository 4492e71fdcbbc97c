"""``zdemo serve`` with its page, a person who visits it in a headless Chromium, and a watch on what a page never does.

As a program, this draws the main states of the page at both widths and in both colour schemes.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.support.served import Served, served
from tests.support.upstream import free_port
from tests.support.waiting import eventually
from zdemo.config.variables import DEFAULT_CACHE_TTL_SECONDS

if TYPE_CHECKING:  # Playwright loads for a second, in each process that looks for tests
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Locator, Page, Request
    from playwright.sync_api import expect as expect
else:

    def expect(subject: Any) -> Any:
        from playwright.sync_api import expect as expecting

        expecting.set_options(timeout=LONGEST_MS)
        return expecting(subject)


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
        context.on("weberror", lambda error: self._note(f"exception: {error.error}"))
        context.on("request", self._on_request)
        context.on("dialog", self._on_dialog)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self._note(f"console {message.type}: {message.text}")

    def _on_request(self, request: Request) -> None:
        if not f"{request.url}/".startswith(f"{self._origin}/"):
            self._note(f"request to another origin: {request.url}")

    def _on_dialog(self, dialog: Dialog) -> None:
        self._note(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _note(self, problem: str) -> None:
        if not re.search(self.expected, problem):
            self.problems.append(problem)


def violations(page: Page, *rules: str) -> list[str]:
    """Return what axe-core finds wrong, by all rules or these, in a page of a context with axe: rule and elements."""
    options = {"resultTypes": ["violations"], **({"runOnly": rules} if rules else {})}
    results = page.evaluate("(options) => axe.run(options)", options)
    return [
        f"{violation['id']}: {violation['help']}: {[node['html'][:200] for node in violation['nodes']]}"
        for violation in results["violations"]
    ]


PUBLIC, PRIVATE, SCOPED = "GET /api/public", "GET /api/private", "GET /api/private-scoped"
EMULATOR = "ZITADEL (emulator)"  # a group of switches
PASTED = "pasted"  # the caller whose token is typed into the page
CACHE_SECONDS = 3.0  # long enough to see answers from before a change, short enough to wait for its end


class Site(NamedTuple):
    """A running ``zdemo serve`` with a page; ``address`` is the one with the key, which the banner shows."""

    served: Served
    address: str
    emulator_port: str

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.served.port}"


@contextmanager
def site(folder: Path, *, cache_seconds: float = CACHE_SECONDS) -> Iterator[Site]:
    port = str(free_port())
    variables = {"ZDEMO_CACHE_TTL": f"{cache_seconds:g}"}
    with served(folder, variables, "--emulator", "--emulator-port", port) as running:
        yield Site(served=running, address=printed_address(folder), emulator_port=port)


def printed_address(folder: Path) -> str:
    """Return the page's address from the banner of a ``zdemo serve`` that was started in this folder."""

    def look() -> list[str]:
        return re.findall(r"http://\S+/\?key=\S+", (folder / "stderr").read_text())

    return eventually("the banner shows the page's address", look)[0]


class Visit:
    """A person at the page. They find everything by its role and its name."""

    def __init__(self, page: Page, watch: Watch, address: str) -> None:
        self.page, self.watch, self.address = page, watch, address

    def open(self) -> None:
        self.page.goto(self.address)
        self.is_live()

    def another(self) -> Visit:
        return Visit(self.page.context.new_page(), self.watch, self.address)

    def is_live(self) -> None:
        """Wait for the feed, and for what can be chosen: each is read on its own."""
        expect(self.page.get_by_text("Live", exact=True)).to_be_visible()
        expect(self.button("Send")).to_be_visible()

    def part(self, name: str) -> Locator:
        """Return one of the parts: Try it, Sequence, Change it, Feed."""
        return self.page.get_by_role("region", name=name, exact=True)

    def button(self, name: str, *, of: str = "") -> Locator:
        """Return the button with this name. In the group of switches ``of``, or after ``…``, its name begins so."""
        inside = self.page.get_by_role("group", name=of, exact=True) if of else self.page
        start = name.removesuffix("…")
        if of or start != name:
            return inside.get_by_role("button", name=re.compile(rf"^{re.escape(start)}\b"))
        return inside.get_by_role("button", name=name, exact=True)

    def choose(self, route: str, caller: str, token: str = "") -> None:
        self.page.get_by_label("Route").select_option(route)
        self.page.get_by_label("Caller").select_option(caller)
        if token:
            self.page.get_by_label("Token", exact=True).fill(token)

    def send(self, route: str, caller: str, token: str = "") -> None:
        """Send one request from the page, and wait for what the page is told about it."""
        self.choose(route, caller, token)
        with self.page.expect_response("**/-/send"):
            self.button("Send").click()

    def sees(self, *texts: str | re.Pattern[str], in_part: str = "Sequence") -> None:
        """Wait until a part of the page shows these texts; what is hidden does not count."""
        for text in texts:
            expect(self.part(in_part)).to_contain_text(text, use_inner_text=True)

    def open_steps(self) -> None:
        closed = self.part("Sequence").get_by_role("button", expanded=False)
        for left in range(closed.count(), 0, -1):
            closed.last.click()
            expect(closed).to_have_count(left - 1)

    def rows(self) -> Locator:
        return self.part("Feed").get_by_role("listitem").get_by_role("button")


@contextmanager
def visit(
    browser: Browser,
    address: str,
    *,
    size: tuple[int, int] = WIDE,
    dark: bool = False,
    still: bool = False,
    axe: bool = False,
) -> Iterator[Visit]:
    """Open the page at its printed address, with cookies of its own; ``still`` asks it for reduced motion.

    ``axe`` loads axe-core for ``violations``, past the Content-Security-Policy. After the block, the page must have
    done nothing that it never does.
    """
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce" if still else "no-preference",
    )
    context.set_default_timeout(LONGEST_MS)
    watch = Watch(context, address.partition("/?")[0])
    try:
        if axe:
            context.add_init_script(files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
        person = Visit(context.new_page(), watch, address)
        person.open()
        yield person
        assert not watch.problems, watch.problems
    finally:
        context.close()


MISSING = "the role read:messages is missing"


def main_states(person: Visit) -> Iterator[str]:
    """Lead a page that was just opened through its main states; yield the name of each while it lasts."""
    yield "opened"
    person.send(SCOPED, "reader")
    person.sees("200", "POST /oauth/v2/introspect")
    person.button("ZITADEL to API…").click()
    person.sees('"active": true')
    yield "admitted"
    person.button("ZITADEL to API…").click()
    person.send(PRIVATE, "nobody")
    person.sees("GET /api/private")
    person.send(SCOPED, "visitor")
    person.sees(MISSING, "zdemo role grant visitor")
    yield "refused"
    person.choose(SCOPED, "reader")
    person.button("Send every second").click()
    expect(person.rows().first).to_contain_text("reader")
    person.button("Revoke", of="reader").click()
    expect(person.button("Grant", of="reader")).to_be_visible()
    person.sees(re.compile(r"from before .*still pass for up to \d+\.\d\ss"), in_part="Change it")
    yield "revoked"
    person.sees(MISSING)
    person.sees("now only uses answers from after the change", in_part="Change it")
    person.button("Stop").click()
    yield from _of_zitadel(person)


def _of_zitadel(person: Visit) -> Iterator[str]:
    person.send(PUBLIC, "nobody")
    person.sees("GET /api/public")
    person.button("Stop ZITADEL").click()
    expect(person.button("Start ZITADEL", of=EMULATOR)).to_be_visible()
    person.send(PRIVATE, PASTED, "a-token-that-is-not-known")
    person.sees("503")
    yield "zitadel-stopped"
    person.button("Start ZITADEL", of=EMULATOR).click()
    expect(person.button("Stop ZITADEL")).to_be_visible()
    person.button("Refused").click()
    yield "feed"
    person.button("Advance the clock 1 hour").click()
    expect(person.page.get_by_role("dialog")).to_be_visible()
    yield "confirming"
    person.page.keyboard.press("Escape")


def draw(browser: Browser, folder: Path, size: tuple[int, int], *, dark: bool) -> None:
    """Write each state as a PNG file; of the one for the documentation also what a screen shows, as small WebP."""
    scheme = "dark" if dark else "light"
    with (
        tempfile.TemporaryDirectory(prefix="zdemo-screenshots-") as scratch,
        site(Path(scratch), cache_seconds=DEFAULT_CACHE_TTL_SECONDS) as own,
        visit(browser, own.address, size=size, dark=dark) as person,
    ):
        for name in main_states(person):
            person.page.screenshot(path=folder / f"{name}-{size[0]}-{scheme}.png", full_page=True)
            if name == "refused" and size == WIDE:  # docs/page.md and README.md show it
                session = person.page.context.new_cdp_session(person.page)
                shot = session.send("Page.captureScreenshot", {"format": "webp", "quality": 70})
                (folder / f"page-{scheme}.webp").write_bytes(base64.b64decode(shot["data"]))


if __name__ == "__main__":
    if CHROMIUM is None:
        raise SystemExit("Chromium is not installed (Debian: apt-get install chromium)")
    pictures = Path(sys.argv[1])
    pictures.mkdir(parents=True, exist_ok=True)
    with chromium() as program:
        for width, is_dark in product((WIDE, NARROW), (False, True)):
            draw(program, pictures, width, dark=is_dark)
