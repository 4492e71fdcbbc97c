"""zitadel.project.v2.ProjectService: projects and their roles."""

from zdemo.emulator.api.call import Answer, Call, Service
from zdemo.emulator.api.kinds import Enum, Flag, Text
from zdemo.emulator.api.listing import Filter, Listing, ids_filter, text_filter
from zdemo.emulator.api.schema import Message, Sub
from zdemo.emulator.api.values import moment, without_defaults
from zdemo.emulator.entities import Project, Role
from zdemo.emulator.errors import FailedPrecondition, NotFound
from zdemo.emulator.world import World

SERVICE = Service("zitadel.project.v2.ProjectService", "project")
ID = Text(1, 200)
OPTIONAL = Text(1, 200, optional=True)
FLAGS = {
    "projectRoleAssertion": "role_assertion",
    "authorizationRequired": "authorization_required",
    "projectAccessRequired": "project_access_required",
}


def show_project(_: World, project: Project) -> Answer:
    """A project as lists show it."""
    return without_defaults(
        {
            "projectId": project.id,
            "organizationId": project.organization_id,
            "creationDate": moment(project.created),
            "changeDate": moment(project.changed),
            "name": project.name,
            "state": "PROJECT_STATE_ACTIVE" if project.active else "PROJECT_STATE_INACTIVE",
            **{name: getattr(project, attribute) for name, attribute in FLAGS.items()},
        }
    )


def owner(project: Project | None) -> str | None:
    """Whose permission counts for a project."""
    return project.organization_id if project else None


def reached(call: Call, permission: str) -> Project | None:
    """The project of ``projectId``, once the caller may do this to it."""
    project = call.world.projects.get(call.body["projectId"])
    call.need(permission, owner(project), call.body["projectId"])
    return project


def _changed(call: Call, permission: str, unknown: str) -> Project:
    project = reached(call, permission)
    if project is None:
        raise NotFound("Project not found", unknown)
    return project


@SERVICE.method(
    Message(
        "CreateProjectRequest",
        organizationId=ID,
        projectId=OPTIONAL,
        name=ID,
        **dict.fromkeys(FLAGS, Flag()),
    )
)
def create_project(call: Call) -> Answer:
    """Name and ID must be free; the organization need not exist."""
    body = call.body
    call.need("project.create", body["organizationId"])
    project = call.world.add_project(body["organizationId"], body["name"], id=body.get("projectId"))
    for name, attribute in FLAGS.items():
        setattr(project, attribute, body.get(name, False))
    return {"projectId": project.id, "creationDate": moment(project.created)}


@SERVICE.method(Message("UpdateProjectRequest", projectId=ID, name=OPTIONAL, **dict.fromkeys(FLAGS, Flag())))
def update_project(call: Call) -> Answer:
    """What is absent stays; no change is fine too."""
    project = _changed(call, "project.write", "COMMAND-3M9sd")
    wanted = {"name": "name"} | FLAGS
    changes = {
        attribute: call.body[name]
        for name, attribute in wanted.items()
        if name in call.body and call.body[name] != getattr(project, attribute)
    }
    if changes.get("name", project.name).lower() != project.name.lower():
        call.world.check_project_name(project.organization_id, changes["name"])
    for attribute, value in changes.items():
        setattr(project, attribute, value)
    if changes:
        call.world.touch(project)
    return {"changeDate": moment(project.changed)}


@SERVICE.method(Message("GetProjectRequest", projectId=ID), permission="project.read")
def get_project(call: Call) -> Answer:
    """One project."""
    project = _changed(call, "project.read", "QUERY-fk2fs")
    return {"project": show_project(call.world, project)}


PROJECTS = Listing[Project](
    rows=lambda call: call.world.projects.values(),
    visible=lambda call, project: call.access.may("project.read", project.organization_id, project.id),
    show=show_project,
    result="projects",
    filter_name="ProjectSearchFilter",
    filters={
        "projectNameFilter": text_filter("ProjectNameFilter", "projectName", lambda _, p: p.name),
        "inProjectIdsFilter": ids_filter(lambda _, p: p.id),
        "organizationIdFilter": Filter(
            Sub(
                Message(
                    "ProjectOrganizationIDFilter",
                    organizationId=Text(most=200),
                    type=Enum(("TYPE_UNSPECIFIED", "OWNED", "GRANTED", "OWNED_OR_GRANTED")),
                )
            ),
            lambda _, project, f: _of_organization(project, f.get("organizationId", ""), f.get("type")),
        ),
    },
    columns={
        "PROJECT_FIELD_NAME_ID": lambda _, p: p.id,
        "PROJECT_FIELD_NAME_CREATION_DATE": lambda _, p: p.created,
        "PROJECT_FIELD_NAME_CHANGE_DATE": lambda _, p: p.changed,
        "PROJECT_FIELD_NAME_NAME": lambda _, p: p.name,
    },
)
SERVICE.method(PROJECTS.request("ListProjectsRequest"), permission="project.read")(PROJECTS.answer)


