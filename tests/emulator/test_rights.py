"""What a token can do at the API: a PAT without any administrator role, and roles that do not allow enough."""

from tests.support.emulator_target import Server
from tests.support.oauth import GetToken
from tests.support.workshop import App, Fresh, Project, User, Workshop, later
from tests.support.zitadel_api import DETAILS, NO_MEMBERSHIP, Api, only

TOO_SMALL = (403, "No matching permissions found", "AUTH-AWfge")
NOT_OF_THE_INSTANCE = (403, "", "AUTH-5mWD2")


def test_without_a_role_there_is_no_membership(stranger: Api, project: Project, app: App, reader: User) -> None:
    home, id, user = {"organizationId": reader.organization.id}, {"projectId": project.id}, {"userId": reader.id}
    for refused in (
        stranger.projects.ListProjects(),
        stranger.projects.ListProjects(pagination={"limit": 1001}),
        stranger.projects.GetProject(projectId=""),
        stranger.projects.ListProjectRoles(projectId=""),
        stranger.projects.CreateProject(**home, name="x"),
        stranger.projects.AddProjectRole(**id, roleKey="x", displayName="X"),
        stranger.apps.CreateApplication(**id, name="x", apiConfiguration={}),
        stranger.apps.GenerateClientSecret(**app.ids),
        stranger.users.GetUserByID(**user),
        stranger.users.CreateUser(**home, machine={"name": "x"}),
        stranger.users.AddPersonalAccessToken(**user, expirationDate=later(days=1)),
        stranger.authorizations.CreateAuthorization(**user, **id, **home),
    ):
        refused.refused(*NO_MEMBERSHIP)


def test_some_lists_show_a_stranger_their_own_rows_or_none(stranger: Api, app: App, visitor: User) -> None:
    stranger.users.ListUsers().has(result=[{"userId": visitor.id}], details={"totalResult": "1"})
    of_project = [{"projectIdFilter": {"projectId": app.project.id}}]
    stranger.apps.ListApplications(filters=of_project).has(pagination={"totalResult": ...}, applications=None)
    stranger.administrators.ListAdministrators().has(pagination={"totalResult": ...}, administrators=None)
    stranger.organizations.ListOrganizations().has("details")
    stranger.features.GetInstanceFeatures().has("details")


def test_impersonation_is_off_until_an_owner_of_the_instance_allows_it(admin: Api, owner: Api) -> None:
    on, off = {"enableImpersonation": True}, {"enableImpersonation": False}
    admin.rest("PUT", "/v2/policies/security", on).only("details")
    admin.settings.SetSecuritySettings(**on).refused(400, "No changes", id="POLICY-EWsf3")
    owner.settings.SetSecuritySettings(**off).refused(*NOT_OF_THE_INSTANCE)
    owner.features.SetInstanceFeatures(debugOidcParentError=False).refused(*NOT_OF_THE_INSTANCE)
    admin.settings.SetSecuritySettings(**off).has(details=DETAILS)
    admin.rest("PUT", "/v2/policies/security").refused(400, id="POLICY-EWsf3")


def test_users_see_their_own_assignments_and_change_themselves(
    server: Server, workshop: Workshop, fresh: Fresh, project: Project, reader: User
) -> None:
    own, id = Api(server, fresh.user.pat), {"userId": fresh.user.id}
    assignment = workshop.grant(fresh.user, project, "read:messages")
    both = [{"inUserIds": {"ids": [fresh.user.id, reader.id]}}]
    own.authorizations.ListAuthorizations(filters=both).has(
        authorizations=[{"id": assignment}], pagination={"totalResult": "2"}
    )
    own.users.UpdateUser(**id, machine={"name": "Mine"}).has("changeDate")
    own.users.GetUserByID(**id).has(user={"machine": {"name": "Mine"}})
    own.users.AddSecret(**id).has("clientSecret")
    own.users.RemoveSecret(**id).has("deletionDate")
    key = own.users.AddKey(**id, expirationDate=later(days=1)).has("keyContent")["keyId"]
    own.users.ListKeys(filters=[{"userIdFilter": {"id": fresh.user.id}}]).has(result=[{"id": key}])
    own.users.RemoveKey(**id, keyId=key).has("deletionDate")
    own.users.DeleteUser(**id).refused(*NO_MEMBERSHIP)
    own.users.DeactivateUser(**id).refused(*NO_MEMBERSHIP)


