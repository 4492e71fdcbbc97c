"""zitadel.internal_permission.v2.InternalPermissionService: who administers what."""

from dataclasses import dataclass
from typing import Any

from zdemo.emulator.api.authorizations import show_organization, show_project, show_user
from zdemo.emulator.api.call import Answer, Call, Service
from zdemo.emulator.api.kinds import Flag, Kind, Repeated, Text
from zdemo.emulator.api.listing import Filter, Listing, id_filter, ids_filter, text_filter, time_filter
from zdemo.emulator.api.permissions import PREFIXES, ROLES
from zdemo.emulator.api.projects import ID
from zdemo.emulator.api.schema import Message, OneOf, Sub
from zdemo.emulator.api.users import display_name
from zdemo.emulator.api.values import moment
from zdemo.emulator.entities import Administrator, User
from zdemo.emulator.errors import FailedPrecondition, InvalidArgument, NotFound
from zdemo.emulator.world import World

SERVICE = Service("zitadel.internal_permission.v2.InternalPermissionService", "internal_permission")
_RESOURCES: dict[str, Kind] = {"instance": Flag(), "organizationId": ID, "projectId": ID}
_RESOURCE = Sub(Message("ResourceType", OneOf("Resource", tuple(_RESOURCES), required=True), **_RESOURCES))
_USER = Text(most=200)
_ROLE_KEYS = Repeated(Text(1, 200), unique=True)
_PERMISSION = {"instance": "iam.member", "organization": "org.member", "project": "project.member"}


@dataclass(frozen=True)
class _Words:
    """What is said, each with its ID, about a request that is refused; ``unknown_user`` is an ID alone."""

    incomplete: tuple[str, str]
    unknown_role: tuple[str, str]
    unknown_user: str
    may_be_without_roles: bool = False


_ORGANIZATION = ("Errors.Invalid.Argument", "ORG-4Mlfs"), ("Errors.Org.MemberInvalid", "Org-4N8es")
_INVALID_FOR_INSTANCE, _INVALID_FOR_PROJECT = "Member is invalid", "Project member is invalid"
_ADDING = {
    "instance": _Words(
        ("Errors.Invalid.Argument", "INSTA-SDSfs"), (_INVALID_FOR_INSTANCE, "INSTANCE-4m0fS"), "INSTA-GSXOn", True
    ),
    "organization": _Words(*_ORGANIZATION, "ORG-GoXOn"),
    "project": _Words(
        (_INVALID_FOR_PROJECT, "PROJECT-W8m4l"), (_INVALID_FOR_PROJECT, "PROJECT-3m9ds"), "COMMAND-uXHNj"
    ),
}
_CHANGING = {
    "instance": _Words(
        (_INVALID_FOR_INSTANCE, "INSTANCE-LiaZi"), (_INVALID_FOR_INSTANCE, "INSTANCE-3m9fs"), "INSTANCE-D8JxR"
    ),
    "organization": _Words(*_ORGANIZATION, "Org-D8JxR"),
    "project": _Words((_INVALID_FOR_PROJECT, "PROJECT-LiaZi"), (_INVALID_FOR_PROJECT, "PROJECT-3m9d"), "PROJECT-D8JxR"),
}


def _resource(content: dict[str, Any]) -> tuple[str, str]:
    """As in ``Administrator``."""
    if content.get("instance"):
        return "instance", ""
    if "organizationId" in content:
        return "organization", content["organizationId"]
    if "projectId" in content:
        return "project", content["projectId"]
    raise InvalidArgument("Errors.Invalid.Argument", "ADMIN-IbPp47HDP5")


def _reached(call: Call, verb: str) -> tuple[str, str]:
    """The resource of the request, once the caller may do this to its administrators."""
    kind, id = _resource(call.body.get("resource", {}))
    project = call.world.projects.get(id)
    owner = {"organization": id, "project": project.organization_id if project else None}.get(kind)
    call.need(f"{_PERMISSION[kind]}.{verb}", owner, id)
    return kind, id


