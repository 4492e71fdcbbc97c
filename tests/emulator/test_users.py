"""Users in the v2 API: how service users are made, changed, switched off and removed, and how humans differ."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tests.support.emulator_target import NOBODY, Api, api_error, error_id
from tests.support.waiting import eventually
from tests.support.workshop import FOREVER, HUMAN, Organization, User, Workshop

CREATE = "UserService/CreateUser"
LENGTH = "value length must be between 1 and 200 runes, inclusive"


@pytest.fixture
def own(workshop: Workshop) -> User:
    """A user of one test, with a PAT."""
    return workshop.user()


def shown(admin: Api, user_id: str) -> dict[str, Any]:
    """The user as GetUserByID shows him, once it does."""
    response = eventually(
        "the user can be read",
        lambda: admin.ask("UserService/GetUserByID", userId=user_id),
        lambda response: response.status_code == 200,
    )
    found: dict[str, Any] = response.json()["user"]
    return found


def wait_for_state(admin: Api, user: User, state: str) -> None:
    eventually(f"the state is {state}", lambda: shown(admin, user.id)["state"] == f"USER_STATE_{state}")


def test_creating_answers_with_id_and_date(admin: Api, workshop: Workshop, organization: Organization) -> None:
    fields = {"organizationId": organization.id, "username": workshop.name("user"), "machine": {"name": "Bot"}}
    made = admin.do(CREATE, **fields)
    workshop.remove_later("UserService/DeleteUser", userId=made["id"])
    assert set(made) == {"id", "creationDate"}
    assert made["id"].isdigit()


def test_a_user_leaves_out_what_he_has_not(admin: Api, visitor: User, organization: Organization) -> None:
    user = shown(admin, visitor.id)
    assert set(user) == {
        "userId",
        "details",
        "state",
        "username",
        "loginNames",
        "preferredLoginName",
        "machine",
    }
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
    made = admin.do(CREATE, organizationId=organization.id, machine={"name": "Bot"})["id"]
    workshop.remove_later("UserService/DeleteUser", userId=made)
    assert shown(admin, made)["username"] == made


def test_a_username_is_taken_in_the_whole_instance_whatever_its_case(
    admin: Api, workshop: Workshop, visitor: User, organization: Organization
) -> None:
    for owner in (organization, workshop.organization()):
        again = admin.ask(CREATE, organizationId=owner.id, username=visitor.username.upper(), machine={"name": "Bot"})
        assert api_error(again) == (409, "User already exists (V3-DKcYh)")


def test_an_id_is_taken(admin: Api, workshop: Workshop, visitor: User, organization: Organization) -> None:
    again = admin.ask(
        CREATE,
        organizationId=organization.id,
        userId=visitor.id,
        username=workshop.name("user"),
        machine={"name": "Bot"},
    )
    assert api_error(again) == (400, "Errors.User.AlreadyExisting (COMMAND-k2una)")


def test_a_user_is_either_machine_or_human(admin: Api, workshop: Workshop, organization: Organization) -> None:
    made = admin.ask(CREATE, organizationId=organization.id, username=workshop.name("user"))
    assert (made.status_code, made.json()["code"]) == (400, "invalid_argument")


def test_a_service_user_needs_a_name(admin: Api, workshop: Workshop, organization: Organization) -> None:
    made = admin.ask(CREATE, organizationId=organization.id, username=workshop.name("user"), machine={})
    message = (
        "invalid CreateUserRequest.Machine: embedded message failed validation | caused by: "
        f"invalid CreateUserRequest_Machine.Name: {LENGTH}"
    )
    assert api_error(made) == (400, message)


def test_an_organization_is_required(admin: Api, workshop: Workshop) -> None:
    made = admin.ask(CREATE, username=workshop.name("user"), machine={"name": "Bot"})
    assert api_error(made) == (400, f"invalid CreateUserRequest.OrganizationId: {LENGTH}")


def test_a_user_is_changed_and_the_same_again_is_no_fault(admin: Api, own: User) -> None:
    for _ in range(2):
        changed = admin.do("UserService/UpdateUser", userId=own.id, machine={"name": "New name"})
        assert set(changed) == {"changeDate"}
    eventually("the name shows", lambda: shown(admin, own.id)["machine"]["name"] == "New name")


def test_a_username_is_changed(admin: Api, workshop: Workshop, own: User) -> None:
    username = workshop.name("renamed")
    admin.do("UserService/UpdateUser", userId=own.id, username=username, machine={})
    eventually("the username shows", lambda: shown(admin, own.id)["username"] == username)
    assert shown(admin, own.id)["machine"]["name"] == own.name


def test_an_update_must_say_machine_or_human(admin: Api, own: User) -> None:
    changed = admin.ask("UserService/UpdateUser", userId=own.id, username="x")
    assert api_error(changed) == (501, "user type is not implemented ()")


@pytest.mark.parametrize(
    ("change", "state", "message"),
    [
        ("DeactivateUser", "INACTIVE", "User already inactive (COMMAND-5gunjw0cd7)"),
        ("LockUser", "LOCKED", "User is not active or initial (COMMAND-lgws8wtsqf)"),
    ],
)
def test_a_user_is_switched_off_once(admin: Api, own: User, change: str, state: str, message: str) -> None:
    changed = admin.do(f"UserService/{change}", userId=own.id)
    assert set(changed["details"]) == {"sequence", "changeDate", "resourceOwner"}
    again = admin.ask(f"UserService/{change}", userId=own.id)
    assert api_error(again) == (400, message)
    wait_for_state(admin, own, state)


@pytest.mark.parametrize(
    ("off", "on", "message"),
    [
        ("DeactivateUser", "ReactivateUser", "User is not inactive (COMMAND-s5qqcz97hf)"),
        ("LockUser", "UnlockUser", "User is not locked (COMMAND-olb9vb0oca)"),
    ],
)
def test_a_user_is_switched_on_once(admin: Api, own: User, off: str, on: str, message: str) -> None:
    admin.do(f"UserService/{off}", userId=own.id)
    admin.do(f"UserService/{on}", userId=own.id)
    assert api_error(admin.ask(f"UserService/{on}", userId=own.id)) == (400, message)
    wait_for_state(admin, own, "ACTIVE")


def test_a_locked_user_may_be_deactivated_and_then_not_unlocked(admin: Api, own: User) -> None:
    admin.do("UserService/LockUser", userId=own.id)
    admin.do("UserService/DeactivateUser", userId=own.id)
    assert error_id(admin.ask("UserService/UnlockUser", userId=own.id)) == (400, "COMMAND-olb9vb0oca")


def test_a_user_is_deleted_once(admin: Api, own: User) -> None:
    deleted = admin.do("UserService/DeleteUser", userId=own.id)
    assert set(deleted["details"]) == {"sequence", "changeDate", "resourceOwner"}
    again = admin.ask("UserService/DeleteUser", userId=own.id)
    assert api_error(again) == (404, "User could not be found (COMMAND-bd4ir1mblj)")
    eventually("he is gone", lambda: admin.ask("UserService/GetUserByID", userId=own.id).status_code == 404)


def test_a_username_is_free_again_after_its_user_is_deleted(admin: Api, workshop: Workshop, own: User) -> None:
    admin.do("UserService/DeleteUser", userId=own.id)
    assert workshop.user(pat=False, username=own.username).id != own.id


@pytest.mark.parametrize(
    ("method", "fields", "expected"),
    [
        ("GetUserByID", {}, (404, "QUERY-Dfbg2")),
        ("DeactivateUser", {}, (404, "COMMAND-5gp2p62iin")),
        ("ReactivateUser", {}, (404, "COMMAND-9hy5kzbuk6")),
        ("LockUser", {}, (404, "COMMAND-450yxuqrh1")),
        ("UnlockUser", {}, (404, "COMMAND-x377t913pw")),
        ("DeleteUser", {}, (404, "COMMAND-bd4ir1mblj")),
        ("AddSecret", {}, (400, "COMMAND-x8910n")),
        ("AddKey", {"expirationDate": FOREVER}, (400, "COMMAND-bnipwm1")),
        ("AddPersonalAccessToken", {"expirationDate": FOREVER}, (400, "COMMAND-Dggw2")),
    ],
)
def test_an_unknown_user_is_told(admin: Api, method: str, fields: dict[str, str], expected: tuple[int, str]) -> None:
    assert error_id(admin.ask(f"UserService/{method}", userId=NOBODY, **fields)) == expected


def test_a_humans_password_must_not_be_weak(admin: Api, workshop: Workshop, organization: Organization) -> None:
    weak = HUMAN | {"password": {"password": "a"}}
    made = admin.ask(CREATE, organizationId=organization.id, username=workshop.name("human"), human=weak)
    assert error_id(made) == (400, "COMMA-HuJf6")


def test_a_human_shows_empty_fields_where_a_service_user_shows_none(admin: Api, human: str) -> None:
    found = shown(admin, human)["human"]
    assert found["profile"]["nickName"] == ""
    assert found["profile"]["preferredLanguage"] == "und"
    assert found["profile"]["gender"] == "GENDER_UNSPECIFIED"
    assert found["phone"] == {}


def test_ids_hold_the_time_of_their_making(admin: Api, visitor: User) -> None:
    epoch_2019 = 1556496000  # 2019-04-29T00:00Z, in steps of 10 ms in the upper bits
    made = epoch_2019 + (int(visitor.id) >> 24) / 100
    creation = shown(admin, visitor.id)["details"]["creationDate"]
    assert abs(datetime.fromisoformat(creation).timestamp() - made) < 60
