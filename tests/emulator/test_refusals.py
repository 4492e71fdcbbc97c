"""Single requests that change nothing: refusals of fields and objects, and unknown IDs that are accepted."""

import base64
import json

import pytest

from tests.support.emulator_target import NOBODY
from tests.support.stories import Objects
from tests.support.workshop import FOREVER, HUMAN, Workshop

ODD_CURVE = b"""-----BEGIN PUBLIC KEY-----
MDIwEAYHKoZIzj0CAQYFK4EEAAYDHgAEJKpdEW/YionKKuZOhNGkwTe/EaVU/rTc
A8rFtQ==
-----END PUBLIC KEY-----
"""
PKCS1_KEY = b"""-----BEGIN RSA PUBLIC KEY-----
MIGJAoGBAMutQYMdwpp9jweugfdHGoJbX/PMHn7EYxuOvmCJo+E9Vg6g9wg8Dn6N
dYKmr5/j8IJehwFRVFuDL2mM2VZn02rIroPBFAsoBn5YpgX7rmpYKAmBmeRk3cuw
JQnEG+fQSYACA8n579lEdozxmQNKUdkSCIZmEbrBhvtGxTA01LLZAgMBAAE=
-----END RSA PUBLIC KEY-----
"""
EMPTY_KEY = b"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"
EMBEDDED = "embedded message failed validation | caused by"
FIELDS = {
    "LENGTH": "value length must be between 1 and 200 runes, inclusive",
    "EMBEDDED": EMBEDDED,
    "NO_FILTER": "invalid ProjectSearchFilter.Filter: value is required",
    "NO_TYPE": f"invalid ListApplicationsRequest.Filters[0]: {EMBEDDED}: "
    "invalid ApplicationSearchFilter.TypeFilter: value must not be in list [0]",
    "NO_WORD": "value must be one of the defined enum values",
    "NOT_UNIQUE": "repeated value must contain unique items",
    "NO_RESOURCE": f"{EMBEDDED}: invalid ResourceType.Resource: value is required",
    "IN_MACHINE": f"invalid CreateUserRequest.Machine: {EMBEDDED}: invalid CreateUserRequest_Machine",
    "WEAK": json.dumps(HUMAN | {"password": {"password": "a"}}),
    "TOO_EARLY": "Errors.AuthNKey.ExpireBeforeNow (DOMAIN-dv3t5)",
    "NO": NOBODY,
    "LONG": "x" * 201,
    **{
        name: base64.b64encode(pem).decode()
        for name, pem in (("NO_KEY", b"no key"), ("EMPTY", EMPTY_KEY), ("PKCS1", PKCS1_KEY), ("CURVE", ODD_CURVE))
    },
    "home": "organizationId=<organization.id>",
    "away": "organizationId=<other_organization.id>",
    "project": "projectId=<project.id>",
    "app": "projectId=<project.id> applicationId=<app.id>",
    "key_app": "projectId=<project.id> applicationId=<key_app.id>",
    "no_app": f"projectId=<project.id> applicationId={NOBODY}",
    "no_project": f"projectId={NOBODY}",
    "no_user": f"userId={NOBODY}",
    "visitor": "userId=<visitor.id>",
    "human": "userId=<human>",
    "bot": "machine.name=Bot",
    "forever": f"expirationDate={FOREVER}",
    "past": "expirationDate=2020-01-01T00:00:00Z",
    "assign": "userId=<visitor.id> projectId=<project.id> organizationId=<organization.id> roleKeys.0=admin",
    "admin": "userId=<visitor.id> resource.organizationId=<organization.id> roles.0=ORG_OWNER",
    "instance": "userId=<visitor.id> resource.instance=true",
    "of_project": "userId=<visitor.id> resource.projectId=<project.id>",
    "granted": "projectId=<project.id> grantedOrganizationId=<organization.id>",
    "over": "pagination.limit=1001",
    "metadata": "metadata.0.key=k metadata.0.value=dg==",
}
LINES = """
P/CreateProject @home name= -> 400 invalid CreateProjectRequest.Name: <LENGTH>
P/CreateProject @home name=<LONG> -> 400 invalid CreateProjectRequest.Name: <LENGTH>
P/CreateProject name=x -> 400 invalid CreateProjectRequest.OrganizationId: <LENGTH>
P/CreateProject @home name=<project.name> -> 409 Project already exists on organization (V3-DKcYh)
P/CreateProject @home name=<PROJECT_NAME> -> 409 Project already exists on organization (V3-DKcYh)
P/CreateProject @home @project name=x -> 409 Errors.Project.AlreadyExisting (COMMAND-opamwu)
P/GetProject @no_project -> 404 QUERY-fk2fs
P/UpdateProject @no_project name=x -> 404 COMMAND-3M9sd
P/DeactivateProject @no_project -> 404 COMMAND-112M9
P/ActivateProject @no_project -> 404 COMMAND-3M9sd
P/AddProjectRole @no_project roleKey=r displayName=R -> 400 COMMAND-EbFMN
P/AddProjectRole @project displayName=R -> 400 invalid AddProjectRoleRequest.RoleKey: <LENGTH>
P/AddProjectRole @project roleKey=r -> 400 invalid AddProjectRoleRequest.DisplayName: <LENGTH>
P/AddProjectRole @project roleKey=admin displayName=R -> 409 Role already exists (V3-DKcYh)
P/AddProjectRole @project roleKey=ADMIN displayName=R -> 409 Role already exists (V3-DKcYh)
P/UpdateProjectRole @project roleKey=no -> 404 Role doesn't exist (COMMAND-vv8M9)
P/ListProjects @over -> 400 Limit exceeded (QUERY-4M0fs)
P/ListProjectRoles @project @over -> 400 QUERY-4M0fs
P/ListProjects filters.0={} -> 400 invalid ListProjectsRequest.Filters[0]: <EMBEDDED>: <NO_FILTER>
P/ListProjects filters.0.colourFilter.colour=blue -> 400 invalid ListProjectsRequest.Filters[0]: <EMBEDDED>: <NO_FILTER>
P/CreateProjectGrant @granted -> 400 PROJECT-ckUpbvboAH
P/UpdateProjectGrant @granted -> 404 PROJECT-D8JxR
P/DeactivateProjectGrant @granted -> 404 PROJECT-D8JxR
P/ActivateProjectGrant @granted -> 404 PROJECT-D8JxR
P/DeleteProject @no_project -> :
P/RemoveProjectRole @no_project roleKey=r -> :
P/ListProjectRoles @no_project -> :pagination pagination:appliedLimit
A/CreateApplication @project name=x -> 400 invalid CreateApplicationRequest.ApplicationType: value is required
A/CreateApplication @project apiConfiguration={} -> 400 invalid CreateApplicationRequest.Name: <LENGTH>
A/CreateApplication @project name=<APP_NAME> apiConfiguration={} -> 409 Application already exists (V3-DKcYh)
A/CreateApplication @no_project name=x apiConfiguration={} -> 400 COMMAND-EbFMN
A/UpdateApplication @no_app name=x -> 404 COMMAND-28di9
A/GetApplication applicationId=<NO> -> 404 QUERY-pCP8P
A/GetApplication applicationId=<app.client_id> -> 404 Errors.App.NotExisting (QUERY-pCP8P)
A/GenerateClientSecret @no_app -> 404 COMMAND-Kd92s
A/DeactivateApplication @no_app -> 404 COMMAND-ov9d3
A/ReactivateApplication @no_app -> 404 COMMAND-ov9d3
A/DeleteApplication @no_app -> 404 COMMAND-0po9s
A/ListApplications @over -> 400 QUERY-4M0fs
A/ListApplications filters.0.typeFilter=APPLICATION_TYPE_UNSPECIFIED -> 400 <NO_TYPE>
A/CreateApplicationKey @no_app @forever -> 400 COMMAND-sak25
A/CreateApplicationKey @app @forever -> 400 Chosen Auth Method does not require a key (COMMAND-Dff54)
A/CreateApplicationKey @key_app -> 400 <TOO_EARLY>
A/CreateApplicationKey @key_app @past -> 400 <TOO_EARLY>
A/GetApplicationKey keyId=<NO> -> 404 Errors.AuthNKey.NotFound (QUERY-Dgr3g)
A/DeleteApplicationKey @key_app keyId=<NO> -> 404 Application key not found (COMMAND-4m77G)
U/CreateUser @home @bot username=<USERNAME> -> 409 User already exists (V3-DKcYh)
U/CreateUser @away @bot username=<visitor.username> -> 409 User already exists (V3-DKcYh)
U/CreateUser @home @visitor @bot -> 400 Errors.User.AlreadyExisting (COMMAND-k2una)
U/CreateUser @home -> 400 invalid CreateUserRequest.UserType: value is required
U/CreateUser @home machine={} -> 400 <IN_MACHINE>.Name: <LENGTH>
U/CreateUser @home @bot machine.accessTokenType=7.0 -> 400 <IN_MACHINE>.AccessTokenType: <NO_WORD>
U/CreateUser organizationId=<NO> @bot -> 400 Organisation not found (COMMAND-QXPGs)
U/CreateUser @bot -> 400 invalid CreateUserRequest.OrganizationId: <LENGTH>
U/CreateUser @home human=<WEAK> -> 400 COMMA-HuJf6
U/UpdateUser @visitor username=x -> 501 user type is not implemented ()
U/GetUserByID @no_user -> 404 QUERY-Dfbg2
U/SetUserMetadata @visitor -> 400 Metadata list is empty (META-9mm2d)
U/SetUserMetadata @no_user @metadata -> 400 COMMAND-uXHNj
U/DeleteUserMetadata @visitor -> 400 Metadata list is empty (META-9mm2d)
U/DeleteUserMetadata @visitor keys.0=no -> 404 One or more keys do not exist (META-2nnds)
U/ListUserMetadata @visitor @over -> 400 QUERY-4M0fs
U/ListPersonalAccessTokens @over -> 400 QUERY-4M0fs
U/DeactivateUser @no_user -> 404 COMMAND-5gp2p62iin
U/ReactivateUser @no_user -> 404 COMMAND-9hy5kzbuk6
U/LockUser @no_user -> 404 COMMAND-450yxuqrh1
U/UnlockUser @no_user -> 404 COMMAND-x377t913pw
U/DeleteUser @no_user -> 404 COMMAND-bd4ir1mblj
U/AddSecret @no_user -> 400 COMMAND-x8910n
U/AddSecret @human -> 400 Errors.User.NotExisting (COMMAND-x8910n)
U/RemoveSecret @no_user -> 400 COMMAND-x7s802
U/AddKey @no_user @forever -> 400 COMMAND-bnipwm1
U/AddKey @visitor @past -> 400 <TOO_EARLY>
U/AddKey @no_user @past -> 400 <TOO_EARLY>
U/AddKey @visitor @forever publicKey=<NO_KEY> -> 400 COMMAND-5F3h1
U/AddKey @visitor @forever publicKey=<EMPTY> -> 400 COMMAND-5F3h1
U/AddKey @visitor @forever publicKey=<PKCS1> -> 400 COMMAND-5F3h1
U/AddKey @visitor @forever publicKey=<CURVE> -> 400 COMMAND-5F3h1
U/AddKey @no_user @past publicKey=<NO_KEY> -> 400 COMMAND-5F3h1
U/RemoveKey @visitor keyId=<NO> -> 404 Machine key not found (COMMAND-4m77G)
U/AddPersonalAccessToken @no_user @forever -> 400 COMMAND-Dggw2
U/AddPersonalAccessToken @visitor -> 400 invalid AddPersonalAccessTokenRequest.ExpirationDate: value is required
U/AddPersonalAccessToken @visitor @past -> 400 <TOO_EARLY>
U/AddPersonalAccessToken @no_user @past -> 400 <TOO_EARLY>
U/AddPersonalAccessToken @human @forever -> 400 Not allowed for this user type (COMMAND-Df2f1)
U/RemovePersonalAccessToken @visitor tokenId=<NO> -> 404 Personal Access Token not found (COMMAND-4m77G)
Z/CreateAuthorization @assign userId=<reader.id> -> 409 User grant already exists (V3-DKcYh)
Z/CreateAuthorization @assign @no_user -> 400 User could not be found (COMMAND-4f8sg)
Z/CreateAuthorization @assign @no_project -> 400 Project Grant not found (COMMAND-4m9ff)
Z/CreateAuthorization @assign organizationId=<NO> -> 400 Project Grant not found (COMMAND-4m9ff)
Z/CreateAuthorization @assign @away -> 400 Project Grant not found (COMMAND-4m9ff)
Z/CreateAuthorization @assign roleKeys.0=no -> 400 Errors.Project.Role.NotFound (COMMAND-mm9F4)
Z/CreateAuthorization @assign roleKeys.0=Admin -> 400 COMMAND-mm9F4
Z/CreateAuthorization @assign roleKeys.1=admin -> 400 invalid CreateAuthorizationRequest.RoleKeys[1]: <NOT_UNIQUE>
Z/CreateAuthorization @assign userId= -> 400 invalid CreateAuthorizationRequest.UserId: <LENGTH>
Z/CreateAuthorization @assign projectId= -> 400 invalid CreateAuthorizationRequest.ProjectId: <LENGTH>
Z/CreateAuthorization @assign organizationId= -> 400 invalid CreateAuthorizationRequest.OrganizationId: <LENGTH>
Z/ListAuthorizations @over -> 400 QUERY-4M0fs
Z/UpdateAuthorization id=<NO> roleKeys.0=admin -> 404 COMMAND-3M9sd
Z/DeactivateAuthorization id=<NO> -> 404 COMMAND-3M9sd
Z/ActivateAuthorization id=<NO> -> 404 COMMAND-Lp0gs
Z/DeleteAuthorization id=<NO> -> deletionDate=0001-01-01T00:00:00Z
I/CreateAdministrator @admin roles.0=NO_SUCH_ROLE -> 400 Org-4N8es
I/CreateAdministrator @admin roles=[] -> 400 ORG-4Mlfs
I/CreateAdministrator @admin @no_user -> 400 ORG-GoXOn
I/CreateAdministrator userId=<visitor.id> roles.0=ORG_OWNER -> 400 ADMIN-IbPp47HDP5
I/CreateAdministrator @admin resource={} -> 400 invalid CreateAdministratorRequest.Resource: <NO_RESOURCE>
I/UpdateAdministrator @admin resource={} -> 400 invalid UpdateAdministratorRequest.Resource: <NO_RESOURCE>
I/DeleteAdministrator @admin resource={} -> 400 invalid DeleteAdministratorRequest.Resource: <NO_RESOURCE>
I/CreateAdministrator @instance roles.0=NOPE -> 400 INSTANCE-4m0fS
I/CreateAdministrator @instance @no_user roles.0=IAM_OWNER -> 400 INSTA-GSXOn
I/CreateAdministrator @instance userId= -> 400 INSTA-SDSfs
I/CreateAdministrator @of_project roles.0=NOPE -> 400 PROJECT-3m9ds
I/CreateAdministrator @of_project roles=[] -> 400 PROJECT-W8m4l
I/CreateAdministrator @of_project @no_user roles.0=PROJECT_OWNER -> 400 COMMAND-uXHNj
I/UpdateAdministrator @admin -> 404 Org-D8JxR
I/UpdateAdministrator @instance roles.0=IAM_OWNER -> 404 INSTANCE-D8JxR
I/UpdateAdministrator @instance roles=[] -> 400 INSTANCE-LiaZi
I/UpdateAdministrator @of_project roles.0=PROJECT_OWNER -> 404 PROJECT-D8JxR
I/UpdateAdministrator @of_project roles=[] -> 400 PROJECT-LiaZi
I/ListAdministrators @over -> 400 QUERY-4M0fs
O/AddOrganization name=<DOMAIN_TWIN> -> 409 Domain already exists (V3-DKcYh)
visitor: P/UpdateProject @no_project name=x -> 404 COMMAND-3M9sd
visitor: P/DeactivateProject @no_project -> 404 COMMAND-112M9
visitor: P/AddProjectRole @no_project roleKey=r displayName=R -> 400 COMMAND-EbFMN
visitor: A/UpdateApplication @no_app name=x -> 404 COMMAND-28di9
visitor: A/GenerateClientSecret @no_app -> 404 COMMAND-Kd92s
visitor: U/DeactivateUser @no_user -> 404 COMMAND-5gp2p62iin
visitor: U/AddSecret @no_user -> 400 COMMAND-x8910n
visitor: Z/UpdateAuthorization id=<NO> roleKeys.0=admin -> 404 COMMAND-3M9sd
""".strip().splitlines()


@pytest.fixture(scope="module")
def human(workshop: Workshop) -> str:
    """The ID of a user who is a human."""
    return workshop.user(pat=False, machine=None, human=HUMAN).id


@pytest.mark.parametrize("line", LINES)
def test_a_refusal(objects: Objects, line: str) -> None:
    """A user without any role hears too that an ID is unknown."""
    objects |= {
        "PROJECT_NAME": objects["project"].name.upper(),
        "APP_NAME": objects["app"].name.upper(),
        "USERNAME": objects["visitor"].username.upper(),
        "DOMAIN_TWIN": objects["other_organization"].name.replace("-", " ", 1),
    }
    objects.tell([line])
