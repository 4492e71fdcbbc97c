"""A browser, and a ``zdemo serve --emulator`` whose page it opens."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.support.browser import CHROMIUM, chromium
from tests.support.visits import Site, Visit, site, visit


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for the tests of a module: while it runs, no other test could run an event loop in this process."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with chromium() as running:
        yield running


@pytest.fixture
def own_site(browser: Browser, tmp_path: Path) -> Iterator[Site]:  # noqa: ARG001  # no API is started without a browser
    """With an emulator beside it, whose users and state the test may change."""
    with site(tmp_path) as running:
        yield running


@pytest.fixture
def person(browser: Browser, own_site: Site) -> Iterator[Visit]:
    """Somebody who has just opened the page at 1440 px, in light colours."""
    with visit(browser, own_site) as visiting:
        yield visiting
