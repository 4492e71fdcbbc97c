"""What the steps of a plan share: ZITADEL, the files, and what is recorded before and after each step."""

import time
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from zdemo.management.client import ManagementClient
from zdemo.provisioning.current import CurrentUser
from zdemo.provisioning.files import SetupFiles
from zdemo.provisioning.plan import Plan, PlanStep
from zdemo.provisioning.state import IssuedCredential, new_id

DESCRIPTION = "created by zdemo setup"  # of the users


class Reporter(Protocol):
    """Receives what happens, and the texts that are secret."""

    def tell(self, text: str) -> None:
        """Report a thing that was done."""

    def hide(self, *secrets: str) -> None:
        """Never show these texts."""


@dataclass(kw_only=True)
class Context:
    """What the steps share. ``client_id`` is empty until it is known, ``made`` names what was created so far."""

    client: ManagementClient
    files: SetupFiles
    plan: Plan
    report: Reporter
    client_id: str = ""
    made: list[str] = field(default_factory=list)

    @property
    def home(self) -> str:
        """The organization in which everything is created."""
        return self.plan.current.admin.organization_id

    @property
    def project_id(self) -> str:
        """The ID of the project that exists, or that will be created."""
        project = self.plan.current.project
        return project.id if project else self.files.state.project_id

    @property
    def application_ids(self) -> tuple[str, str]:
        """The IDs of project and application."""
        application = self.plan.current.application
        return self.project_id, application.id if application else self.files.state.application_id

    def user(self, step: PlanStep) -> CurrentUser:
        """Return the user that a step is about, by name."""
        return next(user for user in self.plan.current.users if user.name == step.name)

    def user_id(self, step: PlanStep) -> str:
        """Return the ID of the user that a step is about."""
        user = self.user(step)
        return user.user.id if user.user else user.fields.id_in(self.files.state)

    def issued(self, field: str) -> tuple[IssuedCredential, ...]:
        """Return the recorded credentials of a field of the state."""
        return tuple(getattr(self.files.state, field))

    def tell_created(self, what: str, object_id: str, more: str = "") -> None:
        """Report an object that was created."""
        self.made.append(f"{what} ({object_id})")
        self.report.tell(f"{what}: created ({object_id}){more}")

    def choose_id(self, field: str) -> str:
        """Choose the ID of an object that is created next, and record it.

        No ID is used twice. ZITADEL keeps what belonged to a deleted project taken: in a project that is created again
        with its old ID, it refuses the same role key, and an application with the same name or ID.
        """
        state = self.files.state
        last = getattr(state, field)
        chosen = new_id(state.seed, field, time.time, last=last if state.owns(last) else "")
        self.files.record(**{field: chosen})
        return chosen

    def record_new(self, field: str, *, owner_id: str, expires: int) -> None:
        """Record a credential before it is created."""
        new = IssuedCredential(owner_id=owner_id, expires=expires)
        self.files.record(**{field: (*self.issued(field), new)})

    def record_last(self, field: str, **changes: Any) -> None:
        """Change what is recorded of the latest credential."""
        *others, last = self.issued(field)
        self.files.record(**{field: (*others, replace(last, **changes))})
