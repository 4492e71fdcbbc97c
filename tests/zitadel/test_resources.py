"""The objects of ZITADEL: created, read, listed, changed and removed at the emulator."""

import json
from typing import Any

import pytest

from tests.support.upstream import answer, json_body, upstream
from zdemo.config.address import ZitadelAddress
from zdemo.emulator import ADMIN, ORGANIZATION_ID, PROJECT_ID, READER, Emulator
from zdemo.errors import ManagementError, UnusableAnswer
from zdemo.zitadel import resources
from zdemo.zitadel.management import ManagementClient
from zdemo.zitadel.records import Auth, Credential, milliseconds, moment_of

EXPIRES = 253370764800123  # in the year 9999, as ZITADEL's own default


@pytest.mark.parametrize("name", ["reader", "Reader", READER.id])
def test_a_user_is_found_by_login_name_whatever_its_case_or_by_id(client: ManagementClient, name: str) -> None:
    user = resources.find_user(client, name)
    assert user == resources.get_user(client, READER.id)
    assert user
    assert (user.id, user.login_name, user.state, user.machine) == (READER.id, "reader", "ACTIVE", True)
    assert [resources.find_user(client, other) for other in ("read", "reader ", "*", "35")] == [None] * 4


def test_an_application_its_secret_and_its_keys(client: ManagementClient) -> None:
    resources.create_project(client, "7", ORGANIZATION_ID, "Seven")
    credential = resources.create_application(client, "7", "8", "API", {})
    application = resources.get_application(client, "8")
    assert application
    assert (application.client_id, application.auth, application.is_api) == (credential.client_id, Auth.BASIC, True)
    assert credential.client_secret != resources.generate_client_secret(client, "7", "8").secret
    assert credential.client_secret not in repr(credential)

    resources.set_application_auth(client, "7", "8", resources.api_configuration(Auth.KEY))
    key = resources.create_application_key(client, "7", "8", expires=EXPIRES)
    assert json.loads(key.secret)["keyId"] == key.id
    assert key.secret not in repr(key)
    assert resources.list_application_keys(client, "8") == (Credential(id=key.id, expires=EXPIRES),)
    for _ in range(2):
        resources.delete_application_key(client, "7", "8", key.id)
        resources.delete_application(client, "7", "8")
    assert resources.get_application(client, "8") is None


def test_a_service_user_and_its_tokens(client: ManagementClient) -> None:
    resources.create_user(client, "7", ORGANIZATION_ID, "seven", {"name": "seven", "description": "a test"})
    pat = resources.add_pat(client, "7", expires=EXPIRES)
    assert resources.user_id_of_token(client, pat.secret) == "7"
    assert pat.secret not in repr(pat)
    assert resources.list_pats(client, "7") == (Credential(id=pat.id, expires=EXPIRES),)
    events = resources.list_user_events(client, "7", ["user.pat.added"])
    assert events
    assert [(event.type, event.pat_id) for event in events] == [("user.pat.added", pat.id)]
    for _ in range(2):
        resources.remove_pat(client, "7", pat.id)
    assert resources.user_id_of_token(client, pat.secret) is None
    for _ in range(2):
        resources.delete_user(client, "7")
    assert resources.get_user(client, "7") is None


def test_the_administrator_and_the_rights(client: ManagementClient, emulator: Emulator) -> None:
    admin = resources.administrator(client)
    assert (admin.id, admin.organization_id) == (ADMIN.id, ORGANIZATION_ID)
    assert "IAM_OWNER" in admin.roles
    assert any(membership.whole_instance for membership in resources.list_memberships(client))
    permissions = resources.list_permissions(client)
    assert permissions
    assert "project.create" in permissions
    with ManagementClient(ZitadelAddress(emulator.url), READER.pat, timeout_seconds=5) as own:
        assert resources.whoami(own).login_name == "reader"
        assert resources.list_memberships(own) == ()
        for remove, id_ in ((resources.delete_project, PROJECT_ID), (resources.delete_user, ADMIN.id)):
            with pytest.raises(ManagementError, match="not an administrator"):
                remove(own, id_)


@pytest.mark.parametrize("fields", [{}, {"keyDetails": "no base64!"}, {"keyDetails": "/w=="}])
def test_a_key_that_cannot_be_read_is_an_error(fields: dict[str, Any]) -> None:
    with (
        upstream(answer(json_body({"keyId": "1", **fields}))) as up,
        ManagementClient(ZitadelAddress(up.url), "token", timeout_seconds=5) as client,
        pytest.raises(UnusableAnswer, match="is not ZITADEL's v2 API"),
    ):
        resources.create_application_key(client, "1", "2", expires=EXPIRES)


def test_a_credential_knows_its_expiry() -> None:
    assert milliseconds("2026-01-02T03:04:05.5+02:00") == 1767315845500
    assert [milliseconds(moment) for moment in ("2026-01-02T03:04:05", "", "soon")] == [None] * 3
    over, lasting, unknown = (Credential(id="1", expires=expires) for expires in (1_799_999_999_999, EXPIRES, None))
    assert [credential.has_expired(1_800_000_000) for credential in (over, lasting, unknown)] == [True, False, False]
    assert lasting.expires_text == "9999-01-01T00:00:00Z"
    assert milliseconds(moment_of(EXPIRES)) == EXPIRES
