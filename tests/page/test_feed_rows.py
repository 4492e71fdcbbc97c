"""The feed: every request to the API, whoever sends it."""

import re
from concurrent.futures import ThreadPoolExecutor

import requests
from playwright.sync_api import expect

from tests.support.apis import PUBLIC
from tests.support.visits import Visit
from tests.support.waiting import eventually
from tests.support.wire import PATIENCE_SECONDS
from zdemo.emulator import READER, VISITOR

SCOPED = "/api/private-scoped"


def ask(person: Visit, path: str, token: str | None, status: int) -> None:
    """Send a request as another program on this machine."""
    assert person.site.served.get(path, token).status == status


def test_a_request_from_another_program_appears_and_is_explained(person: Visit) -> None:
    ask(person, SCOPED, VISITOR.pat, 401)
    person.sees("401", SCOPED, "visitor", in_part="Feed")
    person.sees("the role read:messages is missing", "zdemo role grant visitor read:messages")
    assert VISITOR.pat not in person.page.content()


def test_it_is_filtered_by_outcome(person: Visit) -> None:
    ask(person, SCOPED, READER.pat, 200)
    ask(person, SCOPED, VISITOR.pat, 401)
    ask(person, PUBLIC, None, 200)
    expect(person.rows()).to_have_count(3)
    for name, count in {"Admitted": 2, "Refused": 1, "Failed": 0, "All": 3}.items():
        person.button(name).click()
        expect(person.rows()).to_have_count(count)
    person.button("Refused").click()
    ask(person, PUBLIC, None, 200)
    person.sees("4 requests", in_part="Feed")
    expect(person.rows()).to_have_count(1)


def test_an_order_to_forget_is_not_a_request_that_is_admitted(person: Visit) -> None:
    order = {"everything": True}
    requests.post(f"{person.site.origin}/-/forget", json=order, timeout=PATIENCE_SECONDS).raise_for_status()
    expect(person.rows().first).to_contain_text("200 done")
    expect(person.rows().first).to_contain_text("an order to forget")
    person.sees("200 done", "an order to forget")
    person.button("Admitted").click()
    expect(person.rows()).to_have_count(0)


def test_it_stands_still_while_it_is_paused(person: Visit) -> None:
    ask(person, SCOPED, READER.pat, 200)
    expect(person.rows()).to_have_count(1)
    person.button("Pause").click()
    ask(person, SCOPED, VISITOR.pat, 401)
    person.sees("1 new", in_part="Feed")
    expect(person.rows()).to_have_count(1)
    person.button("Resume").click()
    expect(person.rows()).to_have_count(2)
    expect(person.rows().first).to_contain_text("401")


def test_a_row_that_is_chosen_stays_in_the_sequence(person: Visit) -> None:
    ask(person, SCOPED, VISITOR.pat, 401)
    person.sees("the role read:messages is missing")
    ask(person, PUBLIC, None, 200)
    person.sees("GET /api/public")
    person.rows().nth(1).click()
    person.sees("the role read:messages is missing")
    ask(person, PUBLIC, None, 200)
    expect(person.rows()).to_have_count(3)
    person.sees("the role read:messages is missing")


def test_it_says_how_many_requests_of_a_flood_it_does_not_show(person: Visit) -> None:
    note = person.part("Feed").get_by_text(re.compile(r"too many requests at a time: \d+ are not shown"))

    def flooded() -> bool:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: ask(person, PUBLIC, None, 200), range(300)))
        return note.count() > 0

    eventually("the page says it", flooded)
