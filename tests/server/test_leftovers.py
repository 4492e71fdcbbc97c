"""The guard leaves nothing that only Python's collector can free, because the collector stops all threads."""

import gc
from collections.abc import Callable
from functools import partial

import pytest
from flask import Flask
from werkzeug.test import run_wsgi_app

from tests.support.apis import PRIVATE, PUBLIC, SCOPED, settings_for
from tests.support.introspector_doubles import ACTIVE, INACTIVE
from zdemo.errors import ZitadelUnavailable
from zdemo.server import create_app, protect, requires_token
from zdemo.server.observe import WATCHER
from zdemo.zitadel.introspection_answer import Introspection

REQUESTS = 30  # of each case
SETTINGS = settings_for("http://127.0.0.1:9", project_id=None)
AWAY = None  # a ZITADEL that does not answer


class Zitadel:
    """A ZITADEL with one answer, or an error that has another error as its cause, as in the client."""

    def __init__(self, answer: Introspection | None) -> None:
        self._answer = answer

    def introspect(self, token: str) -> Introspection:  # noqa: ARG002  # the protocol
        if self._answer is not AWAY:
            return self._answer
        try:
            raise TimeoutError
        except TimeoutError as error:
            raise ZitadelUnavailable("it takes too long", hint="wait") from error


def example_api(zitadel: Zitadel, *, watching: bool = False, denied_as: int | None = None) -> Flask:
    app = create_app(SETTINGS, zitadel, denied_as=denied_as)
    app.extensions[WATCHER].watching = watching
    return app


def own_app(zitadel: Zitadel) -> Flask:
    app = protect(Flask("own"), SETTINGS, zitadel)
    app.get(PRIVATE)(requires_token(lambda: "private"))
    return app


def status_of(app: Flask, path: str) -> str:
    """Call an app as a server does. Flask's own test client leaves garbage."""
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "SERVER_NAME": "a", "SERVER_PORT": "1"}
    environ |= {"wsgi.url_scheme": "http", "HTTP_AUTHORIZATION": "Bearer a-token"}
    return run_wsgi_app(app, environ, buffered=True)[1][:3]


def left_by(calls: list[tuple[Flask, str, str]]) -> int:
    """Return how many objects such requests leave; other threads of the tests may leave some."""
    for app, path, status in calls * 3:  # the first requests fill caches
        assert status_of(app, path) == status
    gc.disable()
    gc.freeze()  # what is there already does not count
    try:
        before = len(gc.get_objects())
        for app, path, _ in calls * REQUESTS:
            status_of(app, path)
        return len(gc.get_objects()) - before
    finally:
        gc.unfreeze()
        gc.enable()


CASES = [
    (ACTIVE, PUBLIC, "200"),
    (ACTIVE, PRIVATE, "200"),
    (ACTIVE, SCOPED, "401"),
    (INACTIVE, PRIVATE, "401"),
    (AWAY, PRIVATE, "503"),
    (AWAY, "/readyz", "503"),
    (ACTIVE, "/none", "404"),
]


FORWARDING = [(ACTIVE, "/auth/-", "200"), (ACTIVE, "/auth/role/a/-", "401"), (AWAY, "/auth/-", "503")]
FORWARDING += [(ACTIVE, "/auth/x", "404"), (INACTIVE, "/auth/-", "401")]
forwarding = partial(example_api, denied_as=400)


@pytest.mark.parametrize("make", [example_api, partial(example_api, watching=True), own_app, forwarding])
def test_requests_leave_no_more_than_the_search_for_a_route(make: Callable[[Zitadel], Flask]) -> None:
    cases = [case for case in CASES if make is not own_app or case[1] == PRIVATE]
    cases = FORWARDING if make is forwarding else cases
    plain = Flask("plain")
    plain.add_url_rule("/plain", view_func=lambda: "plain")
    calls = [(make(Zitadel(answer)), path, status) for answer, path, status in cases]
    searches = 0 if make is forwarding else len(cases)
    assert left_by(calls) <= left_by([(plain, "/plain", "200")] * searches) + REQUESTS // 2
