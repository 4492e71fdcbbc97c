"""The example on uvicorn, as a process."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tests.asgi.asgi_apis import EXAMPLE
from tests.support.apis import environment_of, settings_for
from tests.support.processes import ROOT
from tests.support.served import Served, answering, started
from tests.support.upstream import free_port, hang, upstream
from tests.support.waiting import eventually


@pytest.mark.thorough
def test_a_request_that_waits_for_zitadel_keeps_no_process_of_uvicorn_alive(tmp_path: Path) -> None:
    arguments = ("--workers=2", f"--port={(port := free_port())}", f"{EXAMPLE.stem}:app")
    with upstream(hang) as up, ThreadPoolExecutor(1) as pool:
        settings = environment_of(settings_for(up.url, timeout_seconds=2)) | {"PYTHONPATH": f"{ROOT}:{EXAMPLE.parent}"}
        with started(tmp_path, settings, *arguments, python=("-m", "uvicorn")) as process:
            try:
                api = answering(Served(process=process, port=port, folder=tmp_path))
                pool.submit(api.get)
                eventually("ZITADEL is asked", lambda: up.requests)
                api.stop()
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # its workers too