def _roles(call: Call, kind: str, words: _Words) -> list[str]:
    roles: list[str] = call.body.get("roles", [])
    if not call.body.get("userId") or not (roles or words.may_be_without_roles):
        raise InvalidArgument(*words.incomplete)
    if any(role not in ROLES or not role.startswith(PREFIXES[kind]) for role in roles):
        raise InvalidArgument(*words.unknown_role)
    return roles


@SERVICE.method(Message("CreateAdministratorRequest", userId=_USER, resource=_RESOURCE, roles=_ROLE_KEYS))
def create_administrator(call: Call) -> Answer:
    """Once for each user and resource."""
    resource = _reached(call, "write")
    words = _ADDING[resource[0]]
    roles = _roles(call, resource[0], words)
    if call.body["userId"] not in call.world.users:
        raise FailedPrecondition("User could not be found", words.unknown_user)
    if resource[0] == "project" and resource[1] not in call.world.projects:
        raise FailedPrecondition("Project not found", "COMMAND-EbFMN")
    made = call.world.add_administrator(call.body["userId"], resource, roles)
    return {"creationDate": moment(made.created)}


@SERVICE.method(Message("UpdateAdministratorRequest", userId=_USER, resource=_RESOURCE, roles=_ROLE_KEYS))
def update_administrator(call: Call) -> Answer:
    """A full list; no change is fine."""
    resource = _reached(call, "write")
    words = _CHANGING[resource[0]]
    roles = _roles(call, resource[0], words)
    found = call.world.find_administrator(call.body["userId"], resource)
    if found is None:
        raise NotFound("Errors.NotFound", words.unknown_user)
    if set(roles) != set(found.roles):
        found.roles = list(roles)
        call.world.touch(found)
    return {"changeDate": moment(found.changed)}


@SERVICE.method(Message("DeleteAdministratorRequest", userId=_USER, resource=_RESOURCE))
def delete_administrator(call: Call) -> Answer:
    """Never refused for want of one."""
    resource = _reached(call, "delete")
    found = call.world.find_administrator(call.body.get("userId", ""), resource)
    if found is None:
        return {}
    del call.world.administrators[found.id]
    return {"deletionDate": moment(call.world.now())}


def _show_resource(world: World, administrator: Administrator) -> Answer:
    kind, id = administrator.resource
    if kind == "instance":
        return {"instance": True}
    if kind == "project":
        return {"project": show_project(world.projects[id])}
    return {"organization": show_organization(world, id)}


def _show(world: World, administrator: Administrator) -> Answer:
    return {
        "creationDate": moment(administrator.created),
        "changeDate": moment(administrator.changed),
        "user": show_user(world.users[administrator.user_id]),
        **_show_resource(world, administrator),
        "roles": list(administrator.roles),
    }


def _visible(call: Call, administrator: Administrator) -> bool:
    kind, id = administrator.resource
    owner = call.world.projects[id].organization_id if kind == "project" else id
    return call.access.may(f"{_PERMISSION[kind]}.read", owner, id)


def _user(world: World, administrator: Administrator) -> User:
    return world.users[administrator.user_id]


ADMINISTRATORS = Listing[Administrator](
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
        "role": Filter(Sub(Message("RoleFilter", roleKey=Text(1, 200))), lambda *_: False),
    },
    columns={
        "ADMINISTRATOR_FIELD_NAME_USER_ID": lambda _, a: a.user_id,
        "ADMINISTRATOR_FIELD_NAME_CREATION_DATE": lambda _, a: a.created,
        "ADMINISTRATOR_FIELD_NAME_CHANGE_DATE": lambda _, a: a.changed,
    },
)


@SERVICE.method(ADMINISTRATORS.request("ListAdministratorsRequest"))
def list_administrators(call: Call) -> Answer:
    """One filter exists and does not work (ZITADEL v4)."""
    if any("role" in one for one in call.body.get("filters", ())):
        raise InvalidArgument("List.Query.Invalid", "ORG-vR9nC")
    return ADMINISTRATORS.answer(call)
