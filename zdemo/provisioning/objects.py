"""The steps that make what ZITADEL shows again: users, project, role, application, and who has the role."""

from __future__ import annotations

from zdemo.errors import ManagementError, ZdemoError
from zdemo.management import resources as calls
from zdemo.management.model import Auth, RoleAssignment
from zdemo.provisioning.context import Bench
from zdemo.provisioning.names import APPLICATION_ID, ASSIGNMENT_ID, CLIENT_ID, PENDING, PROJECT_ID
from zdemo.provisioning.plan import Step
from zdemo.provisioning.shown_once import keep_secret, new_secret

SHOWN_USER = ("UserService/GetUserByID", "user", "userId")
SHOWN_PROJECT = ("ProjectService/GetProject", "project", "projectId")
SHOWN_APPLICATION = ("ApplicationService/GetApplication", "application", "applicationId")


def make_user(bench: Bench, step: Step) -> None:
    """A service user. Its name may be taken by a user whom the administrator does not see."""
    person = bench.person(step)
    try:
        bench.make(
            person.variables.user_id,
            "UserService/CreateUser",
            SHOWN_USER,
            organizationId=bench.home,
            username=person.name,
            machine={"name": person.name, "description": "made by zdemo setup"},
        )
    except ManagementError as error:
        if error.error_id != calls.NAME_TAKEN:
            raise
        option = "--reader-name" if person is bench.plan.situation.reader else "--visitor-name"
        raise ZdemoError(
            f"the username {person.name} is taken in another organization, which this administrator may not see; "
            "usernames are unique in the whole instance",
            hint=f"choose another {option} and run setup again",
        ) from error
    bench.story.tell(f"service user {person.name}: made ({bench.user_id(step)})")


def make_project(bench: Bench, step: Step) -> None:
    """In the administrator's organization."""
    bench.make(PROJECT_ID, "ProjectService/CreateProject", SHOWN_PROJECT, organizationId=bench.home, name=step.name)
    bench.story.tell(f"project {step.name}: made ({bench.ids[PROJECT_ID]})")


def make_role(bench: Bench, step: Step) -> None:
    """A role of the project."""
    try:
        bench.ask(
            "ProjectService/AddProjectRole",
            projectId=bench.ids[PROJECT_ID],
            roleKey=step.name,
            displayName=step.name,
        )
    except ManagementError as error:
        if error.error_id != calls.NAME_TAKEN:  # an interrupted run was faster than the list
            raise
    bench.story.tell(f"role {step.name}: made")


def _method(auth: Auth) -> dict[str, str]:
    return {"authMethodType": calls.KEY_METHOD} if auth is Auth.KEY else {}


def make_application(bench: Bench, step: Step) -> None:
    """With its secret, unless it uses keys; a secret that an interrupted run has lost is made anew."""
    made = bench.make(
        APPLICATION_ID,
        "ApplicationService/CreateApplication",
        SHOWN_APPLICATION,
        projectId=bench.ids[PROJECT_ID],
        name=step.name,
        apiConfiguration=_method(bench.plan.auth),
    )
    if not made:
        made = calls.found(bench.client, *SHOWN_APPLICATION[:2], applicationId=bench.ids[APPLICATION_ID]) or {}
    configuration = made.get("apiConfiguration") or {}
    bench.client_id = str(configuration.get("clientId", ""))
    if bench.plan.auth is Auth.BASIC:
        keep_secret(bench, str(configuration.get("clientSecret") or new_secret(bench)))
    secret = f"; its client secret is in {bench.env.path}" if bench.plan.auth is Auth.BASIC else ""
    bench.story.tell(f"application {step.name}: made ({bench.ids[APPLICATION_ID]}){secret}")


def change_method(bench: Bench, step: Step) -> None:
    """How the application authenticates. From here on its credentials are to come, should this run be killed."""
    bench.env.write({CLIENT_ID: None})
    bench.ask("ApplicationService/UpdateApplication", **bench.application, apiConfiguration=_method(bench.plan.auth))
    bench.story.tell(f"application {step.name}: authentication changed {step.note}")


def assign(bench: Bench, step: Step) -> None:
    """Give the role to one who has no assignment in the project."""
    project = bench.plan.situation.project
    made = {}
    try:
        made = bench.ask(
            "AuthorizationService/CreateAuthorization",
            userId=bench.user_id(step),
            projectId=bench.ids[PROJECT_ID],
            organizationId=project.organization_id if project else bench.home,
            roleKeys=[bench.plan.wishes.role],
        )
    except ManagementError as error:
        if error.error_id != calls.NAME_TAKEN:  # an interrupted run was faster than the list
            raise
    if bench.env.get(ASSIGNMENT_ID) == PENDING and made.get("id"):
        bench.env.write({ASSIGNMENT_ID: str(made["id"])})
    bench.story.tell(f"role for {step.name}: given")


def reassign(bench: Bench, step: Step) -> None:
    """Put the role into an assignment that is there, and switch it on."""
    assignment, role = _assignment(bench, step), bench.plan.wishes.role
    if role not in assignment.role_keys:
        bench.client.set_roles(assignment.id, [*assignment.role_keys, role])
    if not assignment.active:
        bench.client.activate(assignment.id)
    bench.story.tell(f"role for {step.name}: given")


def unassign(bench: Bench, step: Step) -> None:
    """Take the role out of an assignment; one left empty is deleted."""
    assignment = _assignment(bench, step)
    left = [key for key in assignment.role_keys if key != bench.plan.wishes.role]
    if left:
        bench.client.set_roles(assignment.id, left)
    else:
        bench.client.unassign(assignment.id)
    bench.story.tell(f"role for {step.name}: taken away")


def _assignment(bench: Bench, step: Step) -> RoleAssignment:
    assignment = bench.person(step).assignment
    if assignment is None:
        raise AssertionError(step.kind)  # the plan changes only what is there
    return assignment
