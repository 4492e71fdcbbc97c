"""What an active answer and userinfo hold, which claims a scope asks for, and what revocation ends."""

import base64
import time
from typing import Any

import pytest

from tests.support.emulator_target import USERINFO, Server, answer, bearer
from tests.support.oauth import METADATA, OWNER, ROLE_SCOPE, ROLES, GetToken, OAuth, audience, roles_of
from tests.support.workshop import App, Pat, Project, User, Workshop

FOREVER_EPOCH = 253402300799  # 9999-12-31T23:59:59Z
PAT_SCOPES = ["openid", "profile", METADATA, OWNER]
ALL_ROLES = [f"{ROLE_SCOPE}admin", f"{ROLE_SCOPE}read:messages"]
DOMAIN, ID = "urn:zitadel:iam:org:domain:primary", "urn:zitadel:iam:org:id"
OWNERS = {f"{OWNER}:id", f"{OWNER}:name", f"{OWNER}:primary_domain"}


@pytest.mark.parametrize("who", ["reader", "visitor"])
def test_introspection_and_userinfo_return_the_claims_of_a_pat(
    oauth: OAuth, app: App, project: Project, issuer: str, request: Any, who: str
) -> None:
    user: User = request.getfixturevalue(who)
    claims = oauth.claims(app, user.pat)
    assert list(claims) == sorted(claims)
    told = ("sub", "name", "preferred_username", "updated_at", *OWNERS)
    info = oauth.server.send("GET", USERINFO, headers=bearer(user.pat))
    assert answer(info) == (200, {name: claims[name] for name in told}), "but no roles"
    scope = claims.pop("scope").split(" ")
    assert (scope[:4], sorted(scope[4:])) == (PAT_SCOPES, ALL_ROLES), "every role, granted or not"
    times = [claims.pop(name) for name in ("iat", "nbf", "updated_at")]
    assert all(type(seconds) is int and abs(seconds - time.time()) < 600 for seconds in times)
    assert times[0] == times[1]
    login_name = oauth.login_name(user)
    roles = {"read:messages": {project.organization.id: project.organization.primary_domain}}
    assert claims == {
        "active": True,
        "token_type": "Bearer",
        "iss": issuer,
        "sub": user.id,
        "aud": [app.client_id, project.id],
        "exp": FOREVER_EPOCH,
        "jti": user.pat_id,
        "username": login_name,
        "preferred_username": login_name,
        "name": user.name,
        f"{OWNER}:id": project.organization.id,
        f"{OWNER}:name": project.organization.name,
        f"{OWNER}:primary_domain": project.organization.primary_domain,
        **({ROLES: roles, roles_of(project): roles} if who == "reader" else {}),
    }


def test_a_role_key_comes_through_whole_whatever_the_flags(workshop: Workshop, oauth: OAuth, visitor: User) -> None:
    keys = ["a:b", "inner space", "größe", "a/b%c*d';<&", "x" * 200]
    flags: Any = dict.fromkeys(("projectRoleAssertion", "authorizationRequired", "projectAccessRequired"), True)
    project = workshop.project(*keys, **flags)
    app, user = oauth.served(workshop.app(project), visitor.pat), workshop.user()
    oauth.expect_roles(app, visitor.pat)
    workshop.grant(user, project, *keys)
    oauth.expect_roles(app, user.pat, *keys)


def test_metadata_is_base64url_without_padding(workshop: Workshop, oauth: OAuth, app: App) -> None:
    value = b"\xfb\xff~~?"
    user = workshop.user(metadata=[{"key": "team", "value": base64.b64encode(value).decode()}])
    oauth.introspect(app, user.pat).has(**{METADATA: {"team": "-_9-fj8"}})


def test_a_scope_about_the_own_organization_gives_its_claims_and_an_unknown_one_is_dropped(
    oauth: OAuth, app: App, reader_token: GetToken
) -> None:
    organization = app.project.organization
    values = {ID: organization.id, f"{OWNER}:id": organization.id, f"{OWNER}:name": organization.name}
    values |= dict.fromkeys((DOMAIN, f"{OWNER}:primary_domain"), organization.primary_domain)
    for asked, names in (
        (OWNER, OWNERS),
        (f"{ID}:{organization.id}", OWNERS | {ID}),
        (f"{DOMAIN}:{organization.primary_domain}", {DOMAIN}),
        (f"{DOMAIN}:nowhere.example", set()),
        (ROLES, set()),
        ("no-such-scope", set()),
    ):
        claims = oauth.claims(app, reader_token(audience(app.project), asked))
        assert claims["scope"] == audience(app.project) + (f" {asked}" if names else "")
        told = {name: claims[name] for name in claims if name.startswith((OWNER, ID, DOMAIN))}
        assert told == {name: values[name] for name in names}


MISSING = (401, {"error": "invalid_request", "error_description": "access token missing"})
DENIED = (401, {"error": "access_denied", "error_description": "access token invalid"})


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
