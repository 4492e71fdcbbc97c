"""JWT access tokens and ID tokens of service accounts: what is inside, and what introspection makes of them."""

import base64
import hashlib
import json
from functools import partial

import pytest

from tests.support.emulator_target import TOKEN, Api, Server, answer
from tests.support.oauth import (
    ACCESS_FORM,
    INACTIVE,
    JWT_BEARER,
    PAT_FORM,
    ROLE_SCOPE,
    ROLES,
    GetToken,
    OAuth,
    assertion,
    audience,
    form_of,
    roles_of,
    unpadded,
    verified,
)
from tests.support.waiting import eventually
from tests.support.workshop import App, KeyFile, Organization, Project, User, Workshop

STANDARD = {"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "client_id"}
ALL_ROLES = "urn:zitadel:iam:org:projects:roles"


@pytest.fixture(scope="module")
def signer(workshop: Workshop, project: Project) -> User:
    """A service account with JWT access tokens and both roles of ``project``."""
    user = workshop.jwt_user()
    workshop.grant(user, project, "read:messages", "admin")
    return user


@pytest.fixture(scope="module")
def signer_token(workshop: Workshop, oauth: OAuth, app: App, project: Project, signer: User) -> GetToken:
    """Gets JWT access tokens, once the signer's roles show."""
    get_token = partial(oauth.access_token, signer, workshop.secret(signer))
    oauth.wait_for_roles(app, get_token(audience(project)), {"read:messages", "admin"})
    return get_token


@pytest.fixture(scope="module")
def signed(project: Project, signer_token: GetToken) -> str:
    """A JWT access token for ``project``."""
    return signer_token("openid", "profile", audience(project))


def test_the_claims_of_a_jwt(server: Server, issuer: str, signed: str, project: Project, signer: User) -> None:
    header, claims = verified(server, signed)
    assert (set(header), header["alg"], header["typ"]) == ({"alg", "kid", "typ"}, "RS256", "JWT")
    assert set(claims) == STANDARD, "neither scope nor name nor roles"
    assert claims["iss"] == issuer
    assert claims["sub"] == signer.id
    assert claims["client_id"] == signer.username
    assert claims["aud"] == [project.id]
    assert claims["iat"] == claims["nbf"]
    assert claims["exp"] - claims["iat"] == 12 * 60 * 60
    assert claims["jti"].startswith("V2_")


def test_two_audience_scopes_give_two_audiences(
    server: Server, project: Project, other_project: Project, signer_token: GetToken
) -> None:
    token = signer_token(audience(project), audience(other_project))
    assert sorted(verified(server, token)[1]["aud"]) == sorted([project.id, other_project.id])


def test_zitadel_itself_is_an_audience_by_its_project_id(server: Server, admin: Api, signer_token: GetToken) -> None:
    token = signer_token("urn:zitadel:iam:org:project:id:zitadel:aud")
    instance = admin.rest("GET", "/management/v1/iam").json()
    assert verified(server, token)[1]["aud"] == [instance["iamProjectId"]]


def test_without_an_audience_scope_the_audience_is_the_user_and_the_token_inactive(
    server: Server, oauth: OAuth, app: App, signer: User, signer_token: GetToken
) -> None:
    token = signer_token("openid")
    assert verified(server, token)[1]["aud"] == [signer.username]
    assert answer(oauth.introspection(app, token)) == INACTIVE


@pytest.mark.parametrize(
    ("scope", "roles"),
    [(f"{ROLE_SCOPE}admin", {"admin"}), (ALL_ROLES, {"admin", "read:messages"})],
    ids=["one role", "all roles"],
)
def test_roles_are_inside_only_by_scope_and_only_under_their_project(
    server: Server, project: Project, organization: Organization, scope: str, roles: set[str], signer_token: GetToken
) -> None:
    _, claims = verified(server, signer_token(audience(project), scope))
    assert set(claims) == STANDARD | {roles_of(project)}
    assert claims[roles_of(project)] == {role: {organization.id: organization.primary_domain} for role in roles}


def test_introspection_of_a_jwt_is_that_of_an_opaque_token(oauth: OAuth, app: App, signed: str, signer: User) -> None:
    claims = oauth.claims(app, signed)
    assert claims["active"] is True
    assert claims["client_id"] == signer.username
    assert claims["scope"] == f"openid profile {audience(app.project)}"
    assert claims["name"] == signer.name
    assert claims["amr"] == ["pwd"]
    assert set(claims[ROLES]) == set(claims[roles_of(app.project)]) == {"read:messages", "admin"}


def test_a_jwt_for_another_project_is_inactive(oauth: OAuth, other_app: App, signed: str) -> None:
    assert answer(oauth.introspection(other_app, signed)) == INACTIVE


def test_a_jwt_is_bound_to_the_issuer(oauth: OAuth, app: App, signed: str) -> None:
    assert answer(oauth.introspection(app, signed, f"{oauth.server.hostname}:59999")) == INACTIVE


def test_a_jwt_that_was_tampered_with_is_inactive(oauth: OAuth, app: App, signed: str, reader: User) -> None:
    header, payload, signature = signed.split(".")
    stolen = encoded(decoded(payload) | {"sub": reader.id})
    unsigned = encoded(decoded(header) | {"alg": "none"})
    flipped = ("B" if signature[10] == "A" else "A").join([signature[:10], signature[11:]])
    for forged in (f"{header}.{stolen}.{signature}", f"{unsigned}.{payload}.", f"{header}.{payload}.{flipped}"):
        assert answer(oauth.introspection(app, forged)) == INACTIVE


@pytest.mark.parametrize("ending", ["DeactivateUser", "LockUser"])
def test_a_jwt_dies_at_introspection_with_its_user_while_its_signature_stays_good(
    workshop: Workshop, admin: Api, oauth: OAuth, app: App, project: Project, ending: str
) -> None:
    user = workshop.jwt_user()
    token = oauth.access_token(user, workshop.secret(user), audience(project))
    eventually("the JWT is active", lambda: oauth.active(app, token))
    admin.do(f"UserService/{ending}", userId=user.id)
    assert answer(oauth.introspection(app, token)) == INACTIVE
    assert verified(oauth.server, token)[1]["sub"] == user.id


def test_a_pat_of_a_user_with_jwt_access_tokens_is_opaque(
    workshop: Workshop, oauth: OAuth, app: App, signer: User
) -> None:
    pat = workshop.pat(signer.id).token
    assert form_of(pat) == PAT_FORM
    assert oauth.active(app, pat)


def test_the_token_type_is_switched_by_the_v1_api(workshop: Workshop, admin: Api, oauth: OAuth) -> None:
    user = workshop.user(pat=False)
    secret = workshop.secret(user)
    assert form_of(oauth.access_token(user, secret, "openid")) == ACCESS_FORM
    body = {"name": user.name, "accessTokenType": "ACCESS_TOKEN_TYPE_JWT"}
    path = f"/management/v1/users/{user.id}/machine"
    assert admin.rest("PUT", path, body).status_code == 200
    eventually("the next token is a JWT", lambda: oauth.access_token(user, secret, "openid").count(".") == 2)
    unchanged = admin.rest("PUT", path, body)
    assert (unchanged.status_code, unchanged.json()["code"]) == (400, 9)


def test_an_id_token_has_exactly_these_claims(
    server: Server, oauth: OAuth, project: Project, reader: User, reader_secret: str, issuer: str
) -> None:
    tokens = oauth.tokens(reader, reader_secret, "openid", audience(project))
    header, claims = verified(server, tokens["id_token"])
    assert header["typ"] == "JWT"
    assert set(claims) == {"iss", "sub", "aud", "azp", "client_id", "exp", "iat", "auth_time", "amr", "at_hash"}
    assert (claims["iss"], claims["sub"]) == (issuer, reader.id)
    assert claims["aud"] == [project.id, reader.username]
    assert claims["azp"] == claims["client_id"] == reader.username
    assert claims["amr"] == ["pwd"]
    assert claims["exp"] - claims["iat"] == 12 * 60 * 60


def test_an_id_token_belongs_to_its_access_token(oauth: OAuth, reader: User, reader_secret: str) -> None:
    tokens = oauth.tokens(reader, reader_secret, "openid")
    half = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    at_hash = base64.urlsafe_b64encode(half).decode().rstrip("=")  # OpenID Connect Core §3.1.3.6
    assert verified(oauth.server, tokens["id_token"])[1]["at_hash"] == at_hash


def test_an_id_token_of_the_jwt_profile_is_dead_on_arrival(server: Server, reader_key: KeyFile, issuer: str) -> None:
    form = [("grant_type", JWT_BEARER), ("scope", "openid"), ("assertion", assertion(reader_key, issuer))]
    response = eventually(
        "the key is known", lambda: server.post_form(TOKEN, form), lambda response: response.status_code == 200
    )
    claims = decoded(response.json()["id_token"].split(".")[1])
    assert claims["exp"] == claims["iat"]
    assert "amr" not in claims


def decoded(part: str) -> dict[str, object]:
    content: dict[str, object] = json.loads(unpadded(part))
    return content


def encoded(part: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
