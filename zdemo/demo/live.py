"""The tour at a real ZITADEL, with objects of its own that are gone when it is over, however it ends."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from zdemo.config.settings import AdminSettings, Settings
from zdemo.demo.belongings import Belonging, Belongings, leftovers, remove
from zdemo.demo.environment import CACHE_SECONDS, NOBODYS_TOKEN, ROLE, Stage
from zdemo.demo.interruption import Interruption
from zdemo.demo.scenario import LIVE_LEGS, Caller, First
from zdemo.errors import CredentialsRefused, ZdemoError
from zdemo.introspection.build import protected
from zdemo.introspection.client import IntrospectionClient
from zdemo.introspection.model import Introspection, Introspector
from zdemo.management.client import USER_SERVICE, ManagementClient
from zdemo.management.resources import administrator
from zdemo.management.role_assignments import wait_until
from zdemo.server import create_app
from zdemo.serving.embedded import LOOPBACK, THREADS, serving

PATIENCE_SECONDS = 11.0  # ten for ZITADEL, whose reads trail its writes, and the time of the API's cache
SHOWN_SECONDS = 60.0  # the longest after which ZITADEL's reads catch up by themselves


@dataclass(frozen=True, kw_only=True)
class Told:
    """Who is told what happens (``tell``), and which texts are secret (``hide``)."""

    tell: Callable[[str], None]
    hide: Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Access:
    """What ZITADEL has shown once."""

    client_id: str
    client_secret: str = field(repr=False)
    readers_pat_id: str
    readers_pat: str = field(repr=False)
    visitors_pat: str = field(repr=False)
    assignment_id: str


class Switched:
    """An introspector that asks ZITADEL, or where nobody answers."""

    def __init__(self, zitadel: Introspector, nowhere: Introspector) -> None:
        self._zitadel, self._nowhere = zitadel, nowhere
        self._current = zitadel

    def lose(self) -> None:
        """From now on nobody answers."""
        self._current = self._nowhere

    def regain(self) -> None:
        """From now on ZITADEL is asked."""
        self._current = self._zitadel

    def introspect(self, token: str) -> Introspection:
        """See ``Introspector``."""
        return self._current.introspect(token)


@contextmanager
def live_tour(settings: AdminSettings, told: Told, *, patience_seconds: float = PATIENCE_SECONDS) -> Iterator[Stage]:
    """The configured ZITADEL with objects of this tour's own, and the API in front of it on a free port.

    Leaving the block removes the objects. Only the main thread may enter it, since signals must not prevent that.

    Raises:
        ZdemoError: the objects cannot be made, do not show, or cannot all be removed.
        Interrupted: a signal asked us to end; everything has been removed.
    """
    now = datetime.now(UTC)
    with closing(
        ManagementClient(settings.issuer, settings.admin_pat, timeout_seconds=settings.timeout_seconds)
    ) as zitadel:
        organization_id = administrator(zitadel).organization_id
        _remove_leftovers(zitadel, organization_id, now, told)
        own = Belongings(zitadel, organization_id, now)
        with Interruption() as interruption:
            try:
                access = _make(own, interruption, told)
                with _stage(settings, zitadel, own, access, patience_seconds) as stage:
                    yield stage
            finally:
                try:
                    interruption.hold()
                finally:
                    left = _remove(own, told)
        if left:
            raise ZdemoError(
                f"not everything is removed: {', '.join(map(str, left))}",
                hint="remove it in the console, or run zdemo demo --live again in an hour: it removes what was left",
            )


def _remove_leftovers(zitadel: ManagementClient, organization_id: str, now: datetime, told: Told) -> None:
    found = list(leftovers(zitadel, organization_id, now))
    left = remove(zitadel, found)
    for thing in found:
        told.tell(f"left by an earlier tour, {_fate(thing, left)}")


def _remove(own: Belongings, told: Told) -> dict[Belonging, str]:
    left = own.remove()
    for thing in own.begun:
        told.tell(_fate(thing, left))
    return left


def _fate(thing: Belonging, left: dict[Belonging, str]) -> str:
    return f"NOT removed: {thing}: {left[thing]}" if thing in left else f"removed: {thing}"


def _make(own: Belongings, interruption: Interruption, told: Told) -> Access:
    """Make everything. No call is cut off: it would be open whether ZITADEL has carried it out."""
    with interruption.held():
        client_id, client_secret = own.make_project(ROLE)
        told.hide(client_secret)
    with interruption.held():
        readers_pat_id, readers_pat = own.make_user(own.reader)
        told.hide(readers_pat)
    with interruption.held():
        _, visitors_pat = own.make_user(own.visitor)
        told.hide(visitors_pat)
    with interruption.held():
        assignment_id = own.assign(ROLE)
    for thing in own.begun:
        told.tell(f"made for this tour: {thing}")
    return Access(
        client_id=client_id,
        client_secret=client_secret,
        readers_pat_id=readers_pat_id,
        readers_pat=readers_pat,
        visitors_pat=visitors_pat,
        assignment_id=assignment_id,
    )


@contextmanager
def _stage(
    admin: AdminSettings, zitadel: ManagementClient, own: Belongings, access: Access, patience_seconds: float
) -> Iterator[Stage]:
    settings = Settings(
        issuer=admin.issuer,
        client_id=access.client_id,
        client_secret=access.client_secret,
        project_id=own.project.id,
        timeout_seconds=admin.timeout_seconds,
        cache_ttl_seconds=CACHE_SECONDS,
    )
    with ExitStack() as stack:
        client = stack.enter_context(closing(IntrospectionClient(settings)))
        _wait_until_shown(client, own, access)
        closed = replace(settings, issuer=f"http://{LOOPBACK}:{stack.enter_context(_closed_port())}")
        nowhere = stack.enter_context(closing(IntrospectionClient(closed)))
        switched = Switched(client, nowhere)
        app = create_app(settings, protected(switched, settings, threads=THREADS), threads=THREADS)
        port = stack.enter_context(serving(app))
        yield Stage(
            zitadel=admin.issuer,
            api_url=f"http://{LOOPBACK}:{port}",
            legs=LIVE_LEGS,
            tokens={
                Caller.READER: access.readers_pat,
                Caller.VISITOR: access.visitors_pat,
                Caller.STRANGER: NOBODYS_TOKEN,
            },
            acts=_acts(zitadel, own, access, switched),
            timeout_seconds=admin.timeout_seconds * 2,
            patience_seconds=patience_seconds,
        )


def _acts(
    zitadel: ManagementClient, own: Belongings, access: Access, switched: Switched
) -> dict[First, Callable[[], object]]:
    readers_pat = {"userId": own.reader.id, "tokenId": access.readers_pat_id}
    return {
        First.REVOKE: lambda: zitadel.unassign(access.assignment_id),
        First.GRANT: lambda: own.assign(ROLE),
        First.DELETE: lambda: zitadel.call(USER_SERVICE, "RemovePersonalAccessToken", readers_pat),
        First.LOSE: switched.lose,
        First.REGAIN: switched.regain,
    }


@contextmanager
def _closed_port() -> Iterator[int]:
    """A port of this machine at which nobody listens, and nobody else can."""
    with socket.socket() as bound:
        bound.bind((LOOPBACK, 0))
        yield bound.getsockname()[1]


def _wait_until_shown(client: Introspector, own: Belongings, access: Access) -> None:
    """Until introspection takes the new secret and shows the role: its reads trail the writes (ZITADEL v4)."""

    def shown() -> bool:
        try:
            reader, visitor = (client.introspect(pat) for pat in (access.readers_pat, access.visitors_pat))
        except CredentialsRefused:
            return False
        return reader.has_role(ROLE, own.project.id) and visitor.active

    if wait_until(shown, give_up_seconds=SHOWN_SECONDS) is None:
        raise ZdemoError(
            f"everything is made, but introspection does not show it after {SHOWN_SECONDS:g} s",
            hint="look at ZITADEL's log: its projections do not keep up",
        )
