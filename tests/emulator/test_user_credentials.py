"""What a service account can authenticate with: client secret, keys, personal access tokens."""

import re

import pytest

from tests.support.emulator_target import Api, api_error
from tests.support.oauth import PAT_FORM, form_of
from tests.support.waiting import eventually
from tests.support.workshop import FOREVER, Organization, User, Workshop, decoded, later


@pytest.fixture
def own(workshop: Workshop) -> User:
    """A user of one test, with a PAT."""
    return workshop.user()


def test_a_secret_is_shown_once_and_replaced_by_the_next(admin: Api, own: User) -> None:
    first = admin.do("UserService/AddSecret", userId=own.id)
    assert set(first) == {"creationDate", "clientSecret"}
    assert re.fullmatch(r"[A-Za-z0-9]{64}", first["clientSecret"])
    assert admin.do("UserService/AddSecret", userId=own.id)["clientSecret"] != first["clientSecret"]


def test_a_secret_is_removed_once(admin: Api, own: User) -> None:
    admin.do("UserService/AddSecret", userId=own.id)
    assert set(admin.do("UserService/RemoveSecret", userId=own.id)) == {"deletionDate"}
    again = admin.ask("UserService/RemoveSecret", userId=own.id)
    assert api_error(again) == (400, "Secret doesn't exist (COMMAND-coi82n)")


def test_a_key_comes_as_the_base64_of_its_file(admin: Api, own: User) -> None:
    made = admin.do("UserService/AddKey", userId=own.id, expirationDate=later(days=1))
    assert set(made) == {"creationDate", "keyId", "keyContent"}
    file = decoded(made["keyContent"])
    assert set(file) == {"type", "keyId", "key", "expirationDate", "userId"}
    assert (file["type"], file["keyId"], file["userId"]) == ("serviceaccount", made["keyId"], own.id)


def test_keys_are_listed_until_they_are_removed(admin: Api, workshop: Workshop, own: User) -> None:
    key_id = workshop.user_key(own)["keyId"]
    filters = [{"userIdFilter": {"id": own.id}}]

    def listed() -> list[dict[str, str]]:
        return admin.rows("UserService/ListKeys", filters=filters)

    (row,) = eventually("the key is listed", listed)
    assert set(row) == {"creationDate", "changeDate", "id", "userId", "organizationId", "expirationDate"}
    assert (row["id"], row["userId"]) == (key_id, own.id)
    assert set(admin.do("UserService/RemoveKey", userId=own.id, keyId=key_id)) == {"deletionDate"}
    eventually("the key is gone", lambda: listed() == [])


def test_a_pat_is_shown_once_with_its_id(admin: Api, own: User) -> None:
    made = admin.do("UserService/AddPersonalAccessToken", userId=own.id, expirationDate=FOREVER)
    assert set(made) == {"creationDate", "tokenId", "token"}
    assert form_of(made["token"]) == PAT_FORM


def test_pats_are_listed_without_their_tokens_until_they_are_removed(
    admin: Api, own: User, organization: Organization
) -> None:
    filters = [{"userIdFilter": {"id": own.id}}]

    def listed() -> list[dict[str, str]]:
        return admin.rows("UserService/ListPersonalAccessTokens", filters=filters)

    assert own.first_pat is not None
    (row,) = eventually("the PAT is listed", listed)
    assert set(row) == {"creationDate", "changeDate", "id", "userId", "organizationId", "expirationDate"}
    assert (row["id"], row["userId"], row["organizationId"]) == (own.first_pat.id, own.id, organization.id)
    assert row["expirationDate"] == FOREVER
    removed = admin.do("UserService/RemovePersonalAccessToken", userId=own.id, tokenId=own.first_pat.id)
    assert set(removed) == {"deletionDate"}
    eventually("the PAT is gone", lambda: listed() == [])
