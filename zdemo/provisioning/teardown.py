"""Remove what setup recorded, and nothing else.

Whatever others added stops a teardown before its first removal. After it, nothing is read again, since reads trail
writes: the answer to each removal is the proof, also when it says that the object is gone. Safe to be interrupted: the
state goes last, and the next run removes everything once more.
"""

from dataclasses import dataclass

from zdemo.errors import ManagementError, ZdemoError
from zdemo.management.client import ManagementClient
from zdemo.management.model import Administrator
from zdemo.management.own_user import administrator
from zdemo.provisioning.files import SetupFiles
from zdemo.provisioning.lookup import explained_membership, settle
from zdemo.provisioning.recorded import Item, Recorded
from zdemo.provisioning.safety import check_same_zitadel
from zdemo.provisioning.state import EMPTY
from zdemo.provisioning.step_context import Reporter

AGAIN = "run zdemo setup --teardown again"


@dataclass(frozen=True, kw_only=True)
class Teardown:
    """What will be removed, in this order, and which settings are taken out of ``.env`` or restored after it."""

    items: tuple[Item, ...] = ()
    added_by_others: tuple[Item, ...] = ()
    settings: tuple[str, ...] = ()
    restored: tuple[str, ...] = ()
    issuer: str = ""
    admin: Administrator | None = None

    @property
    def changes(self) -> bool:
        """Whether there is anything to do."""
        return self.admin is not None

    @property
    def shown(self) -> tuple[Item, ...]:
        """What ZITADEL shows of it."""
        return tuple(item for item in self.items if item.found)

    def check(self) -> None:
        """Raise ZdemoError when others added something that would go too."""
        if self.added_by_others:
            names = "; ".join(f"{item.what} {item.name}" for item in self.added_by_others)
            raise ZdemoError(
                f"others added to what setup created: {names}; nothing was removed",
                hint=f"remove it in the Management Console, or delete the whole project or user there; then {AGAIN}",
            )


def plan_teardown(client: ManagementClient, files: SetupFiles) -> Teardown:
    """Look for what setup created. Raises ZdemoError when that was at another ZITADEL."""
    if files.state == EMPTY:
        return Teardown()
    settle(files.state)
    admin = administrator(client)
    with explained_membership(admin):
        recorded = Recorded(client, files)
        items, added_by_others = tuple(recorded.items()), tuple(recorded.added_by_others())
    if not any(item.found and item.remove and item.what != "key file" for item in items):
        check_same_zitadel(files.state, files.path, client.issuer)
    return Teardown(
        items=items,
        added_by_others=added_by_others,
        settings=files.own_settings,
        restored=files.restored_settings,
        issuer=client.issuer,
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
            if item.found:
                report.tell(f"{item.what} {item.name}: removed")
    if failed:
        raise _not_removed(failed)
    files.restore()
    report.tell(f"{files.path}: setup's settings removed")
    if teardown.restored:
        report.tell(f"{files.path}: {', '.join(teardown.restored)} restored")


def _not_removed(failed: list[tuple[Item, ZdemoError]]) -> ZdemoError:
    item, error = failed[0]
    hint = f"{error.hint}; then {AGAIN}" if error.hint else AGAIN
    if item.what == "application" and isinstance(error, ManagementError) and error.status == 403:
        hint = (
            "ORG_OWNER may not delete applications: set ZITADEL_ADMIN_PAT to an IAM_OWNER's PAT, or delete it in the "
            f"Management Console; then {AGAIN}"
        )
    names = ", ".join(f"{item.what} {item.name}" for item, _ in failed)
    return ZdemoError(f"not everything is removed: {names}", hint=hint)
