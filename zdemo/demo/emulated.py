"""The tour with nothing configured: an emulated ZITADEL with its known world, and the API in front of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from zdemo.config.settings import Settings
from zdemo.demo.environment import CACHE_SECONDS, NOBODYS_TOKEN, ROLE, Stage
from zdemo.demo.scenario import EMULATED_LEGS, Caller, First
from zdemo.emulator import ADMIN, CLIENT_ID, CLIENT_SECRET, PROJECT_ID, READER, VISITOR, World, emulate, known_world
from zdemo.management.client import USER_SERVICE, ManagementClient
from zdemo.management.role_assignments import grant, revoke
from zdemo.server import create_app
from zdemo.serving.embedded import serving

TIMEOUT_SECONDS = 2.0
PATIENCE_SECONDS = 8.0  # the time of the API's cache, and some more


@contextmanager
def emulated_tour() -> Iterator[Stage]:
    """Both on free ports while the block runs."""
    world = known_world()
    with ExitStack() as stack:
        emulator = stack.enter_context(ExitStack())
        running = emulator.enter_context(emulate(world))
        settings = Settings(
            issuer=running.url,
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            timeout_seconds=TIMEOUT_SECONDS,
            cache_ttl_seconds=CACHE_SECONDS,
        )
        port = stack.enter_context(serving(create_app(settings)))
        yield _stage(world, emulator, running.url, f"http://127.0.0.1:{port}")


def _stage(world: World, emulator: ExitStack, url: str, api_url: str) -> Stage:
    management = ManagementClient(url, ADMIN.pat, timeout_seconds=TIMEOUT_SECONDS)
    readers_pat = {"userId": READER.id, "tokenId": READER.token_id}
    port = int(url.rsplit(":", 1)[1])
    return Stage(
        zitadel=f"(emulated) {url}",
        api_url=api_url,
        legs=EMULATED_LEGS,
        tokens={Caller.READER: READER.pat, Caller.VISITOR: VISITOR.pat, Caller.STRANGER: NOBODYS_TOKEN},
        acts={
            First.REVOKE: lambda: revoke(management, PROJECT_ID, READER.username, ROLE),
            First.GRANT: lambda: grant(management, PROJECT_ID, READER.username, ROLE),
            First.DELETE: lambda: management.call(USER_SERVICE, "RemovePersonalAccessToken", readers_pat),
            First.LOSE: emulator.close,
            First.REGAIN: lambda: emulator.enter_context(emulate(world, port=port)),
        },
        timeout_seconds=TIMEOUT_SECONDS * 2,
        patience_seconds=PATIENCE_SECONDS,
    )
