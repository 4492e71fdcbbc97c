"""The fixture ``zitadel_emulator`` for the tests of any project: pytest finds it where zdemo is installed.

Each test that requests it gets its own emulator on a free port, with the known project, its role ``read:messages``,
its API application and the users ``reader`` and ``visitor``; each further user takes one line.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from zdemo.emulator import User, World


class ZitadelEmulator:
    """A running emulator; ``url`` is the ZITADEL domain (the issuer) for the API under test."""

    def __init__(self, url: str, world: World) -> None:
        from zdemo.emulator import ADMIN, CLIENT_ID, CLIENT_SECRET, ORGANIZATION_ID, PROJECT_ID

        self.url = url
        self.client_id, self.client_secret, self.project_id = CLIENT_ID, CLIENT_SECRET, PROJECT_ID
        self.admin_pat = ADMIN.pat
        self._world = world
        self._organization_id = ORGANIZATION_ID

    @property
    def env(self) -> dict[str, str]:
        """The settings of an API that uses this ZITADEL, by the variables that zdemo reads."""
        return {
            "ZITADEL_DOMAIN": self.url,
            "CLIENT_ID": self.client_id,
            "CLIENT_SECRET": self.client_secret,
            "ZITADEL_PROJECT_ID": self.project_id,
        }

    def user(self, username: str, *roles: str) -> str:
        """Create a service user with these roles in the project; return a personal access token that never expires.

        Raises ValueError if the username is taken.
        """
        from zdemo.emulator import NEVER

        with self._world.lock:
            if self._find(username):
                raise ValueError(f"the username is taken: {username}")
            user = self._world.add_user(self._organization_id, username, username)
            pat = self._world.add_pat(user, NEVER)
        for role in roles:
            self.grant(username, role)
        return pat.token

    def grant(self, username: str, role: str) -> None:
        """Assign a role in the project to a user; a role that the project lacks is added to it."""
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
        """Take a role from a user; a role that the user does not have is not an error."""
        with self._world.lock:
            user = self._user(username)
            for assignment in list(self._world.authorizations.values()):
                if (assignment.user_id, assignment.project_id) != (user.id, self.project_id):
                    continue
                assignment.role_keys = [key for key in assignment.role_keys if key != role]
                if not assignment.role_keys:
                    self._world.remove_authorization(assignment)

    def remove(self, username: str) -> None:
        """Remove a user, whose token is inactive from now on."""
        with self._world.lock:
            self._world.remove_user(self._user(username))

    def _user(self, username: str) -> User:
        user = self._find(username)
        if user is None:
            raise ValueError(f"unknown user: {username}")
        return user

    def _find(self, username: str) -> User | None:
        lowered = username.lower()  # ZITADEL ignores the case too
        return next((user for user in self._world.users.values() if user.username.lower() == lowered), None)


@pytest.fixture
def zitadel_emulator() -> Iterator[ZitadelEmulator]:
    """An emulated ZITADEL for this test alone, over HTTP on a free port of this machine."""
    from zdemo.emulator import emulate  # here, since pytest loads this module in every project that has zdemo

    with emulate() as running:
        yield ZitadelEmulator(running.url, running.world)
