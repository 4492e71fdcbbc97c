"""Objects that setup cannot use as they are, and may not change: each conflict in its own words. Pure."""

from zdemo.errors import ZdemoError
from zdemo.setup.current import CurrentState, CurrentUser
from zdemo.text.printable import pasteable
from zdemo.zitadel.records import Application, User

NOTHING_CHANGED = "nothing was changed"


def check_conflicts(current: CurrentState) -> None:
    """Raise ZdemoError for the first thing that setup cannot use and may not change."""
    _check_project(current)
    _check_names(current)
    _check_role(current)
    if current.application:
        _check_application(current.application, current)
    for user in current.users:
        _check_user(user, current)
    _check_assignments(current)


def _conflict(message: str, hint: str) -> ZdemoError:
    return ZdemoError(message, hint=f"{hint}; {NOTHING_CHANGED}")


def _check_names(current: CurrentState) -> None:
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
        raise _conflict("; ".join(differences), f"add {' '.join(words)}, or use another --env-file for other objects")


def _check_project(current: CurrentState) -> None:
    project, home = current.project, current.admin.organization_id
    if project is None:
        return
    if project.organization_id != home:
        raise _conflict(
            f"the project {project.name} ({project.id}) belongs to another organization ({project.organization_id}) "
            f"than the user of ZITADEL_ADMIN_PAT ({home})",
            "use the PAT of an administrator of that organization",
        )
    if not project.active:
        raise _conflict(
            f"the project {project.name} is deactivated: ZITADEL refuses the credentials of its applications",
            "activate it in the Management Console, or choose another --project-name",
        )


def _check_role(current: CurrentState) -> None:
    role = current.options.role
    near = next((key for key in current.role_keys if key.casefold() == role.casefold()), role)
    if near != role and role not in current.role_keys:
        raise _conflict(
            f"the project {current.options.project_name} has the role {near}, which is not {role}: ZITADEL compares "
            "role keys exactly, but does not allow two that differ only in case",
            f"use --role '{near}', or choose another --project-name",
        )


def _check_application(application: Application, current: CurrentState) -> None:
    name, auth = application.name, current.options.auth
    if not application.is_api:
        raise _conflict(f"the application {name} exists and is not of type API", "choose another --app-name")
    if not application.active:
        raise _conflict(
            f"the application {name} is deactivated: ZITADEL refuses its credentials",
            "reactivate it in the Management Console, or choose another --app-name",
        )
    if auth and application.auth is not auth and not current.owns(application):
        raise _conflict(
            f"the application {name} uses {application.auth}, and setup did not create it",
            f"use --auth {application.auth}, or choose another --app-name",
        )


def _check_user(current_user: CurrentUser, current: CurrentState) -> None:
    user, option = current_user.user, current_user.fields.option
    if user is None:
        return
    if user.organization_id != current.admin.organization_id:
        raise _conflict(
            f"the username {user.username} is taken in another organization ({user.organization_id}); usernames are "
            "unique in the whole instance",
            f"choose another {option}",
        )
    if not user.machine:
        raise _conflict(f"the user {user.username} is a human, who cannot have a PAT", f"choose another {option}")
    if user.state != "ACTIVE":
        verb = "unlock" if user.state == "LOCKED" else "reactivate"
        raise _conflict(
            f"the service account {user.username} is {'locked' if user.state == 'LOCKED' else 'deactivated'}",
            f"{verb} it in the Management Console and run setup again, which creates a new PAT (the old ones stay "
            f"dead); or choose another {option}",
        )


def _check_assignments(current: CurrentState) -> None:
    """Refuse to change the assignment of a user whom setup did not create, in a project that it did not create."""
    if current.owns(current.project):
        return
    role, options = current.options.role, current.options
    for held_by, should_have in ((current.reader, True), (current.visitor, False)):
        assignment = held_by.assignment
        if assignment is None or current.owns(held_by.user):
            continue
        if should_have and not (assignment.active and role in assignment.role_keys):
            raise _conflict(
                f"{held_by.name} has a role assignment in {options.project_name} without an active {role}, and setup "
                "created neither the user nor the project",
                f"{pasteable('zdemo role grant', held_by.name, role)}, or choose another {held_by.fields.option}",
            )
        if not should_have and role in assignment.role_keys:
            raise _conflict(
                f"{held_by.name} has {role}, which the visitor must not have, and setup did not create this user",
                f"{pasteable('zdemo role revoke', held_by.name, role)}, or choose another {held_by.fields.option}",
            )
