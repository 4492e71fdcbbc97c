"""What an active answer holds: the claims of PATs and of access tokens, and which claims a scope asks for."""

from __future__ import annotations

import base64
import re
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.emulator_target import TOKEN, Api
from tests.support.oauth import (
    JWT_BEARER,
    METADATA,
    OWNER,
    ROLE_SCOPE,
    ROLES,
    GetToken,
    OAuth,
    assertion,
    audience,
    roles_of,
)
from tests.support.waiting import eventually
from tests.support.workshop import App, KeyFile, Organization, Project, User, Workshop

FOREVER_EPOCH = 253402300799  # 9999-12-31T23:59:59Z
PAT_SCOPES = ["openid", "profile", METADATA, OWNER]
ALL_ROLES = [f"{ROLE_SCOPE}admin", f"{ROLE_SCOPE}read:messages"]
ALWAYS = {"active", "token_type", "sub", "aud", "exp", "iat", "nbf", "iss", "jti", "scope"}
PROFILE = {"username", "preferred_username", "name", "updated_at"}
OWNERSHIP = {f"{OWNER}:id", f"{OWNER}:name", f"{OWNER}:primary_domain"}


@pytest.mark.parametrize("who", ["reader", "visitor"])
def test_the_claims_of_a_pat(
    oauth: OAuth, app: App, project: Project, organization: Organization, issuer: str, request: Any, who: str
) -> None:
    user: User = request.getfixturevalue(who)
    claims = oauth.claims(app, user.pat)
    scope = claims.pop("scope").split(" ")
    assert (scope[:4], sorted(scope[4:])) == (PAT_SCOPES, ALL_ROLES), "every role, granted or not"
    times = [claims.pop(name) for name in ("iat", "nbf", "updated_at")]
    assert all(type(seconds) is int and abs(seconds - time.time()) < 600 for seconds in times)
    assert times[0] == times[1]
    login_name = oauth.login_name(user)
    roles = {"read:messages": {organization.id: organization.primary_domain}}
    assert user.first_pat is not None
    assert claims == {
        "active": True,
        "token_type": "Bearer",
        "iss": issuer,
        "sub": user.id,
        "aud": [app.client_id, project.id],
        "exp": FOREVER_EPOCH,
        "jti": user.first_pat.id,
        "username": login_name,
        "preferred_username": login_name,
        "name": user.name,
        f"{OWNER}:id": organization.id,
        f"{OWNER}:name": organization.name,
        f"{OWNER}:primary_domain": organization.primary_domain,
        **({ROLES: roles, roles_of(project): roles} if who == "reader" else {}),
    }


@pytest.mark.parametrize("scopes", [["openid"], ["openid", "profile"]], ids=" ".join)
def test_the_claims_of_an_access_token(
    oauth: OAuth, app: App, project: Project, reader: User, reader_token: GetToken, scopes: list[str]
) -> None:
    claims = oauth.claims(app, reader_token(*scopes, audience(project)))
    session = {"client_id", "auth_time", "amr", ROLES, roles_of(project)}
    assert set(claims) == ALWAYS | session | (PROFILE if "profile" in scopes else set())
    assert claims["client_id"] == reader.username
    assert (claims["aud"], claims["amr"]) == ([project.id], ["pwd"])
    assert claims["scope"] == " ".join([*scopes, audience(project)])
    assert re.fullmatch(r"V2_\d+-at_\d+", claims["jti"])
    assert claims["exp"] - claims["iat"] == 12 * 60 * 60
    assert type(claims["auth_time"]) is int


def test_a_pat_has_the_expiry_of_its_creation(workshop: Workshop, oauth: OAuth, app: App, visitor: User) -> None:
    expires = datetime.now(UTC).replace(microsecond=0, year=datetime.now(UTC).year + 1, day=1)
    pat = workshop.pat(visitor.id, expires.isoformat())
    assert oauth.claims(app, pat.token)["exp"] == int(expires.timestamp())


def test_roles_of_another_project_never_show(
    workshop: Workshop, oauth: OAuth, app: App, other_app: App, other_project: Project
) -> None:
    user = workshop.user()
    workshop.grant(user, other_project, "read:messages")
    oauth.wait_for_roles(other_app, user.pat, {"read:messages"})
    assert oauth.roles(app, user.pat) is None
    assert roles_of(other_project) not in oauth.claims(app, user.pat)


def test_an_authorization_without_roles_gives_no_claim(
    workshop: Workshop, oauth: OAuth, app: App, project: Project
) -> None:
    user = workshop.user()
    filters = [{"authorizationIds": {"ids": [workshop.grant(user, project)]}}]
    eventually(
        "the authorization is listed",
        lambda: oauth.admin.do("AuthorizationService/ListAuthorizations", filters=filters).get("authorizations"),
    )
    assert oauth.roles(app, user.pat) is None


@pytest.mark.parametrize("role", ["a:b", "inner space", "größe", "a/b%c*d';<&", "x" * 200], ids=lambda role: role[:12])
def test_a_role_key_comes_through_whole(workshop: Workshop, oauth: OAuth, visitor: User, role: str) -> None:
    project = workshop.project(role)
    app = workshop.app(project)
    user = workshop.user()
    workshop.grant(user, project, role)
    oauth.wait_until_served(app, visitor.pat)
    oauth.wait_for_roles(app, user.pat, {role})


