"""What the page sends to its server: JSON objects of a limited size, and nothing else."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.support.feeds import port_of, proofs_of
from tests.support.page_site import PageSite, page_site
from tests.support.ports import LOOPBACK
from tests.support.wire import PATIENCE_SECONDS, request

LARGEST = 64 * 1024


@pytest.fixture(scope="module")
def site() -> Iterator[PageSite]:
    with page_site() as site:
        yield site.open()


@pytest.mark.parametrize("path", ["/-/send", "/-/change"])
@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "not_json"),
        (b"{", 400, "not_json"),
        (b"\xff\xfe", 400, "not_json"),
        (b"[]", 400, "not_json"),
        (b'"change"', 400, "not_json"),
        (b"null", 400, "not_json"),
        (b"[" * 60_000, 400, "not_json"),
        (b'{"a":' * 12_000, 400, "not_json"),
        (b'{"seconds":' + b"9" * 60_000 + b"}", 400, "not_json"),
        (b'{"a": "' + b"x" * LARGEST + b'"}', 413, "request_entity_too_large"),
        (b"{}", 400, "invalid_field"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_body_that_is_not_a_json_object_is_refused(
    site: PageSite, path: str, body: bytes, status: int, code: str
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = site.session.post(f"{site.url}{path}", data=body, headers=headers, timeout=PATIENCE_SECONDS)
    assert (answer.status_code, answer.json()["error"]) == (status, code)


@pytest.mark.parametrize("media", ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonx"])
def test_a_body_that_a_form_of_another_site_could_send_is_refused(site: PageSite, media: str) -> None:
    answer = site.session.post(
        f"{site.url}/-/change", data=b'{"change": "stop"}', headers={"Content-Type": media}, timeout=PATIENCE_SECONDS
    )
    assert (answer.status_code, answer.json()["error"]) == (415, "not_json")


def test_bodies_that_never_come_keep_no_other_page_waiting(site: PageSite) -> None:
    proofs, port = proofs_of(f"{site.url}/?key={site.key}"), port_of(site.url)
    headers = {**proofs, "Content-Type": "application/json", "Content-Length": "100"}
    fields = [f"{name}: {value}" for name, value in headers.items()]
    half = request("/-/change", *fields, method="POST", host=f"{LOOPBACK}:{port}", close=False) + b"{"
    with ExitStack() as stack:
        socks = [stack.enter_context(socket.create_connection((LOOPBACK, port), PATIENCE_SECONDS)) for _ in range(8)]
        for sock in socks:
            sock.sendall(half)
        statuses = {sock.recv(1 << 16).split()[1] for sock in socks}
        assert b"408" in statuses <= {b"408", b"413"}
        assert site.get("/-/state").status_code == 200


@pytest.mark.parametrize("path", ["/-/send", "/-/change"])
def test_nothing_is_sent_or_changed_by_get(site: PageSite, path: str) -> None:
    answer = site.get(f"{path}?change=stop&method=GET&path=/&caller=reader")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "none"},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["/-/send", "/-/change"])
def test_what_another_site_posts_is_refused(site: PageSite, path: str, headers: dict[str, str]) -> None:
    answer = site.post(path, {"change": "stop"}, **headers)
    assert (answer.status_code, answer.json()["error"]) == (403, "cross_site")


@pytest.mark.parametrize("path", ["/-/send", "/-/change"])
def test_under_another_host_name_there_are_no_actions(site: PageSite, path: str) -> None:
    answer = site.post(path, {"change": "stop"}, Host="evil.example")
    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")
