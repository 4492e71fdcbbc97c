"""The kinds of objects that v1 manages: what it calls them, and how it shows them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from zdemo.emulator.api import applications, authorizations, projects, users
from zdemo.emulator.api.fields import message_of
from zdemo.emulator.api.lists import row_of, state_of, time_of, value_of
from zdemo.emulator.api.service import Answer, Call, Refusal, Service
from zdemo.emulator.api_errors import NotFound
from zdemo.emulator.entities import NEVER, Application, Authorization, User
from zdemo.emulator.world import World

NAMES = {  # of v1, and of v2
    "appId": "applicationId",
    "appType": "applicationType",
    "devMode": "developmentMode",
    "grantedOrgId": "grantedOrganizationId",
    "hasProjectCheck": "projectAccessRequired",
    "keyDetails": "keyContent",
    "noneCompliant": "nonCompliant",
    "projectRoleCheck": "authorizationRequired",
    "userName": "username",
}
OWNERS = {"projectId": "projects", "userId": "users", "id": "authorizations"}  # by v2's names of their IDs


def in_v1(answer: Mapping[str, Any]) -> Answer:
    """Return the fields of an answer of v2 by v1's names."""
    names = {new: old for old, new in NAMES.items()}
    return {names.get(name, name): value for name, value in answer.items()}


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of object: the service of v2, the message of v1, and the values that this shows.

    ``owner`` is v2's name for the ID of what belongs to an organization, the object or what the object belongs to, and
    ``find`` finds the object there by the fields of a request. ``names`` has v1's names besides ``NAMES``.
    """

    service: Service
    message: str
    values: Callable[[World, Any], Answer]
    owner: str
    find: Callable[[World, Any, Answer], Any]
    organization_id: str
    names: Mapping[str, str] = field(default_factory=dict)

    def fields(self, call: Call) -> Answer:
        """Return the fields of a request by v2's names, with what absent ones mean."""
        absent: Answer = dict.fromkeys(projects.FLAGS, False) | {"privateLabelingSetting": "", "expirationDate": NEVER}
        absent["organizationId"] = call.organization_id
        names = {**NAMES, **self.names}
        return absent | {names.get(name, name): value for name, value in call.body.items()}

    def existing(self, call: Call, fields: Answer, unknown: Refusal | None, elsewhere: Refusal | None = None) -> Any:
        """Return the object, or refuse one that is unknown, or elsewhere: not in the call's organization.

        Without a refusal return nothing, and change the fields so that v2 does not know what is elsewhere.
        """
        owner = getattr(call.world, OWNERS[self.owner]).get(fields.get(self.owner))
        if owner and owner.organization_id != call.organization_id:
            owner, unknown, fields[self.owner] = None, elsewhere or unknown, ""
        entity = owner and self.find(call.world, owner, fields)
        if entity is None and unknown:
            raise NotFound(*unknown)
        return entity

    def show(self, world: World, entity: Any) -> Answer:
        """Show an object."""
        details = users.details(entity, value_of(world, entity, self.organization_id), created=True)
        return message_of(self.message).show({"details": details} | self.values(world, entity))


def _application(world: World, project: Any, fields: Answer) -> Any:
    application = world.applications.get(fields.get("applicationId", ""))
    return application if application and application.project_id == project.id else None


def _application_key(world: World, project: Any, fields: Answer) -> Any:
    application = _application(world, project, fields)
    return application and application.keys.get(fields.get("keyId"))


def _project_grant(_: World, project: Any, fields: Answer) -> Any:
    wanted = fields.get("grantId"), fields.get("grantedOrganizationId")
    return next(
        (g for g in project.grants.values() if g.id == wanted[0] or g.granted_organization_id == wanted[1]), None
    )


def _configuration(world: World, application: Application) -> Answer:
    shown = applications.show_application(world, application)
    if application.kind == "api":
        return {"apiConfig": shown["apiConfiguration"]}
    uris = [urlsplit(uri) for uri in application.oidc_list("redirectUris")]
    origins = [f"{uri.scheme}://{uri.netloc}" for uri in uris] + application.oidc_list("additionalOrigins")
    return {"oidcConfig": in_v1(shown["oidcConfiguration"]) | {"allowedOrigins": list(dict.fromkeys(origins))}}


