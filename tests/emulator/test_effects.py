"""What a write changes for tokens that were issued before, and whose grants a claim shows."""

from tests.support.emulator_target import NOBODY
from tests.support.oauth import OWNER, ROLE_SCOPE, ROLES, OAuth, audience, roles_of
from tests.support.workshop import App, Fresh, User, Workshop, later
from tests.support.zitadel_api import Api, only


def test_an_assignment_gives_the_roles_that_it_has_while_it_is_on(admin: Api, oauth: OAuth, fresh: Fresh) -> None:
    app, pat, this = fresh.app, fresh.user.pat, [{"authorizationIds": {"ids": [fresh.assignment]}}]
    id, assignments = {"id": fresh.assignment}, admin.authorizations
    oauth.expect_roles(app, pat, "r")
    for _ in range(2):
        assignments.UpdateAuthorization(**id, roleKeys=["s"]).only("changeDate")
    assignments.ListAuthorizations(filters=this).has(
        authorizations=[{"state": "STATE_ACTIVE", "roles": [{"key": "s"}]}]
    )
    oauth.expect_roles(app, pat, "s")
    for _ in range(2):
        assignments.DeactivateAuthorization(**id).only("changeDate")
    assignments.UpdateAuthorization(**id, roleKeys=["r"]).only("changeDate")
    assignments.ListAuthorizations(filters=this).has(
        authorizations=[{"state": "STATE_INACTIVE", "roles": [{"key": "r"}]}]
    )
    oauth.expect_roles(app, pat)
    for _ in range(2):
        assignments.ActivateAuthorization(**id).only("changeDate")
    oauth.expect_roles(app, pat, "r")
    assignments.UpdateAuthorization(**id, roleKeys=[]).only("changeDate")
    assignments.ListAuthorizations(filters=this).has(authorizations=[{"roles": None}])
    oauth.expect_roles(app, pat)
    assignments.UpdateAuthorization(**id, roleKeys=["r"]).only("changeDate")
    deleted = assignments.DeleteAuthorization(**id).only("deletionDate")
    assert deleted["deletionDate"] > "2000", "not the date for an unknown one"
    assignments.DeleteAuthorization(**id).has(deletionDate=deleted["deletionDate"])
    assignments.ListAuthorizations(filters=this).only(pagination=only("appliedLimit"))
    oauth.expect_roles(app, pat)


def test_a_removed_role_leaves_the_grants_and_stays_away(admin: Api, oauth: OAuth, fresh: Fresh) -> None:
    role, app, pat = {"projectId": fresh.project.id, "roleKey": "r"}, fresh.app, fresh.user.pat
    admin.authorizations.UpdateAuthorization(id=fresh.assignment, roleKeys=["r", "s"]).has("changeDate")
    oauth.expect_roles(app, pat, "r", "s")
    admin.projects.RemoveProjectRole(**role).has("removalDate")
    oauth.expect_roles(app, pat, "s")
    admin.projects.AddProjectRole(**role, displayName="Again").has("creationDate")
    oauth.expect_roles(app, pat, "s")


def test_a_role_scope_narrows_the_roles(oauth: OAuth, workshop: Workshop, fresh: Fresh) -> None:
    workshop.grant(fresh.user, fresh.project, "r", "s")
    for scope, roles in (
        ("openid", ("r", "s")),
        (f"{ROLE_SCOPE}s", ("s",)),
        (f"{ROLE_SCOPE}x", ()),
        ("urn:zitadel:iam:org:projects:roles", ("r", "s")),
    ):
        token = oauth.access_token(fresh.user, fresh.secret, scope, audience(fresh.project))
        oauth.expect_roles(fresh.app, token, *roles)


def test_userinfo_checks_no_audience_and_shows_requested_roles(oauth: OAuth, workshop: Workshop, fresh: Fresh) -> None:
    workshop.grant(fresh.user, fresh.project, "r", "s")
    oauth.userinfo(oauth.access_token(fresh.user, fresh.secret, "openid")).only(sub=fresh.user.id)
    token = oauth.access_token(fresh.user, fresh.secret, "openid", f"{ROLE_SCOPE}s", audience(fresh.project))
    oauth.userinfo(token).only("sub", roles_of(fresh.project))


