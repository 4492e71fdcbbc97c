"""JWT access tokens and ID tokens of service accounts: what is inside, and what introspection makes of them."""

import hashlib
import json
from functools import partial
from typing import Any

import pytest

from tests.support.emulator_target import Server
from tests.support.oauth import ROLE_SCOPE, GetToken, OAuth, audience, roles_of, unpadded, verified
from tests.support.workshop import App, Project, User, Workshop
from tests.support.zitadel_api import Api
from zdemo.emulator.token_texts import encoded

STANDARD = {"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "client_id"}
ALL_ROLES = "urn:zitadel:iam:org:projects:roles"
ZITADEL = "urn:zitadel:iam:org:project:id:zitadel:aud"


@pytest.fixture(scope="module")
def signer(workshop: Workshop, project: Project) -> User:
    """A service account with JWT access tokens and both roles of ``project``."""
    user = workshop.user(pat=False, machine={"name": "Signer", "accessTokenType": "ACCESS_TOKEN_TYPE_JWT"})
    workshop.grant(user, project, "read:messages", "admin")
    return user


@pytest.fixture(scope="module")
def signer_token(workshop: Workshop, oauth: OAuth, app: App, project: Project, signer: User) -> GetToken:
    """Gets JWT access tokens, once the signer's roles show."""
    get_token = partial(oauth.access_token, signer, workshop.secret(signer))
    oauth.expect_roles(app, get_token(audience(project)), "read:messages", "admin")
    return get_token


@pytest.fixture(scope="module")
def signed(project: Project, signer_token: GetToken) -> str:
    """A JWT access token for ``project``."""
    return signer_token("openid", "profile", audience(project))


def test_the_claims_of_a_jwt(server: Server, issuer: str, signed: str, project: Project, signer: User) -> None:
    header, claims = verified(server, signed)
    assert (set(header), header["alg"], header["typ"]) == ({"alg", "kid", "typ"}, "RS256", "JWT")
    issued, expires, jti = (claims.pop(name) for name in ("iat", "exp", "jti"))
    assert (expires - issued, jti.startswith("V2_")) == (12 * 60 * 60, True)
    expected = {"iss": issuer, "sub": signer.id, "client_id": signer.username, "aud": [project.id], "nbf": issued}
    assert claims == expected, "neither scope nor name nor roles"


def test_the_audience_follows_the_scopes(
    server: Server, oauth: OAuth, admin: Api, app: App, other_app: App, signer: User, signer_token: GetToken
) -> None:
    def audience_of(*scopes: str) -> Any:
        return sorted(verified(server, signer_token(*scopes))[1]["aud"])

    instance = admin.rest("GET", "/management/v1/iam")
    here, there = audience(app.project), audience(other_app.project)
    assert audience_of(here, there) == sorted([app.project.id, other_app.project.id])
    assert audience_of(ZITADEL) == [instance["iamProjectId"]]
    assert audience_of("openid") == [signer.username]
    oauth.introspect(app, signer_token("openid")).only(active=False)


def test_roles_are_inside_by_scope_under_the_project(server: Server, project: Project, signer_token: GetToken) -> None:
    home = project.organization
    for scope, roles in ((f"{ROLE_SCOPE}admin", {"admin"}), (ALL_ROLES, {"admin", "read:messages"})):
        _, claims = verified(server, signer_token(audience(project), scope))
        assert set(claims) == STANDARD | {roles_of(project)}
        assert claims[roles_of(project)] == {role: {home.id: home.primary_domain} for role in roles}


def test_a_jwt_is_bound_to_its_content_its_project_and_its_issuer(
    oauth: OAuth, app: App, other_app: App, signed: str, reader: User
) -> None:
    header, payload, signature = signed.split(".")
    stolen = encoded(json.dumps(json.loads(unpadded(payload)) | {"sub": reader.id}).encode())
    unsigned = encoded(json.dumps(json.loads(unpadded(header)) | {"alg": "none"}).encode())
    flipped = ("B" if signature[10] == "A" else "A").join([signature[:10], signature[11:]])
    for forged in (f"{header}.{stolen}.{signature}", f"{unsigned}.{payload}.", f"{header}.{payload}.{flipped}"):
        oauth.introspect(app, forged).only(active=False)
    oauth.introspect(other_app, signed).only(active=False)
    elsewhere = f"{oauth.server.hostname}:59999"
    oauth.introspect(app, signed, elsewhere).only(active=False)
    oauth.introspect(app, reader.pat, elsewhere).has(active=True)  # a PAT is bound to no issuer


def test_an_id_token_has_exactly_these_claims(
    server: Server, oauth: OAuth, project: Project, reader: User, reader_secret: str, issuer: str
) -> None:
    tokens = oauth.tokens(reader, reader_secret, "openid", audience(project))
    header, claims = verified(server, tokens["id_token"])
    issued, expires = claims.pop("iat"), claims.pop("exp")
    assert (header["typ"], expires - issued, type(claims.pop("auth_time"))) == ("JWT", 12 * 60 * 60, int)
    half = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    assert claims == {
        "iss": issuer,
        "sub": reader.id,
        "aud": [project.id, reader.username],
        "azp": reader.username,
        "client_id": reader.username,
        "amr": ["pwd"],
        "at_hash": encoded(half),  # OpenID Connect Core §3.1.3.6
    }
