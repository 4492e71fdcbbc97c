"""Users and role assignments as ZITADEL's v2 API shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Auth(StrEnum):
    """How the API application proves to ZITADEL who it is, in the words of the command line."""

    BASIC = "basic"
    KEY = "private-key-jwt"


@dataclass(frozen=True, kw_only=True)
class User:
    """A user; ``login_name`` is what a person knows it by."""

    id: str
    login_name: str


@dataclass(frozen=True, kw_only=True)
class RoleAssignment:
    """A role assignment (an authorization, in ZITADEL's v2 words). ``organization_id`` owns it."""

    id: str
    user: User
    project_id: str
    project_name: str
    organization_id: str
    organization_name: str
    active: bool
    role_keys: tuple[str, ...]


def role_assignment(row: Mapping[str, Any]) -> RoleAssignment:
    """A row of ``ListAuthorizations``; what is missing is empty."""
    user, project, organization = (row.get(part) or {} for part in ("user", "project", "organization"))
    return RoleAssignment(
        id=str(row.get("id", "")),
        user=User(id=str(user.get("id", "")), login_name=str(user.get("preferredLoginName", ""))),
        project_id=str(project.get("id", "")),
        project_name=str(project.get("name", "")),
        organization_id=str(organization.get("id", "")),
        organization_name=str(organization.get("name", "")),
        active=row.get("state") == "STATE_ACTIVE",
        role_keys=tuple(str(role.get("key", "")) for role in row.get("roles") or []),
    )
