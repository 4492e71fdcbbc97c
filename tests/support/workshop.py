"""Creates the objects that tests need, each with its own name, and removes them all at the end."""

import base64
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, NamedTuple

import requests

from tests.support.emulator_target import Api
from tests.support.waiting import eventually

FOREVER = "9999-12-31T23:59:59Z"
KEY_APP = {"authMethodType": "API_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT"}
WEB_APP = {"redirectUris": ["http://localhost/callback"], "developmentMode": True}
HUMAN: dict[str, dict[str, Any]] = {
    "profile": {"givenName": "Ada", "familyName": "Test"},
    "email": {"email": "ada@example.com", "isVerified": True},
    "password": {"password": "Zdemo-Passw0rd.1", "changeRequired": False},
}
KeyFile = dict[str, str]


def later(**delta: float) -> str:
    """RFC 3339 time from now, e.g. ``later(days=1)``."""
    return (datetime.now(UTC) + timedelta(**delta)).isoformat().replace("+00:00", "Z")


class Organization(NamedTuple):
    id: str
    name: str
    primary_domain: str


class Project(NamedTuple):
    id: str
    name: str
    organization: Organization


@dataclass(frozen=True, kw_only=True)
class App:
    """An API or OIDC application; ``secret`` is empty if it authenticates with a key."""

    id: str
    name: str
    client_id: str
    project: Project
    secret: str = field(repr=False)

    @property
    def ids(self) -> dict[str, str]:
        return {"projectId": self.project.id, "applicationId": self.id}


@dataclass(frozen=True, kw_only=True)
class Pat:
    id: str
    token: str = field(repr=False)


class User(NamedTuple):
    """A service account. Where the instance appends a domain, the login name is longer than ``username``."""

    id: str
    username: str
    name: str
    organization: Organization
    first_pat: Pat | None

    @property
    def pat(self) -> str:
        assert self.first_pat is not None, f"{self.username} was made without a PAT"
        return self.first_pat.token