def test_metadata_is_base64url_without_padding(workshop: Workshop, admin: Api, oauth: OAuth, app: App) -> None:
    user = workshop.user()
    value = b"\xfb\xff~~?"
    metadata = [{"key": "team", "value": base64.b64encode(value).decode()}]
    admin.do("UserService/SetUserMetadata", userId=user.id, metadata=metadata)
    claim = eventually("the metadata shows", lambda: oauth.claims(app, user.pat).get(METADATA))
    assert claim == {"team": base64.urlsafe_b64encode(value).decode().rstrip("=")}


def test_with_claims_of_zitadel_the_answer_is_sorted(oauth: OAuth, app: App, reader: User) -> None:
    names = list(oauth.claims(app, reader.pat))
    assert names == sorted(names)


def test_without_claims_of_zitadel_active_comes_first(
    workshop: Workshop, oauth: OAuth, app: App, project: Project
) -> None:
    user = workshop.user(pat=False)
    token = oauth.access_token(user, workshop.secret(user), audience(project))
    assert next(iter(oauth.claims(app, token))) == "active"


def test_a_token_of_the_jwt_profile_has_no_amr(
    oauth: OAuth, app: App, project: Project, reader: User, reader_key: KeyFile, issuer: str
) -> None:
    form = [
        ("grant_type", JWT_BEARER),
        ("scope", f"openid profile {audience(project)}"),
        ("assertion", assertion(reader_key, issuer)),
    ]
    response = eventually(
        "the key is known", lambda: oauth.server.post_form(TOKEN, form), lambda response: response.status_code == 200
    )
    claims = oauth.claims(app, response.json()["access_token"])
    assert set(claims) == ALWAYS | PROFILE | {"client_id", "auth_time", ROLES, roles_of(project)}
    assert claims["client_id"] == reader.username


def test_the_scope_resourceowner_names_the_organization(
    oauth: OAuth, app: App, project: Project, organization: Organization, reader_token: GetToken
) -> None:
    claims = oauth.claims(app, reader_token(audience(project), OWNER))
    assert {name: claims[name] for name in OWNERSHIP} == {
        f"{OWNER}:id": organization.id,
        f"{OWNER}:name": organization.name,
        f"{OWNER}:primary_domain": organization.primary_domain,
    }


def test_the_scope_of_the_own_organization_gives_its_id_too(
    oauth: OAuth, app: App, project: Project, organization: Organization, reader_token: GetToken
) -> None:
    scope = f"urn:zitadel:iam:org:id:{organization.id}"
    claims = oauth.claims(app, reader_token(audience(project), scope))
    assert claims["urn:zitadel:iam:org:id"] == organization.id
    assert set(claims) >= OWNERSHIP


def test_the_scope_of_the_primary_domain_gives_it_back(
    oauth: OAuth, app: App, project: Project, organization: Organization, reader_token: GetToken
) -> None:
    scope = f"urn:zitadel:iam:org:domain:primary:{organization.primary_domain}"
    claims = oauth.claims(app, reader_token(audience(project), scope))
    assert claims["urn:zitadel:iam:org:domain:primary"] == organization.primary_domain


@pytest.mark.parametrize(
    "scope",
    ["urn:zitadel:iam:org:domain:primary:nowhere.example", "urn:zitadel:iam:org:project:roles", "no-such-scope"],
)
def test_a_scope_that_is_foreign_or_unknown_is_dropped(
    oauth: OAuth, app: App, project: Project, scope: str, reader_token: GetToken
) -> None:
    claims = oauth.claims(app, reader_token(audience(project), scope))
    assert claims["scope"] == audience(project)
    assert "urn:zitadel:iam:org:domain:primary" not in claims


def test_a_role_scope_narrows_the_roles(oauth: OAuth, app: App, project: Project, both_token: GetToken) -> None:
    token = both_token(audience(project), f"{ROLE_SCOPE}admin")
    claims = oauth.claims(app, token)
    assert set(claims[ROLES]) == {"admin"}
    assert claims[roles_of(project)] == claims[ROLES]


def test_without_a_role_scope_all_granted_roles_show(
    oauth: OAuth, app: App, project: Project, both_token: GetToken
) -> None:
    assert oauth.roles(app, both_token(audience(project))) == {"read:messages", "admin"}


def test_a_role_scope_that_is_not_granted_leaves_no_claim(
    oauth: OAuth, app: App, project: Project, reader_token: GetToken
) -> None:
    token = reader_token(audience(project), f"{ROLE_SCOPE}admin")
    assert oauth.roles(app, token) is None


def test_the_scope_projects_roles_changes_nothing_at_introspection(
    oauth: OAuth, app: App, project: Project, other_project: Project, both_token: GetToken
) -> None:
    scopes = [audience(project), audience(other_project), "urn:zitadel:iam:org:projects:roles"]
    claims = oauth.claims(app, both_token(*scopes))
    assert set(claims[ROLES]) == {"read:messages", "admin"}
    assert roles_of(other_project) not in claims


def test_the_assertion_flag_of_the_project_does_not_matter(workshop: Workshop, oauth: OAuth, visitor: User) -> None:
    project = workshop.project("r", projectRoleAssertion=True, authorizationRequired=True, projectAccessRequired=True)
    app = workshop.app(project)
    oauth.wait_until_served(app, visitor.pat)
    assert oauth.roles(app, visitor.pat) is None
    user = workshop.user()
    workshop.grant(user, project, "r")
    oauth.wait_for_roles(app, user.pat, {"r"})
