"""From what is there to what is to be done. Pure: nothing is asked and nothing is changed here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from zdemo.errors import ZdemoError
from zdemo.management.model import Auth
from zdemo.management.resources import moment_of
from zdemo.provisioning.conflicts import check_fit
from zdemo.provisioning.current import Accepted, CurrentState
from zdemo.provisioning.names import READER, VISITOR
from zdemo.provisioning.options import SetupOptions
from zdemo.provisioning.people import PatState, Person
from zdemo.provisioning.previous_values import written
from zdemo.provisioning.rotation import Rotation, credentials_note, rotation
from zdemo.provisioning.same_zitadel import domain_line

CREDENTIALS = ("ZITADEL_DOMAIN", "ZITADEL_PROJECT_ID", "CLIENT_ID", "CLIENT_SECRET", "ZITADEL_KEY_FILE")


class Action(StrEnum):
    """What is done about one thing."""

    LEAVE = "exists, leave"
    CREATE = "create"
    CHANGE = "change"
    REMOVE = "remove"


class Kind(StrEnum):
    """What a step is about, as the table names it."""

    USER = "service user"
    PROJECT = "project"
    ROLE = "role"
    APPLICATION = "application"
    METHOD = "authentication"
    SECRET = "client secret"  # noqa: S105  # a word of the table
    KEY = "key file"
    ASSIGNMENT = "role for"
    PAT = "PAT of"
    ENV = ".env"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One row. ``note`` says more, in brackets; ``permission`` is what it takes in ZITADEL."""

    kind: Kind
    name: str
    action: Action
    note: str = ""
    permission: str = ""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The steps in the order in which they are carried out.

    ``rotation``: what is made anew only at the person's word. ``file``: where the settings go.
    """

    situation: CurrentState
    wishes: SetupOptions
    auth: Auth
    steps: tuple[Step, ...]
    rotation: Rotation | None
    file: str

    @property
    def asks_rotation(self) -> str:
        """Why a new client secret or key needs the person's word; empty when it does not."""
        return self.rotation.why if self.rotation else ""

    @property
    def renews_credentials(self) -> bool:
        """Whether an API that runs with the settings of before would go on with those, and fail."""
        before = self.situation.application is not None
        return any(
            (before or step.note) and not set(CREDENTIALS).isdisjoint(step.name.split(", "))
            for step in self.to_do(Kind.ENV)
        )

    @property
    def changes(self) -> bool:
        """Whether anything is to be done."""
        return any(step.action is not Action.LEAVE for step in self.steps)

    @property
    def missing_permissions(self) -> tuple[str, ...]:
        """What the administrator may not and the plan needs; empty too when it is not known what he may."""
        held, project = self.situation.permissions, self.situation.project
        if held is None:
            return ()
        needed = {step.permission for step in self.steps if step.action is not Action.LEAVE and step.permission}
        own = f":{project.id}" if project else ":"
        return tuple(sorted(p for p in needed if p not in held and p + own not in held))

    def to_do(self, kind: Kind) -> Iterator[Step]:
        """The steps of a kind that are not left."""
        return (step for step in self.steps if step.kind is kind and step.action is not Action.LEAVE)


def make_plan(situation: CurrentState, notes: dict[str, str], *, file: str = ".env") -> Plan:
    """What is to be done; ``notes`` is what ``.env`` holds, by whatever name of a ``file``.

    Raises:
        ZdemoError: something that is there does not fit, and is not setup's to change; or a permission is missing.
    """
    wishes = situation.wishes
    check_fit(situation, wishes)
    application = situation.application
    auth = wishes.auth or (application.auth if application else Auth.BASIC)
    steps = tuple(_steps(situation, wishes, auth, notes, file))
    plan = Plan(
        situation=situation,
        wishes=wishes,
        auth=auth,
        steps=(*steps, _env_step(situation, steps, notes)),
        rotation=rotation(situation, wishes, auth, notes, file),
        file=file,
    )
    if plan.missing_permissions:
        raise ZdemoError(
            f"the administrator role of {situation.admin.login_name} ({', '.join(situation.admin.roles) or 'none'}) "
            f"is too small: it lacks {', '.join(plan.missing_permissions)}",
            hint="make it ORG_OWNER of its organization (or IAM_OWNER), or use another administrator's PAT; nothing "
            "was changed",
        )
    return plan


def _steps(
    situation: CurrentState, wishes: SetupOptions, auth: Auth, notes: dict[str, str], file: str
) -> Iterator[Step]:
    """Users first: their names are unique in the instance, so theirs is the refusal that cannot be foreseen."""
    for person in situation.persons:
        yield Step(
            kind=Kind.USER,
            name=person.name,
            action=Action.LEAVE if person.user else Action.CREATE,
            permission="user.write",
        )
    yield Step(
        kind=Kind.PROJECT,
        name=wishes.project_name,
        action=Action.LEAVE if situation.project else Action.CREATE,
        permission="project.create",
    )
    yield Step(
        kind=Kind.ROLE,
        name=wishes.role,
        action=Action.LEAVE if wishes.role in situation.role_keys else Action.CREATE,
        permission="project.role.write",
    )
    yield from _application_steps(situation, wishes, auth, notes)
    yield from _assignment_steps(situation, wishes)
    for person in situation.persons:
        yield from _pat_steps(person, wishes, file)


