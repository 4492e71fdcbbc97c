"""What the page shows before any request, with the emulator and with a ZITADEL of one's own."""

import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.page_site import KEY, PageSite, page_site, variables_of
from zdemo.config.environment import COMMAND_LINE, EXPORTED, Environment
from zdemo.config.settings import Settings
from zdemo.emulator import ADMIN, CLIENT_SECRET, READER, VISITOR, emulate, new_fault
from zdemo.page import PageContext, PageOptions
from zdemo.page.page_state import changes_document, state
from zdemo.server import create_app

SECRETS = (READER.pat, VISITOR.pat, ADMIN.pat, CLIENT_SECRET, KEY)


@pytest.fixture(scope="module")
def site() -> Iterator[PageSite]:
    with page_site() as site:
        yield site.open()


@pytest.fixture(scope="module")
def foreign() -> Iterator[PageSite]:
    """A page that knows nothing of the emulator: its ZITADEL is any ZITADEL."""
    with page_site(beside=False) as site:
        yield site.open()


def test_the_state_shows_addresses_routes_and_callers(site: PageSite) -> None:
    shown = site.get("/-/state").json()
    assert (shown["api"], shown["zitadel"]) == (site.url, site.emulator.url)
    assert (shown["emulator"], shown["ttl_seconds"]) == (site.emulator.world.name, 5)
    routes = {(route["method"], route["path"]): (route["role"], route["guarded"]) for route in shown["routes"]}
    assert next(iter(routes)) == ("GET", "/api/public")
    assert routes["GET", "/api/public"] == (None, False)
    assert routes["GET", "/api/private"] == (None, True)
    assert routes["GET", "/api/private-scoped"] == (shown["role"], True) == ("read:messages", True)
    assert shown["callers"] == [
        {"id": "nobody", "name": "nobody", "about": "sends no token"},
        {"id": "reader", "name": "reader", "about": "PAT zdem…-000"},
        {"id": "visitor", "name": "visitor", "about": "PAT zdem…y-00"},
    ]


def test_the_state_shows_the_users_and_the_switches_of_the_emulator(site: PageSite) -> None:
    changes = site.get("/-/state").json()["changes"]
    assert (changes["possible"], changes["why_not"], changes["fix"]) == (True, "", [])
    assert changes["emulator"] == {"stopped": False, "slow_seconds": 0, "advanced_seconds": 0}
    reader, visitor = changes["users"]
    assert reader == {
        "id": READER.id,
        "name": "reader",
        "roles": ["read:messages"],
        "state": "active",
        "pat": "present",
    }
    assert visitor == {**reader, "id": VISITOR.id, "name": "visitor", "roles": []}


def test_another_zitadel_shows_the_same_users_and_no_switches_of_an_emulator(site: PageSite, foreign: PageSite) -> None:
    shown = foreign.get("/-/state").json()
    assert (shown["emulator"], shown["changes"]["emulator"], shown["changes"]["possible"]) == (None, None, True)
    assert shown["changes"]["users"] == site.get("/-/state").json()["changes"]["users"]
    assert not any(record.path.startswith("/_zdemo") for record in foreign.emulator.requests)


def test_without_an_administrator_the_state_says_how_to_get_the_switches() -> None:
    with page_site(beside=False, ZITADEL_ADMIN_PAT="") as site:
        changes = site.open().get("/-/state").json()["changes"]
    assert (changes["possible"], changes["users"], changes["emulator"]) == (False, [], None)
    assert "ZITADEL_ADMIN_PAT is not set" in changes["why_not"]
    assert "set it in the environment" in changes["fix"][0]
    assert "restart zdemo serve" in changes["fix"][-1]


def test_without_tokens_only_nobody_can_be_sent() -> None:
    with page_site(beside=False, PAT="", ZDEMO_VISITOR_PAT="two words") as site:
        shown = site.open().get("/-/state").json()
    assert [caller["id"] for caller in shown["callers"]] == ["nobody"]
    assert (shown["changes"]["possible"], shown["changes"]["users"]) == (True, [])


