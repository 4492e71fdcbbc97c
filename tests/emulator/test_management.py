"""The objects of the v2 API in stories: made, shown, listed, changed, switched off and on, and removed."""

from datetime import datetime

from tests.support.emulator_target import Api
from tests.support.oauth import PAT_FORM, form_of
from tests.support.stories import Objects, stories
from tests.support.workshop import FOREVER, User, decoded
from zdemo.emulator.entities import IdGenerator

FIELDS = {
    "project": "projectId=<own_project.id>",
    "role": "projectId=<own_project.id> roleKey=r",
    "app": "projectId=<own_project.id> applicationId=<own_app.id>",
    "application": "projectId=<own_project.id> apiConfiguration={}",
    "key_app": "projectId=<own_project.id> applicationId=<own_key_app.id>",
    "home": "organizationId=<organization.id>",
    "user": "userId=<user.id>",
    "of_user": "filters.0.userIdFilter.id=<user.id>",
    "of_app": "filters.0.projectIdFilter.projectId=<own_app.project.id>",
    "of_key_app": "filters.0.applicationIdFilter.applicationId=<own_key_app.id>",
    "this": "filters.0.authorizationIds.ids.0=<assignment>",
    "assigned": "filters.0.inUserIds.ids.0=<user.id>",
    "admin": "userId=<user.id> resource.organizationId=<organization.id>",
    "admins": "filters.0.inUserIdsFilter.ids.0=<user.id>",
}
test_a_story_of_the_management_api = stories("""
# a project leaves out its flags that are off
P/GetProject @project -> project:projectId,organizationId,creationDate,changeDate,name,state
P/GetProject @project -> project.name=<own_project.name> project.state=PROJECT_STATE_ACTIVE
P/UpdateProject @project projectRoleAssertion=true -> :changeDate
P/GetProject @project -> project.name=<own_project.name> project.projectRoleAssertion=true

# a name is taken in its organization alone, and a trailing space makes another
P/CreateProject @home name="<own_project.name> " -> :projectId,creationDate
P/DeleteProject projectId=<made.projectId> -> :deletionDate
P/CreateProject organizationId=<own_organization.id> name=<own_project.name> -> projectId

# a project is renamed, and the same name again is accepted
twice P/UpdateProject @project name=<name> -> :changeDate
P/GetProject @project -> project.name=<name>

# a project is switched off and on once
P/DeactivateProject @project -> :changeDate
P/DeactivateProject @project -> 400 Project is not active (COMMAND-mki55)
P/GetProject @project -> project.state=PROJECT_STATE_INACTIVE
P/ActivateProject @project -> :changeDate
P/ActivateProject @project -> 400 Project is not deactivated (COMMAND-5M9bs)
P/GetProject @project -> project.state=PROJECT_STATE_ACTIVE

# deleting a project again gives the old date
P/DeleteProject @project -> :deletionDate
P/DeleteProject @project -> deletionDate=<made.deletionDate>
P/GetProject @project -> 404 QUERY-fk2fs

# an application shows its secret once, if it has one
A/CreateApplication @application name=a -> :applicationId,creationDate,apiConfiguration
A/CreateApplication @application name=b -> apiConfiguration:clientId,clientSecret
A/CreateApplication @project name=c apiConfiguration.authMethodType=NOPE -> apiConfiguration:clientId,clientSecret
A/CreateApplication @project name=d oidcConfiguration={} -> oidcConfiguration:clientId,clientSecret
A/CreateApplication @project name=e apiConfiguration.authMethodType=1.0 -> apiConfiguration:clientId
A/GetApplication @app -> application:applicationId,creationDate,changeDate,state,name,apiConfiguration,projectId
A/GetApplication @app -> application.state=APPLICATION_STATE_ACTIVE application.apiConfiguration:clientId
A/GetApplication @key_app -> application.apiConfiguration.authMethodType=API_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT
A/GenerateClientSecret @app -> :clientSecret,creationDate

# the name of an application is taken in its project alone
A/UpdateApplication @app name=<own_app.name> -> 400 No changes (COMMAND-2m8vx)
A/UpdateApplication @app name=<name> -> :changeDate
A/GetApplication @app -> application.name=<name>
A/CreateApplication projectId=<project.id> name=<own_app.name> apiConfiguration={} -> applicationId

# applications are found by filters
A/ListApplications @of_app -> applications.0.applicationId=<own_app.id>
A/ListApplications @of_app filters.1.nameFilter.name=none -> applications=null
A/ListApplications @of_app filters.1.typeFilter=APPLICATION_TYPE_OIDC -> applications=null
A/ListApplications @of_app filters.1.stateFilter=APPLICATION_STATE_INACTIVE -> applications=null
A/ListApplications filters.0.clientIdFilter.clientId=<own_app.id> -> applications=null
A/ListApplications filters.0.entityIdFilter.entityId=<own_app.client_id> -> applications=null

# an application is switched off and on once
A/DeactivateApplication @app -> :deactivationDate
A/DeactivateApplication @app -> 400 Application is not active (COMMAND-dsh35)
A/ReactivateApplication @app -> :reactivationDate
A/ReactivateApplication @app -> 400 Application is not inactive (COMMAND-1n8cM)

# an application is deleted once, and its ID is free
A/DeleteApplication @app -> :deletionDate
A/DeleteApplication @app -> 404 Application doesn't exist (COMMAND-0po9s)
A/CreateApplication @application name=<own_app.name> applicationId=<own_app.id> -> applicationId=<own_app.id>

# the ID of an application that exists is accepted under another name
A/CreateApplication @application name=<name> applicationId=<own_app.id> -> applicationId=<own_app.id>

# keys of an application are listed without their private halves, until they are deleted
A/CreateApplicationKey @key_app expirationDate=<tomorrow> -> :keyId,creationDate,keyDetails
A/ListApplicationKeys @of_key_app -> keys.0:keyId,applicationId,projectId,creationDate,organizationId,expirationDate
A/ListApplicationKeys @of_key_app -> keys.0.projectId=<own_project.id> keys.0.organizationId=<organization.id>
A/GetApplicationKey keyId=<made.keyId> -> :keyId,creationDate,expirationDate
A/DeleteApplicationKey @key_app keyId=<made.keyId> -> :deletionDate
A/ListApplicationKeys @of_key_app -> keys=null

# a user leaves out what is empty
U/GetUserByID @user -> user:userId,details,state,username,loginNames,preferredLoginName,machine
U/GetUserByID @user -> user.details:sequence,changeDate,resourceOwner,creationDate user.machine:name
U/GetUserByID @user -> user.state=USER_STATE_ACTIVE user.username=<user.username> user.loginNames.0
twice U/UpdateUser @user machine.name=New machine.description=text -> :changeDate
U/AddSecret @user -> :creationDate,clientSecret
U/GetUserByID @user -> user.machine:name,description,hasSecret user.machine.name=New
U/RemoveSecret @user -> :deletionDate
U/RemoveSecret @user -> 400 Secret doesn't exist (COMMAND-coi82n)

# the v1 API switches the type of access tokens
PUT /management/v1/users/<user.id>/machine name=x accessTokenType=ACCESS_TOKEN_TYPE_JWT -> details
PUT /management/v1/users/<user.id>/machine name=x accessTokenType=ACCESS_TOKEN_TYPE_JWT -> 400 COMMAND-2n8vs
U/GetUserByID @user -> user.machine.accessTokenType=ACCESS_TOKEN_TYPE_JWT

# metadata is set with the user and apart, found by its key, and deleted
U/UpdateUser @user machine={} metadata='[{"key":"team","value":"+/9+"},{"key":"two","value":"eA=="}]' -> :changeDate
U/ListUserMetadata @user -> metadata.1:creationDate,changeDate,key,value metadata.1.value=+/9+
U/ListUserMetadata @user filters.0.keyFilter.key=two -> metadata.0.key=two pagination.totalResult=1
U/DeleteUserMetadata @user keys.0=two -> :deletionDate
U/SetUserMetadata @user metadata='[{"key":"team","value":"eQ=="},{"key":"floor","value":"eA=="}]' -> :setDate
U/ListUserMetadata @user -> metadata.0.key=floor metadata.1.value=eQ== pagination.totalResult=2
U/SetUserMetadata @user metadata='[{"key":"team"},{"key":"floor","value":""},{"key":"never there"}]' -> :setDate
U/ListUserMetadata @user -> :pagination pagination:appliedLimit

# a user is deactivated and reactivated once
U/DeactivateUser @user -> :details details:sequence,changeDate,resourceOwner
U/DeactivateUser @user -> 400 User already inactive (COMMAND-5gunjw0cd7)
U/GetUserByID @user -> user.state=USER_STATE_INACTIVE
U/ReactivateUser @user -> :details
U/ReactivateUser @user -> 400 User is not inactive (COMMAND-s5qqcz97hf)

# a user is locked and unlocked once, and a locked one can be deactivated
U/LockUser @user -> :details
U/LockUser @user -> 400 User is not active or initial (COMMAND-lgws8wtsqf)
U/GetUserByID @user -> user.state=USER_STATE_LOCKED
U/UnlockUser @user -> :details
U/UnlockUser @user -> 400 User is not locked (COMMAND-olb9vb0oca)
U/LockUser @user -> :details
U/DeactivateUser @user -> :details
U/UnlockUser @user -> 400 COMMAND-olb9vb0oca

# a user is deleted once, and the ID and the username are free
U/DeleteUser @user -> details:sequence,changeDate,resourceOwner
U/DeleteUser @user -> 404 User could not be found (COMMAND-bd4ir1mblj)
U/GetUserByID @user -> 404 QUERY-Dfbg2
U/CreateUser @home @user username=<user.username> machine.name=Bot -> id=<user.id>

# keys of a user are listed until they are removed
U/AddKey @user expirationDate=<tomorrow> -> :creationDate,keyId,keyContent
U/ListKeys @of_user -> result.0:creationDate,changeDate,id,userId,organizationId,expirationDate
U/ListKeys @of_user -> result.0.userId=<user.id> result.0.organizationId=<organization.id> result.0.id=<made.keyId>
U/RemoveKey @user keyId=<made.keyId> -> :deletionDate
U/ListKeys @of_user -> result=null

# PATs are listed without their texts until they are removed
U/ListPersonalAccessTokens @of_user -> result.0.id=<user.first_pat.id> result.0.expirationDate=9999-12-31T23:59:59Z
U/RemovePersonalAccessToken @user tokenId=<user.first_pat.id> -> :deletionDate
U/ListPersonalAccessTokens @of_user -> result=null

# an assignment names project, organization and user
Z/CreateAuthorization @user @project @home roleKeys.0=r -> :id,creationDate
Z/ListAuthorizations @assigned -> authorizations.0.id=<made.id> authorizations.0.state=STATE_ACTIVE
Z/ListAuthorizations @assigned -> authorizations.0.project:id,name,organizationId authorizations.0.creationDate
Z/ListAuthorizations @assigned -> authorizations.0.organization.name=<organization.name> authorizations.0.changeDate
Z/ListAuthorizations @assigned -> authorizations.0.user.id=<user.id> authorizations.0.user.preferredLoginName
Z/ListAuthorizations @assigned -> authorizations.0.roles.0:key,displayName authorizations.0.roles.0.key=r

# roles of an assignment are replaced, also while it is off, and end with the role
twice Z/UpdateAuthorization id=<assignment> roleKeys.0=s -> :changeDate
Z/ListAuthorizations @this -> authorizations.0.state=STATE_ACTIVE authorizations.0.roles.0.key=s
twice Z/DeactivateAuthorization id=<assignment> -> :changeDate
Z/UpdateAuthorization id=<assignment> roleKeys.0=r -> :changeDate
Z/ListAuthorizations @this -> authorizations.0.state=STATE_INACTIVE authorizations.0.roles.0.key=r
twice Z/ActivateAuthorization id=<assignment> -> :changeDate
P/RemoveProjectRole @role -> :removalDate
Z/ListAuthorizations @this -> authorizations.0.state=STATE_ACTIVE authorizations.0.roles=null
Z/UpdateAuthorization id=<assignment> roleKeys=[] -> :changeDate
Z/DeleteAuthorization id=<assignment> -> :deletionDate
Z/DeleteAuthorization id=<assignment> -> deletionDate=<made.deletionDate>
Z/ListAuthorizations @this -> :pagination pagination:appliedLimit

# assignments are found by filters
Z/ListAuthorizations @this filters.1.roleKey.key=r -> authorizations.0.user.id=<user.id>
Z/ListAuthorizations @assigned filters.1.state.state=STATE_INACTIVE -> authorizations=null
Z/ListAuthorizations @assigned filters.1.roleKey.key=s -> authorizations=null
Z/ListAuthorizations @assigned filters.1.projectId.id=7 -> authorizations=null
Z/ListAuthorizations @assigned filters.1.organizationId.id=7 -> authorizations=null
Z/ListAuthorizations @assigned filters.1.userOrganizationId.id=7 -> authorizations=null
Z/ListAuthorizations @assigned filters.1.projectName.name=none -> authorizations=null
Z/ListAuthorizations @assigned filters.1.userPreferredLoginName.loginName=none -> authorizations=null

# an assignment ends with its user
Z/ListAuthorizations @this -> authorizations
U/DeleteUser @user -> details
Z/ListAuthorizations @this -> authorizations=null

# an administrator of an organization is made once, found, changed and removed
I/CreateAdministrator @admin roles='["ORG_USER_MANAGER","ORG_OWNER"]' -> :creationDate
I/ListAdministrators @admins -> administrators.0.user.id=<user.id> administrators.0.instance=null
I/ListAdministrators @admins -> administrators.0.organization:id,name
I/ListAdministrators @admins filters.1.role.roleKey=ORG_OWNER -> administrators
I/ListAdministrators @admins filters.1.role.roleKey=ORG_OWNER_VIEWER -> administrators=null
I/CreateAdministrator @admin roles.0=ORG_OWNER -> 409 Errors.Org.Member.AlreadyExists (ORG-poWwe)
twice I/UpdateAdministrator @admin roles.0=ORG_USER_MANAGER -> :changeDate
I/ListAdministrators @admins -> administrators.0.roles:ORG_USER_MANAGER
I/DeleteAdministrator @admin -> :deletionDate
I/ListAdministrators @admins -> administrators=null
I/DeleteAdministrator @admin -> :
""")


