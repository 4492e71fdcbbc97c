"""The example on the servers that people use, as processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.apis import PRIVATE, PUBLIC, Endpoint, settings_for
from tests.support.asgi_apis import EXAMPLE, environment_of
from tests.support.processes import ROOT, run_python
from tests.support.upstream import free_port, hang, upstream
from tests.support.waiting import eventually
from zdemo.config.settings import Settings
from zdemo.emulator import READER

LONGEST_SECONDS = 30
UVICORN, GRANIAN = ("uvicorn", "--workers=2"), ("granian", "--interface=asgi")


@contextmanager
def served(
    server: tuple[str, str], settings: Settings, folder: Path
) -> Iterator[tuple[Endpoint, subprocess.Popen[bytes]]]:
    """Run the example on a server."""
    port = free_port()
    command = [sys.executable, "-m", *server, f"--port={port}", f"{EXAMPLE.stem}:app"]
    environment = {"PYTHONPATH": f"{ROOT}:{EXAMPLE.parent}", **environment_of(settings)}
    process = subprocess.Popen(command, cwd=folder, env=environment, process_group=0)  # noqa: S603  # a server
    api = Endpoint(port=port)

    def status() -> int:
        assert process.poll() is None
        try:
            return api.get(PUBLIC).status
        except OSError:
            return 0

    try:
        eventually("it answers", status, lambda answer: answer == 200)
        yield api, process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its workers too
        process.wait()


def test_the_example_runs_on_granian_and_ends(settings: Settings, tmp_path: Path) -> None:
    with served(GRANIAN, settings, tmp_path) as (api, process):
        assert [api.get(path, token).status for path, token in (("/api/me", READER.pat), (PRIVATE, None))] == [200, 401]
        process.send_signal(signal.SIGTERM)
        process.wait(LONGEST_SECONDS)


def test_a_request_that_waits_for_zitadel_keeps_no_process_of_uvicorn_alive(tmp_path: Path) -> None:
    with (
        upstream(hang) as up,
        served(UVICORN, settings_for(up.url, timeout_seconds=2), tmp_path) as (api, process),
        ThreadPoolExecutor(1) as pool,
    ):
        pool.submit(api.get)
        eventually("ZITADEL is asked", lambda: up.requests)
        process.send_signal(signal.SIGTERM)
        process.wait(LONGEST_SECONDS)


WITHOUT_FASTAPI = """
import sys
sys.modules["fastapi"] = None  # as if it were not installed
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient
from zdemo.asgi import protect, requires_token

async def endpoint(request):
    await requires_token(request)
    return PlainTextResponse("in")

app = protect(Starlette(routes=[Mount("/a", routes=[Route("/b", endpoint)])]))
with TestClient(app) as client:
    reply = client.get("/a/b")
print(reply.status_code, reply.headers["www-authenticate"])
"""


def test_starlette_needs_no_fastapi(settings: Settings) -> None:
    assert run_python(WITHOUT_FASTAPI, environment=environment_of(settings)) == '401 Bearer realm="zdemo"\n'
