"""Apps that have asked ZITADEL when their process forks workers, and servers that fork so."""

import secrets
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from flask import Flask

from tests.support.apis import PRIVATE
from tests.support.served import Served, answering, started
from tests.support.upstream import LOOPBACK, free_port
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
        *("-c", "import pyuwsgi; pyuwsgi.run()", "--master", "--die-on-term", "--need-app", "--enable-threads"),
        f"--module={MODULE}",
        *(f"--processes={WORKERS}", f"--threads={AT_ONCE}", f"--http-socket={LOOPBACK}:{{port}}"),
    ),
}


def flask_app() -> Flask:
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
def forked(name: str, environment: Mapping[str, str], folder: Path) -> Iterator[Served]:
    """Run a server with ``WORKERS`` workers, whose parent has asked ZITADEL."""
    port = free_port()
    words = [word.format(port=port) for word in SERVERS[name]]
    with started(folder, environment, python=words) as process:
        yield answering(Served(process=process, port=port, folder=folder))
