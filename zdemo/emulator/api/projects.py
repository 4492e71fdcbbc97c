"""zitadel.project.v2.ProjectService: projects. Other modules add the methods for roles and grants."""

from functools import partial

from zdemo.emulator.api.call import Answer, Call, Service
from zdemo.emulator.api.json_values import moment, without_defaults
from zdemo.emulator.api.lists import Filter, Listing, columns, ids_filter, text_filter
from zdemo.emulator.api.messages import ID, OPTIONAL, Enum, Flag, Message, Sub, Text
from zdemo.emulator.entities import Project
from zdemo.emulator.errors import FailedPrecondition, NotFound, ZitadelError, existing
from zdemo.emulator.world import World

SERVICE = Service("zitadel.project.v2.ProjectService", "project")
no_project = partial(FailedPrecondition, "Project not found", "COMMAND-EbFMN")
FLAGS = {
    "projectRoleAssertion": "role_assertion",
    "authorizationRequired": "authorization_required",
    "projectAccessRequired": "project_access_required",
}


def permitted_project(call: Call, permission: str, unknown: ZitadelError) -> Project:
    """Return the project of ``projectId``, for which the caller needs the permission.

    Whether it exists is checked first, so that a caller without any role hears it too (ZITADEL).
    """
    project = existing(call.world.projects.get(call.body["projectId"]), unknown)
    call.need(permission, project.organization_id, project.id)
    return project


def _existing(call: Call, permission: str, error_id: str) -> Project:
    return permitted_project(call, permission, NotFound("Project not found", error_id))


@SERVICE.method("CreateProject", organizationId=ID, projectId=OPTIONAL, name=ID, **dict.fromkeys(FLAGS, Flag()))
def create_project(call: Call) -> Answer:
    """Create a project, also for an unknown organization."""
    body = call.body
    call.need("project.create", body["organizationId"])
    project = call.world.add_project(body["organizationId"], body["name"], id=body.get("projectId"))
    for name, attribute in FLAGS.items():
        setattr(project, attribute, body.get(name, False))
    return {"projectId": project.id, "creationDate": moment(project.created)}


@SERVICE.method("UpdateProject", projectId=ID, name=OPTIONAL, **dict.fromkeys(FLAGS, Flag()))
def update_project(call: Call) -> Answer:
    """Change what the request has; no change is accepted."""
    project = _existing(call, "project.write", "COMMAND-3M9sd")
    changes = {
        attribute: call.body[name]
        for name, attribute in ({"name": "name"} | FLAGS).items()
        if name in call.body and call.body[name] != getattr(project, attribute)
    }
    if changes.get("name", project.name).lower() != project.name.lower():
        call.world.check_project_name(project.organization_id, changes["name"])
    for attribute, value in changes.items():
        setattr(project, attribute, value)
    if changes:
        call.world.touch(project)
    return {"changeDate": moment(project.changed)}


def _set_active(call: Call, *, active: bool, unknown: str, refusal: tuple[str, str]) -> Answer:
    """Switch a project on or off; while it is off, its applications cannot introspect."""
    project = _existing(call, "project.write", unknown)
    return {"changeDate": moment(call.set_active(project, active, refusal))}


for name, active, unknown, refusal in (
    ("DeactivateProject", False, "COMMAND-112M9", ("Project is not active", "COMMAND-mki55")),
    ("ActivateProject", True, "COMMAND-3M9sd", ("Project is not deactivated", "COMMAND-5M9bs")),
):
    SERVICE.method(name, projectId=ID)(partial(_set_active, active=active, unknown=unknown, refusal=refusal))


@SERVICE.method("DeleteProject", projectId=ID)
def delete_project(call: Call) -> Answer:
    """Delete a project, or answer with the date of its deletion; for an unknown one the answer is empty."""
    project = call.world.projects.get(call.body["projectId"])
    if project:
        call.need("project.delete", project.organization_id, project.id)
        call.world.remove_project(project)
    when = call.world.history.removed.get(call.body["projectId"])
    return {"deletionDate": moment(when)} if when else {}


@SERVICE.guarded("GetProject", "project.read", projectId=ID)
def get_project(call: Call) -> Answer:
    """Show one project."""
    return {"project": show_project(call.world, _existing(call, "project.read", "QUERY-fk2fs"))}


def show_project(_: World, project: Project) -> Answer:
    """Return a project as lists show it."""
    return without_defaults(
        {
            "projectId": project.id,
            "organizationId": project.organization_id,
            "creationDate": moment(project.created),
            "changeDate": moment(project.changed),
            "name": project.name,
            "state": f"PROJECT_STATE_{project.state}",
            **{name: getattr(project, attribute) for name, attribute in FLAGS.items()},
        }
    )


def _is_of_organization(project: Project, organization_id: str, kind: str | None) -> bool:
    owned = project.organization_id == organization_id and kind != "GRANTED"
    return owned or (organization_id in project.grants and kind != "OWNED")


_OWNER_FILTER = Message(
    "ProjectOrganizationIDFilter",
    organizationId=Text(most=200),
    type=Enum(("TYPE_UNSPECIFIED", "OWNED", "GRANTED", "OWNED_OR_GRANTED")),
)
Listing[Project](
    rows=lambda call: call.world.projects.values(),
    visible=lambda call, project: call.may("project.read", project.organization_id, project.id),
    show=show_project,
    result="projects",
    filter_name="ProjectSearchFilter",
    filters={
        "projectNameFilter": text_filter("ProjectNameFilter", "projectName", lambda _, p: p.name),
        "inProjectIdsFilter": ids_filter(lambda _, p: p.id),
        "organizationIdFilter": Filter(
            Sub(_OWNER_FILTER), lambda _, p, f: _is_of_organization(p, f.get("organizationId", ""), f.get("type"))
        ),
    },
    columns=columns("PROJECT_FIELD_NAME", ID="id", CREATION_DATE="created", CHANGE_DATE="changed", NAME="name"),
).serve(SERVICE, "ListProjects", "project.read")
