"""What Terraform's provider sends in each step, in its order, and what it uses of the answers.

The provider itself was not run here. Like it, the tests speak gRPC. A line of ``terraform.txt`` has a method, its
request, and the used part of the answer, or the code of a refusal. There, ``{name}`` is a value of the configuration or
of the state; a new name adds the value in the answer to the state. ``*`` stands for the members of an object, and
``...`` for any value.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.emulator.grpc.client import Client
from tests.support.emulator_target import Server
from tests.support.zitadel_api import Api, connect_path, fits, v1_name
from zdemo.emulator import Emulator

Values = dict[str, Any]
STEPS = dict(part.split("\n", 1) for part in Path(__file__).with_name("terraform.txt").read_text()[2:].split("# "))


def configuration(name: str, on: bool, skew: str, *roles: str) -> Values:
    """Return the values of a configuration. The roles also decide the length of another list."""
    flags = ("projectRoleAssertion", "projectRoleCheck", "hasProjectCheck")
    labels = "PRIVATE_LABELING_SETTING_ENFORCE_PROJECT_RESOURCE_OWNER_POLICY"
    switches = ("devMode", "accessTokenRoleAssertion", "idTokenRoleAssertion", "idTokenUserinfoAssertion")
    oidc = {
        "redirectUris": [f"https://{name}.example/in"],
        "responseTypes": ["OIDC_RESPONSE_TYPE_CODE"],
        "grantTypes": ["OIDC_GRANT_TYPE_AUTHORIZATION_CODE", "OIDC_GRANT_TYPE_REFRESH_TOKEN"][: len(roles) + 1],
        "appType": "OIDC_APP_TYPE_USER_AGENT",
        "authMethodType": "OIDC_AUTH_METHOD_TYPE_NONE",
        "postLogoutRedirectUris": [f"https://{name}.example/out"],
        "accessTokenType": "OIDC_TOKEN_TYPE_JWT",
        "clockSkew": skew,
        "additionalOrigins": [f"https://{name}.example"],
        "loginVersion": {"loginV2": {"baseUri": f"https://{name}.example/login"}},
    }
    return {
        "name": name,
        "on": on,
        "roles": list(roles),
        "role": {"displayName": name, "group": name},
        "machine": {"name": name, "description": name, "accessTokenType": "ACCESS_TOKEN_TYPE_JWT"},
        "settings": dict.fromkeys(flags, on) | {"name": name, "privateLabelingSetting": labels},
        "oidc": oidc | dict.fromkeys((*switches, "skipNativeAppSuccessPage"), on),
    }


def filled(value: Any, state: Values) -> Any:
    if isinstance(value, list):
        return [filled(item, state) for item in value]
    if isinstance(value, dict):
        members = {name: filled(member, state) for name, member in value.items()}
        return members.pop("*", {}) | members
    if not isinstance(value, str) or value == "...":
        return ... if value == "..." else value
    whole = re.fullmatch(r"{(\w+)}", value)
    return state.get(whole[1], ...) if whole else value.format(**state)


def as_answered(value: Any) -> Any:
    """Return the values as answers have them: without false and empty lists."""
    if isinstance(value, dict):
        return {name: as_answered(member) for name, member in value.items()}
    if isinstance(value, list):
        return [as_answered(item) for item in value] or None
    return None if value is False else value


class Terraform:
    """The provider; its state has the values of a configuration and the IDs of objects."""

    def __init__(self, client: Client) -> None:
        self.state: Values = {}
        self._client = client

    def take(self, step: str, *, gone: bool = False) -> None:
        """Send the requests of a step, and expect the used parts of the answers, or that all objects are gone."""
        for line in STEPS[step].splitlines():
            method, request, expected = re.findall(r"(\S+) (.*) -> (.*)", line)[0]
            use, answer = json.loads(expected), self._call(method, filled(json.loads(request), self.state))
            if gone and method != "ListProjectRoles":
                use = "NOT_FOUND"
            elif gone:
                use = {"result": None}
            assert fits(answer, as_answered(filled(use, self.state))), (line, answer)
            for name, value in use.items() if isinstance(use, dict) else ():
                if isinstance(value, str) and (new := value[1:-1]) not in self.state:
                    self.state[new] = answer[name]

    def _call(self, method: str, fields: Values) -> Any:
        """Return the answer, or the code of a refusal."""
        name = connect_path(method)[1:] if "Service/" in method else v1_name(method)
        of_instance = method.startswith(("Admin/", "OrganizationService/"))
        try:
            return self._client.ask(name, {} if of_instance else {"x-zitadel-orgid": self.state["org"]}, **fields)
        except grpc.RpcError as error:
            return error.code().name


@pytest.fixture
def terraform(own: Emulator) -> Iterator[Terraform]:
    """The provider with an emulator of its own."""
    with Client(own.port) as client:
        yield Terraform(client)


@pytest.mark.thorough
def test_terraform_creates_reads_changes_and_destroys_objects_of_v1(terraform: Terraform, near: Server) -> None:
    terraform.state |= configuration("shop", True, "1s", "read", "none")
    terraform.take("apply")
    Api(near, terraform.state["token"]).rest("GET", "/auth/v1/users/me").has(user={"id": terraform.state["user"]})
    for step in ("refresh", "organization", "default"):
        terraform.take(step)
    terraform.state |= configuration("store", False, "0s")
    for step in ("change", "refresh", "organization", "default", "destroy"):
        terraform.take(step)
    terraform.take("refresh", gone=True)
    terraform.take("destroy v2 organization")
    terraform.take("organization", gone=True)


def test_terraform_creates_reads_changes_and_destroys_objects_of_v2(terraform: Terraform) -> None:
    terraform.state |= configuration("shop", True, "1s")
    for step in ("plan v2", "apply v2", "refresh v2"):
        terraform.take(step)
    terraform.state |= configuration("store", False, "0s")
    for step in ("change v2", "refresh v2", "destroy v2"):
        terraform.take(step)
    terraform.take("refresh v2", gone=True)
    terraform.take("destroy v2 organization")
