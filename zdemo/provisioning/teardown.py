"""Remove what setup created, and nothing else: what the state file records.

Safe to be interrupted: what is gone already is not looked for, and the state goes last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from zdemo.errors import ManagementError, ZdemoError
from zdemo.management import resources
from zdemo.management.client import ManagementClient
from zdemo.management.model import Administrator, Credential
from zdemo.provisioning.current import READER, VISITOR
from zdemo.provisioning.files import SetupFiles
from zdemo.provisioning.lookup import expiries, explained_membership, settle
from zdemo.provisioning.safety import check_same_zitadel
from zdemo.provisioning.state import EMPTY, IssuedCredential, SetupState, lost_credentials
from zdemo.provisioning.steps import Reporter


@dataclass(frozen=True, kw_only=True)
class Removal:
    """One thing. ``remove`` is ``None`` when it goes with another, or stays; ``note`` says which."""

    what: str
    name: str
    remove: Callable[[], None] | None = field(default=None, repr=False)
    note: str = ""
    stays: bool = False


@dataclass(frozen=True, kw_only=True)
class Teardown:
    """What will be removed, in this order, and which settings are taken out of ``.env`` or restored after it."""

    removals: tuple[Removal, ...] = ()
    settings: tuple[str, ...] = ()
    restored: tuple[str, ...] = ()
    issuer: str = ""
    admin: Administrator | None = None

    @property
    def changes(self) -> bool:
        """Whether there is anything to do."""
        return self.admin is not None


def plan_teardown(client: ManagementClient, files: SetupFiles) -> Teardown:
    """Look for what setup created. Raises ZdemoError when that was at another ZITADEL."""
    if files.state == EMPTY:
        return Teardown()
    settle(files.state)
    admin = resources.administrator(client)
    with explained_membership(admin):
        removals = tuple(_in_zitadel(client, files.state))
    if not any(removal.remove for removal in removals):
        check_same_zitadel(files.state, files.path, client.issuer)
    removals += tuple(
        Removal(what="key file", name=str(file), remove=partial(Path.unlink, file, missing_ok=True))
        for file in files.key_files()
    )
    own = files.own_settings
    return Teardown(
        removals=removals,
        settings=own,
        restored=files.restored_settings,
        issuer=client.issuer,
        admin=admin,
    )


def tear_down(files: SetupFiles, teardown: Teardown, report: Reporter) -> None:
    """Remove it, restore ``.env``, forget the state. Raises ZdemoError, and remembers, what could not be removed."""
    failed: list[tuple[Removal, ZdemoError]] = []
    for removal in teardown.removals:
        if removal.remove is None:
            continue
        try:
            removal.remove()
        except ZdemoError as error:
            failed.append((removal, error))
            report.tell(f"NOT removed: {removal.what} {removal.name}: {error.message}")
        else:
            report.tell(f"{removal.what} {removal.name}: removed")
    if failed:
        raise _not_removed(failed)
    files.restore()
    report.tell(f"{files.path}: setup's settings removed")
    if teardown.restored:
        report.tell(f"{files.path}: {', '.join(teardown.restored)} restored")


def _not_removed(failed: list[tuple[Removal, ZdemoError]]) -> ZdemoError:
    removal, error = failed[0]
    hint = f"{error.hint}; then run zdemo setup --teardown again" if error.hint else "run zdemo setup --teardown again"
    if removal.what == "application" and isinstance(error, ManagementError) and error.status == 403:
        hint = (
            "ORG_OWNER may not delete applications: set ZITADEL_ADMIN_PAT to an IAM_OWNER's PAT, or delete it in "
            "ZITADEL's console; then run zdemo setup --teardown again"
        )
    names = ", ".join(f"{removal.what} {removal.name}" for removal, _ in failed)
    return ZdemoError(f"not everything is removed: {names}", hint=hint)


def _in_zitadel(client: ManagementClient, state: SetupState) -> Iterator[Removal]:
    for fields in (READER, VISITOR):
        yield from _of_user(client, fields.id_in(state), fields.issued(state))
    project = resources.get_project(client, state.project_id) if state.project_id else None
    application = resources.get_application(client, state.application_id) if state.application_id else None
    shared = state.shared_project_id
    if shared:
        yield from _in_shared_project(client, state)
    if application:
        yield Removal(
            what="application",
            name=f"{application.name} ({application.id})",
            note="" if shared else "with its project",
            remove=partial(resources.delete_application, client, shared, application.id) if shared else None,
        )
    if project:
        yield Removal(
            what="project",
            name=f"{project.name} ({project.id})",
            note="with its roles and applications",
            remove=partial(resources.delete_project, client, project.id),
        )


def _of_user(client: ManagementClient, user_id: str, issued: tuple[IssuedCredential, ...]) -> Iterator[Removal]:
    """Yield the user that setup created, and the PATs that it created for others."""
    user = resources.get_user(client, user_id) if user_id else None
    if user:
        yield Removal(
            what="service user",
            name=f"{user.username} ({user.id})",
            note="with its PATs and roles",
            remove=partial(resources.delete_user, client, user.id),
        )
    for owner_id, pat_id in _issued_to_others(issued, user_id, partial(resources.list_pats, client)):
        owner = resources.get_user(client, owner_id)
        yield Removal(
            what="PAT of",
            name=f"{owner.username if owner else owner_id} ({pat_id})",
            remove=partial(resources.remove_pat, client, owner_id, pat_id),
        )


def _issued_to_others(
    issued: tuple[IssuedCredential, ...], own_id: str, list_of: Callable[[str], Iterable[Credential]]
) -> Iterator[tuple[str, str]]:
    """Yield owner and ID of the credentials that setup created for objects of others, the lost ones included."""
    for owner_id in dict.fromkeys(credential.owner_id for credential in issued if credential.owner_id != own_id):
        listed = expiries(list_of(owner_id))
        recorded = {credential.id for credential in issued} | set(lost_credentials(issued, listed, ""))
        yield from ((owner_id, found) for found in listed if found in recorded)


def _in_shared_project(client: ManagementClient, state: SetupState) -> Iterator[Removal]:
    """Yield what setup created in a project that it found. A role that it added there stays: others may use it."""
    project_id = state.shared_project_id
    for assignment in resources.list_assignments(client, project_id=project_id):
        if assignment.id == state.assignment_id and not state.owns(assignment.user.id):
            yield Removal(
                what="role for",
                name=assignment.user.login_name,
                remove=partial(resources.delete_assignment, client, assignment.id),
            )
    keys_of = partial(resources.list_application_keys, client)
    for owner_id, key_id in _issued_to_others(state.keys, state.application_id, keys_of):
        yield Removal(
            what="key of",
            name=f"application {owner_id} ({key_id})",
            remove=partial(resources.delete_application_key, client, project_id, owner_id, key_id),
        )
    if state.added_role:
        yield Removal(
            what="role", name=state.added_role, stays=True, note="setup added it to a project that it did not create"
        )
