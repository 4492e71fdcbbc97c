"""zitadel.project.v2.ProjectService, the part about grants of a project to other organizations."""

from zdemo.emulator.api.call import Answer, Call
from zdemo.emulator.api.kinds import Repeated, Text
from zdemo.emulator.api.listing import Listing, id_filter, ids_filter, text_filter
from zdemo.emulator.api.projects import ID, SERVICE, reached
from zdemo.emulator.api.schema import Message
from zdemo.emulator.api.values import moment, without_defaults
from zdemo.emulator.entities import Project, ProjectGrant
from zdemo.emulator.errors import FailedPrecondition, NotFound
from zdemo.emulator.world import World

_BOTH = {"projectId": ID, "grantedOrganizationId": ID}
_ROLES = Repeated(Text(1, 200))


def _role_keys(call: Call, project: Project) -> list[str]:
    role_keys = list(dict.fromkeys(call.body.get("roleKeys", ())))
    if any(key not in project.roles for key in role_keys):
        raise FailedPrecondition("Errors.Project.Role.NotFound", "COMMAND-6m9gd")
    return role_keys


def _changed(call: Call) -> tuple[Project, ProjectGrant]:
    project = reached(call, "project.grant.write")
    grant = project.grants.get(call.body["grantedOrganizationId"]) if project else None
    if project is None or grant is None:
        raise NotFound("Grant not found", "PROJECT-D8JxR")
    return project, grant


def _set_active(call: Call, *, active: bool) -> Answer:
    if call.body["projectId"] not in call.world.projects:
        reached(call, "project.grant.write")
        raise FailedPrecondition("Project not found", "COMMAND-EbFMN")
    _, grant = _changed(call)
    if grant.active != active:
        grant.active = active
        call.world.touch(grant)
    return {"changeDate": moment(grant.changed)}


@SERVICE.method(Message("CreateProjectGrantRequest", **_BOTH, roleKeys=_ROLES))
def create_project_grant(call: Call) -> Answer:
    """The other organization may now give these roles to users."""
    project = reached(call, "project.grant.write")
    granted = call.body["grantedOrganizationId"]
    if project is None:
        raise FailedPrecondition("Project not found", "COMMAND-m9gsd")
    if granted not in call.world.organizations:
        raise FailedPrecondition("Organisation doesn't exist", "COMMAND-3m9gg")
    role_keys = _role_keys(call, project)
    if granted == project.organization_id:
        raise FailedPrecondition("Project grant is invalid", "PROJECT-ckUpbvboAH")
    grant = call.world.add_project_grant(project, granted, role_keys)
    return {"creationDate": moment(grant.created)}


@SERVICE.method(Message("UpdateProjectGrantRequest", **_BOTH, roleKeys=_ROLES))
def update_project_grant(call: Call) -> Answer:
    """A full list; authorizations made through the grant lose what it lost."""
    project, grant = _changed(call)
    role_keys = _role_keys(call, project)
    if set(role_keys) != set(grant.role_keys):
        call.world.set_granted_roles(grant, role_keys)
    return {"changeDate": moment(grant.changed)}


@SERVICE.method(Message("DeactivateProjectGrantRequest", **_BOTH))
def deactivate_project_grant(call: Call) -> Answer:
    """Tokens show no difference; twice is fine."""
    return _set_active(call, active=False)


@SERVICE.method(Message("ActivateProjectGrantRequest", **_BOTH))
def activate_project_grant(call: Call) -> Answer:
    """The end of a deactivation; twice is fine."""
    return _set_active(call, active=True)


@SERVICE.method(Message("DeleteProjectGrantRequest", **_BOTH))
def delete_project_grant(call: Call) -> Answer:
    """With the authorizations made through it. Never refused for want of a grant."""
    project = reached(call, "project.grant.delete")
    if project is None or call.body["grantedOrganizationId"] not in project.grants:
        return {}
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
            "state": f"PROJECT_GRANT_STATE_{'ACTIVE' if grant.active else 'INACTIVE'}",
        }
    )


def _visible(call: Call, grant: ProjectGrant) -> bool:
    project = _project(call.world, grant)
    return any(
        call.access.may("project.grant.read", organization_id, project.id)
        for organization_id in (project.organization_id, grant.granted_organization_id)
    )


GRANTS = Listing[ProjectGrant](
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
    columns={
        "PROJECT_GRANT_FIELD_NAME_PROJECT_ID": lambda _, g: g.project_id,
        "PROJECT_GRANT_FIELD_NAME_CREATION_DATE": lambda _, g: g.created,
        "PROJECT_GRANT_FIELD_NAME_CHANGE_DATE": lambda _, g: g.changed,
    },
)
SERVICE.method(GRANTS.request("ListProjectGrantsRequest"))(GRANTS.answer)
