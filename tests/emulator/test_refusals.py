"""Single requests that change nothing: refusals of fields and objects, and unknown IDs that are accepted.

A user without any role is told, too, that an ID is unknown.
"""

import base64

from tests.support.emulator_target import NOBODY
from tests.support.stories import stories
from tests.support.workshop import FOREVER

FIELDS = {
    "NO_FILTER": "invalid ProjectSearchFilter.Filter: value is required",
    "TOO_EARLY": "Errors.AuthNKey.ExpireBeforeNow (DOMAIN-dv3t5)",
    "NO_KEY": base64.b64encode(b"no key").decode(),
    "home": "organizationId=<organization.id>",
    "away": "organizationId=<other_organization.id>",
    "project": "projectId=<project.id>",
    "app": "projectId=<project.id> applicationId=<app.id>",
    "key_app": "projectId=<project.id> applicationId=<key_app.id>",
    "no_app": f"projectId=<project.id> applicationId={NOBODY}",
    "no_project": f"projectId={NOBODY}",
    "no_user": f"userId={NOBODY}",
    "visitor": "userId=<visitor.id>",
    "human": "userId=<human.id>",
    "bot": "machine.name=Bot",
    "forever": f"expirationDate={FOREVER}",
    "past": "expirationDate=2020-01-01T00:00:00Z",
    "assign": "userId=<visitor.id> projectId=<project.id> organizationId=<organization.id> roleKeys.0=admin",
    "admin": "userId=<visitor.id> resource.organizationId=<organization.id> roles.0=ORG_OWNER",
    "granted": "projectId=<project.id> grantedOrganizationId=<organization.id>",
    "over": "pagination.limit=1001",
}
test_a_refusal = stories("""
P/CreateProject @home name= -> 400 invalid CreateProjectRequest.Name: <LENGTH>
P/CreateProject @home name=<project.name.upper> -> 409 Project already exists on organization (V3-DKcYh)
P/CreateProject @home @project name=x -> 409 Errors.Project.AlreadyExisting (COMMAND-opamwu)
P/AddProjectRole @no_project roleKey=r displayName=R -> 400 COMMAND-EbFMN
P/AddProjectRole @project roleKey=ADMIN displayName=R -> 409 Role already exists (V3-DKcYh)
P/UpdateProjectRole @project roleKey=no -> 404 Role doesn't exist (COMMAND-vv8M9)
P/ListProjects @over -> 400 Limit exceeded (QUERY-4M0fs)
P/ListProjects filters.0={} -> 400 invalid ListProjectsRequest.Filters[0]: <EMBEDDED>: <NO_FILTER>
P/UpdateProjectGrant @granted -> 404 PROJECT-D8JxR
P/DeleteProject @no_project -> :
A/CreateApplication @project name=x -> 400 invalid CreateApplicationRequest.ApplicationType: value is required
A/CreateApplication @project name=<app.name.upper> apiConfiguration={} -> 409 Application already exists (V3-DKcYh)
A/CreateApplication @no_project name=x apiConfiguration={} -> 400 COMMAND-EbFMN
A/UpdateApplication @no_app name=x -> 404 COMMAND-28di9
A/GetApplication applicationId=<app.client_id> -> 404 Errors.App.NotExisting (QUERY-pCP8P)
A/CreateApplicationKey @no_app @forever -> 400 COMMAND-sak25
A/CreateApplicationKey @app @forever -> 400 Chosen Auth Method does not require a key (COMMAND-Dff54)
A/CreateApplicationKey @key_app @past -> 400 <TOO_EARLY>
A/GetApplicationKey keyId=<NO> -> 404 Errors.AuthNKey.NotFound (QUERY-Dgr3g)
A/DeleteApplicationKey @key_app keyId=<NO> -> 404 Application key not found (COMMAND-4m77G)
U/CreateUser @away @bot username=<visitor.username.upper> -> 409 User already exists (V3-DKcYh)
U/CreateUser @home @visitor @bot -> 400 Errors.User.AlreadyExisting (COMMAND-k2una)
U/CreateUser @home -> 400 invalid CreateUserRequest.UserType: value is required
U/CreateUser organizationId=<NO> @bot -> 400 Organisation not found (COMMAND-QXPGs)
U/SetUserMetadata @visitor -> 400 Metadata list is empty (META-9mm2d)
U/DeleteUserMetadata @visitor keys.0=no -> 404 One or more keys do not exist (META-2nnds)
U/LockUser @no_user -> 404 COMMAND-450yxuqrh1
U/AddSecret @human -> 400 Errors.User.NotExisting (COMMAND-x8910n)
U/RemoveSecret @no_user -> 400 COMMAND-x7s802
U/AddKey @no_user @forever -> 400 COMMAND-bnipwm1
U/AddKey @visitor @past -> 400 <TOO_EARLY>
U/AddKey @visitor @forever publicKey=<NO_KEY> -> 400 COMMAND-5F3h1
U/RemoveKey @visitor keyId=<NO> -> 404 Machine key not found (COMMAND-4m77G)
U/AddPersonalAccessToken @no_user @forever -> 400 COMMAND-Dggw2
U/AddPersonalAccessToken @visitor -> 400 invalid AddPersonalAccessTokenRequest.ExpirationDate: value is required
U/AddPersonalAccessToken @visitor @past -> 400 <TOO_EARLY>
U/AddPersonalAccessToken @human @forever -> 400 Not allowed for this user type (COMMAND-Df2f1)
U/RemovePersonalAccessToken @visitor tokenId=<NO> -> 404 Personal Access Token not found (COMMAND-4m77G)
Z/CreateAuthorization @assign userId=<reader.id> -> 409 User grant already exists (V3-DKcYh)
Z/CreateAuthorization @assign @no_user -> 400 User could not be found (COMMAND-4f8sg)
Z/CreateAuthorization @assign @away -> 400 Project Grant not found (COMMAND-4m9ff)
Z/CreateAuthorization @assign roleKeys.0=no -> 400 Errors.Project.Role.NotFound (COMMAND-mm9F4)
Z/UpdateAuthorization id=<NO> roleKeys.0=admin -> 404 COMMAND-3M9sd
Z/ActivateAuthorization id=<NO> -> 404 COMMAND-Lp0gs
Z/DeleteAuthorization id=<NO> -> deletionDate=0001-01-01T00:00:00Z
I/CreateAdministrator @admin roles.0=NO_SUCH_ROLE -> 400 Org-4N8es
I/CreateAdministrator @admin roles=[] -> 400 ORG-4Mlfs
I/CreateAdministrator @admin @no_user -> 400 ORG-GoXOn
I/CreateAdministrator userId=<visitor.id> roles.0=ORG_OWNER -> 400 ADMIN-IbPp47HDP5
I/UpdateAdministrator @admin -> 404 Org-D8JxR
O/AddOrganization name="<other_organization.name>'" -> 409 Domain already exists (V3-DKcYh)
P/ListProjects orgid=<NO> -> 403 Organisation doesn't exist (AUTH-Bs7Ds)
visitor: P/UpdateProject projectId= -> 400 invalid UpdateProjectRequest.ProjectId: <LENGTH>
visitor: P/UpdateProject @no_project name=x -> 404 COMMAND-3M9sd
visitor: P/UpdateProject @project -> 404 AUTHZ-cdgFk
visitor: A/GenerateClientSecret @no_app -> 404 COMMAND-Kd92s
visitor: U/AddSecret @no_user -> 400 COMMAND-x8910n
""")
