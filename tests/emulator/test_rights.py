"""What a token can do at the API: a PAT without any administrator role, and roles that are too small."""

from tests.support.emulator_target import Api, Server, error_id
from tests.support.oauth import GetToken
from tests.support.stories import stories
from tests.support.workshop import User

FIELDS = {
    "NO_MEMBERSHIP": "404 membership not found (AUTHZ-cdgFk)",
    "TOO_SMALL": "403 No matching permissions found (AUTH-AWfge)",
    "home": "organizationId=<organization.id>",
    "project": "projectId=<project.id>",
    "of_project": "filters.0.projectIdFilter.projectId=<app.project.id>",
    "app": "projectId=<project.id> applicationId=<app.id>",
    "user": "userId=<user.id>",
    "reader": "userId=<reader.id>",
    "admin": "userId=<user.id> resource.organizationId=<organization.id>",
    "events": "aggregateId=<user.id> aggregateTypes.0=user eventTypes.0=user.pat.added limit=5",
}
test_a_story_of_rights = stories("""
# without an administrator role there is no membership
visitor: P/ListProjects -> <NO_MEMBERSHIP>
visitor: P/ListProjects pagination.limit=1001 -> <NO_MEMBERSHIP>
visitor: P/GetProject projectId= -> <NO_MEMBERSHIP>
visitor: P/ListProjectRoles projectId= -> <NO_MEMBERSHIP>
visitor: P/CreateProject @home name=x -> <NO_MEMBERSHIP>
visitor: P/AddProjectRole @project roleKey=x displayName=X -> <NO_MEMBERSHIP>
visitor: A/CreateApplication @project name=x apiConfiguration={} -> <NO_MEMBERSHIP>
visitor: A/GenerateClientSecret @app -> <NO_MEMBERSHIP>
visitor: U/GetUserByID @reader -> <NO_MEMBERSHIP>
visitor: U/CreateUser @home machine.name=x -> <NO_MEMBERSHIP>
visitor: U/AddPersonalAccessToken @reader expirationDate=<tomorrow> -> <NO_MEMBERSHIP>
visitor: Z/CreateAuthorization @reader @project @home -> <NO_MEMBERSHIP>

# some lists show a stranger one's own rows, or none
visitor: U/ListUsers -> result.0.userId=<visitor.id> details.totalResult=1
visitor: A/ListApplications @of_project -> pagination.totalResult applications=null
visitor: I/ListAdministrators -> pagination.totalResult administrators=null
visitor: O/ListOrganizations -> details
visitor: F/GetInstanceFeatures -> details

# the features are for an owner of the instance to set
ORG_OWNER: F/SetInstanceFeatures debugOidcParentError=false -> 403 AUTH-5mWD2

# impersonation is off until an owner of the instance allows it
PUT /v2/policies/security enableImpersonation=true -> :details
T/SetSecuritySettings enableImpersonation=true -> 400 No changes (POLICY-EWsf3)
ORG_OWNER: T/SetSecuritySettings enableImpersonation=false -> 403 AUTH-5mWD2
T/SetSecuritySettings enableImpersonation=false -> details:sequence,changeDate,resourceOwner
PUT /v2/policies/security -> 400 POLICY-EWsf3

# users see their own assignments, and change themselves
Z/CreateAuthorization @user @project @home roleKeys.0=read:messages -> id
user: Z/ListAuthorizations filters.0.inUserIds.ids='["<user.id>","<reader.id>"]' -> pagination.totalResult=2
user: Z/ListAuthorizations filters.0.inUserIds.ids='["<user.id>","<reader.id>"]' -> authorizations.0.id=<made.id>
user: U/UpdateUser @user machine.name=Mine -> changeDate
user: U/GetUserByID @user -> user.machine.name=Mine
user: U/AddSecret @user -> clientSecret
user: U/RemoveSecret @user -> deletionDate
user: U/AddKey @user expirationDate=<tomorrow> -> keyContent
user: U/ListKeys filters.0.userIdFilter.id=<user.id> -> result.0.id=<made.keyId>
user: U/RemoveKey @user keyId=<made.keyId> -> deletionDate
user: U/DeleteUser @user -> <NO_MEMBERSHIP>
user: U/DeactivateUser @user -> <NO_MEMBERSHIP>

# a user manager makes users and assignments but no projects
ORG_USER_MANAGER: U/CreateUser @home machine.name=x -> id
ORG_USER_MANAGER: Z/CreateAuthorization userId=<made.id> @project @home roleKeys.0=admin -> id
ORG_USER_MANAGER: P/ListProjectRoles @project -> projectRoles
ORG_USER_MANAGER: P/CreateProject @home name=x -> <TOO_SMALL>
ORG_USER_MANAGER: P/AddProjectRole @project roleKey=x displayName=X -> <TOO_SMALL>
ORG_USER_MANAGER: A/CreateApplication @project name=x apiConfiguration={} -> <TOO_SMALL>

# an owner of the organization does everything but delete an application
ORG_OWNER: P/CreateProject @home name=<name> -> projectId
ORG_OWNER: P/AddProjectRole projectId=<own_project.id> roleKey=q displayName=Q -> creationDate
ORG_OWNER: A/CreateApplication projectId=<own_project.id> name=x apiConfiguration={} -> applicationId
ORG_OWNER: A/DeleteApplication projectId=<own_project.id> applicationId=<made.applicationId> -> <TOO_SMALL>
ORG_OWNER: P/DeleteProject projectId=<own_project.id> -> deletionDate

# a removed administrator has no membership
I/CreateAdministrator @admin roles.0=ORG_OWNER -> creationDate
user: P/ListProjects pagination.limit=1 -> pagination
I/DeleteAdministrator @admin -> deletionDate
user: P/ListProjects -> <NO_MEMBERSHIP>

# any valid token may ask who it is and what it may do
user: GET /auth/v1/users/me -> user.id=<user.id> user.userName=<user.username> user.machine.name=<user.name>
user: POST /auth/v1/memberships/me/_search -> details result=null
ORG_OWNER: POST /auth/v1/memberships/me/_search -> result.0.orgId=<organization.id> result.0.roles:ORG_OWNER
user: POST /auth/v1/permissions/zitadel/me/_search -> :
POST /auth/v1/permissions/zitadel/me/_search -> result

# events show how a PAT began to administrators of the instance alone
user: POST /admin/v1/events/_search @events -> 404 AUTHZ-cdgFk
ORG_OWNER: POST /admin/v1/events/_search @events -> 403 AUTH-5mWD2
POST /admin/v1/events/_search @events -> events.0.type.type=user.pat.added events.0.aggregate.id=<user.id>
POST /admin/v1/events/_search @events -> events.0.payload.tokenId=<user.first_pat.id> events.1=null
""")


def test_an_access_token_opens_the_api_only_with_zitadels_own_audience(
    server: Server, reader: User, reader_token: GetToken
) -> None:
    closed = Api(server, reader_token("openid"))
    assert error_id(closed.ask("UserService/GetUserByID", userId=reader.id)) == (401, "AUTH-7fs1e")
    opened = Api(server, reader_token("openid", "urn:zitadel:iam:org:project:id:zitadel:aud"))
    assert opened.do("UserService/GetUserByID", userId=reader.id)["user"]["userId"] == reader.id
