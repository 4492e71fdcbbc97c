"""A name that somebody took while setup ran: look again, and say what has it, who created it and when."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from zdemo.errors import ManagementError, ZdemoError
from zdemo.management import resources
from zdemo.management.model import moment_of
from zdemo.management.role_assignments import wait_until
from zdemo.provisioning.plan import ObjectKind, PlanStep
from zdemo.provisioning.step_context import DESCRIPTION, Context

LOOK_SECONDS = 2.0  # ZITADEL's lists trail its writes: 163 ms were seen
USER_CREATED = "user.machine.added"  # ZITADEL's event


@dataclass(frozen=True, kw_only=True)
class Taker:
    """The object that has the name now. ``by`` says who created it, as far as ZITADEL shows it."""

    id: str = ""
    created: int | None = None
    by: str = "somebody"
    organization_id: str = ""


def taken_name(context: Context, step: PlanStep, error: ManagementError) -> ZdemoError:
    """Return what to tell a person when ZITADEL refuses a name that was free when the plan was made."""
    taker: Taker | None = None

    def is_found() -> bool:
        nonlocal taker
        taker = FINDERS[step.kind](context, step)
        return taker is not None

    wait_until(is_found, give_up_seconds=LOOK_SECONDS)
    what, option = OBJECTS[step.kind]
    option = option or context.user(step).fields.option
    made = f"; this run created {', '.join(context.made)}: zdemo setup --teardown removes that" if context.made else ""
    hint = (
        f"choose another {option}, or wait until the other one has finished and run zdemo setup again, which uses what "
        f"it finds{made}"
    )
    if taker is None or taker.organization_id not in ("", context.home):
        return _taken_elsewhere(step, error, f"choose another {option}, and run setup again{made}", taker)
    when = f" on {moment_of(taker.created)[:19]}Z" if taker.created else ""
    shown = f" ({taker.id})" if taker.id else ""
    return ZdemoError(
        f"{what} {step.name}{shown} did not exist when this setup began; {taker.by} created it{when}", hint=hint
    )


def _taken_elsewhere(step: PlanStep, error: ManagementError, hint: str, taker: Taker | None) -> ZdemoError:
    """Return what to tell when no object with the name can be seen, or only in another organization."""
    if step.kind is not ObjectKind.USER:
        return ZdemoError(f"{step.kind} {step.name}: {error.message}", hint=hint)
    where = taker.organization_id if taker else "which this administrator cannot see"
    return ZdemoError(
        f"the username {step.name} is taken in another organization, {where}; usernames are unique in the whole "
        "instance",
        hint=hint,
    )


def _user(context: Context, step: PlanStep) -> Taker | None:
    listed = resources.list_users(context.client, step.name)
    user = min(listed, key=lambda user: user.organization_id != context.home, default=None)
    if user is None:
        return None
    events = resources.list_user_events(context.client, user.id, [USER_CREATED]) or ()
    editor = next((event.editor for event in events), "")
    by = editor or "somebody"
    if user.description == DESCRIPTION:
        by = "another zdemo setup" + (f" (as {editor})" if editor else "")
    return Taker(id=user.id, created=user.created, by=by, organization_id=user.organization_id)


def _project(context: Context, step: PlanStep) -> Taker | None:
    listed = resources.list_projects(context.client, name=step.name, organization_id=context.home)
    own = (project for project in listed if project.organization_id == context.home)
    return next((Taker(id=project.id, created=project.created) for project in own), None)


def _role(context: Context, step: PlanStep) -> Taker | None:
    listed = resources.list_roles(context.client, context.project_id)
    return next((Taker(created=role.created) for role in listed if role.key.lower() == step.name.lower()), None)


def _application(context: Context, step: PlanStep) -> Taker | None:
    listed = resources.list_applications(context.client, project_id=context.project_id, name=step.name)
    return next((Taker(id=application.id, created=application.created) for application in listed), None)


def _assignment(context: Context, step: PlanStep) -> Taker | None:
    ids = {"project_id": context.project_id, "user_id": context.user_id(step)}
    listed = resources.list_assignments(context.client, **ids)
    return next((Taker(id=assignment.id, created=assignment.created) for assignment in listed), None)


FINDERS: Mapping[ObjectKind, Callable[[Context, PlanStep], Taker | None]] = {
    ObjectKind.USER: _user,
    ObjectKind.PROJECT: _project,
    ObjectKind.ROLE: _role,
    ObjectKind.APPLICATION: _application,
    ObjectKind.ASSIGNMENT: _assignment,
}
OBJECTS: Mapping[ObjectKind, tuple[str, str]] = {  # the words for each, and the option that chooses another name
    ObjectKind.USER: ("service account", ""),
    ObjectKind.PROJECT: ("project", "--project-name"),
    ObjectKind.ROLE: ("role", "--role"),
    ObjectKind.APPLICATION: ("application", "--app-name"),
    ObjectKind.ASSIGNMENT: ("role assignment of", ""),
}
