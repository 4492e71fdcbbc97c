"""What the steps of a plan share while it is carried out: whom to ask, where to write, and the IDs so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from zdemo.errors import ManagementError, ZdemoError
from zdemo.management import resources as calls
from zdemo.management.client import ManagementClient
from zdemo.management.role_assignments import wait_until
from zdemo.provisioning.env_file import EnvFile
from zdemo.provisioning.names import APPLICATION_ID, PROJECT_ID
from zdemo.provisioning.options import new_id
from zdemo.provisioning.people import Person
from zdemo.provisioning.plan import Plan, Step

SHOWS_SECONDS = 2.0  # far beyond the 163 ms by which ZITADEL's reads were seen to trail


class Reporter(Protocol):
    """Who is told what happens, and which texts are secret."""

    def tell(self, text: str) -> None:
        """A thing that was done."""

    def hide(self, *secrets: str) -> None:
        """Never show these."""


@dataclass(kw_only=True)
class Bench:
    """``ids``: by variable, those that were found and those that are chosen. ``client_id`` is empty until known."""

    client: ManagementClient
    env: EnvFile
    plan: Plan
    story: Reporter
    ids: dict[str, str] = field(default_factory=dict)
    client_id: str = ""

    @property
    def home(self) -> str:
        """The organization in which everything is made."""
        return self.plan.situation.admin.organization_id

    @property
    def application(self) -> dict[str, str]:
        """How calls name the application."""
        return {"projectId": self.ids[PROJECT_ID], "applicationId": self.ids[APPLICATION_ID]}

    def user_id(self, step: Step) -> str:
        """Of the person that a step is about."""
        return self.ids[self.person(step).variables.user_id]

    def person(self, step: Step) -> Person:
        """Whom a step is about, by name."""
        return next(person for person in self.plan.situation.persons if person.name == step.name)

    def ask(self, what: str, **body: Any) -> dict[str, Any]:
        """Call ``Service/Method``."""
        return calls.ask(self.client, what, **body)

    def remove(self, what: str, **body: str) -> None:
        """Call a method that removes; what is gone already is as well."""
        remove(self.client, what, **body)

    def make(self, variable: str, what: str, shown: tuple[str, str, str], **body: Any) -> dict[str, Any]:
        """Create with the chosen ID; empty when an interrupted run did that already.

        ``shown``: the call that shows it, the field of its answer, the name of the ID. An ID that ZITADEL will not
        take though nothing has it (it remembers removed ones) is replaced by a new one.
        """
        for _ in range(2):
            try:
                return self.ask(what, **body, **{shown[2]: self.ids[variable]})
            except ManagementError as error:
                if not _id_taken(error):
                    raise
            if self._appears(shown, self.ids[variable]):
                return {}
            self.ids[variable] = new_id()
            self.env.write({variable: self.ids[variable]})
        raise ZdemoError(f"ZITADEL takes no ID for {what}", hint=f"remove {variable} from .env and run setup again")

    def _appears(self, shown: tuple[str, str, str], chosen: str) -> bool:
        def there() -> bool:
            return calls.found(self.client, shown[0], shown[1], **{shown[2]: chosen}) is not None

        return wait_until(there, give_up_seconds=SHOWS_SECONDS) is not None


def remove(client: ManagementClient, what: str, **body: str) -> None:
    """Call a method that removes; what is gone already is as well."""
    try:
        calls.ask(client, what, **body)
    except ManagementError as error:
        if error.status != 404:
            raise


def _id_taken(error: ManagementError) -> bool:
    """The ID, not the name (ZITADEL: its key says ``AlreadyExist``, and never the ID of a taken name)."""
    return error.error_id in calls.ID_TAKEN or (
        error.status in (400, 409) and error.error_id != calls.NAME_TAKEN and "AlreadyExist" in error.message
    )
