"""APIs that run inside the test's process, with the ZITADEL behind them chosen by the test."""

import importlib.util
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.support.processes import ROOT
from tests.support.wire import Reply, bearer, exchange, request
from zdemo.config.settings import Settings
from zdemo.emulator import CLIENT_ID, CLIENT_SECRET, PROJECT_ID, READER
from zdemo.guard.authorization import Policy
from zdemo.guard.build import build_introspector
from zdemo.guard.flask_guard import EXTENSION
from zdemo.server import create_app
from zdemo.serving.embedded import serving
from zdemo.zitadel.introspection_answer import Introspector
from zdemo.zitadel.introspection_client import IntrospectionClient

EXAMPLE = ROOT / "docs" / "examples" / "one_file_guard.py"
THREADS = 32
PUBLIC, PRIVATE, SCOPED = "/api/public", "/api/private", "/api/private-scoped"
ROUTES = (PUBLIC, PRIVATE, SCOPED)
MESSAGES = {
    PUBLIC: "Public route - You don't need to be authenticated to see this.",
    PRIVATE: "Private route - You need to be authenticated to see this.",
    SCOPED: "Private, scoped route - You need to be authenticated and have the role read:messages to see this.",
}


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    port: int

    def get(self, target: str = PRIVATE, token: str | None = READER.pat) -> Reply:
        return self.send(request(target, *([bearer(token)] if token else [])))

    def send(self, data: bytes) -> Reply:
        return exchange(self.port, data)


@dataclass(frozen=True, kw_only=True)
class Api(Endpoint):
    app: Flask

    def use(self, settings: Settings, introspector: Introspector, now: Callable[[], float] = time.time) -> None:
        """Ask another ZITADEL from now on, which saves a test the start of another server."""
        self.app.extensions[EXTENSION] = replace(
            self.app.extensions[EXTENSION], introspector=introspector, policy=Policy.from_settings(settings), now=now
        )


@dataclass
class Time:
    """Both clocks of an API; they run, and a test can move them ahead."""

    ahead_seconds: float = field(default=0.0)

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead_seconds

    def wall(self) -> float:
        return time.time() + self.ahead_seconds


def settings_for(issuer: str, *, project_id: str | None = PROJECT_ID, timeout_seconds: float = 5.0) -> Settings:
    return Settings(
        issuer=issuer,
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        project_id=project_id,
        timeout_seconds=timeout_seconds,
    )


@contextmanager
def running(app: Flask) -> Iterator[Api]:
    with serving(app) as port:
        yield Api(port=port, app=app)


@contextmanager
def asking(settings: Settings) -> Iterator[IntrospectionClient]:
    """Yield a client that asks every time, with as many connections as the server has threads."""
    with closing(IntrospectionClient(settings, connections=THREADS)) as client:
        yield client


@contextmanager
def remembering(settings: Settings, clocks: Time) -> Iterator[Introspector]:
    """Yield the client behind cache and protection, as in ``zdemo serve``, on clocks that the test moves."""
    with closing(IntrospectionClient(settings, connections=THREADS)) as client:
        yield build_introspector(
            settings, threads=THREADS, client=client, clock=clocks.monotonic, wall_clock=clocks.wall
        )


@contextmanager
def plain_api(settings: Settings) -> Iterator[Api]:
    with asking(settings) as client, running(create_app(settings, client)) as api:
        yield api


@contextmanager
def protected_api(settings: Settings, clocks: Time) -> Iterator[Api]:
    with remembering(settings, clocks) as introspector, running(create_app(settings, introspector)) as api:
        api.use(settings, introspector, clocks.wall)
        yield api


def environment_of(settings: Settings) -> dict[str, str]:
    return {
        "ZITADEL_DOMAIN": settings.issuer,
        "CLIENT_ID": settings.client_id,
        "CLIENT_SECRET": settings.client_secret,
        "ZITADEL_PROJECT_ID": settings.project_id or "",
        "ZDEMO_TIMEOUT": str(settings.timeout_seconds),
    }


def example(path: Path, settings: Settings, **variables: str) -> Any:
    """Load a file of ``docs/examples``, which reads its settings when it is imported."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as process:
        for name, value in (environment_of(settings) | variables).items():
            process.setenv(name, value)
        spec.loader.exec_module(module)
    return module


@contextmanager
def one_file_api(settings: Settings, **variables: str) -> Iterator[Api]:
    """Serve ``docs/examples/one_file_guard.py``, without a cache unless ``ZDEMO_CACHE_TTL`` is given."""
    with running(example(EXAMPLE, settings, **{"ZDEMO_CACHE_TTL": "0", **variables}).app) as api:
        yield api
