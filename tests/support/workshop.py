"""Creates the objects that tests need, each with its own name, and removes them all at the end."""

import base64
import itertools
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from typing import Any, NamedTuple

from tests.support.zitadel_api import Answer, Api

FOREVER = "9999-12-31T23:59:59Z"
KEY_APP = {"authMethodType": "API_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT"}
HUMAN_PASSWORD = "Zdemo-Passw0rd.1"
HUMAN: dict[str, dict[str, Any]] = {
    "profile": {"givenName": "Ada", "familyName": "Test"},
    "email": {"email": "ada@example.com", "isVerified": True},
    "password": {"password": HUMAN_PASSWORD, "changeRequired": False},
}
KeyFile = dict[str, str]


def later(**delta: float) -> str:
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


@dataclass(frozen=True, kw_only=True)
class User:
    """A service account, perhaps with a PAT. Where the instance appends a domain, the login name is longer."""

    id: str
    username: str
    name: str
    organization: Organization
    pat: str = field(default="", repr=False)
    pat_id: str = ""


class Workshop:
    """Creates objects, by default in ``home``, the administrator's own organization."""

    def __init__(self, admin: Api) -> None:
        me = admin.rest("GET", "/auth/v1/users/me")["user"]
        self.admin, self.home = admin, find_organization(admin, me["details"]["resourceOwner"])
        self.run, self._numbers = secrets.token_hex(4), itertools.count(1)
        self._removals: list[Callable[[], Answer]] = []
        self._organizations: list[str] = []

    def name(self, label: str) -> str:
        return f"zdemo-{self.run}-{label}-{next(self._numbers)}"

    def organization(self) -> Organization:
        id = self.admin.organizations.AddOrganization(name=self.name("organization"))["organizationId"]
        self._organizations.append(id)
        return find_organization(self.admin, id)

    def project(self, *roles: str, organization: Organization | None = None, **fields: Any) -> Project:
        owner, name = organization or self.home, self.name("project")
        id = self.admin.projects.CreateProject(organizationId=owner.id, name=name, **fields)["projectId"]
        self.remove_later(self.admin.projects.DeleteProject, projectId=id)
        for role in roles:
            self.admin.projects.AddProjectRole(projectId=id, roleKey=role, displayName=f"Role {role[:100]}").has()
        return Project(id=id, name=name, organization=owner)

    def app(self, project: Project, **configuration: Any) -> App:
        """An API application, with a secret unless its configuration says otherwise."""
        name = self.name("app")
        app = self.admin.apps.CreateApplication(
            projectId=project.id, name=name, **(configuration or {"apiConfiguration": {}})
        )
        client = app[next(iter(configuration), "apiConfiguration")]
        client_id, secret = client["clientId"], client.get("clientSecret", "")
        return App(id=app["applicationId"], name=name, client_id=client_id, secret=secret, project=project)

    def user(self, *, organization: Organization | None = None, pat: bool = True, **fields: Any) -> User:
        """A service account, with a PAT that never expires unless ``pat`` is false."""
        owner, username = organization or self.home, self.name("user")
        own = {"organizationId": owner.id, "username": username, "machine": {"name": f"Bot {username}"}}
        id = self.admin.users.CreateUser(**(own | fields))["id"]
        self.remove_later(self.admin.users.DeleteUser, userId=id)
        first = self.pat(id) if pat else Pat(id="", token="")
        return User(
            id=id, username=username, name=f"Bot {username}", organization=owner, pat=first.token, pat_id=first.id
        )

    def human(self) -> User:
        return self.user(pat=False, machine=None, human=HUMAN)

    def pat(self, user_id: str, expires: str = FOREVER) -> Pat:
        pat = self.admin.users.AddPersonalAccessToken(userId=user_id, expirationDate=expires)
        return Pat(id=pat["tokenId"], token=pat["token"])

    def secret(self, user: User) -> str:
        return str(self.admin.users.AddSecret(userId=user.id)["clientSecret"])

    def grant(self, user: User, project: Project, *roles: str, organization: Organization | None = None) -> str:
        """A role assignment owned by ``organization``, by default the project's; returns its ID."""
        owner = organization or project.organization
        ids = {"userId": user.id, "projectId": project.id, "organizationId": owner.id}
        return str(self.admin.authorizations.CreateAuthorization(**ids, roleKeys=list(roles))["id"])

    def administrator(
        self, role: str | None, *, of: Organization | Project | None = None, lives: Organization | None = None
    ) -> User:
        """A service account with a PAT, with a role in the home organization, in another or in a project."""
        user = self.user(organization=lives)
        if role:
            resource: dict[str, Any] = {"organizationId": (of or self.home).id}
            if isinstance(of, Project):
                resource = {"projectId": of.id}
            elif role.startswith("IAM_"):
                resource = {"instance": True}
            self.admin.administrators.CreateAdministrator(userId=user.id, resource=resource, roles=[role]).has()
        return user

    def remove_later(self, delete: Callable[..., Answer], **fields: str) -> None:
        self._removals.append(partial(delete, **fields))

    def remove_everything(self) -> list[str]:
        """Remove everything that was created, newest first, organizations last; return what could not be removed."""
        answers = [remove().response for remove in reversed(self._removals)]
        delete = self.admin.organizations.DeleteOrganization
        answers += [delete(organizationId=id).response for id in self._organizations]
        return [f"{a.status_code} {a.text}" for a in answers if a.status_code not in {200, 404}]


class Fresh:
    """The objects of one test alone, each created when the test first names it."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop, self.home = workshop, workshop.home

    name = cached_property[str](lambda self: self._workshop.name("new"))
    """A name that nothing has."""
    project = cached_property[Project](lambda self: self._workshop.project("r", "s"))
    app = cached_property[App](lambda self: self._workshop.app(self.project))
    key_app = cached_property[App](lambda self: self._workshop.app(self.project, apiConfiguration=KEY_APP))
    user = cached_property[User](lambda self: self._workshop.user())
    secret = cached_property[str](lambda self: self._workshop.secret(self.user))
    assignment = cached_property[str](lambda self: self._workshop.grant(self.user, self.project, "r"))
    """The ID of the user's assignment of the role ``r``."""
    organization = cached_property[Organization](lambda self: self._workshop.organization())
    guest = cached_property[User](lambda self: self._workshop.user(organization=self.organization))
    human = cached_property[User](lambda self: self._workshop.human())

    @cached_property
    def session(self) -> dict[str, str]:
        """ID and token of a session that has checked the human and the password."""
        checks = {"user": {"userId": self.human.id}, "password": {"password": HUMAN_PASSWORD}}
        sessions = self._workshop.admin.sessions
        session = sessions.CreateSession(checks=checks)
        self._workshop.remove_later(sessions.DeleteSession, sessionId=session["sessionId"])
        return {name: session[name] for name in ("sessionId", "sessionToken")}


def decoded(key: str) -> KeyFile:
    content: KeyFile = json.loads(base64.b64decode(key, validate=True))
    return content


def find_organization(admin: Api, organization_id: str) -> Organization:
    """Look an organization up by its ID; waits for one just made."""
    answer = admin.organizations.ListOrganizations(queries=[{"idQuery": {"id": organization_id}}])
    (row,) = answer.has(result=[{"primaryDomain": ...}])["result"]
    return Organization(id=organization_id, name=row["name"], primary_domain=row["primaryDomain"])
