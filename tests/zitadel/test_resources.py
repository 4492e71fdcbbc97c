"""The objects of ZITADEL: created, read, listed, changed and removed at the emulator."""

from contextlib import closing
from typing import Any

import pytest

from tests.support.upstream import answer, json_body, upstream
from zdemo.config.address import ZitadelAddress
from zdemo.emulator import ORGANIZATION_ID, READER
from zdemo.errors import UnusableAnswer
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


def test_no_secret_of_a_new_credential_is_in_its_repr(client: ManagementClient) -> None:
    pat = resources.add_pat(client, READER.id, moment_of(EXPIRES))
    resources.create_project(client, "7", ORGANIZATION_ID, "Seven")
    application = resources.create_application(client, "7", "8", "API", {})
    resources.set_application_auth(client, "7", "8", resources.api_configuration(Auth.KEY))
    key = resources.create_application_key(client, "7", "8", moment_of(EXPIRES))
    assert pat.secret not in repr(pat)
    assert key.secret not in repr(key)
    assert application.client_secret not in repr(application)


@pytest.mark.parametrize("fields", [{}, {"keyDetails": "no base64!"}, {"keyDetails": "/w=="}])
def test_a_key_that_cannot_be_read_is_an_error(fields: dict[str, Any]) -> None:
    with (
        upstream(answer(json_body({"keyId": "1", **fields}))) as up,
        closing(ManagementClient(ZitadelAddress(up.url), "token", timeout_seconds=5)) as client,
        pytest.raises(UnusableAnswer, match="is not ZITADEL's v2 API"),
    ):
        resources.create_application_key(client, "1", "2", moment_of(EXPIRES))


def test_a_credential_knows_its_expiry() -> None:
    assert milliseconds("2026-01-02T03:04:05.5+02:00") == 1767315845500
    assert [milliseconds(moment) for moment in ("2026-01-02T03:04:05", "", "soon")] == [None] * 3
    over, lasting, unknown = (Credential(id="1", expires=expires) for expires in (1_799_999_999_999, EXPIRES, None))
    assert [credential.has_expired(1_800_000_000) for credential in (over, lasting, unknown)] == [True, False, False]
    assert lasting.expires_text == "9999-01-01T00:00:00Z"
    assert milliseconds(moment_of(EXPIRES)) == EXPIRES
