"""The tour of ``zdemo demo --page`` on its page."""

from __future__ import annotations

import io
import re
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import requests
from playwright.sync_api import Browser, expect

from tests.support.browser import LONGEST_MS, watched
from tests.support.page_site import PAGE, events, opened
from tests.support.wire import PATIENCE_SECONDS
from zdemo.cli.demo_page import PAGE_THREADS, Presenter
from zdemo.cli.screen import Screen
from zdemo.demo.scenario import DemoEnvironment

LONGEST_END_SECONDS = 10


@contextmanager
def demo_with_page() -> Iterator[tuple[DemoEnvironment, str]]:
    """Yield a demo of this process, and what it says about its page."""
    stdout = io.StringIO()
    presenter = Presenter(Screen(stdout=stdout))
    with presenter.demo() as environment:
        presenter.begin(environment)
        yield environment, stdout.getvalue()


@contextmanager
def feed(browser: requests.Session, page: str) -> Iterator[requests.Response]:
    with browser.get(f"{page}feed", stream=True, timeout=PATIENCE_SECONDS) as answer:
        yield answer


def test_the_page_shows_every_step_and_how_a_removed_role_passes_for_a_while() -> None:
    with demo_with_page() as (environment, shown), ExitStack() as feeds:
        found = events(feeds.enter_context(feed(*opened(shown))))
        assert next(found)[0] == "hello"
        seen: list[Any] = []
        for result in environment.run():
            assert result.passed
            assert result.exchange
            identity = result.exchange.call.answer.headers["x-request-id"]
            while not seen or seen[-1]["id"] != identity:
                seen.append(next(event for name, event in found if name == "request"))
            assert seen[-1]["status"] == result.step.expected
            assert seen[-1]["steps"][-1]["title"].startswith(str(result.step.expected))
        start = time.monotonic()
    assert time.monotonic() - start < LONGEST_END_SECONDS
    commands = [fix for event in seen if event["why"] for fix in event["why"]["fix"] if fix.startswith("zdemo role")]
    assert commands
    assert [command for command in commands if "demo.env" not in command] == [], "for another ZITADEL"
    scoped = [event["status"] for event in seen if event["path"] == "/api/private-scoped"]
    assert re.fullmatch(r"401(200){3,}(401){2,}200", "".join(map(str, scoped))), scoped  # the visitor is the first


def test_open_pages_cost_few_threads_and_none_of_the_api() -> None:
    with demo_with_page() as (environment, shown), ExitStack() as feeds:
        browser, page = opened(shown)
        before = threading.active_count()
        opened_feeds = [feeds.enter_context(feed(browser, page)) for _ in range(PAGE_THREADS)]
        statuses = [answer.status_code for answer in opened_feeds]
        assert statuses == [200] * (PAGE_THREADS // 2) + [503] * (PAGE_THREADS // 2)
        assert threading.active_count() <= before + 1  # the page's own
        assert next(environment.run()).passed
        assert browser.get(f"{page}state", timeout=PATIENCE_SECONDS).status_code == 200


def test_a_browser_follows_the_tour_and_the_changes_that_it_makes(browser: Browser) -> None:
    with demo_with_page() as (environment, shown), watched(browser, environment.api_url) as (context, watch):
        page = context.new_page()
        expect.set_options(timeout=LONGEST_MS)
        address = PAGE.search(shown)
        assert address
        page.goto(address[0].removeprefix("page "))
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        running = environment.run()
        for _ in range(6):
            result = next(running)
        assert result.step.expected == 401
        expect(page.get_by_role("region", name="Sequence")).to_contain_text("the role read:messages is missing")
        expect(page.get_by_role("group", name="reader")).to_contain_text("not granted")
        assert watch.problems == []
