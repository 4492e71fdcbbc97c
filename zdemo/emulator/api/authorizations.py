"""Who has which roles of a project (zitadel.authorization.v2), and who administers what (internal_permission.v2)."""

from functools import partial
from typing import Any

from zdemo.emulator.api import fields as t
from zdemo.emulator.api import lists
from zdemo.emulator.api.projects import no_project
from zdemo.emulator.api.service import Answer, Call, Refusal, Service, switch
from zdemo.emulator.api_errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    existing,
    unsupported,
)
from zdemo.emulator.entities import INSTANCE, Administrator, Authorization, Resource
from zdemo.emulator.rights import kind_of
from zdemo.emulator.world import World

SERVICE = Service("zitadel.authorization.v2.AuthorizationService")


# users as parts of other rows
show_user = lists.row_of(preferredLoginName="username", displayName=lambda _, user: "" if user.machine else user.name)


def show_organization(world: World, organization_id: str) -> Answer:
    """Return an organization as a part of other rows."""
    organization = world.organizations.get(organization_id)
    return {"id": organization_id, "name": organization.name if organization else ""}


def _show(world: World, authorization: Authorization) -> Answer:
    project = world.projects[authorization.project_id]
    roles = [project.roles[key] for key in authorization.role_keys if key in project.roles]
    return {
        **t.attributes(authorization),
        "project": t.attributes(project),
        "organization": show_organization(world, authorization.organization_id),
        "user": show_user(world, world.users[authorization.user_id]),
        "roles": [t.attributes(role) | {"key": role.id} for role in roles],
    }


def _check_roles(world: World, project_id: str, organization_id: str, role_keys: list[str]) -> None:
    """Refuse roles that the organization cannot assign, in its own project or in one that is granted to it."""
    project = world.projects.get(project_id)
    if project and project.organization_id == organization_id:
        assignable = set(project.roles)
    elif project and organization_id in project.grants:
        assignable = set(project.grants[organization_id].role_keys)
    else:
        raise FailedPrecondition("Project Grant not found", "COMMAND-4m9ff")
    if not set(role_keys) <= assignable:
        raise FailedPrecondition("Errors.Project.Role.NotFound", "COMMAND-mm9F4")


@SERVICE.method("CreateAuthorization")
def _create_authorization(call: Call) -> Answer:
    """Create the authorization of a user, project and owner; it can be without roles."""
    body = call.body
    user_id, project_id, organization_id = body["userId"], body["projectId"], body["organizationId"]
    if user_id not in call.world.users:
        raise FailedPrecondition("User could not be found", "COMMAND-4f8sg")
    role_keys = body.get("roleKeys", [])
    _check_roles(call.world, project_id, organization_id, role_keys)
    call.need("user.grant.write", organization_id, project_id)
    authorization = call.world.add_authorization(user_id, project_id, organization_id, role_keys)
    return {"id": authorization.id, "creationDate": authorization.created}


def _existing(call: Call, error_id: str) -> Authorization:
    authorization = existing(call.world.authorizations.get(call.body["id"]), NotFound("User grant not found", error_id))
    call.need("user.grant.write", authorization.organization_id, authorization.project_id)
    return authorization


@SERVICE.method("UpdateAuthorization")
def _update_authorization(call: Call) -> Answer:
    """Replace the roles, also of an inactive authorization; an update that changes nothing is accepted."""
    authorization = _existing(call, "COMMAND-3M9sd")
    role_keys = call.body.get("roleKeys", [])
    _check_roles(call.world, authorization.project_id, authorization.organization_id, role_keys)
    return {"changeDate": call.change(authorization, role_keys=role_keys)}


for name, active, unknown in (  # with its roles in the claims
    ("DeactivateAuthorization", False, "COMMAND-3M9sd"),
    ("ActivateAuthorization", True, "COMMAND-Lp0gs"),
):
    SERVICE.method(name)(partial(switch, partial(_existing, error_id=unknown), active, None))


@SERVICE.method("DeleteAuthorization")
def _delete_authorization(call: Call) -> Answer:
    """Delete an authorization, or answer with the date of its deletion, or with no time for an unknown one."""
    authorization = call.world.authorizations.get(call.body["id"])
    if authorization:
        call.need("user.grant.delete", authorization.organization_id, authorization.project_id)
        call.world.remove_authorization(authorization)
    return {"deletionDate": call.world.removed.get(call.body["id"], t.NO_TIME)}


lists.Listing[Authorization](
    rows=lambda call: call.world.authorizations.values(),
    visible=lambda call, a: a.user_id == call.caller.id or call.may("user.grant.read", a.organization_id, a.project_id),
    show=_show,
    filters=lists.filters_of(
        *("organizationId", "projectId"),
        authorizationIds="id",
        state=lambda _, row: f"STATE_{row.state}",
        inUserIds="user_id",
        userOrganizationId="user.organization_id",
        userPreferredLoginName="user.username",
        projectName="project.name",
        roleKey="role_keys",
    ),
    columns={"USER_ORGANIZATION_ID": "user.organization_id"},
).serve(SERVICE, "ListAuthorizations")


# --- administrators ---

