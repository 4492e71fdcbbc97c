"""Users in the v2 API: how service accounts are made, changed, switched off and removed, and how humans differ."""

from datetime import datetime
from typing import Any

import pytest

from tests.support.emulator_target import Api, api_error, error_id
from tests.support.waiting import eventually
from tests.support.workshop import Organization, User, Workshop


@pytest.fixture
def own(workshop: Workshop) -> User:
    """A user of one test, with a PAT."""
    return workshop.user()


def shown(admin: Api, user_id: str) -> dict[str, Any]:
    """The user as GetUserByID shows it, once it does."""
    return admin.shown("UserService/GetUserByID", "user", userId=user_id)


def test_a_user_leaves_out_what_is_empty(admin: Api, visitor: User, organization: Organization) -> None:
    user = shown(admin, visitor.id)
    assert set(user) == {"userId", "details", "state", "username", "loginNames", "preferredLoginName", "machine"}
    assert user["machine"] == {"name": visitor.name}
    assert (user["state"], user["username"]) == ("USER_STATE_ACTIVE", visitor.username)
    assert user["preferredLoginName"] in user["loginNames"]
    assert set(user["details"]) == {"sequence", "changeDate", "resourceOwner", "creationDate"}
    assert user["details"]["resourceOwner"] == organization.id
    assert user["details"]["sequence"].isdigit()


def test_a_description_and_a_secret_show(admin: Api, workshop: Workshop) -> None:
    user = workshop.user(pat=False, machine={"name": "Bot", "description": "does things"})
    workshop.secret(user)
    expected = {"name": "Bot", "description": "does things", "hasSecret": True}
    eventually("the secret shows", lambda: shown(admin, user.id)["machine"] == expected)


def test_without_a_username_it_is_the_id(admin: Api, workshop: Workshop, organization: Organization) -> None:
    made = admin.do("UserService/CreateUser", organizationId=organization.id, machine={"name": "Bot"})
    workshop.remove_later("UserService/DeleteUser", userId=made["id"])
    assert set(made) == {"id", "creationDate"}
    assert made["id"].isdigit()
    assert shown(admin, made["id"])["username"] == made["id"]


def test_a_user_is_changed_and_the_same_again_is_no_fault(admin: Api, own: User) -> None:
    for _ in range(2):
        changed = admin.do("UserService/UpdateUser", userId=own.id, machine={"name": "New name"})
        assert set(changed) == {"changeDate"}
    eventually("the name shows", lambda: shown(admin, own.id)["machine"]["name"] == "New name")


def test_the_token_type_is_chosen_and_changed(admin: Api, workshop: Workshop) -> None:
    user = workshop.user(pat=False, machine={"name": "Bot", "accessTokenType": "ACCESS_TOKEN_TYPE_JWT"})
    assert shown(admin, user.id)["machine"] == {"name": "Bot", "accessTokenType": "ACCESS_TOKEN_TYPE_JWT"}
    admin.do("UserService/UpdateUser", userId=user.id, machine={"accessTokenType": "ACCESS_TOKEN_TYPE_BEARER"})
    eventually("the type shows", lambda: shown(admin, user.id)["machine"] == {"name": "Bot"})


def test_metadata_is_set_with_the_user_and_apart(admin: Api, workshop: Workshop) -> None:
    user = workshop.user(pat=False, metadata=[{"key": "team", "value": "eA=="}])
    rows = wait_for_metadata(admin, user, team="eA==")
    assert set(rows[0]) == {"creationDate", "changeDate", "key", "value"}
    more = [{"key": "team", "value": "eQ=="}, {"key": "floor", "value": "eA=="}]
    admin.do("UserService/UpdateUser", userId=user.id, machine={}, metadata=more)
    wait_for_metadata(admin, user, team="eQ==", floor="eA==")
    for entry in ({"key": "team"}, {"key": "floor", "value": ""}, {"key": "never there"}):
        assert set(admin.do("UserService/SetUserMetadata", userId=user.id, metadata=[entry])) == {"setDate"}
    wait_for_metadata(admin, user)


