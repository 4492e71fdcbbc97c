"""Apps that have asked ZITADEL when their process forks workers, and servers that fork so."""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from flask import Flask

from tests.support.apis import PRIVATE, PUBLIC, Endpoint
from tests.support.ports import LOOPBACK, free_port
from tests.support.processes import ROOT
from tests.support.waiting import eventually
from zdemo.server import create_app

WORKERS = 4
AT_ONCE = 8  # requests of one process: so many connections are open when it forks
MODULE = "tests.support.prefork:flask_app()"
SERVERS: Mapping[str, tuple[str, ...]] = {
    "gunicorn --preload": (
        *("-m", "gunicorn", "--preload", f"--workers={WORKERS}", "--worker-class=gthread", f"--threads={AT_ONCE}"),
        *(f"--bind={LOOPBACK}:{{port}}", MODULE),
    ),
    "uWSGI": (
        *("-c", "import pyuwsgi; pyuwsgi.run()", "--master", "--need-app", "--enable-threads", f"--module={MODULE}"),
        *(f"--processes={WORKERS}", f"--threads={AT_ONCE}", f"--http-socket={LOOPBACK}:{{port}}"),
    ),
}


def flask_app() -> Flask:
    """Return the API after it has asked ZITADEL."""
    app = create_app(open_metrics=True)
    warmed(app)
    return app


def ask(app: Flask, tokens: list[str]) -> list[int]:
    """Return the statuses of simultaneous requests, in the order of their tokens."""

    def status(token: str) -> int:
        return app.test_client().get(PRIVATE, headers={"Authorization": f"Bearer {token}"}).status_code

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(status, tokens))


def warmed(app: Flask) -> None:
    """Ask about unknown tokens, so that there are connections."""
    assert ask(app, [secrets.token_urlsafe() for _ in range(AT_ONCE)]) == [401] * AT_ONCE


@contextmanager
def forked(name: str, environment: Mapping[str, str], folder: Path) -> Iterator[Endpoint]:
    """Run a server with ``WORKERS`` workers, whose parent has asked ZITADEL."""
    port, log = free_port(), folder / "log"
    words = [word.format(port=port) for word in SERVERS[name]]
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603  # a server
            [sys.executable, *words],
            cwd=folder,
            env={"PYTHONPATH": str(ROOT), **environment},
            stdout=output,
            stderr=output,
            process_group=0,
        )
    api = Endpoint(port=port)

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return api.get(PUBLIC, None).status == 200
        except OSError:
            return False

    try:
        eventually("a worker answers", answers)
        yield api
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # its workers too
        process.wait()