class Workshop:
    """Creates objects, by default in ``home``, the administrator's own organization."""

    def __init__(self, admin: Api) -> None:
        me = admin.rest("GET", "/auth/v1/users/me").json()["user"]
        self.admin, self.home = admin, find_organization(admin, me["details"]["resourceOwner"])
        self.run = secrets.token_hex(4)
        self._made = 0
        self._removals: list[Callable[[], requests.Response]] = []
        self._organizations: list[str] = []

    def name(self, label: str) -> str:
        self._made += 1
        return f"zdemo-{self.run}-{label}-{self._made}"

    def organization(self) -> Organization:
        name = self.name("organization")
        made = self.admin.do("OrganizationService/AddOrganization", name=name)["organizationId"]
        self._organizations.append(made)
        return find_organization(self.admin, made)

    def project(self, *roles: str, organization: Organization | None = None, **fields: Any) -> Project:
        owner, name = organization or self.home, self.name("project")
        made = self.admin.do("ProjectService/CreateProject", organizationId=owner.id, name=name, **fields)["projectId"]
        self.remove_later("ProjectService/DeleteProject", projectId=made)
        for role in roles:
            names = {"roleKey": role, "displayName": f"Role {role[:100]}"}
            self.admin.do("ProjectService/AddProjectRole", projectId=made, **names)
        return Project(id=made, name=name, organization=owner)

    def app(self, project: Project, **configuration: Any) -> App:
        """An API application, with a secret unless its configuration says otherwise."""
        fields = {"projectId": project.id, "name": self.name("app")} | (configuration or {"apiConfiguration": {}})
        made = self.admin.do("ApplicationService/CreateApplication", **fields)
        shown = made.get("apiConfiguration") or made["oidcConfiguration"]
        return App(
            id=made["applicationId"],
            name=fields["name"],
            client_id=shown["clientId"],
            secret=shown.get("clientSecret", ""),
            project=project,
        )

    def app_key(self, app: App) -> KeyFile:
        made = self.admin.do("ApplicationService/CreateApplicationKey", **app.ids, expirationDate=later(days=1))
        return decoded(made["keyDetails"])

    def user(self, *, organization: Organization | None = None, pat: bool = True, **fields: Any) -> User:
        """A service account, with a PAT that never expires unless ``pat`` is false."""
        owner, username = organization or self.home, self.name("user")
        own = {"organizationId": owner.id, "username": username, "machine": {"name": f"Bot {username}"}}
        made = self.admin.do("UserService/CreateUser", **(own | fields))["id"]
        self.remove_later("UserService/DeleteUser", userId=made)
        first_pat = self.pat(made) if pat else None
        return User(id=made, username=username, name=f"Bot {username}", organization=owner, first_pat=first_pat)

    def human(self) -> User:
        """A person with the password of ``HUMAN``."""
        return self.user(pat=False, machine=None, human=HUMAN)

    def session(self, human: User) -> SimpleNamespace:
        """Create a session that has checked a human and the password; ``pat`` is its token."""
        checks = {"user": {"userId": human.id}, "password": {"password": HUMAN["password"]["password"]}}
        made = self.admin.do("SessionService/CreateSession", checks=checks)
        self.remove_later("SessionService/DeleteSession", sessionId=made["sessionId"])
        return SimpleNamespace(**made, pat=made["sessionToken"])

    def jwt_user(self) -> User:
        """A service account whose access tokens are JWTs, which takes the v1 API."""
        username = self.name("jwt-user")
        body = {"userName": username, "name": f"Bot {username}", "accessTokenType": "ACCESS_TOKEN_TYPE_JWT"}
        made = self.admin.rest("POST", "/management/v1/users/machine", body, x_zitadel_orgid=self.home.id)
        assert made.status_code == 200, made.text
        user_id = made.json()["userId"]
        self.remove_later("UserService/DeleteUser", userId=user_id)
        return User(id=user_id, username=username, name=f"Bot {username}", organization=self.home, first_pat=None)

    def pat(self, user_id: str, expires: str = FOREVER) -> Pat:
        made = self.admin.do("UserService/AddPersonalAccessToken", userId=user_id, expirationDate=expires)
        return Pat(id=made["tokenId"], token=made["token"])

    def secret(self, user: User) -> str:
        return str(self.admin.do("UserService/AddSecret", userId=user.id)["clientSecret"])

    def user_key(self, user: User) -> KeyFile:
        made = self.admin.do("UserService/AddKey", userId=user.id, expirationDate=later(days=1))
        return decoded(made["keyContent"])

    def grant(self, user: User, project: Project, *roles: str, organization: Organization | None = None) -> str:
        """A role assignment owned by ``organization``, by default the project's; returns its ID."""
        owner = organization or project.organization
        ids = {"userId": user.id, "projectId": project.id, "organizationId": owner.id}
        return str(self.admin.do("AuthorizationService/CreateAuthorization", **ids, roleKeys=list(roles))["id"])

    def administrator(self, role: str | None, *, of: Organization | None = None) -> User:
        """A service account with a PAT in the home organization, with a role in one, or in the instance (IAM_…)."""
        in_instance, user = (role or "").startswith("IAM_"), self.user()
        resource = {"instance": True} if in_instance else {"organizationId": (of or self.home).id}
        fields = {"userId": user.id, "resource": resource, "roles": [role]}
        if role:
            self.admin.do("InternalPermissionService/CreateAdministrator", **fields)
        return user

    def remove_later(self, method: str, **fields: str) -> None:
        self._removals.append(lambda: self.admin.ask(method, **fields))

    def remove_everything(self) -> list[str]:
        """Remove everything that was created, newest first, organizations last; return what could not be removed."""
        answers = [remove() for remove in reversed(self._removals)]
        mine = "/management/v1/orgs/me"
        answers += [self.admin.rest("DELETE", mine, x_zitadel_orgid=made) for made in self._organizations]
        return [f"{a.status_code} {a.text}" for a in answers if a.status_code not in {200, 404}]


def decoded(key: str) -> KeyFile:
    content: KeyFile = json.loads(base64.b64decode(key, validate=True))
    return content


def find_organization(admin: Api, organization_id: str) -> Organization:
    """Look an organization up by its ID; waits for one just made."""
    found = eventually(
        "the organization is listed with its primary domain",
        lambda: admin.do("OrganizationService/ListOrganizations", queries=[{"idQuery": {"id": organization_id}}]).get(
            "result", []
        ),
        lambda result: result and result[0].get("primaryDomain"),
    )[0]
    return Organization(id=organization_id, name=found["name"], primary_domain=found["primaryDomain"])
