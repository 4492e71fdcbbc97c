"""zitadel.authorization.v2.AuthorizationService: which user has which roles of a project."""

from functools import partial

from zdemo.emulator.api.fields import ID, NO_TIME, Message, Repeated, Sub, Text, dates, enum, moment, without_defaults
from zdemo.emulator.api.lists import (
    TEXT_METHOD,
    Filter,
    Listing,
    columns,
    equal_filter,
    id_filter,
    ids_filter,
    text_filter,
    text_matches,
)
from zdemo.emulator.api.service import Answer, Call, Service, switch
from zdemo.emulator.api.users import display_name
from zdemo.emulator.api_errors import FailedPrecondition, NotFound, existing
from zdemo.emulator.entities import Authorization, Project, User
from zdemo.emulator.world import World

SERVICE = Service("zitadel.authorization.v2.AuthorizationService")
_STATE = enum("STATE", "UNSPECIFIED", "ACTIVE", "INACTIVE", refuses_first=True)
_ROLES = Repeated(ID, unique=True)


def show_user(user: User) -> Answer:
    """Return a user as a part of other rows."""
    return without_defaults(
        {
            "id": user.id,
            "preferredLoginName": user.username,
            "displayName": display_name(user),
            "organizationId": user.organization_id,
        }
    )


def show_project(project: Project) -> Answer:
    """Return a project as a part of other rows."""
    return {"id": project.id, "name": project.name, "organizationId": project.organization_id}


def show_organization(world: World, organization_id: str) -> Answer:
    """Return an organization as a part of other rows."""
    organization = world.organizations.get(organization_id)
    return without_defaults({"id": organization_id, "name": organization.name if organization else ""})


def _show(world: World, authorization: Authorization) -> Answer:
    project = world.projects[authorization.project_id]
    roles = [project.roles[key] for key in authorization.role_keys if key in project.roles]
    row: Answer = {
        "id": authorization.id,
        **dates(authorization),
        "project": show_project(project),
        "organization": show_organization(world, authorization.organization_id),
        "user": show_user(world.users[authorization.user_id]),
        "state": f"STATE_{authorization.state}",
        "roles": [without_defaults({"key": r.id, "displayName": r.display_name, "group": r.group}) for r in roles],
    }
    return without_defaults(row)


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


@SERVICE.method("CreateAuthorization", userId=ID, projectId=ID, organizationId=ID, roleKeys=_ROLES)
def create_authorization(call: Call) -> Answer:
    """Create the authorization of a user, project and owner; it can be without roles."""
    body = call.body
    user_id, project_id, organization_id = body["userId"], body["projectId"], body["organizationId"]
    if user_id not in call.world.users:
        raise FailedPrecondition("User could not be found", "COMMAND-4f8sg")
    role_keys = body.get("roleKeys", [])
    _check_roles(call.world, project_id, organization_id, role_keys)
    call.need("user.grant.write", organization_id, project_id)
    made = call.world.add_authorization(user_id, project_id, organization_id, role_keys)
    return {"id": made.id, "creationDate": moment(made.created)}


def _existing(call: Call, error_id: str) -> Authorization:
    found = existing(call.world.authorizations.get(call.body["id"]), NotFound("User grant not found", error_id))
    call.need("user.grant.write", found.organization_id, found.project_id)
    return found


@SERVICE.method("UpdateAuthorization", id=ID, roleKeys=_ROLES)
def update_authorization(call: Call) -> Answer:
    """Replace the roles, also of an inactive authorization; no change is accepted."""
    authorization = _existing(call, "COMMAND-3M9sd")
    role_keys = call.body.get("roleKeys", [])
    _check_roles(call.world, authorization.project_id, authorization.organization_id, role_keys)
    if set(role_keys) != set(authorization.role_keys):
        authorization.role_keys = role_keys
        call.world.touch(authorization)
    return {"changeDate": moment(authorization.changed)}


for name, active, unknown in (  # with its roles in the claims
    ("DeactivateAuthorization", False, "COMMAND-3M9sd"),
    ("ActivateAuthorization", True, "COMMAND-Lp0gs"),
):
    SERVICE.method(name, id=ID)(switch(partial(_existing, error_id=unknown), active))


@SERVICE.method("DeleteAuthorization", id=ID)
def delete_authorization(call: Call) -> Answer:
    """Delete an authorization, or answer with the date of its deletion, or with no time for an unknown one."""
    authorization = call.world.authorizations.get(call.body["id"])
    if authorization:
        call.need("user.grant.delete", authorization.organization_id, authorization.project_id)
        call.world.remove_authorization(authorization)
    when = call.world.history.removed.get(call.body["id"])
    return {"deletionDate": moment(when) if when else NO_TIME}


def _user(world: World, authorization: Authorization) -> User:
    return world.users[authorization.user_id]


_ROLE_KEY = Message("RoleKeyQuery", key=Text(most=200), method=TEXT_METHOD)

Listing[Authorization](
    rows=lambda call: call.world.authorizations.values(),
    visible=lambda call, a: a.user_id == call.caller.id or call.may("user.grant.read", a.organization_id, a.project_id),
    show=_show,
    result="authorizations",
    filter_name="AuthorizationsSearchFilter",
    filters={
        "authorizationIds": ids_filter(lambda _, a: a.id),
        "organizationId": id_filter("IDFilter", lambda _, a: a.organization_id),
        "state": equal_filter("StateQuery", "state", _STATE, lambda _, a: f"STATE_{a.state}"),
        "inUserIds": ids_filter(lambda _, a: a.user_id),
        "userOrganizationId": id_filter("IDFilter", lambda w, a: _user(w, a).organization_id),
        "userPreferredLoginName": text_filter(
            "UserPreferredLoginNameQuery", "loginName", lambda w, a: _user(w, a).username, least=1
        ),
        "userDisplayName": text_filter(
            "UserDisplayNameQuery", "displayName", lambda w, a: display_name(_user(w, a)), least=1
        ),
        "projectId": id_filter("IDFilter", lambda _, a: a.project_id),
        "projectName": text_filter("ProjectNameQuery", "name", lambda w, a: w.projects[a.project_id].name),
        "roleKey": Filter(
            Sub(_ROLE_KEY), lambda _, a, f: any(text_matches(k, f.get("key", ""), f.get("method")) for k in a.role_keys)
        ),
        "projectGrantId": id_filter(
            "IDFilter",
            lambda w, a: grant.id if (grant := w.projects[a.project_id].grants.get(a.organization_id)) else "",
        ),
    },
    columns=columns(
        "AUTHORIZATION_FIELD_NAME",
        CREATED_DATE="created",
        CHANGED_DATE="changed",
        ID="id",
        USER_ID="user_id",
        PROJECT_ID="project_id",
        ORGANIZATION_ID="organization_id",
        USER_ORGANIZATION_ID=lambda w, a: _user(w, a).organization_id,
    ),
).serve(SERVICE, "ListAuthorizations")
