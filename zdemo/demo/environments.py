"""Where the demo runs: an API that asks an emulated ZITADEL, or a real one, in which the demo creates its objects."""

import secrets
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from zdemo.config.address import ZitadelAddress
from zdemo.config.settings import AdminSettings, Settings
from zdemo.demo.scenario import CACHE_SECONDS, Caller, DemoChange, DemoEnvironment, Interrupted, RecordingIntrospector
from zdemo.errors import ZdemoError
from zdemo.guard.build import build_introspector
from zdemo.guard.guard import DEFAULT_THREADS
from zdemo.http.example_api import ROLE
from zdemo.server import create_app
from zdemo.serving.embedded import LOOPBACK, serving
from zdemo.serving.signals import handled
from zdemo.setup.apply import Reporter, apply_plan, verify_tokens
from zdemo.setup.current import SetupOptions
from zdemo.setup.lookup import look
from zdemo.setup.plan import make_plan
from zdemo.setup.setup_files import SetupFiles
from zdemo.setup.teardown import plan_teardown, tear_down
from zdemo.zitadel.introspection_client import IntrospectionClient
from zdemo.zitadel.management import ManagementClient
from zdemo.zitadel.resources import remove_pat
from zdemo.zitadel.role_assignments import grant, revoke

TIMEOUT_SECONDS = 2.0  # for a request to the emulator
PREFIX = "zdemo-live-"


@contextmanager
def emulated_demo() -> Iterator[DemoEnvironment]:
    """Run an emulated ZITADEL with its known world, and an API that asks it, both on free ports."""
    from zdemo.emulator import ADMIN, CLIENT_ID, CLIENT_SECRET, PROJECT_ID, READER, VISITOR, emulate  # only here

    with ExitStack() as stack:
        emulator = stack.enter_context(emulate())
        address, seconds = ZitadelAddress(emulator.url), TIMEOUT_SECONDS
        client = stack.enter_context(closing(ManagementClient(address, ADMIN.pat, timeout_seconds=seconds)))
        environment = _environment(
            Settings(issuer=address.issuer, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, timeout_seconds=seconds),
            client,
            (PROJECT_ID, READER.id, READER.token_id),
            zitadel=f"(emulator) {address}",
            tokens={Caller.READER: READER.pat, Caller.VISITOR: VISITOR.pat},
            patience_seconds=8.0,  # the API's cache time, and some more
            reason=lambda: emulator.requests[-1].reason,
        )
        yield stack.enter_context(environment)


@contextmanager
def live_demo(admin: AdminSettings, report: Reporter) -> Iterator[DemoEnvironment]:
    """Create the demo's own objects in the configured ZITADEL, and run an API that asks it on a free port.

    Leaving the block removes the objects. Only the main thread may enter it, since it handles signals.

    Raises:
        ZdemoError: the objects cannot be created, do not show, or cannot all be removed.
        Interrupted: a signal asked the program to end; everything has been removed.
    """
    with ExitStack() as stack:
        management = ManagementClient(admin.zitadel, admin.admin_pat, timeout_seconds=admin.timeout_seconds)
        client = stack.enter_context(closing(management))
        files = SetupFiles(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=PREFIX))) / ".env")
        received: list[int] = []  # no signal interrupts a call to ZITADEL
        stack.enter_context(handled(("SIGINT", "SIGTERM", "SIGHUP"), lambda number, _: received.append(number)))

        def check() -> None:
            if received:
                raise Interrupted(received[0])

        # a person recognizes what a killed demo left by its name; its PATs expire
        name = f"{PREFIX}{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
        reader, visitor = f"{name}-reader", f"{name}-visitor"
        options = SetupOptions(project_name=name, app_name=name, reader_name=reader, visitor_name=visitor, pat_hours=1)
        try:
            plan = make_plan(look(client, files, options), files.values)
            apply_plan(client, files, plan, report, check=check)
            verify_tokens(client, files, options.role)
            state = files.state
            with _environment(
                files.settings(client),
                client,
                (state.project_id, state.reader_id, state.reader_pats[-1].id),
                zitadel=client.zitadel.issuer,
                tokens={Caller.READER: files.get("PAT"), Caller.VISITOR: files.get("ZDEMO_VISITOR_PAT")},
                patience_seconds=11.0,  # 10 s for ZITADEL, whose reads lag behind its writes, and the API's cache time
                check=check,
            ) as environment:
                yield environment
        finally:
            try:
                tear_down(files, plan_teardown(client, files), report)
            except ZdemoError as error:
                hint = f"remove what is left in the Management Console: its name begins with {PREFIX}"
                raise ZdemoError(error.message, hint=hint) from error
        check()


@contextmanager
def _environment(
    settings: Settings, client: ManagementClient, ids: tuple[str, str, str], **others: Any
) -> Iterator[DemoEnvironment]:
    """Run the API; ``ids`` are those of the project, the reader and the reader's PAT."""
    project_id, reader_id, pat_id = ids
    settings = replace(settings, cache_ttl_seconds=CACHE_SECONDS)
    with ExitStack() as stack:
        bound = stack.enter_context(socket.socket())  # so no program can listen there
        bound.bind((LOOPBACK, 0))
        closed = replace(settings, issuer=f"http://{LOOPBACK}:{bound.getsockname()[1]}", internal_url=None)
        zitadel, nowhere = (stack.enter_context(closing(IntrospectionClient(known))) for known in (settings, closed))
        introspector = RecordingIntrospector(zitadel)
        app = create_app(settings, build_introspector(settings, threads=DEFAULT_THREADS, client=introspector))
        yield DemoEnvironment(
            api_url=f"http://{LOOPBACK}:{stack.enter_context(serving(app))}",
            changes={
                DemoChange.REVOKE: lambda: revoke(client, project_id, reader_id, ROLE),
                DemoChange.GRANT: lambda: grant(client, project_id, reader_id, ROLE),
                DemoChange.DELETE: lambda: remove_pat(client, reader_id, pat_id),
                DemoChange.DISCONNECT: partial(setattr, introspector, "current", nowhere),
                DemoChange.RECONNECT: partial(setattr, introspector, "current", zitadel),
            },
            timeout_seconds=client.timeout_seconds * 2,
            introspector=introspector,
            **others,
        )
