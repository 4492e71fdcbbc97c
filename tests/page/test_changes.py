"""The switches: each changes ZITADEL, waits until it shows, and says until when the API may use older answers."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.page_site import PageSite, page_site
from tests.support.wire import PATIENCE_SECONDS
from zdemo.emulator import ADMIN, READER, VISITOR, new_fault

ROLE = "read:messages"
SCOPED = "/api/private-scoped"
TTL_SECONDS = 30.0  # so that no answer gets too old while a test looks


@pytest.fixture
def site() -> Iterator[PageSite]:
    with page_site(ttl_seconds=TTL_SECONDS) as site:
        yield site.open()


@pytest.fixture
def foreign() -> Iterator[PageSite]:
    with page_site(beside=False, ttl_seconds=0) as site:
        yield site.open()


def changed(site: PageSite, change: str, **more: Any) -> Any:
    answer = site.post("/-/change", {"change": change, **more})
    assert answer.status_code == 200, answer.text
    assert answer.json()["error"] is None
    return answer.json()


def not_made(site: PageSite, change: str, **more: Any) -> str:
    """Order a change that ZITADEL does not allow, or does not answer; return what the page says of it."""
    answer = site.post("/-/change", {"change": change, **more})
    assert answer.status_code == 200, "a browser would log another status as an error of the page"
    assert "text" not in answer.json()
    return str(answer.json()["error"])


def refused(site: PageSite, change: Any, **more: Any) -> tuple[int, str]:
    body = json.dumps({"change": change, **more})  # with NaN, which requests' own refuses
    headers = {"Content-Type": "application/json"}
    answer = site.session.post(f"{site.url}/-/change", data=body, headers=headers, timeout=PATIENCE_SECONDS)
    assert answer.json()["error_description"]
    return answer.status_code, answer.json()["error"]


def user(document: dict[str, Any], user_id: str = READER.id) -> Any:
    return next(user for user in document["users"] if user["id"] == user_id)


def test_a_role_that_is_revoked_passes_until_the_window_closes_and_every_page_hears_of_it(site: PageSite) -> None:
    assert site.call(SCOPED).status_code == 200
    answer = changed(site, "revoke", user_id=READER.id, role=ROLE)
    assert user(answer)["roles"] == []
    assert answer["until"] == answer["at"] + TTL_SECONDS
    assert answer["shown_after_ms"] >= 0
    assert site.call(SCOPED).status_code == 200, "the API still has the answer from before"
    unchanged = changed(site, "revoke", user_id=VISITOR.id, role=ROLE)
    assert (unchanged["shown_after_ms"], unchanged["until"], unchanged["text"]) == (None, None, "")
    assert user(changed(site, "grant", user_id=READER.id, role=ROLE))["roles"] == [ROLE]
    with site.feed() as stream:
        told = (document for name, document in stream if name == "changed")
        first, last = next(told), next(told)
    what = {"text": f"revoked {ROLE} from reader", "change": "revoke", "user_id": READER.id, "role": ROLE}
    assert first == what | {name: answer[name] for name in ("after", "at", "until")} | {"id": first["id"]}
    assert last["text"] == f"granted {ROLE} to reader", "nobody is told of what was so before"


@pytest.mark.thorough
def test_no_window_opens_without_a_cache_or_if_the_api_forgets_at_once(site: PageSite, foreign: PageSite) -> None:
    assert changed(foreign, "revoke", user_id=READER.id, role=ROLE)["until"] is None
    assert foreign.call(SCOPED).status_code == 401
    assert site.call(SCOPED).status_code == 200
    steps = {"revoke": 401, "grant": 200, "deactivate": 401, "reactivate": 401, "create_pat": 200, "delete_pat": 401}
    for change, status in steps.items():
        assert changed(site, change, user_id=READER.id, role=ROLE, forget=True)["until"] is None
        assert site.call(SCOPED).status_code == status, change
    restored = changed(site, "create_pat", user_id=READER.id)
    assert restored["until"] == restored["at"] + 1, "the API may think that it is inactive"


def test_what_zitadel_does_not_allow_is_said(foreign: PageSite) -> None:
    error = not_made(foreign, "grant", user_id=READER.id, role="read:mesages")
    assert "has no role read:mesages" in error
    assert error.endswith("; did you mean read:messages?; role keys are compared exactly")
    foreign.emulator.world.users[READER.id].username = VISITOR.id
    granted = changed(foreign, "grant", user_id=VISITOR.id, role=ROLE)
    assert granted["text"] == f"granted {ROLE} to visitor", "not to another user, who has this ID as a name"
    foreign.emulator.faults.add(new_fault("stopped"))
    assert "closed the connection" in not_made(foreign, "grant", user_id=READER.id, role=ROLE)


@pytest.mark.parametrize("beside", [True, False])
def test_a_pat_that_ended_is_told_from_a_deleted_one_and_only_the_emulator_restores_it(beside: bool) -> None:
    with page_site(beside=beside, ttl_seconds=0) as site:
        site.open().get("/-/state")  # while the PAT works, its ID is seen
        off = user(changed(site, "deactivate", user_id=READER.id))
        assert (off["state"], off["pat"]) == ("inactive", "ended")
        assert site.call(SCOPED).status_code == 401
        on = changed(site, "reactivate", user_id=READER.id)
        assert (user(on)["state"], user(on)["pat"]) == ("active", "ended")
        better = "press Restore PAT" if beside else "create a new one"
        assert on["text"] == f"reactivated reader; deactivating ended the PAT; {better}"
        assert site.call(SCOPED).status_code == 401, "deactivating ends tokens for good"
        if beside:
            restored = changed(site, "create_pat", user_id=READER.id)
            assert (user(restored)["pat"], restored["text"]) == ("present", "restored the PAT of reader")
            assert site.call(SCOPED).status_code == 200
        else:
            assert refused(site, "create_pat", user_id=READER.id) == (409, "no_emulator")
        visitor, world = site.emulator.world.users[VISITOR.id], site.emulator.world
        other = world.add_pat(visitor, world.now() + 3600)
        assert user(changed(site, "delete_pat", user_id=VISITOR.id), VISITOR.id)["pat"] == "deleted"
        assert list(visitor.pats) == [other.id], "of several PATs, the caller's own is deleted"
        assert site.call("/api/private", VISITOR.pat).status_code == 401
        assert user(site.get("/-/state").json()["changes"], VISITOR.id)["pat"] == "deleted"


def test_an_expired_pat_is_called_so(foreign: PageSite) -> None:
    foreign.get("/-/state")  # while the PAT works, its ID is seen
    world = foreign.emulator.world
    world.users[VISITOR.id].pats[VISITOR.token_id].expires = world.now() - 60
    assert user(foreign.get("/-/state").json()["changes"], VISITOR.id)["pat"] == "expired"


def test_the_administrator_does_not_lock_itself_out() -> None:
    with page_site(beside=False, PAT=ADMIN.pat) as site:
        site.open()
        assert "this is the user of ZITADEL_ADMIN_PAT" in not_made(site, "deactivate", user_id=ADMIN.id)
        assert "this is ZITADEL_ADMIN_PAT itself" in not_made(site, "delete_pat", user_id=ADMIN.id)
        assert site.emulator.world.users[ADMIN.id].state == "ACTIVE"


def test_a_stopped_zitadel_is_gone_for_the_api_and_comes_back(site: PageSite) -> None:
    assert site.call(SCOPED).status_code == 200
    answer = changed(site, "stop")
    assert (answer["emulator"]["stopped"], answer["until"]) == (True, answer["at"] + TTL_SECONDS)
    assert [user["name"] for user in answer["users"]] == ["reader", "visitor"]
    assert site.call(SCOPED).status_code == 200, "a known token passes until its time"
    assert site.call(SCOPED, VISITOR.pat).status_code == 503
    assert "ZITADEL is stopped" in not_made(site, "revoke", user_id=READER.id, role=ROLE)
    assert changed(site, "stop", forget=True)["until"] is None
    assert site.call(SCOPED).status_code == 503
    started = changed(site, "start")
    assert (started["emulator"]["stopped"], started["until"]) == (False, None), "stopped twice is once"


def test_a_delay_is_added_changed_and_ended_other_faults_stay_and_the_clock_advances(site: PageSite) -> None:
    other = new_fault("slow", path="/oauth/v2/keys", seconds=0.1)
    site.emulator.faults.add(other)
    for seconds in (0.02, 0.01):
        answer = changed(site, "slow", seconds=seconds)
        assert (answer["emulator"]["slow_seconds"], answer["until"]) == (seconds, answer["at"] + TTL_SECONDS)
    assert len(site.emulator.faults.active()) == 2
    answer = changed(site, "slow", seconds=0)
    assert (answer["emulator"]["slow_seconds"], answer["until"]) == (0, None)
    assert [*site.emulator.faults.active()] == [other]
    answer = changed(site, "advance", seconds=3600)
    assert (answer["emulator"]["advanced_seconds"], answer["until"]) == (3600, answer["at"] + TTL_SECONDS)


def test_a_zitadel_of_ones_own_has_no_such_switches_even_if_it_is_an_emulator(foreign: PageSite) -> None:
    for change in ("stop", "start", "slow", "advance"):
        assert refused(foreign, change, seconds=1) == (409, "no_emulator")
    assert not any(record.path.startswith("/_zdemo") for record in foreign.emulator.requests)
    assert foreign.emulator.faults.active() == []


def test_what_is_wrong_is_said_and_nothing_changes(site: PageSite) -> None:
    before = site.get("/-/state").json()["changes"]
    wrong: list[tuple[Any, dict[str, Any], int, str]] = [
        ("__class__", {}, 400, "unknown_change"),
        *(("grant", {"user_id": user_id}, 404, "unknown_user") for user_id in ("", "../users", ADMIN.id)),
        ("stop", {"forget": "yes"}, 400, "invalid_body"),
        *(("slow", {"seconds": value}, 400, "invalid_body") for value in (None, "0.3", True, float("nan"), 10**400)),
    ]
    for change, more, status, code in wrong:
        assert refused(site, change, **more) == (status, code), (change, more)
    for change, seconds in (("slow", -1), ("slow", 1e9), ("advance", -1), ("advance", 1e12)):
        assert "the emulator refuses" in not_made(site, change, seconds=seconds)
    assert site.get("/-/state").json()["changes"] == before
