"""From what is there to what is to be done. Pure: nothing is asked and nothing is changed here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from zdemo.errors import ZdemoError
from zdemo.provisioning.calls import moment_of
from zdemo.provisioning.fit import check_fit
from zdemo.provisioning.look import Accepted, Situation
from zdemo.provisioning.people import PatState, Person
from zdemo.provisioning.wishes import Wishes
from zdemo.setup_names import CLIENT_ID, READER, VISITOR, Auth


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

    ``asks_rotation``: why a new client secret needs the person's word; empty when it does not.
    """

    situation: Situation
    wishes: Wishes
    auth: Auth
    steps: tuple[Step, ...]
    asks_rotation: str

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


def make_plan(situation: Situation, notes: dict[str, str]) -> Plan:
    """What is to be done; ``notes`` is what ``.env`` holds.

    Raises:
        ZdemoError: something that is there does not fit, and is not setup's to change; or a permission is missing.
    """
    wishes = situation.wishes
    check_fit(situation, wishes)
    application = situation.application
    auth = wishes.auth or (application.auth if application else Auth.BASIC)
    steps = tuple(_steps(situation, wishes, auth, notes))
    plan = Plan(
        situation=situation,
        wishes=wishes,
        auth=auth,
        steps=(*steps, _env_step(situation, steps, notes)),
        asks_rotation=_asks_rotation(situation, wishes, auth, notes),
    )
    if plan.missing_permissions:
        raise ZdemoError(
            f"the administrator role of {situation.admin.login_name} ({', '.join(situation.admin.roles) or 'none'}) "
            f"is too small: it lacks {', '.join(plan.missing_permissions)}",
            hint="make it ORG_OWNER of its organization (or IAM_OWNER), or use another administrator's PAT; nothing "
            "was changed",
        )
    return plan


def _steps(situation: Situation, wishes: Wishes, auth: Auth, notes: dict[str, str]) -> Iterator[Step]:
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
        yield from _pat_steps(person, wishes)


def _application_steps(situation: Situation, wishes: Wishes, auth: Auth, notes: dict[str, str]) -> Iterator[Step]:
    application, name, right = situation.application, wishes.app_name, "project.app.write"
    method = "Basic" if auth is Auth.BASIC else "private_key_jwt"
    yield Step(
        kind=Kind.APPLICATION,
        name=name,
        action=Action.LEAVE if application else Action.CREATE,
        note=method,
        permission=right,
    )
    if application and application.auth is not auth:
        yield Step(kind=Kind.METHOD, name=name, action=Action.CHANGE, note=f"to {method}", permission=right)
    kind = Kind.SECRET if auth is Auth.BASIC else Kind.KEY
    note = _credentials_note(situation, wishes, auth, notes)
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


def _credentials_note(situation: Situation, wishes: Wishes, auth: Auth, notes: dict[str, str]) -> str:
    """Why there will be other credentials; empty when they stay."""
    if situation.application is None:
        return ""
    if situation.accepted is Accepted.GOOD and not wishes.rotate_secret:
        return ""
    if auth is Auth.KEY:
        return "a new one"
    if _never_written(situation, notes):
        return "a new one: an interrupted run made the first, and nobody has seen it"
    return "a new one; the old one stops working"


def _never_written(situation: Situation, notes: dict[str, str]) -> bool:
    """Whether setup made the application and never wrote its secret down: then nobody has it."""
    application = situation.application
    return bool(application and application.ours and not notes.get(CLIENT_ID))


def _asks_rotation(situation: Situation, wishes: Wishes, auth: Auth, notes: dict[str, str]) -> str:
    application = situation.application
    if application is None or auth is Auth.KEY or wishes.rotate_secret or situation.accepted is Accepted.GOOD:
        return ""
    if _never_written(situation, notes) or (application.ours and application.auth is Auth.KEY):
        return ""  # nobody uses a secret of it
    if situation.accepted is Accepted.REFUSED:
        return f"ZITADEL refuses the CLIENT_SECRET in .env for the application {application.name}"
    return f".env holds no client secret of the application {application.name}, and ZITADEL shows one only once"


def _assignment_steps(situation: Situation, wishes: Wishes) -> Iterator[Step]:
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


def _pat_steps(person: Person, wishes: Wishes) -> Iterator[Step]:
    if person.useless:
        note = f"{len(person.useless)} dead, or lost by an interrupted run"
        yield Step(kind=Kind.PAT, name=person.name, action=Action.REMOVE, note=note, permission="user.write")
    action, note = {
        PatState.GOOD: (Action.LEAVE, f"until {moment_of(person.pat_expires)[:10]}" if person.pat_expires else ""),
        PatState.MISSING: (Action.CREATE, f"{wishes.pat_days} days"),
        PatState.DEAD: (Action.CREATE, f"{wishes.pat_days} days; the one in .env is dead"),
        PatState.OTHER: (Action.CREATE, f"{wishes.pat_days} days; the one in .env is another user's"),
    }[person.pat]
    yield Step(kind=Kind.PAT, name=person.name, action=action, note=note, permission="user.write")


def domain_line(written: str, issuer: str) -> str:
    """``ZITADEL_DOMAIN`` as it stands in ``.env`` when that says the same, else the issuer."""
    same = written.rstrip("/").lower() in (issuer.lower(), issuer.removeprefix("https://").lower())
    return written if same else issuer


def _env_step(situation: Situation, steps: tuple[Step, ...], notes: dict[str, str]) -> Step:
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
        "ZITADEL_KEY_FILE": Kind.KEY in kinds,
        READER.pat: (Kind.PAT, situation.reader.name) in new,
        VISITOR.pat: (Kind.PAT, situation.visitor.name) in new,
    }
    wanted = [name for name, differs in names.items() if differs]
    replaced = [name for name in wanted if notes.get(name, "").strip()]
    if not wanted:
        return Step(kind=Kind.ENV, name="", action=Action.LEAVE)
    return Step(
        kind=Kind.ENV,
        name=", ".join(wanted),
        action=Action.CHANGE if notes else Action.CREATE,
        note=f"other value for {', '.join(replaced)}" if replaced else "",
    )
