"""Whether what is there fits, and whether it is setup's to change: each misfit in its own words. Pure."""

from __future__ import annotations

from zdemo.errors import ZdemoError
from zdemo.management.resources import Application
from zdemo.provisioning.current import CurrentState
from zdemo.provisioning.names import APPLICATION_ID, PROJECT_ID
from zdemo.provisioning.options import SetupOptions
from zdemo.provisioning.people import Person

NOTHING_CHANGED = "nothing was changed"


def check_fit(situation: CurrentState, wishes: SetupOptions) -> None:
    """Raises ZdemoError for the first thing that is not as setup needs it, and that it may not make so."""
    _check_project(situation, wishes)
    _check_role(situation, wishes)
    if situation.application:
        _check_application(situation.application, wishes)
    for person in situation.persons:
        _check_user(person, situation)
    _check_assignments(situation, wishes)


def _misfit(message: str, hint: str) -> ZdemoError:
    return ZdemoError(message, hint=f"{hint}; {NOTHING_CHANGED}")


def _renamed(what: str, recorded: str, name: str, option: str, wanted: str, variable: str) -> ZdemoError:
    return _misfit(
        f"the {what} with the ID that setup chose ({recorded}) is named {name}, not {wanted}",
        f"go on with it by {option} '{name}', or remove {variable} from .env to make another one",
    )


def _check_project(situation: CurrentState, wishes: SetupOptions) -> None:
    project, home = situation.project, situation.admin.organization_id
    if project is None:
        return
    if project.organization_id != home:
        raise _misfit(
            f"the project with the ID that setup chose ({project.id}) belongs to another organization "
            f"({project.organization_id}) than the user of ZITADEL_ADMIN_PAT ({home})",
            f"use the PAT of an administrator of that organization, or remove {PROJECT_ID} from .env",
        )
    if project.name.casefold() != wishes.project_name.casefold():
        raise _renamed("project", project.id, project.name, "--project-name", wishes.project_name, PROJECT_ID)
    if not project.active:
        raise _misfit(
            f"the project {project.name} is deactivated: ZITADEL refuses the credentials of its applications",
            "activate it in ZITADEL's console, or choose another --project-name",
        )


def _check_role(situation: CurrentState, wishes: SetupOptions) -> None:
    near = next((key for key in situation.role_keys if key.casefold() == wishes.role.casefold()), wishes.role)
    if near != wishes.role:
        raise _misfit(
            f"the project {wishes.project_name} has the role {near}, and ZITADEL takes no second one that differs "
            f"in case alone; but it compares them exactly, so it is not {wishes.role}",
            f"use --role '{near}', or choose another --project-name",
        )


def _check_application(application: Application, wishes: SetupOptions) -> None:
    name = application.name
    if name.casefold() != wishes.app_name.casefold():
        raise _renamed("application", application.id, name, "--app-name", wishes.app_name, APPLICATION_ID)
    if not application.client_id:
        raise _misfit(f"the application {name} exists, and is not of type API", "choose another --app-name")
    if not application.active:
        raise _misfit(
            f"the application {name} is deactivated: ZITADEL refuses its credentials",
            "reactivate it in ZITADEL's console, or choose another --app-name",
        )
    if wishes.auth and application.auth is not wishes.auth and not application.ours:
        raise _misfit(
            f"the application {name} exists, was not made by setup, and uses {application.auth}",
            f"use --auth {application.auth}, or choose another --app-name",
        )


def _check_user(person: Person, situation: CurrentState) -> None:
    user, home = person.user, situation.admin.organization_id
    if user is None:
        return
    option = _option(person, situation)
    if user.username.casefold() != person.name.casefold():
        raise _renamed("user", user.id, user.username, option, person.name, person.variables.user_id)
    if user.organization_id != home:
        raise _misfit(
            f"the username {user.username} is taken in another organization ({user.organization_id}); usernames are "
            "unique in the whole instance",
            f"choose another {option}",
        )
    if not user.machine:
        raise _misfit(f"the user {user.username} is a human, who cannot have a PAT", f"choose another {option}")
    if user.state != "ACTIVE":
        raise _misfit(
            f"the service user {user.username} is {'locked' if user.state == 'LOCKED' else 'deactivated'}",
            f"switch it on in ZITADEL's console and run setup again, which makes a new PAT (the old ones are dead for "
            f"good); or choose another {option}",
        )


def _option(person: Person, situation: CurrentState) -> str:
    return "--reader-name" if person is situation.reader else "--visitor-name"


def _check_assignments(situation: CurrentState, wishes: SetupOptions) -> None:
    """An assignment of somebody else's user in somebody else's project is not setup's to change."""
    if situation.project is None or situation.project.ours:
        return
    reader, visitor = situation.persons
    held = reader.assignment and reader.assignment.active and wishes.role in reader.assignment.role_keys
    if reader.assignment and reader.user and not reader.user.ours and not held:
        state = "does not hold" if reader.assignment.active else "is deactivated; it would need"
        raise _misfit(
            f"{reader.name} and its role assignment in {wishes.project_name} were not made by setup, and the "
            f"assignment {state} {wishes.role}",
            f"zdemo role grant {reader.name} {wishes.role} changes it, or choose another --reader-name",
        )
    if visitor.assignment and visitor.user and not visitor.user.ours and wishes.role in visitor.assignment.role_keys:
        raise _misfit(
            f"{visitor.name} was not made by setup and holds {wishes.role}, which the visitor shall not have",
            f"zdemo role revoke {visitor.name} {wishes.role}, or choose another --visitor-name",
        )
