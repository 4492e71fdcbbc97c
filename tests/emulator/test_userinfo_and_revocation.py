"""The userinfo endpoint, which asks no application, and the revocation endpoint, which knows only OIDC applications."""

import pytest

from tests.support.emulator_target import REVOKE, USERINFO, Api, Server, answer, basic, bearer, oauth_refusal
from tests.support.oauth import OWNER, ROLE_SCOPE, GetToken, OAuth, audience, roles_of
from tests.support.workshop import FOREVER, App, Organization, Pat, Project, User
from zdemo.emulator import ADMIN, READER, Emulator

MISSING = (401, {"error": "invalid_request", "error_description": "access token missing"})
DENIED = (401, {"error": "access_denied", "error_description": "access token invalid"})
NOT_OIDC = oauth_refusal("invalid_client", "no active client not found")
FOREIGN = (401, {"error": "invalid_client", "error_description": "token was not issued for this client"})


def test_userinfo_of_a_pat_names_user_and_organization_but_no_roles(
    server: Server, reader: User, reader_login: str, organization: Organization
) -> None:
    status, info = answer(server.send("GET", USERINFO, headers=bearer(reader.pat)))
    updated_at = info.pop("updated_at")
    assert (status, type(updated_at)) == (200, int)
    assert info == {
        "sub": reader.id,
        "name": reader.name,
        "preferred_username": reader_login,
        f"{OWNER}:id": organization.id,
        f"{OWNER}:name": organization.name,
        f"{OWNER}:primary_domain": organization.primary_domain,
    }


def test_userinfo_takes_the_token_from_a_form_too(server: Server, reader: User) -> None:
    status, info = answer(server.post_form(USERINFO, [("access_token", reader.pat)]))
    assert (status, info["sub"]) == (200, reader.id)


@pytest.mark.parametrize("authorization", [None, "bearer {}", "Basic {}", "Bearer Bearer {}", "{}"], ids=str)
def test_userinfo_wants_the_scheme_bearer_exactly(server: Server, reader: User, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization.format(reader.pat)}
    assert answer(server.send("GET", USERINFO, headers=headers)) == MISSING


def test_userinfo_refuses_bad_tokens(server: Server, deleted_pat: Pat, reader_secret: str) -> None:
    for token in ("garbage", deleted_pat.token, reader_secret):
        assert answer(server.send("GET", USERINFO, headers=bearer(token))) == DENIED


@pytest.mark.usefixtures("emulator_only")  # the feature changes the instance for everybody
def test_a_feature_of_the_instance_tells_three_causes_apart(own: Emulator, near: Server) -> None:
    admin = Api(near, ADMIN.pat)
    admin.do("FeatureService/SetInstanceFeatures", debugOidcParentError=True)
    made = admin.do("UserService/AddPersonalAccessToken", userId=READER.id, expirationDate=FOREVER)
    admin.do("UserService/RemovePersonalAccessToken", userId=READER.id, tokenId=made["tokenId"])
    ended = own.world.add_pat(own.world.users[READER.id], 0)
    causes = {
        made["token"][:-10]: ("OIDC-Eib8e", "token contains an invalid number of segments"),
        "A" * 71: ("OIDC-rei1O", "invalid token format"),
        made["token"]: ("OIDC-Dsfb2", "EVENT-5Bm9s"),
        ended.token: ("OIDC-Dsfb2", "EVENT-5Bm9s"),
    }
    for token, (error_id, cause) in causes.items():
        parent = near.send("GET", USERINFO, headers=bearer(token)).json()["parent"]
        assert error_id in parent
        assert cause in parent


def test_userinfo_checks_no_project_audience(server: Server, reader: User, reader_token: GetToken) -> None:
    token = reader_token("openid")
    assert answer(server.send("GET", USERINFO, headers=bearer(token))) == (200, {"sub": reader.id})


def test_userinfo_of_a_service_user_shows_the_roles_that_were_asked_for(
    server: Server, project: Project, both_token: GetToken
) -> None:
    token = both_token("openid", audience(project), f"{ROLE_SCOPE}admin")
    info = server.send("GET", USERINFO, headers=bearer(token)).json()
    assert set(info) == {"sub", roles_of(project)}
    assert set(info[roles_of(project)]) == {"admin"}


def test_revoking_an_unknown_token_succeeds_without_a_body(server: Server, web_app: App) -> None:
    response = server.post_form(REVOKE, [("token", "garbage")], basic(web_app.client_id, web_app.secret))
    assert (response.status_code, response.content) == (200, b"")


def test_revocation_requires_a_token(server: Server, web_app: App) -> None:
    response = server.post_form(REVOKE, [], basic(web_app.client_id, web_app.secret))
    assert (response.status_code, response.json()["error_description"]) == (400, "token missing")


@pytest.mark.parametrize("hint", [[], [("token_type_hint", "access_token")]], ids=["no hint", "hint"])
def test_a_pat_cannot_be_revoked(
    server: Server, oauth: OAuth, app: App, web_app: App, reader: User, hint: list[tuple[str, str]]
) -> None:
    credentials = basic(web_app.client_id, web_app.secret)
    assert answer(server.post_form(REVOKE, [("token", reader.pat), *hint], credentials)) == FOREIGN
    assert oauth.active(app, reader.pat)


def test_an_access_token_of_a_service_user_cannot_be_revoked(
    server: Server, oauth: OAuth, app: App, web_app: App, project: Project, reader_token: GetToken
) -> None:
    token = reader_token(audience(project))
    assert answer(server.post_form(REVOKE, [("token", token)], basic(web_app.client_id, web_app.secret))) == FOREIGN
    assert oauth.active(app, token)


def test_only_oidc_applications_may_revoke(
    server: Server, app: App, reader: User, reader_login: str, reader_secret: str
) -> None:
    for credentials in (basic(app.client_id, app.secret), basic(reader_login, reader_secret)):
        assert answer(server.post_form(REVOKE, [("token", reader.pat)], credentials)) == NOT_OIDC
