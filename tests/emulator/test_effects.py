"""What a write changes for tokens that were issued before, and whose grants a claim shows."""

from tests.support.emulator_target import Api
from tests.support.oauth import OWNER, ROLES, OAuth, audience, roles_of
from tests.support.stories import stories
from tests.support.workshop import App, Organization, Project, Workshop

FIELDS = {
    "project": "projectId=<own_project.id>",
    "app": "projectId=<own_project.id> applicationId=<own_app.id>",
    "pat": "app=own_app token=<user.pat>",
    "issued": "app=own_app token=<issued>",
    "login": "login=<user.username> secret=<secret>",
    "aud": "urn:zitadel:iam:org:project:id:<own_project.id>:aud",
    "scope": "scope='openid urn:zitadel:iam:org:project:id:<own_project.id>:aud'",
    "user": "userId=<user.id>",
    "granted": "projectId=<own_project.id> grantedOrganizationId=<own_organization.id>",
    "guest": "userId=<guest.id> projectId=<own_project.id> organizationId=<own_organization.id>",
    "guest_pat": "app=own_app token=<guest.pat>",
    "foreign": "orgid=<own_organization.id>",
    "inactive": ":active active=false",
}
test_a_story_of_tokens = stories("""
# a grant without roles, a deactivated and a deleted one give no claim
roles @pat -> :
Z/UpdateAuthorization id=<assignment> roleKeys=[] -> changeDate
roles @pat -> :
Z/UpdateAuthorization id=<assignment> roleKeys.0=r -> changeDate
roles @pat -> :r
Z/DeactivateAuthorization id=<assignment> -> changeDate
roles @pat -> :
Z/ActivateAuthorization id=<assignment> -> changeDate
roles @pat -> :r
Z/DeleteAuthorization id=<assignment> -> deletionDate
roles @pat -> :

# a removed role leaves the grants and does not come back with its name
Z/UpdateAuthorization id=<assignment> roleKeys='["r","s"]' -> changeDate
roles @pat -> :r,s
P/RemoveProjectRole @project roleKey=r -> removalDate
roles @pat -> :s
P/AddProjectRole @project roleKey=r displayName=Again -> creationDate
roles @pat -> :s

# a role scope narrows the roles
Z/CreateAuthorization @user @project organizationId=<organization.id> roleKeys='["r","s"]' -> id
token @login @scope -> access_token
roles @issued -> :r,s
token @login scope='urn:zitadel:iam:org:project:role:s @aud' -> access_token
roles @issued -> :s
token @login scope='urn:zitadel:iam:org:project:role:x @aud' -> access_token
roles @issued -> :
token @login scope='urn:zitadel:iam:org:projects:roles @aud' -> access_token
roles @issued -> :r,s

# roles of another project never show
Z/CreateAuthorization @user projectId=<other_project.id> organizationId=<organization.id> roleKeys.0=read:messages -> id
roles app=other_app token=<user.pat> -> :read:messages
roles @pat -> :

# userinfo checks no audience and shows the roles that were asked for
Z/CreateAuthorization @user @project organizationId=<organization.id> roleKeys='["r","s"]' -> id
token @login -> access_token
userinfo token=<issued> -> :sub sub=<user.id>
token @login scope='openid urn:zitadel:iam:org:project:role:s @aud' -> access_token
userinfo token=<issued> -> :sub,urn:zitadel:iam:org:project:<own_project.id>:roles
userinfo token=<secret> -> 401 access token invalid

# an access token is active for its audience alone and a PAT for all
token @login -> access_token
introspect @issued -> @inactive
token @login @scope -> access_token
introspect @issued -> active=true
introspect app=own_app token=<id_token> -> @inactive
introspect app=other_app token=<issued> -> @inactive
token @login scope='urn:zitadel:iam:org:project:id:<other_project.id>:aud @aud' -> access_token
introspect @issued -> active=true
introspect app=other_app token=<issued> -> active=true
introspect app=other_app token=<user.pat> -> active=true

# only an OIDC application revokes and only its own tokens
token @login @scope -> access_token
revoke app=web_app token=garbage -> :
revoke app=web_app token= -> 400 token missing
revoke app=web_app token=<issued> -> 401 token was not issued for this client
revoke app=web_app token=<user.pat> -> 401 token was not issued for this client
revoke app=own_app token=<issued> -> 400 no active client not found
introspect @issued -> active=true

# wrong credentials are told apart
token login=299999999999999999 secret=<secret> -> 400 client not found
token login=<user.id> secret=<secret> -> 400 client not found
token login=<own_app.client_id> secret=<own_app.secret> -> 400 client not found
token login=<visitor.username> secret=<secret> -> 400 Errors.User.Machine.Secret.NotExisting
token login=<user.username> secret=<own_app.secret> -> 400 Errors.User.Machine.Secret.Invalid

# all tokens of a deactivated user end, and the secret stays
token @login @scope -> access_token
introspect @issued -> active=true
U/DeactivateUser @user -> details
introspect @pat -> @inactive
introspect @issued -> @inactive
token @login -> 400 invalid_request
U/ReactivateUser @user -> details
introspect @pat -> @inactive
introspect @issued -> @inactive
token @login @scope -> access_token
introspect @issued -> active=true
U/AddPersonalAccessToken @user expirationDate=<tomorrow> -> token
introspect app=own_app token=<made.token> -> active=true
U/ListPersonalAccessTokens filters.0.userIdFilter.id=<user.id> -> result.1 pagination.totalResult=2

# all tokens of a deleted user end
token @login @scope -> access_token
U/DeleteUser @user -> details
introspect @pat -> @inactive
introspect @issued -> @inactive
token @login -> 400 invalid_client

# a secret ends when it is replaced or removed
token @login -> access_token
U/AddSecret @user -> clientSecret
token @login -> 400 invalid_request
U/RemoveSecret @user -> deletionDate
token login=<user.username> secret=<made.deletionDate> -> 400 invalid_request

# an application is refused while it is off
introspect @pat -> active=true
A/DeactivateApplication @app -> deactivationDate
introspect @pat -> 400 unauthorized_client
A/ReactivateApplication @app -> reactivationDate
introspect @pat -> active=true

# a new secret ends the old one of an application
introspect @pat -> active=true
A/GenerateClientSecret @app -> clientSecret
introspect @pat -> 400 unauthorized_client

# only deleting a project grant removes what was assigned through it
P/CreateProjectGrant @granted roleKeys.0=r -> creationDate
Z/CreateAuthorization @guest roleKeys.0=s -> 400 COMMAND-mm9F4
Z/CreateAuthorization @guest roleKeys.0=r -> id
roles @guest_pat -> :r
P/DeactivateProjectGrant @granted -> changeDate
roles @guest_pat -> :r
P/DeleteProjectGrant @granted -> deletionDate
roles @guest_pat -> :

# users of a deactivated organization stay active with their roles
U/AddSecret userId=<guest.id> -> clientSecret
Z/CreateAuthorization userId=<guest.id> @project organizationId=<organization.id> roleKeys.0=r -> id
POST /management/v1/orgs/me/_deactivate @foreign -> details
POST /management/v1/orgs/me/_deactivate @foreign -> 400 EVENT-Dbs2g
roles @guest_pat -> :r
POST /management/v1/orgs/me/_reactivate @foreign -> details
roles @guest_pat -> :r
""")