def _application_steps(
    situation: CurrentState, wishes: SetupOptions, auth: Auth, notes: dict[str, str]
) -> Iterator[Step]:
    application, name, right = situation.application, wishes.app_name, "project.app.write"
    yield Step(
        kind=Kind.APPLICATION,
        name=name,
        action=Action.LEAVE if application else Action.CREATE,
        note=_method(application.auth if application else auth),
        permission=right,
    )
    if application and application.auth is not auth:
        yield Step(kind=Kind.METHOD, name=name, action=Action.CHANGE, note=f"to {_method(auth)}", permission=right)
    kind = Kind.SECRET if auth is Auth.BASIC else Kind.KEY
    note = credentials_note(situation, wishes, auth, notes)
    action = Action.LEAVE
    if application is None:
        action = Action.CREATE
    elif note:
        action = Action.CREATE if situation.accepted is Accepted.MISSING and auth is Auth.KEY else Action.CHANGE
    yield Step(kind=kind, name=name, action=action, note=note, permission=right)
    if situation.useless_keys:
        yield Step(
            kind=Kind.KEY,
            name=name,
            action=Action.REMOVE,
            note=f"{len(situation.useless_keys)} no longer used, or lost by an interrupted run",
            permission=right,
        )


def _method(auth: Auth) -> str:
    return "Basic" if auth is Auth.BASIC else "private_key_jwt"


def _assignment_steps(situation: CurrentState, wishes: SetupOptions) -> Iterator[Step]:
    reader, visitor = situation.persons
    assignment, right = reader.assignment, "user.grant.write"
    action, note = Action.CREATE, ""
    if assignment:
        held = assignment.active and wishes.role in assignment.role_keys
        action = Action.LEAVE if held else Action.CHANGE
        note = "" if held else "give it again" if assignment.active else "activate it"
    yield Step(kind=Kind.ASSIGNMENT, name=reader.name, action=action, note=note, permission=right)
    if visitor.assignment and wishes.role in visitor.assignment.role_keys:
        note = "the visitor shall have none"
        yield Step(kind=Kind.ASSIGNMENT, name=visitor.name, action=Action.REMOVE, note=note, permission=right)


def _pat_steps(person: Person, wishes: SetupOptions, file: str) -> Iterator[Step]:
    if person.useless:
        note = f"{len(person.useless)} dead, or lost by an interrupted run"
        yield Step(kind=Kind.PAT, name=person.name, action=Action.REMOVE, note=note, permission="user.write")
    days = f"{wishes.pat_days} days"
    note = {
        PatState.GOOD: f"until {moment_of(person.pat_expires)[:10]}" if person.pat_expires else "",
        PatState.MISSING: days,
        PatState.DEAD: f"{days}; the one in {file} is dead",
        PatState.OTHER: f"{days}; the one in {file} is another user's",
    }[person.pat]
    action = Action.LEAVE if person.pat is PatState.GOOD else Action.CREATE
    if person.elsewhere and action is Action.CREATE:
        note += f"; {len(person.elsewhere)} made before stays valid, as it may be in use elsewhere"
    yield Step(kind=Kind.PAT, name=person.name, action=action, note=note, permission="user.write")


def _env_step(situation: CurrentState, steps: tuple[Step, ...], notes: dict[str, str]) -> Step:
    """Which settings get another value."""
    application, project = situation.application, situation.project
    new = {(step.kind, step.name) for step in steps if step.action in (Action.CREATE, Action.CHANGE)}
    kinds = {kind for kind, _ in new}
    domain = notes.get("ZITADEL_DOMAIN", "").strip()
    names = {
        "ZITADEL_DOMAIN": domain_line(domain, situation.issuer) != domain,
        "ZITADEL_PROJECT_ID": project is None or notes.get("ZITADEL_PROJECT_ID", "").strip() != project.id,
        "CLIENT_ID": application is None or notes.get("CLIENT_ID", "").strip() != application.client_id,
        "CLIENT_SECRET": Kind.SECRET in kinds,
        "ZITADEL_KEY_FILE": Kind.KEY in kinds or (Kind.SECRET in kinds and bool(notes.get("ZITADEL_KEY_FILE"))),
        READER.pat: (Kind.PAT, situation.reader.name) in new,
        VISITOR.pat: (Kind.PAT, situation.visitor.name) in new,
    }
    wanted = [name for name, differs in names.items() if differs]
    replaced = [name for name in wanted if notes.get(name, "").strip()]
    told = [f"other value for {', '.join(replaced)}"] if replaced else []
    if set(replaced) - written(notes):
        told.append("what was yours stays noted, and --teardown puts it back")
    if not wanted:
        return Step(kind=Kind.ENV, name="", action=Action.LEAVE)
    return Step(
        kind=Kind.ENV,
        name=", ".join(wanted),
        action=Action.CHANGE if notes else Action.CREATE,
        note="; ".join(told),
    )
