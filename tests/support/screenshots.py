"""Draw the main states of the page, at both widths and in both colour schemes: ``make screenshots FOLDER=…``."""

import argparse
import base64
import tempfile
from itertools import product
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.support.browser import CHROMIUM, NARROW, WIDE, chromium, main_states, site, visit
from zdemo.config.variables import DEFAULT_CACHE_TTL_SECONDS

FOR_DOCS = "refused"  # the state that docs/page.md and README.md show
QUALITY = 70


def draw(browser: Browser, folder: Path, size: tuple[int, int], *, dark: bool) -> None:
    """Write each state as a PNG file; of the one for the documentation also a small picture of what a screen shows."""
    scheme = "dark" if dark else "light"
    with (
        tempfile.TemporaryDirectory(prefix="zdemo-screenshots-") as scratch,
        site(Path(scratch), cache_seconds=DEFAULT_CACHE_TTL_SECONDS) as own,
        visit(browser, own.address, size=size, dark=dark) as person,
    ):
        for name in main_states(person):
            person.page.screenshot(path=folder / f"{name}-{size[0]}-{scheme}.png", full_page=True)
            if name == FOR_DOCS and size == WIDE:
                (folder / f"page-{scheme}.webp").write_bytes(small(person.page))


def small(page: Page) -> bytes:
    """Return what the screen shows as WebP, which Playwright's own method cannot write."""
    session = page.context.new_cdp_session(page)
    shot = session.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    return base64.b64decode(shot["data"])


def main() -> None:
    """Write all pictures into the folder that is named."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.screenshots")
    parser.add_argument("folder", type=Path, help="where the pictures are written; it is created if it is missing")
    folder: Path = parser.parse_args().folder
    if CHROMIUM is None:
        raise SystemExit("Chromium is not installed (Debian: apt-get install chromium)")
    folder.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        for size, dark in product((WIDE, NARROW), (False, True)):
            draw(browser, folder, size, dark=dark)


if __name__ == "__main__":
    main()
