"""What an active answer holds: the claims of PATs and of access tokens, and which claims a scope asks for."""

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
DOMAIN = "urn:zitadel:iam:org:domain:primary"
ABOUT_ORGANIZATION = (OWNER, "urn:zitadel:iam:org:id", DOMAIN)


@pytest.mark.parametrize("who", ["reader", "visitor"])
def test_the_claims_of_a_pat(oauth: OAuth, app: App, project: Project, issuer: str, request: Any, who: str) -> None:
    user: User = request.getfixturevalue(who)
    claims = oauth.claims(app, user.pat)
    scope = claims.pop("scope").split(" ")
    assert (scope[:4], sorted(scope[4:])) == (PAT_SCOPES, ALL_ROLES), "every role, granted or not"
    times = [claims.pop(name) for name in ("iat", "nbf", "updated_at")]
    assert all(type(seconds) is int and abs(seconds - time.time()) < 600 for seconds in times)
    assert times[0] == times[1]
    login_name = oauth.login_name(user)
    roles = {"read:messages": {project.organization.id: project.organization.primary_domain}}
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
        f"{OWNER}:id": project.organization.id,
        f"{OWNER}:name": project.organization.name,
        f"{OWNER}:primary_domain": project.organization.primary_domain,
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


def test_roles_of_another_project_never_show(workshop: Workshop, oauth: OAuth, app: App, other_app: App) -> None:
    user = workshop.user()
    workshop.grant(user, other_app.project, "read:messages")
    oauth.wait_for_roles(other_app, user.pat, {"read:messages"})
    assert oauth.roles(app, user.pat) is None
    assert roles_of(other_app.project) not in oauth.claims(app, user.pat)


def test_an_authorization_without_roles_gives_no_claim(workshop: Workshop, oauth: OAuth, app: App) -> None:
    user = workshop.user()
    filters = [{"authorizationIds": {"ids": [workshop.grant(user, app.project)]}}]
    list_method = "AuthorizationService/ListAuthorizations"
    eventually("it is listed", lambda: oauth.admin.rows(list_method, filters=filters))
    assert oauth.roles(app, user.pat) is None


@pytest.mark.parametrize("role", ["a:b", "inner space", "größe", "a/b%c*d';<&", "x" * 200], ids=lambda role: role[:12])
def test_a_role_key_comes_through_whole(workshop: Workshop, oauth: OAuth, visitor: User, role: str) -> None:
    project = workshop.project(role)
    app = workshop.app(project)
    user = workshop.user()
    workshop.grant(user, project, role)
    oauth.served(app, visitor.pat)
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


def test_without_claims_of_zitadel_active_comes_first(workshop: Workshop, oauth: OAuth, app: App) -> None:
    user = workshop.user(pat=False)
    token = oauth.access_token(user, workshop.secret(user), audience(app.project))
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


@pytest.mark.parametrize(
    ("scope", "claims"),
    [
        (OWNER, {}),
        ("urn:zitadel:iam:org:id:{0.id}", {"urn:zitadel:iam:org:id": "{0.id}"}),
        ("urn:zitadel:iam:org:domain:primary:{0.primary_domain}", {DOMAIN: "{0.primary_domain}"}),
    ],
    ids=["owner", "own ID", "own domain"],
)
def test_a_scope_about_the_own_organization_gives_its_claims(
    oauth: OAuth,
    app: App,
    project: Project,
    organization: Organization,
    reader_token: GetToken,
    scope: str,
    claims: Any,
) -> None:
    found = oauth.claims(app, reader_token(audience(project), scope.format(organization)))
    owner = {f"{OWNER}:id": organization.id, f"{OWNER}:name": organization.name}
    owner |= {f"{OWNER}:primary_domain": organization.primary_domain}
    expected = {name: value.format(organization) for name, value in claims.items()}
    assert {name: found[name] for name in found if name.startswith(ABOUT_ORGANIZATION)} == (
        expected | ({} if DOMAIN in claims else owner)
    )


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


@pytest.mark.parametrize(
    ("scopes", "roles"),
    [([], {"read:messages", "admin"}), ([f"{ROLE_SCOPE}admin"], {"admin"}), ([f"{ROLE_SCOPE}other"], None)],
    ids=["no role scope", "granted", "not granted"],
)
def test_a_role_scope_narrows_the_roles(
    oauth: OAuth, app: App, project: Project, both_token: GetToken, scopes: list[str], roles: set[str] | None
) -> None:
    claims = oauth.claims(app, both_token(audience(project), *scopes))
    assert (set(claims[ROLES]) if ROLES in claims else None) == roles
    assert claims.get(roles_of(project)) == claims.get(ROLES)


def test_the_scope_projects_roles_changes_nothing_at_introspection(
    oauth: OAuth, app: App, project: Project, other_project: Project, both_token: GetToken
) -> None:
    scopes = [audience(project), audience(other_project), "urn:zitadel:iam:org:projects:roles"]
    claims = oauth.claims(app, both_token(*scopes))
    assert set(claims[ROLES]) == {"read:messages", "admin"}
    assert roles_of(other_project) not in claims


def test_the_assertion_flag_of_the_project_does_not_matter(workshop: Workshop, oauth: OAuth, visitor: User) -> None:
    project = workshop.project("r", projectRoleAssertion=True, authorizationRequired=True, projectAccessRequired=True)
    app = oauth.served(workshop.app(project), visitor.pat)
    assert oauth.roles(app, visitor.pat) is None
    user = workshop.user()
    workshop.grant(user, project, "r")
    oauth.wait_for_roles(app, user.pat, {"r"})
