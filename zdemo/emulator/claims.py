"""What ZITADEL says about a user: by the scopes of the token, and about roles also by the project that asks."""

from typing import Any

from zdemo.emulator.credentials import encoded
from zdemo.emulator.world import Organization, User, World

Claims = dict[str, Any]
Roles = dict[str, dict[str, str]]  # role key -> ID of the authorization's organization -> its primary domain

METADATA = "urn:zitadel:iam:user:metadata"
RESOURCE_OWNER = "urn:zitadel:iam:user:resourceowner"
ORGANIZATION_ID = "urn:zitadel:iam:org:id"
ORGANIZATION_DOMAIN = "urn:zitadel:iam:org:domain:primary"
PROJECT_ROLES = "urn:zitadel:iam:org:project:roles"
ROLES_SCOPE = "urn:zitadel:iam:org:projects:roles"
ROLE_SCOPE_PREFIX = "urn:zitadel:iam:org:project:role:"
ROLE_ORGANIZATION_PREFIX = "urn:zitadel:iam:org:roles:id:"
AUDIENCE_PREFIX, AUDIENCE_SUFFIX = "urn:zitadel:iam:org:project:id:", ":aud"


def user_claims(world: World, user: User, scopes: list[str]) -> Claims:
    """The claims that the scopes ask for, without roles."""
    claims: Claims = {}
    organization = world.organizations.get(user.organization_id)
    for scope in scopes:
        if scope == "profile":
            claims |= _profile(user)
        elif scope == "email":
            claims |= _email(user)
        elif scope == "phone":
            claims |= _phone(user)
    return claims | _own_claims(user, organization, scopes)


def custom_claims(world: World, user: User, scopes: list[str]) -> Claims:
    """Only the ``urn:`` claims, as JWTs carry them."""
    return _own_claims(user, world.organizations.get(user.organization_id), scopes)


def introspection_roles(world: World, user: User, scopes: list[str], project_id: str) -> Claims:
    """Both role claims of the project of the application that asks; nothing when no role is granted."""
    roles = _granted(world, user, project_id, scopes)
    return {PROJECT_ROLES: roles, roles_claim(project_id): roles} if roles else {}


def requested_roles(world: World, user: User, scopes: list[str]) -> Claims:
    """The role claims outside introspection: only of projects whose audience and roles the scopes name."""
    if ROLES_SCOPE not in scopes and not _role_keys(scopes):
        return {}
    found = {project: _granted(world, user, project, scopes) for project in audience(world, scopes)}
    return {roles_claim(project): roles for project, roles in found.items() if roles}


def roles_claim(project_id: str) -> str:
    """The name of the claim that holds the roles of one project."""
    return f"urn:zitadel:iam:org:project:{project_id}:roles"


def audience(world: World, scopes: list[str]) -> list[str]:
    """The projects that the audience scopes name; ``zitadel`` means the instance's own."""
    names = [
        scope.removeprefix(AUDIENCE_PREFIX).removesuffix(AUDIENCE_SUFFIX)
        for scope in scopes
        if scope.startswith(AUDIENCE_PREFIX) and scope.endswith(AUDIENCE_SUFFIX)
    ]
    return list(dict.fromkeys(world.zitadel_project_id if name == "zitadel" else name for name in names))


def _own_claims(user: User, organization: Organization | None, scopes: list[str]) -> Claims:
    claims: Claims = {}
    for scope in scopes:
        if scope == METADATA and user.metadata:
            claims[METADATA] = {key: encoded(value) for key, value in user.metadata.items()}
        elif scope.startswith(f"{ORGANIZATION_DOMAIN}:"):
            claims[ORGANIZATION_DOMAIN] = scope.removeprefix(f"{ORGANIZATION_DOMAIN}:")
        elif scope.startswith(f"{ORGANIZATION_ID}:"):
            claims[ORGANIZATION_ID] = scope.removeprefix(f"{ORGANIZATION_ID}:")
        if organization and (scope == RESOURCE_OWNER or scope.startswith(f"{ORGANIZATION_ID}:")):
            claims[f"{RESOURCE_OWNER}:id"] = organization.id
            claims[f"{RESOURCE_OWNER}:name"] = organization.name
            claims[f"{RESOURCE_OWNER}:primary_domain"] = organization.primary_domain
    return claims


def _granted(world: World, user: User, project_id: str, scopes: list[str]) -> Roles:
    """A user's roles in a project, narrowed to the roles and organizations that the scopes name, if they do."""
    keys = _role_keys(scopes)
    owners = [s.removeprefix(ROLE_ORGANIZATION_PREFIX) for s in scopes if s.startswith(ROLE_ORGANIZATION_PREFIX)]
    roles: Roles = {}
    for authorization in world.authorizations.values():
        if (authorization.user_id, authorization.project_id) != (user.id, project_id) or not authorization.active:
            continue
        organization = world.organizations.get(authorization.organization_id)
        if organization is None or (owners and organization.id not in owners):
            continue
        for key in authorization.role_keys:
            if not keys or key in keys:
                roles.setdefault(key, {})[organization.id] = organization.primary_domain
    return roles


def _role_keys(scopes: list[str]) -> set[str]:
    return {s.removeprefix(ROLE_SCOPE_PREFIX) for s in scopes if s.startswith(ROLE_SCOPE_PREFIX)}


def _profile(user: User) -> Claims:
    claims: Claims = {"name": user.name}
    if not user.machine:
        profile = _part(user, "profile")
        names = {"given_name": "givenName", "family_name": "familyName", "nickname": "nickName"}
        claims |= _filled({claim: profile.get(name) for claim, name in names.items()})
        language = profile.get("preferredLanguage")
        claims["locale"] = None if language in (None, "", "und") else language
    return claims | {"updated_at": int(user.changed), "preferred_username": user.username}


def _email(user: User) -> Claims:
    email = _part(user, "email")
    return _filled({"email": email.get("email"), "email_verified": email.get("isVerified") is True})


def _phone(user: User) -> Claims:
    phone = _part(user, "phone")
    return _filled({"phone_number": phone.get("phone"), "phone_number_verified": phone.get("isVerified") is True})


def _part(user: User, name: str) -> dict[str, Any]:
    part = user.human.get(name)
    return part if isinstance(part, dict) else {}


def _filled(claims: Claims) -> Claims:
    """Without empty and false ones, which ZITADEL omits."""
    return {name: value for name, value in claims.items() if value}
