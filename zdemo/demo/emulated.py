"""The demo with nothing configured: an emulated ZITADEL with its known world, and the API in front of it."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from zdemo.config.address import ZitadelAddress
from zdemo.config.settings import Settings
from zdemo.demo.scenario import (
    CACHE_SECONDS,
    Caller,
    DemoChange,
    DemoEnvironment,
    RecordingIntrospector,
    changes_at_zitadel,
)
from zdemo.emulator import ADMIN, CLIENT_ID, CLIENT_SECRET, PROJECT_ID, READER, VISITOR, emulate, known_world
from zdemo.guard.build import Limits, protected
from zdemo.guard.guard import DEFAULT_THREADS
from zdemo.server import create_app
from zdemo.serving.embedded import LOOPBACK, serving
from zdemo.zitadel.introspection_client import IntrospectionClient
from zdemo.zitadel.management import ManagementClient

TIMEOUT_SECONDS = 2.0
PATIENCE_SECONDS = 8.0  # the time of the API's cache, and some more


@contextmanager
def emulated_demo() -> Iterator[DemoEnvironment]:
    """Run both on free ports while the block runs."""
    world = known_world()
    with ExitStack() as stack:
        emulator = stack.enter_context(ExitStack())
        running = emulator.enter_context(emulate(world))
        url, records = running.url, running.requests
        client = stack.enter_context(ManagementClient(ZitadelAddress(url), ADMIN.pat, timeout_seconds=TIMEOUT_SECONDS))
        settings = Settings(
            issuer=url,
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            timeout_seconds=TIMEOUT_SECONDS,
            cache_ttl_seconds=CACHE_SECONDS,
        )
        zitadel = stack.enter_context(closing(IntrospectionClient(settings)))
        introspector = RecordingIntrospector(zitadel)
        app = create_app(settings, protected(introspector, settings, Limits.of(DEFAULT_THREADS)))
        api_port = stack.enter_context(serving(app))
        port = int(url.rsplit(":", 1)[1])
        yield DemoEnvironment(
            zitadel=f"(emulator) {url}",
            api_url=f"http://{LOOPBACK}:{api_port}",
            tokens={Caller.READER: READER.pat, Caller.VISITOR: VISITOR.pat},
            changes={
                **changes_at_zitadel(client, project_id=PROJECT_ID, reader_id=READER.id, pat_id=READER.token_id),
                DemoChange.DISCONNECT: emulator.close,
                DemoChange.RECONNECT: lambda: emulator.enter_context(emulate(world, port=port, requests=records)),
            },
            timeout_seconds=TIMEOUT_SECONDS * 2,
            patience_seconds=PATIENCE_SECONDS,
            introspector=introspector,
            reason=lambda: records[-1].reason,
        )
