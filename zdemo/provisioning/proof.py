"""Whether an object is the one that setup created, by what ZITADEL says of it. Pure.

The state file alone proves nothing: a person may have written an ID into it. ZITADEL shows under which ID an object
was created, when, and in which organization; setup chooses IDs that ZITADEL itself would never choose.
"""

from __future__ import annotations

from zdemo.config.parsers import LONGEST_TIMEOUT_SECONDS
from zdemo.management.model import Application, Credential, Project, RoleAssignment, User, moment_of
from zdemo.provisioning.state import UNITS_PER_SECOND, ZITADEL_EPOCH, IssuedCredential, SetupState, units_in

DESCRIPTION = "created by zdemo setup"  # of the users
USER_IN_USE = "ZITADEL_ADMIN_PAT is a token of this user"
PAT_IN_USE = "it is ZITADEL_ADMIN_PAT"

# Setup chooses an ID by ZITADEL's Date, right before the one request that creates the object. The minute is for the two
# clocks of what writes that date (maybe a proxy) and of ZITADEL's database; ZITADEL itself tolerates only a second.
CLOCKS_SECONDS = 60.0
LONGEST_CREATION_SECONDS = LONGEST_TIMEOUT_SECONDS + CLOCKS_SECONDS
SAME_MOMENT_MILLISECONDS = 1000  # ZITADEL says the time of one assignment twice: when it is created, and in lists


def doubt_about_user(state: SetupState, field: str, user: User, admin_id: str) -> str:
    """Return why a user may not be deleted as setup's own; empty when ZITADEL proves that it is."""
    if user.id == admin_id:
        return USER_IN_USE
    if not user.machine:
        return "it is a human"
    if user.description != DESCRIPTION:
        return f"its description is not {DESCRIPTION}"
    return _doubt(state, field, user.id, user.organization_id, user.created)


def doubt_about_project(state: SetupState, project: Project) -> str:
    """Return why a project may not be deleted as setup's own; empty when ZITADEL proves that it is."""
    return _doubt(state, "project_id", project.id, project.organization_id, project.created)


def doubt_about_application(state: SetupState, application: Application, project: Project | None) -> str:
    """Return why an application may not be deleted as setup's own; ``project`` is the one that it is in."""
    if project is None:
        return "it is not in the project that setup recorded"
    return _doubt(state, "application_id", application.id, project.organization_id, application.created)


def _doubt(state: SetupState, field: str, object_id: str, organization_id: str, created: int | None) -> str:
    units = units_in(object_id)
    if units is None or not state.chose(field, object_id):
        return "setup did not choose its ID"
    if organization_id != state.organization_id:
        return f"it is in the organization {organization_id or '?'}, and setup created it in {state.organization_id}"
    chosen = ZITADEL_EPOCH + units / UNITS_PER_SECOND
    if created is None:
        return "ZITADEL does not say when it was created"
    if not -CLOCKS_SECONDS <= created / 1000 - chosen <= LONGEST_CREATION_SECONDS:
        shown, expected = (moment_of(moment)[:19] + "Z" for moment in (created, round(chosen * 1000)))
        return f"it was created on {shown}, and setup created it on {expected}"
    return ""


def doubt_about_assignment(state: SetupState, assignment: RoleAssignment) -> str:
    """Return why a role assignment with the recorded ID may not be deleted as setup's own; empty when it may."""
    same_moment = abs((assignment.created or 0) - state.assignment_created) <= SAME_MOMENT_MILLISECONDS
    return "" if same_moment else "it was not created when setup created its own"


def made_assignment(state: SetupState, assignment: RoleAssignment) -> bool:
    """Return whether setup made this role assignment, and no one added a role to it."""
    is_recorded = assignment.id == state.assignment_id and {*assignment.role_keys} <= {state.assignment_role}
    return is_recorded and not doubt_about_assignment(state, assignment)


def was_issued(credential: Credential, issued: tuple[IssuedCredential, ...]) -> bool:
    """Return whether setup issued a PAT or a key: the time of its expiry, to the millisecond, is like a signature."""
    return any(credential.expires == one.expires and one.id in ("", credential.id) for one in issued)
