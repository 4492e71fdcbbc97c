"""One request and its answer: what is sent, what is read, what is tried again, and what the environment decides.

A transport takes proxies and trusted certificates from the environment, and never credentials.
"""

import os
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.support.certificates import Certificates
from tests.support.connection_faults import ACTIVE, LARGE_BYTES
from tests.support.upstream import LOOPBACK, Behaviour, answer, depending, hang, hang_up, http, raw, reset, upstream
from zdemo.config.address import ZitadelAddress
from zdemo.errors import ConnectionFailed, FailureKind, SettingsError
from zdemo.errors.response import Response
from zdemo.http.deadline import IDLE_SECONDS
from zdemo.http.transport import MAX_ANSWER_BYTES, Transport

TIMEOUT_SECONDS = 5
BRIEF_SECONDS = 0.3
OK = answer(b'{"ok":true}')


@contextmanager
def transport_to(url: str, **options: float) -> Iterator[Transport]:
    with closing(Transport(url, setting="ZITADEL_DOMAIN", **options)) as transport:  # type: ignore[arg-type]  # one is an int
        yield transport


def post(transport: Transport, timeout_seconds: float = TIMEOUT_SECONDS) -> Response:
    return transport.send("POST", "/path", timeout_seconds=timeout_seconds, form={"token": "t"})


def test_a_form_is_posted_and_the_answer_is_read() -> None:
    body = '{"name":"\u00e9"}'.encode()
    with upstream(answer(body, 418, headers={"X-Some": "thing"})) as up, transport_to(up.url) as transport:
        came = transport.send(
            "POST", "/a//b/?q=1", timeout_seconds=5, headers={"X-Mine": "1"}, form={"token": "a+b &%"}
        )
        sent = up.requests[0]
    assert (came.status, came.body, came.headers["x-some"]) == (418, body, "thing")
    assert came.json() == {"name": "\u00e9"}
    assert came.url == f"{up.url}/a//b/?q=1"
    assert 0 < came.seconds < TIMEOUT_SECONDS
    assert (sent.method, sent.target, sent.form) == ("POST", "/a//b/?q=1", {"token": "a+b &%"})
    assert sent.headers["x-mine"] == "1"
    assert sent.headers["content-type"] == "application/x-www-form-urlencoded"
    assert sent.headers["user-agent"].startswith("zdemo/")


@pytest.mark.parametrize(
    ("issuer", "host", "scheme"),
    [
        ("https://zitadel.example:443", "zitadel.example", "https"),
        ("https://zitadel.example:8443", "zitadel.example:8443", "https"),
        ("http://[::1]:8080", "[::1]:8080", "http"),
    ],
)
def test_an_internal_url_gets_the_host_and_scheme_of_the_issuer(issuer: str, host: str, scheme: str) -> None:
    with upstream(OK, OK) as up:
        with closing(Transport.to_zitadel(ZitadelAddress(issuer, up.url))) as transport:
            came = [post(transport), post(transport)]
        sent = [request.headers for request in up.requests]
    assert [(headers["host"], headers["x-forwarded-proto"]) for headers in sent] == [(host, scheme)] * 2
    assert [(answer.url, answer.issuer) for answer in came] == [(f"{up.url}/path", issuer)] * 2


def test_json_is_posted_and_compression_is_not_asked_for_and_not_undone() -> None:
    squeezed = answer(b"\x1f\x8b\x08 not gzip at all", headers={"Content-Encoding": "gzip"})
    with upstream(squeezed) as up, transport_to(up.url) as transport:
        came = transport.send("POST", "/path", timeout_seconds=5, json={"a": [1]})
    assert came.body == b"\x1f\x8b\x08 not gzip at all"
    assert (up.requests[0].headers["content-type"], up.requests[0].body) == ("application/json", b'{"a": [1]}')
    assert up.requests[0].headers["accept-encoding"] == "identity"


def test_no_cookie_is_sent_back() -> None:
    with_cookie = answer(b"{}", headers={"Set-Cookie": f"zitadel.useragent=x; Path=/; Domain={LOOPBACK}"})
    with upstream(with_cookie) as up, transport_to(up.url) as transport:
        post(transport)
        post(transport)
    assert len(up.requests) == 2
    assert not any("cookie" in received.headers for received in up.requests)


