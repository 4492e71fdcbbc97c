"""Carry a plan out, so that a run killed at any moment can be completed by the next one.

Before anything is made, the IDs and times of expiry by which it can be found again are in ``.env``. What ZITADEL shows
once and a killed run has lost is made anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from zdemo.management.client import ManagementClient
from zdemo.provisioning import objects, shown_once
from zdemo.provisioning.context import Bench, Reporter
from zdemo.provisioning.env_file import EnvFile
from zdemo.provisioning.names import APPLICATION_ID, ASSIGNMENT_ID, CLIENT_ID, PENDING, PROJECT_ID, ROLE, ZITADEL
from zdemo.provisioning.options import new_ids
from zdemo.provisioning.plan import Action, Kind, Plan, Step
from zdemo.provisioning.same_zitadel import domain_line


def _nothing(_bench: Bench, _step: Step) -> None:
    """What comes with another step: a first secret with its application, lines of ``.env`` with what they tell of."""


HANDLERS: Mapping[tuple[Kind, Action], Callable[[Bench, Step], None]] = {
    (Kind.USER, Action.CREATE): objects.make_user,
    (Kind.PROJECT, Action.CREATE): objects.make_project,
    (Kind.ROLE, Action.CREATE): objects.make_role,
    (Kind.APPLICATION, Action.CREATE): objects.make_application,
    (Kind.METHOD, Action.CHANGE): objects.change_method,
    (Kind.SECRET, Action.CREATE): _nothing,
    (Kind.SECRET, Action.CHANGE): shown_once.rotate_secret,
    (Kind.KEY, Action.CREATE): shown_once.make_key,
    (Kind.KEY, Action.CHANGE): shown_once.make_key,
    (Kind.KEY, Action.REMOVE): shown_once.remove_keys,
    (Kind.ASSIGNMENT, Action.CREATE): objects.assign,
    (Kind.ASSIGNMENT, Action.CHANGE): objects.reassign,
    (Kind.ASSIGNMENT, Action.REMOVE): objects.unassign,
    (Kind.PAT, Action.CREATE): shown_once.make_pat,
    (Kind.PAT, Action.REMOVE): shown_once.remove_pats,
    (Kind.ENV, Action.CREATE): _nothing,
    (Kind.ENV, Action.CHANGE): _nothing,
}


def carry_out(client: ManagementClient, env: EnvFile, plan: Plan, story: Reporter) -> None:
    """All steps. Raises ZdemoError when ZITADEL refuses one; what was made until then stays, and is known."""
    application = plan.situation.application
    bench = Bench(
        client=client,
        env=env,
        plan=plan,
        story=story,
        client_id=application.client_id if application else "",
    )
    _write_down(bench)
    for step in plan.steps:
        if step.action is not Action.LEAVE:
            HANDLERS[step.kind, step.action](bench, step)
    env.write({"ZITADEL_PROJECT_ID": bench.ids[PROJECT_ID], "CLIENT_ID": bench.client_id})
    if any(plan.to_do(Kind.ENV)):
        story.tell(f"settings: written to {env.path}")


def _write_down(bench: Bench) -> None:
    """The IDs of what will be made: those that an interrupted run chose, where nothing else has been found instead."""
    situation, env = bench.plan.situation, bench.env
    found = {
        PROJECT_ID: situation.project,
        APPLICATION_ID: situation.application,
        **{person.variables.user_id: person.user for person in situation.persons},
    }
    chosen = {v: env.get(v) for v, thing in found.items() if thing is None and env.get(v)}
    chosen |= new_ids(v for v, thing in found.items() if thing is None and v not in chosen)
    bench.ids = {v: thing.id for v, thing in found.items() if thing} | chosen
    notes: dict[str, str | None] = {**chosen, ZITADEL: situation.issuer}
    notes["ZITADEL_DOMAIN"] = domain_line(env.get("ZITADEL_DOMAIN"), situation.issuer)
    if situation.application is None:
        notes[CLIENT_ID] = None
    env.write(notes | _foreign_project_notes(bench))


def _foreign_project_notes(bench: Bench) -> dict[str, str | None]:
    """What is made in a project that is not setup's own, and would not end with it.

    ``pending`` is written while there is no assignment: one that is there the next time is setup's.
    """
    situation, env = bench.plan.situation, bench.env
    if situation.project is None or situation.project.ours:
        return {}
    notes: dict[str, str | None] = {}
    if any(bench.plan.to_do(Kind.ROLE)):
        notes[ROLE] = bench.plan.wishes.role
    reader = situation.reader
    if reader.user and not reader.user.ours:
        if reader.assignment is None:
            notes[ASSIGNMENT_ID] = PENDING
        elif env.get(ASSIGNMENT_ID) == PENDING:
            notes[ASSIGNMENT_ID] = reader.assignment.id
    return notes
