"""zitadel.project.v2.ProjectService: projects, their roles, and their grants to other organizations."""

from functools import partial
from itertools import chain

from zdemo.emulator.api import lists
from zdemo.emulator.api.fields import camel
from zdemo.emulator.api.service import Answer, Call, Service, switch
from zdemo.emulator.api_errors import FailedPrecondition, NotFound, ZitadelError, existing
from zdemo.emulator.entities import Project, ProjectGrant, Role
from zdemo.emulator.world import World

SERVICE = Service("zitadel.project.v2.ProjectService")
no_project = partial(FailedPrecondition, "Project not found", "COMMAND-EbFMN")
_SETTINGS = "project_role_assertion authorization_required project_access_required private_labeling_setting"
FLAGS = {camel(attribute): attribute for attribute in _SETTINGS.split()}


def permitted_project(call: Call, permission: str, unknown: ZitadelError) -> Project:
    """Return the project of the request; that it exists is checked before the caller's permission (ZITADEL)."""
    project = existing(call.world.projects.get(call.body["projectId"]), unknown)
    call.need(permission, project.organization_id, project.id)
    return project


def _existing(call: Call, permission: str, error_id: str) -> Project:
    return permitted_project(call, permission, NotFound("Project not found", error_id))


@SERVICE.method("CreateProject")
def _create_project(call: Call) -> Answer:
    """Create a project, also for an unknown organization."""
    body = call.body
    call.need("project.create", body["organizationId"])
    project = call.world.add_project(body["organizationId"], body["name"], id=body.get("projectId"))
    for name in FLAGS.keys() & body.keys():
        setattr(project, FLAGS[name], body[name])
    return {"projectId": project.id, "creationDate": project.created}


@SERVICE.method("UpdateProject")
def _update_project(call: Call) -> Answer:
    """Change what the request has; an update that changes nothing is accepted."""
    project = _existing(call, "project.write", "COMMAND-3M9sd")
    values = {attribute: call.body[name] for name, attribute in {"name": "name", **FLAGS}.items() if name in call.body}
    call.world.check_project_name(project.organization_id, values.get("name", project.name), project)
    return {"changeDate": call.change(project, **values)}


for name, active, unknown, refusal in (  # while a project is off, its applications cannot introspect
    ("DeactivateProject", False, "COMMAND-112M9", ("Project is not active", "COMMAND-mki55")),
    ("ActivateProject", True, "COMMAND-3M9sd", ("Project is not deactivated", "COMMAND-5M9bs")),
):
    find = partial(_existing, permission="project.write", error_id=unknown)
    SERVICE.method(name)(partial(switch, find, active, refusal))


@SERVICE.method("DeleteProject")
def _delete_project(call: Call) -> Answer:
    """Delete a project, or answer with the date of its deletion; for an unknown one the answer is empty."""
    project = call.world.projects.get(call.body["projectId"])
    if project:
        call.need("project.delete", project.organization_id, project.id)
        call.world.remove_project(project)
    return {"deletionDate": call.world.removed.get(call.body["projectId"])}


GRANTED: dict[str, lists.Getter] = {
    "grantedOrganizationId": "granted_organization_id",
    "grantedOrganizationName": lambda world, grant: world.organizations[grant.granted_organization_id].name,
}
_show_project = lists.row_of(projectId="id")
_show_granted = lists.row_of(**GRANTED, grantedState="state")
_sees_project = lists.readable("project.read")
_sees_grant = lists.readable("project.grant.read", "granted_organization_id")


@SERVICE.method("GetProject", permission="project.read")
def _get_project(call: Call) -> Answer:
    return {"project": _show_project(call.world, _existing(call, "project.read", "QUERY-fk2fs"))}


ProjectRow = Project | ProjectGrant  # ListProjects has a row for each project, and one for each of its grants


def _is_of_organization(world: World, row: ProjectRow, content: Answer) -> bool:
    owned = world.projects[row.project_id].organization_id == content.get("organizationId", "")
    granted = getattr(row, "granted_organization_id", None) == content.get("organizationId", "")
    kind = content.get("type")
    return (owned and kind != "GRANTED") or (granted and kind != "OWNED")


def _show_row(world: World, row: ProjectRow) -> Answer:
    project = _show_project(world, world.projects[row.project_id])
    return project if isinstance(row, Project) else project | _show_granted(world, row) | {"state": project["state"]}


lists.Listing[ProjectRow](
    rows=lambda call: chain.from_iterable((p, *p.grants.values()) for p in call.world.projects.values()),
    visible=lambda call, row: (_sees_project if isinstance(row, Project) else _sees_grant)(call, row),
    show=_show_row,
    filters=lists.filters_of(projectNameFilter="name", inProjectIdsFilter="project_id")
    | {"organizationIdFilter": _is_of_organization},
    columns={"ID": "project_id"},
).serve(SERVICE, "ListProjects", permission="project.read")


