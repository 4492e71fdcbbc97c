"""Changes that are made elsewhere, and what a page may say about the time that answers from before have left."""

import re
from pathlib import Path

import requests
from playwright.sync_api import Browser, expect

from tests.support.cli import NO_API, Shell
from tests.support.visits import PRIVATE, SCOPED, Site, Visit, site, visit
from tests.support.wire import PATIENCE_SECONDS
from zdemo.emulator import ADMIN, CLIENT_ID, CLIENT_SECRET, PROJECT_ID, READER, VISITOR, KnownUser

ROLE = "read:messages"
LEFT = re.compile(r"from before .*may still pass for up to \d\.\d\ss")
AFTER = "now only uses answers from after the change"


OUTSIDE = "changed outside of this page"
LONG_SECONDS = 600.0


def revoke(person: Visit, folder: Path, *, api_url: str = NO_API) -> None:
    """Revoke the reader's role by a command, which tells the API at an address to forget."""
    environment = {
        "ZITADEL_DOMAIN": person.site.zitadel,
        "ZITADEL_ADMIN_PAT": ADMIN.pat,
        "CLIENT_ID": CLIENT_ID,
        "CLIENT_SECRET": CLIENT_SECRET,
        "ZITADEL_PROJECT_ID": PROJECT_ID,
        "ZDEMO_API_URL": api_url,
    }
    expect(person.button("Revoke", of="reader")).to_be_visible()
    assert Shell(folder=folder, env=environment)("role", "revoke", "reader", ROLE).code == 0
    expect(person.button("Grant", of="reader")).to_be_visible()


def order(person: Visit, user: KnownUser) -> None:
    """Send an order to forget answers about a user, and wait until the page has looked at ZITADEL again."""
    with person.page.expect_response("**/-/state"):
        answer = requests.post(f"{person.site.origin}/-/forget", json={"user_id": user.id}, timeout=PATIENCE_SECONDS)
    assert answer.status_code == 200


def test_a_role_that_a_command_revokes_is_shown_without_a_reload(person: Visit, tmp_path: Path) -> None:
    revoke(person, tmp_path)
    person.sees(OUTSIDE, LEFT, in_part="Change it")
    person.sees("so a change can take that long to show", in_part="Change it")
    expect(person.part("Change it")).not_to_contain_text(AFTER)


def test_there_is_no_countdown_if_the_api_was_told_to_forget(browser: Browser, tmp_path: Path) -> None:
    with site(tmp_path, cache_seconds=LONG_SECONDS) as own, visit(browser, own) as person:
        revoke(person, tmp_path, api_url=own.origin)
        person.sees("the API forgot", in_part="Feed")
        expect(person.part("Change it")).not_to_contain_text(OUTSIDE)


def test_only_an_order_about_the_changed_user_that_comes_after_the_change_ends_a_countdown(
    browser: Browser, tmp_path: Path
) -> None:
    with site(tmp_path, cache_seconds=LONG_SECONDS) as own, visit(browser, own) as person:
        order(person, READER)
        revoke(person, tmp_path)
        person.sees(OUTSIDE, in_part="Change it")
        order(person, VISITOR)
        expect(person.part("Feed").get_by_text("the API forgot")).to_have_count(2)
        countdown = person.page.get_by_text(OUTSIDE)
        expect(countdown).not_to_have_text(countdown.inner_text())
        expect(countdown).to_be_visible()
        order(person, READER)
        expect(person.part("Change it")).not_to_contain_text(OUTSIDE)


def test_a_change_in_one_page_is_shown_in_another(browser: Browser, own_site: Site) -> None:
    with visit(browser, own_site) as one, visit(browser, own_site) as other:
        one.button("Revoke", of="reader").click()
        other.sees(f"revoked {ROLE} from reader", in_part="Feed")
        expect(other.button("Grant", of="reader")).to_be_visible()
        other.sees(AFTER, in_part="Change it")
        expect(one.part("Feed").get_by_text("from reader")).to_have_count(1)


def test_the_explanation_of_a_request_is_shown_in_every_page_and_after_a_reload(
    browser: Browser, own_site: Site
) -> None:
    deleted = "the PAT was deleted"
    with visit(browser, own_site) as one, visit(browser, own_site) as other:
        one.part("Change it").get_by_label("forget older answers at once").check()
        one.button("Delete PAT", of="reader").click()
        expect(one.button("Restore PAT", of="reader")).to_be_visible()
        one.send(PRIVATE, "reader")
        one.sees(deleted)
        other.sees(deleted, "press Restore PAT")
        other.page.reload()
        other.sees(deleted, "press Restore PAT")


def test_while_zitadel_is_stopped_known_answers_have_their_time_and_nothing_is_changed_there(person: Visit) -> None:
    person.send(PRIVATE, "reader")
    person.sees("200")
    person.button("Stop ZITADEL").click()
    person.sees(LEFT, in_part="Change it")
    revoke = person.button("Revoke", of="reader")
    expect(revoke).to_have_attribute("aria-disabled", "true")
    revoke.focus()
    expect(revoke).to_be_focused()
    revoke.press("Enter")
    person.sees("start ZITADEL first", in_part="Change it")
    person.sees("the API cannot decide about a token", in_part="Change it")
    person.button("Start ZITADEL").click()
    expect(revoke).not_to_have_attribute("aria-disabled", "true")


def test_a_pat_that_ended_with_its_user_is_not_called_deleted(person: Visit) -> None:
    person.button("Deactivate", of="reader").click()
    person.sees("ended by deactivating", in_part="Change it")
    person.button("Reactivate", of="reader").click()
    person.sees("press Restore PAT", in_part="Change it")
    expect(person.part("Change it")).not_to_contain_text("deleted")


def test_a_reload_keeps_what_was_chosen_and_what_was_changed(person: Visit) -> None:
    person.choose(SCOPED, "visitor")
    person.part("Change it").get_by_label("forget older answers at once").check()
    person.button("Grant", of="visitor").click()
    expect(person.button("Revoke", of="visitor")).to_be_visible()
    person.send(SCOPED, "visitor")
    person.page.reload()
    person.is_live()
    expect(person.page.get_by_label("Route")).to_have_value(SCOPED)
    expect(person.page.get_by_label("Caller")).to_have_value("visitor")
    expect(person.part("Change it").get_by_label("forget older answers at once")).to_be_checked()
    expect(person.part("Feed").get_by_text("to visitor")).to_have_count(1)
