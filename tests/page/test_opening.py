"""How the page opens, and what happens to it when the API goes and comes back."""

import signal
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Browser, expect

from tests.support.browser import violations, watched
from tests.support.served import started
from tests.support.visits import PRIVATE, PUBLIC, Site, Visit, printed_address, visit
from tests.support.waiting import eventually

NO_CONNECTION = "ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE"
REFUSED = r"status of 40[13] "
NOTHING_KEPT = """Object.defineProperty(window, "localStorage", {
    get() { throw new DOMException("denied", "SecurityError"); }
})"""  # what a script sees where the browser keeps nothing for a page


def test_the_printed_address_opens_and_its_key_leaves_the_address(person: Visit) -> None:
    key = parse_qs(urlsplit(person.site.address).query)["key"][0]
    assert len(key) >= 16
    assert person.page.url == f"{person.site.origin}/-/"
    assert key not in person.page.content()
    (cookie,) = person.page.context.cookies(person.page.url)
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/-/")
    assert key not in cookie["value"]
    assert person.page.evaluate("document.cookie") == ""


def test_it_shows_who_can_call_what(person: Visit) -> None:
    person.sees("/api/public", "/api/private", "/api/private-scoped", in_part="Try it")
    person.sees("nobody", "reader", "visitor", in_part="Try it")
    person.sees("No request yet")
    person.sees("No request yet", in_part="Feed")


def test_a_browser_without_the_key_is_told_how_to_open_it(browser: Browser, own_site: Site) -> None:
    with watched(browser, own_site.origin) as (context, watch):
        watch.expected = REFUSED
        page = context.new_page()
        for path in ("/", "/-/", "/?key=0123456789abcdef01234567"):
            page.goto(own_site.origin + path)
            expect(page.get_by_text("Open the address that zdemo serve printed")).to_be_visible()
            expect(page.get_by_role("button")).to_have_count(0)
    assert watch.problems == []


def test_a_page_without_its_secret_says_how_to_open_it(person: Visit) -> None:
    person.watch.expected = REFUSED
    person.page.evaluate("localStorage.clear()")
    person.page.reload()
    expect(person.page.get_by_role("alert")).to_contain_text("Open the address that zdemo serve printed")
    person.open()
    expect(person.page.get_by_role("alert")).to_be_hidden()


def test_where_the_browser_keeps_no_secret_the_page_works_until_it_is_loaded_again(person: Visit) -> None:
    person.watch.expected = REFUSED
    person.page.add_init_script(NOTHING_KEPT)
    person.open()
    person.send(PRIVATE, "reader")
    person.sees("200")
    person.page.reload()
    expect(person.page.get_by_role("alert")).to_contain_text("Open the address that zdemo serve printed")


def test_it_stays_open_through_reload_and_back(person: Visit) -> None:
    person.send(PRIVATE, "reader")
    person.sees("200")
    person.page.get_by_role("link", name="API", exact=True).click()
    expect(person.page.get_by_role("heading", name="What the API answers")).to_be_visible()
    person.page.go_back()
    person.sees("200")
    person.page.reload()
    person.is_live()
    person.send(PUBLIC, "nobody")
    person.sees("GET /api/public")
    person.page.goto("about:blank")
    person.page.go_back()
    person.is_live()


def test_two_pages_show_the_same_requests(person: Visit) -> None:
    other = Visit(person.page.context.new_page(), person.watch, person.site)
    other.page.goto(person.site.origin)  # the key is needed once
    other.is_live()
    person.send(PRIVATE, "reader")
    person.sees("200")
    other.sees("/api/private", "reader", in_part="Feed")
    other.send(PUBLIC, "nobody")
    person.sees("/api/public", in_part="Feed")


def test_more_pages_than_a_browser_has_connections_for_say_so_and_still_send(person: Visit) -> None:
    context = person.page.context
    others = [Visit(context.new_page(), person.watch, person.site) for _ in range(3)]
    for other in others:
        other.open()
    late = Visit(context.new_page(), person.watch, person.site)
    late.page.goto(person.site.address)
    expect(late.page.get_by_role("alert")).to_contain_text("Too many pages")
    late.send(PRIVATE, "reader")
    late.sees("200", in_part="Try it")
    others[0].sees("/api/private", in_part="Feed")
    others[0].page.close()
    late.is_live()
    expect(late.page.get_by_role("alert")).to_be_hidden()


def test_when_the_api_is_gone_it_says_so_and_when_it_is_back_asks_for_its_new_address(
    browser: Browser, own_site: Site, tmp_path: Path
) -> None:
    port = str(own_site.served.port)
    with visit(browser, own_site) as person:
        person.watch.expected = f"{NO_CONNECTION}|{REFUSED}"
        assert own_site.served.stop(signal.SIGTERM) == 0
        expect(person.page.get_by_role("alert")).to_contain_text("does not answer")
        folder = tmp_path / "again"
        folder.mkdir()
        arguments = ("--port", port, "--emulator", "--emulator-port", str(urlsplit(own_site.zitadel).port))
        with started(folder, {}, *arguments):
            expect(person.page.get_by_role("alert")).to_contain_text("zdemo serve printed", timeout=60_000)
            assert violations(person.page) == []
            person.page.context.new_page().goto(printed_address(folder))
            person.is_live()
            expect(person.page.get_by_role("alert")).to_be_hidden()


def test_while_a_page_is_open_the_api_ends_at_once(browser: Browser, own_site: Site) -> None:
    with visit(browser, own_site) as person:
        person.watch.expected = NO_CONNECTION
        own_site.served.process.send_signal(signal.SIGTERM)
        assert eventually("zdemo serve has ended", own_site.served.process.poll, lambda code: code is not None) == 0
