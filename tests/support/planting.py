"""Faults planted as an administrator would plant them, over the emulator's API; and the question why."""

import base64
import dataclasses
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.emulator_target import TOKEN, Server, as_real, basic
from tests.support.workshop import FOREVER
from tests.support.zitadel_api import Api
from zdemo.config.address import ZitadelAddress
from zdemo.config.key_file import parse_key_file
from zdemo.config.settings import Settings
from zdemo.emulator import ADMIN, CLIENT_ID, CLIENT_SECRET, ORGANIZATION_ID, PROJECT_ID, READER, VISITOR, Emulator
from zdemo.zitadel import resources
from zdemo.zitadel.management import ManagementClient
from zdemo.zitadel.records import Auth, moment_of

ROLE = "read:messages"
AUDIENCE = f"urn:zitadel:iam:org:project:id:{PROJECT_ID}:aud"


class Planter:
    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.url, self.api = emulator.url, Api(Server(emulator.url), ADMIN.pat)
        self.settings = Settings(issuer=emulator.url, client_id=CLIENT_ID, client_secret=CLIENT_SECRET)

    def user(self, method: str, user_id: str = READER.id, **body: Any) -> dict[str, Any]:
        return dict(self.api.do(f"UserService/{method}", userId=user_id, **body))

    def project(self, *roles: str) -> str:
        id = str(self.api.projects.CreateProject(organizationId=ORGANIZATION_ID, name="elsewhere")["projectId"])
        for role in roles:
            self.role(role, id)
        return id

    def role(self, key: str, project_id: str = PROJECT_ID) -> None:
        self.api.projects.AddProjectRole(projectId=project_id, roleKey=key, displayName=key).has()

    def grant(self, *roles: str, project_id: str = PROJECT_ID, user_id: str = VISITOR.id) -> None:
        ids = {"userId": user_id, "projectId": project_id, "organizationId": ORGANIZATION_ID}
        self.api.authorizations.CreateAuthorization(**ids, roleKeys=list(roles)).has()

    def app(self, project_id: str) -> Settings:
        app = self.api.apps.CreateApplication(projectId=project_id, name="another", apiConfiguration={})[
            "apiConfiguration"
        ]
        return dataclasses.replace(self.settings, client_id=app["clientId"], client_secret=app["clientSecret"])

    def key_file(self, folder: Path, user_id: str = READER.id) -> Path:
        key = self.api.users.AddKey(userId=user_id, expirationDate=FOREVER)
        file = folder / f"{key['keyId']}.json"
        file.touch(0o600)
        file.write_bytes(base64.b64decode(key["keyContent"]))
        return file

    def tokens(self, *scopes: str, jwt: bool = False, host: str | None = None) -> dict[str, Any]:
        """What client_credentials give a service account who has no role."""
        name = f"svc-{secrets.token_hex(4)}"
        kind = "ACCESS_TOKEN_TYPE_JWT" if jwt else "ACCESS_TOKEN_TYPE_BEARER"
        body = {"userName": name, "name": name, "accessTokenType": kind}
        user_id = str(self.api.rest("POST", "/management/v1/users/machine", body)["userId"])
        secret = self.api.users.AddSecret(userId=user_id)["clientSecret"]
        form = [("grant_type", "client_credentials"), ("scope", " ".join(("openid", "profile", *scopes)))]
        given = self.api.server.post_form(TOKEN, form, basic(name, secret) | ({"Host": host} if host else {}))
        assert given.status_code == 200, given.text
        return {"user_id": user_id, "name": name, "secret": secret, **given.json()}


APPLICATION_ID = "7"


class KeySite(NamedTuple):
    settings: Settings
    file: Path
    delete_key: Callable[[], None]


@contextmanager
def key_site(file: Path, *, lifetime_milliseconds: int = 86_400_000) -> Iterator[KeySite]:
    """Run an emulator with such an application; only the owner can read the key file."""
    with (
        as_real() as emulator,
        closing(ManagementClient(ZitadelAddress(emulator.url), ADMIN.pat, timeout_seconds=5)) as client,
    ):
        configuration = resources.api_configuration(Auth.KEY)
        resources.create_application(client, PROJECT_ID, APPLICATION_ID, "by key", configuration)
        expires = int(time.time() * 1000) + lifetime_milliseconds
        key = resources.create_application_key(client, PROJECT_ID, APPLICATION_ID, moment_of(expires))
        file.touch(0o600)
        file.write_text(key.secret)

        def delete_key() -> None:
            resources.delete_application_key(client, PROJECT_ID, APPLICATION_ID, key.id)

        signing = parse_key_file(key.secret.encode())
        settings = Settings(issuer=emulator.url, client_id=signing.subject, client_secret="", key=signing)
        yield KeySite(settings=settings, file=file, delete_key=delete_key)
