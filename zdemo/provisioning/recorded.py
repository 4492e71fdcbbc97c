"""What the state records, as a tree whose parents take their children along, and what others put into it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from zdemo.management import resources
from zdemo.management.client import ManagementClient
from zdemo.management.model import Credential
from zdemo.provisioning.current import READER, VISITOR, UserFields
from zdemo.provisioning.files import SetupFiles
from zdemo.provisioning.lookup import expiries
from zdemo.provisioning.state import IssuedCredential, lost_credentials


@dataclass(frozen=True, kw_only=True)
class Item:
    """One thing. ``remove`` is ``None`` when it goes with its parent, or stays; ``note`` says which.

    ``found``: ZITADEL shows it. What it does not show is removed too: its reads trail its writes.
    """

    what: str
    name: str
    note: str = ""
    stays: bool = False
    found: bool = True
    remove: Callable[[], None] | None = field(default=None, repr=False, compare=False)


class Recorded:
    """What setup recorded of one ``.env``, with the names that ZITADEL has for it now."""

    def __init__(self, client: ManagementClient, files: SetupFiles) -> None:
        self._client, self._files, self._state = client, files, files.state
        self._project_id = self._state.own("project_id")
        self._application_id = self._state.own("application_id")
        self._user_ids = {fields: self._state.own(fields.user_id) for fields in (READER, VISITOR)}
        self._own_users = frozenset(self._user_ids.values()) - {""}
        self._project = resources.get_project(client, self._project_id) if self._project_id else None
        self._application = resources.get_application(client, self._application_id) if self._application_id else None
        users = {fields: resources.get_user(client, user_id) for fields, user_id in self._user_ids.items() if user_id}
        self._users = {fields: user for fields, user in users.items() if user}

    def items(self) -> Iterator[Item]:
        """Yield everything in the order in which it is removed."""
        client = self._client
        for fields, user_id in self._user_ids.items():
            if user_id:
                user = self._users.get(fields)
                yield Item(
                    what="service account",
                    name=_named(user.username if user else "", user_id),
                    note="with its PATs and roles",
                    found=user is not None,
                    remove=partial(resources.delete_user, client, user_id),
                )
            yield from self._pats_of_others(fields)
        if self._state.shared_project_id:
            yield from self._in_shared_project(self._state.shared_project_id)
        if self._application_id:
            yield self._application_item()
        if self._project_id:
            yield Item(
                what="project",
                name=_named(self._project.name if self._project else "", self._project_id),
                note="with its roles and applications",
                found=self._project is not None,
                remove=partial(resources.delete_project, client, self._project_id),
            )
        for file in self._files.key_files():
            yield Item(what="key file", name=str(file), remove=partial(Path.unlink, file, missing_ok=True))

    def _pats_of_others(self, fields: UserFields) -> Iterator[Item]:
        """Yield the PATs that setup created for users that it found."""
        issued, list_of = fields.issued(self._state), partial(resources.list_pats, self._client)
        for owner_id, pat_id, found in _issued_to_others(issued, self._user_ids[fields], list_of):
            owner = resources.get_user(self._client, owner_id)
            delete = partial(resources.remove_pat, self._client, owner_id, pat_id)
            name = _named(owner.username if owner else owner_id, pat_id)
            yield Item(what="PAT of", name=name, found=found, remove=delete)

    def _in_shared_project(self, project_id: str) -> Iterator[Item]:
        """Yield what setup created in a project that it found. A role that it added there stays: others may use it."""
        state, client = self._state, self._client
        listed = resources.list_assignments(client, project_id=project_id)
        made = next((assignment for assignment in listed if assignment.id == state.assignment_id), None)
        if state.assignment_id and not (made and made.user.id in self._own_users):
            yield Item(
                what="role for",
                name=made.user.login_name if made else state.assignment_id,
                found=made is not None,
                remove=partial(resources.delete_assignment, client, state.assignment_id),
            )
        list_of = partial(resources.list_application_keys, client)
        for owner_id, key_id, found in _issued_to_others(state.keys, self._application_id, list_of):
            delete = partial(resources.delete_application_key, client, project_id, owner_id, key_id)
            yield Item(what="key of", name=f"application {owner_id} ({key_id})", found=found, remove=delete)
        for role in state.added_roles:
            yield Item(what="role", name=role, stays=True, note="setup added it to a project that it did not create")

    def _application_item(self) -> Item:
        """Return the application, which goes with its project, unless that is somebody else's."""
        application, shared = self._application, self._state.shared_project_id
        project_id = (application.project_id if application else "") or shared or self._project_id
        goes = project_id == self._project_id
        delete = partial(resources.delete_application, self._client, project_id, self._application_id)
        return Item(
            what="application",
            name=_named(application.name if application else "", self._application_id),
            note="with its project" if goes else "",
            found=application is not None,
            remove=None if goes else delete,
        )

    def added_by_others(self) -> Iterator[Item]:
        """Yield what would go with setup's objects although setup did not record it."""
        client, state = self._client, self._state
        for fields, user in self._users.items():
            yield from _unknown("PAT of", user.username, resources.list_pats(client, user.id), fields.issued(state))
            yield from _unknown("key of", user.username, resources.list_user_keys(client, user.id), ())
            if user.has_secret:
                yield Item(what="client secret", name=user.username)
        if application := self._application:
            keys = resources.list_application_keys(client, application.id)
            yield from _unknown("key of", application.name, keys, state.keys)
        if self._project:
            yield from self._added_to_project(self._project.id)
        yield from self._assignments_of_others()

    def _added_to_project(self, project_id: str) -> Iterator[Item]:
        client, state = self._client, self._state
        for application in resources.list_applications(client, project_id=project_id):
            if application.id != self._application_id:
                yield Item(what="application", name=_named(application.name, application.id))
        for role in resources.list_roles(client, project_id):
            if role.key not in state.added_roles:
                yield Item(what="role", name=role.key)
        grants, _ = resources.list_project_grants(client, project_id)
        for grant in grants:
            name = _named(grant.organization_name or "the organization", grant.organization_id)
            yield Item(what="Project Grant", name=f"to {name}")

    def _assignments_of_others(self) -> Iterator[Item]:
        """Yield the role assignments that go, except those that setup or ``zdemo role`` can have made."""
        state, client = self._state, self._client
        projects, users = {self._project_id, state.shared_project_id} - {""}, {user.id for user in self._users.values()}
        listed = [a for project_id in projects for a in resources.list_assignments(client, project_id=project_id)]
        listed += [a for user_id in users for a in resources.list_assignments(client, user_id=user_id)]
        for assignment in {found.id: found for found in listed}.values():
            own = assignment.user.id in self._own_users or assignment.id == state.assignment_id
            known = {*assignment.role_keys} <= {state.assignment_role, *state.added_roles}
            goes = own or assignment.project_id == self._project_id
            if goes and not (own and known and assignment.project_id in projects):
                user, roles = assignment.user, ", ".join(assignment.role_keys) or "no role"
                yield Item(what="role for", name=f"{user.login_name or user.id}: {roles} in {assignment.project_name}")


def _named(name: str, object_id: str) -> str:
    return f"{name} ({object_id})" if name else object_id


def _issued_to_others(
    issued: tuple[IssuedCredential, ...], own_id: str, list_of: Callable[[str], Iterable[Credential]]
) -> Iterator[tuple[str, str, bool]]:
    """Yield owner and ID of what setup issued to objects of others, lost ones too, and whether it is listed."""
    for owner_id in dict.fromkeys(credential.owner_id for credential in issued if credential.owner_id != own_id):
        listed = expiries(list_of(owner_id))
        of_owner = [credential for credential in issued if credential.owner_id == owner_id]
        known = (credential.id for credential in of_owner if credential.id)
        for found_id in dict.fromkeys((*known, *lost_credentials(of_owner, listed, in_use=""))):
            yield owner_id, found_id, found_id in listed


def _unknown(
    what: str, owner: str, listed: Iterable[Credential], issued: tuple[IssuedCredential, ...]
) -> Iterator[Item]:
    """Yield the credentials that setup did not issue; each of its own has a time of expiry that no other has."""
    known = {credential.expires for credential in issued}
    for credential in listed:
        if credential.expires not in known:
            yield Item(what=what, name=_named(owner, credential.id))
