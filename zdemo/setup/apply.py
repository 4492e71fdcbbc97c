"""Carry a plan out, so that a run killed at any moment can be completed by the next one, and prove the result.

Before an object is created, the state file holds the ID by which it can be found again. What ZITADEL shows only once
goes to its file before anything else is done, and what a killed run has lost is created again. A PAT or a key gets a
time of expiry that no other has, recorded before it is created, so that one whose answer was lost is found again.
"""

import os
import secrets
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any, Protocol

from zdemo.config.address import ADMIN_PAT
from zdemo.config.file_io import replace_file
from zdemo.config.settings import APP_CLIENT_ID
from zdemo.errors import IntrospectionError, ManagementError, ZdemoError
from zdemo.errors.steps import Command
from zdemo.setup.current import CurrentState, CurrentUser
from zdemo.setup.plan import NOTHING_CHANGED, Action, ObjectKind, Plan, PlanStep, domain_line
from zdemo.setup.setup_files import SetupFiles, key_in
from zdemo.setup.state_file import IssuedCredential, digest
from zdemo.zitadel import resources
from zdemo.zitadel.introspection_client import IntrospectionClient
from zdemo.zitadel.management import NAME_TAKEN, ManagementClient
from zdemo.zitadel.records import Auth, milliseconds, moment_of
from zdemo.zitadel.role_assignments import GIVE_UP_SECONDS, give_role, take_role, wait_until

HOUR_MILLISECONDS = 3_600_000
KEY_YEAR = milliseconds("9999-01-01T00:00:00+00:00") or 0  # as ZITADEL's own default: keys do not expire


class Reporter(Protocol):
    """Receives what happens, and the texts that are secret."""

    def tell(self, text: str) -> None:
        """Report a thing that was done."""

    def hide(self, *secrets: str) -> None:
        """Never show these texts."""


