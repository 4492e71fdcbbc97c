"""The example on uvicorn, as a process."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.asgi.asgi_apis import EXAMPLE
from tests.support.apis import environment_of, settings_for
from tests.support.processes import ROOT
from tests.support.served import Served, answering, started
from tests.support.upstream import free_port, hang, upstream
from tests.support.waiting import eventually
from zdemo.config.settings import Settings


@contextmanager
def served(settings: Settings, folder: Path) -> Iterator[Served]:
    port = free_port()
    environment = {"PYTHONPATH": f"{ROOT}:{EXAMPLE.parent}", **environment_of(settings)}
    arguments = ("--workers=2", f"--port={port}", f"{EXAMPLE.stem}:app")
    with started(folder, environment, *arguments, python=("-m", "uvicorn")) as process:
        try:
            yield answering(Served(process=process, port=port, folder=folder))
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # its workers too


@pytest.mark.thorough
def test_a_request_that_waits_for_zitadel_keeps_no_process_of_uvicorn_alive(tmp_path: Path) -> None:
    with (
        upstream(hang) as up,
        served(settings_for(up.url, timeout_seconds=2), tmp_path) as api,
        ThreadPoolExecutor(1) as pool,
    ):
        pool.submit(api.get)
        eventually("ZITADEL is asked", lambda: up.requests)
        api.stop()
