"""What an active introspection shows about roles: the API's project, the granted and the defined roles."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from zdemo.config.settings import Settings
from zdemo.diagnosis.evidence import Evidence, Probe, project_behind
from zdemo.diagnosis.finding import quoted
from zdemo.introspection.model import ROLES_CLAIM, Introspection
from zdemo.management.model import RoleAssignment

ROLE_SCOPE = "urn:zitadel:iam:org:project:role:"
ORGANIZATION_SCOPE = "urn:zitadel:iam:org:roles:id:"
MOST_SHOWN = 8  # role assignments in the evidence
PROJECT_CLAIM = re.compile(r"urn:zitadel:iam:org:project:([^:]+):roles")


def is_pat(introspection: Introspection) -> bool:
    """Return whether the token is a personal access token: only a PAT has no ``client_id`` (ZITADEL)."""
    return "client_id" not in introspection.claims


def own_project(introspection: Introspection, settings: Settings) -> str | None:
    """Return the project that the API application belongs to; ``None`` when the introspection does not show it.

    A PAT's audience ends with the client ID and the project. The claim of a granted role names the project, and so
    does another token's audience when its only entry is not the client ID.
    """
    if is_pat(introspection) and (project := project_behind(settings.client_id, introspection.audience)):
        return project
    if ROLES_CLAIM in introspection.claims:
        named = [match[1] for claim in introspection.claims if (match := PROJECT_CLAIM.fullmatch(claim))]
        if len(named) == 1:
            return named[0]
    others = [entry for entry in introspection.audience if entry != settings.client_id]
    if len(introspection.audience) == 1 and others:
        return others[0]
    return None


def role_scopes(introspection: Introspection) -> frozenset[str]:
    """Return the role keys in the scope: for a PAT all that the project defines, for others those requested."""
    scopes = introspection.scopes
    return frozenset(scope.removeprefix(ROLE_SCOPE) for scope in scopes if scope.startswith(ROLE_SCOPE))


@dataclass(frozen=True, kw_only=True)
class RoleFacts:
    """The case of a role that an active token lacks."""

    role: str
    introspection: Introspection
    settings: Settings
    evidence: Evidence

    @property
    def is_pat(self) -> bool:
        """Whether the token is a PAT."""
        return is_pat(self.introspection)

    @property
    def project(self) -> str | None:
        """The API application's project, if it is known."""
        return own_project(self.introspection, self.settings)

    @property
    def project_that_counts(self) -> str | None:
        """The project whose roles count: the configured one, else the API application's."""
        return self.settings.project_id or self.project

    @property
    def granted(self) -> tuple[str, ...]:
        """The roles that the token has in the project that counts."""
        return tuple(self.introspection.roles(self.settings.project_id))

    @property
    def defined(self) -> frozenset[str] | None:
        """The roles that the API application's project defines; only a PAT of this client shows it."""
        surely_a_pat = self.is_pat and self.settings.client_id in self.introspection.audience
        return role_scopes(self.introspection) if surely_a_pat else None

    @property
    def assignments(self) -> tuple[RoleAssignment, ...]:
        """The user's known assignments that hold the role."""
        return tuple(a for a in self.evidence.assignments or () if self.role in a.role_keys)

    @property
    def is_granted_here(self) -> bool:
        """Whether an active assignment in the project that counts holds the role."""
        return any(a.active and a.project_id == self.project_that_counts for a in self.assignments)

    @property
    def user(self) -> str:
        """The user's name on a command line: the login name, else the ID."""
        names = (self.introspection.text(name) for name in ("username", "preferred_username", "sub"))
        return shlex.quote(quoted(next(filter(None, names), "USER")))

    @property
    def grant(self) -> str:
        """The command that grants the role."""
        return f"zdemo role grant {self.user} {shlex.quote(self.role)}"

    @property
    def seen(self) -> tuple[tuple[str, str], ...]:
        """The evidence that every finding about a role rests on."""
        names = ", ".join(quoted(role, 60) for role in self.granted) or "none"
        lines = [("token", "active"), ("roles", f"in this project: {names}")]
        if self.project:
            lines.append(("project", f"this API's is {quoted(self.project, 40)}"))
        if self.evidence.assignments is None:
            lines.append(("assignments", f"unknown: {_why_unknown(self.evidence)}"))
        elif not self.evidence.assignments:
            lines.append(("assignments", f"none at all, listed with {self.evidence.assignments_from}"))
        else:
            lines += [("assignments", assignment_words(a)) for a in self.evidence.assignments[:MOST_SHOWN]]
        return tuple(lines)


def _why_unknown(evidence: Evidence) -> str:
    status = evidence.status(Probe.ASSIGNMENTS)
    if status is None:
        return "no answer came in time"
    if status in (401, 403):
        neither = ", and ZITADEL_ADMIN_PAT did not show them either" if evidence.with_administrator else ""
        return f"this token may not list them{neither}"
    return f"ZITADEL answered {status}"


def assignment_words(assignment: RoleAssignment) -> str:
    """Return a role assignment as a line of evidence."""
    keys = ", ".join(quoted(key, 60) for key in assignment.role_keys) or "no role"
    state = "" if assignment.active else ", deactivated"
    return f"{keys} in {project_words(assignment)}{state}"


def project_words(assignment: RoleAssignment) -> str:
    """Return the name and the ID of an assignment's project."""
    return f"project {quoted(assignment.project_name, 60)} ({quoted(assignment.project_id, 40)})"


def near_miss(role: str, others: frozenset[str] | tuple[str, ...]) -> str:
    """Return a key that most likely means the same: it differs in case or by one edit; empty when there is none."""
    return next((other for other in sorted(others) if other != role and _near(role, other)), "")


def _near(one: str, other: str) -> bool:
    first, second = one.casefold(), other.casefold()
    if re.sub(r"[\W_]", "", first) == re.sub(r"[\W_]", "", second):
        return True
    if len(first) > len(second):
        first, second = second, first
    if len(second) - len(first) > 1:
        return False
    at = next((i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), len(first))
    if len(first) < len(second):
        return first[at:] == second[at + 1 :]
    swapped = first[at : at + 2] == second[at : at + 2][::-1] and first[at + 2 :] == second[at + 2 :]
    return first[at + 1 :] == second[at + 1 :] or swapped