@pytest.mark.parametrize(
    ("pat", "word"), [(READER.pat, "not an administrator"), ("x" * 71, "not valid"), ("a b", "ZITADEL_ADMIN_PAT")]
)
def test_an_administrators_pat_that_is_none_is_explained(pat: str, word: str) -> None:
    with page_site(beside=False, ZITADEL_ADMIN_PAT=pat) as site:
        changes = site.open().get("/-/state").json()["changes"]
    assert (changes["possible"], word in changes["why_not"]) == (False, True), changes
    assert changes["fix"]


def test_an_exported_administrators_pat_goes_to_no_address_that_only_a_file_names() -> None:
    elsewhere = {"ZITADEL_DOMAIN": "https://zitadel.example", "CLIENT_ID": "1", "CLIENT_SECRET": "s" * 64}
    file = Path(__file__)
    environment = Environment(
        {EXPORTED: {"ZITADEL_ADMIN_PAT": ADMIN.pat, "PAT": READER.pat}, str(file): elsewhere}, file=file
    )
    settings = Settings.from_env(environment)
    options = PageOptions(key=KEY, api_url="http://127.0.0.1:1", settings=settings, environment=environment)
    changes = changes_document(PageContext(options=options, app=create_app(settings)))
    assert (changes["possible"], "was not sent" in changes["why_not"]) == (False, True)


def test_a_zitadel_that_is_gone_leaves_a_state_that_says_so() -> None:
    with page_site(beside=False) as site:
        site.open()
        site.emulator.faults.add(new_fault("stopped"))
        answer = site.get("/-/state")
    changes = answer.json()["changes"]
    assert (answer.status_code, changes["possible"]) == (200, False)
    assert "closed the connection" in changes["why_not"]


def test_another_emulator_in_its_place_is_not_taken_for_it(site: PageSite) -> None:
    with emulate() as other:
        settings = Settings.from_env(variables_of(other))
        context = PageContext(options=replace(options_of(site), settings=settings), app=create_app(settings))
        changes = changes_document(context)
    assert (changes["possible"], site.emulator.world.name in changes["why_not"]) == (False, True)


def options_of(site: PageSite) -> PageOptions:
    environment = Environment({COMMAND_LINE: variables_of(site.emulator)})
    return PageOptions(
        key=KEY,
        api_url=site.url,
        settings=Settings.from_env(environment),
        environment=environment,
        emulator=site.emulator.world.name,
    )


def test_the_state_of_a_stopped_emulator_still_has_its_users(site: PageSite) -> None:
    site.post("/-/change", {"change": "stop"})
    try:
        changes = site.get("/-/state").json()["changes"]
    finally:
        site.post("/-/change", {"change": "start"})
    assert changes["emulator"]["stopped"]
    assert [user["name"] for user in changes["users"]] == ["reader", "visitor"]


def test_a_hostile_name_is_one_line_of_text() -> None:
    with page_site(beside=False) as site:
        site.open()
        site.emulator.world.users[READER.id].username = "<b>reader</b>\n\u202eadmin"
        (user, _) = site.get("/-/state").json()["changes"]["users"]
    assert user["name"] == "<b>reader</b>\\n\\u202eadmin"


def test_no_answer_holds_a_whole_secret(site: PageSite, foreign: PageSite) -> None:
    for one in (site, foreign):
        text = one.get("/-/state").text
        assert not [secret for secret in SECRETS if secret in text]


def test_the_options_can_be_sent_to_a_worker_and_their_text_holds_no_secret() -> None:
    with emulate() as emulator:
        environment = Environment({COMMAND_LINE: variables_of(emulator)})
        settings = Settings.from_env(environment)
        options = PageOptions(
            key=KEY, api_url="http://127.0.0.1:1", settings=settings, environment=environment, emulator="x"
        )
        sent = pickle.loads(pickle.dumps(options))  # noqa: S301  # our own bytes
        context = PageContext(options=replace(sent, emulator=""), app=create_app(sent.settings))
        assert [user["name"] for user in state(context)["changes"]["users"]] == ["reader", "visitor"]
    assert not [secret for secret in SECRETS if secret in repr(sent) + repr(context)]
