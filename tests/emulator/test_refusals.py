"""Single requests that change nothing: refusals of fields and objects, and unknown IDs that are accepted.

A user without any role is told, too, that an ID is unknown. The table of v1's refusals has those of shared handlers.
"""

import base64

from tests.support.emulator_target import NOBODY
from tests.support.workshop import FOREVER, App, Fresh, Project, User
from tests.support.zitadel_api import NO_MEMBERSHIP, Api

LENGTH = "value length must be between 1 and 200 runes, inclusive"
PAST = {"expirationDate": "2020-01-01T00:00:00Z"}
FAR = {"expirationDate": FOREVER}
TOO_EARLY = (400, "Errors.AuthNKey.ExpireBeforeNow", "DOMAIN-dv3t5")
BOT = {"machine": {"name": "Bot"}}
UNKNOWN_USER = {"userId": NOBODY}
UNKNOWN_PROJECT = {"projectId": NOBODY}


def test_projects_and_their_roles(admin: Api, project: Project, fresh: Fresh) -> None:
    id, role, home = {"projectId": project.id}, {"displayName": "R"}, {"organizationId": fresh.home.id}
    create = admin.projects.CreateProject
    create(**home, name="").refused(400, f"invalid CreateProjectRequest.Name: {LENGTH}")
    create(**home, name=project.name.upper()).refused(409, "Project already exists on organization", id="V3-DKcYh")
    create(**home, **id, name="x").refused(409, "Errors.Project.AlreadyExisting", id="COMMAND-opamwu")
    admin.projects.AddProjectRole(**id, **role, roleKey="ADMIN").refused(409, "Role already exists", id="V3-DKcYh")
    admin.projects.UpdateProjectRole(**id, roleKey="no").refused(404, "Role doesn't exist", id="COMMAND-vv8M9")
    admin.projects.ListProjects(pagination={"limit": 1001}).refused(400, "Limit exceeded", id="QUERY-4M0fs")
    path = "invalid ListProjectsRequest.Filters[0]: embedded message failed validation | caused by: "
    filters = admin.projects.ListProjects(filters=[{}])
    filters.refused(400, f"{path}invalid ProjectSearchFilter.Filter: value is required")
    admin.within(NOBODY).projects.ListProjects().refused(403, "Organisation doesn't exist", id="AUTH-Bs7Ds")
    admin.projects.UpdateProjectGrant(**id, grantedOrganizationId=fresh.home.id).refused(404, id="PROJECT-D8JxR")
    admin.projects.DeleteProject(**UNKNOWN_PROJECT).only()
    name = f"{fresh.organization.name}'"
    admin.organizations.AddOrganization(name=name).refused(409, "Domain already exists", id="V3-DKcYh")


def test_applications_and_their_keys(admin: Api, project: Project, app: App, key_app: App) -> None:
    id, api = {"projectId": project.id}, dict[str, object](apiConfiguration={})
    create = admin.apps.CreateApplication
    create(**id, name="x").refused(400, "invalid CreateApplicationRequest.ApplicationType: value is required")
    create(**id, **api, name=app.name.upper()).refused(409, "Application already exists", id="V3-DKcYh")
    admin.apps.GetApplication(applicationId=app.client_id).refused(404, "Errors.App.NotExisting", id="QUERY-pCP8P")
    admin.apps.CreateApplicationKey(**key_app.ids, **PAST).refused(*TOO_EARLY)
    admin.apps.GetApplicationKey(keyId=NOBODY).refused(404, "Errors.AuthNKey.NotFound", id="QUERY-Dgr3g")


def test_users_and_their_credentials(admin: Api, fresh: Fresh, visitor: User) -> None:
    id, human, users = {"userId": visitor.id}, {"userId": fresh.human.id}, admin.users
    home = {"organizationId": fresh.home.id}
    away = {"organizationId": fresh.organization.id, "username": visitor.username.upper()}
    users.CreateUser(**away, **BOT).refused(409, "User already exists", id="V3-DKcYh")
    users.CreateUser(**home, **id, **BOT).refused(400, "Errors.User.AlreadyExisting", id="COMMAND-k2una")
    users.CreateUser(**home).refused(400, "invalid CreateUserRequest.UserType: value is required")
    users.CreateUser(organizationId=NOBODY, **BOT).refused(400, "Organisation not found", id="COMMAND-QXPGs")
    users.SetUserMetadata(**id).refused(400, "Metadata list is empty", id="META-9mm2d")
    users.DeleteUserMetadata(**id, keys=["no"]).refused(404, "One or more keys do not exist", id="META-2nnds")
    users.LockUser(**UNKNOWN_USER).refused(404, id="COMMAND-450yxuqrh1")
    users.AddKey(**id, **PAST).refused(*TOO_EARLY)
    no_key = base64.b64encode(b"no key").decode()
    users.AddKey(**id, **FAR, publicKey=no_key).refused(400, id="COMMAND-5F3h1")
    users.AddPersonalAccessToken(**id).refused(
        400, "invalid AddPersonalAccessTokenRequest.ExpirationDate: value is required"
    )
    users.AddPersonalAccessToken(**human, **FAR).refused(400, "Not allowed for this user type", id="COMMAND-Df2f1")


def test_assignments(admin: Api, project: Project, fresh: Fresh, reader: User, visitor: User) -> None:
    create, id = admin.authorizations.CreateAuthorization, {"userId": visitor.id}
    fields = {"organizationId": fresh.home.id, "projectId": project.id, "roleKeys": ["admin"]}
    create(**fields, userId=reader.id).refused(409, "User grant already exists", id="V3-DKcYh")
    away = fields | {"organizationId": fresh.organization.id}
    create(**away, **id).refused(400, "Project Grant not found", id="COMMAND-4m9ff")
    admin.authorizations.ActivateAuthorization(id=NOBODY).refused(404, id="COMMAND-Lp0gs")
    admin.authorizations.DeleteAuthorization(id=NOBODY).has(deletionDate="0001-01-01T00:00:00Z")


def test_administrators(admin: Api, fresh: Fresh, visitor: User) -> None:
    resource, owner = {"resource": {"organizationId": fresh.home.id}}, {"roles": ["ORG_OWNER"]}
    id = {"userId": visitor.id}
    admin.administrators.CreateAdministrator(**id, **resource, roles=["NO_SUCH_ROLE"]).refused(400, id="Org-4N8es")
    admin.administrators.CreateAdministrator(**id, **resource, roles=[]).refused(400, id="ORG-4Mlfs")
    admin.administrators.CreateAdministrator(**UNKNOWN_USER, **resource, **owner).refused(400, id="ORG-GoXOn")
    admin.administrators.CreateAdministrator(**id, **owner).refused(400, id="ADMIN-IbPp47HDP5")
    admin.administrators.UpdateAdministrator(**id, **resource, **owner).refused(404, id="Org-D8JxR")


def test_a_user_without_any_role(project: Project, stranger: Api) -> None:
    stranger.projects.UpdateProject(projectId="").refused(400, f"invalid UpdateProjectRequest.ProjectId: {LENGTH}")
    stranger.projects.UpdateProject(**UNKNOWN_PROJECT, name="x").refused(404, id="COMMAND-3M9sd")
    stranger.projects.UpdateProject(projectId=project.id).refused(*NO_MEMBERSHIP)
    stranger.apps.GenerateClientSecret(projectId=project.id, applicationId=NOBODY).refused(404, id="COMMAND-Kd92s")
    stranger.users.AddSecret(**UNKNOWN_USER).refused(400, id="COMMAND-x8910n")
