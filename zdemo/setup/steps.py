"""The steps of a plan: what each of them asks ZITADEL, and what it records before and after.

What ZITADEL shows only once goes to its file before anything else is done. A PAT or a key gets a time of expiry that
no other has, recorded before it is created, so that one whose answer was lost is found again.
"""

import os
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from zdemo.config.file_io import replace_file
from zdemo.errors import ManagementError, ZdemoError
from zdemo.setup.conflicts import NOTHING_CHANGED
from zdemo.setup.current import CurrentUser
from zdemo.setup.files import SetupFiles, key_in
from zdemo.setup.plan import Action, ObjectKind, Plan, PlanStep, replaced_keys
from zdemo.setup.state_file import IssuedCredential, digest, new_id
from zdemo.zitadel import resources
from zdemo.zitadel.management import ManagementClient
from zdemo.zitadel.records import Auth, RoleAssignment, milliseconds

DESCRIPTION = "created by zdemo setup"  # of the users
HOUR_MILLISECONDS = 3_600_000
KEY_YEAR = milliseconds("9999-01-01T00:00:00+00:00") or 0  # as ZITADEL's own default: keys do not expire
HOURS_OF_KEY_YEAR = 364 * 24


class Reporter(Protocol):
    """Receives what happens, and the texts that are secret."""

    def tell(self, text: str) -> None:
        """Report a thing that was done."""

    def hide(self, *secrets: str) -> None:
        """Never show these texts."""


@dataclass(kw_only=True)
class Context:
    """What the steps share. ``client_id`` is empty until it is known, ``made`` names what was created so far."""

    client: ManagementClient
    files: SetupFiles
    plan: Plan
    report: Reporter
    client_id: str = ""
    made: list[str] = field(default_factory=list)

    @property
    def home(self) -> str:
        """The organization in which everything is created."""
        return self.plan.current.admin.organization_id

    @property
    def project_id(self) -> str:
        """The ID of the project that exists, or that will be created."""
        project = self.plan.current.project
        return project.id if project else self.files.state.project_id

    @property
    def application_ids(self) -> tuple[str, str]:
        """The IDs of project and application."""
        application = self.plan.current.application
        return self.project_id, application.id if application else self.files.state.application_id

    def user(self, step: PlanStep) -> CurrentUser:
        """Return the user that a step is about, by name."""
        return next(user for user in self.plan.current.users if user.name == step.name)

    def user_id(self, step: PlanStep) -> str:
        """Return the ID of the user that a step is about."""
        user = self.user(step)
        return user.user.id if user.user else user.fields.id_in(self.files.state)

    def issued(self, field: str) -> tuple[IssuedCredential, ...]:
        """Return the recorded credentials of a field of the state."""
        return tuple(getattr(self.files.state, field))

    def tell_created(self, what: str, object_id: str, more: str = "") -> None:
        """Report an object that was created."""
        self.made.append(f"{what} ({object_id})")
        self.report.tell(f"{what}: created ({object_id}){more}")

    def choose_id(self, field: str) -> str:
        """Choose the ID of an object that is created next, and record it.

        No ID is used twice. ZITADEL keeps what belonged to a deleted project taken: in a project that is created again
        with its old ID, it refuses the same role key, and an application with the same name or ID.
        """
        chosen = new_id()
        self.files.record(**{field: chosen})
        return chosen

    def record_new(self, field: str, *, owner_id: str, expires: int) -> None:
        """Record a credential before it is created."""
        new = IssuedCredential(owner_id=owner_id, expires=expires)
        self.files.record(**{field: (*self.issued(field), new)})

    def record_last(self, field: str, **changes: Any) -> None:
        """Change what is recorded of the latest credential."""
        *others, last = self.issued(field)
        self.files.record(**{field: (*others, replace(last, **changes))})


def _create_user(context: Context, step: PlanStep) -> None:
    user = context.user(step)
    user_id = context.choose_id(user.fields.user_id)
    machine = {"name": user.name, "description": DESCRIPTION}
    resources.create_user(context.client, user_id, context.home, user.name, machine)
    context.tell_created(f"service account {user.name}", user_id)


