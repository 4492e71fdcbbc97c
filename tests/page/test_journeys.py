"""The page in a browser: what people do at it, and what they see. All journeys share one browser."""

from __future__ import annotations

import re
import shlex
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.support.browser import (
    CHROMIUM,
    MISSING,
    NARROW,
    PASTED,
    PRIVATE,
    SCOPED,
    Visit,
    chromium,
    expect,
    main_states,
    printed_address,
    violations,
    visit,
)
from tests.support.browser import site as served_site
from tests.support.cli import API_UNSET, Shell
from tests.support.page_site import PageSite, page_site
from tests.support.served import started
from tests.support.upstream import answer, upstream
from tests.support.wire import PATIENCE_SECONDS
from zdemo.emulator import CLIENT_SECRET, READER, VISITOR

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Route

pytestmark = pytest.mark.thorough

ROLE = "read:messages"
CHANGES, FEED = "Change it", "Feed"
NO_CONNECTION = "ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE"
REFUSED = r"status of 40[13] "
HOW_TO_OPEN = "Open the address that zdemo serve printed"
FORGET = "forget older answers at once"
DELETED = "the PAT of the user reader was deleted"
WIDTHS = (320, 720, 1440)  # the smallest of WCAG 1.4.10, a laptop at 200 %, a laptop
CONTRAST = ("color-contrast",)
BY_ALL_RULES = ("opened", "admitted", "revoked", "zitadel-stopped", "confirming")  # contrast in each state
MOST_TABS = 80
RETRY_MS = 5000  # after which the page looks again whether the API answers
TOO_WIDE = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
MOVING = """() => [...document.querySelectorAll("*")].filter((element) => {
    const style = getComputedStyle(element);
    const lasts = (text) => text.split(",").some((part) => parseFloat(part) > 0.01);
    return (style.animationName !== "none" && lasts(style.animationDuration)) || lasts(style.transitionDuration);
}).map((element) => element.outerHTML.slice(0, 200))"""
FOCUSED = """() => {
    const element = document.activeElement, style = getComputedStyle(element);
    const name = element.labels?.[0]?.textContent ?? element.getAttribute("aria-label") ?? element.textContent;
    const shown = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
    return { name: name.replace(/\\s+/g, " ").trim(), shown: shown || element === document.body };
}"""
FITS = """(select) => {
    select.style.width = "";
    const width = select.offsetWidth;
    select.style.width = "max-content";
    return select.offsetWidth <= width;
}"""
HTML = "<img src=x onerror=alert(1)>\"'`${alert(2)}<script>alert(3)</script>\x1b[2J\x00\u202etxt.exe\u2066\U0001f4a9"
HOSTILE_PATHS = ("/api/%3Cimg/src=x/onerror=alert(5)%3E", "/api/%1b%5b2J%00%e2%80%ae", "/api/" + "a" * 3000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with chromium() as running:
        yield running


@pytest.fixture
def site(browser: Browser) -> Iterator[PageSite]:  # noqa: ARG001  # no API is started without a browser
    """A page whose answers stay known as long as a test lasts."""
    with page_site(threads=64, ttl_seconds=600) as running:
        yield running


@pytest.fixture
def person(browser: Browser, site: PageSite) -> Iterator[Visit]:
    """Somebody who has just opened the page at 1440 px, in light colours."""
    with visit(browser, site.address) as visiting:
        yield visiting


def latest(person: Visit, *texts: str) -> None:
    for text in texts:
        expect(person.rows().first).to_contain_text(text)


def test_the_printed_address_opens_it_until_the_api_ends(browser: Browser, tmp_path: Path) -> None:
    with served_site(tmp_path) as own, visit(browser, own.address, axe=True) as person:
        key = parse_qs(urlsplit(own.address).query)["key"][0]
        assert person.page.url == f"{own.origin}/-/"
        (cookie,) = person.page.context.cookies(person.page.url)
        assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/-/")
        assert key not in cookie["value"] + person.page.content()
        assert person.page.evaluate("document.cookie") == ""
        person.sees("/api/public", "/api/private-scoped", "nobody", "reader", "visitor", in_part="Try it")
        expect(person.page.get_by_label("Route")).to_have_value(SCOPED)
        expect(person.page.get_by_label("Caller")).to_have_value("reader")
        person.sees("/api/public", "before this page was open")  # how the test found that the API runs
        person.send(PRIVATE, "reader")
        person.sees("200")
        person.page.clock.install()
        person.watch.expected = f"{NO_CONNECTION}|{REFUSED}"
        assert own.served.stop(signal.SIGTERM) == 0, "an open page does not delay the end"
        expect(person.page.get_by_role("alert")).to_contain_text("does not answer")
        folder = tmp_path / "again"
        folder.mkdir()
        arguments = ("--port", str(own.served.port), "--emulator", "--emulator-port", own.emulator_port)
        with started(folder, {}, *arguments):
            again = printed_address(folder)
            person.page.clock.fast_forward(RETRY_MS)
            expect(person.page.get_by_role("alert")).to_contain_text("zdemo serve printed", timeout=60_000)
            assert violations(person.page, *CONTRAST) == []
            person.page.context.new_page().goto(again)
            person.page.clock.fast_forward(RETRY_MS)
            person.is_live()
            expect(person.page.get_by_role("alert")).to_be_hidden()


def test_a_server_that_gets_the_cookie_can_use_nothing(person: Visit, site: PageSite) -> None:
    """When a server replaces the cookie, the page says how to open it again."""
    cookie = f"zdemo_page_{urlsplit(site.url).port}=x; Path=/-/; HttpOnly"
    html = b'<!doctype html><title>x</title><link rel="icon" href="data:,">'
    with upstream(answer(html, headers={"Content-Type": "text/html", "Set-Cookie": cookie})) as other:
        person.watch.expected = f"request to another origin: {other.url}/|{REFUSED}"
        page = person.page.context.new_page()
        page.goto(f"{other.url}/-/")
        page.close()
    secret = person.page.evaluate("localStorage.getItem('zdemo.secret')")
    given = {"Cookie": other.requests[0].headers["cookie"]}
    replies = [
        requests.get(f"{site.url}{path}", headers=given, timeout=PATIENCE_SECONDS, allow_redirects=False)
        for path in ("/-/", "/", "/-/state")
    ]
    assert [reply.status_code for reply in replies] == [200, 303, 401], "the cookie is the page's"
    assert secret not in "".join(f"{reply.headers}{reply.text}" for reply in replies) + str(other.requests)
    expect(person.page.get_by_role("alert")).to_contain_text("another server on this machine")
    person.page.reload()
    expect(person.page.get_by_text(HOW_TO_OPEN)).to_be_visible()


def test_each_request_is_drawn_step_by_step_and_explained_without_whole_tokens(person: Visit) -> None:
    person.send(PRIVATE, "nobody")
    person.sees("401", "GET /api/private", "none was sent", "RFC 6750 §3", "zdemo call private --pat", "not asked")
    person.send(SCOPED, "reader")
    person.sees("200", "POST /oauth/v2/introspect", "just asked")
    steps = person.part("Sequence").get_by_role("list").first.get_by_role("listitem")
    names = [re.sub(r"\s+", " ", text) for text in steps.get_by_role("button").all_inner_texts()]
    lanes = ["Caller to API", "API to Cache", "API to ZITADEL", "ZITADEL to API", "The API decided", "API to Caller"]
    assert [lane for lane in lanes if any(lane.lower() in name.lower() for name in names)] == lanes, names
    person.open_steps()
    person.sees("Authorization", "Bearer ", '"active": true', READER.id, "zdem…")
    person.send(SCOPED, "reader")
    person.sees("200", "from the cache")
    expect(person.part("Sequence")).not_to_contain_text("POST /oauth/v2/introspect")
    person.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    person.send(SCOPED, "visitor")
    person.sees("401", MISSING, "RFC 6750 §3.1")
    person.button(f"Copy zdemo role grant visitor {ROLE}").click()
    person.sees("Copied")
    assert person.page.evaluate("navigator.clipboard.readText()") == f"zdemo role grant visitor {ROLE}"
    person.send(PRIVATE, PASTED, VISITOR.pat)
    person.sees("200", "visitor")
    expect(person.page.get_by_label("Token", exact=True)).to_have_attribute("type", "password")
    kept = person.page.evaluate("JSON.stringify({...localStorage, ...sessionStorage})") + person.page.content()
    assert not [secret for secret in (READER.pat, VISITOR.pat, CLIENT_SECRET) if secret in kept]
    person.send(PRIVATE, PASTED, "no-token-of-this-zitadel")
    person.sees("401", "invalid_token", "(too short to show a part of it)")
    latest(person, "unknown")


def test_changes_are_made_and_an_answer_from_before_is_called_so_unless_the_api_forgets(person: Visit) -> None:
    from_before = "Admitted by an answer from before the change"
    person.send(SCOPED, "reader")
    expect(person.page.get_by_role("progressbar")).to_be_hidden()
    person.button("Revoke", of="reader").click()
    expect(person.button("Grant", of="reader")).to_be_visible()
    expect(person.page.get_by_role("progressbar")).to_be_visible()
    person.page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    person.button("Send again").evaluate("(button) => button.scrollIntoView()")
    person.button("Send again").click()
    expect(person.part("Sequence").get_by_text(from_before)).to_be_in_viewport()
    person.button("Grant", of="reader").click()
    expect(person.button("Revoke", of="reader")).to_be_visible()
    person.part(CHANGES).get_by_label(FORGET).check()
    person.button("Revoke", of="reader").click()
    expect(person.button("Grant", of="reader")).to_be_visible()
    person.send(SCOPED, "reader")
    latest(person, "401", MISSING, "asked")
    person.button("Deactivate", of="reader").click()
    person.sees("ended by deactivating", in_part=CHANGES)
    person.button("Reactivate", of="reader").click()
    person.sees("press Restore PAT", in_part=CHANGES)
    person.button("Add 300 ms").click()
    expect(person.button("No delay")).to_be_visible()
    dialog = person.page.get_by_role("dialog")
    for choice, clock in (("Cancel", "on time"), ("Advance", "1 h ahead")):
        person.button("Advance the clock 1 hour").click()
        expect(dialog).to_contain_text("expired")
        dialog.get_by_role("button", name=choice).click()
        expect(dialog).to_be_hidden()
        person.sees(clock, in_part=CHANGES)


def test_changes_and_explanations_are_shown_in_every_page_and_after_a_reload(person: Visit) -> None:
    other = person.another()
    other.open()
    person.part(CHANGES).get_by_label(FORGET).check()
    person.button("Delete PAT", of="reader").click()
    other.sees("deleted the PAT of reader", in_part=FEED)
    expect(other.button("Restore PAT", of="reader")).to_be_visible()
    expect(person.part(FEED).get_by_text("deleted the PAT of reader")).to_have_count(1)
    person.send(PRIVATE, "reader")
    person.sees(DELETED)
    other.sees(DELETED, "press Restore PAT", "Restore PAT of reader")
    person.page.reload()
    person.is_live()
    person.sees(DELETED)
    expect(person.page.get_by_label("Route")).to_have_value(PRIVATE)
    expect(person.page.get_by_label("Caller")).to_have_value("reader")
    expect(person.part(CHANGES).get_by_label(FORGET)).to_be_checked()


def test_a_change_from_the_feed_is_not_called_a_change_elsewhere_if_the_state_shows_it_first(browser: Browser) -> None:
    with page_site(threads=64, ttl_seconds=1) as site, visit(browser, site.address) as person:
        looks: list[Route] = []
        person.page.route("**/-/state", lambda look: looks.append(look))  # noqa: PLW0108  # Playwright marks a function
        site.open().post("/-/change", {"change": "revoke", "user_id": READER.id, "role": ROLE}).raise_for_status()
        person.sees(f"revoked {ROLE} from reader", in_part=FEED)
        with person.page.expect_request("**/-/state"):
            person.page.evaluate("dispatchEvent(new Event('focus'))")
        looks[-1].continue_()  # the earlier request, for that change, waits
        person.sees("now only uses answers from after the change", in_part=CHANGES)
        person.page.unroute_all(behavior="ignoreErrors")


def test_while_zitadel_is_stopped_every_page_says_why_nothing_can_be_changed(browser: Browser) -> None:
    with page_site(threads=64, ttl_seconds=1) as site, visit(browser, site.address) as person:
        person.button("Stop ZITADEL").click()
        person.sees("off while ZITADEL is stopped", "answers 503", in_part=CHANGES)
        person.sees("too old now", in_part=FEED)
        other = person.another()
        other.open()
        other.sees("off while ZITADEL is stopped", in_part=CHANGES)
        for part in ("#window", "#rows"):
            expect(other.page.locator(part)).to_have_text(person.page.locator(part).inner_text(), use_inner_text=True)


def test_a_fix_says_where_its_commands_run_and_they_work_as_they_stand(browser: Browser, tmp_path: Path) -> None:
    with served_site(tmp_path) as own, visit(browser, own.address) as person:
        person.send(SCOPED, "visitor")
        person.sees("or in a terminal, in the folder of zdemo serve", "writes .env, with the PAT of the emulator's")
        copying = person.part("Sequence").locator("[data-command]").all()
        commands = [button.get_attribute("data-command") or "" for button in copying]
        shell = Shell(folder=tmp_path, env=API_UNSET)
        assert [shell(*shlex.split(command)[1:]).code for command in commands] == [0, 0], commands
        person.send(SCOPED, "visitor")
        person.sees("200")


def test_the_feed_is_filtered_and_paused_and_keeps_the_row_that_was_chosen(person: Visit, site: PageSite) -> None:
    site.call("/api/private-scoped", VISITOR.pat)
    person.sees("401", "/api/private-scoped", "visitor", in_part=FEED)
    person.sees(MISSING, f"zdemo role grant visitor {ROLE}")
    site.call("/api/public", "")
    order = {"everything": True}
    requests.post(f"{site.url}/-/forget", json=order, timeout=PATIENCE_SECONDS).raise_for_status()
    latest(person, "200 done", "an order to forget")
    for name, count in {"Admitted": 1, "Refused": 1, "Failed": 0, "All": 3}.items():
        person.button(name).click()
        expect(person.rows()).to_have_count(count)
    person.rows().nth(2).click()
    person.sees(MISSING)
    person.button("Pause").click()
    site.call("/api/private")
    person.sees("1 new", in_part=FEED)
    expect(person.rows()).to_have_count(3)
    person.button("Resume").click()
    expect(person.rows()).to_have_count(4)
    person.sees(MISSING)
    expect(person.page.locator("[aria-live=polite]")).to_contain_text("/api/private")


def test_everybody_can_see_each_state_in_both_colour_schemes_and_at_any_width(browser: Browser) -> None:
    problems: dict[str, object] = {}
    with (
        page_site(threads=64, ttl_seconds=2) as site,
        visit(browser, site.address, size=NARROW, still=True, axe=True) as person,
    ):
        for name in main_states(person):
            problems[f"moves: {name}"] = person.page.evaluate(MOVING)
            for width in WIDTHS:
                person.page.set_viewport_size({"width": width, "height": NARROW[1]})
                problems[f"too wide: {name} {width}"] = person.page.evaluate(TOO_WIDE)
            problems[f"{name} wide, light"] = violations(person.page, *([] if name in BY_ALL_RULES else CONTRAST))
            person.page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
            person.page.emulate_media(color_scheme="dark")
            problems[f"{name} narrow, dark"] = violations(person.page, *CONTRAST)
            person.page.emulate_media(color_scheme="light")
    assert {name: problem for name, problem in problems.items() if problem} == {}


def test_the_connection_stands_beside_the_name_and_no_route_is_cut_at_any_width(person: Visit) -> None:
    person.sees(SCOPED.removeprefix("GET "), in_part="Try it")
    person.page.locator("#setup-zitadel").evaluate("(element) => element.append(' at an address that is long')")
    for width in (1440, 1280, 1024, NARROW[0]):
        person.page.set_viewport_size({"width": width, "height": 800})
        both = person.page.get_by_role("heading", name="zdemo"), person.page.get_by_text("Live", exact=True)
        name, live = [element.evaluate("(element) => element.getBoundingClientRect().y") for element in both]
        assert abs(live - name) < 12, f"{width}: a line below"
        assert person.page.get_by_label("Route").evaluate(FITS), f"{width}: a route is cut"


def test_hostile_names_and_paths_are_shown_as_text(person: Visit, site: PageSite) -> None:
    user = site.emulator.world.users[READER.id]
    user.username = HTML
    person.send(SCOPED, "reader")
    person.sees("200", HTML[:20])
    person.open_steps()
    for path in HOSTILE_PATHS:
        headers = {"User-Agent": "<img src=x onerror=alert(7)>", "Authorization": f"Bearer {READER.pat}"}
        sent = requests.get(f"{site.url}{path}", headers=headers, timeout=PATIENCE_SECONDS)
        assert sent.headers["X-Request-ID"], path
    expect(person.rows()).to_have_count(1 + len(HOSTILE_PATHS))
    for row in person.rows().all():
        row.click()
        person.sees("/api/")
    expect(person.page.locator("main :is(img, svg, script, iframe, object)")).to_have_count(0)
    assert not person.page.evaluate(TOO_WIDE)


def test_the_whole_story_is_told_by_keyboard_alone(person: Visit) -> None:
    page, press = person.page, person.page.keyboard.press

    def tab(name: str) -> None:
        """Press Tab until an element with this in its name has the focus; each on the way must show that it has it."""
        for _ in range(MOST_TABS):
            press("Tab")
            focused = page.evaluate(FOCUSED)
            assert focused["shown"], f"the focus cannot be seen: {focused['name']}"
            if name in focused["name"]:
                return
        pytest.fail(f"Tab does not reach {name}")

    tab("Route")
    page.keyboard.type("/api/private-s")
    tab("Caller")
    page.keyboard.type("visitor")
    tab("Send")
    press("Enter")
    person.sees(MISSING)
    tab("introspect")
    press("Enter")
    person.sees("token", "Basic …")
    press("Escape")
    expect(person.part("Sequence").get_by_role("button", expanded=True)).to_have_count(0)
    tab(f"Grant {ROLE} to visitor")  # the fix
    press("Enter")
    expect(person.button("Revoke", of="visitor")).to_be_visible()
    expect(person.button("Send")).to_be_focused()
    tab(f"Revoke {ROLE} from visitor")
    press("Enter")
    expect(person.button("Grant", of="visitor")).to_be_focused()
    tab("Pause")
    press("Space")
    expect(person.button("Resume")).to_be_focused()
    tab("401")
    press("Enter")
    expect(person.rows().first).to_have_attribute("aria-current", "true")
