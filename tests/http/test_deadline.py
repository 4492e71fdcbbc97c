"""One deadline for a whole request, which an upstream that drips, hangs or never ends cannot extend."""

import contextlib
import time
from pathlib import Path

import pytest

from tests.support.certificates import Certificates
from tests.support.upstream import LOOPBACK, Behaviour, Connection, after, answer, drip, hang, hang_up, http, upstream
from zdemo.errors import ConnectionFailed, FailureKind
from zdemo.http.transport import Transport

TIMEOUT_SECONDS = 0.5
GRACE_SECONDS = 2.5  # for a busy machine; what is tested here would take ten seconds or forever without a deadline
OK = answer(b"{}")
TLS_RECORD = b"\x16\x03\x03\x40\x00" + bytes(60)  # a handshake record that announces 16 KiB


def never_ending(data: bytes) -> Behaviour:
    def behave(connection: Connection) -> bool:
        with contextlib.suppress(OSError):
            while not connection.stopping.is_set():
                connection.sock.sendall(data)
        return False

    return behave


def timed_out(url: str, *, before: int = 0, timeout_seconds: float = TIMEOUT_SECONDS) -> float:
    """Return the seconds until the transport gives up, after ``before`` requests that are answered."""
    with contextlib.closing(Transport(url, setting="ZITADEL_DOMAIN")) as transport:
        for _ in range(before):
            transport.send("POST", "/path", timeout_seconds=10, form={"token": "t"})
        start = time.monotonic()
        with pytest.raises(ConnectionFailed) as failed:
            transport.send("POST", "/path", timeout_seconds=timeout_seconds, form={"token": "t"})
        seconds = time.monotonic() - start
    assert failed.value.kind is FailureKind.TIMEOUT
    assert failed.value.message == f"no answer from {url} within {timeout_seconds:g} s"
    return seconds


def assert_in_time(seconds: float) -> None:
    assert TIMEOUT_SECONDS * 0.9 <= seconds <= TIMEOUT_SECONDS + GRACE_SECONDS


NEVER: dict[str, Behaviour] = {
    "hangs": hang,
    "drips its headers quickly": drip(b"HTTP/1.1 200 OK\r\nX-Pad: ", b"a" * 500, 0.02),
    "drips its body quickly": drip(http(b"x" * 500).removesuffix(b"x" * 500), b"x" * 500, 0.02),
    "drips a redirect": drip(b"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n", b"x" * 60),
    "continues without end": never_ending(b"HTTP/1.1 100 Continue\r\n\r\n"),
}


@pytest.mark.parametrize("behaviour", NEVER.values(), ids=NEVER)
def test_an_answer_that_does_not_end_is_given_up_in_time(behaviour: Behaviour) -> None:
    with upstream(behaviour) as up:
        assert_in_time(timed_out(up.url))
        assert len(up.requests) == 1


def test_the_second_attempt_has_only_what_the_first_one_left() -> None:
    """A late machine changes nothing: what is answered after the deadline is not an answer."""
    seconds = 1.5
    with upstream(OK, after(0.9 * seconds, hang_up), after(0.8 * seconds, OK)) as up:
        timed_out(up.url, before=1, timeout_seconds=seconds)


HANDSHAKES: dict[str, Behaviour] = {"hangs": hang, "drips": drip(b"", TLS_RECORD, 0.1)}


@pytest.mark.parametrize("behaviour", HANDSHAKES.values(), ids=HANDSHAKES)
def test_a_tls_handshake_is_given_up_in_time(behaviour: Behaviour) -> None:
    with upstream(OK, on_connect=behaviour) as up:
        assert_in_time(timed_out(f"https://{LOOPBACK}:{up.port}"))
        assert up.requests == []


PROXIES: dict[str, Behaviour] = {
    "says yes and hangs": drip(b"HTTP/1.1 200 Connection established\r\n\r\n", b"\x16", 60),
    # the first byte may be read with the header, so that TLS would refuse the next five, if they came in time
    "says yes and drips": drip(b"HTTP/1.1 200 Connection established\r\n\r\n", TLS_RECORD, TIMEOUT_SECONDS / 2),
}


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("behaviour", PROXIES.values(), ids=PROXIES)
def test_a_proxy_is_given_up_in_time(
    behaviour: Behaviour, tls: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates = Certificates(tmp_path)
    with upstream(behaviour, tls=certificates.good() if tls else None) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates.bundle))
        assert_in_time(timed_out("https://zitadel.example"))
