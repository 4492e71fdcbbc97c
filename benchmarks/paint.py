"""How soon a browser paints the page of ``zdemo serve``, against a page of a few lines on the same server."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, expect

from benchmarks import tables
from tests.support.browser import chromium, site

ROUNDS = 15
PAINTED = """() => new Promise((painted) => new PerformanceObserver((list) => {
    for (const entry of list.getEntriesByName("first-contentful-paint")) painted(entry.startTime);
}).observe({ type: "paint", buffered: true }))"""
NOW = "performance.now()"


def painted(browser: Browser, address: str, *, status: str = "") -> tuple[float, float]:
    """Open an address in a new context; return after how many ms it was painted, and showed this ``status``."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(address)
    if status:
        expect(page.get_by_text(status, exact=True)).to_be_visible()
    connected = float(page.evaluate(NOW))
    paint = float(page.evaluate(PAINTED))
    context.close()
    return paint, connected


def paint() -> None:
    """Open both in turn; the page is opened as a person does it, with the key in its address."""
    with tempfile.TemporaryDirectory() as folder, site(Path(folder)) as own, chromium() as browser:
        floors, pages = [], []
        for _ in range(ROUNDS):
            floors.append(painted(browser, f"{own.origin}/-/")[0])  # how to open it: a browser without the key
            pages.append(painted(browser, own.address, status="Live"))
    paints = [both[0] for both in pages]
    ratio = statistics.median(page / floor for page, floor in zip(paints, floors, strict=True))
    rows = [
        ("a page of a few lines", f"{statistics.median(floors):.0f} ms", "1.00"),
        ("the page, painted", f"{statistics.median(paints):.0f} ms", f"**{ratio:.2f}**"),
        ("the page, connected to the feed", f"{statistics.median(both[1] for both in pages):.0f} ms", ""),
    ]
    tables.show("First contentful paint in Chromium, from the printed address", ["page", "median", "ratio"], rows)
