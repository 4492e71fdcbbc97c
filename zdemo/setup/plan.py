"""From what exists to what is to be done, and what stands in the way. Pure."""

import shlex
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from zdemo.config.settings import APP_CLIENT_ID
from zdemo.errors import ZdemoError
from zdemo.errors.steps import Command, Step
from zdemo.setup.current import CredentialState, CurrentState, CurrentUser
from zdemo.zitadel.management import BIGGER_ROLE
from zdemo.zitadel.records import NATIVE, NO_SECRET, Application, Auth, Project, User, moment_of

NOTHING_CHANGED = "nothing was changed"

METHODS = {Auth.BASIC: "Basic", Auth.KEY: "private_key_jwt"}
CREDENTIALS = ("ZITADEL_DOMAIN", "ZITADEL_PROJECT_ID", "CLIENT_ID", "CLIENT_SECRET", "ZITADEL_KEY_FILE")


class Action(StrEnum):
    """What a step does."""

    LEAVE = "no change"
    CREATE = "create"
    CHANGE = "change"
    REMOVE = "remove"


class ObjectKind(StrEnum):
    """What a step is about, as the table names it."""

    USER = "service account"
    PROJECT = "project"
    ROLE = "role"
    APPLICATION = "application"
    METHOD = "authentication"
    SECRET = "client secret"  # noqa: S105  # a word of the table
    KEY = "key file"
    APP = "login app"
    ASSIGNMENT = "role for"
    PAT = "PAT of"
    ENV = ".env"


PERMISSIONS = {  # what changes need (ZITADEL)
    "user.write": {ObjectKind.USER, ObjectKind.PAT},
    "project.create": {ObjectKind.PROJECT},
    "project.role.write": {ObjectKind.ROLE},
    "project.app.write": {ObjectKind.APPLICATION, ObjectKind.APP, ObjectKind.METHOD, ObjectKind.SECRET, ObjectKind.KEY},
    "user.grant.write": {ObjectKind.ASSIGNMENT},
}


