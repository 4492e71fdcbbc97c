"""The layer that observes the API: an ID on each answer and a line for it, whatever the app inside does."""

import logging
from collections.abc import Iterator

import pytest
from flask import Flask, Response

from tests.support.apis import PRIVATE, PUBLIC, SCOPED, running, settings_for
from tests.support.introspector_doubles import Scripted
from tests.support.wire import request
from zdemo.guard.flask_guard import open_route
from zdemo.server import create_app
from zdemo.server.logs import ACCESS_LOG
from zdemo.zitadel.introspection_answer import Introspection


def api_with_more_views(closed: list[str]) -> Flask:
    """Return the API with a view that streams, and one that gives its answers an ID of its own."""
    introspector = Scripted(Introspection(active=True, claims={"active": True}))
    app = create_app(settings_for("http://127.0.0.1:9", project_id=None), introspector)

    def pieces() -> Iterator[bytes]:
        try:
            yield from (b"one", b"two")
        finally:
            closed.append("stream")

    app.add_url_rule("/stream", "stream", open_route(lambda: Response(pieces())))
    app.add_url_rule("/own", "own", open_route(lambda: Response("own", headers={"x-request-id": "forged"})))
    return app


def test_each_answer_has_one_id_and_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    closed: list[str] = []
    large = request(PUBLIC, method="POST", body=b"a" * 65_537)
    with running(api_with_more_views(closed)) as api:
        assert api.get("/stream").body == b"onetwo"
        head = api.send(request("/stream", method="HEAD"))
        assert (head.status, head.body) == (200, b"")
        replies = [api.get(path) for path in ("/own", "/nowhere", PRIVATE, SCOPED)]
        replies += [api.send(large), api.send(request(PUBLIC, method="PUT"))]
    assert [reply.status for reply in replies] == [200, 404, 200, 401, 413, 405]
    assert closed == ["stream"]  # that of the HEAD never began
    ids = [reply.one("x-request-id") for reply in (head, *replies)]
    lines = [record.args for record in caplog.records if record.name == ACCESS_LOG][1:]
    assert [args[4] for args in lines if isinstance(args, tuple)] == ids
    assert len({*ids}) == len(ids)
