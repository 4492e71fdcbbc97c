"""Remove what setup recorded, and nothing else.

Whatever others added stops a teardown before its first removal. After it, nothing is read again, since reads trail
writes: the answer to each removal is the proof, also when it says that the object is gone. Safe to be interrupted: the
state goes last, and the next run removes everything once more.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from zdemo.config.address import ADMIN_PAT
from zdemo.errors import ManagementError, ZdemoError
from zdemo.errors.steps import Command
from zdemo.setup.apply import Reporter
from zdemo.setup.current import READER, VISITOR
from zdemo.setup.lookup import SETTLE_SECONDS, check_same_zitadel, expiries
from zdemo.setup.setup_files import SetupFiles
from zdemo.setup.state_file import EMPTY, IssuedCredential, lost_credentials
from zdemo.zitadel import resources
from zdemo.zitadel.management import ManagementClient
from zdemo.zitadel.records import Application, Credential, Project, User

RESTART = "or, if it is the emulator, which has no console: restart it, so that it forgets everything"
AGAIN = Command("setup --teardown", does="removes the rest then")


@dataclass(frozen=True, kw_only=True)
class Item:
    """A thing to remove. ``remove`` is ``None`` when it is removed with its parent, or stays; ``note`` says which.

    ``exists``: ZITADEL shows it. A thing that it does not show is removed too: its reads trail its writes.
    """

    what: str
    name: str
    note: str = ""
    stays: bool = False
    exists: bool = True
    remove: Callable[[], None] | None = field(default=None, repr=False, compare=False)


class Recorded:
    """What setup recorded of one ``.env``, with the names that ZITADEL has for it now."""

    def __init__(self, client: ManagementClient, files: SetupFiles) -> None:
        self._client, self._files, self._state = client, files, files.state
        self._own_users = {self._state.reader_id, self._state.visitor_id} - {""}
        self._users = {of: resources.get_user(client, getattr(self._state, of.user_id)) for of in (READER, VISITOR)}
        self._project = resources.get_project(client, self._state.project_id)
        self._application = resources.get_application(client, self._state.application_id)

    def items(self) -> Iterator[Item]:
        """Yield everything in the order in which it is removed."""
        state, client, shared = self._state, self._client, self._state.shared_project_id
        for fields, user in self._users.items():
            if user_id := getattr(state, fields.user_id):
                delete = partial(resources.delete_user, client, user_id)
                yield _object("service account", user, user_id, delete, "with its PATs and roles")
            list_of, remove = partial(resources.list_pats, client), partial(resources.remove_pat, client)
            yield from _issued_to_others("PAT of", fields.issued(state), user_id, list_of, remove)
        if shared:
            yield from self._in_shared_project(shared)
        for app_id in filter(None, (state.application_id, state.login_app_id)):
            app = self._application if app_id == state.application_id else resources.get_application(client, app_id)
            owner_id = (app.project_id if app else "") or shared or state.project_id
            goes = owner_id == state.project_id
            delete = partial(resources.delete_application, client, owner_id, app_id)
            yield _object("application", app, app_id, None if goes else delete, "with its project" if goes else "")
        if state.project_id:
            delete = partial(resources.delete_project, client, state.project_id)
            yield _object("project", self._project, state.project_id, delete, "with its roles and applications")
        for file in self._files.key_files():
            yield Item(what="key file", name=str(file), remove=partial(Path.unlink, file, missing_ok=True))

    def _in_shared_project(self, project_id: str) -> Iterator[Item]:
        """Yield what setup created in a project that it found; a role stays: others may use it."""
        state, client = self._state, self._client
        listed = resources.list_assignments(client, project_id=project_id)
        own = next((assignment for assignment in listed if assignment.id == state.assignment_id), None)
        if state.assignment_id and not (own and own.user_id in self._own_users):
            name = own.login_name if own else state.assignment_id
            delete = partial(resources.delete_assignment, client, state.assignment_id)
            yield Item(what="role for", name=name, exists=own is not None, remove=delete)
        list_of = partial(resources.list_application_keys, client)
        remove_key = partial(resources.delete_application_key, client, project_id)
        yield from _issued_to_others("key of", state.keys, state.application_id, list_of, remove_key)
        note = "setup added it to a project that it did not create"
        yield from (Item(what="role", name=role, stays=True, note=note) for role in state.added_roles)

    def added_by_others(self) -> Iterator[Item]:
        """Yield what would be removed with setup's objects although setup did not record it."""
        client, state = self._client, self._state
        users = {fields: user for fields, user in self._users.items() if user}
        for fields, user in users.items():
            yield from _unknown("PAT of", user.username, resources.list_pats(client, user.id), fields.issued(state))
            yield from _unknown("key of", user.username, resources.list_user_keys(client, user.id))
            if user.has_secret:
                yield Item(what="client secret", name=user.username)
        if application := self._application:
            keys = resources.list_application_keys(client, application.id)
            yield from _unknown("key of", application.name, keys, state.keys)
        if self._project:
            for other in resources.list_applications(client, project_id=state.project_id):
                if other.id not in (state.application_id, state.login_app_id):
                    yield Item(what="application", name=_named(other.name, other.id))
            for role in resources.list_roles(client, state.project_id):
                if role not in state.added_roles:
                    yield Item(what="role", name=role)
            for organization in resources.list_granted_organizations(client, state.project_id):
                yield Item(what="Project Grant", name=f"to {_named(organization.name, organization.id)}")
        # the role assignments that go, except those that setup or ``zdemo role`` can have made
        projects = {state.project_id, state.shared_project_id} - {""}
        listed = [a for project_id in projects for a in resources.list_assignments(client, project_id=project_id)]
        listed += [a for user in users.values() for a in resources.list_assignments(client, user_id=user.id)]
        for assignment in {assignment.id: assignment for assignment in listed}.values():
            own = assignment.user_id in self._own_users or assignment.id == state.assignment_id
            known = {*assignment.role_keys} <= {state.assignment_role, *state.added_roles}
            goes = own or assignment.project_id == state.project_id
            if goes and not (own and known and assignment.project_id in projects):
                roles = ", ".join(assignment.role_keys) or "no role"
                yield Item(what="role for", name=f"{assignment.login_name}: {roles} in {assignment.project_name}")


