"""zitadel.internal_permission.v2.InternalPermissionService: administrators and what they administer."""

from typing import Any

from zdemo.emulator.api.authorizations import show_organization, show_project, show_user
from zdemo.emulator.api.fields import FLAG, ID, FieldType, Message, OneOf, Repeated, Sub, Text, dates, moment
from zdemo.emulator.api.lists import Filter, Listing, columns, id_filter, ids_filter, text_filter, time_filter
from zdemo.emulator.api.service import PREFIXES, ROLES, Answer, Call, Refusal, Service
from zdemo.emulator.api.users import display_name
from zdemo.emulator.api_errors import FailedPrecondition, InvalidArgument, NotFound, existing
from zdemo.emulator.entities import Administrator, User
from zdemo.emulator.world import World

SERVICE = Service("zitadel.internal_permission.v2.InternalPermissionService")
_RESOURCES: dict[str, FieldType] = {"instance": FLAG, "organizationId": ID, "projectId": ID}
_RESOURCE = Sub(Message("ResourceType", OneOf("Resource", tuple(_RESOURCES), required=True), **_RESOURCES))
_FIELDS: dict[str, FieldType] = {"userId": Text(most=200), "resource": _RESOURCE}
_ROLE_KEYS = Repeated(ID, unique=True)
_PERMISSION = {"instance": "iam.member", "organization": "org.member", "project": "project.member"}


_INVALID = "Errors.Invalid.Argument"
_INSTANCE, _ORGANIZATION, _PROJECT = "Member is invalid", "Errors.Org.MemberInvalid", "Project member is invalid"
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


def _resource(content: dict[str, Any]) -> tuple[str, str]:
    """Return a resource in the form of ``Administrator``."""
    if content.get("instance"):
        return "instance", ""
    if "organizationId" in content:
        return "organization", content["organizationId"]
    if "projectId" in content:
        return "project", content["projectId"]
    raise InvalidArgument("Errors.Invalid.Argument", "ADMIN-IbPp47HDP5")


def _permitted_resource(call: Call, verb: str) -> tuple[str, str]:
    """Return the resource of the request, once the caller has the permission for its administrators."""
    kind, id = _resource(call.body.get("resource", {}))
    project = call.world.projects.get(id)
    owner = {"organization": id, "project": project.organization_id if project else None}.get(kind)
    call.need(f"{_PERMISSION[kind]}.{verb}", owner, id)
    return kind, id


def _roles(call: Call, kind: str, incomplete: Refusal, unknown: Refusal, *, may_be_none: bool = False) -> list[str]:
    roles: list[str] = call.body.get("roles", [])
    if not call.body.get("userId") or not (roles or may_be_none):
        raise InvalidArgument(*incomplete)
    if any(role not in ROLES or not role.startswith(PREFIXES[kind]) for role in roles):
        raise InvalidArgument(*unknown)
    return roles


@SERVICE.method("CreateAdministrator", **_FIELDS, roles=_ROLE_KEYS)
def create_administrator(call: Call) -> Answer:
    """Make a user administrator of a resource, once."""
    resource = _permitted_resource(call, "write")
    *refusals, unknown_user = _ADDING[resource[0]]
    roles = _roles(call, resource[0], *refusals, may_be_none=resource[0] == "instance")
    if call.body["userId"] not in call.world.users:
        raise FailedPrecondition("User could not be found", unknown_user)
    if resource[0] == "project" and resource[1] not in call.world.projects:
        raise FailedPrecondition("Project not found", "COMMAND-EbFMN")
    made = call.world.add_administrator(call.body["userId"], resource, roles)
    return {"creationDate": moment(made.created)}


@SERVICE.method("UpdateAdministrator", **_FIELDS, roles=_ROLE_KEYS)
def update_administrator(call: Call) -> Answer:
    """Replace the roles; no change is accepted."""
    resource = _permitted_resource(call, "write")
    *refusals, unknown_user = _CHANGING[resource[0]]
    roles = _roles(call, resource[0], *refusals)
    unknown = NotFound("Errors.NotFound", unknown_user)
    found = existing(call.world.find_administrator(call.body["userId"], resource), unknown)
    if set(roles) != set(found.roles):
        found.roles = list(roles)
        call.world.touch(found)
    return {"changeDate": moment(found.changed)}


@SERVICE.method("DeleteAdministrator", **_FIELDS)
def delete_administrator(call: Call) -> Answer:
    """Remove an administrator; a user who is not one is accepted."""
    resource = _permitted_resource(call, "delete")
    found = call.world.find_administrator(call.body.get("userId", ""), resource)
    if found is None:
        return {}
    del call.world.administrators[found.id]
    return {"deletionDate": moment(call.world.now())}


def _show(world: World, administrator: Administrator) -> Answer:
    kind, id = administrator.resource
    shown = show_project(world.projects[id]) if kind == "project" else show_organization(world, id)
    return {
        **dates(administrator),
        "user": show_user(world.users[administrator.user_id]),
        kind: True if kind == "instance" else shown,
        "roles": list(administrator.roles),
    }


def _visible(call: Call, administrator: Administrator) -> bool:
    kind, id = administrator.resource
    owner = call.world.projects[id].organization_id if kind == "project" else id
    return call.may(f"{_PERMISSION[kind]}.read", owner, id)


def _user(world: World, administrator: Administrator) -> User:
    return world.users[administrator.user_id]


Listing[Administrator](
    rows=lambda call: call.world.administrators.values(),
    visible=_visible,
    show=_show,
    result="administrators",
    filter_name="AdministratorSearchFilter",
    filters={
        "inUserIdsFilter": ids_filter(lambda _, a: a.user_id),
        "creationDate": time_filter(lambda a: a.created),
        "changeDate": time_filter(lambda a: a.changed),
        "userOrganizationId": id_filter("IDFilter", lambda w, a: _user(w, a).organization_id),
        "userPreferredLoginName": text_filter(
            "UserPreferredLoginNameFilter", "preferredLoginName", lambda w, a: _user(w, a).username
        ),
        "userDisplayName": text_filter("UserDisplayNameFilter", "displayName", lambda w, a: display_name(_user(w, a))),
        "resource": Filter(
            Sub(Message("ResourceFilter", OneOf("Resource", tuple(_RESOURCES), required=True), **_RESOURCES)),
            lambda _, a, f: a.resource == _resource(f),
        ),
        "role": Filter(Sub(Message("RoleFilter", roleKey=ID)), lambda _, a, f: f["roleKey"] in a.roles),
    },
    columns=columns("ADMINISTRATOR_FIELD_NAME", USER_ID="user_id", CREATION_DATE="created", CHANGE_DATE="changed"),
).serve(SERVICE, "ListAdministrators")
