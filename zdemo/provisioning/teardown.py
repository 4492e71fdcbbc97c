"""Remove what setup created, and nothing else.

What the state file records is looked at in ZITADEL. An object without proof that setup created it is never deleted,
and what others added to setup's objects is not deleted unasked: both end a teardown before its first deletion. All
that is left is looked at again right before each deletion, since somebody may add something in between.

Safe to be interrupted: what is gone already is not looked for, and the state goes last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from zdemo.errors import ManagementError, ZdemoError
from zdemo.management.client import ManagementClient
from zdemo.management.model import Administrator
from zdemo.management.own_user import administrator
from zdemo.provisioning.additions import Addition
from zdemo.provisioning.files import SetupFiles
from zdemo.provisioning.lookup import explained_membership, settle
from zdemo.provisioning.proof import PAT_IN_USE, USER_IN_USE
from zdemo.provisioning.removals import Inspector, Removal
from zdemo.provisioning.safety import check_same_zitadel
from zdemo.provisioning.state import EMPTY
from zdemo.provisioning.state_file import state_path
from zdemo.provisioning.step_context import Reporter

WITH_ADDITIONS = "--with-everything-in-it"
NOTHING_REMOVED = "nothing was removed"
AGAIN = "run zdemo setup --teardown again"


@dataclass(frozen=True, kw_only=True)
class Teardown:
    """What will be removed, in this order, and which settings are taken out of ``.env`` or restored after it."""

    removals: tuple[Removal, ...] = ()
    settings: tuple[str, ...] = ()
    restored: tuple[str, ...] = ()
    state_file: Path | None = None
    issuer: str = ""
    admin: Administrator | None = None

    @property
    def changes(self) -> bool:
        """Whether there is anything to do."""
        return self.admin is not None

    @property
    def doubtful(self) -> tuple[Removal, ...]:
        """What ZITADEL does not prove to be setup's: it is never removed."""
        return tuple(removal for removal in self.removals if removal.doubt)

    @property
    def additions(self) -> tuple[Addition, ...]:
        """What others added to setup's objects."""
        return tuple(dict.fromkeys(addition for removal in self.removals for addition in removal.additions))

    @property
    def unseen(self) -> tuple[str, ...]:
        """What the administrator may not see of setup's objects."""
        return tuple(dict.fromkeys(words for removal in self.removals for words in removal.unseen))

    def check(self, *, with_additions: bool) -> None:
        """Raise ZdemoError when this may not be removed. ``with_additions``: what others added may go as well."""
        if self.doubtful:
            doubts = "; ".join(f"{removal.what} {removal.name}: {removal.doubt}" for removal in self.doubtful)
            hint = (
                "delete in ZITADEL's console what is yours of it; if nothing of it is, set setup's records aside: "
                f"mv {self.state_file} {self.state_file}.old"
            )
            if all(removal.doubt in (USER_IN_USE, PAT_IN_USE) for removal in self.doubtful):
                hint = "set ZITADEL_ADMIN_PAT to a PAT of another administrator"
            raise ZdemoError(f"not proven to be setup's: {doubts}; {NOTHING_REMOVED}", hint=hint)
        if self.additions and not with_additions:
            names = "; ".join(f"{addition.what} {addition.name}" for addition in self.additions)
            raise ZdemoError(
                f"others added to what setup created: {names}; {NOTHING_REMOVED}",
                hint=f"remove it in ZITADEL's console if it is not needed, or add {WITH_ADDITIONS} to remove it too",
            )
        if self.unseen and not with_additions:
            raise ZdemoError(
                "others may have added to what setup created, and this administrator cannot see "
                f"{', '.join(self.unseen)}; {NOTHING_REMOVED}",
                hint=f"use the PAT of an ORG_OWNER or IAM_OWNER, or add {WITH_ADDITIONS} to remove it unseen",
            )


def plan_teardown(client: ManagementClient, files: SetupFiles) -> Teardown:
    """Look for what setup created. Raises ZdemoError when that was at another ZITADEL."""
    if files.state == EMPTY:
        return Teardown()
    settle(files.state)
    admin = administrator(client)
    with explained_membership(admin):
        removals = tuple(Inspector(client=client, files=files, admin=admin).removals())
    if not any(removal.remove and removal.what != "key file" for removal in removals):
        check_same_zitadel(files.state, files.path, client.issuer)
    own = files.own_settings
    return Teardown(
        removals=removals,
        settings=own,
        restored=files.restored_settings,
        state_file=state_path(files.path),
        issuer=client.issuer,
        admin=admin,
    )


def tear_down(files: SetupFiles, teardown: Teardown, report: Reporter, *, with_additions: bool = False) -> None:
    """Remove it, restore ``.env``, forget the state. Raises ZdemoError, and remembers, what could not be removed."""
    teardown.check(with_additions=with_additions)
    failed: list[tuple[Removal, ZdemoError]] = []
    left = list(teardown.removals)
    for removal in teardown.removals:
        if removal.remove is None:
            continue
        _check_unchanged(left, teardown)
        try:
            removal.remove()
        except ZdemoError as error:
            failed.append((removal, error))
            report.tell(f"NOT removed: {removal.what} {removal.name}: {error.message}")
        else:
            left.remove(removal)
            report.tell(f"{removal.what} {removal.name}: removed")
    if failed:
        raise _not_removed(failed)
    files.restore()
    report.tell(f"{files.path}: setup's settings removed")
    if teardown.restored:
        report.tell(f"{files.path}: {', '.join(teardown.restored)} restored")


def _check_unchanged(left: Sequence[Removal], teardown: Teardown) -> None:
    """Raise ZdemoError when somebody changed what is left, or added to it, since it was shown."""
    for shown in left:
        news = list(_news(shown, shown.now))
        if news:
            removed = ", ".join(f"{r.what} {r.name}" for r in teardown.removals if r.remove and r not in left)
            raise ZdemoError(
                f"{shown.what} {shown.name} has changed since it was shown: {'; '.join(news)}; "
                + (f"removed before that: {removed}" if removed else NOTHING_REMOVED),
                hint=AGAIN,
            )


def _news(shown: Removal, now: Removal | None) -> Iterator[str]:
    """Yield what keeps a thing from being removed now, and was not shown; one that is gone is as good as removed."""
    if now is None:
        return
    if now.doubt:
        yield now.doubt
    yield from (f"{a.what} {a.name} is new" for a in now.additions if a not in shown.additions)
    yield from (f"this administrator cannot see {words}" for words in now.unseen if words not in shown.unseen)


def _not_removed(failed: list[tuple[Removal, ZdemoError]]) -> ZdemoError:
    removal, error = failed[0]
    hint = f"{error.hint}; then {AGAIN}" if error.hint else AGAIN
    if removal.what == "application" and isinstance(error, ManagementError) and error.status == 403:
        hint = (
            "ORG_OWNER may not delete applications: set ZITADEL_ADMIN_PAT to an IAM_OWNER's PAT, or delete it in "
            f"ZITADEL's console; then {AGAIN}"
        )
    names = ", ".join(f"{removal.what} {removal.name}" for removal, _ in failed)
    return ZdemoError(f"not everything is removed: {names}", hint=hint)
