"""What each administrator role may, and who is one where (ZITADEL: InternalAuthZ, its default mapping)."""

from dataclasses import dataclass

from zdemo.emulator.entities import Administrator, User
from zdemo.emulator.errors import NotFound, PermissionDenied
from zdemo.emulator.world import World

AUTHENTICATED = "authenticated"  # what a method asks for that any good token may call
IN_METHOD = "AUTH-AWfge"  # the ID of a refusal that comes from the method itself
AT_THE_DOOR = "AUTH-5mWD2"  # and of one that comes before it


def _permissions(*lines: str) -> frozenset[str]:
    """``"user.grant: read write"`` stands for ``user.grant.read`` and ``user.grant.write``."""
    split = (line.split(":") for line in lines)
    return frozenset(f"{thing}.{verb}" for thing, verbs in split for verb in verbs.split())


_READ_ORGANIZATION = _permissions(
    "org: read",
    "org.member: read",
    "org.idp: read",
    "org.action: read",
    "org.flow: read",
    "org.feature: read",
    "user: read",
    "user.global: read",
    "user.grant: read",
    "user.membership: read",
    "user.feature: read",
    "policy: read",
    "project: read",
    "project.member: read",
    "project.role: read",
    "project.app: read",
    "project.grant: read",
    "project.grant.member: read",
)
_ORG_OWNER = _READ_ORGANIZATION | _permissions(
    "org: write delete",
    "org.global: read",
    "org.member: write delete",
    "org.idp: write delete",
    "org.action: write delete",
    "org.flow: write delete",
    "org.feature: write delete",
    "user: write delete",
    "user.grant: write delete",
    "user.credential: write",
    "user.passkey: write",
    "user.feature: write delete",
    "policy: write delete",
    "project: create write delete",
    "project.member: write delete",
    "project.role: write delete",
    "project.app: write",
    "project.grant: write delete",
    "project.grant.member: write delete",
    "session: read delete",
)
_IAM_ORG_MANAGER = _ORG_OWNER | _permissions("org: create", "project.app: delete")
_READ_INSTANCE = _permissions(
    "iam: read",
    "iam.policy: read",
    "iam.member: read",
    "iam.idp: read",
    "iam.action: read",
    "iam.flow: read",
    "iam.restrictions: read",
    "iam.feature: read",
    "iam.web_key: read",
    "iam.debug: read",
    "events: read",
    "milestones: read",
    "action.target: read",
    "action.execution: read",
    "userschema: read",
    "session: read",
)
_IAM_OWNER = (
    _IAM_ORG_MANAGER
    | _READ_INSTANCE
    | _permissions(
        "iam: write",
        "iam.policy: write delete",
        "iam.member: write delete",
        "iam.idp: write delete",
        "iam.action: write delete",
        "iam.flow: write delete",
        "iam.restrictions: write",
        "iam.feature: write delete",
        "iam.web_key: write delete",
        "iam.debug: write",
        "action.target: write delete",
        "action.execution: write",
        "userschema: write delete",
        "session: write",
    )
)
_MANAGE_USERS = _permissions(
    "org: read",
    "user: read write delete",
    "user.global: read",
    "user.grant: read write delete",
    "user.membership: read",
    "user.feature: read write delete",
    "project: read",
    "project.role: read",
    "session: read delete",
)
_GIVE_ROLES = _permissions(
    "org: read",
    "org.member: read",
    "user: read",
    "user.global: read",
    "user.grant: read write delete",
    "policy: read",
    "project: read",
    "project.member: read",
    "project.role: read",
    "project.app: read",
    "project.grant: read",
    "project.grant.member: read",
)
_READ_PROJECT = _permissions(
    "policy: read",
    "project: read",
    "project.member: read",
    "project.role: read",
    "project.app: read",
    "project.grant: read",
    "project.grant.member: read",
    "user: read",
    "user.global: read",
    "user.grant: read",
    "user.membership: read",
)