def _of_organization(project: Project, organization_id: str, kind: str | None) -> bool:
    owned = project.organization_id == organization_id and kind != "GRANTED"
    return owned or (organization_id in project.grants and kind != "OWNED")


@SERVICE.method(Message("DeactivateProjectRequest", projectId=ID))
def deactivate_project(call: Call) -> Answer:
    """Its applications may not introspect any more."""
    project = _changed(call, "project.write", "COMMAND-112M9")
    if not project.active:
        raise FailedPrecondition("Project is not active", "COMMAND-mki55")
    project.active = False
    return {"changeDate": moment(call.world.touch(project))}


@SERVICE.method(Message("ActivateProjectRequest", projectId=ID))
def activate_project(call: Call) -> Answer:
    """The end of a deactivation."""
    project = _changed(call, "project.write", "COMMAND-3M9sd")
    if project.active:
        raise FailedPrecondition("Project is not deactivated", "COMMAND-5M9bs")
    project.active = True
    return {"changeDate": moment(call.world.touch(project))}


@SERVICE.method(Message("DeleteProjectRequest", projectId=ID))
def delete_project(call: Call) -> Answer:
    """Never refused: one that is gone answers with its date, an unknown one with nothing."""
    project = reached(call, "project.delete")
    if project:
        call.world.remove_project(project)
    when = call.world.ended.get(call.body["projectId"])
    return {"deletionDate": moment(when)} if when else {}


# --- roles ---


@SERVICE.method(Message("AddProjectRoleRequest", projectId=ID, roleKey=ID, displayName=ID, group=Text(most=200)))
def add_project_role(call: Call) -> Answer:
    """An unknown project is a precondition here, not a 404."""
    project = reached(call, "project.role.write")
    if project is None:
        raise FailedPrecondition("Project not found", "COMMAND-EbFMN")
    body = call.body
    role = call.world.add_role(project, body["roleKey"], body["displayName"], body.get("group", ""))
    return {"creationDate": moment(role.created)}


@SERVICE.method(
    Message(
        "UpdateProjectRoleRequest",
        projectId=ID,
        roleKey=ID,
        displayName=OPTIONAL,
        group=Text(most=200, optional=True),
    )
)
def update_project_role(call: Call) -> Answer:
    """An absent group is cleared, and so is an absent name."""
    project = reached(call, "project.role.write")
    role = project.roles.get(call.body["roleKey"]) if project else None
    if role is None:
        raise NotFound("Role doesn't exist", "COMMAND-vv8M9")
    wanted = (call.body.get("displayName", ""), call.body.get("group", ""))
    if wanted != (role.display_name, role.group):
        role.display_name, role.group = wanted
        call.world.touch(role)
    return {"changeDate": moment(role.changed)}


@SERVICE.method(Message("RemoveProjectRoleRequest", projectId=ID, roleKey=ID))
def remove_project_role(call: Call) -> Answer:
    """Authorizations lose the key and stay. A role that is not there is removed just as well."""
    project = reached(call, "project.role.delete")
    if project is None:
        return {}
    call.world.remove_role(project, call.body["roleKey"])
    return {"removalDate": moment(call.world.now())}


def _roles_of(call: Call) -> list[Role]:
    project = call.world.projects.get(call.body["projectId"])
    return list(project.roles.values()) if project else []


def _show_role(_: World, role: Role) -> Answer:
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


def _role_visible(call: Call, role: Role) -> bool:
    organization_id = call.world.projects[role.project_id].organization_id
    return call.access.may("project.role.read", organization_id, role.project_id)


ROLES = Listing[Role](
    rows=_roles_of,
    visible=_role_visible,
    show=_show_role,
    result="projectRoles",
    filter_name="ProjectRoleSearchFilter",
    filters={
        "roleKeyFilter": text_filter("ProjectRoleKeyFilter", "key", lambda _, r: r.id),
        "displayNameFilter": text_filter("ProjectRoleDisplayNameFilter", "displayName", lambda _, r: r.display_name),
    },
    columns={
        "PROJECT_ROLE_FIELD_NAME_KEY": lambda _, r: r.id,
        "PROJECT_ROLE_FIELD_NAME_CREATION_DATE": lambda _, r: r.created,
        "PROJECT_ROLE_FIELD_NAME_CHANGE_DATE": lambda _, r: r.changed,
    },
)
SERVICE.method(ROLES.request("ListProjectRolesRequest", projectId=ID), permission="project.role.read")(ROLES.answer)