def test_a_user_manager_makes_users_and_assignments_but_no_projects(
    server: Server, workshop: Workshop, project: Project
) -> None:
    manager = Api(server, workshop.administrator("ORG_USER_MANAGER").pat)
    home, id = {"organizationId": workshop.home.id}, {"projectId": project.id}
    user = manager.users.CreateUser(**home, machine={"name": "x"})["id"]
    manager.authorizations.CreateAuthorization(**home, **id, userId=user, roleKeys=["admin"]).has("id")
    manager.projects.CreateProject(**home, name="x").refused(*TOO_SMALL)
    manager.projects.AddProjectRole(**id, roleKey="x", displayName="X").refused(*TOO_SMALL)
    manager.apps.CreateApplication(**id, name="x", apiConfiguration={}).refused(*TOO_SMALL)


def test_administrators_see_their_own_role_and_others_only_the_number_of_a_projects_roles(
    server: Server, workshop: Workshop, project: Project, owner: Api
) -> None:
    id = {"projectId": project.id}
    owner.projects.ListProjectRoles(**id).has(projectRoles=[..., ...])
    for role, of in (("ORG_USER_MANAGER", None), ("PROJECT_OWNER", project)):
        user = workshop.administrator(role, of=of)
        api, own = Api(server, user.pat), [{"inUserIdsFilter": {"ids": [user.id]}}]
        api.projects.ListProjectRoles(**id).only(pagination=only("appliedLimit", totalResult="2"))
        api.administrators.ListAdministrators(filters=own).has(administrators=[{"roles": [role]}])


def test_an_owner_of_a_project_gives_its_roles_to_users_they_cannot_see(
    server: Server, workshop: Workshop, project: Project, visitor: User, app: App
) -> None:
    user, home = workshop.administrator("PROJECT_OWNER", of=project), {"organizationId": workshop.home.id}
    api, of_app = Api(server, user.pat), [{"clientIdFilter": {"clientId": app.client_id}}]
    api.projects.GetProject(projectId=project.id).has("project")
    api.apps.ListApplications(filters=of_app).has(applications=[...])
    api.users.ListUsers().has(result=[{"userId": user.id}])
    ids = home | {"projectId": project.id, "userId": visitor.id}
    assignment = {"id": api.authorizations.CreateAuthorization(**ids, roleKeys=["admin"])["id"]}
    api.authorizations.DeleteAuthorization(**assignment).has("deletionDate")
    api.users.CreateUser(**home, machine={"name": "x"}).refused(*TOO_SMALL)


def test_an_owner_of_the_organization_gives_roles_to_a_user_of_another(owner: Api, fresh: Fresh) -> None:
    guest = fresh.guest
    owner.users.ListUsers(queries=[{"inUserIdsQuery": {"userIds": [guest.id]}}]).has(result=None)
    owner.users.GetUserByID(userId=guest.id).refused(*NO_MEMBERSHIP)
    by_name = f"/management/v1/global/users/_by_login_name?loginName={guest.username}"
    owner.rest("GET", by_name).has(user={"id": guest.id})
    ids = {"userId": guest.id, "projectId": fresh.project.id, "organizationId": fresh.home.id}
    id = owner.authorizations.CreateAuthorization(**ids, roleKeys=["r"])["id"]
    of_guest = [{"inUserIds": {"ids": [guest.id]}}]
    owner.authorizations.ListAuthorizations(filters=of_guest).has(authorizations=[{"user": {"id": guest.id}}])
    owner.authorizations.DeleteAuthorization(id=id).has("deletionDate")


