"""Faults on demand: each answers as it should, and none outlasts the emulator."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.support.emulator_target import DISCOVERY, INTROSPECT, Server, basic
from tests.support.waiting import eventually
from zdemo.emulator import CLIENT_ID, CLIENT_SECRET, READER, Emulator, emulate, new_fault

pytestmark = pytest.mark.usefixtures("emulator_only")

BRIEF_SECONDS = 0.3
CREDENTIALS = basic(CLIENT_ID, CLIENT_SECRET)
PROJECTS = "/zitadel.project.v2.ProjectService/ListProjects"


def introspect(url: str, seconds: float = 10) -> requests.Response:
    form = {"token": READER.pat}
    return requests.post(url + INTROSPECT, form, headers=CREDENTIALS, timeout=seconds, allow_redirects=False)


@pytest.mark.parametrize(
    ("kind", "path", "status", "media", "text"),
    [
        ("rate-limited", INTROSPECT, 429, "text/plain; charset=utf-8", "Your ZITADEL instance is blocked.\n"),
        ("rate-limited", PROJECTS, 429, "application/json", '"code":"resource_exhausted"'),
        ("rate-limited", "/debug/ready", 200, "application/json", '"ok"'),
        ("internal-error", INTROSPECT, 500, "application/json", '"error":"server_error"'),
        ("internal-error", PROJECTS, 500, "application/json", '"code":"internal"'),
        ("database-away", INTROSPECT, 500, "text/plain; charset=utf-8", "ID=QUERY-d3fas Message=An internal error"),
        ("database-away", PROJECTS, 500, "application/json", '{"code":"internal","message":"unable to set instance'),
        ("database-away", "/debug/ready", 412, "text/plain; charset=utf-8", "ID=API-F24h2"),
        ("database-away", "/debug/healthz", 200, "text/plain; charset=utf-8", "ok"),
        ("not-json", INTROSPECT, 200, "text/html; charset=utf-8", "<h1>"),
        ("redirect", INTROSPECT, 302, "text/plain; charset=utf-8", ""),
    ],
)
def test_an_answer_is_that_of_a_zitadel_in_trouble(
    own: Emulator, near: Server, kind: str, path: str, status: int, media: str, text: str
) -> None:
    own.faults.add(new_fault(kind))
    response = near.send("POST" if path == PROJECTS else "GET", path, json={} if path == PROJECTS else None)
    assert (response.status_code, response.headers["Content-Type"]) == (status, media)
    assert text in response.text
    assert "Retry-After" not in response.headers
    if kind == "database-away" and path == INTROSPECT:
        assert response.headers["Cache-Control"] == "no-store"
    if status != 200 or kind == "not-json":
        assert own.requests[-1].reason == f"fault: {kind}"


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("hang", requests.ReadTimeout),
        ("reset", requests.ConnectionError),
        ("truncated", requests.exceptions.ChunkedEncodingError),
    ],
)
def test_no_whole_answer_comes(own: Emulator, kind: str, error: type[Exception]) -> None:
    own.faults.add(new_fault(kind, times=1))
    with pytest.raises(error) as caught:
        introspect(own.url, BRIEF_SECONDS)
    assert ("reset by peer" in str(caught.value)) == (kind == "reset")
    assert introspect(own.url).json()["active"], "the next one is answered"
    assert own.requests[0].reason == f"fault: {kind}"


def test_a_stopped_emulator_resets_all_connections_whatever_else_is_wrong(own: Emulator, near: Server) -> None:
    slow = new_fault("slow", seconds=0)
    own.faults.add(slow)
    own.faults.add(new_fault("stopped"))
    for path in (DISCOVERY, INTROSPECT, "/debug/healthz", "/debug/ready", "/"):
        with pytest.raises(requests.ConnectionError, match="reset by peer"):
            near.get(path)
    own.faults.clear(new_fault("stopped"))
    assert near.get("/debug/healthz").status_code == 200
    assert list(own.faults.active()) == [slow]


def test_a_dripping_answer_begins_and_does_not_end(own: Emulator) -> None:
    own.faults.add(new_fault("drip", seconds=0.01))
    form = {"token": READER.pat}
    with requests.post(own.url + INTROSPECT, form, headers=CREDENTIALS, timeout=5, stream=True) as slow:
        assert next(slow.iter_content(1)) == b"{"
        own.faults.clear()
    own.faults.add(new_fault("drip", times=1, seconds=0))
    assert introspect(own.url).json()["active"], "byte by byte, but whole"


def test_what_hangs_ends_with_the_emulator_and_with_its_client() -> None:
    before = set(threading.enumerate())
    with ThreadPoolExecutor(40) as clients, emulate() as own:
        own.faults.add(new_fault("hang"))
        hanging = [clients.submit(introspect, own.url) for _ in range(40)]
        eventually("all hang", lambda: len(own.requests) == len(hanging))
        with pytest.raises(requests.ReadTimeout):
            introspect(own.url, BRIEF_SECONDS)
    assert all(isinstance(call.exception(), requests.ConnectionError) for call in hanging)
    assert set(threading.enumerate()) <= before


def test_what_hangs_is_answered_when_its_fault_is_removed_or_all_are(own: Emulator) -> None:
    hang = new_fault("hang")
    with ThreadPoolExecutor(1) as clients:
        own.faults.add(hang)
        first = clients.submit(introspect, own.url)
        eventually("it hangs", lambda: len(own.requests) == 1)
        own.faults.clear(hang)
        assert first.result().json()["active"]
        own.faults.add(new_fault("hang", times=1))
        second = clients.submit(introspect, own.url)
        eventually("it hangs", lambda: len(own.requests) == 2)
        own.faults.clear()
        assert second.result().json()["active"], "also if the fault is used up"