def _create_project(context: Context, step: PlanStep) -> None:
    context.files.record(added_roles=())
    project_id = context.choose_id("project_id")
    resources.create_project(context.client, project_id, context.home, step.name)
    context.tell_created(f"project {step.name}", project_id)


def _add_role(context: Context, step: PlanStep) -> None:
    before = context.files.state.added_roles
    context.files.record(added_roles=(*dict.fromkeys((*before, step.name)),))
    try:
        resources.add_role(context.client, context.project_id, step.name, step.name)
    except ManagementError:
        context.files.record(added_roles=before)
        raise
    context.report.tell(f"role {step.name}: created")


def _create_application(context: Context, step: PlanStep) -> None:
    auth, project_id = context.plan.current.auth, context.project_id
    context.files.record(secret_written=False)
    application_id = context.choose_id("application_id")
    made = resources.create_application(
        context.client, project_id=project_id, application_id=application_id, name=step.name, auth=auth
    )
    context.client_id, where = made.client_id, ""
    if auth is Auth.BASIC:
        _write_secret(context, made.client_secret)
        where = f"; its client secret is in {context.files.path}"
    context.tell_created(f"application {step.name}", application_id, where)


def _change_auth(context: Context, step: PlanStep) -> None:
    configuration = resources.api_configuration(context.plan.current.auth)
    resources.set_application_auth(context.client, *context.application_ids, configuration)
    context.report.tell(f"application {step.name}: authentication changed {step.note}")


def _new_secret(context: Context, step: PlanStep) -> None:
    """Create a new client secret, unless it came with the application; an old one stops working at once."""
    if context.plan.current.application is None:
        return
    _write_secret(context, resources.generate_client_secret(context.client, *context.application_ids).secret)
    context.report.tell(f"client secret of {step.name}: {step.note}")


def _write_secret(context: Context, secret: str) -> None:
    """Write the secret to ``.env``, where a key file would win over it."""
    context.report.hide(secret)
    settings = {"ZITADEL_PROJECT_ID": context.project_id, "CLIENT_ID": context.client_id, "CLIENT_SECRET": secret}
    context.files.write({**settings, "ZITADEL_KEY_FILE": None})
    context.files.record(secret_written=True)


def check_key_file(context: Context) -> None:
    """Raise ZdemoError when a key is to be written in the place of a file that is not setup's."""
    for step in context.plan.to_do(ObjectKind.KEY):
        file = context.files.key_file(step.name)
        if step.action is Action.CREATE and os.path.lexists(file) and file not in context.files.key_files():
            raise ZdemoError(
                f"{file} exists, and setup did not write it",
                hint=f"move it away, or choose another --app-name, and run setup again; {NOTHING_CHANGED}",
            )


def _create_key(context: Context, step: PlanStep) -> None:
    files, (project_id, application_id) = context.files, context.application_ids
    file = files.key_file(step.name)
    expires = KEY_YEAR + secrets.randbelow(HOURS_OF_KEY_YEAR * HOUR_MILLISECONDS)
    context.record_new("keys", owner_id=application_id, expires=expires)
    made = resources.create_application_key(context.client, project_id, application_id, expires=expires)
    context.report.hide(made.secret)
    context.record_last("keys", digest=digest(made.id))
    replace_file(file, made.secret)
    settings = {"ZITADEL_PROJECT_ID": project_id, "CLIENT_ID": context.client_id, "ZITADEL_KEY_FILE": file.name}
    files.write(settings | ({"CLIENT_SECRET": None} if files.wrote("CLIENT_SECRET") else {}))
    context.record_last("keys", id=made.id)
    context.report.tell(f"key file {file}: written")


