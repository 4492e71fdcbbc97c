"""The objects that a live tour makes for itself, and how they are removed, in the same run or in a later one.

Names hold the time, and IDs are chosen here before anything is made: so what a killed run leaves is recognised, and
clean-up can name everything, even what ZITADEL made without our hearing of it. Project and users take all else along.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from zdemo.errors import ManagementError, ZdemoError
from zdemo.management import resources as calls
from zdemo.management.client import ManagementClient
from zdemo.management.refusals import NO_MEMBERSHIP
from zdemo.provisioning.options import new_id

PREFIX = "zdemo-live-"
TIME = "%Y%m%dT%H%M%SZ"
NAME = re.compile(re.escape(PREFIX) + r"(\d{8}T\d{6}Z)-[0-9a-f]{6}(-reader|-visitor)?")
LEFT_AFTER = timedelta(hours=1)  # no tour takes nearly as long
TOKEN_LIFE = timedelta(hours=1)  # so that a token that is left behind dies by itself
MOST_LISTED = 100


class Kind(StrEnum):
    """What is removed by itself."""

    PROJECT = "project"
    USER = "service user"


REMOVALS = {
    Kind.PROJECT: ("ProjectService/DeleteProject", "projectId"),
    Kind.USER: ("UserService/DeleteUser", "userId"),
}


@dataclass(frozen=True, kw_only=True)
class Belonging:
    """An object at ZITADEL that is a tour's."""

    kind: Kind
    name: str
    id: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name} ({self.id})"


def names(now: datetime) -> tuple[Belonging, Belonging, Belonging]:
    """The project, the reader and the visitor of a new tour, none of which is there yet."""
    name = f"{PREFIX}{now:{TIME}}-{secrets.token_hex(3)}"
    return (
        Belonging(kind=Kind.PROJECT, name=name, id=new_id()),
        Belonging(kind=Kind.USER, name=f"{name}-reader", id=new_id()),
        Belonging(kind=Kind.USER, name=f"{name}-visitor", id=new_id()),
    )


def is_leftover(name: str, now: datetime) -> bool:
    """Whether a name is that of a tour which must be long over."""
    found = NAME.fullmatch(name)
    if not found:
        return False
    try:
        then = datetime.strptime(found[1], TIME).replace(tzinfo=UTC)
    except ValueError:  # digits that are no time
        return False
    return now - then > LEFT_AFTER


def leftovers(client: ManagementClient, organization_id: str, now: datetime) -> Iterator[Belonging]:
    """What earlier tours have left in an organization; at most a hundred of each kind."""
    ours = {"projectName": PREFIX, "method": "TEXT_FILTER_METHOD_STARTS_WITH"}
    filters = [{"projectNameFilter": ours}, {"organizationIdFilter": {"organizationId": organization_id}}]
    page = {"limit": MOST_LISTED, "asc": True}
    projects = calls.ask(client, "ProjectService/ListProjects", filters=filters, pagination=page)
    query = {"userName": PREFIX, "method": "TEXT_QUERY_METHOD_STARTS_WITH"}
    queries = [{"userNameQuery": query}, {"organizationIdQuery": {"organizationId": organization_id}}]
    users = calls.ask(client, "UserService/ListUsers", queries=queries, query=page)
    for kind, rows, id_name, name in (
        (Kind.PROJECT, projects.get("projects"), "projectId", "name"),
        (Kind.USER, users.get("result"), "userId", "username"),
    ):
        for row in rows or []:
            if is_leftover(str(row.get(name, "")), now):
                yield Belonging(kind=kind, name=str(row[name]), id=str(row.get(id_name, "")))


def remove(client: ManagementClient, things: Iterable[Belonging]) -> dict[Belonging, str]:
    """Remove them all; those that are still there, with the reason. What is gone already is as well."""
    left: dict[Belonging, str] = {}
    for thing in things:
        method, id_name = REMOVALS[thing.kind]
        try:
            calls.ask(client, method, **{id_name: thing.id})
        except ManagementError as error:
            if error.status != 404 or error.error_id == NO_MEMBERSHIP:
                left[thing] = error.message
        except ZdemoError as error:
            left[thing] = error.message
    return left


class Belongings:
    """What one tour makes at ZITADEL. ``begun`` is what may be there: it was asked for, and not refused."""

    def __init__(self, client: ManagementClient, organization_id: str, now: datetime) -> None:
        self._client = client
        self._organization_id = organization_id
        self._expires = (now + TOKEN_LIFE).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.project, self.reader, self.visitor = names(now)
        self.begun: list[Belonging] = []

    def make_project(self, role: str) -> tuple[str, str]:
        """Project, role, and an API application; its client ID and secret."""
        project = {"projectId": self.project.id}
        self._begin(self.project, "ProjectService/CreateProject", name=self.project.name, **project)
        calls.ask(self._client, "ProjectService/AddProjectRole", **project, roleKey=role, displayName=role)
        made = calls.ask(
            self._client,
            "ApplicationService/CreateApplication",
            **project,
            applicationId=new_id(),
            name=self.project.name,
            apiConfiguration={},
        )
        configuration: Mapping[str, Any] = made.get("apiConfiguration") or {}
        return calls.shown(configuration, "clientId"), calls.shown(configuration, "clientSecret")

    def make_user(self, user: Belonging) -> tuple[str, str]:
        """A service user with a PAT; the ID of the token and its text."""
        machine = {"name": user.name, "description": "made by zdemo demo --live, which removes it"}
        self._begin(user, "UserService/CreateUser", username=user.name, userId=user.id, machine=machine)
        made = calls.ask(
            self._client, "UserService/AddPersonalAccessToken", userId=user.id, expirationDate=self._expires
        )
        return calls.shown(made, "tokenId"), calls.shown(made, "token")

    def assign(self, role: str) -> str:
        """Give the reader the role; the ID of the assignment."""
        made = calls.ask(
            self._client,
            "AuthorizationService/CreateAuthorization",
            userId=self.reader.id,
            projectId=self.project.id,
            organizationId=self._organization_id,
            roleKeys=[role],
        )
        return calls.shown(made, "id")

    def _begin(self, thing: Belonging, what: str, **body: Any) -> None:
        self.begun.append(thing)
        try:
            calls.ask(self._client, what, organizationId=self._organization_id, **body)
        except ManagementError:  # refused: whatever has that ID or name is not ours
            self.begun.remove(thing)
            raise

    def remove(self) -> dict[Belonging, str]:
        """Remove all that was begun; what is still there, with the reason."""
        return remove(self._client, self.begun)
