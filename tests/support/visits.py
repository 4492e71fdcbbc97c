"""``zdemo serve`` with its page, and a person who visits it in a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.browser import WIDE, Watch, add_axe, expect, watched
from tests.support.ports import free_port
from tests.support.served import Served, served
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

PUBLIC, PRIVATE, SCOPED = "GET /api/public", "GET /api/private", "GET /api/private-scoped"
PASTED = "pasted"  # the caller whose token is typed into the page
CACHE_SECONDS = 3.0  # long enough to see answers from before a change, short enough to wait for its end


@dataclass(frozen=True, kw_only=True)
class Site:
    """A running ``zdemo serve`` with a page; ``address`` is the one with the key, which the banner shows."""

    served: Served
    address: str
    zitadel: str

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.served.port}"


@contextmanager
def site(
    folder: Path,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    cache_seconds: float = CACHE_SECONDS,
) -> Iterator[Site]:
    """Run ``zdemo serve`` for the block: with the emulator beside it, or with these settings for a ZITADEL."""
    port = free_port()
    if environment is None:
        arguments = ("--emulator", "--emulator-port", str(port), *arguments)
    zitadel = environment["ZITADEL_DOMAIN"] if environment else f"http://localhost:{port}"
    variables = {"ZDEMO_CACHE_TTL": f"{cache_seconds:g}", **(environment or {})}
    with served(folder, variables, *arguments) as running:
        yield Site(served=running, address=printed_address(folder), zitadel=zitadel)


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
        """Open the address of the banner, and wait until the page is connected."""
        self.page.goto(self.address)
        self.is_live()

    def another(self) -> Visit:
        """Return the same person at a new tab."""
        return Visit(self.page.context.new_page(), self.watch, self.address)

    def is_live(self) -> None:
        expect(self.page.get_by_text("Live", exact=True)).to_be_visible()

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
        """Open every step of the sequence."""
        closed = self.part("Sequence").get_by_role("button", expanded=False)
        for left in range(closed.count(), 0, -1):
            closed.last.click()
            expect(closed).to_have_count(left - 1)

    def rows(self) -> Locator:
        """Return the requests in the feed, newest first."""
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
    """Open the page at its printed address, with ``axe`` for ``violations``.

    After the block, it must have done nothing that it never does.
    """
    with watched(browser, address.partition("/?")[0], size=size, dark=dark, still=still) as (context, watch):
        if axe:
            add_axe(context)
        person = Visit(context.new_page(), watch, address)
        person.open()
        yield person
        assert watch.problems == []
