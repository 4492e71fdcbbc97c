"""The case of a role that an active token lacks: what the introspection and the role assignments say about it."""

import re
from dataclasses import dataclass

from zdemo.config.printable import pasteable
from zdemo.config.settings import Settings
from zdemo.diagnosis.evidence import Evidence, Probe
from zdemo.diagnosis.finding import quoted
from zdemo.diagnosis.phrases import Lines
from zdemo.errors import ROLE_SCOPE
from zdemo.introspection.model import ROLES_CLAIM, Introspection, project_behind
from zdemo.management.model import RoleAssignment

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
class RoleCase:
    """A role that an active token lacks."""

    role: str
    introspection: Introspection
    settings: Settings
    evidence: Evidence

    @property
    def project(self) -> str | None:
        """The API application's project; ``None`` when that is unknown."""
        return own_project(self.introspection, self.settings)

    @property
    def project_that_counts(self) -> str | None:
        """The configured project, else the API application's."""
        return self.settings.project_id or self.project

    @property
    def granted(self) -> tuple[str, ...]:
        """The roles that the token has."""
        return tuple(self.introspection.roles(self.settings.project_id))

    @property
    def defined(self) -> frozenset[str] | None:
        """The roles that the project defines, which only a PAT of this client shows."""
        surely_a_pat = is_pat(self.introspection) and self.settings.client_id in self.introspection.audience
        return role_scopes(self.introspection) if surely_a_pat else None

    @property
    def assignments(self) -> tuple[RoleAssignment, ...]:
        """The user's assignments that hold the role."""
        return tuple(a for a in self.evidence.assignments or () if self.role in a.role_keys)

    @property
    def grants_here(self) -> tuple[RoleAssignment, ...]:
        """The assignments that grant the role in the project that counts."""
        return tuple(a for a in self.assignments if a.active and a.project_id == self.project_that_counts)

    @property
    def user(self) -> str:
        """The token's user, as commands take it."""
        names = (self.introspection.text(name) for name in ("username", "preferred_username", "sub"))
        return quoted(next(filter(None, names), "USER"))

    @property
    def grant(self) -> str:
        """The command that grants the role."""
        return pasteable("zdemo role grant", self.user, self.role)

    @property
    def add(self) -> str:
        """The step that defines the role in the project."""
        return f"add the role {self.role} in the Management Console: Projects, the API's project, Roles, New"

    @property
    def add_and_grant(self) -> tuple[str, ...]:
        """The steps for a role that the project does not define."""
        return self.add, f"then grant it: {self.grant}"

    @property
    def seen(self) -> Lines:
        """What the introspection and the list of assignments showed."""
        names = ", ".join(quoted(role, 60) for role in self.granted) or "none"
        lines = [("token", "active"), ("roles", f"in this project: {names}")]
        if self.project:
            lines.append(("project", f"this API's is {quoted(self.project, 40)}"))
        if self.evidence.assignments is None:
            lines.append(("assignments", f"unknown: {_why_unknown(self.evidence)}"))
        elif not self.evidence.assignments:
            lines.append(("assignments", f"none at all, listed with {self.evidence.assignments_from}"))
        else:
            lines += [("assignments", _assignment_words(a)) for a in self.evidence.assignments[:MOST_SHOWN]]
        return tuple(lines)


def _why_unknown(evidence: Evidence) -> str:
    status = evidence.status(Probe.ASSIGNMENTS)
    if status is None:
        return "no answer came in time" if evidence.asked else "not asked"
    if status in (401, 403):
        neither = ", and ZITADEL_ADMIN_PAT did not show them either" if evidence.with_administrator else ""
        return f"this token may not list them{neither}"
    return f"ZITADEL answered {status}"


def _assignment_words(assignment: RoleAssignment) -> str:
    keys = ", ".join(quoted(key, 60) for key in assignment.role_keys) or "no role"
    state = "" if assignment.active else ", deactivated"
    return f"{keys} in {project_words(assignment)}{state}"


def project_words(assignment: RoleAssignment) -> str:
    """Return the project of an assignment in a sentence."""
    return f"project {quoted(assignment.project_name, 60)} ({quoted(assignment.project_id, 40)})"
