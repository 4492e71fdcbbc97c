"""The routes for operators: ``/healthz``, ``/readyz``, ``/metrics``."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.support.apis import PRIVATE, PUBLIC, SCOPED, Api, Time, plain_api, protected_api, running, settings_for
from tests.support.connection_faults import ACTIVE as ACTIVE_ANSWER
from tests.support.connection_faults import FAULTS
from tests.support.introspector_doubles import ACTIVE, PATIENCE_SECONDS, Clock, Hanging, Scripted, refused
from tests.support.rows import check_body
from tests.support.secret_forms import PAT, SECRET, leak
from tests.support.upstream import hang, upstream
from tests.support.waiting import eventually
from tests.support.wire import request
from zdemo.config.settings import Settings
from zdemo.emulator import READER, VISITOR
from zdemo.server import create_app
from zdemo.server.operations import Readiness


def _samples(text: str) -> dict[str, float]:
    """Each sample of the text format, by name and labels."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def test_alive_whatever_zitadel_does() -> None:
    with upstream(hang) as up, plain_api(settings_for(up.url)) as api:
        assert api.get("/healthz", None).json == {"status": "alive"}
        assert up.requests == []


def test_only_a_program_on_this_machine_learns_which_zitadel_the_api_asks(api: Api) -> None:
    asked = request("/-/identity"), request("/-/identity", host="api.example.com")
    replies = [api.send(data) for data in asked]
    assert [(reply.status, "issuer" in reply.json) for reply in replies] == [(200, True), (403, False)]


def test_a_token_in_the_place_of_an_id_is_not_told() -> None:
    settings = replace(settings_for("http://localhost:1"), client_id=SECRET, project_id=PAT)
    with plain_api(settings) as api:
        assert not leak(api.send(request("/-/identity")).body.decode(), SECRET, PAT)


@pytest.mark.parametrize(
    ("name", "status", "error"),
    [("503 as HTML", 503, "service_unavailable"), ("400 unauthorized_client", 502, "bad_gateway")],
)
def test_ready_while_tokens_can_be_checked_and_else_not(name: str, status: int, error: str) -> None:
    with upstream(FAULTS[name].behaviour) as up, protected_api(settings_for(up.url), Time()) as api:
        reply = api.get("/readyz", None)
        assert reply.status == status
        check_body(reply, error)
        assert not any(word in reply.body for word in (up.url.encode(), b"ZITADEL", b"CLIENT"))
        assert reply.one("retry-after") == ("1" if status == 503 else None)
        up.now(ACTIVE_ANSWER)
        eventually("it is ready", lambda: api.get("/readyz", None).status == 200)
        assert api.get("/readyz", None).json == {"status": "ready"}


def test_readiness_asks_zitadel_at_most_once_per_second() -> None:
    zitadel, clock = Scripted(refused()), Clock()
    readiness = Readiness(zitadel.introspect, clock)
    assert [readiness.error() is None for _ in range(20)] == [False] * 20
    assert len(zitadel.asked) == 1
    zitadel.outcome = ACTIVE
    clock.advance(1)
    assert [readiness.error() for _ in range(20)] == [None] * 20
    assert len(zitadel.asked) == 2


def test_callers_do_not_wait_for_a_probe_that_hangs() -> None:
    zitadel, clock = Hanging(), Clock()
    readiness = Readiness(zitadel.introspect, clock)
    with ThreadPoolExecutor(1) as crowd:
        for number in range(2):
            clock.advance(1)
            probe = crowd.submit(readiness.error)
            call = zitadel.call(number)
            assert (readiness.error() is None, probe.done()) == (number == 1, False)
            call.set_result(ACTIVE)
            assert probe.result(PATIENCE_SECONDS) is None
    assert len(zitadel.calls) == 2


def test_metrics_count_requests_by_route_and_outcome_and_what_was_asked(settings: Settings) -> None:
    app = create_app(settings, open_metrics=True)
    with running(app) as api:
        for target, token in ((PUBLIC, None), (PRIVATE, READER.pat), (PRIVATE, READER.pat), (SCOPED, VISITOR.pat)):
            api.get(target, token)
            api.get("/metrics", None)  # what it shows is not counted again
        samples = _samples(api.get("/metrics", None).body.decode())
    assert samples['zdemo_requests_total{outcome="ok",route="public"}'] == 1
    assert samples['zdemo_requests_total{outcome="ok",route="private"}'] == 2
    assert samples['zdemo_requests_total{outcome="insufficient_scope",route="private_scoped"}'] == 1
    assert samples["zdemo_introspection_introspections_total"] == 2
    assert samples["zdemo_introspection_hits_total"] == 1
    assert samples["zdemo_breaker_state"] == 0
    assert samples["zdemo_introspections_in_flight"] == 0
    assert samples['zdemo_request_seconds_bucket{le="10.0",route="private"}'] == 2
    assert samples['zdemo_request_seconds_count{route="private"}'] == 2


def test_no_label_comes_from_a_request(settings: Settings) -> None:
    app = create_app(settings, open_metrics=True)
    with running(app) as api:
        api.get("/metrics", None)
        api.get("/nowhere")
        api.send(request(PUBLIC, method="BREW"))
        before = set(_samples(api.get("/metrics", None).body.decode()))
        for number in range(20):
            api.send(request(f"/canary-{number}?canary={number}", method=f"CANARY{number}", host=f"canary-{number}"))
            api.send(request(PUBLIC, f"X-Request-ID: canary-{number}", method=f"CANARY{number}"))
        text = api.get("/metrics", None).body.decode()
    assert "canary" not in text.lower()
    assert set(_samples(text)) == before


def test_metrics_are_an_unknown_path_unless_they_are_open(api: Api) -> None:
    """A proxy on this machine that adds no header makes a request from anywhere look like one from here."""
    metrics, unknown = (api.get(target, None) for target in ("/metrics", "/nowhere"))
    assert metrics.status == 404
    assert metrics.json | {"request_id": ""} == unknown.json | {"request_id": ""}
