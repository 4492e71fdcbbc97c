"""Change it: what is changed in ZITADEL, and how the next requests show it."""

import re
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.support.visits import PASTED, PRIVATE, SCOPED, Visit, site, visit
from tests.support.waiting import eventually
from zdemo.emulator import ADMIN, CLIENT_ID, CLIENT_SECRET, PROJECT_ID, READER, emulate

EMULATOR = "ZITADEL (emulator)"
MISSING = "the role read:messages is missing"


def latest(person: Visit, *texts: str) -> None:
    """Wait until the newest request in the feed has these texts."""
    for text in texts:
        expect(person.rows().first).to_contain_text(text)


def test_a_revoked_role_turns_200s_into_refusals_within_the_removal_window(person: Visit) -> None:
    person.choose(SCOPED, "reader")
    person.button("Send every second").click()
    latest(person, "200", "reader")
    person.button("Revoke", of="reader").click()
    person.sees(re.compile(r"still pass for up to \d+\.\d\ss"), in_part="Change it")
    latest(person, "401", MISSING)
    person.sees(MISSING, "zdemo role grant reader read:messages")
    person.sees("now only uses answers from after the change", in_part="Change it")
    person.button("Grant", of="reader").click()
    latest(person, "200")
    person.button("Stop").click()
    expect(person.button("Send every second")).to_be_visible()
    person.sees("200")


def test_a_request_says_that_an_answer_from_before_the_change_admitted_it(browser: Browser, tmp_path: Path) -> None:
    from_before = "Admitted by an answer from before the change"
    with site(tmp_path, cache_seconds=600.0) as own, visit(browser, own) as person:
        person.send(SCOPED, "reader")
        person.send(PRIVATE, "visitor")
        person.button("Revoke", of="reader").click()
        expect(person.button("Grant", of="reader")).to_be_visible()
        person.send(SCOPED, "reader")
        person.sees("200", from_before)
        person.send(PRIVATE, "visitor")
        person.sees("visitor")
        expect(person.part("Sequence")).not_to_contain_text(from_before)


def test_a_revoked_role_is_refused_at_once_if_the_api_is_to_forget(person: Visit) -> None:
    person.send(SCOPED, "reader")
    person.sees("200")
    person.part("Change it").get_by_label("forget older answers at once").check()
    person.button("Revoke", of="reader").click()
    expect(person.button("Grant", of="reader")).to_be_visible()
    person.send(SCOPED, "reader")
    latest(person, "401", MISSING, "asked")
    person.sees("so a change can take that long to show", in_part="Change it")
    person.button("Grant", of="reader").click()
    expect(person.button("Revoke", of="reader")).to_be_visible()
    person.send(SCOPED, "reader")
    latest(person, "200", "asked")


def test_while_zitadel_is_stopped_known_tokens_pass_until_their_time_and_unknown_ones_get_503(person: Visit) -> None:
    person.send(PRIVATE, "reader")
    person.sees("200")
    person.button("Stop ZITADEL", of=EMULATOR).click()
    expect(person.button("Start ZITADEL")).to_be_visible()
    person.send(PRIVATE, PASTED, "not-known-yet")
    person.sees("503")
    person.send(PRIVATE, "reader")
    latest(person, "reader")

    def sent() -> str:
        before = person.rows().count()
        person.button("Send").click()
        expect(person.rows()).to_have_count(before + 1)
        return person.rows().first.inner_text()

    person.choose(PRIVATE, "reader")
    eventually("the known token is too old", sent, lambda row: "503" in row)
    person.button("Start ZITADEL").click()
    expect(person.button("Stop ZITADEL")).to_be_visible()
    eventually("the API asks ZITADEL again", sent, lambda row: "200" in row)


def test_a_slow_zitadel_is_seen_in_the_times_of_the_sequence(person: Visit) -> None:
    person.button("Add 300 ms", of=EMULATOR).click()
    expect(person.button("No delay")).to_be_visible()
    person.send(PRIVATE, "reader")
    person.sees("200")
    expect(person.button("ZITADEL to API…")).to_contain_text(re.compile(r"[3-9]\d\d\sms"))
    person.button("No delay").click()
    expect(person.button("Add 300 ms")).to_be_visible()


def test_advancing_the_clock_is_confirmed_first(person: Visit) -> None:
    person.button("Advance the clock 1 hour", of=EMULATOR).click()
    dialog = person.page.get_by_role("dialog")
    expect(dialog).to_contain_text("expired")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
    person.sees("on time", in_part="Change it")
    person.button("Advance the clock 1 hour", of=EMULATOR).click()
    dialog.get_by_role("button", name="Advance").click()
    person.sees("1 h ahead", in_part="Change it")


def test_a_deleted_token_and_a_deactivated_user_are_refused_until_they_are_back(person: Visit) -> None:
    person.send(PRIVATE, "reader")
    person.sees("200")
    person.button("Delete PAT", of="reader").click()
    expect(person.button("Restore PAT", of="reader")).to_be_visible()
    person.choose(PRIVATE, "reader")
    person.button("Send every second").click()
    latest(person, "401", "not active")
    person.button("Restore PAT", of="reader").click()
    latest(person, "200")
    person.button("Deactivate", of="reader").click()
    latest(person, "401", "not active")
    person.button("Reactivate", of="reader").click()
    expect(person.button("Deactivate", of="reader")).to_be_visible()


def test_a_change_that_cannot_be_made_says_so_and_is_no_error_of_the_page(browser: Browser, tmp_path: Path) -> None:
    with emulate() as zitadel:
        environment = {
            "ZITADEL_DOMAIN": zitadel.url,
            "CLIENT_ID": CLIENT_ID,
            "CLIENT_SECRET": CLIENT_SECRET,
            "ZITADEL_PROJECT_ID": PROJECT_ID,
            "PAT": ADMIN.pat,
            "ZITADEL_ADMIN_PAT": ADMIN.pat,
        }
        with site(tmp_path, environment=environment) as own, visit(browser, own) as person:
            person.part("Change it").get_by_role("button", name="Deactivate").click()
            person.page.get_by_role("dialog").get_by_role("button", name="Deactivate").click()
            person.sees("this is the user of ZITADEL_ADMIN_PAT", in_part="Change it")


def test_without_an_administrators_token_it_says_how_to_get_the_switches(browser: Browser, tmp_path: Path) -> None:
    with emulate() as zitadel:
        environment = {
            "ZITADEL_DOMAIN": zitadel.url,
            "CLIENT_ID": CLIENT_ID,
            "CLIENT_SECRET": CLIENT_SECRET,
            "ZITADEL_PROJECT_ID": PROJECT_ID,
            "PAT": READER.pat,
        }
        with site(tmp_path, environment=environment) as own, visit(browser, own) as person:
            person.sees("ZITADEL_ADMIN_PAT", in_part="Change it")
            expect(person.part("Change it").get_by_role("button")).to_have_count(0)
            person.send(SCOPED, "reader")
            person.sees("200", "POST /oauth/v2/introspect")
