"""The calls of the v1 APIs that v2 has no match for: token types, whoami, own roles, ending an organization."""

from collections.abc import Callable

from zdemo.emulator.api.call import Answer, Call, Method
from zdemo.emulator.api.kinds import Enum, Text
from zdemo.emulator.api.permissions import AUTHENTICATED
from zdemo.emulator.api.projects import ID, OPTIONAL
from zdemo.emulator.api.schema import Message
from zdemo.emulator.api.users import TOKEN_TYPES, details, show_human, show_machine
from zdemo.emulator.api.values import moment
from zdemo.emulator.entities import Administrator, Organization, User
from zdemo.emulator.errors import FailedPrecondition, NotFound, PermissionDenied

Route = tuple[str, str, Method]
ROUTES: list[Route] = []


def route(
    verb: str, path: str, request: Message, permission: str = AUTHENTICATED
) -> Callable[[Callable[[Call], Answer]], Callable[[Call], Answer]]:
    """Decorates the function that answers a request."""

    def declare(answer: Callable[[Call], Answer]) -> Callable[[Call], Answer]:
        ROUTES.append((verb, path, Method(request, answer, permission)))
        return answer

    return declare


_MACHINE = {
    "name": ID,
    "description": Text(most=500),
    "accessTokenType": Enum(TOKEN_TYPES),
}


@route(
    "POST",
    "/management/v1/users/machine",
    Message("AddMachineUserRequest", userId=OPTIONAL, userName=ID, **_MACHINE),
    "user.write",
)
def add_machine_user(call: Call) -> Answer:
    """In the context's organization; the only way to a JWT token type where v2 lacks it."""
    body = call.body
    user = call.world.add_user(
        call.organization_id, body["userName"], body["name"], id=body.get("userId"), by=call.caller.id
    )
    _set_machine(user, body)
    return {"userId": user.id, "details": details(user, user.organization_id)}


@route(
    "PUT",
    "/management/v1/users/<userId>/machine",
    Message("UpdateMachineRequest", userId=Text(), **_MACHINE),
    "user.write",
)
def update_machine(call: Call) -> Answer:
    """All fields are replaced; no change is refused."""
    user = call.world.users.get(call.body["userId"])
    if user is None or not user.machine or user.organization_id != call.organization_id:
        raise NotFound("User could not be found", "COMMAND-5M0od")
    before = (user.name, user.description, user.jwt_access_tokens)
    _set_machine(user, call.body)
    if (user.name, user.description, user.jwt_access_tokens) == before:
        raise FailedPrecondition("Errors.User.NotChanged", "COMMAND-2n8vs")
    call.world.touch(user)
    return {"details": details(user, user.organization_id)}


def _set_machine(user: User, body: Answer) -> None:
    user.name = body["name"]
    user.description = body.get("description", "")
    user.jwt_access_tokens = body.get("accessTokenType") == TOKEN_TYPES[1]


@route("GET", "/auth/v1/users/me", Message("GetMyUserRequest"))
def get_my_user(call: Call) -> Answer:
    """Whom the token stands for."""
    user = call.caller
    shown = {"machine": show_machine(user)} if user.machine else {"human": show_human(user)}
    return {
        "user": {
            "id": user.id,
            "details": details(user, user.organization_id, created=True),
            "state": f"USER_STATE_{user.state}",
            "userName": user.username,
            "loginNames": [user.username],
            "preferredLoginName": user.username,
            **shown,
        }
    }


@route("POST", "/auth/v1/memberships/me/_search", Message("ListMyMembershipsRequest"))
def list_my_memberships(call: Call) -> Answer:
    """The caller's administrator roles, everywhere."""
    mine = [a for a in call.world.administrators.values() if a.user_id == call.caller.id]
    head = {"totalResult": str(len(mine))} if mine else {}
    answer: Answer = {"details": {**head, "viewTimestamp": moment(call.world.now())}}
    if mine:
        answer["result"] = [_show_membership(call, administrator) for administrator in mine]
    return answer


def _show_membership(call: Call, administrator: Administrator) -> Answer:
    kind, id = administrator.resource
    world = call.world
    what: Answer
    if kind == "instance":
        owner, name, what = world.id, "ZITADEL", {"iam": True}
    elif kind == "project":
        project = world.projects[id]
        owner, name, what = project.organization_id, project.name, {"projectId": id}
    else:
        organization = world.organizations.get(id)
        owner, name, what = id, organization.name if organization else "", {"orgId": id}
    return {
        "userId": administrator.user_id,
        "details": details(administrator, owner, created=True),
        "roles": list(administrator.roles),
        "displayName": name,
        **what,
    }


@route("POST", "/auth/v1/permissions/zitadel/me/_search", Message("ListMyZitadelPermissionsRequest"))
def list_my_permissions(call: Call) -> Answer:
    """All that the caller may in the context's organization."""
    permissions = call.access.permissions(call.organization_id)
    return {"result": permissions} if permissions else {}


@route("GET", "/management/v1/iam", Message("GetIAMRequest"))
def get_iam(call: Call) -> Answer:
    """The IDs of the instance."""
    default = call.world.default_organization
    id = default.id if default else ""
    return {"globalOrgId": id, "defaultOrgId": id, "iamProjectId": call.world.zitadel_project_id}


# --- the context's organization ---


def _mine(call: Call) -> Organization:
    organization = call.world.organizations.get(call.organization_id)
    if organization is None:
        raise PermissionDenied("Organisation doesn't exist", "AUTH-Bs7Ds")
    return organization


@route("GET", "/management/v1/orgs/me", Message("GetMyOrgRequest"), "org.read")
def get_my_org(call: Call) -> Answer:
    """What it is."""
    organization = _mine(call)
    return {
        "org": {
            "id": organization.id,
            "details": details(organization, organization.id, created=True),
            "state": "ORG_STATE_ACTIVE" if organization.active else "ORG_STATE_INACTIVE",
            "name": organization.name,
            "primaryDomain": organization.primary_domain,
        }
    }


@route("POST", "/management/v1/orgs/me/_deactivate", Message("DeactivateOrgRequest"), "org.write")
def deactivate_org(call: Call) -> Answer:
    """Its applications may not introspect any more; tokens of its users live on."""
    organization = _mine(call)
    if not organization.active:
        raise FailedPrecondition("Organisation is already deactivated", "EVENT-Dbs2g")
    organization.active = False
    call.world.touch(organization)
    return {"details": details(organization, organization.id)}


@route("POST", "/management/v1/orgs/me/_reactivate", Message("ReactivateOrgRequest"), "org.write")
def reactivate_org(call: Call) -> Answer:
    """The end of a deactivation."""
    organization = _mine(call)
    if organization.active:
        raise FailedPrecondition("Organisation is already active", "EVENT-bfnrh")
    organization.active = True
    call.world.touch(organization)
    return {"details": details(organization, organization.id)}


@route("DELETE", "/management/v1/orgs/me", Message("RemoveOrgRequest"), "org.delete")
def remove_org(call: Call) -> Answer:
    """With all it has; not the default one."""
    organization = _mine(call)
    if organization is call.world.default_organization:
        raise FailedPrecondition("Default Organisation must not be deleted", "COMMA-wG9p1")
    call.world.remove_organization(organization)
    call.world.touch(organization)
    return {"details": details(organization, organization.id)}
