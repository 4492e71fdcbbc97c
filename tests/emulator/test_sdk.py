"""ZITADEL's official Python SDK provisions an API on the emulator, unchanged, in each of its three ways to log in."""

import base64
import re
import warnings
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
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
    administrator = partial(call, sdk, sdk.Zitadel.with_access_token(own.url, ADMIN.pat))
    secret = administrator("UserService/AddSecret", userId=ADMIN.id).client_secret
    key = administrator("UserService/AddKey", userId=ADMIN.id, expirationDate=TOMORROW)
    file = tmp_path / "administrator.json"
    file.write_bytes(base64.b64decode(key.key_content))
    for zitadel in (
        sdk.Zitadel.with_client_credentials(own.url, ADMIN.username, secret),
        sdk.Zitadel.with_private_key(own.url, str(file)),
    ):
        with pytest.raises(sdk.exceptions.ApiError) as refused:
            call(sdk, zitadel, "ProjectService/GetProject", projectId=NOBODY)
        assert (refused.value.code, refused.value.response_body["code"]) == (404, "not_found")
    set_up(administrator, own.url)


def call(sdk: Any, zitadel: Any, method: str, /, **fields: Any) -> Any:
    service, _, name = method.partition("/")
    request = getattr(sdk.models, f"{service}{name}Request").from_dict(fields)
    api = getattr(zitadel, f"{service.removesuffix('Service').lower()}s")
    return getattr(api, re.sub("(?<!^)([A-Z])", r"_\1", name).lower())(request)


def set_up(administrator: Callable[..., Any], url: str) -> None:
    home = {"organizationId": ORGANIZATION_ID}
    project = {"projectId": administrator("ProjectService/CreateProject", **home, name="sdk").project_id}
    administrator("ProjectService/AddProjectRole", **project, roleKey=ROLE, displayName="Read messages")
    user = {"userId": administrator("UserService/CreateUser", **home, username="sdk", machine={"name": "sdk"}).id}
    pat = administrator("UserService/AddPersonalAccessToken", **user, expirationDate=TOMORROW).token
    api = {"name": "api", "apiConfiguration": {"authMethodType": "API_AUTH_METHOD_TYPE_BASIC"}}
    basic = administrator("ApplicationService/CreateApplication", **project, **api).api_configuration
    administrator("AuthorizationService/CreateAuthorization", **user, **project, **home, roleKeys=[ROLE])
    filters = [{"inUserIds": {"ids": [user["userId"]]}}]
    (assignment,) = administrator("AuthorizationService/ListAuthorizations", filters=filters).authorizations
    assert ([role.key for role in assignment.roles], assignment.state) == ([ROLE], "STATE_ACTIVE")
    settings = Settings(issuer=url, client_id=basic.client_id, client_secret=basic.client_secret)
    with closing(IntrospectionClient(settings)) as client:
        assert set(client.introspect(pat).roles(project["projectId"])) == {ROLE}
