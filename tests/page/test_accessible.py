"""Everybody can use the page: by keyboard, with a screen reader, in both colour schemes, and at any width."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import NARROW, WIDE, violations
from tests.support.page_states import MISSING, main_states
from tests.support.visits import Site, Visit, visit

WIDTHS = (320, 375, 720, 1440)  # the smallest of WCAG 1.4.10, a telephone, a laptop at 200 %, a laptop
MOST_TABS = 80

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


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["narrow", "wide"])
def test_axe_finds_nothing_in_any_state(browser: Browser, own_site: Site, size: tuple[int, int], dark: bool) -> None:
    with visit(browser, own_site, size=size, dark=dark, still=True) as person:
        found = {name: violations(person.page) for name in main_states(person)}
    assert {name: problems for name, problems in found.items() if problems} == {}


def test_nothing_scrolls_sideways_and_nothing_moves_if_motion_is_unwanted(browser: Browser, own_site: Site) -> None:
    with visit(browser, own_site, size=NARROW, still=True) as person:
        too_wide, moving = [], []
        for name in main_states(person):
            moving += person.page.evaluate(MOVING)
            for width in WIDTHS:
                person.page.set_viewport_size({"width": width, "height": NARROW[1]})
                if person.page.evaluate(TOO_WIDE):
                    too_wide.append((name, width))
            person.page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    assert (too_wide, moving) == ([], [])


def tab_to(page: Page, wanted: Callable[[str], bool], what: str) -> str:
    """Press Tab until the element with this name has the focus; each element on the way must show that it has it."""
    seen = []
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        assert focused["shown"], f"the focus cannot be seen: {focused['name']}"
        if wanted(focused["name"]):
            return str(focused["name"])
        seen.append(focused["name"])
    pytest.fail(f"Tab never reaches {what}, only {seen}")


def tab_to_start(page: Page, start: str) -> str:
    return tab_to(page, lambda name: name.startswith(start), start)


def test_the_whole_story_is_told_by_keyboard_alone(person: Visit) -> None:
    page, press = person.page, person.page.keyboard.press
    tab_to_start(page, "Route")
    page.keyboard.type("/api/private-s")
    tab_to_start(page, "Caller")
    page.keyboard.type("visitor")
    tab_to_start(page, "Send")
    press("Enter")
    person.sees(MISSING)
    tab_to(page, lambda name: "introspect" in name, "the question to ZITADEL")
    press("Enter")
    person.sees("token", "Basic …")
    press("Escape")
    expect(person.part("Sequence").get_by_role("button", expanded=True)).to_have_count(0)
    tab_to_start(page, "Grant read:messages to visitor")
    press("Enter")
    expect(person.button("Revoke", of="visitor")).to_be_focused()
    tab_to_start(page, "Advance the clock")
    press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    press("Escape")
    expect(person.button("Advance the clock 1 hour")).to_be_focused()
    tab_to_start(page, "Refused")
    press("Space")
    tab_to_start(page, "Pause")
    press("Space")
    expect(person.button("Resume")).to_be_focused()
    tab_to(page, lambda name: "401" in name, "the request in the feed")
    press("Enter")
    expect(person.rows().first).to_have_attribute("aria-current", "true")
    person.sees(MISSING)


def test_a_screen_reader_hears_the_latest_outcome(person: Visit) -> None:
    person.site.served.get("/api/private", None)
    status = person.page.locator("[aria-live=polite]")
    expect(status).to_contain_text("401")
    expect(status).to_contain_text("/api/private")