# --- roles of projects ---


@SERVICE.method("AddProjectRole")
def _add_project_role(call: Call) -> Answer:
    """Add a role; an unknown project is a failed precondition here, not a 404."""
    project = permitted_project(call, "project.role.write", no_project())
    body = call.body
    role = call.world.add_role(project, body["roleKey"], body["displayName"], body.get("group", ""))
    return {"creationDate": role.created}


@SERVICE.method("UpdateProjectRole")
def _update_project_role(call: Call) -> Answer:
    """Replace a role's name and group; what is absent is cleared."""
    project = permitted_project(call, "project.role.write", no_project())
    role = existing(project.roles.get(call.body["roleKey"]), NotFound("Role doesn't exist", "COMMAND-vv8M9"))
    changed = call.change(role, display_name=call.body.get("displayName", ""), group=call.body.get("group", ""))
    return {"changeDate": changed}


@SERVICE.method("RemoveProjectRole")
def _remove_project_role(call: Call) -> Answer:
    """Remove a role and its key from all authorizations; an unknown role is accepted."""
    project = call.world.projects.get(call.body["projectId"])
    if project is None:
        return {}
    if call.body["roleKey"] in project.roles:
        call.need("project.role.delete", project.organization_id, project.id)
        call.world.remove_role(project, call.body["roleKey"])
    return {"removalDate": call.world.now()}


lists.Listing[Role](
    rows=lambda call: getattr(call.world.projects.get(call.body["projectId"]), "roles", {}).values(),
    visible=lambda call, _: call.may("project.grant.read", call.world.projects[call.body["projectId"]].organization_id),
    show=lists.row_of(key="id"),  # above, sic: not for one project (ZITADEL)
    filters=lists.filters_of("displayNameFilter", roleKeyFilter="id"),
    columns={"KEY": "id"},
).serve(SERVICE, "ListProjectRoles", permission="project.role.read")


# --- grants of projects to other organizations ---


def _granted_roles(call: Call, project: Project) -> list[str]:
    role_keys = list(dict.fromkeys(call.body.get("roleKeys", ())))
    if any(key not in project.roles for key in role_keys):
        raise FailedPrecondition("Errors.Project.Role.NotFound", "COMMAND-6m9gd")
    return role_keys


def _existing_grant(call: Call) -> ProjectGrant:
    unknown = NotFound("Project Grant not found", "PROJECT-D8JxR")
    project = permitted_project(call, "project.grant.write", unknown)
    return existing(project.grants.get(call.body["grantedOrganizationId"]), unknown)


@SERVICE.method("CreateProjectGrant")
def _create_project_grant(call: Call) -> Answer:
    project = permitted_project(call, "project.grant.write", FailedPrecondition("Project not found", "COMMAND-m9gsd"))
    granted = call.body["grantedOrganizationId"]
    if granted not in call.world.organizations:
        raise FailedPrecondition("Organisation not found", "COMMAND-3m9gg")
    role_keys = _granted_roles(call, project)
    if granted == project.organization_id:
        raise FailedPrecondition("Project grant is invalid", "PROJECT-ckUpbvboAH")
    return {"creationDate": call.world.add_project_grant(project, granted, role_keys).created}


@SERVICE.method("UpdateProjectGrant")
def _update_project_grant(call: Call) -> Answer:
    grant = _existing_grant(call)
    role_keys = _granted_roles(call, call.world.projects[grant.project_id])
    if set(role_keys) != set(grant.role_keys):
        call.world.set_granted_roles(grant, role_keys)
    return {"changeDate": grant.changed}


for name, active in (("DeactivateProjectGrant", False), ("ActivateProjectGrant", True)):  # which tokens do not show
    SERVICE.method(name)(partial(switch, _existing_grant, active, None))


@SERVICE.method("DeleteProjectGrant")
def _delete_project_grant(call: Call) -> Answer:
    """Delete a grant and the authorizations made through it; an unknown grant is accepted."""
    project = call.world.projects.get(call.body["projectId"])
    if project is None or call.body["grantedOrganizationId"] not in project.grants:
        return {}
    call.need("project.grant.delete", project.organization_id, project.id)
    call.world.remove_project_grant(project, call.body["grantedOrganizationId"])
    return {"deletionDate": call.world.now()}


lists.Listing[ProjectGrant](
    rows=lambda call: [g for p in call.world.projects.values() for g in p.grants.values()],
    visible=_sees_grant,
    show=lists.row_of(organizationId="organization_id", **GRANTED, grantedRoleKeys="role_keys", projectName="name"),
    filters=lists.filters_of(
        *("organizationIdFilter", "grantedOrganizationIdFilter"),
        projectNameFilter="name",
        inProjectIdsFilter="project_id",
    ),
).serve(SERVICE, "ListProjectGrants")