@dataclass(frozen=True)
class PlanStep:
    """One row of the plan; ``note`` is shown in brackets. ``settings`` are those that ``.env`` gets."""

    kind: ObjectKind
    name: str
    action: Action
    note: str = ""
    settings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The steps in the order in which they are carried out.

    ``rotation`` is the error to raise unless a person agrees to replace a client secret that may be in use.
    """

    current: CurrentState
    steps: tuple[PlanStep, ...]
    rotation: ZdemoError | None
    file: str

    @property
    def changes(self) -> bool:
        """Whether anything is to be done."""
        return any(step.action is not Action.LEAVE for step in self.steps)

    @property
    def renews_credentials(self) -> bool:
        """Whether a running API must be restarted, because its settings no longer work."""
        return any(
            (self.current.application or step.note) and not set(CREDENTIALS).isdisjoint(step.settings)
            for step in self.to_do(ObjectKind.ENV)
        )

    def to_do(self, kind: ObjectKind) -> Iterator[PlanStep]:
        """Yield the steps of a kind that change something."""
        return (step for step in self.steps if step.kind is kind and step.action is not Action.LEAVE)


def make_plan(current: CurrentState, settings: dict[str, str], *, file: str = ".env") -> Plan:
    """Return what is to be done. Raises ZdemoError for what setup cannot use, and for a missing permission."""
    for message, (*first, last) in _conflicts(current):  # the first is enough
        raise ZdemoError(message, hint=(*first, f"{last}; {NOTHING_CHANGED}"))
    steps = tuple(_steps(current, file))
    rotation, env = _rotation(current, steps, file), _env_step(current, steps, settings)
    plan = Plan(current=current, steps=(*steps, env), rotation=rotation, file=file)
    if current.permissions is None:
        return plan
    changed = {step.kind for step in plan.steps if step.action is not Action.LEAVE}
    needed = [permission for permission, kinds in PERMISSIONS.items() if kinds & changed]
    own = f":{current.project.id}" if current.project else ":"
    missing = sorted(p for p in needed if p not in current.permissions and p + own not in current.permissions)
    if missing:
        who = f"{current.admin.login_name} ({', '.join(current.admin.roles) or 'none'})"
        what = f"the administrator role of {who} is not enough: it lacks {', '.join(missing)}"
        raise ZdemoError(what, hint=f"{BIGGER_ROLE}, or use another administrator's PAT; {NOTHING_CHANGED}")
    return plan


def domain_line(present: str, issuer: str) -> str:
    """Return ``ZITADEL_DOMAIN`` as it stands in ``.env`` when that means the issuer, else the issuer."""
    same = present.rstrip("/").lower() in (issuer.lower(), issuer.removeprefix("https://").lower())
    return present if same else issuer


def _steps(current: CurrentState, file: str) -> Iterator[PlanStep]:
    """Yield the steps, users first: only a taken username, unique in the instance, cannot be foreseen."""
    options, application, auth = current.options, current.application, current.auth

    def needed(kind: ObjectKind, name: str, exists: object, note: str = "") -> PlanStep:
        return PlanStep(kind, name, Action.LEAVE if exists else Action.CREATE, note)

    for user in current.users:
        yield needed(ObjectKind.USER, user.name, user.user)
    yield needed(ObjectKind.PROJECT, options.project_name, current.project)
    yield needed(ObjectKind.ROLE, options.role, options.role in current.role_keys)
    name, method = options.app_name, METHODS[application.auth if application else auth]
    yield needed(ObjectKind.APPLICATION, name, application, method)
    if application and application.auth is not auth:
        yield PlanStep(ObjectKind.METHOD, name, Action.CHANGE, f"to {METHODS[auth]}")
    kind = ObjectKind.SECRET if auth is Auth.BASIC else ObjectKind.KEY
    yield PlanStep(kind, name, *_credential_action(current))
    if removed := len(current.old_keys):
        yield PlanStep(ObjectKind.KEY, name, Action.REMOVE, f"{removed} replaced, or lost by an interrupted run")
    if options.login_app_name:
        yield needed(ObjectKind.APP, options.login_app_name, current.login_app, "PKCE, no secret")
    yield from _assignment_steps(current)
    for user in current.users:
        yield from _pat_steps(user, options.pat_period, file)


def _credential_action(current: CurrentState) -> tuple[Action, str]:
    if current.application is None:
        return Action.CREATE, ""
    if current.credentials is CredentialState.GOOD and not current.rotates:
        return Action.LEAVE, ""
    if current.auth is Auth.KEY:
        return Action.CREATE, "a new one"
    if current.owns(current.application) and not current.state.secret_written:
        return Action.CREATE, "a new one: the first was never saved"
    return Action.CHANGE, "a new one; the old one stops working"


def _rotation(current: CurrentState, steps: tuple[PlanStep, ...], file: str) -> ZdemoError | None:
    """Return what needs consent; only a new client secret does, because it stops the old one."""
    name = current.options.app_name
    replaces = any(step.kind is ObjectKind.SECRET and step.action is Action.CHANGE for step in steps)
    if current.application is None or not replaces or current.rotates:
        return None
    why = f"{file} has no client secret of the application {name}, and ZITADEL shows it only once"
    instead = f"put the secret that its creator has into {file}, or choose another --app-name"
    if current.owns(current.application):
        instead = f"put the old secret back into {file}"
    if current.credentials is CredentialState.REFUSED:
        why = f"ZITADEL refuses the CLIENT_SECRET in {file} for the application {name}"
    if current.application.auth is Auth.KEY:
        why = f"--auth basic creates a new client secret for the application {name}"
        instead = "leave out --auth basic"
    new = "or add --rotate-secret: it creates a new one, and the old one stops working wherever it is in use"
    return ZdemoError(why, hint=(instead, new, NOTHING_CHANGED))


def _assignment_steps(current: CurrentState) -> Iterator[PlanStep]:
    role, reader, visitor = current.options.role, current.reader, current.visitor
    action, note = Action.LEAVE, ""
    if reader.assignment is None:
        action = Action.CREATE
    elif role not in reader.assignment.role_keys:
        action, note = Action.CHANGE, f"add {role}"
    elif not reader.assignment.active:
        action, note = Action.CHANGE, "activate it"
    yield PlanStep(ObjectKind.ASSIGNMENT, reader.name, action, note)
    if visitor.assignment and role in visitor.assignment.role_keys:
        yield PlanStep(ObjectKind.ASSIGNMENT, visitor.name, Action.REMOVE, "the visitor must not have it")


def _pat_steps(user: CurrentUser, period: str, file: str) -> Iterator[PlanStep]:
    if user.lost:
        note = f"{len(user.lost)} no longer active, or lost by an interrupted run"
        yield PlanStep(ObjectKind.PAT, user.name, Action.REMOVE, note)
    if user.pat is CredentialState.GOOD:
        note = f"until {moment_of(user.pat_expires)[:10]}" if user.pat_expires else ""
        yield PlanStep(ObjectKind.PAT, user.name, Action.LEAVE, note)
        return
    why = {
        CredentialState.REFUSED: f"; the one in {file} is no longer active",
        CredentialState.OTHER: f"; the one in {file} is another user's",
    }.get(user.pat, "")
    yield PlanStep(ObjectKind.PAT, user.name, Action.CREATE, f"{period}{why}")


def _env_step(current: CurrentState, steps: tuple[PlanStep, ...], settings: dict[str, str]) -> PlanStep:
    new = {(step.kind, step.name) for step in steps if step.action in (Action.CREATE, Action.CHANGE)}
    kinds = {kind for kind, _ in new}
    value = defaultdict(str, {name: text.strip() for name, text in settings.items()})
    project, application, domain = current.project, current.application, value["ZITADEL_DOMAIN"]
    login_client_id = current.login_app.client_id if current.login_app else None
    secret, key = ObjectKind.SECRET in kinds, ObjectKind.KEY in kinds
    differs = {
        "ZITADEL_DOMAIN": domain_line(domain, current.issuer) != domain,
        "ZITADEL_PROJECT_ID": project is None or value["ZITADEL_PROJECT_ID"] != project.id,
        "CLIENT_ID": application is None or value["CLIENT_ID"] != application.client_id,
        "CLIENT_SECRET": secret or (key and current.state.wrote("CLIENT_SECRET", value["CLIENT_SECRET"])),
        "ZITADEL_KEY_FILE": key or (secret and bool(value["ZITADEL_KEY_FILE"])),
        **{user.fields.setting: (ObjectKind.PAT, user.name) in new for user in current.users},
        APP_CLIENT_ID: bool(current.options.login_app_name) and value[APP_CLIENT_ID] != login_client_id,
        "ZITADEL_ADMIN_PAT": current.foreign_admin_pat,
    }
    names = [name for name, other in differs.items() if other]
    replaced = [name for name in names if value[name]]
    notes = [f"new value for {', '.join(replaced)}"] if replaced else []
    if any(not current.state.wrote(name, value[name]) for name in replaced):
        notes.append("your previous values are saved; --teardown restores them")
    if not names:
        return PlanStep(ObjectKind.ENV, "", Action.LEAVE)
    action = Action.CHANGE if settings else Action.CREATE
    return PlanStep(ObjectKind.ENV, ", ".join(names), action, "; ".join(notes), tuple(names))


# --- what setup cannot use as it is, and may not change


def _conflicts(current: CurrentState) -> Iterator[tuple[str, tuple[Step, ...]]]:
    """Yield each problem with the steps that help."""
    options, role = current.options, current.options.role
    if (app := current.login_app) and (app.kind, app.method) != (NATIVE, NO_SECRET):
        what = f"the application {app.name} exists, and people cannot log in to it from a terminal"
        yield what, ("rename it, or set its type to Native and its authentication method to None",)
    rows: tuple[tuple[str, Project | Application | User | None, str, str], ...] = (
        ("project", current.project, options.project_name, "--project-name"),
        ("application", current.application, options.app_name, "--app-name"),
        *(("user", user.user, user.name, user.fields.option) for user in current.users),
    )
    others, names = [], []  # what setup used, under other names than those that were asked for
    for what, thing, asked, option in rows:
        if thing is None:
            continue
        name = thing.username if isinstance(thing, User) else thing.name
        for problem, fix in _problems(thing, current):
            yield f"the {what} {name} {problem}", (f"{fix}choose another {option}",)
        is_own = current.owns(thing) or thing.id == current.state.shared_project_id
        if is_own and name.casefold() != asked.casefold():
            others.append(f"the {what} of this setup is named {name}, not {asked}")
            names.append(f"{option} {shlex.quote(name)}")
    if others:
        yield "; ".join(others), (f"add {' '.join(names)}, or use another --env-file for other objects",)
    near = next((key for key in current.role_keys if key.casefold() == role.casefold()), role)
    if near != role and role not in current.role_keys:
        yield (
            f"the project {options.project_name} has the role {near}, which is not {role}: ZITADEL compares role keys "
            "exactly, but does not allow two that differ only in case",
            (f"use --role {shlex.quote(near)}, or choose another --project-name",),
        )
    for user in current.users:
        # what setup did not create keeps its assignments
        held = user.assignment
        if held is None or current.owns(user.user) or current.owns(current.project):
            continue
        other = f"or choose another {user.fields.option}"
        if user is current.visitor and role in held.role_keys:
            what = f"{user.name} has {role}, which the visitor must not have, and setup did not create this user"
            yield what, (Command("role revoke", (user.name, role)), other)
        if user is current.reader and not (held.active and role in held.role_keys):
            what = f"{user.name} has a role assignment in {options.project_name} without an active {role}"
            yield f"{what}, and setup created neither", (Command("role grant", (user.name, role)), other)


def _problems(thing: Project | Application | User, current: CurrentState) -> Iterator[tuple[str, str]]:
    """Yield why an object cannot be used, and what helps besides another name."""
    home, auth = current.admin.organization_id, current.options.auth
    state = thing.state if isinstance(thing, User) else "ACTIVE" if thing.active else "INACTIVE"
    if not isinstance(thing, Application) and thing.organization_id != home:
        fix = f"add --org {thing.organization_id}, or " if isinstance(thing, Project) else ""
        yield f"is in another organization ({thing.organization_id}) than this setup ({home})", fix
    if isinstance(thing, User) and not thing.machine:
        yield "is a human, who cannot have a PAT", ""
    if isinstance(thing, Application) and not thing.is_api:
        yield "exists and is not of type API", ""
    if state != "ACTIVE":
        word = "locked" if state == "LOCKED" else "deactivated"
        yield f"is {word}: ZITADEL refuses its credentials", "make it active in the Management Console, or "
    if isinstance(thing, Application) and auth not in (None, thing.auth) and not current.owns(thing):
        yield f"uses {thing.auth}, and setup did not create it", f"use --auth {thing.auth}, or "