ROLES: dict[str, frozenset[str]] = {
    "IAM_OWNER": _IAM_OWNER,
    "IAM_OWNER_VIEWER": _READ_INSTANCE | (_READ_ORGANIZATION - {"user.global.read"}),
    "IAM_ORG_MANAGER": _IAM_ORG_MANAGER,
    "IAM_USER_MANAGER": _MANAGE_USERS
    | _permissions(
        "org.global: read",
        "org.member: read delete",
        "user.passkey: write",
        "project.member: read",
        "project.app: read",
        "project.grant: read write delete",
        "project.grant.member: read",
    ),
    "IAM_ADMIN_IMPERSONATOR": frozenset({"admin.impersonation", "impersonation"}),
    "IAM_END_USER_IMPERSONATOR": frozenset({"impersonation"}),
    "IAM_LOGIN_CLIENT": _READ_ORGANIZATION - {"user.global.read", "org.action.read", "org.flow.read"}
    | _permissions(
        "iam: read",
        "iam.policy: read",
        "iam.member: read write",
        "iam.idp: read",
        "iam.feature: read",
        "iam.restrictions: read",
        "org.member: write",
        "user: write",
        "user.grant: write",
        "user.credential: write",
        "user.passkey: write",
        "project.member: write",
        "project.grant.member: write",
        "session: read write link delete",
        "userschema: read",
    ),
    "ORG_OWNER": _ORG_OWNER,
    "ORG_OWNER_VIEWER": _READ_ORGANIZATION | {"project.grant.user.grant.read"},
    "ORG_USER_MANAGER": _MANAGE_USERS | {"policy.read"},
    "ORG_SETTINGS_MANAGER": _permissions(
        "org: read write",
        "org.member: read",
        "org.idp: read write delete",
        "org.feature: read write delete",
        "policy: read write delete",
    ),
    "ORG_USER_PERMISSION_EDITOR": _GIVE_ROLES,
    "ORG_PROJECT_PERMISSION_EDITOR": _GIVE_ROLES | _permissions("project.grant: write delete"),
    "ORG_PROJECT_CREATOR": frozenset({"user.global.read", "policy.read", "project.read", "project.create"}),
    "ORG_USER_SELF_MANAGER": frozenset({"policy.read", "user.self.delete"}),
    "ORG_ADMIN_IMPERSONATOR": frozenset({"admin.impersonation", "impersonation"}),
    "ORG_END_USER_IMPERSONATOR": frozenset({"impersonation"}),
    "PROJECT_OWNER": _READ_PROJECT
    | _permissions(
        "org.global: read",
        "project: write delete",
        "project.member: write delete",
        "project.role: write delete",
        "project.app: write delete",
        "project.grant: write delete",
        "project.grant.member: write delete",
        "user.grant: write delete",
    ),
    "PROJECT_OWNER_VIEWER": _READ_PROJECT,
}
PREFIXES = {"instance": "IAM_", "organization": "ORG_", "project": "PROJECT_"}  # of the roles a resource takes


@dataclass(frozen=True)
class Access:
    """What one user may in this world."""

    world: World
    user: User

    def memberships(self, organization_id: str) -> list[Administrator]:
        """His administrator roles that count in this organization: of the instance, it, and its projects."""
        return [
            administrator
            for administrator in self.world.administrators.values()
            if administrator.user_id == self.user.id and self._counts(administrator, organization_id)
        ]

    def _counts(self, administrator: Administrator, organization_id: str) -> bool:
        kind, id = administrator.resource
        if kind == "project":
            project = self.world.projects.get(id)
            return project is not None and project.organization_id == organization_id
        return kind == "instance" or id == organization_id

    def permissions(self, organization_id: str) -> list[str]:
        """All he may there; what only concerns one project ends in ``:`` and its ID."""
        found: list[str] = []
        for administrator in self.memberships(organization_id):
            kind, id = administrator.resource
            tail = f":{id}" if kind == "project" else ""
            names = sorted({name for role in administrator.roles for name in ROLES.get(role, ())})
            found += [name + tail for name in names if name + tail not in found]
        return found

    def may(self, permission: str, organization_id: str, resource_id: str = "") -> bool:
        """Whether he has a permission in an organization, or on this one project."""
        held = self.permissions(organization_id)
        return permission in held or f"{permission}:{resource_id}" in held

    def need(self, permission: str, organization_id: str, resource_id: str = "") -> None:
        """Refuse a user who has it neither in the organization nor on the project."""
        if not self.memberships(organization_id):
            raise NotFound("membership not found", "AUTHZ-cdgFk")
        if not self.may(permission, organization_id, resource_id):
            raise PermissionDenied("No matching permissions found", IN_METHOD)

    def enter(self, permission: str, organization_id: str) -> None:
        """What ZITADEL checks before a method runs: the permission on anything in this organization."""
        if permission == AUTHENTICATED:
            return
        if not self.memberships(organization_id):
            raise NotFound("membership not found", "AUTHZ-cdgFk")
        if permission not in {held.split(":")[0] for held in self.permissions(organization_id)}:
            raise PermissionDenied("No matching permissions found", AT_THE_DOOR)