def _remove_keys(context: Context, step: PlanStep) -> None:
    current, files = context.plan.current, context.files
    removed = (*current.lost_keys, *replaced_keys(current))
    for key_id in removed:
        resources.delete_application_key(context.client, *context.application_ids, key_id)
    for file in files.key_files():
        if key_in(file) in removed:
            file.unlink()
            context.report.tell(f"key file {file}: removed")
    context.report.tell(f"keys of {step.name}: {len(removed)} removed")


def _create_pat(context: Context, step: PlanStep) -> None:
    fields, user_id = context.user(step).fields, context.user_id(step)
    options = context.plan.current.options
    expires = round(time.time() * 1000) + options.pat_hours * HOUR_MILLISECONDS
    context.record_new(fields.pats, owner_id=user_id, expires=expires)
    made = resources.add_pat(context.client, user_id, expires=expires)
    context.report.hide(made.secret)
    context.record_last(fields.pats, digest=digest(made.secret))
    context.files.write({fields.setting: made.secret})
    context.record_last(fields.pats, id=made.id)
    context.report.tell(f"PAT of {step.name}: created, valid for {options.pat_period}")


def _remove_pats(context: Context, step: PlanStep) -> None:
    lost = context.user(step).lost
    for token_id in lost:
        resources.remove_pat(context.client, context.user_id(step), token_id)
    context.report.tell(f"PATs of {step.name}: {len(lost)} removed")


def _assign(context: Context, step: PlanStep) -> None:
    project, role = context.plan.current.project, context.plan.current.options.role
    context.files.record(assignment_id="", assignment_role=role)
    owner = project.organization_id if project else context.home
    made = resources.create_assignment(context.client, context.user_id(step), context.project_id, owner, [role])
    context.files.record(assignment_id=made.id)
    context.report.tell(f"role for {step.name}: granted")


def _change_assignment(context: Context, step: PlanStep) -> None:
    """Add the role to the assignment that exists, and activate it."""
    assignment, role = _assignment(context, step), context.plan.current.options.role
    if role not in assignment.role_keys:
        resources.set_assignment_roles(context.client, assignment.id, [*assignment.role_keys, role])
    if not assignment.active:
        resources.activate_assignment(context.client, assignment.id)
    context.report.tell(f"role for {step.name}: granted")


def _unassign(context: Context, step: PlanStep) -> None:
    """Take the role out of an assignment; one that is left empty is deleted."""
    assignment = _assignment(context, step)
    left = [key for key in assignment.role_keys if key != context.plan.current.options.role]
    if left:
        resources.set_assignment_roles(context.client, assignment.id, left)
    else:
        resources.delete_assignment(context.client, assignment.id)
    context.report.tell(f"role for {step.name}: revoked")


def _assignment(context: Context, step: PlanStep) -> RoleAssignment:
    assignment = context.user(step).assignment
    if assignment is None:
        raise AssertionError(step.kind)  # the plan changes only what exists
    return assignment


HANDLERS: Mapping[tuple[ObjectKind, Action], Callable[[Context, PlanStep], None]] = {
    (ObjectKind.USER, Action.CREATE): _create_user,
    (ObjectKind.PROJECT, Action.CREATE): _create_project,
    (ObjectKind.ROLE, Action.CREATE): _add_role,
    (ObjectKind.APPLICATION, Action.CREATE): _create_application,
    (ObjectKind.METHOD, Action.CHANGE): _change_auth,
    (ObjectKind.SECRET, Action.CREATE): _new_secret,
    (ObjectKind.SECRET, Action.CHANGE): _new_secret,
    (ObjectKind.KEY, Action.CREATE): _create_key,
    (ObjectKind.KEY, Action.REMOVE): _remove_keys,
    (ObjectKind.ASSIGNMENT, Action.CREATE): _assign,
    (ObjectKind.ASSIGNMENT, Action.CHANGE): _change_assignment,
    (ObjectKind.ASSIGNMENT, Action.REMOVE): _unassign,
    (ObjectKind.PAT, Action.CREATE): _create_pat,
    (ObjectKind.PAT, Action.REMOVE): _remove_pats,
}
