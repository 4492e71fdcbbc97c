"""The objects that the state records, as ZITADEL shows them now: whose they are, and what others put into them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from zdemo.management import resources
from zdemo.management.client import ManagementClient
from zdemo.management.model import Administrator, Credential, Project
from zdemo.provisioning.additions import (
    Addition,
    Contents,
    added_to_application,
    added_to_project,
    added_to_user,
    assignment_name,
)
from zdemo.provisioning.current import READER, VISITOR, UserFields
from zdemo.provisioning.files import SetupFiles
from zdemo.provisioning.proof import (
    PAT_IN_USE,
    doubt_about_application,
    doubt_about_assignment,
    doubt_about_project,
    doubt_about_user,
    was_issued,
)
from zdemo.provisioning.state import IssuedCredential, SetupState, digest


@dataclass(frozen=True, kw_only=True)
class Removal:
    """One thing. ``remove`` is ``None`` when it goes with another, or stays; ``note`` says which.

    ``doubt`` says why it is not deleted, ``additions`` and ``unseen`` what others may have put into it. ``look_again``
    returns how it is now, ``None`` when it is gone; without it, nothing about the thing can change.
    """

    what: str
    name: str
    note: str = ""
    stays: bool = False
    doubt: str = ""
    additions: tuple[Addition, ...] = ()
    unseen: tuple[str, ...] = ()
    remove: Callable[[], None] | None = field(default=None, repr=False, compare=False)
    look_again: Callable[[], Removal | None] | None = field(default=None, repr=False, compare=False)

    @property
    def now(self) -> Removal | None:
        """The thing as it is now."""
        return self.look_again() if self.look_again else self


@dataclass(frozen=True, kw_only=True)
class Inspector:
    """Looks at what the state of a setup records, with the rights of an administrator."""

    client: ManagementClient
    files: SetupFiles
    admin: Administrator

    @property
    def _state(self) -> SetupState:
        return self.files.state

    def removals(self) -> Iterator[Removal]:
        """Yield what there is, in the order in which it can be removed."""
        for fields in (READER, VISITOR):
            yield from filter(None, [self._user(fields)])
            yield from self._pats_of_others(fields)
        if self._state.shared_project_id:
            yield from self._in_shared_project()
        yield from filter(None, [self._application(), self._project()])
        yield from filter(None, map(self._key_file, self.files.key_files()))

    def _user(self, fields: UserFields) -> Removal | None:
        """Return the user that setup created."""
        user_id = fields.id_in(self._state)
        user = resources.get_user(self.client, user_id) if user_id else None
        if user is None:
            return None
        doubt = doubt_about_user(self._state, fields.user_id, user, self.admin.id)
        contents = Contents() if doubt else added_to_user(self.client, self._state, fields, user)
        return Removal(
            what="service user",
            name=f"{user.username} ({user.id})",
            note="with its PATs and roles",
            doubt=doubt,
            additions=contents.additions,
            unseen=contents.unseen,
            remove=partial(resources.delete_user, self.client, user.id),
            look_again=partial(self._user, fields),
        )

    def _pats_of_others(self, fields: UserFields) -> Iterator[Removal]:
        """Yield the PATs that setup created for the users of others."""
        issued, own = fields.issued(self._state), fields.id_in(self._state)
        for owner_id, pat_id in _issued_to_others(issued, own, partial(resources.list_pats, self.client)):
            owner = resources.get_user(self.client, owner_id)
            yield Removal(
                what="PAT of",
                name=f"{owner.username if owner else owner_id} ({pat_id})",
                doubt=self._doubt_about_pat(issued, pat_id),
                remove=partial(resources.remove_pat, self.client, owner_id, pat_id),
            )

    def _doubt_about_pat(self, issued: tuple[IssuedCredential, ...], pat_id: str) -> str:
        """Return that a PAT is the administrator's: without it, nothing else could be removed."""
        digests = {one.digest for one in issued if one.id == pat_id}
        in_use = self.client.has_token(lambda token: digest(token) in digests)
        return PAT_IN_USE if in_use else ""

    def _in_shared_project(self) -> Iterator[Removal]:
        """Yield what setup created in a project that it found. A role that it added there stays: others may use it."""
        state, client = self._state, self.client
        yield from filter(None, [self._assignment()])
        keys_of = partial(resources.list_application_keys, client)
        for owner_id, key_id in _issued_to_others(state.keys, state.application_id, keys_of):
            delete = partial(resources.delete_application_key, client, state.shared_project_id, owner_id, key_id)
            yield Removal(what="key of", name=f"application {owner_id} ({key_id})", remove=delete)
        for role in state.added_roles:
            note = "setup added it to a project that it did not create"
            yield Removal(what="role", name=role, stays=True, note=note)

    def _assignment(self) -> Removal | None:
        """Return the assignment that setup made for the user of somebody else."""
        state = self._state
        listed = resources.list_assignments(self.client, project_id=state.shared_project_id)
        found = (a for a in listed if a.id == state.assignment_id and not state.owns(a.user.id))
        assignment = next(found, None)
        if assignment is None:
            return None
        others = tuple(key for key in assignment.role_keys if key != state.assignment_role)
        added = Addition(what="role for", name=assignment_name(assignment, others))
        return Removal(
            what="role for",
            name=assignment.user.login_name,
            doubt=doubt_about_assignment(state, assignment),
            additions=(added,) if others else (),
            remove=partial(resources.delete_assignment, self.client, assignment.id),
            look_again=self._assignment,
        )

    def _application(self) -> Removal | None:
        """Return the application that setup created; it goes with its project, unless setup found that one."""
        state, client = self._state, self.client
        application = resources.get_application(client, state.application_id) if state.application_id else None
        if application is None:
            return None
        shared, project_id = state.shared_project_id, state.shared_project_id or state.project_id
        project = self._project_of(application.id, project_id) if project_id else None
        doubt = doubt_about_application(state, application, project)
        contents = Contents() if doubt else added_to_application(client, state, application)
        return Removal(
            what="application",
            name=f"{application.name} ({application.id})",
            note="" if shared else "with its project",
            doubt=doubt,
            additions=contents.additions,
            unseen=contents.unseen,
            remove=partial(resources.delete_application, client, shared, application.id) if shared else None,
            look_again=self._application,
        )

    def _project_of(self, application_id: str, project_id: str) -> Project | None:
        """Return the project, if the application is in it."""
        listed = resources.list_applications(self.client, project_id=project_id)
        return resources.get_project(self.client, project_id) if application_id in (a.id for a in listed) else None

    def _project(self) -> Removal | None:
        """Return the project that setup created."""
        state, client = self._state, self.client
        project = resources.get_project(client, state.project_id) if state.project_id else None
        if project is None:
            return None
        doubt = doubt_about_project(state, project)
        contents = Contents() if doubt else added_to_project(client, state, project, self.admin.id)
        return Removal(
            what="project",
            name=f"{project.name} ({project.id})",
            note="with its roles and applications",
            doubt=doubt,
            additions=contents.additions,
            unseen=contents.unseen,
            remove=partial(resources.delete_project, client, project.id),
            look_again=self._project,
        )

    def _key_file(self, file: Path) -> Removal | None:
        """Return a key file that setup wrote, as long as it is that."""
        if file not in self.files.key_files():
            return None
        remove = partial(Path.unlink, file, missing_ok=True)
        return Removal(what="key file", name=str(file), remove=remove, look_again=partial(self._key_file, file))


def _issued_to_others(
    issued: tuple[IssuedCredential, ...], own_id: str, list_of: Callable[[str], Iterable[Credential]]
) -> Iterator[tuple[str, str]]:
    """Yield owner and ID of the credentials that setup created for objects of others, the lost ones included."""
    for owner_id in dict.fromkeys(credential.owner_id for credential in issued if credential.owner_id != own_id):
        yield from ((owner_id, found.id) for found in list_of(owner_id) if was_issued(found, issued))
