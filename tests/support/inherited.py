"""What a forked process shares with its parent: what the objects of an app are made of, looked at on both sides.

It forks while a thread holds every lock.
"""

import gc
import json
import logging
import multiprocessing
import secrets
import socket
import threading
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.prefork import ask, warmed
from zdemo.config.environment import read_environment
from zdemo.config.settings import Settings
from zdemo.page import PageOptions, paged
from zdemo.server import create_app, log_in_batches

OF_A_PROCESS = (type(threading.Lock()), type(threading.RLock()), socket.socket, threading.Thread)
OPAQUE = (type, types.ModuleType, types.FrameType, types.CodeType, str, bytes, logging.Logger)
OF_OTHERS = {  # their own affair: one is held for a moment when routes are added, and Python renews the other
    "werkzeug.routing.map.Map._remap_lock",
    "zdemo.server.logs.BatchingHandler.lock",
}


def of_process(root: object) -> Iterator[tuple[str, Any]]:
    """Yield the locks, sockets and threads that an object leads to, each with the class and attribute it stands in."""
    waiting, seen = [("", root)], {id(root): root}
    while waiting:
        place, one = waiting.pop()
        if isinstance(one, OF_A_PROCESS):
            yield place, one
            continue
        if isinstance(one, types.FunctionType):
            parts = [(place, part) for part in (one.__closure__, one.__defaults__, one.__dict__)]
        else:
            attributes = getattr(one, "__dict__", {})
            name = f"{type(one).__module__}.{type(one).__qualname__}"
            parts = [(f"{name}.{key}", part) for key, part in attributes.items()]
            parts += [(place, part) for part in gc.get_referents(one) if part is not attributes]
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
    page = paged(app, options)
    warmed(app)
    roots = [page, logging.getLogger().handlers]
    parents = [(place, one) for place, one in of_process(roots) if place not in OF_OTHERS]
    fork, tokens_of_each = multiprocessing.get_context("fork"), json.loads(tokens)
    reports = fork.SimpleQueue()

    def work(number: int) -> None:
        inherited = {id(one) for _, one in parents}
        shared = sorted({place for place, one in of_process(roots) if id(one) in inherited})
        reports.put([number, shared, ask(app, tokens_of_each[number])])

    workers = [fork.Process(target=work, args=(number,)) for number in range(len(tokens_of_each))]
    with held([one for _, one in parents]):
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
    holding, done = threading.Event(), threading.Event()

    def hold() -> None:
        locks = [one for one in things if hasattr(one, "acquire") and one.acquire(blocking=False)]
        holding.set()
        done.wait()
        for lock in locks:
            lock.release()

    thread = threading.Thread(target=hold)
    thread.start()
    holding.wait()
    try:
        yield
    finally:
        done.set()
        thread.join()
