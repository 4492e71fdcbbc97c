"""Objects that setup cannot use as they are, and may not change: each conflict in its own words. Pure."""

from collections.abc import Iterator

from zdemo.errors import ZdemoError
from zdemo.setup.current import CurrentState, CurrentUser
from zdemo.text.printable import pasteable
from zdemo.zitadel.records import User

NOTHING_CHANGED = "nothing was changed"


def check_conflicts(current: CurrentState) -> None:
    """Raise ZdemoError for the first thing that setup cannot use and may not change."""
    if found := next(_conflicts(current), None):
        message, hint = found
        raise ZdemoError(message, hint=f"{hint}; {NOTHING_CHANGED}")


def _conflicts(current: CurrentState) -> Iterator[tuple[str, str]]:
    """Yield each conflict, and what resolves it."""
    yield from _of_project(current)
    yield from _of_names(current)
    yield from _of_application(current)
    for user in current.users:
        yield from _of_user(user, current)
    if not current.owns(current.project):
        yield from _of_assignments(current)


def _of_project(current: CurrentState) -> Iterator[tuple[str, str]]:
    project, home, role = current.project, current.admin.organization_id, current.options.role
    if project and project.organization_id != home:
        yield (
            f"the project {project.name} ({project.id}) belongs to another organization ({project.organization_id}) "
            f"than the user of ZITADEL_ADMIN_PAT ({home})",
            "use the PAT of an administrator of that organization",
        )
    if project and not project.active:
        yield (
            f"the project {project.name} is deactivated: ZITADEL refuses the credentials of its applications",
            "activate it in the Management Console, or choose another --project-name",
        )
    near = next((key for key in current.role_keys if key.casefold() == role.casefold()), role)
    if near != role and role not in current.role_keys:
        yield (
            f"the project {current.options.project_name} has the role {near}, which is not {role}: ZITADEL compares "
            "role keys exactly, but does not allow two that differ only in case",
            f"use --role '{near}', or choose another --project-name",
        )


def _of_names(current: CurrentState) -> Iterator[tuple[str, str]]:
    """Compare the names of setup's own objects with those that were asked for, which may be the default ones."""
    options, differences, words = current.options, [], []
    rows = (
        ("project", current.project, options.project_name, "--project-name"),
        ("application", current.application, options.app_name, "--app-name"),
        *(("user", user.user, user.name, user.fields.option) for user in current.users),
    )
    for what, thing, expected, option in rows:
        if thing is None or not current.owns(thing):
            continue
        name = thing.username if isinstance(thing, User) else thing.name
        if name.casefold() != expected.casefold():
            differences.append(f"the {what} that setup created is named {name}, not {expected}")
            words.append(f"{option} {name}" if " " not in name else f"{option} '{name}'")
    if differences:
        yield "; ".join(differences), f"add {' '.join(words)}, or use another --env-file for other objects"


def _of_application(current: CurrentState) -> Iterator[tuple[str, str]]:
    application, auth = current.application, current.options.auth
    if application is None:
        return
    name = application.name
    if not application.is_api:
        yield f"the application {name} exists and is not of type API", "choose another --app-name"
    if not application.active:
        yield (
            f"the application {name} is deactivated: ZITADEL refuses its credentials",
            "reactivate it in the Management Console, or choose another --app-name",
        )
    if auth and application.auth is not auth and not current.owns(application):
        yield (
            f"the application {name} uses {application.auth}, and setup did not create it",
            f"use --auth {application.auth}, or choose another --app-name",
        )


def _of_user(current_user: CurrentUser, current: CurrentState) -> Iterator[tuple[str, str]]:
    user, option = current_user.user, current_user.fields.option
    if user is None:
        return
    if user.organization_id != current.admin.organization_id:
        yield (
            f"the username {user.username} is taken in another organization ({user.organization_id}); usernames are "
            "unique in the whole instance",
            f"choose another {option}",
        )
    if not user.machine:
        yield f"the user {user.username} is a human, who cannot have a PAT", f"choose another {option}"
    if user.state != "ACTIVE":
        verb = "unlock" if user.state == "LOCKED" else "reactivate"
        yield (
            f"the service account {user.username} is {'locked' if user.state == 'LOCKED' else 'deactivated'}",
            f"{verb} it in the Management Console and run setup again, which creates a new PAT (the old ones stay "
            f"dead); or choose another {option}",
        )


def _of_assignments(current: CurrentState) -> Iterator[tuple[str, str]]:
    """Do not change the assignment of a user whom setup did not create, in a project that it did not create."""
    role, options = current.options.role, current.options
    for held_by, should_have in ((current.reader, True), (current.visitor, False)):
        assignment = held_by.assignment
        if assignment is None or current.owns(held_by.user):
            continue
        if should_have and not (assignment.active and role in assignment.role_keys):
            yield (
                f"{held_by.name} has a role assignment in {options.project_name} without an active {role}, and setup "
                "created neither the user nor the project",
                f"{pasteable('zdemo role grant', held_by.name, role)}, or choose another {held_by.fields.option}",
            )
        if not should_have and role in assignment.role_keys:
            yield (
                f"{held_by.name} has {role}, which the visitor must not have, and setup did not create this user",
                f"{pasteable('zdemo role revoke', held_by.name, role)}, or choose another {held_by.fields.option}",
            )
