"""The administrator roles and their permissions (ZITADEL: InternalAuthZ, its default mapping)."""

from zdemo.emulator.entities import INSTANCE, Administrator, User
from zdemo.emulator.world import World


def _permissions(*lines: str) -> frozenset[str]:
    """Return every thing with every verb of each line: ``"user org: read write"`` stands for four permissions."""
    split = (line.split(":") for line in lines)
    return frozenset(f"{thing}.{verb}" for things, verbs in split for thing in things.split() for verb in verbs.split())


_PROJECT_PARTS = "project.member project.role project.app project.grant project.grant.member"
_READ_PROJECT = _permissions(f"policy project {_PROJECT_PARTS} user user.global user.grant user.membership: read")
_READ_ORGANIZATION = _READ_PROJECT | _permissions(
    "org org.member org.idp org.action org.flow org.feature user.feature: read"
)
_ORG_OWNER = _READ_ORGANIZATION | _permissions(
    "org org.member org.idp org.action org.flow org.feature user user.grant user.feature policy: write delete",
    "org.global: read",
    "user.credential user.passkey project.app: write",
    "project: create write delete",
    "project.member project.role project.grant project.grant.member: write delete",
    "session: read delete",
)
_IAM_ORG_MANAGER = _ORG_OWNER | _permissions("org: create", "project.app: delete")
_READ_INSTANCE = _permissions(
    "iam iam.policy iam.member iam.idp iam.action iam.flow iam.restrictions iam.feature iam.web_key iam.debug: read",
    "events milestones action.target action.execution userschema session: read",
)
_MANAGE_USERS = _permissions(
    "org user.global user.membership project project.role: read",
    "user user.grant user.feature: read write delete",
    "session: read delete",
)
_GIVE_ROLES = _permissions(
    f"org org.member user user.global policy project {_PROJECT_PARTS}: read", "user.grant: read write delete"
)
_IMPERSONATE = frozenset({"admin.impersonation", "impersonation"})

ROLES: dict[str, frozenset[str]] = {
    "IAM_OWNER": _IAM_ORG_MANAGER
    | _READ_INSTANCE
    | _permissions(
        "iam iam.restrictions iam.debug action.execution session: write",
        "iam.policy iam.member iam.idp iam.action iam.flow iam.feature iam.web_key: write delete",
        "action.target userschema: write delete",
    ),
    "IAM_OWNER_VIEWER": _READ_INSTANCE | (_READ_ORGANIZATION - {"user.global.read"}),
    "IAM_ORG_MANAGER": _IAM_ORG_MANAGER,
    "IAM_USER_MANAGER": _MANAGE_USERS
    | _permissions(
        "org.global project.member project.app project.grant.member: read",
        "org.member: read delete",
        "user.passkey: write",
        "project.grant: read write delete",
    ),
    "IAM_ADMIN_IMPERSONATOR": _IMPERSONATE,
    "IAM_END_USER_IMPERSONATOR": frozenset({"impersonation"}),
    "IAM_LOGIN_CLIENT": _READ_ORGANIZATION - {"user.global.read", "org.action.read", "org.flow.read"}
    | _permissions(
        "iam iam.policy iam.idp iam.feature iam.restrictions userschema: read",
        "iam.member: read write",
        "org.member user user.grant user.credential user.passkey project.member project.grant.member: write",
        "session: read write link delete",
    ),
    "ORG_OWNER": _ORG_OWNER,
    "ORG_OWNER_VIEWER": _READ_ORGANIZATION | {"project.grant.user.grant.read"},
    "ORG_USER_MANAGER": _MANAGE_USERS | {"policy.read"},
    "ORG_SETTINGS_MANAGER": _permissions("org: read write", "org.member: read")
    | _permissions("org.idp org.feature policy: read write delete"),
    "ORG_USER_PERMISSION_EDITOR": _GIVE_ROLES,
    "ORG_PROJECT_PERMISSION_EDITOR": _GIVE_ROLES | _permissions("project.grant: write delete"),
    "ORG_PROJECT_CREATOR": frozenset({"user.global.read", "policy.read", "project.read", "project.create"}),
    "ORG_USER_SELF_MANAGER": frozenset({"policy.read", "user.self.delete"}),
    "ORG_ADMIN_IMPERSONATOR": _IMPERSONATE,
    "ORG_END_USER_IMPERSONATOR": frozenset({"impersonation"}),
    "PROJECT_OWNER": _READ_PROJECT
    | _permissions("org.global: read", f"project {_PROJECT_PARTS} user.grant: write delete"),
    "PROJECT_OWNER_VIEWER": _READ_PROJECT,
}
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