def test_grants_of_two_organizations_merge_by_role_and_are_narrowed_by_scopes(
    workshop: Workshop, admin: Api, oauth: OAuth, app: App, other_organization: Organization, organization: Organization
) -> None:
    second, project = other_organization, workshop.project("read:messages", "admin")
    fields = {"projectId": project.id, "grantedOrganizationId": second.id}
    admin.do("ProjectService/CreateProjectGrant", **fields, roleKeys=["read:messages"])
    guest = workshop.user(organization=second)
    own_app = oauth.served(workshop.app(project), guest.pat)
    workshop.grant(guest, project, "read:messages", organization=second)
    workshop.grant(guest, project, "read:messages", "admin")
    oauth.wait_for_roles(own_app, guest.pat, {"read:messages", "admin"})
    claims = oauth.claims(own_app, guest.pat)
    home, abroad = {organization.id: organization.primary_domain}, {second.id: second.primary_domain}
    assert claims[ROLES] == claims[roles_of(project)] == {"admin": home, "read:messages": home | abroad}
    elsewhere = oauth.claims(app, guest.pat)
    assert (elsewhere["active"], elsewhere[f"{OWNER}:id"], ROLES in elsewhere) == (True, second.id, False)

    def shown(project: Project, *scopes: str) -> dict[str, object]:
        return oauth.claims(own_app, oauth.access_token(guest, secret, audience(project), *scopes))

    secret = workshop.secret(guest)
    assert shown(project, f"urn:zitadel:iam:org:roles:id:{second.id}")[ROLES] == {"read:messages": abroad}
    assert ROLES not in shown(project, "urn:zitadel:iam:org:roles:id:299999999999999999")
    foreign = shown(project, f"urn:zitadel:iam:org:id:{organization.id}")
    assert (foreign["scope"], "urn:zitadel:iam:org:id" in foreign) == (audience(project), False)
