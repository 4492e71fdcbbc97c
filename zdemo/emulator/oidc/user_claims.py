"""The claims about a user, by the scopes of the token and, for roles, by the project of the asking application."""

from collections.abc import Callable
from typing import Any

from zdemo.emulator.entities import Application, User
from zdemo.emulator.sessions import ORGANIZATION_DOMAIN, ORGANIZATION_ID
from zdemo.emulator.token_texts import encoded
from zdemo.emulator.world import World

Claims = dict[str, Any]
Roles = dict[str, dict[str, str]]  # role key -> ID of the authorization's organization -> its primary domain

OPENID_SCOPES = ("openid", "profile", "email", "phone", "address", "offline_access")
METADATA = "urn:zitadel:iam:user:metadata"
GROUPS = "urn:zitadel:iam:user:groups"
RESOURCE_OWNER = "urn:zitadel:iam:user:resourceowner"
PROJECT_ROLES = "urn:zitadel:iam:org:project:roles"
ROLES_SCOPE = "urn:zitadel:iam:org:projects:roles"
ROLE_SCOPE_PREFIX = "urn:zitadel:iam:org:project:role:"
ROLE_ORGANIZATION_PREFIX = "urn:zitadel:iam:org:roles:id:"
AUDIENCE_PREFIX, AUDIENCE_SUFFIX = "urn:zitadel:iam:org:project:id:", ":aud"


def user_claims(world: World, user: User, scopes: list[str]) -> Claims:
    """Return the claims that the scopes request, without roles."""
    claims: Claims = {}
    for scope in scopes:
        if scope in CLAIMS_OF:
            claims |= CLAIMS_OF[scope](user)
    return claims | custom_claims(world, user, scopes)


def custom_claims(world: World, user: User, scopes: list[str]) -> Claims:
    """Return the ``urn:`` claims alone, which JWTs carry too."""
    claims: Claims = {}
    organization = world.organizations.get(user.organization_id)
    for scope in scopes:
        if scope == METADATA and user.metadata:
            claims[METADATA] = {key: encoded(entry.value) for key, entry in user.metadata.items()}
        for claim in (ORGANIZATION_DOMAIN, ORGANIZATION_ID):
            if scope.startswith(f"{claim}:"):
                claims[claim] = scope.removeprefix(f"{claim}:")
        if organization and (scope == RESOURCE_OWNER or scope.startswith(f"{ORGANIZATION_ID}:")):
            owner = {name: getattr(organization, name) for name in ("id", "name", "primary_domain")}
            claims |= {f"{RESOURCE_OWNER}:{name}": value for name, value in owner.items()}
    return claims


def introspection_roles(world: World, user: User, scopes: list[str], project_id: str) -> Claims:
    """Return both role claims of the asking application's project, or nothing when no role is granted."""
    roles = _granted(world, user, [project_id], scopes)[project_id]
    return {PROJECT_ROLES: roles, roles_claim(project_id): roles} if roles else {}


def requested_roles(world: World, user: User, scopes: list[str], application: Application | None = None) -> Claims:
    """Return the role claims outside introspection: only of projects whose audience and roles the scopes name.

    Of a login, they name the project of the application too, whose roles come in both claims.
    """
    if ROLES_SCOPE not in scopes and not _role_keys(scopes):
        return {}
    projects, own = audience(world, scopes), ""
    if application and (projects or _role_keys(scopes)):
        own = application.project_id
        projects.append(own)
    granted = _granted(world, user, projects, scopes)
    both = {PROJECT_ROLES: granted[own]} if own and granted[own] else {}
    return both | {roles_claim(project): roles for project, roles in granted.items() if roles}


def roles_claim(project_id: str) -> str:
    """Return the name of the claim that holds the roles of one project."""
    return f"urn:zitadel:iam:org:project:{project_id}:roles"


def audience(world: World, scopes: list[str]) -> list[str]:
    """Return the projects that the audience scopes name; ``zitadel`` means the instance's own."""
    names = [
        scope.removeprefix(AUDIENCE_PREFIX).removesuffix(AUDIENCE_SUFFIX)
        for scope in scopes
        if scope.startswith(AUDIENCE_PREFIX) and scope.endswith(AUDIENCE_SUFFIX)
    ]
    return list(dict.fromkeys(world.zitadel_project_id if name == "zitadel" else name for name in names))


def _granted(world: World, user: User, project_ids: list[str], scopes: list[str]) -> dict[str, Roles]:
    """Return a user's roles by project, narrowed to the roles and organizations that the scopes name, if any."""
    keys = _role_keys(scopes)
    owners = {s.removeprefix(ROLE_ORGANIZATION_PREFIX) for s in scopes if s.startswith(ROLE_ORGANIZATION_PREFIX)}
    granted: dict[str, Roles] = {project_id: {} for project_id in project_ids}
    for authorization in world.authorizations.values():
        roles = granted.get(authorization.project_id)
        if roles is None or authorization.user_id != user.id or not authorization.active:
            continue
        organization = world.organizations.get(authorization.organization_id)
        if organization is None or (owners and organization.id not in owners):
            continue
        for key in authorization.role_keys:
            if not keys or key in keys:
                roles.setdefault(key, {})[organization.id] = organization.primary_domain
    return granted


def _role_keys(scopes: list[str]) -> set[str]:
    return {s.removeprefix(ROLE_SCOPE_PREFIX) for s in scopes if s.startswith(ROLE_SCOPE_PREFIX)}


def _profile(user: User) -> Claims:
    claims: Claims = {"name": user.name}
    if not user.machine:
        profile = user.human.get("profile", {})
        names = {"given_name": "givenName", "family_name": "familyName", "nickname": "nickName"}
        claims |= _filled({claim: profile.get(name) for claim, name in names.items()})
        language = profile.get("preferredLanguage")
        claims["locale"] = None if language in (None, "", "und") else language
    return claims | {"updated_at": int(user.changed), "preferred_username": user.username}


def _address(user: User, kind: str, claim: str) -> Claims:
    held = user.human.get(kind, {})
    return _filled({claim: held.get(kind), f"{claim}_verified": held.get("isVerified") is True})


def _filled(claims: Claims) -> Claims:
    """Return the claims without empty and false ones, which ZITADEL omits."""
    return {name: value for name, value in claims.items() if value}


CLAIMS_OF: dict[str, Callable[[User], Claims]] = {  # by scope
    "profile": _profile,
    "email": lambda user: _address(user, "email", "email"),
    "phone": lambda user: _address(user, "phone", "phone_number"),
    "groups": lambda user: _filled({"groups": list(user.groups.values())}),
    GROUPS: lambda user: _filled({GROUPS: [{"id": id, "name": name} for id, name in user.groups.items()]}),
}
