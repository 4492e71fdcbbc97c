"""What a token can do at the API: a PAT without any administrator role, and roles that are too small."""

from tests.support.emulator_target import Server
from tests.support.oauth import GetToken
from tests.support.workshop import App, Fresh, Project, User, Workshop, later
from tests.support.zitadel_api import DETAILS, NO_MEMBERSHIP, Api

TOO_SMALL = (403, "No matching permissions found", "AUTH-AWfge")
NOT_OF_THE_INSTANCE = (403, "", "AUTH-5mWD2")


def test_without_an_administrator_role_there_is_no_membership(
    stranger: Api, project: Project, app: App, reader: User
) -> None:
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


def test_some_lists_show_a_stranger_the_own_rows_or_none(stranger: Api, app: App, visitor: User) -> None:
    stranger.users.ListUsers().has(result=[{"userId": visitor.id}], details={"totalResult": "1"})
    of_project = [{"projectIdFilter": {"projectId": app.project.id}}]
    stranger.apps.ListApplications(filters=of_project).has(pagination={"totalResult": ...}, applications=None)
    stranger.administrators.ListAdministrators().has(pagination={"totalResult": ...}, administrators=None)
    stranger.organizations.ListOrganizations().has("details")
    stranger.features.GetInstanceFeatures().has("details")


def test_the_features_are_for_an_owner_of_the_instance_to_set(owner: Api) -> None:
    owner.features.SetInstanceFeatures(debugOidcParentError=False).refused(*NOT_OF_THE_INSTANCE)


def test_impersonation_is_off_until_an_owner_of_the_instance_allows_it(admin: Api, owner: Api) -> None:
    on, off = {"enableImpersonation": True}, {"enableImpersonation": False}
    admin.rest("PUT", "/v2/policies/security", on).only("details")
    admin.settings.SetSecuritySettings(**on).refused(400, "No changes", id="POLICY-EWsf3")
    owner.settings.SetSecuritySettings(**off).refused(*NOT_OF_THE_INSTANCE)
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
    manager.projects.ListProjectRoles(**id).has("projectRoles")
    manager.projects.CreateProject(**home, name="x").refused(*TOO_SMALL)
    manager.projects.AddProjectRole(**id, roleKey="x", displayName="X").refused(*TOO_SMALL)
    manager.apps.CreateApplication(**id, name="x", apiConfiguration={}).refused(*TOO_SMALL)


def test_an_owner_of_the_organization_does_all_but_delete_an_application(owner: Api, fresh: Fresh) -> None:
    id = {"projectId": fresh.project.id}
    owner.projects.CreateProject(organizationId=fresh.home.id, name=fresh.name).has("projectId")
    owner.projects.AddProjectRole(**id, roleKey="q", displayName="Q").has("creationDate")
    app = owner.apps.CreateApplication(**id, name="x", apiConfiguration={})["applicationId"]
    owner.apps.DeleteApplication(**id, applicationId=app).refused(*TOO_SMALL)
    owner.projects.DeleteProject(**id).has("deletionDate")


def test_a_removed_administrator_has_no_membership(admin: Api, server: Server, fresh: Fresh) -> None:
    own, ids = Api(server, fresh.user.pat), {"userId": fresh.user.id, "resource": {"organizationId": fresh.home.id}}
    admin.administrators.CreateAdministrator(**ids, roles=["ORG_OWNER"]).has("creationDate")
    own.projects.ListProjects(pagination={"limit": 1}).has("pagination")
    admin.administrators.DeleteAdministrator(**ids).has("deletionDate")
    own.projects.ListProjects().refused(*NO_MEMBERSHIP)


def test_any_valid_token_may_ask_who_it_is_and_what_it_may_do(
    admin: Api, owner: Api, stranger: Api, visitor: User
) -> None:
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