def test_a_project_grant_takes_its_assignments_along_when_deleted(admin: Api, oauth: OAuth, fresh: Fresh) -> None:
    id, guest = {"projectId": fresh.project.id}, fresh.guest
    granted = id | {"grantedOrganizationId": guest.organization.id}
    assigned = id | {"organizationId": guest.organization.id, "userId": guest.id}
    admin.projects.CreateProjectGrant(**granted, roleKeys=["r"]).has("creationDate")
    admin.authorizations.CreateAuthorization(**assigned, roleKeys=["s"]).refused(400, id="COMMAND-mm9F4")
    admin.authorizations.CreateAuthorization(**assigned, roleKeys=["r"]).has("id")
    oauth.expect_roles(fresh.app, guest.pat, "r")
    admin.projects.DeactivateProjectGrant(**granted).has("changeDate")
    oauth.expect_roles(fresh.app, guest.pat, "r")
    admin.projects.DeleteProjectGrant(**granted).has("deletionDate")
    oauth.expect_roles(fresh.app, guest.pat)


def test_users_of_inactive_organizations_keep_roles(admin: Api, oauth: OAuth, workshop: Workshop, fresh: Fresh) -> None:
    abroad, organization = admin.within(fresh.organization.id), "/management/v1/orgs/me"
    workshop.grant(fresh.guest, fresh.project, "r")
    abroad.rest("POST", f"{organization}/_deactivate").has("details")
    abroad.rest("POST", f"{organization}/_deactivate").refused(400, id="EVENT-Dbs2g")
    oauth.expect_roles(fresh.app, fresh.guest.pat, "r")
    abroad.rest("POST", f"{organization}/_reactivate").has("details")
    oauth.expect_roles(fresh.app, fresh.guest.pat, "r")


def test_grants_of_two_organizations_merge_and_narrow(workshop: Workshop, admin: Api, oauth: OAuth, app: App) -> None:
    organization, second = workshop.home, workshop.organization()
    project = workshop.project("read:messages", "admin")
    granted = {"projectId": project.id, "grantedOrganizationId": second.id}
    admin.projects.CreateProjectGrant(**granted, roleKeys=["read:messages"]).has()
    guest = workshop.user(organization=second)
    own_app = oauth.served(workshop.app(project), guest.pat)
    workshop.grant(guest, project, "read:messages", organization=second)
    workshop.grant(guest, project, "read:messages", "admin")
    oauth.expect_roles(own_app, guest.pat, "read:messages", "admin")
    claims = oauth.claims(own_app, guest.pat)
    home, abroad = {organization.id: organization.primary_domain}, {second.id: second.primary_domain}
    assert claims[ROLES] == claims[roles_of(project)] == {"admin": home, "read:messages": home | abroad}
    oauth.introspect(app, guest.pat).has(**{"active": True, f"{OWNER}:id": second.id, ROLES: None})

    def claims_for(scope: str) -> dict[str, object]:
        return oauth.claims(own_app, oauth.access_token(guest, secret, audience(project), scope))

    secret = workshop.secret(guest)
    assert claims_for(f"urn:zitadel:iam:org:roles:id:{second.id}")[ROLES] == {"read:messages": abroad}
    assert ROLES not in claims_for(f"urn:zitadel:iam:org:roles:id:{NOBODY}")
    foreign = claims_for(f"urn:zitadel:iam:org:id:{organization.id}")
    assert (foreign["scope"], "urn:zitadel:iam:org:id" in foreign) == (audience(project), False)


def test_an_access_token_is_for_each_audience_and_a_pat_for_all(oauth: OAuth, fresh: Fresh, other_app: App) -> None:
    scopes = ("openid", audience(fresh.project), audience(other_app.project))
    tokens = oauth.tokens(fresh.user, fresh.secret, *scopes)
    oauth.introspect(fresh.app, tokens["id_token"]).only(active=False)
    oauth.introspect(fresh.app, tokens["access_token"]).has(active=True)
    oauth.introspect(other_app, tokens["access_token"]).has(active=True)
    oauth.introspect(other_app, fresh.user.pat).has(active=True)


