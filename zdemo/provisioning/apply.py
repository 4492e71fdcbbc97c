"""Carry a plan out, so that a run killed at any moment can be completed by the next one.

Before an object is created, the state file holds the ID by which it can be found again. What ZITADEL shows only once,
and a killed run has lost, is created anew.
"""

import secrets
from collections.abc import Callable

from zdemo.errors import ManagementError
from zdemo.management.client import ManagementClient
from zdemo.management.refusals import is_taken_name
from zdemo.provisioning.files import ADMIN_PAT, SetupFiles
from zdemo.provisioning.plan import Action, ObjectKind, Plan, PlanStep, domain_line, rotates
from zdemo.provisioning.step_context import Context, Reporter
from zdemo.provisioning.steps import HANDLERS, check_key_file
from zdemo.provisioning.taken_names import taken_name

SEED_BYTES = 16


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
        raise taken_name(context, step, error) from error


def _record_intent(context: Context) -> None:
    """Record where objects will be created, and what their IDs will be made from."""
    current, state = context.plan.current, context.files.state
    shared = current.project if not current.owns(current.project) else None
    shared_id = shared.id if shared else ""
    context.files.record(
        zitadel=current.issuer,
        seed=state.seed or secrets.token_hex(SEED_BYTES),
        organization_id=context.home,
        shared_project_id=shared_id,
        added_roles=state.added_roles if shared_id == state.shared_project_id else (),
        rotating=current.application is not None and (rotates(current) or context.plan.rotation is not None),
        unfinished=True,
    )