def test_an_owner_of_an_organization_with_a_project_grant_assigns_what_is_granted(
    admin: Api, server: Server, workshop: Workshop, fresh: Fresh, owner: Api
) -> None:
    id, guest, abroad = {"projectId": fresh.project.id}, fresh.guest, {"organizationId": fresh.organization.id}
    admin.projects.CreateProjectGrant(**id, grantedOrganizationId=fresh.organization.id, roleKeys=["r"]).has()
    pat = workshop.administrator("ORG_OWNER", of=fresh.organization).pat
    api, this = Api(server, pat, fresh.organization.id), {"inProjectIdsFilter": {"ids": [fresh.project.id]}}
    granted = {"grantedOrganizationId": fresh.organization.id, "grantedState": "GRANTED_PROJECT_STATE_ACTIVE"}
    row = {"organizationId": fresh.home.id, "name": fresh.project.name, "grantedOrganizationName": ...} | granted
    admin.projects.ListProjects(filters=[this]).has(projects=[row, {"grantedOrganizationId": None}])
    of_guest = {"organizationIdFilter": abroad | {"type": "GRANTED"}}
    admin.projects.ListProjects(filters=[this, of_guest]).has(projects=[row])
    api.projects.ListProjects(filters=[this]).has(projects=[row], pagination={"totalResult": "2"})
    api.projects.GetProject(**id).refused(*NO_MEMBERSHIP)
    api.projects.ListProjectRoles(**id).only(pagination=only("appliedLimit", totalResult="2"))
    create = api.authorizations.CreateAuthorization
    create(**id, userId=guest.id, organizationId=fresh.home.id, roleKeys=["r"]).refused(*NO_MEMBERSHIP)
    assignment = create(**id, **abroad, userId=guest.id, roleKeys=["r"])["id"]
    own = [{"authorizationIds": {"ids": [assignment]}}]
    owner.authorizations.ListAuthorizations(filters=own).only(pagination=only("appliedLimit", totalResult="1"))
    api.authorizations.DeleteAuthorization(id=assignment).has("deletionDate")


def test_an_owner_of_the_organization_does_all_but_delete_an_application(owner: Api, fresh: Fresh) -> None:
    id = {"projectId": fresh.project.id}
    owner.projects.CreateProject(organizationId=fresh.home.id, name=fresh.name).has("projectId")
    owner.projects.AddProjectRole(**id, roleKey="q", displayName="Q").has("creationDate")
    app = owner.apps.CreateApplication(**id, name="x", apiConfiguration={})["applicationId"]
    owner.apps.DeleteApplication(**id, applicationId=app).refused(*TOO_SMALL)
    owner.projects.DeleteProject(**id).has("deletionDate")


def test_any_token_may_ask_who_it_is_and_what_it_may_do(admin: Api, owner: Api, stranger: Api, visitor: User) -> None:
    user = {"id": visitor.id, "userName": visitor.username, "machine": {"name": visitor.name}}
    stranger.rest("GET", "/auth/v1/users/me").has(user=user)
    memberships, permissions = "/auth/v1/memberships/me/_search", "/auth/v1/permissions/zitadel/me/_search"
    stranger.rest("POST", memberships).has("details", result=None)
    owner.rest("POST", memberships).has(result=[{"orgId": visitor.organization.id, "roles": ["ORG_OWNER"]}])
    stranger.rest("POST", permissions).only()
    admin.rest("POST", permissions).has("result")


def test_events_are_for_administrators_of_the_instance(admin: Api, owner: Api, stranger: Api, fresh: Fresh) -> None:
    path = "/admin/v1/events/_search"
    user, added = fresh.user, "user.pat.added"
    events = {"aggregateId": user.id, "aggregateTypes": ["user"], "eventTypes": [added], "limit": 5}
    stranger.rest("POST", path, events).refused(404, id="AUTHZ-cdgFk")
    owner.rest("POST", path, events).refused(*NOT_OF_THE_INSTANCE)
    event = {"type": {"type": added}, "aggregate": {"id": user.id}, "payload": {"tokenId": user.pat_id}}
    admin.rest("POST", path, events).has(events=[event])


def test_an_access_token_needs_zitadels_own_audience(server: Server, reader: User, reader_token: GetToken) -> None:
    id = {"userId": reader.id}
    Api(server, reader_token("openid")).users.GetUserByID(**id).refused(401, id="AUTH-7fs1e")
    opened = Api(server, reader_token("openid", "urn:zitadel:iam:org:project:id:zitadel:aud"))
    opened.users.GetUserByID(**id).has(user=id)
