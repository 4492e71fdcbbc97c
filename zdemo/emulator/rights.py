"""The administrator roles and their permissions (ZITADEL: InternalAuthZ, its default mapping)."""

import json
from pathlib import Path

from zdemo.emulator.entities import INSTANCE, Administrator, User
from zdemo.emulator.world import World

# The permissions of each role, as in ZITADEL's defaults.yaml
ROLES: dict[str, list[str]] = json.loads(Path(__file__).with_name("role_permissions.json").read_text())
PREFIXES = {"instance": "IAM_", "organization": "ORG_", "project": "PROJECT_"}  # of the roles that a resource has


def kind_of(role: str) -> str:
    """Return the kind of resources that an administrator role is for; empty for an unknown role."""
    return next((kind for kind, start in PREFIXES.items() if role in ROLES and role.startswith(start)), "")


def memberships(world: World, user: User, organization_id: str) -> list[Administrator]:
    """Return the administrator roles that count here: of the instance, the organization and its projects."""
    mine = [a for a in world.administrators.values() if a.user_id == user.id]
    return [a for a in mine if a.resource == INSTANCE or world.organization_of(a.resource) == organization_id]


def permissions(world: World, user: User, organization_id: str) -> list[str]:
    """Return all permissions in an organization; those for one project end in ``:`` and its ID."""
    held: list[str] = []
    for administrator in memberships(world, user, organization_id):
        resource = administrator.resource
        tail = f":{resource.id}" if resource.kind == "project" else ""
        names = sorted({name for role in administrator.roles for name in ROLES.get(role, ())})
        held += [name + tail for name in names if name + tail not in held]
    return held
