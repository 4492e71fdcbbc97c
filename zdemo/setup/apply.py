"""Carry a plan out, so that a run killed at any moment can be completed by the next one, and prove the result.

Before an object is created, the state file holds the ID by which it can be found again. What ZITADEL shows only once,
and a killed run has lost, is created anew.
"""

from collections.abc import Callable
from contextlib import closing

from zdemo.errors import CredentialsRefused, IntrospectionError, ManagementError, SettingsError, ZdemoError
from zdemo.setup.files import ADMIN_PAT, SetupFiles
from zdemo.setup.plan import Action, ObjectKind, Plan, PlanStep, domain_line, rotates
from zdemo.setup.steps import HANDLERS, Context, Reporter, check_key_file
from zdemo.zitadel.introspection_answer import Introspector
from zdemo.zitadel.introspection_client import IntrospectionClient
from zdemo.zitadel.management import ManagementClient, is_taken_name
from zdemo.zitadel.role_assignments import GIVE_UP_SECONDS, wait_until

OTHER_NAMES = {  # the option that gives another name; a user has one of two
    ObjectKind.PROJECT: "--project-name",
    ObjectKind.ROLE: "--role",
    ObjectKind.APPLICATION: "--app-name",
}


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
    current = plan.current
    client_id = current.application.client_id if current.application else ""
    context = Context(client=client, files=files, plan=plan, report=report, client_id=client_id)
    check_key_file(context)
    _record_intent(context)
    domain = {"ZITADEL_DOMAIN": domain_line(files.get("ZITADEL_DOMAIN"), current.issuer)}
    files.write(domain | ({ADMIN_PAT: None} if current.foreign_admin_pat else {}))
    for step in plan.steps:
        if step.action is not Action.LEAVE and step.kind is not ObjectKind.ENV:
            _carry_out(context, step)
            check()
    files.write({"ZITADEL_PROJECT_ID": context.project_id, "CLIENT_ID": context.client_id})
    files.record(rotating=False, unfinished=False)
    if any(plan.to_do(ObjectKind.ENV)):
        report.tell(f"settings: written to {files.path}")


def _carry_out(context: Context, step: PlanStep) -> None:
    try:
        HANDLERS[step.kind, step.action](context, step)
    except ManagementError as error:
        if not is_taken_name(error):
            raise
        option = OTHER_NAMES.get(step.kind) or context.user(step).fields.option
        what = f"{step.kind} {step.name} did not exist when this setup began; somebody else created it since"
        if step.kind is ObjectKind.USER:
            what += ", or another organization has it: usernames are unique in the whole instance"
        made = ", ".join(context.made)
        raise ZdemoError(
            what,
            hint=f"choose another {option}, or wait until the other one has finished and run zdemo setup again, which "
            "uses what it finds" + (f"; this run created {made}: zdemo setup --teardown removes that" if made else ""),
        ) from error


def _record_intent(context: Context) -> None:
    """Record where objects will be created, and what their IDs will be made from."""
    current, state = context.plan.current, context.files.state
    shared = current.project if not current.owns(current.project) else None
    shared_id = shared.id if shared else ""
    context.files.record(
        zitadel=current.issuer,
        organization_id=context.home,
        shared_project_id=shared_id,
        added_roles=state.added_roles if shared_id == state.shared_project_id else (),
        rotating=current.application is not None and (rotates(current) or context.plan.rotation is not None),
        unfinished=True,
    )


def verify_tokens(client: ManagementClient, files: SetupFiles, role: str) -> float:
    """Return the seconds until introspection shows the reader's role. Raises ZdemoError when it does not in time."""
    settings = files.settings(client)
    if settings is None:
        raise SettingsError([f"{files.path} does not hold usable credentials"], hint="run zdemo setup again")
    problem = ""

    def shown() -> bool:
        nonlocal problem
        problem = _problem(files, introspector, role)
        return not problem

    with closing(IntrospectionClient(settings)) as introspector:
        seconds = wait_until(shown)
    if seconds is None:
        raise ZdemoError(
            f"everything is created, but introspection does not show it after {GIVE_UP_SECONDS:g} s: {problem}",
            hint="ZITADEL's reads can lag behind by up to 60 s: run the command again",
        )
    if files.wrote("CLIENT_SECRET"):
        files.record(secret_written=True)  # a run may have been killed before it could
    return seconds


def _problem(files: SetupFiles, introspector: Introspector, role: str) -> str:
    """Return what introspection does not show yet; empty when it shows everything."""
    try:
        for name, has_role in (("PAT", True), ("ZDEMO_VISITOR_PAT", False)):
            found = introspector.introspect(files.get(name))
            if not found.active:
                return f"{name} is not active"
            if found.has_role(role, files.get("ZITADEL_PROJECT_ID")) != has_role:
                return f"{name} {'does not have' if has_role else 'has'} {role}"
    except CredentialsRefused as error:  # a new secret is refused for some milliseconds
        return error.message
    except IntrospectionError as error:
        if error.failure is None and error.answer is None:
            raise
        return error.message
    return ""
