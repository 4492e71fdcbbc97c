"""The state of a ZITADEL instance and the rules for changing it: what must be unique, and what ends with what."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from zdemo.emulator.api_errors import AlreadyExists, FailedPrecondition, taken
from zdemo.emulator.entities import (
    Administrator,
    Application,
    Authorization,
    AuthRequest,
    Entity,
    Event,
    LoginSession,
    Organization,
    PersonalAccessToken,
    Project,
    ProjectGrant,
    PublicKey,
    RefreshToken,
    Resource,
    Role,
    SigningKey,
    Token,
    User,
    new_ids,
    new_name,
)
from zdemo.emulator.incoming.reasons import Reason, Why
from zdemo.emulator.token_texts import PAT_KEY_NAME, canonical, new_token_text

E = TypeVar("E", bound=Entity)
T = TypeVar("T")

MOST_KEPT = 10_000  # tokens, logins and requests of each kind; the oldest go first

# Of every PAT that is made through the API
PAT_SCOPES = ("openid", "profile", "urn:zitadel:iam:user:metadata", "urn:zitadel:iam:user:resourceowner")


class World:
    """All objects of one instance by their IDs, empty at first; whoever reads or changes it holds ``lock``.

    ``id`` is used instead of a new one; ``by`` is the ID of the user who acts.
    """

    def __init__(self, external_domain: str = "localhost") -> None:
        self.now: Callable[[], float] = time.time
        self.started = self.now()
        self.lock = threading.RLock()
        self.new_id: Callable[[], str] = new_ids(self.now).__next__
        self.external_domain = external_domain
        self.other_domains: tuple[str, ...] = ()
        self.name = new_name()  # tells this emulator apart from others
        self.id = self.new_id()
        self.zitadel_project_id = self.new_id()  # the project of ZITADEL's own APIs: an audience, never listed
        self.organizations: dict[str, Organization] = {}
        self.projects: dict[str, Project] = {}
        self.applications: dict[str, Application] = {}
        self.users: dict[str, User] = {}
        self.authorizations: dict[str, Authorization] = {}
        self.signing_keys: dict[str, SigningKey] = {}  # the first one signs
        self.session_tokens: dict[str, Token] = {}
        self.token_ids: dict[str, tuple[str, str]] = {}  # ID and user of each opaque token, by its canonical text
        self.login_sessions: dict[str, LoginSession] = {}
        self.auth_requests: dict[str, AuthRequest] = {}
        self.device_requests: dict[str, AuthRequest] = {}  # by device code
        self.codes: dict[str, AuthRequest] = {}  # by canonical text, also when used
        self.refresh_tokens: dict[str, RefreshToken] = {}  # by canonical text
        self.auto_login = ""  # the username of the person who is logged in without being asked
        self.administrators: dict[str, Administrator] = {}
        self.answer_changes: dict[str, Mapping[str, object]] = {}  # of introspection, by token ID; ... leaves one out
        self.features: dict[str, object] = {}
        self.security: dict[str, object] = {}  # settings that are on
        self.events: list[Event] = []  # what happened to users
        self._event_counts = Counter[str]()  # by user
        self.ended_tokens: dict[str, tuple[Token, Reason]] = {}  # before their time, with the user's name then
        self.ended_clients: dict[str, Why] = {}  # why a client ID is not known any more
        self.removed: dict[str, float] = {}  # when a project, an authorization or an administrator was removed
        self._kept_taken: set[str] = set()  # IDs of applications whose projects were removed

    def touch(self, entity: Entity) -> float:
        """Count a change of an object, and return its time."""
        entity.changed = self.now()
        entity.sequence += 1
        return entity.changed

    def log(self, user: User, kind: str, by: str = "", **payload: object) -> None:
        """Record what happened to a user."""
        self._event_counts[user.id] = sequence = self._event_counts[user.id] + 1
        self.events.append(Event(sequence, self.now(), kind, user.id, user.organization_id, by, payload))

    def _end_token(self, token: Token, user: User, why: Why) -> None:
        ended = self.ended_tokens.get(token.id) or (token, Reason(why, name=user.username))
        for old, _ in keep(self.ended_tokens, token.id, ended):
            if not isinstance(old, PersonalAccessToken):  # a PAT can be restored
                self.token_ids.pop(canonical(old.token), None)

    def _add(self, objects: dict[str, E], make: type[E], id: str | None, **fields: Any) -> E:
        entity = make(id=id or self.new_id(), created=self.now(), **fields)
        objects[entity.id] = entity
        return entity

    # --- organizations ---

    @property
    def default_organization(self) -> Organization | None:
        """The first organization."""
        return next(iter(self.organizations.values()), None)

    def add_organization(self, name: str, id: str | None = None) -> Organization:
        """Add an organization. Its primary domain comes from its name: ``Acme X`` and ``Acme-X`` have the same."""
        primary_domain = self._domain_for(name, list(self.organizations.values()))
        if id in self.organizations:
            raise AlreadyExists("Organisation already exists", "ORG-lapo2m")
        return self._add(self.organizations, Organization, id, name=name, primary_domain=primary_domain)

    def rename_organization(self, organization: Organization, name: str) -> float:
        """Give an organization another name, and with it another primary domain (ZITADEL)."""
        others = [o for o in self.organizations.values() if o is not organization]
        organization.primary_domain = self._domain_for(name, others)
        organization.name = name
        return self.touch(organization)

    def _domain_for(self, name: str, others: list[Organization]) -> str:
        """Return the primary domain for a name. Raises ``AlreadyExists`` if one of the others has name or domain."""
        _check_free(name, (o.name for o in others), "Organisation's name already taken")
        label = "".join(c if c.isascii() and c.isalnum() else "-" for c in name.strip().replace("'", ""))
        primary_domain = f"{label[:63].strip('-').lower()}.{self.external_domain}"  # ZITADEL: NewIAMDomainName
        _check_free(primary_domain, (o.primary_domain for o in others), "Domain already exists")
        return primary_domain

    def remove_organization(self, organization: Organization) -> None:
        """Remove an organization, its projects and users, its authorizations and the project grants to it.

        Raises FailedPrecondition for the default organization.
        """
        if organization is self.default_organization:
            raise FailedPrecondition("Default Organisation must not be deleted", "COMMA-wG9p1")
        for project in [p for p in self.projects.values() if p.organization_id == organization.id]:
            self.remove_project(project)
        for user in [u for u in self.users.values() if u.organization_id == organization.id]:
            self.remove_user(user)
        for project in self.projects.values():
            project.grants.pop(organization.id, None)
        self._remove_authorizations(lambda a: a.organization_id == organization.id)
        _remove(self.administrators, lambda a: a.resource == Resource("organization", organization.id))
        del self.organizations[organization.id]

    # --- projects ---

    def add_project(self, organization_id: str, name: str, id: str | None = None) -> Project:
        """Add a project. The organization may be unknown (ZITADEL)."""
        if id in self.projects:
            raise AlreadyExists("Errors.Project.AlreadyExisting", "COMMAND-opamwu")
        self.check_project_name(organization_id, name)
        return self._add(self.projects, Project, id, organization_id=organization_id, name=name)

    def check_project_name(self, organization_id: str, name: str, own: Project | None = None) -> None:
        """Raise ``AlreadyExists`` if another project of the organization has the name."""
        others = (p for p in self.projects.values() if p.organization_id == organization_id and p is not own)
        _check_free(name, (p.name for p in others), "Project already exists on organization")

    def remove_project(self, project: Project) -> None:
        """Remove a project and what is in it. ZITADEL does not free the IDs of its applications."""
        for application in [a for a in self.applications.values() if a.project_id == project.id]:
            self.remove_application(application, Why.PROJECT_REMOVED)
            self._kept_taken.add(application.id)
        self._remove_authorizations(lambda a: a.project_id == project.id)
        _remove(self.administrators, lambda a: a.resource == Resource("project", project.id))
        del self.projects[project.id]
        self.removed[project.id] = self.now()

    def add_role(self, project: Project, key: str, display_name: str, group: str = "") -> Role:
        """Add a role to a project."""
        _check_free(key, project.roles, "Role already exists")
        return self._add(project.roles, Role, key, project_id=project.id, display_name=display_name, group=group)

    def remove_role(self, project: Project, key: str) -> None:
        """Remove a role from a project, its authorizations and its grants, which stay even without any role."""
        project.roles.pop(key, None)
        holders: list[Authorization | ProjectGrant] = list(project.grants.values())
        holders += [a for a in self.authorizations.values() if a.project_id == project.id]
        for holder in holders:
            if key in holder.role_keys:
                holder.role_keys.remove(key)
                self.touch(holder)

    def add_project_grant(self, project: Project, organization_id: str, role_keys: list[str]) -> ProjectGrant:
        """Let another organization assign these roles to users."""
        if organization_id in project.grants:
            raise taken("Project Grant already exists")
        fields = {"project_id": project.id, "granted_organization_id": organization_id, "role_keys": role_keys}
        project.grants[organization_id] = grant = self._add({}, ProjectGrant, None, **fields)
        return grant

    def set_granted_roles(self, grant: ProjectGrant, role_keys: list[str]) -> None:
        """Replace the roles of a project grant; authorizations that were made through it lose what it loses."""
        grant.role_keys = role_keys
        self.touch(grant)
        for authorization in self.authorizations.values():
            through = (authorization.project_id, authorization.organization_id)
            if through == (grant.project_id, grant.granted_organization_id):
                authorization.role_keys = [key for key in authorization.role_keys if key in role_keys]

    def remove_project_grant(self, project: Project, organization_id: str) -> None:
        """Remove a project grant and the authorizations that were made through it."""
        project.grants.pop(organization_id, None)
        self._remove_authorizations(lambda a: a.project_id == project.id and a.organization_id == organization_id)

    # --- applications ---

    def remove_application(self, application: Application, why: Why = Why.APPLICATION_DELETED) -> None:
        """Remove an application, and remember why its client ID is not known any more."""
        del self.applications[application.id]
        self.ended_clients[application.client_id] = why

    def add_application(
        self, project: Project, name: str, kind: str, auth_method: str, id: str | None = None
    ) -> Application:
        """Add an application without a secret, in place of the one that has the given ID if there is one (ZITADEL)."""
        if id in self._kept_taken:
            raise taken("Application already exists")
        self.check_application_name(project.id, name)
        fields = {"project_id": project.id, "name": name, "kind": kind, "auth_method": auth_method}
        return self._add(self.applications, Application, id, client_id=self.new_id(), **fields)

    def check_application_name(self, project_id: str, name: str, own: Application | None = None) -> None:
        """Raise ``AlreadyExists`` if another application of the project has the name."""
        others = (a for a in self.applications.values() if a.project_id == project_id and a is not own)
        _check_free(name, (a.name for a in others), "Application already exists")

    def application_of(self, client_id: str) -> Application | None:
        """Return the application with this client ID."""
        return next((a for a in self.applications.values() if a.client_id == client_id), None)

    def add_key(self, owner: Application | User, pem: str, expires: float) -> PublicKey:
        """Add the public half of a key pair to an application or a user."""
        owner_id = {"user_id" if isinstance(owner, User) else "application_id": owner.id}
        return self._add(owner.keys, PublicKey, None, **owner_id, expires=expires, pem=pem)

    # --- users ---

    def add_user(
        self,
        organization_id: str,
        username: str | None,
        name: str,
        *,
        machine: bool = True,
        id: str | None = None,
        by: str = "",
    ) -> User:
        """Add a user; without a username its ID is used."""
        if id in self.users:
            raise FailedPrecondition("Errors.User.AlreadyExisting", "COMMAND-k2una")
        user_id = id or self.new_id()
        username = username or user_id
        self.check_username(username)
        fields = {"organization_id": organization_id, "username": username, "machine": machine, "name": name}
        user = self._add(self.users, User, user_id, **fields)
        self.log(user, "user.machine.added" if machine else "user.human.added", by, userName=username)
        return user

    def user_named(self, username: str) -> User | None:
        """Return the user of the instance with this username, which is the login name too, whatever its case."""
        return next((user for user in self.users.values() if user.username.lower() == username.lower()), None)

    def check_username(self, username: str, own: User | None = None) -> None:
        """Raise ``AlreadyExists`` if another user of the instance has the username."""
        _check_free(username, (u.username for u in self.users.values() if u is not own), "User already exists")

    def set_user_state(self, user: User, state: str, event: str, by: str = "") -> float:
        """Set a user's state. Any state but ``ACTIVE`` ends the user's tokens for good."""
        user.state = state
        if state != "ACTIVE":
            self._end_all(user, Why.USER_LOCKED if state == "LOCKED" else Why.USER_DEACTIVATED)
        self.log(user, event, by)
        return self.touch(user)

    def remove_user(self, user: User, by: str = "") -> float:
        """Remove a user with their tokens, keys, authorizations and administrator roles."""
        self._end_all(user, Why.USER_REMOVED)
        _remove(self.login_sessions, lambda session: session.user_id == user.id)
        self._remove_authorizations(lambda a: a.user_id == user.id)
        _remove(self.administrators, lambda a: a.user_id == user.id)
        del self.users[user.id]
        self.log(user, "user.removed", by)
        return self.touch(user)

    def _end_all(self, user: User, why: Why) -> None:
        for pat in user.pats.values():
            pat.dead = True
            self._end_token(pat, user, why)
        self.end_tokens(lambda token: token.user_id == user.id, why)

    def end_tokens(self, matches: Callable[[Token], bool], why: Why) -> None:
        """End the access tokens that match, and the refresh tokens that belong to them."""
        for token in [token for token in self.session_tokens.values() if matches(token)]:
            self.end_access_token(token, why)
        for refresh_token in self.refresh_tokens.values():
            refresh_token.ended = refresh_token.ended or matches(refresh_token.access)

    def add_access_token(self, token: Token) -> None:
        """Add a token of the token endpoint."""
        self._remember_text(token)
        for old in keep(self.session_tokens, token.id, token):
            self.token_ids.pop(canonical(old.token), None)

    def _remember_text(self, token: Token) -> None:
        if text := canonical(token.token):  # a JWT has none
            self.token_ids[text] = (token.id, token.user_id)

    def end_access_token(self, token: Token, why: Why) -> None:
        """End a token of the token endpoint, if it has not ended yet."""
        if self.session_tokens.pop(token.id, None):
            self._end_token(token, self.users[token.user_id], why)

    def add_pat(
        self,
        user: User,
        expires: float,
        *,
        id: str | None = None,
        token: str | None = None,
        scopes: Iterable[str] = PAT_SCOPES,
        by: str = "",
    ) -> PersonalAccessToken:
        """Add a personal access token; ``token`` is used instead of a new text."""
        pat_id = id or self.new_id()
        text = token or new_token_text(pat_id, user.id, PAT_KEY_NAME)
        fields = {"user_id": user.id, "token": text, "expires": expires, "scopes": list(scopes)}
        pat = self._add(user.pats, PersonalAccessToken, pat_id, **fields)
        pat.dead = ":" in user.id  # ZITADEL splits the text inside the token at the first colon
        self._remember_text(pat)
        self.log(user, "user.pat.added", by, tokenId=pat.id, expiration=expires, scopes=pat.scopes)
        return pat

    def remove_pat(self, user: User, pat_id: str, by: str = "") -> None:
        """Remove a personal access token, which ends at once."""
        self._end_token(user.pats[pat_id], user, Why.DELETED)
        del user.pats[pat_id]
        self.log(user, "user.pat.removed", by, tokenId=pat_id)

    # --- authorizations and administrators ---

    def add_authorization(self, user_id: str, project_id: str, organization_id: str, roles: list[str]) -> Authorization:
        """Add the one authorization of this user, project and owner; the caller has checked the roles."""
        owner = (user_id, project_id, organization_id)
        if any((a.user_id, a.project_id, a.organization_id) == owner for a in self.authorizations.values()):
            raise taken("User grant already exists")
        fields = {"user_id": user_id, "project_id": project_id, "organization_id": organization_id}
        return self._add(self.authorizations, Authorization, None, **fields, role_keys=roles)

    def assign(self, user: User, project: Project, roles: Iterable[str]) -> None:
        """Give a user roles, by the user's organization if the project is granted to it, else by the project's."""
        owner = user.organization_id if user.organization_id in project.grants else project.organization_id
        self.add_authorization(user.id, project.id, owner, list(roles))

    def remove_authorization(self, authorization: Authorization) -> None:
        """Remove an authorization, and remember when."""
        del self.authorizations[authorization.id]
        self.removed[authorization.id] = self.now()

    def _remove_authorizations(self, matches: Callable[[Authorization], bool]) -> None:
        for authorization in [a for a in self.authorizations.values() if matches(a)]:
            self.remove_authorization(authorization)

    def add_administrator(self, user_id: str, resource: Resource, roles: list[str]) -> Administrator:
        """Make a user administrator of a resource."""
        fields = {"user_id": user_id, "resource": resource, "roles": list(roles)}
        return self._add(self.administrators, Administrator, resource.held_by(user_id), **fields)

    def organization_of(self, resource: Resource) -> str | None:
        """Return the ID of the organization that a resource is or belongs to; none for the instance."""
        if resource.kind == "project":
            return self.projects[resource.id].organization_id if resource.id in self.projects else None
        return resource.id or None


def keep(objects: dict[str, T], key: str, new: T) -> list[T]:
    """Add an object; remove and return what came first, until there are no more than ``MOST_KEPT``."""
    objects[key] = new
    return [objects.pop(next(iter(objects))) for _ in range(len(objects) - MOST_KEPT)]


def _check_free(name: str, names: Iterable[str], refusal: str) -> None:
    """Raise ``AlreadyExists`` if a name is among these, whatever its case (ZITADEL)."""
    if name.lower() in (other.lower() for other in names):
        raise taken(refusal)


def _remove(objects: dict[str, E], matches: Callable[[E], bool]) -> None:
    for entity in [entity for entity in objects.values() if matches(entity)]:
        del objects[entity.id]
