"""ZITADEL's official Python SDK provisions an API on the emulator, unchanged, in each of its three ways to log in."""

import base64
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.emulator_target import NOBODY
from zdemo.config.key_file import application_key
from zdemo.config.settings import Settings
from zdemo.emulator import ADMIN, ORGANIZATION_ID, emulate
from zdemo.introspection.client import IntrospectionClient
from zdemo.introspection.model import Introspection

ROLE = "read:messages"


@pytest.fixture(scope="module")
def sdk() -> Any:
    """The package, imported here since that takes seconds, and untyped since its models are generated."""
    # zitadel-client 4.1 imports authlib.jose, which new versions of Authlib call deprecated, past every filter
    with warnings.catch_warnings(record=True):
        import zitadel_client

    return zitadel_client


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with emulate() as emulator:
        yield emulator.url


def tomorrow() -> datetime:
    return datetime.now(UTC) + timedelta(days=1)


@pytest.fixture(scope="module")
def administrator(sdk: Any, url: str) -> Any:
    return sdk.Zitadel.with_access_token(url, ADMIN.pat)


def logged_in(sdk: Any, url: str, administrator: Any, tmp_path: Path) -> dict[str, Any]:
    """The SDK in each of its three ways to log in as the administrator."""
    secret = administrator.users.add_secret(sdk.models.UserServiceAddSecretRequest(user_id=ADMIN.id)).client_secret
    key_request = sdk.models.UserServiceAddKeyRequest(user_id=ADMIN.id, expiration_date=tomorrow())
    file = tmp_path / "administrator.json"
    file.write_bytes(base64.b64decode(administrator.users.add_key(key_request).key_content))
    return {
        "access-token": administrator,
        "client-credentials": sdk.Zitadel.with_client_credentials(url, ADMIN.username, secret),
        "private-key": sdk.Zitadel.with_private_key(url, str(file)),
    }


class Setup:
    """What an API needs at ZITADEL, created with the SDK alone."""

    def __init__(self, sdk: Any, zitadel: Any, name: str) -> None:
        self.models, self.zitadel = sdk.models, zitadel
        self.project_id = zitadel.projects.create_project(
            self.models.ProjectServiceCreateProjectRequest(organization_id=ORGANIZATION_ID, name=name)
        ).project_id
        zitadel.projects.add_project_role(
            self.models.ProjectServiceAddProjectRoleRequest(
                project_id=self.project_id, role_key=ROLE, display_name="Read messages"
            )
        )
        self.user_id = zitadel.users.create_user(
            self.models.UserServiceCreateUserRequest(
                organization_id=ORGANIZATION_ID, username=name, machine=self.models.UserServiceMachine(name=name)
            )
        ).id
        self.pat = zitadel.users.add_personal_access_token(
            self.models.UserServiceAddPersonalAccessTokenRequest(user_id=self.user_id, expiration_date=tomorrow())
        ).token

    def application(self, method: str) -> Any:
        """The answer to the creation of an API application with this authentication method."""
        return self.zitadel.applications.create_application(
            self.models.ApplicationServiceCreateApplicationRequest(
                project_id=self.project_id,
                name=method,
                api_configuration=self.models.ApplicationServiceCreateAPIApplicationRequest(
                    auth_method_type=f"API_AUTH_METHOD_TYPE_{method}"
                ),
            )
        )

    def key_file(self, application_id: str) -> bytes:
        made = self.zitadel.applications.create_application_key(
            self.models.ApplicationServiceCreateApplicationKeyRequest(
                project_id=self.project_id, application_id=application_id, expiration_date=tomorrow()
            )
        )
        return base64.b64decode(made.key_details)

    def grant(self) -> str:
        made = self.zitadel.authorizations.create_authorization(
            self.models.AuthorizationServiceCreateAuthorizationRequest(
                user_id=self.user_id, project_id=self.project_id, organization_id=ORGANIZATION_ID, role_keys=[ROLE]
            )
        )
        return str(made.id)

    def assignments(self) -> list[Any]:
        """The user's role assignments as the SDK lists them."""
        filters = {"filters": [{"inUserIds": {"ids": [self.user_id]}}]}
        listed = self.zitadel.authorizations.list_authorizations(
            self.models.AuthorizationServiceListAuthorizationsRequest.from_dict(filters)
        )
        return list(listed.authorizations or [])

    def remove(self) -> None:
        self.zitadel.users.delete_user(self.models.UserServiceDeleteUserRequest(user_id=self.user_id))
        self.zitadel.projects.delete_project(self.models.ProjectServiceDeleteProjectRequest(project_id=self.project_id))


def introspected(settings: Settings, token: str) -> Introspection:
    client = IntrospectionClient(settings)
    try:
        return client.introspect(token)
    finally:
        client.close()


def test_what_the_sdk_sets_up_is_what_an_api_sees(sdk: Any, administrator: Any, url: str, tmp_path: Path) -> None:
    """One test, since each process that runs a part of it imports the SDK for seconds."""
    for name, zitadel in logged_in(sdk, url, administrator, tmp_path).items():
        _check(Setup(sdk, zitadel, name), url)
        with pytest.raises(sdk.exceptions.ApiError) as refused:
            zitadel.projects.get_project(sdk.models.ProjectServiceGetProjectRequest(project_id=NOBODY))
        assert (refused.value.code, refused.value.response_body["code"]) == (404, "not_found")


def _check(setup: Setup, url: str) -> None:
    basic = setup.application("BASIC").api_configuration
    by_secret = Settings(issuer=url, client_id=basic.client_id, client_secret=basic.client_secret)
    assert introspected(by_secret, setup.pat).roles() == {}

    setup.grant()
    (assignment,) = setup.assignments()
    assert ([role.key for role in assignment.roles], assignment.state) == ([ROLE], "STATE_ACTIVE")
    assert set(introspected(by_secret, setup.pat).roles(setup.project_id)) == {ROLE}

    by_key = setup.application("PRIVATE_KEY_JWT")
    key = application_key(setup.key_file(by_key.application_id))
    assert key.client_id == by_key.api_configuration.client_id
    found = introspected(Settings(issuer=url, client_id=key.client_id, client_secret="", key=key), setup.pat)
    assert set(found.roles()) == {ROLE}

    setup.remove()
    assert setup.assignments() == []
