"""What setup made, found by the IDs that it chose; what others own by now is said."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from zdemo.errors import ManagementError, ZdemoError
from zdemo.management import resources as calls
from zdemo.management.client import ManagementClient
from zdemo.management.refusals import NO_MEMBERSHIP
from zdemo.management.resources import Application, Project, ServiceUser
from zdemo.provisioning.names import APPLICATION_ID, PROJECT_ID


def project_by_id(client: ManagementClient, recorded: str) -> Project | None:
    """The project that setup chose the ID of, or ``None``. Raises ZdemoError when others own it."""
    with _foreign_told("project", recorded, PROJECT_ID):
        row = calls.found(client, "ProjectService/GetProject", "project", projectId=recorded)
    return calls.project_of(row, recorded) if row else None


def user_by_id(client: ManagementClient, recorded: str, variable: str) -> ServiceUser | None:
    """The user that setup chose the ID of, or ``None``. Raises ZdemoError when others own it."""
    with _foreign_told("user", recorded, variable):
        row = calls.found(client, "UserService/GetUserByID", "user", userId=recorded)
    return calls.user_of(row, recorded) if row else None


def application_by_id(client: ManagementClient, recorded: str) -> Application | None:
    """The application that setup chose the ID of, or ``None``. Raises ZdemoError when others own it."""
    with _foreign_told("application", recorded, APPLICATION_ID):
        row = calls.found(client, "ApplicationService/GetApplication", "application", applicationId=recorded)
    return calls.application_of(row, recorded) if row else None


@contextmanager
def _foreign_told(what: str, recorded: str, variable: str) -> Iterator[None]:
    try:
        yield
    except ManagementError as error:
        if error.error_id != NO_MEMBERSHIP:
            raise
        raise ZdemoError(
            f"the {what} with the ID in {variable} ({recorded}) belongs to an organization of which the user of "
            "ZITADEL_ADMIN_PAT is no administrator",
            hint=f"use the PAT of an administrator of that organization, or remove {variable} from .env to begin anew",
        ) from error