INTERNAL = Service("zitadel.internal_permission.v2.InternalPermissionService")
_PERMISSION = {"instance": "iam.member", "organization": "org.member", "project": "project.member"}
_INVALID = "Errors.Invalid.Argument"
_INSTANCE, _ORGANIZATION, _PROJECT = "Member is invalid", "Errors.Org.MemberInvalid", "Project member is invalid"
_EXISTS = {
    "instance": ("Errors.Instance.Member.AlreadyExists", "INSTA-pFDwe"),
    "organization": ("Errors.Org.Member.AlreadyExists", "ORG-poWwe"),
    "project": ("Project member already exists", "PROJECT-PtXi1"),
}
# ZITADEL's errors about an incomplete request, an unknown role and (an ID alone) an unknown user
_ADDING = {
    "instance": ((_INVALID, "INSTA-SDSfs"), (_INSTANCE, "INSTANCE-4m0fS"), "INSTA-GSXOn"),
    "organization": ((_INVALID, "ORG-4Mlfs"), (_ORGANIZATION, "Org-4N8es"), "ORG-GoXOn"),
    "project": ((_PROJECT, "PROJECT-W8m4l"), (_PROJECT, "PROJECT-3m9ds"), "COMMAND-uXHNj"),
}
_CHANGING = {
    "instance": ((_INSTANCE, "INSTANCE-LiaZi"), (_INSTANCE, "INSTANCE-3m9fs"), "INSTANCE-D8JxR"),
    "organization": ((_INVALID, "ORG-4Mlfs"), (_ORGANIZATION, "Org-4N8es"), "Org-D8JxR"),
    "project": ((_PROJECT, "PROJECT-LiaZi"), (_PROJECT, "PROJECT-3m9d"), "PROJECT-D8JxR"),
}


def _resource(content: dict[str, Any]) -> Resource:
    if content.get("instance"):
        return INSTANCE
    if "projectGrant" in content:
        raise unsupported("administrators of project grants")
    for name, id in content.items():
        if name != "instance":
            return Resource(name.removesuffix("Id"), id)
    raise InvalidArgument(_INVALID, "ADMIN-IbPp47HDP5")


def _permitted_resource(call: Call, verb: str) -> Resource:
    resource = _resource(call.body.get("resource", {}))
    call.need(f"{_PERMISSION[resource.kind]}.{verb}", call.world.organization_of(resource), resource.id)
    return resource


def _roles(call: Call, kind: str, incomplete: Refusal, unknown: Refusal, *, may_be_none: bool = False) -> list[str]:
    roles: list[str] = call.body.get("roles", [])
    if not call.body.get("userId") or not (roles or may_be_none):
        raise InvalidArgument(*incomplete)
    if any(kind_of(role) != kind for role in roles):
        raise InvalidArgument(*unknown)
    return roles


@INTERNAL.method("CreateAdministrator")
def _create_administrator(call: Call) -> Answer:
    resource = _permitted_resource(call, "write")
    *refusals, unknown_user = _ADDING[resource.kind]
    roles = _roles(call, resource.kind, *refusals, may_be_none=resource == INSTANCE)
    if call.body["userId"] not in call.world.users:
        raise FailedPrecondition("User could not be found", unknown_user)
    if resource.kind == "project" and resource.id not in call.world.projects:
        raise no_project()
    if resource.held_by(call.body["userId"]) in call.world.administrators:
        raise AlreadyExists(*_EXISTS[resource.kind])
    return {"creationDate": call.world.add_administrator(call.body["userId"], resource, roles).created}


@INTERNAL.method("UpdateAdministrator")
def _update_administrator(call: Call) -> Answer:
    """Replace the roles; an update that changes nothing is accepted."""
    resource = _permitted_resource(call, "write")
    *refusals, unknown_user = _CHANGING[resource.kind]
    roles = _roles(call, resource.kind, *refusals)
    unknown = NotFound("Errors.NotFound", unknown_user)
    administrator = existing(call.world.administrators.get(resource.held_by(call.body["userId"])), unknown)
    return {"changeDate": call.change(administrator, roles=roles)}


@INTERNAL.method("DeleteAdministrator")
def _delete_administrator(call: Call) -> Answer:
    """Remove an administrator, or answer with the date of the removal; the answer for others is empty."""
    id = _permitted_resource(call, "delete").held_by(call.body.get("userId", ""))
    if call.world.administrators.pop(id, None):
        call.world.removed[id] = call.world.now()
    return {"deletionDate": call.world.removed.get(id)}


def _show_administrator(world: World, administrator: Administrator) -> Answer:
    kind, id = administrator.resource
    owner = t.attributes(world.projects[id]) if kind == "project" else show_organization(world, id)
    return {
        **t.attributes(administrator),
        "user": show_user(world, world.users[administrator.user_id]),
        kind: True if kind == "instance" else owner,
    }


def _visible(call: Call, administrator: Administrator) -> bool:
    resource = administrator.resource
    owner = call.world.organization_of(resource) or ""
    return administrator.user_id == call.caller.id or call.may(f"{_PERMISSION[resource.kind]}.read", owner, resource.id)


lists.Listing[Administrator](
    rows=lambda call: call.world.administrators.values(),
    visible=_visible,
    show=_show_administrator,
    filters=lists.filters_of(inUserIdsFilter="user_id")
    | {
        "resource": lambda _, administrator, f: administrator.resource == _resource(f),
        "role": lambda _, administrator, f: f["roleKey"] in administrator.roles,
    },
).serve(INTERNAL, "ListAdministrators")