def _person(world: World, user: User) -> Answer:
    """Return what user grants show of a user."""
    human: Answer = users.show_user(world, user, v1=True).get("human", {})
    names = human.get("profile", {}) | human.get("email", {})
    return {**names, "userType": "TYPE_MACHINE" if user.machine else "TYPE_HUMAN"}


def _grant_id(world: World, authorization: Authorization) -> str:
    grant = world.projects[authorization.project_id].grants.get(authorization.organization_id)
    return grant.id if grant else ""


_user_grant = row_of(
    id="id",
    roleKeys="role_keys",
    state=state_of("USER_GRANT_STATE"),
    userId="user_id",
    userName="user.username",
    preferredLoginName="user.username",
    projectId="project_id",
    projectName="project.name",
    projectGrantId=_grant_id,
    orgId="organization_id",
    orgName="organization.name",
    orgDomain="organization.primary_domain",
    grantedOrgId="organization_id",
    grantedOrgName="organization.name",
    grantedOrgDomain="organization.primary_domain",
)
_project_settings = in_v1(projects.FLAGS)
_key = row_of(id="id", type=lambda *_: "KEY_TYPE_JSON", expirationDate=time_of("expires"))
_of_project = partial(Kind, service=projects.SERVICE, owner="projectId", organization_id="project.organization_id")
_of_user = partial(Kind, service=users.SERVICE, owner="userId", organization_id="user.organization_id")

PROJECT = Kind(
    service=projects.SERVICE,
    message="zitadel.project.v1.Project",
    values=row_of(id="id", name="name", state=state_of("PROJECT_STATE"), **_project_settings),
    owner="projectId",
    find=lambda _, project, __: project,
    organization_id="organization_id",
    names={"id": "projectId"},
)
ROLE = _of_project(
    message="zitadel.project.v1.Role",
    values=row_of(key="id", displayName="display_name", group="group"),
    find=lambda _, project, fields: project.roles.get(fields["roleKey"]),
)
PROJECT_GRANT = _of_project(
    message="zitadel.project.v1.GrantedProject",
    values=row_of(
        grantId="id",
        grantedOrgId="granted_organization_id",
        grantedOrgName=projects.GRANTED["grantedOrganizationName"],
        grantedRoleKeys="role_keys",
        state=state_of("PROJECT_GRANT_STATE"),
        projectId="project_id",
        projectName="project.name",
        projectOwnerId="project.organization_id",
        projectOwnerName="project.organization.name",
    ),
    find=_project_grant,
)
APPLICATION = _of_project(
    service=applications.SERVICE,
    message="zitadel.app.v1.App",
    values=lambda world, a: {"id": a.id, "name": a.name, "state": f"APP_STATE_{a.state}"} | _configuration(world, a),
    find=_application,
)
APPLICATION_KEY = _of_project(
    service=applications.SERVICE,
    message="zitadel.authn.v1.Key",
    values=_key,
    find=_application_key,
    organization_id="application.project.organization_id",
)
USER = _of_user(
    message="zitadel.user.v1.User",
    values=partial(users.show_user, v1=True),
    find=lambda _, user, __: user,
    organization_id="organization_id",
    names={"id": "userId"},
)
MACHINE = replace(USER, find=lambda _, user, __: user if user.machine else None)
USER_KEY = _of_user(
    message="zitadel.authn.v1.Key",
    values=_key,
    find=lambda _, user, fields: user.keys.get(fields.get("keyId")),
)
PERSONAL_ACCESS_TOKEN = _of_user(
    message="zitadel.user.v1.PersonalAccessToken",
    values=row_of(id="id", expirationDate=time_of("expires"), scopes="scopes"),
    find=lambda _, user, fields: user.pats.get(fields.get("tokenId")),
)
USER_GRANT = Kind(
    service=authorizations.SERVICE,
    message="zitadel.user.v1.UserGrant",
    values=lambda world, grant: _user_grant(world, grant) | _person(world, world.users[grant.user_id]),
    owner="id",
    find=lambda _, grant, __: grant,
    organization_id="organization_id",
    names={"grantId": "id"},
)
