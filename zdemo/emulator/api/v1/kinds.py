"""The kinds of objects that v1 manages: their names, and their fields in answers."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from zdemo.emulator.api import applications, authorizations, organizations, projects, users
from zdemo.emulator.api.fields import attributes, details
from zdemo.emulator.api.lists import row_of, value_of
from zdemo.emulator.api.service import Answer, Call, Refusal, Service
from zdemo.emulator.api_errors import NotFound
from zdemo.emulator.entities import NEVER, Application, Authorization, Resource
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
Find = Callable[[World, Any, Answer], Any]  # by the owner of a part and the fields of a request
# the objects that belong to an organization, by v2's names of their IDs
OWNERS = {"organizationId": "organizations", "projectId": "projects", "userId": "users", "id": "authorizations"}


def in_v1(answer: Mapping[str, Any]) -> Answer:
    """Return the fields of an answer of v2 by v1's names."""
    names = {new: old for old, new in NAMES.items()}
    return {names.get(name, name): value for name, value in answer.items()}


@dataclass(frozen=True)
class Kind:
    """A kind of object, and the service of v2 that manages it.

    ``owner`` is v2's name for the ID of the object that belongs to an organization: of this kind, or the whole of which
    it is a part. ``find`` returns the part for the fields of a request. ``values`` returns all fields but ``details``.
    """

    service: Service
    owner: str
    find: Find = lambda _, owner, __: owner
    values: Callable[[World, Any], Answer] = lambda _, entity: attributes(entity)

    def fields(self, call: Call) -> Answer:
        """Return the fields of a request by v2's names, with what absent ones mean."""
        absent: Answer = {"organizationId": call.organization_id, "expirationDate": NEVER, "privateLabelingSetting": ""}
        absent |= {name: False for name in projects.FLAGS if name not in absent}
        names = {**NAMES, "id": self.owner, **({"grantId": "id"} if self.owner == "id" else {})}
        return absent | {names.get(name, name): value for name, value in call.body.items()}

    def existing(self, call: Call, fields: Answer, unknown: Refusal | None, elsewhere: Refusal | None = None) -> Any:
        """Return the object, or refuse one that is unknown, or elsewhere: in another organization than the call.

        Without a refusal, return None, and clear the owner in the fields, so that v2 does not know it.
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
        owner = value_of(world, entity, "organization_id")
        return {"details": details(entity, owner, created=True), **self.values(world, entity)}


def _application(world: World, project: Any, fields: Answer) -> Any:
    application = world.applications.get(fields.get("applicationId", ""))
    return application if application and application.project_id == project.id else None


def _application_key(world: World, project: Any, fields: Answer) -> Any:
    application = _application(world, project, fields)
    return application and application.keys.get(fields.get("keyId"))


def _project_grant(_: World, project: Any, fields: Answer) -> Any:
    wanted = {fields.get("grantId"), fields.get("grantedOrganizationId")}
    return next((grant for key, grant in project.grants.items() if {key, grant.id} & wanted), None)


def _configuration(world: World, application: Application) -> Answer:
    answer = applications.show_application(world, application)
    if application.kind == "api":
        return answer | {"apiConfig": answer["apiConfiguration"]}
    uris = [re.match("([^:/?#]+):(?://([^/?#]*))?", uri) for uri in application.oidc.get("redirectUris", [])]
    origins = [f"{uri[1]}://{uri[2] or ''}" for uri in uris if uri] + application.oidc.get("additionalOrigins", [])
    configuration = in_v1(answer["oidcConfiguration"]) | {"allowedOrigins": list(dict.fromkeys(origins))}
    return answer | {"oidcConfig": configuration}


def _user_grant(world: World, authorization: Authorization) -> Answer:
    user = users.show_user(world, world.users[authorization.user_id])
    human, project = user["human"] or {}, world.projects[authorization.project_id]
    owner, grant = world.organizations[authorization.organization_id], project.grants.get(authorization.organization_id)
    organization = {"Id": owner.id, "Name": owner.name, "Domain": owner.primary_domain}
    return {
        **attributes(authorization),
        "userName": user["userName"],
        "preferredLoginName": user["preferredLoginName"],
        "userType": "TYPE_HUMAN" if human else "TYPE_MACHINE",
        **human.get("profile", {}),
        **human.get("email", {}),
        "projectName": project.name,
        "projectGrantId": grant and grant.id,
        **{f"{of}{name}": value for of in ("org", "grantedOrg") for name, value in organization.items()},
    }


_key = row_of(type=lambda *_: "KEY_TYPE_JSON", expirationDate="expires")
_granted_project = row_of(
    grantId="id",
    grantedOrgId="granted_organization_id",
    grantedOrgName=projects.GRANTED["grantedOrganizationName"],
    grantedRoleKeys="role_keys",
    projectName="name",
    projectOwnerId="organization_id",
    projectOwnerName="project.organization.name",
)


def _part(objects: str, id: str) -> Find:
    return lambda _, owner, fields: getattr(owner, objects).get(fields.get(id))


def _administrator(world: World, organization: Any, fields: Answer) -> Any:
    return world.administrators.get(Resource("organization", organization.id).held_by(fields["userId"]))


ORGANIZATION = Kind(organizations.SERVICE, "organizationId")
ORGANIZATION_MEMBER = Kind(authorizations.INTERNAL, "organizationId", _administrator)
PROJECT = Kind(projects.SERVICE, "projectId", values=row_of(**in_v1(projects.FLAGS)))
ROLE = Kind(projects.SERVICE, "projectId", _part("roles", "roleKey"), row_of(key="id"))
PROJECT_GRANT = Kind(projects.SERVICE, "projectId", _project_grant, _granted_project)
APPLICATION = Kind(applications.SERVICE, "projectId", _application, _configuration)
APPLICATION_KEY = Kind(applications.SERVICE, "projectId", _application_key, _key)
USER = Kind(users.SERVICE, "userId", values=users.show_user)
MACHINE = replace(USER, find=lambda _, user, __: user if user.machine else None)
USER_KEY = Kind(users.SERVICE, "userId", _part("keys", "keyId"), _key)
PERSONAL_ACCESS_TOKEN = Kind(users.SERVICE, "userId", _part("pats", "tokenId"), _key)
USER_GRANT = Kind(authorizations.SERVICE, "id", values=_user_grant)
