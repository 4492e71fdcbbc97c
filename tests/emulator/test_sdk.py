"""ZITADEL's official Python SDK provisions an API on the emulator, unchanged, in each of its three ways to log in."""

import base64
import warnings
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.support.emulator_target import NOBODY
from zdemo.config.key_file import application_key
from zdemo.config.settings import Settings
from zdemo.emulator import ADMIN, ORGANIZATION_ID, Emulator
from zdemo.introspection.client import IntrospectionClient
from zdemo.introspection.model import Introspection

ROLE = "read:messages"
TOMORROW = datetime.now(UTC) + timedelta(days=1)


def introspected(settings: Settings, token: str) -> Introspection:
    client = IntrospectionClient(settings)
    try:
        return client.introspect(token)
    finally:
        client.close()


def test_what_the_sdk_sets_up_is_what_an_api_sees(own: Emulator, tmp_path: Path) -> None:
    """One test, since each process that runs a part of it imports the SDK for seconds; its models are untyped."""
    # zitadel-client 4.1 imports authlib.jose, which new versions of Authlib call deprecated, past every filter
    with warnings.catch_warnings(record=True):
        sdk: Any = import_module("zitadel_client")
    administrator = sdk.Zitadel.with_access_token(own.url, ADMIN.pat)
    secret = administrator.users.add_secret(sdk.models.UserServiceAddSecretRequest(user_id=ADMIN.id)).client_secret
    request = sdk.models.UserServiceAddKeyRequest(user_id=ADMIN.id, expiration_date=TOMORROW)
    file = tmp_path / "administrator.json"
    file.write_bytes(base64.b64decode(administrator.users.add_key(request).key_content))
    for name, zitadel in {
        "access-token": administrator,
        "client-credentials": sdk.Zitadel.with_client_credentials(own.url, ADMIN.username, secret),
        "private-key": sdk.Zitadel.with_private_key(own.url, str(file)),
    }.items():
        check(sdk.models, zitadel, name, own.url)
        with pytest.raises(sdk.exceptions.ApiError) as refused:
            zitadel.projects.get_project(sdk.models.ProjectServiceGetProjectRequest(project_id=NOBODY))
        assert (refused.value.code, refused.value.response_body["code"]) == (404, "not_found")


def check(models: Any, zitadel: Any, name: str, url: str) -> None:
    home = {"organization_id": ORGANIZATION_ID}
    made = zitadel.projects.create_project(models.ProjectServiceCreateProjectRequest(**home, name=name))
    project = {"project_id": made.project_id}
    role = models.ProjectServiceAddProjectRoleRequest(**project, role_key=ROLE, display_name="Read messages")
    zitadel.projects.add_project_role(role)
    machine = models.UserServiceMachine(name=name)
    created = zitadel.users.create_user(models.UserServiceCreateUserRequest(**home, username=name, machine=machine))
    user = {"user_id": created.id}
    pat_request = models.UserServiceAddPersonalAccessTokenRequest(**user, expiration_date=TOMORROW)
    pat = zitadel.users.add_personal_access_token(pat_request).token

    def application(method: str) -> Any:
        kind = models.ApplicationServiceCreateAPIApplicationRequest(auth_method_type=f"API_AUTH_METHOD_TYPE_{method}")
        fields = {**project, "name": method, "api_configuration": kind}
        return zitadel.applications.create_application(models.ApplicationServiceCreateApplicationRequest(**fields))

    def assignments() -> list[Any]:
        filters = {"filters": [{"inUserIds": {"ids": [created.id]}}]}
        listing = models.AuthorizationServiceListAuthorizationsRequest.from_dict(filters)
        return list(zitadel.authorizations.list_authorizations(listing).authorizations or [])

    basic = application("BASIC").api_configuration
    by_secret = Settings(issuer=url, client_id=basic.client_id, client_secret=basic.client_secret)
    assert introspected(by_secret, pat).roles() == {}

    grant = models.AuthorizationServiceCreateAuthorizationRequest(**user, **project, **home, role_keys=[ROLE])
    zitadel.authorizations.create_authorization(grant)
    (assignment,) = assignments()
    assert ([role.key for role in assignment.roles], assignment.state) == ([ROLE], "STATE_ACTIVE")
    assert set(introspected(by_secret, pat).roles(made.project_id)) == {ROLE}

    by_key = application("PRIVATE_KEY_JWT")
    fields = {**project, "application_id": by_key.application_id, "expiration_date": TOMORROW}
    details = zitadel.applications.create_application_key(
        models.ApplicationServiceCreateApplicationKeyRequest(**fields)
    ).key_details
    key = application_key(base64.b64decode(details))
    assert key.client_id == by_key.api_configuration.client_id
    found = introspected(Settings(issuer=url, client_id=key.client_id, client_secret="", key=key), pat)
    assert set(found.roles()) == {ROLE}

    zitadel.users.delete_user(models.UserServiceDeleteUserRequest(**user))
    zitadel.projects.delete_project(models.ProjectServiceDeleteProjectRequest(**project))
    assert assignments() == []
