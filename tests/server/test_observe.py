"""The layer that observes the API: an ID on each answer and a line for it, whatever the app inside does."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator

import flask
import pytest
from flask import Flask, Response

from tests.support.apis import PRIVATE, PUBLIC, SCOPED, running, settings_for
from tests.support.introspector_doubles import Scripted
from tests.support.processes import ROOT
from tests.support.wire import request
from zdemo.introspection.model import Introspection
from zdemo.server import create_app
from zdemo.server.guard import open_route, requires_token
from zdemo.server.logs import ACCESS_LOG

PIECES = [b"one", b"two", b"three"]


def api_with_more_views(closed: list[str], *, open_metrics: bool = False) -> Flask:
    """Return the API with a view that streams, and one that gives its answers an ID of its own."""
    introspector = Scripted(Introspection(active=True, claims={"active": True}))
    app = create_app(settings_for("http://127.0.0.1:9", project_id=None), introspector, open_metrics=open_metrics)

    def pieces() -> Iterator[bytes]:
        try:
            yield from PIECES
        finally:
            closed.append("stream")

    app.add_url_rule("/stream", "stream", open_route(lambda: Response(pieces())))
    app.add_url_rule("/own", "own", open_route(lambda: Response("own", headers={"x-request-id": "forged"})))
    app.add_url_rule("/mine", "mine", requires_token()(_mine))
    return app


def _mine() -> Response:
    if flask.request.args:
        flask.abort(418)
    return Response("mine", headers={"cache-control": "public, max-age=60", "Vary": "Accept-Language"})


def test_each_answer_has_one_id_and_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    closed: list[str] = []
    large = request(PUBLIC, method="POST", body=b"a" * 65_537)
    with running(api_with_more_views(closed)) as api:
        assert api.get("/stream").body == b"".join(PIECES)
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


def test_no_answer_of_a_guarded_view_is_for_caches() -> None:
    with running(api_with_more_views([])) as api:
        mine, error, refused = api.get("/mine", "t"), api.get("/mine?error", "t"), api.get("/mine", None)
        assert [reply.status for reply in (mine, error, refused)] == [200, 418, 401]
        assert [reply.all("cache-control") for reply in (mine, error, refused)] == [["no-store"]] * 3
        assert [", ".join(reply.all("vary")) for reply in (mine, error, refused)] == [
            "Accept-Language, Authorization",
            "Authorization",
            "Authorization",
        ]
        assert not api.get("/own").all("cache-control")


def test_a_body_that_is_too_large_is_counted_for_its_route() -> None:
    pytest.importorskip("prometheus_client")
    with running(api_with_more_views([], open_metrics=True)) as api:
        api.send(request(PUBLIC, body=b"a" * 65_537))
        api.send(request("/nowhere", body=b"a" * 65_537))
        text = api.get("/metrics").body.decode()
    for route in ("api.public", "none"):
        assert f'zdemo_requests_total{{outcome="request_entity_too_large",route="{route}"}} 1.0' in text


FORKED = """
import os
from zdemo.guard import new_request_id
for _ in range(3):
    if not os.fork():
        break
os.write(1, (new_request_id() + "\\n").encode())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_ids_of_forked_workers_differ() -> None:
    ran = subprocess.run(  # noqa: S603  # the code is above
        [sys.executable, "-c", FORKED], cwd=ROOT, timeout=60, check=True, capture_output=True, text=True
    )
    ids = ran.stdout.split()
    assert len({*ids}) == len(ids) == 4
