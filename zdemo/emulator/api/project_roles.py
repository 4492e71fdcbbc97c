"""The roles of projects: the part of ``ProjectService`` about them."""

from zdemo.emulator.api.call import Answer, Call
from zdemo.emulator.api.json_values import moment, without_defaults
from zdemo.emulator.api.lists import Listing, columns, text_filter
from zdemo.emulator.api.messages import ID, OPTIONAL, Text
from zdemo.emulator.api.projects import SERVICE, no_project, permitted_project
from zdemo.emulator.entities import Role
from zdemo.emulator.errors import NotFound, existing
from zdemo.emulator.world import World


@SERVICE.method("AddProjectRole", projectId=ID, roleKey=ID, displayName=ID, group=Text(most=200))
def add_project_role(call: Call) -> Answer:
    """Add a role; an unknown project is a failed precondition here, not a 404."""
    project = permitted_project(call, "project.role.write", no_project())
    body = call.body
    role = call.world.add_role(project, body["roleKey"], body["displayName"], body.get("group", ""))
    return {"creationDate": moment(role.created)}


@SERVICE.method(
    "UpdateProjectRole", projectId=ID, roleKey=ID, displayName=OPTIONAL, group=Text(most=200, optional=True)
)
def update_project_role(call: Call) -> Answer:
    """Replace a role's name and group; what is absent is cleared."""
    project = permitted_project(call, "project.role.write", no_project())
    role = existing(project.roles.get(call.body["roleKey"]), NotFound("Role doesn't exist", "COMMAND-vv8M9"))
    texts = (call.body.get("displayName", ""), call.body.get("group", ""))
    if texts != (role.display_name, role.group):
        role.display_name, role.group = texts
        call.world.touch(role)
    return {"changeDate": moment(role.changed)}


@SERVICE.method("RemoveProjectRole", projectId=ID, roleKey=ID)
def remove_project_role(call: Call) -> Answer:
    """Remove a role and its key from all authorizations; an unknown role is accepted."""
    project = call.world.projects.get(call.body["projectId"])
    if project is None:
        return {}
    if call.body["roleKey"] in project.roles:
        call.need("project.role.delete", project.organization_id, project.id)
        call.world.remove_role(project, call.body["roleKey"])
    return {"removalDate": moment(call.world.now())}


def _rows(call: Call) -> list[Role]:
    project = call.world.projects.get(call.body["projectId"])
    return list(project.roles.values()) if project else []


def _show(_: World, role: Role) -> Answer:
    return without_defaults(
        {
            "projectId": role.project_id,
            "key": role.id,
            "creationDate": moment(role.created),
            "changeDate": moment(role.changed),
            "displayName": role.display_name,
            "group": role.group,
        }
    )


def _visible(call: Call, role: Role) -> bool:
    organization_id = call.world.projects[role.project_id].organization_id
    return call.may("project.role.read", organization_id, role.project_id)


Listing[Role](
    rows=_rows,
    visible=_visible,
    show=_show,
    result="projectRoles",
    filter_name="ProjectRoleSearchFilter",
    filters={
        "roleKeyFilter": text_filter("ProjectRoleKeyFilter", "key", lambda _, r: r.id),
        "displayNameFilter": text_filter("ProjectRoleDisplayNameFilter", "displayName", lambda _, r: r.display_name),
    },
    columns=columns("PROJECT_ROLE_FIELD_NAME", KEY="id", CREATION_DATE="created", CHANGE_DATE="changed"),
).serve(SERVICE, "ListProjectRoles", "project.role.read", projectId=ID)