def _object(
    what: str, thing: Project | Application | User | None, object_id: str, remove: Callable[[], None] | None, note: str
) -> Item:
    """Return an object that setup created; ``thing`` is what ZITADEL shows of it."""
    name = thing.username if isinstance(thing, User) else thing.name if thing else ""
    return Item(what=what, name=_named(name, object_id), note=note, exists=thing is not None, remove=remove)


def _named(name: str, object_id: str) -> str:
    return f"{name} ({object_id})" if name else object_id


def _issued_to_others(
    what: str,
    issued: tuple[IssuedCredential, ...],
    own_id: str,
    list_of: Callable[[str], Iterable[Credential]],
    remove: Callable[[str, str], None],
) -> Iterator[Item]:
    """Yield what setup issued to objects of others, lost ones too."""
    for owner_id in dict.fromkeys(credential.owner_id for credential in issued if credential.owner_id != own_id):
        listed = expiries(list_of(owner_id))
        of_owner = [credential for credential in issued if credential.owner_id == owner_id]
        known = (credential.id for credential in of_owner if credential.id)
        for id in dict.fromkeys((*known, *lost_credentials(of_owner, listed, in_use=""))):
            yield Item(what=what, name=_named(owner_id, id), exists=id in listed, remove=partial(remove, owner_id, id))


def _unknown(
    what: str, owner: str, listed: Iterable[Credential], issued: tuple[IssuedCredential, ...] = ()
) -> Iterator[Item]:
    """Yield the credentials that setup did not issue; each of its own has a time of expiry that no other has."""
    known = {credential.expires for credential in issued}
    yield from (Item(what=what, name=_named(owner, other.id)) for other in listed if other.expires not in known)


@dataclass(frozen=True, kw_only=True)
class Teardown:
    """What will be removed, in this order, and which settings are taken out of ``.env`` or restored after it."""

    items: tuple[Item, ...] = ()
    added_by_others: tuple[Item, ...] = ()
    settings: tuple[str, ...] = ()
    restored: tuple[str, ...] = ()
    issuer: str = ""
    admin: User | None = None

    @property
    def changes(self) -> bool:
        """Whether there is anything to do."""
        return self.admin is not None

    @property
    def shown(self) -> tuple[Item, ...]:
        """What ZITADEL shows of it."""
        return tuple(item for item in self.items if item.exists)

    def check(self) -> None:
        """Raise ZdemoError when others added something that would be removed too."""
        if self.added_by_others:
            names = "; ".join(f"{item.what} {item.name}" for item in self.added_by_others)
            remove = "remove it in the Management Console, or delete the whole project or user there"
            what = f"others added to what setup created: {names}; nothing was removed"
            raise ZdemoError(what, hint=(remove, RESTART, AGAIN))


def plan_teardown(client: ManagementClient, files: SetupFiles) -> Teardown:
    """Look for what setup created. Raises ZdemoError when that was at another ZITADEL."""
    if files.state == EMPTY:
        return Teardown()
    if files.state.unfinished:
        time.sleep(SETTLE_SECONDS)
    admin = resources.administrator(client)
    recorded = Recorded(client, files)
    items, added_by_others = tuple(recorded.items()), tuple(recorded.added_by_others())
    if not any(item.exists and item.remove and item.what != "key file" for item in items):
        check_same_zitadel(files, client.zitadel.issuer)
    return Teardown(
        items=items,
        added_by_others=added_by_others,
        settings=files.own_settings,
        restored=files.restored_settings,
        issuer=client.zitadel.issuer,
        admin=admin,
    )


def tear_down(files: SetupFiles, teardown: Teardown, report: Reporter) -> None:
    """Remove it, restore ``.env``, forget the state. Raises ZdemoError, and remembers, what could not be removed."""
    failed: list[tuple[Item, ZdemoError]] = []
    for item in teardown.items:
        if item.remove is None:
            continue
        try:
            item.remove()
        except ZdemoError as error:
            failed.append((item, error))
            report.tell(f"NOT removed: {item.what} {item.name}: {error.message}")
        else:
            if item.exists:
                report.tell(f"{item.what} {item.name}: removed")
    if failed:
        item, why = failed[0]
        steps = why.steps
        if item.what == "application" and isinstance(why, ManagementError) and why.status == 403:
            other = f"set {ADMIN_PAT} to an IAM_OWNER's PAT, or delete it in the Management Console"
            steps = (f"ORG_OWNER may not delete applications: {other}",)
        names = ", ".join(f"{item.what} {item.name}" for item, _ in failed)
        raise ZdemoError(f"not everything is removed: {names}", hint=(*steps, AGAIN))
    files.restore()
    report.tell(f"{files.path}: setup's settings removed")
    if teardown.restored:
        report.tell(f"{files.path}: {', '.join(teardown.restored)} restored")
