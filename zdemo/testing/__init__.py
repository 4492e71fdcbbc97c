"""A ZITADEL for the tests of any project: ``ZitadelEmulator``, in pytest the fixture ``zitadel_emulator``.

It is a context manager, so it works with unittest and everything else, and needs nothing but zdemo.
"""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Never, NoReturn, Self

from zdemo.emulator import NEVER, Emulator, User, World, emulate, new_fault
from zdemo.emulator.entities import Authorization, Project, Resource
from zdemo.emulator.incoming.request_records import RequestRecord
from zdemo.emulator.oidc.issuing import known_scopes, login_token, new_token, token_answer
from zdemo.emulator.rights import ROLES, kind_of
from zdemo.emulator.seed import add_app, known_start
from zdemo.emulator.sessions import add_person, add_session, person_of
from zdemo.emulator.signing_keys import rotate
from zdemo.text.masking import without_tokens

EXPIRED_SECONDS = 60.0  # how long ago an expired token expired


class ZitadelEmulator:
    """An emulated ZITADEL on a free port during a ``with`` block.

    It has a project with the role ``read:messages``, an API application and one for people who log in, the service
    accounts ``reader`` and ``visitor``, and the person ``ada``. ``url`` is the issuer for the API under test.
    """

    url: str  # the issuer, for example http://localhost:43211
    name: str  # tells this emulator from others; every answer has it in X-Zdemo-Emulator
    client_id: str  # of the API application, as is the secret
    client_secret: str
    app_client_id: str  # of an OIDC application for people: PKCE, no secret, and any loopback port
    project_id: str  # of the project with the roles
    admin_pat: str  # the token of an administrator

    _emulator: Emulator
    _world: World

    def __enter__(self) -> Self:
        if vars(self):
            raise RuntimeError("the emulator is already running: use it without a with block")
        self._stack, start = ExitStack(), known_start()
        self._world, self.project_id, self.admin_pat = start.world, start.project_id, start.admin_pat
        self.client_id, self.client_secret = start.client_id, start.client_secret
        self.app_client_id, self._emulator = start.app_client_id, self._stack.enter_context(emulate(start.world))
        self.url, self.name = self._emulator.url, start.world.name
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        vars(self).clear()

    @cached_property
    def env(self) -> dict[str, str]:
        """The settings of an API that uses this ZITADEL, by the variables that zdemo reads. It sees changes at once."""
        return {
            "ZITADEL_DOMAIN": self.url,
            "CLIENT_ID": self.client_id,
            "CLIENT_SECRET": self.client_secret,
            "ZITADEL_PROJECT_ID": self.project_id,
            "ZDEMO_CACHE_TTL": "0",
        }

    # --- users, roles and tokens ---

    def user(self, username: str, *roles: str, organization: str = "", administrator: str = "") -> str:
        """Create a service account with these roles in the project; return a personal access token that never expires.

        ``organization`` is the ID of another one. ``administrator`` is a role such as ``ORG_OWNER`` in it, or
        ``PROJECT_OWNER`` of the project. Raises ValueError if the username is taken, and for what is unknown.
        """
        if administrator and not kind_of(administrator):
            raise ValueError(f"unknown role of an administrator: {administrator} (known: {', '.join(ROLES)})")
        user = self._new_user(username, roles, machine=True, organization_id=organization)
        with self._world.lock:
            if kind := kind_of(administrator):
                ids = {"organization": user.organization_id, "project": self.project_id}
                self._world.add_administrator(user.id, Resource(kind, ids.get(kind, "")), [administrator])
            return self._world.add_pat(user, NEVER).token

    def organization(self, name: str, *roles: str) -> str:
        """Create an organization, whose administrators can assign these roles of the project, and return its ID.

        Raises ValueError if the name is taken.
        """
        with self._world.lock:
            if name.lower() in (o.name.lower() for o in self._world.organizations.values()):
                raise ValueError(f"the name is taken: {name}")
            project, id = self._project(*roles), self._world.add_organization(name).id
            self._world.add_project_grant(project, id, list(roles))
            return id

    def person(self, username: str, *roles: str) -> str:
        """Create a human with these roles, who can log in; return the user's ID. Raises the same errors as ``user``."""
        return self._new_user(username, roles, machine=False).id

    def app(self, redirect_uri: str) -> str:
        """Create an OIDC application for people, without a secret, and return its client ID.

        Raises ValueError for an address without a host, unless its scheme is a native application's own (RFC 8252).
        """
        with self._world.lock:
            project, name = self._world.projects[self.project_id], f"app-{self._world.new_id()}"
            return add_app(self._world, project, name, [redirect_uri]).client_id

    def login(
        self, username: str, *, scopes: Iterable[str] = ("openid", "profile", "email"), client_id: str = ""
    ) -> dict[str, Any]:
        """Log a person in, and return what the token endpoint answers, such as ``access_token`` and ``id_token``.

        The application is that of ``app_client_id`` if there is no other ``client_id``. ``offline_access`` among the
        scopes gives a ``refresh_token``. Raises ValueError for an unknown or inactive person, or application.
        """
        world, scope = self._world, scopes if isinstance(scopes, str) else " ".join(scopes)
        with world.lock:
            person, application = person_of(world, username), world.application_of(client_id or self.app_client_id)
            if person is None:
                user = self._user(username)
                why = "a service account; use person() and login(), or user()" if user.machine else user.state
                raise ValueError(f"nobody can log in as {username}: it is {why}")
            if application is None or application.kind != "oidc":
                raise ValueError(f"unknown application for people: {without_tokens(client_id)}")
            token = login_token(world, application, add_session(world, person), known_scopes(scope))
            return token_answer(world, token, application, issuer=self.url)

    def expired_token(self, username: str) -> str:
        """Return a new personal access token of a user that expired a minute ago."""
        with self._world.lock:
            user, now = self._user(username), self._world.now()
            pat = self._world.add_pat(user, now - EXPIRED_SECONDS)
            pat.created = pat.changed = now - 2 * EXPIRED_SECONDS
        return pat.token

    def jwt(self, username: str) -> str:
        """Return a new access token of a user that is a JWT, for this project, and valid for 12 hours."""
        world, scopes = self._world, ["openid", "profile", f"urn:zitadel:iam:org:project:id:{self.project_id}:aud"]
        scopes.append("urn:zitadel:iam:org:projects:roles")
        with world.lock:
            user, login = self._user(username), {"amr": ["pwd"], "auth_time": world.now()}
            token = new_token(world, user, user.username, scopes, [self.project_id], **login)
            return str(token_answer(world, token, as_jwt=True, issuer=self.url)["access_token"])

    def grant(self, username: str, role: str) -> None:
        """Assign a role in the project to a user; a role that the project lacks is added to it."""
        with self._world.lock:
            project = self._project(role)
            if assignments := self._assignments(username):
                assignments[0].role_keys = list(dict.fromkeys([*assignments[0].role_keys, role]))
            else:
                self._world.assign(self._user(username), project, [role])

    def revoke(self, username: str, role: str) -> None:
        """Take a role from a user. Raises ValueError if the user does not have it."""
        with self._world.lock:
            assignments = self._assignments(username)
            if role not in (held := [key for assignment in assignments for key in assignment.role_keys]):
                raise ValueError(f"{username} does not have {without_tokens(role)}; has {', '.join(held) or 'no role'}")
            for assignment in assignments:
                assignment.role_keys = [key for key in assignment.role_keys if key != role]
                if not assignment.role_keys:
                    self._world.remove_authorization(assignment)

    def deactivate(self, username: str) -> None:
        """Deactivate a user; the user's tokens are inactive from now on, even after ``activate``."""
        with self._world.lock:
            self._world.set_user_state(self._user(username), "INACTIVE", "user.deactivated")

    def activate(self, username: str) -> None:
        """Activate a user again. The old tokens stay inactive."""
        with self._world.lock:
            self._world.set_user_state(self._user(username), "ACTIVE", "user.reactivated")

    def remove(self, username: str) -> None:
        """Remove a user. The user's tokens are inactive from now on."""
        with self._world.lock:
            self._world.remove_user(self._user(username))

    def rotate_keys(self, *, remove_old: bool = False) -> None:
        """Sign JWTs with a new key from now on; the old ones stay published, and their JWTs valid, or are removed."""
        rotate(self._world, remove_old=remove_old)

    # --- trouble, time, and what was asked ---

    def fault(self, kind: str, path: str = "", *, times: int | None = None, seconds: float | None = None) -> None:
        """Answer the next ``times`` requests, or all until ``clear``, with a fault such as ``hang``.

        ``path`` limits it, for example to ``introspection``. Raises ValueError for an unknown kind or path.
        """
        self._emulator.faults.add(new_fault(kind, times=times, path=path, seconds=seconds))

    def clear(self) -> None:
        """End all faults; requests that hang continue."""
        self._emulator.faults.clear()

    def advance(self, *unnamed: Never, **duration: float) -> None:
        """Let time pass, for example ``hours=13``: everything gets older, and tokens may expire.

        Takes the keywords of ``timedelta``. The clock stays, so new tokens are valid. Raises ValueError below zero.
        """
        if unnamed or not duration:
            raise TypeError("name the unit of the duration, such as advance(hours=13)")
        if (passed := timedelta(**duration)) < timedelta():
            raise ValueError(f"time cannot go back: {passed.total_seconds():g} s; for a fresh start, call reset()")
        self._emulator.advance(passed)

    def reset(self) -> None:
        """Put everything back as it was at the start."""
        self._emulator.reset()

    @property
    def requests(self) -> Sequence[RequestRecord]:
        """The latest requests, the oldest first, each with ``status`` and, if it was refused, with the ``reason``."""
        return list(self._emulator.requests)

    # --- inside ---

    if not TYPE_CHECKING:  # type checkers find these mistakes by themselves

        def __getattr__(self, name: str) -> NoReturn:
            if name in type(self).__annotations__:
                raise RuntimeError("the emulator is not running: use it in a with block")
            known = [known for known in vars(type(self)) | type(self).__annotations__ if known[0] != "_"]
            raise AttributeError(f"unknown attribute of the emulator: {name} (known: {', '.join(sorted(known))})")

    def _new_user(self, username: str, roles: Sequence[str], *, machine: bool, organization_id: str = "") -> User:
        with self._world.lock:
            if not username or self._world.user_named(username):
                raise ValueError(f"the username is {f'taken: {username}' if username else 'empty'}")
            owner = organization_id or self._project().organization_id
            if owner not in self._world.organizations:
                known = ", ".join(f"{o.name} is {o.id}" for o in self._world.organizations.values())
                raise ValueError(f"unknown organization: {without_tokens(owner)}; give an ID ({known})")
            self._project(*roles)
            world, named = self._world, (owner, username)
            user = world.add_user(*named, username) if machine else add_person(world, *named)
        for role in roles:
            self.grant(username, role)
        return user

    def _project(self, *roles: str) -> Project:
        """Add these roles to the project, and return it."""
        if wrong := [role for role in roles if not isinstance(role, str) or "," in role]:
            raise TypeError(f'each role is an argument, such as user("bob", "read:messages"), not {wrong[0]!r}')
        project = self._world.projects[self.project_id]
        for role in set(roles) - set(project.roles):
            if same := next((key for key in project.roles if key.lower() == role.lower()), None):
                raise ValueError(f"did you mean {same}? {role} differs only in case: ZITADEL refuses two such roles")
            self._world.add_role(project, role, role)
        return project

    def _assignments(self, username: str) -> list[Authorization]:
        place = self._user(username).id, self.project_id
        return [a for a in self._world.authorizations.values() if (a.user_id, a.project_id) == place]

    def _user(self, username: str) -> User:
        if user := self._world.user_named(str(username)):
            return user
        known = ", ".join(user.username for user in self._world.users.values())
        more = 'user("bob") adds a service account, person("bob") adds a user who can log in'
        raise ValueError(f"unknown user: {without_tokens(str(username))} (known: {known}; {more})")
