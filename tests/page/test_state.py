"""What the page shows before any request, with the emulator and with a ZITADEL of one's own."""

from dataclasses import replace

import pytest

from tests.support.page_site import SECRETS, PageSite, TracedApi, page_options
from zdemo.emulator import READER, VISITOR, emulate, new_fault
from zdemo.emulator.seed import APP_CLIENT_ID, APP_NAME, APP_REDIRECT_URIS
from zdemo.page import PageContext
from zdemo.page.page_state import changes_document, state
from zdemo.server import create_app

HOST, *OTHERS = APP_REDIRECT_URIS
URIS = " ".join([HOST, *(uri.removeprefix(HOST) for uri in OTHERS)])
APP = {"client_id": APP_CLIENT_ID, "name": APP_NAME, "redirect_uris": URIS}


def test_the_state_shows_addresses_routes_callers_users_and_switches(site: PageSite) -> None:
    answer = site.get("/-/state")
    assert not [secret for secret in SECRETS if secret in answer.text]
    document = answer.json()
    assert (document["api"], document["zitadel"]) == (site.url, site.emulator.url)
    assert (document["emulator"], document["ttl_seconds"]) == (site.emulator.world.name, 5)
    routes = [(route["path"], route["role"], route["guarded"]) for route in document["routes"]]
    assert routes[0] == ("/api/public", None, False)
    assert {("/api/private", None, True), ("/api/private-scoped", "read:messages", True)} <= set(routes)
    assert document["callers"] == [
        {"id": "nobody", "name": "nobody", "about": "sends no token"},
        {"id": "reader", "name": "reader", "about": "PAT zdem…-000"},
        {"id": "visitor", "name": "visitor", "about": "PAT zdem…y-00"},
        {"id": "ada", "name": "ada", "about": "a person, whom the page logs in"},
    ]
    reader = {"id": READER.id, "name": "reader", "roles": ["read:messages"], "state": "active", "pat": "present"}
    assert document["changes"] == {
        "possible": True,
        "why_not": "",
        "fix": [],
        "users": [reader, {**reader, "id": VISITOR.id, "name": "visitor", "roles": []}],
        "emulator": {"stopped": False, "slow_seconds": 0, "advanced_seconds": 0, "applications": [APP]},
    }


@pytest.mark.parametrize(
    ("pat", "word"),
    [(READER.pat, "not an administrator"), ("x" * 71, "not valid"), ("", "ZITADEL_ADMIN_PAT is not set")],
)
def test_an_administrators_pat_that_is_none_is_explained(site: PageSite, pat: str, word: str) -> None:
    """At any ZITADEL: the page knows nothing of the emulator."""
    options = page_options(site.emulator, beside=False, ZITADEL_ADMIN_PAT=pat)
    changes = state(PageContext(options=options, app=create_app(options.settings)))["changes"]
    assert (changes["possible"], word in changes["why_not"], changes["users"]) == (False, True, []), changes
    assert changes["fix"]


def test_a_zitadel_that_is_gone_or_another_emulator_in_its_place_is_named(site: PageSite) -> None:
    with emulate() as other:
        options = replace(page_options(other), emulator=site.emulator.world.name)
        context = PageContext(options=options, app=create_app(options.settings))
        changes = changes_document(context)
        assert (changes["possible"], site.emulator.world.name in changes["why_not"]) == (False, True)
        other.faults.add(new_fault("stopped"))
        gone = changes_document(replace(context, options=replace(options, emulator="")))
    assert (gone["possible"], "closed the connection" in gone["why_not"]) == (False, True)


def test_the_page_of_forward_authentication_has_its_paths_and_names_the_role(site: PageSite) -> None:
    options = page_options(site.emulator)
    routes = state(PageContext(options=options, app=create_app(options.settings, denied_as=400)))["routes"]
    assert [(route["path"], route["role"]) for route in routes[:2]] == [
        ("/auth/-", None),
        ("/auth/role/read:messages/-", "read:messages"),
    ]
    api = TracedApi(options, denied_as=400)
    for event in (api.event("/auth/role/read:messages/role/admin/-/a"), api.past()):
        assert (event["status"], event["outcome"]) == (401, "insufficient_scope")
        assert event["why"]["sentence"] == "the token is valid, but does not have the role admin in this project"