def apply_plan(
    client: ManagementClient,
    files: SetupFiles,
    plan: Plan,
    report: Reporter,
    *,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Carry out all steps; ``check`` is called between them, and raises to end the run.

    Raises ZdemoError when ZITADEL refuses a step. What exists by then stays, and is recorded.
    """
    current, run = plan.current, _Run(client, files, plan.current, report)
    for step in plan.to_do(ObjectKind.KEY):
        file = files.key_file(step.name)
        if step.action is Action.CREATE and os.path.lexists(file) and file not in files.key_files():
            hint = f"move it away, or choose another --app-name, and run setup again; {NOTHING_CHANGED}"
            raise ZdemoError(f"{file} exists, and setup did not write it", hint=hint)
    shared_id = current.project.id if current.project and not current.owns(current.project) else ""
    files.record(
        zitadel=current.issuer,
        shared_project_id=shared_id,
        added_roles=files.state.added_roles if shared_id == files.state.shared_project_id else (),
        rotating=current.application is not None and (current.rotates or plan.rotation is not None),
        unfinished=True,
    )
    domain = {"ZITADEL_DOMAIN": domain_line(files.get("ZITADEL_DOMAIN"), current.issuer)}
    files.write(domain | ({ADMIN_PAT: None} if current.foreign_admin_pat else {}))
    for step in plan.steps:
        if step.action is not Action.LEAVE and step.kind is not ObjectKind.ENV:
            run.carry_out(step)
            check()
    login = {APP_CLIENT_ID: run.login_client_id} if run.login_client_id else {}
    files.write({"ZITADEL_PROJECT_ID": run.project_id, "CLIENT_ID": run.client_id, **login})
    files.record(rotating=False, unfinished=False)
    if any(plan.to_do(ObjectKind.ENV)):
        report.tell(f"settings: written to {files.path}")


class _Run:
    """What the steps share; each step is the method that its action and its kind name.

    The client IDs are empty until they are known.
    """

    def __init__(self, client: ManagementClient, files: SetupFiles, current: CurrentState, report: Reporter) -> None:
        self.client, self.files, self.current, self.report = client, files, current, report
        self.client_id = self.current.application.client_id if self.current.application else ""
        self.home = self.current.admin.organization_id  # where everything is created
        self.role = self.current.options.role
        self.login_client_id = self.current.login_app.client_id if self.current.login_app else ""

    @property
    def project_id(self) -> str:
        return self.current.project.id if self.current.project else self.files.state.project_id

    @property
    def application_ids(self) -> tuple[str, str]:
        application = self.current.application
        return self.project_id, application.id if application else self.files.state.application_id

    def user(self, step: PlanStep) -> CurrentUser:
        return next(user for user in self.current.users if user.name == step.name)

    def user_id(self, step: PlanStep) -> str:
        user = self.user(step)
        return user.user.id if user.user else getattr(self.files.state, user.fields.user_id)

    def carry_out(self, step: PlanStep) -> None:
        try:
            getattr(self, f"{step.action.name}_{step.kind.name}".lower())(step)
        except ManagementError as error:
            if error.error_id != NAME_TAKEN:
                raise
            what = f"{step.kind} {step.name} did not exist when this setup began; somebody else created it since"
            if step.kind is ObjectKind.USER:
                what += ", or another organization has it: usernames are unique in the whole instance"
            wait = "choose another name, or wait until the other one has finished"
            raise ZdemoError(what, hint=(wait, Command("setup", does="uses what it finds"))) from error

    # --- what is recorded

    def choose_id(self, name: str) -> str:
        """Choose the ID of an object that is created next, and record it in a field of the state.

        No ID is used twice. ZITADEL keeps what belonged to a deleted project taken: in a project that is created again
        with its old ID, it refuses the same role key, and an application with the same name or ID.
        """
        chosen = str(10**17 + secrets.randbelow(9 * 10**17))  # of 18 digits, as ZITADEL's own
        self.files.record(**{name: chosen})
        return chosen

    def record(self, name: str, new: IssuedCredential | None = None, **changes: Any) -> None:
        """Record a credential before it is created, or more about the latest one."""
        issued: tuple[IssuedCredential, ...] = getattr(self.files.state, name)
        *others, last = (*issued, new) if new else issued
        self.files.record(**{name: (*others, replace(last, **changes))})

    # --- the steps

    def create_user(self, step: PlanStep) -> None:
        user_id = self.choose_id(self.user(step).fields.user_id)
        machine = {"name": step.name, "description": "created by zdemo setup"}
        resources.create_user(self.client, user_id, self.home, step.name, machine)
        self.report.tell(f"service account {step.name}: created ({user_id})")

    def create_project(self, step: PlanStep) -> None:
        self.files.record(added_roles=())
        project_id = self.choose_id("project_id")
        resources.create_project(self.client, project_id, self.home, step.name)
        self.report.tell(f"project {step.name}: created ({project_id})")

    def create_role(self, step: PlanStep) -> None:
        self.files.record(added_roles=(*dict.fromkeys((*self.files.state.added_roles, step.name)),))
        resources.add_role(self.client, self.project_id, step.name, step.name)
        self.report.tell(f"role {step.name}: created")

    def create_application(self, step: PlanStep) -> None:
        auth, configuration = self.current.auth, resources.api_configuration(self.current.auth)
        self.files.record(secret_written=False)
        application_id = self.choose_id("application_id")
        created = resources.create_application(self.client, self.project_id, application_id, step.name, configuration)
        self.client_id, where = created.client_id, ""
        if auth is Auth.BASIC:
            self.write_secret(created.client_secret)
            where = f"; its client secret is in {self.files.path}"
        self.report.tell(f"application {step.name}: created ({application_id}){where}")

    def create_app(self, step: PlanStep) -> None:
        app_id = self.choose_id("login_app_id")
        created = resources.create_login_app(self.client, self.project_id, app_id, step.name, resources.LOGIN_APP)
        self.login_client_id = created.client_id
        self.report.tell(f"application {step.name}: created ({app_id})")

    def change_method(self, step: PlanStep) -> None:
        configuration = resources.api_configuration(self.current.auth)
        resources.set_application_auth(self.client, *self.application_ids, configuration)
        self.report.tell(f"application {step.name}: authentication changed {step.note}")

    def create_secret(self, step: PlanStep) -> None:
        """Create a new client secret, unless it came with the application; an old one stops working at once."""
        if self.current.application:
            self.write_secret(resources.generate_client_secret(self.client, *self.application_ids).secret)
            self.report.tell(f"client secret of {step.name}: {step.note}")

    change_secret = create_secret

    def write_secret(self, secret: str) -> None:
        """Write the secret to ``.env``, where a key file would win over it."""
        self.report.hide(secret)
        settings = {"ZITADEL_PROJECT_ID": self.project_id, "CLIENT_ID": self.client_id, "CLIENT_SECRET": secret}
        self.files.write({**settings, "ZITADEL_KEY_FILE": None})
        self.files.record(secret_written=True)

    def create_key(self, step: PlanStep) -> None:
        files, (project_id, application_id) = self.files, self.application_ids
        file = files.key_file(step.name)
        expires = KEY_YEAR + secrets.randbelow(364 * 24 * HOUR_MILLISECONDS)
        self.record("keys", IssuedCredential(owner_id=application_id, expires=expires))
        key = resources.create_application_key(self.client, project_id, application_id, moment_of(expires))
        self.report.hide(key.secret)
        self.record("keys", digest=digest(key.id))
        replace_file(file, key.secret)
        settings = {"ZITADEL_PROJECT_ID": project_id, "CLIENT_ID": self.client_id, "ZITADEL_KEY_FILE": file.name}
        files.write(settings | ({"CLIENT_SECRET": None} if files.wrote("CLIENT_SECRET") else {}))
        self.record("keys", id=key.id)
        self.report.tell(f"key file {file}: written")

    def remove_key(self, step: PlanStep) -> None:
        removed = self.current.old_keys
        for key_id in removed:
            resources.delete_application_key(self.client, *self.application_ids, key_id)
        for file in self.files.key_files():
            if key_in(file) in removed:
                file.unlink()
                self.report.tell(f"key file {file}: removed")
        self.report.tell(f"keys of {step.name}: {len(removed)} removed")

    def create_pat(self, step: PlanStep) -> None:
        fields, user_id, options = self.user(step).fields, self.user_id(step), self.current.options
        expires = round(time.time() * 1000) + options.pat_hours * HOUR_MILLISECONDS
        self.record(fields.pats, IssuedCredential(owner_id=user_id, expires=expires))
        pat = resources.add_pat(self.client, user_id, moment_of(expires))
        self.report.hide(pat.secret)
        self.record(fields.pats, digest=digest(pat.secret))
        self.files.write({fields.setting: pat.secret})
        self.record(fields.pats, id=pat.id)
        self.report.tell(f"PAT of {step.name}: created, valid for {options.pat_period}")

    def remove_pat(self, step: PlanStep) -> None:
        lost = self.user(step).lost
        for token_id in lost:
            resources.remove_pat(self.client, self.user_id(step), token_id)
        self.report.tell(f"PATs of {step.name}: {len(lost)} removed")

    def create_assignment(self, step: PlanStep) -> None:
        """Grant the role: create an assignment, or add it to the one that exists, and activate that."""
        assignment = self.user(step).assignment
        if assignment is None:
            self.files.record(assignment_id="", assignment_role=self.role)
            owner = self.current.project.organization_id if self.current.project else self.home
            created = resources.create_assignment(self.client, self.user_id(step), self.project_id, owner, [self.role])
            self.files.record(assignment_id=created.id)
        else:
            give_role(self.client, assignment, self.role)
        self.report.tell(f"role for {step.name}: granted")

    change_assignment = create_assignment

    def remove_assignment(self, step: PlanStep) -> None:
        if assignment := self.user(step).assignment:
            take_role(self.client, assignment, self.role)
        self.report.tell(f"role for {step.name}: revoked")


def verify_tokens(client: ManagementClient, files: SetupFiles, role: str) -> float:
    """Return the seconds until introspection shows the reader's role. Raises ZdemoError when it does not in time."""
    with closing(IntrospectionClient(files.settings(client))) as introspector:
        seconds = wait_until(lambda: not _unproven(introspector, files, role))
        missing = "" if seconds is not None else _unproven(introspector, files, role)
    if seconds is None:
        what = f"everything is created, but introspection does not show it after {GIVE_UP_SECONDS:g} s: {missing}"
        raise ZdemoError(what, hint="ZITADEL's reads can lag behind by up to 60 s: run the command again")
    if files.wrote("CLIENT_SECRET"):
        files.record(secret_written=True)  # a run may have been killed before it could
    return seconds


def _unproven(introspector: IntrospectionClient, files: SetupFiles, role: str) -> str:
    """Return what introspection does not show; empty when it shows everything."""
    try:
        for name, has_role in (("PAT", True), ("ZDEMO_VISITOR_PAT", False)):
            answer = introspector.introspect(files.get(name))
            if not answer.active:
                return f"{name} is not active"
            if answer.has_role(role, files.get("ZITADEL_PROJECT_ID")) != has_role:
                return f"{name} {'does not have' if has_role else 'has'} {role}"
    except IntrospectionError as error:  # a new secret is refused for some milliseconds
        return error.message
    return ""
