"""The grants of projects to other organizations: the part of ``ProjectService`` about them."""

from functools import partial

from zdemo.emulator.api.call import Answer, Call
from zdemo.emulator.api.json_values import moment, without_defaults
from zdemo.emulator.api.lists import Listing, columns, id_filter, ids_filter, text_filter
from zdemo.emulator.api.messages import ID, Repeated
from zdemo.emulator.api.projects import SERVICE, no_project, permitted_project
from zdemo.emulator.entities import Project, ProjectGrant
from zdemo.emulator.errors import FailedPrecondition, NotFound, existing
from zdemo.emulator.world import World

_GRANT = {"projectId": ID, "grantedOrganizationId": ID}


def _granted_roles(call: Call, project: Project) -> list[str]:
    role_keys = list(dict.fromkeys(call.body.get("roleKeys", ())))
    if any(key not in project.roles for key in role_keys):
        raise FailedPrecondition("Errors.Project.Role.NotFound", "COMMAND-6m9gd")
    return role_keys


def _existing(call: Call) -> tuple[Project, ProjectGrant]:
    unknown = NotFound("Project Grant not found", "PROJECT-D8JxR")
    project = permitted_project(call, "project.grant.write", unknown)
    return project, existing(project.grants.get(call.body["grantedOrganizationId"]), unknown)


@SERVICE.method("CreateProjectGrant", **_GRANT, roleKeys=Repeated(ID))
def create_project_grant(call: Call) -> Answer:
    """Let another organization assign these roles to users."""
    unknown = FailedPrecondition("Project not found", "COMMAND-m9gsd")
    project = permitted_project(call, "project.grant.write", unknown)
    granted = call.body["grantedOrganizationId"]
    if granted not in call.world.organizations:
        raise FailedPrecondition("Organisation doesn't exist", "COMMAND-3m9gg")
    role_keys = _granted_roles(call, project)
    if granted == project.organization_id:
        raise FailedPrecondition("Project grant is invalid", "PROJECT-ckUpbvboAH")
    grant = call.world.add_project_grant(project, granted, role_keys)
    return {"creationDate": moment(grant.created)}


@SERVICE.method("UpdateProjectGrant", **_GRANT, roleKeys=Repeated(ID))
def update_project_grant(call: Call) -> Answer:
    """Replace the roles of a grant."""
    project, grant = _existing(call)
    role_keys = _granted_roles(call, project)
    if set(role_keys) != set(grant.role_keys):
        call.world.set_granted_roles(grant, role_keys)
    return {"changeDate": moment(grant.changed)}


def _set_active(call: Call, *, active: bool) -> Answer:
    """Switch a grant on or off, which tokens do not show; repeating it is accepted."""
    permitted_project(call, "project.grant.write", no_project())
    return {"changeDate": moment(call.set_active(_existing(call)[1], active))}


SERVICE.method("DeactivateProjectGrant", **_GRANT)(partial(_set_active, active=False))
SERVICE.method("ActivateProjectGrant", **_GRANT)(partial(_set_active, active=True))


@SERVICE.method("DeleteProjectGrant", **_GRANT)
def delete_project_grant(call: Call) -> Answer:
    """Delete a grant and the authorizations made through it; an unknown grant is accepted."""
    project = call.world.projects.get(call.body["projectId"])
    if project is None or call.body["grantedOrganizationId"] not in project.grants:
        return {}
    call.need("project.grant.delete", project.organization_id, project.id)
    call.world.remove_project_grant(project, call.body["grantedOrganizationId"])
    return {"deletionDate": moment(call.world.now())}


def _project(world: World, grant: ProjectGrant) -> Project:
    return world.projects[grant.project_id]


def _show(world: World, grant: ProjectGrant) -> Answer:
    project = _project(world, grant)
    granted = world.organizations.get(grant.granted_organization_id)
    return without_defaults(
        {
            "organizationId": project.organization_id,
            "creationDate": moment(grant.created),
            "changeDate": moment(grant.changed),
            "grantedOrganizationId": grant.granted_organization_id,
            "grantedOrganizationName": granted.name if granted else "",
            "grantedRoleKeys": list(grant.role_keys),
            "projectId": project.id,
            "projectName": project.name,
            "state": f"PROJECT_GRANT_STATE_{grant.state}",
        }
    )


def _visible(call: Call, grant: ProjectGrant) -> bool:
    project = _project(call.world, grant)
    return any(
        call.may("project.grant.read", organization_id, project.id)
        for organization_id in (project.organization_id, grant.granted_organization_id)
    )


Listing[ProjectGrant](
    rows=lambda call: [g for p in call.world.projects.values() for g in p.grants.values()],
    visible=_visible,
    show=_show,
    result="projectGrants",
    filter_name="ProjectGrantSearchFilter",
    filters={
        "projectNameFilter": text_filter("ProjectNameFilter", "projectName", lambda w, g: _project(w, g).name),
        "inProjectIdsFilter": ids_filter(lambda _, g: g.project_id),
        "organizationIdFilter": id_filter("IDFilter", lambda w, g: _project(w, g).organization_id),
        "grantedOrganizationIdFilter": id_filter("IDFilter", lambda _, g: g.granted_organization_id),
    },
    columns=columns(
        "PROJECT_GRANT_FIELD_NAME", PROJECT_ID="project_id", CREATION_DATE="created", CHANGE_DATE="changed"
    ),
).serve(SERVICE, "ListProjectGrants")