def test_only_an_oidc_application_revokes_and_no_token_of_a_service_account(
    oauth: OAuth, workshop: Workshop, fresh: Fresh
) -> None:
    web = {"redirectUris": ["http://localhost/callback"], "developmentMode": True}
    web_app = oauth.served(workshop.app(fresh.project, oidcConfiguration=web), fresh.user.pat)
    token = oauth.access_token(fresh.user, fresh.secret, "openid", audience(fresh.project))
    oauth.revoke(web_app, "garbage").only()
    oauth.revoke(web_app, "").refused(400, "token missing")
    oauth.revoke(web_app, token).refused(401, "token was not issued for this client")
    oauth.revoke(web_app, fresh.user.pat).refused(401, "token was not issued for this client")
    oauth.revoke(fresh.app, token).refused(400, "no active client not found")
    oauth.introspect(fresh.app, token).has(active=True)


def test_wrong_credentials_are_told_apart(oauth: OAuth, fresh: Fresh, visitor: User) -> None:
    for login, secret, error in (
        (NOBODY, fresh.secret, "client not found"),
        (fresh.user.id, fresh.secret, "client not found"),
        (fresh.app.client_id, fresh.app.secret, "client not found"),
        (visitor.username, fresh.secret, "Errors.User.Machine.Secret.NotExisting"),
        (fresh.user.username, fresh.app.secret, "Errors.User.Machine.Secret.Invalid"),
    ):
        oauth.ask_for_token(login, secret).refused(400, error)


def test_all_tokens_of_a_deactivated_user_end_and_the_secret_stays(admin: Api, oauth: OAuth, fresh: Fresh) -> None:
    user, app, scopes = fresh.user, fresh.app, ("openid", audience(fresh.project))
    token = oauth.access_token(user, fresh.secret, *scopes)
    oauth.introspect(app, token).has(active=True)
    admin.users.DeactivateUser(userId=user.id).has("details")
    for ended in (user.pat, token):
        oauth.introspect(app, ended).only(active=False)
    oauth.ask_for_token(user.username, fresh.secret).refused(400, "invalid_request")
    admin.users.ReactivateUser(userId=user.id).has("details")
    for ended in (user.pat, token):
        oauth.introspect(app, ended).only(active=False)
    oauth.introspect(app, oauth.access_token(user, fresh.secret, *scopes)).has(active=True)
    pat = admin.users.AddPersonalAccessToken(userId=user.id, expirationDate=later(days=1))["token"]
    oauth.introspect(app, pat).has(active=True)
    of_user = [{"userIdFilter": {"id": user.id}}]
    admin.users.ListPersonalAccessTokens(filters=of_user).has(result=[..., ...], pagination={"totalResult": "2"})


def test_a_secret_ends_when_it_is_replaced_or_removed(admin: Api, oauth: OAuth, fresh: Fresh) -> None:
    user, old = fresh.user, fresh.secret
    oauth.ask_for_token(user.username, old).has("access_token")
    new = admin.users.AddSecret(userId=user.id)["clientSecret"]
    oauth.ask_for_token(user.username, old).refused(400, "invalid_request")
    admin.users.RemoveSecret(userId=user.id).has("deletionDate")
    oauth.ask_for_token(user.username, new).refused(400, "invalid_request")


def test_an_application_is_refused_while_off_and_with_its_old_secret(admin: Api, oauth: OAuth, fresh: Fresh) -> None:
    app, pat = fresh.app, fresh.user.pat
    oauth.introspect(app, pat).has(active=True)
    admin.apps.DeactivateApplication(**app.ids).has("deactivationDate")
    oauth.introspect(app, pat).refused(400, "unauthorized_client")
    admin.apps.ReactivateApplication(**app.ids).has("reactivationDate")
    oauth.introspect(app, pat).has(active=True)
    admin.apps.GenerateClientSecret(**app.ids).has("clientSecret")
    oauth.introspect(app, pat).refused(400, "unauthorized_client")