def test_keys_and_tokens_have_zitadels_form(admin: Api, objects: Objects) -> None:
    user: User = objects["user"]
    app = objects["own_key_app"]
    made = admin.do("ApplicationService/CreateApplicationKey", **app.ids, expirationDate=objects["tomorrow"])
    file = decoded(made["keyDetails"])
    assert list(file) == ["type", "keyId", "key", "appId", "clientId"]
    assert (file["type"], file["keyId"]) == ("application", made["keyId"])
    assert (file["appId"], file["clientId"]) == (app.id, app.client_id)
    assert file["key"].startswith("-----BEGIN RSA PRIVATE KEY-----\n")
    made = admin.do("UserService/AddKey", userId=user.id, expirationDate=objects["tomorrow"])
    file = decoded(made["keyContent"])
    assert set(file) == {"type", "keyId", "key", "expirationDate", "userId"}
    assert (file["type"], file["keyId"], file["userId"]) == ("serviceaccount", made["keyId"], user.id)
    pat = admin.do("UserService/AddPersonalAccessToken", userId=user.id, expirationDate=FOREVER)
    assert (set(pat), form_of(pat["token"])) == ({"creationDate", "tokenId", "token"}, PAT_FORM)
    secrets = [admin.do("UserService/AddSecret", userId=user.id)["clientSecret"] for _ in range(2)]
    assert [len(secret) for secret in {*secrets, objects["own_app"].secret}] == [64] * 3


def test_ids_rise_while_the_clock_stands_still_and_two_generators_share_none() -> None:
    one, other = (IdGenerator(lambda: 1_800_000_000.0) for _ in range(2))
    first = [int(one.new_id()) for _ in range(600)]
    assert first == sorted(set(first))
    assert set(first).isdisjoint(int(other.new_id()) for _ in range(600))


def test_ids_hold_the_time_of_creation(admin: Api, visitor: User) -> None:
    epoch_2019 = 1556496000  # 2019-04-29T00:00Z, in steps of 10 ms in the upper bits
    made = epoch_2019 + (int(visitor.id) >> 24) / 100
    creation = admin.do("UserService/GetUserByID", userId=visitor.id)["user"]["details"]["creationDate"]
    assert abs(datetime.fromisoformat(creation).timestamp() - made) < 60
