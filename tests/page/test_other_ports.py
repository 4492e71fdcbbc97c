"""Other servers on this machine: the browser sends them the page's cookie, and lets them replace it."""

from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import expect

from tests.support.upstream import Upstream, answer, upstream
from tests.support.visits import PRIVATE, Visit
from tests.support.wire import PATIENCE_SECONDS

PAGE = b'<!doctype html><title>x</title><link rel="icon" href="data:,">'
REFUSED = "status of 401 "


@pytest.fixture
def other(person: Visit) -> Iterator[Upstream]:
    """A server on another port, which sets a cookie that is called like the page's."""
    cookie = f"zdemo_page_{person.site.served.port}=x; Path=/-/; HttpOnly"
    with upstream(answer(PAGE, headers={"Content-Type": "text/html", "Set-Cookie": cookie})) as server:
        person.watch.expected = f"request to another origin: {server.url}/|{REFUSED}"
        yield server


def opens_page_of(person: Visit, other: Upstream) -> None:
    """Let the person open a page of another server below the same path, beside zdemo's page."""
    page = person.page.context.new_page()
    page.goto(f"{other.url}/-/")
    page.close()


def test_a_server_that_gets_the_cookie_can_use_nothing(person: Visit, other: Upstream) -> None:
    opens_page_of(person, other)
    cookie = other.requests[0].headers["cookie"]
    secret = person.page.evaluate("localStorage.getItem('zdemo.secret')")
    replies = [
        requests.get(
            f"{person.site.origin}{path}", headers={"Cookie": cookie}, timeout=PATIENCE_SECONDS, allow_redirects=False
        )
        for path in ("/-/", "/", "/-/state")
    ]
    assert [reply.status_code for reply in replies] == [200, 303, 401], "the cookie is the page's"
    assert not [reply for reply in replies if secret in f"{reply.headers}{reply.text}"]
    assert secret not in f"{other.requests}"


def test_when_a_server_replaces_the_cookie_the_page_says_how_to_open_it_again(person: Visit, other: Upstream) -> None:
    opens_page_of(person, other)
    expect(person.page.get_by_role("alert")).to_contain_text("another server on this machine")
    person.page.reload()
    expect(person.page.get_by_text("Open the address that zdemo serve printed")).to_be_visible()
    person.open()
    person.send(PRIVATE, "reader")
    person.sees("200")