def test_metadata_is_found_and_deleted_by_its_key(admin: Api, workshop: Workshop) -> None:
    user = workshop.user(pat=False, metadata=[{"key": key, "value": "eA=="} for key in ("one", "two", "three")])
    wait_for_metadata(admin, user, one="eA==", two="eA==", three="eA==")
    filters = [{"keyFilter": {"key": "t", "method": "TEXT_FILTER_METHOD_STARTS_WITH"}}]
    found = admin.rows("UserService/ListUserMetadata", userId=user.id, filters=filters)
    assert {row["key"] for row in found} == {"two", "three"}
    assert set(admin.do("UserService/DeleteUserMetadata", userId=user.id, keys=["one", "two"])) == {"deletionDate"}
    wait_for_metadata(admin, user, three="eA==")


def wait_for_metadata(admin: Api, user: User, **expected: str) -> list[dict[str, str]]:
    return eventually(
        f"the metadata is {expected}",
        lambda: admin.rows("UserService/ListUserMetadata", userId=user.id),
        lambda rows: {row["key"]: row["value"] for row in rows} == expected,
    )


def test_a_username_is_changed(admin: Api, workshop: Workshop, own: User) -> None:
    username = workshop.name("renamed")
    admin.do("UserService/UpdateUser", userId=own.id, username=username, machine={})
    eventually("the username shows", lambda: shown(admin, own.id)["username"] == username)
    assert shown(admin, own.id)["machine"]["name"] == own.name


@pytest.mark.parametrize(
    ("method", "state", "message"),
    [
        ("DeactivateUser", "INACTIVE", "User already inactive (COMMAND-5gunjw0cd7)"),
        ("LockUser", "LOCKED", "User is not active or initial (COMMAND-lgws8wtsqf)"),
        ("ReactivateUser", "ACTIVE", "User is not inactive (COMMAND-s5qqcz97hf)"),
        ("UnlockUser", "ACTIVE", "User is not locked (COMMAND-olb9vb0oca)"),
    ],
)
def test_a_user_is_switched_on_and_off_once(admin: Api, own: User, method: str, state: str, message: str) -> None:
    if state == "ACTIVE":
        admin.do(f"UserService/{'LockUser' if method == 'UnlockUser' else 'DeactivateUser'}", userId=own.id)
    changed = admin.do(f"UserService/{method}", userId=own.id)
    assert set(changed["details"]) == {"sequence", "changeDate", "resourceOwner"}
    assert api_error(admin.ask(f"UserService/{method}", userId=own.id)) == (400, message)
    eventually(f"the state is {state}", lambda: shown(admin, own.id)["state"], f"USER_STATE_{state}".__eq__)


def test_a_locked_user_may_be_deactivated_and_then_not_unlocked(admin: Api, own: User) -> None:
    admin.do("UserService/LockUser", userId=own.id)
    admin.do("UserService/DeactivateUser", userId=own.id)
    assert error_id(admin.ask("UserService/UnlockUser", userId=own.id)) == (400, "COMMAND-olb9vb0oca")


def test_a_user_is_deleted_once(admin: Api, own: User) -> None:
    deleted = admin.do("UserService/DeleteUser", userId=own.id)
    assert set(deleted["details"]) == {"sequence", "changeDate", "resourceOwner"}
    again = admin.ask("UserService/DeleteUser", userId=own.id)
    assert api_error(again) == (404, "User could not be found (COMMAND-bd4ir1mblj)")
    admin.gone("UserService/GetUserByID", userId=own.id)


def test_a_username_is_free_again_after_its_user_is_deleted(admin: Api, workshop: Workshop, own: User) -> None:
    admin.do("UserService/DeleteUser", userId=own.id)
    assert workshop.user(pat=False, username=own.username).id != own.id


def test_a_human_shows_empty_fields_where_a_service_user_shows_none(admin: Api, human: str) -> None:
    found = shown(admin, human)["human"]
    assert found["profile"]["nickName"] == ""
    assert found["profile"]["preferredLanguage"] == "und"
    assert found["profile"]["gender"] == "GENDER_UNSPECIFIED"
    assert found["phone"] == {}


def test_ids_hold_the_time_of_creation(admin: Api, visitor: User) -> None:
    epoch_2019 = 1556496000  # 2019-04-29T00:00Z, in steps of 10 ms in the upper bits
    made = epoch_2019 + (int(visitor.id) >> 24) / 100
    creation = shown(admin, visitor.id)["details"]["creationDate"]
    assert abs(datetime.fromisoformat(creation).timestamp() - made) < 60
