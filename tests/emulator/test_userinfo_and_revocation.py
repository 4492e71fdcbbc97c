"""The userinfo endpoint, which asks no application, and the revocation endpoint, which knows only OIDC applications."""

from typing import Any

import pytest
import requests

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


def test_userinfo_reads_the_token_from_a_form_or_after_bearer_exactly(
    server: Server, reader: User, deleted_pat: Pat, reader_secret: str
) -> None:
    status, info = answer(server.post_form(USERINFO, [("access_token", reader.pat)]))
    assert (status, info["sub"]) == (200, reader.id)
    assert answer(server.get(USERINFO)) == MISSING
    for authorization in ("bearer {}", "Basic {}", "Bearer Bearer {}", "{}"):
        assert answer(server.get(USERINFO, Authorization=authorization.format(reader.pat))) == MISSING
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


def test_userinfo_checks_no_audience_and_shows_the_roles_that_were_asked_for(
    server: Server, project: Project, reader: User, reader_token: GetToken, both_token: GetToken
) -> None:
    def info(token: str) -> Any:
        return server.send("GET", USERINFO, headers=bearer(token)).json()

    assert info(reader_token("openid")) == {"sub": reader.id}
    found = info(both_token("openid", audience(project), f"{ROLE_SCOPE}admin"))
    assert (set(found), set(found[roles_of(project)])) == ({"sub", roles_of(project)}, {"admin"})


def test_only_an_oidc_application_revokes_and_only_its_own_tokens(
    server: Server, oauth: OAuth, app: App, web_app: App, reader: User, reader_token: GetToken, reader_secret: str
) -> None:
    def revoke(client: tuple[str, str], *form: tuple[str, str]) -> requests.Response:
        return server.post_form(REVOKE, form, basic(*client))

    own = (web_app.client_id, web_app.secret)
    unknown = revoke(own, ("token", "garbage"))
    assert (unknown.status_code, unknown.content) == (200, b"")
    assert answer(revoke(own)) == oauth_refusal("invalid_request", "token missing")
    for token in (reader.pat, reader_token(audience(app.project))):
        assert answer(revoke(own, ("token", token))) == FOREIGN
        assert answer(revoke(own, ("token", token), ("token_type_hint", "access_token"))) == FOREIGN
        for client in ((app.client_id, app.secret), (oauth.login_name(reader), reader_secret)):
            assert answer(revoke(client, ("token", token))) == NOT_OIDC
        assert oauth.active(app, token)