@pytest.mark.parametrize("status", [200, 302])
def test_an_answer_of_8_mib_is_not_read_to_its_end(status: int) -> None:
    large = answer(b"a" * LARGE_BYTES, status, headers={"Location": "/x"})
    with upstream(large) as up, transport_to(up.url) as transport, pytest.raises(ConnectionFailed) as failed:
        post(transport)
    assert failed.value.kind is FailureKind.TOO_LARGE
    assert "larger than 1 MiB" in failed.value.message
    assert len(up.requests) == 1
    with upstream(answer(b"a" * MAX_ANSWER_BYTES, status)) as up, transport_to(up.url) as transport:
        assert len(post(transport).body) == MAX_ANSWER_BYTES


BODIES = [
    (b'{"a":1e9}', {"a": 1e9}),
    (b'\xef\xbb\xbf{"a":1}', {"a": 1}),
    *((body, {}) for body in (b"[1]", b"null", b"", b"[" * 100_000, b'{"a":' + b"9" * 5000 + b"}")),
    *((body, {}) for body in ('{"a":1}'.encode("utf-16"), b'{"a":"\xed\xa0\x80"}', b'{"a":NaN}', b'{"a":1e999}')),
]


@pytest.mark.parametrize(("body", "expected"), BODIES, ids=lambda value: repr(value)[:20])
def test_a_body_is_a_json_object_or_an_empty_one(body: bytes, expected: object) -> None:
    came = Response(status=200, headers={}, body=body, seconds=0, url="")
    assert came.json_object() == expected
    assert f"body={body!r}" not in repr(came)
    assert isinstance(came.text, str)


@pytest.mark.parametrize(("idle_seconds", "connections"), [(IDLE_SECONDS, [0, 0, 0]), (0, [0, 1, 2])])
def test_a_connection_serves_many_requests_unless_idle_for_long(idle_seconds: float, connections: list[int]) -> None:
    with upstream(OK) as up, transport_to(up.url, idle_seconds=idle_seconds) as transport:
        for _ in connections:
            post(transport)
    assert [received.connection for received in up.requests] == connections


CUT = raw(http(b'{"active":true}')[:-5])
LAST = answer(b"{}", headers={"Connection": "close"})
MANY_FIELDS = raw(http(b"{}", headers={f"X-{number}": "a" for number in range(200)}))
BROKEN_CHUNKS = raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n{}")
RETRIES: list[tuple[str, list[Behaviour], int, int | FailureKind]] = [
    ("a kept connection is closed instead of an answer", [OK, hang_up, OK], 3, 200),
    ("a kept connection is reset instead of an answer", [OK, reset, OK], 3, 200),
    ("and the second attempt fails as well", [OK, hang_up, hang_up, OK], 3, FailureKind.HUNG_UP),
    ("a kept connection gives the first byte of an answer", [OK, raw(b"H"), OK], 2, FailureKind.BROKEN),
    ("a kept connection gives half an answer", [OK, CUT, OK], 2, FailureKind.BROKEN),
    ("a kept connection hangs", [OK, hang, OK], 2, FailureKind.TIMEOUT),
    ("a connection was closed after an answer", [LAST, OK], 2, 200),
    ("a new connection is closed instead of an answer", [hang_up, OK], 1, FailureKind.HUNG_UP),
    ("a new connection is closed instead of an answer", [LAST, hang_up, OK], 2, FailureKind.HUNG_UP),
    ("a new connection says 100 and then 200", [raw(b"HTTP/1.1 100 Continue\r\n\r\n" + http(b"{}"))], 1, 200),
    ("a new connection gives no status", [raw(b"HTTP/1.1 OK\r\n\r\n")], 1, FailureKind.BROKEN),
    *((name, [odd], 1, FailureKind.BROKEN) for name, odd in (("fields", MANY_FIELDS), ("chunks", BROKEN_CHUNKS))),
]


@pytest.mark.parametrize(
    ("behaviours", "requests", "outcome"), [row[1:] for row in RETRIES], ids=[r[0] for r in RETRIES]
)
def test_only_a_stale_connection_is_tried_again(
    behaviours: list[Behaviour], requests: int, outcome: int | FailureKind
) -> None:
    with upstream(*behaviours) as up, transport_to(up.url) as transport:
        if behaviours[0] in (OK, LAST):
            post(transport)
        try:
            came: int | FailureKind = post(transport, BRIEF_SECONDS if hang in behaviours else TIMEOUT_SECONDS).status
        except ConnectionFailed as failed:
            came = failed.kind
        assert came == outcome
        assert len(up.requests) == requests


