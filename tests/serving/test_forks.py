"""Workers that are forked after their app has asked ZITADEL share nothing with each other that could mix up answers.

What a process shares with its parent is what the objects of an app are made of, looked at on both sides of a fork.
"""

import gc
import json
import logging
import multiprocessing
import secrets
import socket
import threading
import types
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.support.apis import PRIVATE, Endpoint
from tests.support.processes import run_python
from tests.support.redis_server import redis_server
from tests.support.served import Served, answering, started
from tests.support.upstream import LOOPBACK, free_port
from tests.support.waiting import eventually
from tests.support.wire import request
from zdemo.config.environment import read_environment
from zdemo.config.settings import Settings
from zdemo.page import PageOptions, paged
from zdemo.server import create_app
from zdemo.server.logs import log_in_batches
from zdemo.serving.bus import Bus
from zdemo.testing import ZitadelEmulator

pytestmark = pytest.mark.thorough

PAIRS = 48  # of a good and a bad token, each a question to ZITADEL
OF_A_PROCESS = (type(threading.Lock()), type(threading.RLock()), socket.socket, threading.Thread)
OPAQUE = (type, types.ModuleType, types.FrameType, types.CodeType, str, bytes, logging.Logger)
OF_OTHERS = {  # their own affair: one is held for a moment when routes are added, and Python renews the other
    "werkzeug.routing.map.Map._remap_lock",
    "zdemo.server.logs.BatchingHandler.lock",
}
WORKERS = 4
AT_ONCE = 8  # requests of one process: so many connections are open when it forks
MODULE = "tests.serving.test_forks:flask_app()"
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


def of_process(root: object) -> Iterator[tuple[str, Any]]:
    """Yield the locks, sockets and threads that an object leads to, each with the class and attribute it stands in."""
    waiting, seen = [("", root)], {id(root): root}
    while waiting:
        place, item = waiting.pop()
        if isinstance(item, OF_A_PROCESS):
            yield place, item
            continue
        if isinstance(item, types.FunctionType):
            parts = [(place, part) for part in (item.__closure__, item.__defaults__, item.__dict__)]
        else:
            attributes = getattr(item, "__dict__", {})
            name = f"{type(item).__module__}.{type(item).__qualname__}"
            parts = [(f"{name}.{key}", part) for key, part in attributes.items()]
            parts += [(place, part) for part in gc.get_referents(item) if part is not attributes]
        for place_of_part, part in parts:
            if id(part) not in seen and not isinstance(part, OPAQUE):
                seen[id(part)] = part
                waiting.append((place_of_part, part))


def main(tokens: str) -> None:
    """Fork workers of the API with its page; print what each shares with its parent, and its answers to its tokens."""
    log_in_batches()
    environment = read_environment()
    settings = Settings.from_env(environment)
    app = create_app(settings, open_metrics=True)
    options = PageOptions(key=secrets.token_urlsafe(), api_url="", settings=settings, environment=environment)
    page = paged(lambda _: app, options, Bus())
    warmed(app)
    roots = [page, logging.getLogger().handlers]
    parents = [(place, item) for place, item in of_process(roots) if place not in OF_OTHERS]
    fork, tokens_of_each = multiprocessing.get_context("fork"), json.loads(tokens)
    reports = fork.SimpleQueue()

    def work(number: int) -> None:
        inherited = {id(item) for _, item in parents}
        shared = sorted({place for place, item in of_process(roots) if id(item) in inherited})
        reports.put([number, shared, ask(app, tokens_of_each[number])])

    workers = [fork.Process(target=work, args=(number,)) for number in range(len(tokens_of_each))]
    with held([item for _, item in parents]):
        for worker in workers:
            worker.start()
        print(json.dumps([shared_and_statuses for _, *shared_and_statuses in sorted(reports.get() for _ in workers)]))
        for worker in workers:
            worker.join()
    assert [worker.exitcode for worker in workers] == [0] * len(workers)
    warmed(app)  # the parent's own connections work on


@contextmanager
def held(things: list[Any]) -> Iterator[None]:
    """Let another thread hold the locks among some things."""
    with ThreadPoolExecutor(1) as thread:
        locks = [
            lock for lock in things if hasattr(lock, "acquire") and thread.submit(lock.acquire, blocking=False).result()
        ]
        try:
            yield
        finally:
            for lock in locks:
                thread.submit(lock.release).result()


@pytest.fixture(scope="module")
def zitadel() -> Iterator[ZitadelEmulator]:
    with ZitadelEmulator() as running:
        yield running


@pytest.fixture(scope="module")
def good(zitadel: ZitadelEmulator) -> list[str]:
    return [zitadel.user(f"user-{number}") for number in range(PAIRS)]


@pytest.fixture(scope="module")
def environment(zitadel: ZitadelEmulator) -> Iterator[dict[str, str]]:
    with redis_server() as store:
        yield {**zitadel.env, "ZDEMO_CACHE_URL": store.url, "ZDEMO_CACHE_TTL": "60"}


def crossed(good: list[str]) -> list[str]:
    """Return good and bad tokens in turn."""
    return [token for pat in good for token in (pat, secrets.token_urlsafe())]


def statuses(api: Endpoint, tokens: list[str]) -> list[int]:
    with ThreadPoolExecutor(2 * AT_ONCE) as pool:
        return [reply.status for reply in pool.map(lambda token: api.get(PRIVATE, token), tokens)]


@pytest.mark.parametrize("name", SERVERS)
def test_forked_workers_of_a_server_mix_up_no_answers_and_follow_orders(
    name: str, zitadel: ZitadelEmulator, good: list[str], environment: dict[str, str], tmp_path: Path
) -> None:
    leaver = zitadel.user(f"leaver-{name}")
    port = free_port()
    with started(tmp_path, environment, python=[word.format(port=port) for word in SERVERS[name]]) as process:
        api = answering(Served(process=process, port=port, folder=tmp_path))
        assert statuses(api, crossed(good)) == [200, 401] * PAIRS
        assert statuses(api, [leaver] * PAIRS) == [200] * PAIRS
        zitadel.remove(f"leaver-{name}")
        body = json.dumps({"token": leaver}).encode()
        assert api.send(request("/-/forget", "Content-Type: application/json", method="POST", body=body)).status == 200
        eventually("all workers forget", lambda: {*statuses(api, [leaver] * PAIRS)}, lambda codes: codes == {401})


def test_a_forked_process_shares_no_lock_socket_or_thread_with_its_parent(
    good: list[str], environment: dict[str, str]
) -> None:
    tokens = [crossed(good[number::WORKERS]) for number in range(WORKERS)]
    script = "import sys; from tests.serving.test_forks import main; main(sys.argv[1])"
    variables = {**environment, "ZDEMO_EVENTS_KEY": "0123456789abcdef"}
    reports = json.loads(run_python(script, json.dumps(tokens), environment=variables))
    assert reports == [[[], [200, 401] * (PAIRS // WORKERS)]] * WORKERS
