"""A ZITADEL for anybody's tests: the fixture ``zitadel_emulator``, which pytest finds where zdemo is installed.

Each test that asks for it gets an emulator of its own on a free port, with the known project, its role
``read:messages``, its API application and the users ``reader`` and ``visitor``; more users are a line each.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from zdemo.emulator import World
    from zdemo.emulator.entities import User


class ZitadelEmulator:
    """A running emulator. ``url`` is what an API knows as its ZITADEL (the issuer)."""

    def __init__(self, url: str, world: World) -> None:
        from zdemo.emulator.seed import ADMIN, CLIENT_ID, CLIENT_SECRET, ORGANIZATION_ID, PROJECT_ID

        self.url = url
        self.client_id, self.client_secret, self.project_id = CLIENT_ID, CLIENT_SECRET, PROJECT_ID
        self.admin_pat = ADMIN.pat
        self._world = world
        self._organization_id = ORGANIZATION_ID

    @property
    def env(self) -> dict[str, str]:
        """The settings of an API that asks this ZITADEL, by the variables that zdemo reads."""
        return {
            "ZITADEL_DOMAIN": self.url,
            "CLIENT_ID": self.client_id,
            "CLIENT_SECRET": self.client_secret,
            "ZITADEL_PROJECT_ID": self.project_id,
        }

    def user(self, username: str, *roles: str) -> str:
        """A new service user with these roles in the project; its personal access token, which never expires.

        Raises:
            ValueError: there is a user of this name.
        """
        from zdemo.emulator.world import NEVER

        with self._world.lock:
            if self._found(username):
                raise ValueError(f"there is a user {username} already")
            user = self._world.add_user(self._organization_id, username, username)
            pat = self._world.add_pat(user, NEVER)
        for role in roles:
            self.grant(username, role)
        return pat.token

    def grant(self, username: str, role: str) -> None:
        """Give a user a role in the project, which gets the role if it lacks it."""
        with self._world.lock:
            user, project = self._user(username), self._world.projects[self.project_id]
            if role not in project.roles:
                self._world.add_role(project, role, role)
            for assignment in self._world.authorizations.values():
                if (assignment.user_id, assignment.project_id) == (user.id, project.id):
                    assignment.role_keys = list(dict.fromkeys([*assignment.role_keys, role]))
                    return
            self._world.add_authorization(user.id, project.id, self._organization_id, [role])

    def revoke(self, username: str, role: str) -> None:
        """Take a role from a user; one that he has not is no error."""
        with self._world.lock:
            user = self._user(username)
            for assignment in list(self._world.authorizations.values()):
                if (assignment.user_id, assignment.project_id) != (user.id, self.project_id):
                    continue
                assignment.role_keys = [key for key in assignment.role_keys if key != role]
                if not assignment.role_keys:
                    self._world.remove_authorization(assignment)

    def remove(self, username: str) -> None:
        """Remove a user: his token is inactive from now on."""
        with self._world.lock:
            self._world.remove_user(self._user(username))

    def _user(self, username: str) -> User:
        user = self._found(username)
        if user is None:
            raise ValueError(f"there is no user {username}")
        return user

    def _found(self, username: str) -> User | None:
        wanted = username.lower()  # as ZITADEL compares them
        return next((user for user in self._world.users.values() if user.username.lower() == wanted), None)


@pytest.fixture
def zitadel_emulator() -> Iterator[ZitadelEmulator]:
    """A ZITADEL of this test's own, over HTTP on a free port of this machine."""
    from zdemo.emulator import emulate  # here, since pytest loads this module in every project that has zdemo

    with emulate() as running:
        yield ZitadelEmulator(running.url, running.world)
