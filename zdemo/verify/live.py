"""A real ZITADEL for a run: with objects of its own, which are removed at the end, or with the configured tokens."""

from __future__ import annotations

import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime

from zdemo.config.settings import AdminSettings, Settings
from zdemo.errors import ZdemoError
from zdemo.introspection.client import IntrospectionClient
from zdemo.introspection.model import Introspection
from zdemo.management import own_user, resources
from zdemo.management.client import ManagementClient
from zdemo.management.model import Auth
from zdemo.management.role_assignments import wait_until
from zdemo.provisioning.state import new_id
from zdemo.verify.case import Needs
from zdemo.verify.issuer import Person, session_token

PREFIX = "zdemo-verify-"
LIFE_SECONDS = 3600  # of the tokens, should the end of a run not come
SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class LiveIssuer:
    """Users and tokens in a project of this run's own. The IDs are chosen and noted before anything is created."""

    offers = frozenset(set(Needs) - {Needs.EMULATOR})
    short_life_seconds = 6.0

    def __init__(self, client: ManagementClient, admin: AdminSettings, name: str) -> None:
        self._client, self._admin, self._name, self._seed = client, admin, name, secrets.token_hex(8)
        self._organization_id = own_user.administrator(client).organization_id
        self._projects: list[str] = []
        self._users: list[str] = []
        self._roles: set[tuple[str, str]] = set()

    def create(self) -> None:
        """Create two projects, and an application in the first of them."""
        self.project_id = self._project(self._name)
        self._other_id = self._project(f"{self._name}-other")
        self.settings = self._application()
        self.introspector = IntrospectionClient(self.settings)

    def _new_id(self) -> str:
        return new_id(self._seed, str(len(self._projects) + len(self._users)), time.time)

    def _project(self, name: str) -> str:
        project_id = self._new_id()
        self._projects.append(project_id)
        resources.create_project(self._client, project_id=project_id, organization_id=self._organization_id, name=name)
        return project_id

    def _application(self) -> Settings:
        application_id = new_id(self._seed, "application", time.time)
        made = resources.create_application(
            self._client,
            project_id=self.project_id,
            application_id=application_id,
            name=self._name,
            auth=Auth.BASIC,
        )
        return Settings(
            issuer=self._admin.issuer,
            internal_url=self._admin.internal_url,
            client_id=made.client_id,
            client_secret=made.client_secret,
            project_id=self.project_id,
            timeout_seconds=self._admin.timeout_seconds,
        )

    def person(self, *roles: str, seconds: float | None = None) -> Person:
        """Return a user with these roles and a token, once ZITADEL shows both."""
        person = self._with_pat(self._user(self.project_id, roles), seconds)
        self._wait(person, lambda found: found.active and all(found.has_role(r, self.project_id) for r in roles))
        return person

    def expired(self, *roles: str) -> Person:
        """Return a user whose token has expired."""
        person = self.person(*roles, seconds=self.short_life_seconds)
        self._wait(person, lambda found: not found.active)
        return person

    def stranger(self, role: str) -> Person:
        """Return a user who has the role, but only in another project."""
        person = self._with_pat(self._user(self._other_id, (role,)), None)
        self._wait(person, lambda found: found.active)
        return person

    def session(self, role: str) -> str:
        """Return a token of the client credentials grant for this project, whose user has the role."""
        return self._session(self.project_id, role)

    def elsewhere(self, role: str) -> str:
        """Return a live token for another project, whose user has the role there."""
        return self._session(self._other_id, role)

    def change(self, what: str, person: Person) -> None:
        """Change a user, and wait until ZITADEL shows it."""
        if what == "delete":
            resources.remove_pat(self._client, person.user_id, person.token_id)
        elif what == "revoke":
            for one in resources.list_assignments(self._client, user_id=person.user_id):
                resources.delete_assignment(self._client, one.id)
            self._wait(person, lambda found: not found.roles(self.project_id))
            return
        else:
            {"deactivate": resources.deactivate_user, "lock": resources.lock_user}[what](self._client, person.user_id)
        self._wait(person, lambda found: not found.active)

    def remove_all(self) -> None:
        """Remove everything that was created, as far as ZITADEL lets it. Raises ZdemoError if something is left."""
        failures: list[ZdemoError] = []
        for remove, ids in ((resources.delete_user, self._users), (resources.delete_project, self._projects)):
            for one in ids:
                try:
                    remove(self._client, one)
                except ZdemoError as failure:
                    failures.append(failure)
        if failures:
            hint = f"remove what is left in the Management Console: its name begins with {self._name}"
            raise ZdemoError(failures[0].message, hint=hint) from failures[0]

    def _user(self, project_id: str, roles: tuple[str, ...]) -> str:
        user_id = self._new_id()
        self._users.append(user_id)
        resources.create_service_user(
            self._client,
            user_id=user_id,
            organization_id=self._organization_id,
            username=f"{self._name}-{len(self._users)}",
            description="made by zdemo verify, which removes it",
        )
        for role in roles:
            if (project_id, role) not in self._roles:
                resources.add_role(self._client, project_id, role)
                self._roles.add((project_id, role))
        if roles:
            resources.create_assignment(
                self._client,
                user_id=user_id,
                project_id=project_id,
                organization_id=self._organization_id,
                role_keys=roles,
            )
        return user_id

    def _with_pat(self, user_id: str, seconds: float | None) -> Person:
        expires = int((time.time() + (LIFE_SECONDS if seconds is None else seconds)) * 1000)
        made = resources.add_pat(self._client, user_id, expires=expires)
        return Person(user_id=user_id, token=made.secret, token_id=made.id)

    def _session(self, project_id: str, role: str) -> str:
        user_id = self._user(project_id, (role,))
        secret = resources.create_user_secret(self._client, user_id)
        name = f"{self._name}-{len(self._users)}"
        return session_token(self._admin.zitadel, name, secret, project_id)

    def _wait(self, person: Person, shows: Callable[[Introspection], bool]) -> None:
        if wait_until(lambda: shows(self.introspector.introspect(person.token))) is None:
            raise ZdemoError("ZITADEL does not show a change of this run", hint="try again later")


@contextmanager
def live_issuer(admin: AdminSettings) -> Iterator[LiveIssuer]:
    """Make a project, an application and users of this run's own, and remove them after the block.

    Signals that would end the process interrupt the block like Ctrl-C, and nothing interrupts the removal.
    """
    name = f"{PREFIX}{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    with ExitStack() as stack:
        client = stack.enter_context(
            closing(ManagementClient(admin.zitadel, admin.admin_pat, timeout_seconds=admin.timeout_seconds))
        )
        stack.enter_context(_signals_interrupt())
        issuer = LiveIssuer(client, admin, name)
        try:
            issuer.create()
            stack.enter_context(closing(issuer.introspector))
            yield issuer
        finally:
            with _uninterrupted():
                issuer.remove_all()


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Let signals that would end the process raise KeyboardInterrupt, so that the block cleans up."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    with _handling({number: interrupt for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN}):
        yield


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ignore the signals that would end the process."""
    with _handling(dict.fromkeys((*SIGNALS, signal.SIGINT), signal.SIG_IGN)):
        yield


@contextmanager
def _handling(handlers: dict[signal.Signals, Callable[[int, object], None] | signal.Handlers]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # only it may handle signals
        yield
        return
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
