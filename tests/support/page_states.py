"""The main states of the page, one after the other, for what is checked or drawn in each of them."""

import re
from collections.abc import Iterator

from tests.support.browser import expect
from tests.support.visits import PASTED, PRIVATE, PUBLIC, SCOPED, Visit

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
    expect(person.button("Start ZITADEL")).to_be_visible()
    person.send(PRIVATE, PASTED, "a-token-that-is-not-known")
    person.sees("503")
    yield "zitadel-stopped"
    person.button("Start ZITADEL").click()
    expect(person.button("Stop ZITADEL")).to_be_visible()
    person.button("Refused").click()
    yield "feed"
    person.button("Advance the clock 1 hour").click()
    expect(person.page.get_by_role("dialog")).to_be_visible()
    yield "confirming"
    person.page.keyboard.press("Escape")
