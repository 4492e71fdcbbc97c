"""ZITADEL's official Python SDK provisions an API on the emulator, unchanged, in each of its three ways to log in."""

import base64
import re
import warnings
from contextlib import closing
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.support.emulator_target import NOBODY
from zdemo.config.settings import Settings
from zdemo.emulator import ADMIN, ORGANIZATION_ID, Emulator
from zdemo.zitadel.introspection_client import IntrospectionClient

ROLE = "read:messages"
TOMORROW = datetime.now(UTC) + timedelta(days=1)


@pytest.mark.thorough
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
    for zitadel in (
        sdk.Zitadel.with_client_credentials(own.url, ADMIN.username, secret),
        sdk.Zitadel.with_private_key(own.url, str(file)),
    ):
        with pytest.raises(sdk.exceptions.ApiError) as refused:
            zitadel.projects.get_project(sdk.models.ProjectServiceGetProjectRequest(project_id=NOBODY))
        assert (refused.value.code, refused.value.response_body["code"]) == (404, "not_found")
    set_up(sdk.models, administrator, own.url)
    log_in(sdk.models, administrator)


def log_in(models: Any, zitadel: Any) -> None:
    """What the SDK's own tests do with humans and sessions."""

    def call(api: Any, name: str, **fields: Any) -> Any:
        kind = "User" if api is zitadel.users else "Session"
        request = getattr(models, f"{kind}Service{name}Request").from_dict(fields)
        return getattr(api, re.sub("(?<!^)([A-Z])", r"_\1", name).lower())(request)

    people, sessions = zitadel.users, zitadel.sessions
    profile, email = {"givenName": "Eve", "familyName": "Human"}, {"email": "eve@example.com", "isVerified": True}
    password = {"password": {"password": "Ab-45678", "changeRequired": False}}
    user_id = call(people, "AddHumanUser", profile=profile, email=email, **password).user_id
    call(people, "UpdateHumanUser", userId=user_id, profile=profile | {"givenName": "Eva"})
    checks = {"user": {"userId": user_id}, "password": {"password": "Ab-45678"}}
    made = call(sessions, "CreateSession", checks=checks, lifetime="18000s")
    changed = call(sessions, "SetSession", sessionId=made.session_id, metadata={"k": "dg=="})
    shown = call(sessions, "GetSession", sessionId=made.session_id, sessionToken=changed.session_token).session
    assert (shown.factors.user.id, shown.factors.user.login_name) == (user_id, "eve@example.com")
    found = {"queries": [{"idsQuery": {"ids": [made.session_id]}}]}
    assert [one.id for one in call(sessions, "ListSessions", **found).sessions] == [made.session_id]
    call(sessions, "DeleteSession", sessionId=made.session_id)
    assert not call(sessions, "ListSessions", **found).sessions


def set_up(models: Any, zitadel: Any, url: str) -> None:
    home = {"organization_id": ORGANIZATION_ID}
    made = zitadel.projects.create_project(models.ProjectServiceCreateProjectRequest(**home, name="sdk"))
    project = {"project_id": made.project_id}
    role = models.ProjectServiceAddProjectRoleRequest(**project, role_key=ROLE, display_name="Read messages")
    zitadel.projects.add_project_role(role)
    machine = models.UserServiceMachine(name="sdk")
    created = zitadel.users.create_user(models.UserServiceCreateUserRequest(**home, username="sdk", machine=machine))
    user = {"user_id": created.id}
    pat_request = models.UserServiceAddPersonalAccessTokenRequest(**user, expiration_date=TOMORROW)
    pat = zitadel.users.add_personal_access_token(pat_request).token
    kind = models.ApplicationServiceCreateAPIApplicationRequest(auth_method_type="API_AUTH_METHOD_TYPE_BASIC")
    fields = {**project, "name": "api", "api_configuration": kind}
    request = models.ApplicationServiceCreateApplicationRequest(**fields)
    basic = zitadel.applications.create_application(request).api_configuration
    grant = models.AuthorizationServiceCreateAuthorizationRequest(**user, **project, **home, role_keys=[ROLE])
    zitadel.authorizations.create_authorization(grant)
    filters = {"filters": [{"inUserIds": {"ids": [created.id]}}]}
    listing = models.AuthorizationServiceListAuthorizationsRequest.from_dict(filters)
    (assignment,) = zitadel.authorizations.list_authorizations(listing).authorizations
    assert ([role.key for role in assignment.roles], assignment.state) == ([ROLE], "STATE_ACTIVE")
    settings = Settings(issuer=url, client_id=basic.client_id, client_secret=basic.client_secret)
    with closing(IntrospectionClient(settings)) as client:
        assert set(client.introspect(pat).roles(made.project_id)) == {ROLE}
