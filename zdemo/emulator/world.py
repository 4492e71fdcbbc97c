"""What a ZITADEL instance knows, and the rules for changing it: uniqueness, and what dies with what.

The one place where state lives. The OIDC side (``oidc``) reads it, the management side (``api``) changes it;
both hold ``world.lock`` for a whole request. Changes that are not listed here are made on the object itself,
followed by ``touch``.
"""

from __future__ import annotations

from zdemo.emulator.entities import (
    NEVER,
    Administrator,
    Application,
    Authorization,
    Entity,
    Event,
    Organization,
    PersonalAccessToken,
    Project,
    ProjectGrant,
    PublicKey,
    Role,
    SessionToken,
    User,
)
from zdemo.emulator.errors import AlreadyExists, taken
from zdemo.emulator.state import named
from zdemo.emulator.user_rules import PAT_SCOPES, UserRules

__all__ = [
    "NEVER",
    "PAT_SCOPES",
    "Administrator",
    "Application",
    "Authorization",
    "Entity",
    "Event",
    "Organization",
    "PersonalAccessToken",
    "Project",
    "ProjectGrant",
    "PublicKey",
    "Role",
    "SessionToken",
    "User",
    "World",
]


class World(UserRules):
    """The state of one instance with all its rules: those of organizations here, the others inherited.

    An ``id`` given to an ``add_...`` method is used instead of a new one; ``by`` is the ID of the user who acts.
    """

    @property
    def default_organization(self) -> Organization | None:
        """The first one."""
        return next(iter(self.organizations.values()), None)

    def add_organization(self, name: str, id: str | None = None) -> Organization:
        """Its primary domain comes from its name, and must be free as well: ``Acme X`` and ``Acme-X`` have the same."""
        if named(self.organizations.values(), "name", name):
            raise taken("Organisation's name already taken")
        primary_domain = f"{_domain_label(name)}.{self.external_domain}"
        if named(self.organizations.values(), "primary_domain", primary_domain):
            raise taken("Domain already exists")
        if id in self.organizations:
            raise AlreadyExists("Organisation already exists", "ORG-lapo2m")
        now = self.now()
        made = Organization(
            id=id or self.new_id(),
            created=now,
            changed=now,
            name=name,
            primary_domain=primary_domain,
        )
        self.organizations[made.id] = made
        return made

    def remove_organization(self, organization: Organization) -> None:
        """With its projects and users, the authorizations it owns and those made through grants to it."""
        for project in [p for p in self.projects.values() if p.organization_id == organization.id]:
            self.remove_project(project)
        for user in [u for u in self.users.values() if u.organization_id == organization.id]:
            self.remove_user(user)
        for project in self.projects.values():
            project.grants.pop(organization.id, None)
        self.remove_authorizations(lambda a: a.organization_id == organization.id)
        self.remove_administrators(lambda a: a.resource == ("organization", organization.id))
        del self.organizations[organization.id]


def _domain_label(name: str) -> str:
    """An organization's name as the first part of its domain (ZITADEL: NewIAMDomainName)."""
    kept = "".join(c if c.isascii() and c.isalnum() else "-" for c in name.strip().replace("'", ""))
    return kept[:63].strip("-").lower()
