"""The demo at a real ZITADEL: setup, scenario, teardown, with names of its own and files in a temporary folder."""

import secrets
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from zdemo.config.settings import AdminSettings
from zdemo.demo.scenario import (
    CACHE_SECONDS,
    Caller,
    DemoChange,
    DemoEnvironment,
    Interrupted,
    RecordingIntrospector,
    changes_at_zitadel,
)
from zdemo.errors import ZdemoError
from zdemo.guard.build import Limits, protected
from zdemo.guard.guard import DEFAULT_THREADS
from zdemo.http.api_call import ROLE
from zdemo.server import create_app
from zdemo.serving.embedded import LOOPBACK, serving
from zdemo.setup.apply import Reporter, apply_plan, verify_tokens
from zdemo.setup.current import SetupOptions
from zdemo.setup.lookup import look
from zdemo.setup.plan import make_plan
from zdemo.setup.setup_files import SetupFiles
from zdemo.setup.teardown import plan_teardown, tear_down
from zdemo.zitadel.introspection_client import IntrospectionClient
from zdemo.zitadel.management import ManagementClient

PATIENCE_SECONDS = 11.0  # ten for ZITADEL, whose reads trail its writes, and the time of the API's cache
PREFIX = "zdemo-live-"
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


@contextmanager
def live_demo(admin: AdminSettings, report: Reporter) -> Iterator[DemoEnvironment]:
    """The configured ZITADEL with objects of this demo's own, and the API in front of it on a free port.

    Leaving the block removes the objects. Only the main thread may enter it, since it handles signals.

    Raises:
        ZdemoError: the objects cannot be created, do not show, or cannot all be removed.
        Interrupted: a signal asked the program to end; everything has been removed.
    """
    with ExitStack() as stack:
        management = ManagementClient(admin.zitadel, admin.admin_pat, timeout_seconds=admin.timeout_seconds)
        client = stack.enter_context(management)
        files = SetupFiles(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=PREFIX))) / ".env")
        check = stack.enter_context(_signals())
        # a person recognizes what a killed demo left by its name; its PATs expire
        name = f"{PREFIX}{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
        reader, visitor = f"{name}-reader", f"{name}-visitor"
        options = SetupOptions(
            project_name=name, app_name=name, reader_name=reader, visitor_name=visitor, role=ROLE, pat_hours=1
        )
        try:
            plan = make_plan(look(client, files, options), files.values)
            apply_plan(client, files, plan, report, check=check)
            verify_tokens(client, files, options.role)
            with _environment(client, files, check) as environment:
                yield environment
        finally:
            try:
                tear_down(files, plan_teardown(client, files), report)
            except ZdemoError as error:
                hint = f"remove what is left in the Management Console: its name begins with {PREFIX}"
                raise ZdemoError(error.message, hint=hint) from error
        check()


@contextmanager
def _signals() -> Iterator[Callable[[], None]]:
    """Keep signals from cutting off a call to ZITADEL; the function that is given raises for one that came."""
    received: list[int] = []
    before = {
        number: signal.signal(number, lambda signal_number, _frame: received.append(signal_number))
        for number in SIGNALS
        if signal.getsignal(number) is not signal.SIG_IGN  # as under nohup: then the program is meant to go on
    }

    def check() -> None:
        if received:
            raise Interrupted(received[0])

    try:
        yield check
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _environment(client: ManagementClient, files: SetupFiles, check: Callable[[], None]) -> Iterator[DemoEnvironment]:
    state, found = files.state, files.settings(client)
    if found is None:
        raise AssertionError("setup has verified these settings")
    settings = replace(found, cache_ttl_seconds=CACHE_SECONDS)
    with ExitStack() as stack:
        zitadel = stack.enter_context(closing(IntrospectionClient(settings)))
        bound = stack.enter_context(socket.socket())  # so no program can listen there
        bound.bind((LOOPBACK, 0))
        closed = replace(settings, issuer=f"http://{LOOPBACK}:{bound.getsockname()[1]}", internal_url=None)
        nowhere = stack.enter_context(closing(IntrospectionClient(closed)))
        switched = RecordingIntrospector(zitadel)
        app = create_app(settings, protected(switched, settings, Limits.of(DEFAULT_THREADS)))
        port = stack.enter_context(serving(app))
        yield DemoEnvironment(
            zitadel=client.issuer,
            api_url=f"http://{LOOPBACK}:{port}",
            tokens={Caller.READER: files.get("PAT"), Caller.VISITOR: files.get("ZDEMO_VISITOR_PAT")},
            changes={
                **changes_at_zitadel(
                    client, project_id=state.project_id, reader_id=state.reader_id, pat_id=state.reader_pats[-1].id
                ),
                DemoChange.DISCONNECT: partial(setattr, switched, "current", nowhere),
                DemoChange.RECONNECT: partial(setattr, switched, "current", zitadel),
            },
            timeout_seconds=client.timeout_seconds * 2,
            patience_seconds=PATIENCE_SECONDS,
            introspector=switched,
            check=check,
        )