def test_answers_are_not_mixed_up_between_threads() -> None:
    """More threads than kept connections; each answer repeats its question."""
    echo = depending(lambda received: answer(received.form["token"].encode()))
    tokens = [str(number) for number in range(160)]

    def ask(token: str) -> str:
        return transport.send("POST", "/path", timeout_seconds=5, form={"token": token}).text

    with upstream(echo) as up, transport_to(up.url, connections=4) as transport, ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, tokens)) == tokens


ELSEWHERE = "http://zitadel.example"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


def send(environment: dict[str, str], open_transport: Callable[[], Transport]) -> int:
    """Send a request with this environment alone, and return the status."""
    with pytest.MonkeyPatch.context() as process:
        for name in [*os.environ]:
            process.delenv(name)
        for name, value in environment.items():
            process.setenv(name, value)
        with closing(open_transport()) as transport:
            return transport.send("POST", "/path", timeout_seconds=5, form={"token": "t"}).status


def to(url: str) -> Callable[[], Transport]:
    return lambda: Transport(url, setting="ZITADEL_DOMAIN")


def test_netrc_is_not_read(tmp_path: Path) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text(f"machine {LOOPBACK} login somebody password something\n")
    netrc.chmod(0o600)
    with upstream(OK) as up:
        assert send({"HOME": str(tmp_path), "NETRC": str(netrc)}, to(up.url)) == 200
    assert "authorization" not in up.requests[0].headers


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_proxy_of_the_environment_is_used(name: str) -> None:
    with upstream(OK) as proxy:
        assert send({name: proxy.url}, to(ELSEWHERE)) == 200
    assert proxy.requests[0].target == f"{ELSEWHERE}/path"


@pytest.mark.parametrize("no_proxy", ["*", "other.example,.invalid"])
def test_no_proxy_is_honoured(no_proxy: str) -> None:
    """Without the proxy, this name resolves nowhere (RFC 6761 §6.4)."""
    with upstream(OK) as proxy, pytest.raises(ConnectionFailed) as failed:
        send({"HTTP_PROXY": proxy.url, "NO_PROXY": no_proxy}, to("http://zitadel.invalid"))
    assert failed.value.kind in (FailureKind.NAME_NOT_RESOLVED, FailureKind.TIMEOUT)
    assert proxy.requests == []


def test_an_internal_url_is_connected_to_without_a_proxy() -> None:
    """A proxy would replace the Host field of the issuer with that of the URL (RFC 9112 §3.2.2)."""
    address = ZitadelAddress("https://zitadel.example", "http://zitadel.invalid:8080")
    with upstream(OK) as proxy, pytest.raises(ConnectionFailed) as failed:
        send({"HTTP_PROXY": proxy.url, "HTTPS_PROXY": proxy.url}, lambda: Transport.to_zitadel(address))
    assert (failed.value.kind, proxy.requests) == (FailureKind.NAME_NOT_RESOLVED, [])


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_ca_bundle_of_the_environment_is_trusted(name: str, certificates: Certificates) -> None:
    with upstream(ACTIVE, tls=certificates.good()) as up:
        assert send({name: str(certificates.bundle)}, to(up.url)) == 200


@pytest.mark.parametrize("content", [b"", b"\x30\x82\x01\x0a\xff", None])
def test_an_unusable_ca_bundle_is_named(content: bytes | None, certificates: Certificates, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_bytes(content)
    with upstream(ACTIVE, tls=certificates.good()) as up, pytest.raises(SettingsError) as failed:
        send({"REQUESTS_CA_BUNDLE": str(bundle)}, to(up.url))
    assert failed.value.message.startswith("REQUESTS_CA_BUNDLE names a file")
    assert ("does not exist" in failed.value.message) == (content is None)
    assert failed.value.message.endswith(f": {bundle}")


@pytest.mark.parametrize(
    ("make", "kind", "hint"),
    [
        (Certificates.not_yet_valid, FailureKind.CERTIFICATE_NOT_YET_VALID, "clock"),
        (Certificates.wrong_name, FailureKind.CERTIFICATE_WRONG_NAME, "ZITADEL_DOMAIN"),
    ],
)
def test_a_bad_certificate_is_named_and_nothing_is_sent(
    make: Callable[[Certificates], ssl.SSLContext], kind: FailureKind, hint: str, certificates: Certificates
) -> None:
    with upstream(ACTIVE, tls=make(certificates)) as up, pytest.raises(ConnectionFailed) as failed:
        send({"REQUESTS_CA_BUNDLE": str(certificates.bundle)}, to(up.url))
    assert (failed.value.kind, hint in (failed.value.hint or ""), up.requests) == (kind, True, [])
