"""The switches: each changes ZITADEL, waits until it shows, and says until when the API may use older answers."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.support.page_site import PageSite, events, page_site
from tests.support.wire import PATIENCE_SECONDS
from zdemo.emulator import ADMIN, READER, VISITOR, Faults, create_app, known_world, new_fault
from zdemo.serving.embedded import serving

ROLE = "read:messages"
SCOPED = "/api/private-scoped"
TTL_SECONDS = 30.0  # of the shared pages, so that no answer gets too old while a test looks


@pytest.fixture
def site() -> Iterator[PageSite]:
    with page_site(ttl_seconds=TTL_SECONDS) as site:
        yield site.open()


@pytest.fixture
def foreign() -> Iterator[PageSite]:
    with page_site(beside=False, ttl_seconds=0) as site:
        yield site.open()


def changed(site: PageSite, change: str, **more: Any) -> dict[str, Any]:
    answer = site.post("/-/change", {"change": change, **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert found["error"] is None
    return found


def not_made(site: PageSite, change: str, **more: Any) -> str:
    """Order a change that ZITADEL does not allow, or does not answer; return what the page says of it."""
    answer = site.post("/-/change", {"change": change, **more})
    assert answer.status_code == 200, "a browser would log another status as an error of the page"
    found = answer.json()
    assert "text" not in found
    return str(found["error"])


def refused(site: PageSite, change: Any, **more: Any) -> tuple[int, str]:
    answer = site.post("/-/change", {"change": change, **more})
    document = answer.json()
    assert document["error_description"]
    return answer.status_code, document["error"]


def user(document: dict[str, Any], user_id: str = READER.id) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in document["users"] if one["id"] == user_id)
    return found


# --- roles


def test_a_role_that_is_revoked_passes_until_the_window_closes(site: PageSite) -> None:
    assert site.call(SCOPED).status_code == 200
    before = time.time()
    answer = changed(site, "revoke", user_id=READER.id, role=ROLE)
    assert user(answer)["roles"] == []
    assert before <= answer["at"] <= time.time()
    assert answer["until"] == answer["at"] + TTL_SECONDS
    assert answer["shown_after_ms"] >= 0
    assert site.call(SCOPED).status_code == 200, "the API still has the answer from before"
    granted = changed(site, "grant", user_id=READER.id, role=ROLE)
    assert user(granted)["roles"] == [ROLE]


def test_without_a_cache_no_window_opens(foreign: PageSite) -> None:
    answer = changed(foreign, "revoke", user_id=READER.id, role=ROLE)
    assert answer["until"] is None
    assert foreign.call(SCOPED).status_code == 401
    changed(foreign, "grant", user_id=VISITOR.id, role=ROLE)
    assert foreign.call(SCOPED, VISITOR.pat).status_code == 200


def test_no_window_opens_if_the_api_forgets_at_once(site: PageSite) -> None:
    assert site.call(SCOPED).status_code == 200
    assert changed(site, "revoke", user_id=READER.id, role=ROLE, forget=True)["until"] is None
    assert site.call(SCOPED).status_code == 401
    assert changed(site, "grant", user_id=READER.id, role=ROLE, forget=True)["until"] is None
    assert site.call(SCOPED).status_code == 200
    assert changed(site, "deactivate", user_id=READER.id, forget=True)["until"] is None
    assert site.call(SCOPED).status_code == 401
    changed(site, "reactivate", user_id=READER.id, forget=True)
    assert changed(site, "create_pat", user_id=READER.id, forget=True)["until"] is None
    assert site.call("/api/private").status_code == 200
    assert changed(site, "advance", seconds=1, forget=True)["until"] is None


def test_a_change_that_changes_nothing_opens_no_window(site: PageSite) -> None:
    answer = changed(site, "revoke", user_id=VISITOR.id, role=ROLE)
    assert (answer["shown_after_ms"], answer["until"], answer["text"]) == (None, None, "")


def test_an_unknown_role_is_refused_in_the_words_of_zdemo_role(site: PageSite) -> None:
    said = not_made(site, "grant", user_id=READER.id, role="read:mesages")
    assert "has no role read:mesages" in said
    assert said.endswith("; did you mean read:messages? Role keys are compared exactly")


# --- users and their tokens


@pytest.mark.parametrize("beside", [True, False])
def test_a_deactivated_user_gets_in_again_only_with_another_pat(beside: bool) -> None:
    with page_site(beside=beside, ttl_seconds=0) as site:
        site.open()
        off = user(changed(site, "deactivate", user_id=READER.id))
        assert (off["state"], off["pat"]) == ("inactive", "ended")
        assert site.call(SCOPED).status_code == 401
        on = user(changed(site, "reactivate", user_id=READER.id))
        assert (on["state"], on["pat"]) == ("active", "ended")
        assert site.call(SCOPED).status_code == 401, "deactivating ends tokens for good"
        if beside:
            assert user(changed(site, "create_pat", user_id=READER.id))["pat"] == "present"
            assert site.call(SCOPED).status_code == 200
        else:
            assert refused(site, "create_pat", user_id=READER.id) == (409, "deleted_for_good")


@pytest.mark.parametrize("beside", [True, False])
def test_a_deleted_pat_is_dead_and_the_page_still_knows_whose_it_was(beside: bool) -> None:
    with page_site(beside=beside, ttl_seconds=0) as site:
        site.open()
        site.get("/-/state")
        assert user(changed(site, "delete_pat", user_id=READER.id))["pat"] == "deleted"
        assert site.call(SCOPED).status_code == 401
        assert user(site.get("/-/state").json()["changes"])["pat"] == "deleted"


def test_a_restored_pat_is_the_known_one_and_may_be_refused_for_a_second(site: PageSite) -> None:
    changed(site, "delete_pat", user_id=READER.id)
    answer = changed(site, "create_pat", user_id=READER.id)
    assert user(answer)["pat"] == "present"
    assert answer["until"] == answer["at"] + 1
    assert site.call(SCOPED).status_code == 200


def test_a_worker_that_never_saw_the_pat_restores_it_too(site: PageSite) -> None:
    world = site.emulator.world
    world.remove_pat(world.users[READER.id], READER.token_id)
    assert user(changed(site, "create_pat", user_id=READER.id))["pat"] == "present"


def test_of_several_pats_the_callers_own_is_deleted(foreign: PageSite) -> None:
    world = foreign.emulator.world
    other = world.add_pat(world.users[READER.id], world.now() + 3600)
    changed(foreign, "delete_pat", user_id=READER.id)
    assert list(world.users[READER.id].pats) == [other.id]
    assert foreign.call(SCOPED).status_code == 401
    assert "ZITADEL does not say which of them this is" in not_made(foreign, "delete_pat", user_id=READER.id)


def test_the_administrator_does_not_lock_itself_out() -> None:
    with page_site(beside=False, PAT=ADMIN.pat) as site:
        site.open()
        assert "this is the user of ZITADEL_ADMIN_PAT" in not_made(site, "deactivate", user_id=ADMIN.id)
        assert "this is ZITADEL_ADMIN_PAT itself" in not_made(site, "delete_pat", user_id=ADMIN.id)
        assert site.emulator.world.users[ADMIN.id].state == "ACTIVE"


def test_a_user_with_the_name_of_an_id_is_not_changed_in_its_place(foreign: PageSite) -> None:
    world = foreign.emulator.world
    impostor = world.add_user(world.users[READER.id].organization_id, VISITOR.id, "impostor")
    impostor.created = 0  # listed first
    assert refused(foreign, "grant", user_id=VISITOR.id, role=ROLE) == (404, "unknown_user")


@pytest.mark.parametrize(("change", "method"), [("deactivate", "DeactivateUser"), ("revoke", "DeleteAuthorization")])
def test_a_window_opens_too_if_zitadel_fails_just_after_the_change(change: str, method: str) -> None:
    world, faults = known_world(), Faults()
    inner = create_app(world, faults=faults)

    def fails_later(environ: dict[str, Any], start_response: Any) -> Any:
        answer = inner(environ, start_response)
        if environ["PATH_INFO"].endswith(method):
            faults.add(new_fault("internal-error"))
        return answer

    with serving(fails_later) as port, page_site(beside=False, ZITADEL_DOMAIN=f"http://localhost:{port}") as site:
        answer = changed(site.open(), change, user_id=READER.id, role=ROLE)
    assert (answer["shown_after_ms"], answer["possible"]) == (None, False)
    assert answer["until"] > answer["at"]


# --- the emulator


def test_a_stopped_zitadel_is_gone_for_the_api_and_comes_back(site: PageSite) -> None:
    assert site.call(SCOPED).status_code == 200
    assert changed(site, "stop")["emulator"]["stopped"]
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{site.emulator.url}/debug/healthz", timeout=10)
    assert site.call(SCOPED).status_code == 200, "a known token passes until its time"
    assert site.call(SCOPED, VISITOR.pat).status_code == 503
    assert "ZITADEL is stopped" in not_made(site, "revoke", user_id=READER.id, role=ROLE)
    assert changed(site, "stop")["emulator"]["stopped"], "twice is once"
    assert not changed(site, "start")["emulator"]["stopped"]
    assert requests.get(f"{site.emulator.url}/debug/healthz", timeout=10).status_code == 200


def test_a_delay_is_added_changed_and_ended_and_other_faults_stay(site: PageSite) -> None:
    other = new_fault("slow", path="/oauth/v2/keys", seconds=2)
    counted = new_fault("slow", path="introspection", times=7, seconds=0)
    for fault in (other, counted):
        site.emulator.faults.add(fault)
    assert changed(site, "slow", seconds=0.3)["emulator"]["slow_seconds"] == 0.3
    assert changed(site, "slow", seconds=0.2)["emulator"]["slow_seconds"] == 0.2
    assert len(site.emulator.faults.active()) == 3
    assert changed(site, "stop")["emulator"] == {"stopped": True, "slow_seconds": 0.2, "advanced_seconds": 0}
    assert changed(site, "start")["emulator"]["slow_seconds"] == 0.2
    assert changed(site, "slow", seconds=0)["emulator"]["slow_seconds"] == 0
    assert [*site.emulator.faults.active()] == [other, counted]


def test_known_answers_pass_for_a_while_without_zitadel(site: PageSite) -> None:
    assert site.call(SCOPED).status_code == 200
    for change, more in (("slow", {"seconds": 0.1}), ("stop", {})):
        answer = changed(site, change, **more)
        assert answer["until"] == answer["at"] + TTL_SECONDS
    assert site.call(SCOPED).status_code == 200
    assert changed(site, "stop", forget=True)["until"] is None
    assert site.call(SCOPED).status_code == 503
    assert changed(site, "start")["until"] is None
    assert changed(site, "slow", seconds=0)["until"] is None


def test_a_slow_zitadel_makes_the_api_slow(site: PageSite) -> None:
    changed(site, "slow", seconds=0.3)
    answer = site.post("/-/send", {"method": "GET", "path": SCOPED, "caller": "reader", "explain": False}).json()
    assert (answer["status"], answer["ms"] >= 300) == (200, True)


def test_the_clock_advances(site: PageSite) -> None:
    answer = changed(site, "advance", seconds=3600)
    assert answer["emulator"]["advanced_seconds"] == 3600
    assert answer["until"] == answer["at"] + TTL_SECONDS
    assert changed(site, "advance", seconds=1)["emulator"]["advanced_seconds"] == 3601


@pytest.mark.parametrize("change", ["stop", "start", "slow", "advance"])
def test_a_zitadel_of_ones_own_has_no_such_switches_even_if_it_is_an_emulator(foreign: PageSite, change: str) -> None:
    assert refused(foreign, change, seconds=1) == (409, "no_emulator")
    assert not any(record.path.startswith("/_zdemo") for record in foreign.emulator.requests)
    assert foreign.emulator.faults.active() == []


# --- what is refused


@pytest.mark.parametrize(
    ("change", "more", "status", "code"),
    [
        (None, {}, 400, "invalid_field"),
        (["grant"], {}, 400, "invalid_field"),
        ("", {}, 400, "unknown_change"),
        ("reset", {}, 400, "unknown_change"),
        ("__class__", {}, 400, "unknown_change"),
        ("grant", {}, 400, "invalid_field"),
        ("grant", {"user_id": READER.id}, 400, "invalid_field"),
        ("grant", {"user_id": READER.id, "role": [ROLE]}, 400, "invalid_field"),
        ("grant", {"user_id": {"id": READER.id}, "role": ROLE}, 400, "invalid_field"),
        ("grant", {"user_id": ADMIN.id, "role": ROLE}, 404, "unknown_user"),
        ("grant", {"user_id": "reader", "role": ROLE}, 404, "unknown_user"),
        ("deactivate", {"user_id": ADMIN.id}, 404, "unknown_user"),
        ("delete_pat", {"user_id": "../users"}, 404, "unknown_user"),
        ("stop", {"forget": "yes"}, 400, "invalid_field"),
        ("slow", {}, 400, "invalid_field"),
        ("slow", {"seconds": "0.3"}, 400, "invalid_field"),
        ("slow", {"seconds": True}, 400, "invalid_field"),
        ("slow", {"seconds": -1}, 400, "invalid_field"),
        ("slow", {"seconds": 11}, 400, "invalid_field"),
        ("slow", {"seconds": float("nan")}, 400, "invalid_field"),
        ("slow", {"seconds": 10**400}, 400, "invalid_field"),
        ("advance", {"seconds": float("inf")}, 400, "invalid_field"),
        ("advance", {"seconds": [1]}, 400, "invalid_field"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_wrong_is_said_and_nothing_changes(
    site: PageSite, change: Any, more: dict[str, Any], status: int, code: str
) -> None:
    before = site.get("/-/state").json()["changes"]
    body = json.dumps({"change": change, **more})  # with NaN, which requests' own refuses
    answer = site.session.post(
        f"{site.url}/-/change", data=body, headers={"Content-Type": "application/json"}, timeout=10
    )
    assert (answer.status_code, answer.json()["error"]) == (status, code), answer.text
    assert site.get("/-/state").json()["changes"] == before


def test_a_hostile_role_is_text_in_the_refusal(site: PageSite) -> None:
    said = not_made(site, "grant", user_id=READER.id, role="<img src=x>\r\n\u202e")
    assert "<img src=x>" in said
    assert not [character for character in said if character in "\r\u202e"]


def test_an_administrator_with_too_small_a_role_is_told_so() -> None:
    with page_site(beside=False, ZITADEL_ADMIN_PAT=VISITOR.pat) as site:
        assert "not an administrator" in not_made(site.open(), "grant", user_id=READER.id, role=ROLE)


def test_without_an_administrator_nothing_is_changed() -> None:
    with page_site(beside=False, ZITADEL_ADMIN_PAT="") as site:
        assert "ZITADEL_ADMIN_PAT is not set" in not_made(site.open(), "grant", user_id=READER.id, role=ROLE)


def test_a_zitadel_that_is_gone_is_an_answer(foreign: PageSite) -> None:
    foreign.emulator.faults.add(new_fault("stopped"))
    assert "closed the connection" in not_made(foreign, "grant", user_id=READER.id, role=ROLE)


# --- told to every open page


def told(site: PageSite) -> dict[str, Any]:
    """Return the last change that a page which is opened now hears of."""
    with site.session.get(f"{site.url}/-/feed", stream=True, timeout=PATIENCE_SECONDS) as answer:
        return next(document for name, document in events(answer) if name == "changed")


def test_every_page_hears_of_a_change_also_one_that_is_opened_later(site: PageSite) -> None:
    answer = changed(site, "revoke", user_id=READER.id, role=ROLE)
    found = told(site)
    assert found.pop("id")
    assert found == {
        "text": f"revoked {ROLE} from reader",
        "after": answer["after"],
        "at": answer["at"],
        "until": answer["until"],
        "change": "revoke",
        "user_id": READER.id,
        "role": ROLE,
    }


def test_what_was_so_before_is_told_to_nobody(site: PageSite) -> None:
    changed(site, "revoke", user_id=VISITOR.id, role=ROLE)
    changed(site, "slow", seconds=0.1)
    assert told(site)["text"] == "ZITADEL answers 100 ms later"


def test_a_pat_that_ended_with_its_user_is_not_called_deleted(site: PageSite) -> None:
    assert user(changed(site, "deactivate", user_id=READER.id))["pat"] == "ended"
    answer = changed(site, "reactivate", user_id=READER.id)
    assert user(answer)["pat"] == "ended"
    assert answer["text"] == "reactivated reader; deactivating ended the PAT; press Restore PAT"
    restored = changed(site, "create_pat", user_id=READER.id)
    assert (user(restored)["pat"], restored["text"]) == ("present", "restored the PAT of reader")
    assert user(changed(site, "delete_pat", user_id=READER.id))["pat"] == "deleted"


def test_with_another_zitadel_a_pat_that_expired_is_not_called_ended(foreign: PageSite) -> None:
    foreign.get("/-/state")  # while the PAT works, its ID is seen
    world = foreign.emulator.world
    world.users[READER.id].pats[READER.token_id].expires = world.now() - 60
    assert user(foreign.get("/-/state").json()["changes"])["pat"] == "expired"


def test_with_another_zitadel_an_ended_pat_is_told_from_a_deleted_one(foreign: PageSite) -> None:
    foreign.get("/-/state")  # while the PAT works, its ID is seen
    changed(foreign, "deactivate", user_id=VISITOR.id)
    answer = changed(foreign, "reactivate", user_id=VISITOR.id)
    assert user(answer, VISITOR.id)["pat"] == "ended"
    assert answer["text"].endswith("; deactivating ended the PAT; create a new one")
