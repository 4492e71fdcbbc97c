"""What exceptions of the HTTP stack mean, and what is said of them, without a network."""

import errno
import re
import socket
import ssl
from http.client import BadStatusLine, IncompleteRead, RemoteDisconnected
from itertools import pairwise

import pytest
import requests
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ProtocolError, ProxyError

from zdemo.errors import ConnectionFailed, ExitCode, FailureKind, SettingsError
from zdemo.errors.steps import repair_in
from zdemo.http.failure_messages import failed
from zdemo.http.failures import chain, explained, may_retry

ORIGIN = "https://zitadel.example:8443"
CANARY = "canary4711"


def untrusted(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, f"reason {code}"
    return error


def tls(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[{reason}]")
    error.reason, error.library = reason, "SSL"
    return error


def inside(*errors: BaseException) -> BaseException:
    """Make each error the cause of the one before it."""
    for outer, inner in pairwise(errors):
        outer.__cause__ = inner
    return errors[0]


def not_connected(cause: OSError) -> BaseException:
    return requests.ConnectionError(inside(NewConnectionError(None, str(cause)), cause))  # type: ignore[arg-type]  # no pool is needed


def aborted(cause: BaseException) -> BaseException:
    return requests.ConnectionError(ProtocolError("Connection aborted.", cause))


KINDS: list[tuple[BaseException, FailureKind]] = [
    (not_connected(socket.gaierror(socket.EAI_NONAME, "Name or service not known")), FailureKind.NAME_NOT_RESOLVED),
    (not_connected(ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")), FailureKind.REFUSED),
    (not_connected(OSError(errno.EHOSTUNREACH, "No route to host")), FailureKind.NO_ROUTE),
    (requests.ConnectTimeout(), FailureKind.TIMEOUT),
    (TimeoutError("the deadline has passed"), FailureKind.TIMEOUT),
    (aborted(RemoteDisconnected("closed")), FailureKind.HUNG_UP),
    (aborted(ConnectionResetError(errno.ECONNRESET, "reset")), FailureKind.HUNG_UP),
    (requests.exceptions.SSLError(ssl.SSLEOFError(8, "EOF occurred")), FailureKind.HUNG_UP),
    (aborted(IncompleteRead(b"", 5)), FailureKind.BROKEN),
    (requests.exceptions.ChunkedEncodingError(), FailureKind.BROKEN),
    (requests.exceptions.SSLError(tls("WRONG_VERSION_NUMBER")), FailureKind.PLAIN_HTTP),
    (requests.exceptions.SSLError(tls("TLSV1_ALERT_PROTOCOL_VERSION")), FailureKind.TLS),
    (requests.exceptions.SSLError(untrusted(20)), FailureKind.CERTIFICATE_UNTRUSTED),
    (requests.exceptions.SSLError(untrusted(10)), FailureKind.CERTIFICATE_EXPIRED),
    (requests.exceptions.SSLError(untrusted(9)), FailureKind.CERTIFICATE_NOT_YET_VALID),
    (requests.exceptions.SSLError(untrusted(62)), FailureKind.CERTIFICATE_WRONG_NAME),
    (requests.exceptions.ProxyError(ProxyError("no", ConnectionRefusedError())), FailureKind.PROXY_REFUSED),
]


def explain(error: BaseException, *, proxy: str = "") -> ConnectionFailed | SettingsError:
    return explained(error, ORIGIN, "ZITADEL_DOMAIN", seconds=5, proxy=proxy, ca_bundle=None)


@pytest.mark.parametrize(("error", "kind"), KINDS, ids=lambda value: str(value)[:40])
def test_the_innermost_cause_decides_and_only_refusals_are_tried_again(error: BaseException, kind: FailureKind) -> None:
    came = explain(error)
    assert isinstance(came, ConnectionFailed)
    assert (came.kind, came.exit_code) == (kind, ExitCode.NO_ANSWER)
    assert may_retry(error) is any(isinstance(inner, ConnectionRefusedError) for inner in chain(error))


def timed_out(cause: TimeoutError) -> BaseException:
    return requests.ConnectTimeout(inside(ConnectTimeoutError(None, "connecting took too long"), cause))


@pytest.mark.parametrize(("error", "connecting"), [(timed_out(TimeoutError()), True), (requests.ReadTimeout(), False)])
def test_what_a_timeout_interrupted_is_known(error: BaseException, connecting: bool) -> None:
    came = explain(error)
    assert isinstance(came, ConnectionFailed)
    assert (came.kind, came.connecting) == (FailureKind.TIMEOUT, connecting)


@pytest.mark.parametrize("kind", FailureKind)
def test_every_kind_has_a_message_and_a_hint(kind: FailureKind) -> None:
    came = failed(kind, ORIGIN, "ZITADEL_DOMAIN", seconds=5, detail="some detail", trust=("trust it",))
    assert "zitadel.example" in came.message or kind.startswith("proxy") or kind is FailureKind.TOO_LARGE
    assert came.hint
    assert "{" not in came.message + came.hint
    assert not came.message.endswith(".")
    assert "ZITADEL_DOMAIN" not in failed(kind, ORIGIN, "ZDEMO_API_URL", seconds=5, detail="some detail").hint


@pytest.mark.parametrize(
    ("kind", "origin", "hint"),
    [
        (FailureKind.NAME_NOT_RESOLVED, "https://locahost:8080", "check the host name in ZITADEL_DOMAIN,"),
        (FailureKind.REFUSED, "http://localhost", "add the port to ZITADEL_DOMAIN"),
        (
            FailureKind.REFUSED,
            "http://localhost:80",
            "start ZITADEL .*; zdemo emulator --port 80: runs an emu.*",
        ),
        (FailureKind.REFUSED, "http://[::1]:80", "ZITADEL_DOMAIN=http://localhost:80: if .*; zdemo emulator "),
        (FailureKind.REFUSED, "http://zitadel.example:80", "start ZITADEL there, or correct host and port [^;]*$"),
        (FailureKind.PLAIN_HTTP, "https://127.0.0.1:5000/v1", "ZITADEL_DOMAIN=http://127.0.0.1:5000/v1$"),
        (FailureKind.PLAIN_HTTP, "https://a.example:80", "ZITADEL_DOMAIN=http://a.example:80; ZDEMO_ALLOW_HTTP=1: "),
        (FailureKind.EXPECTS_TLS, "http://a.example:443", "ZITADEL_DOMAIN=https://a.example:443$"),
        (FailureKind.EXPECTS_TLS, "http://a.example", ""),
    ],
)
def test_the_hint_fits_the_address_and_zdemo_may_set_another_scheme_where_that_is_certain(
    kind: FailureKind, origin: str, hint: str
) -> None:
    failure = failed(kind, origin, "ZITADEL_DOMAIN")
    assert re.match(hint, failure.hint)
    certain = ("https://127.0.0.1:5000/v1", "http://a.example:443")  # else tokens could travel in the clear
    assert bool(repair_in(failure.steps)) is (origin in certain)


def tunnel(status: int) -> BaseException:
    return requests.exceptions.ProxyError(ProxyError("no", OSError(f"Tunnel connection failed: {status} {CANARY}")))


PROXIED: list[tuple[BaseException, FailureKind, str]] = [
    (tunnel(403), FailureKind.PROXY, r"does not let requests through to zitadel.example \(403\)"),
    (tunnel(407), FailureKind.PROXY_LOGIN, "refuses the user name and password"),
    (tunnel(503), FailureKind.PROXY_WITHOUT_WAY, r"cannot connect to zitadel.example port 8443 \(503\)"),
    (
        requests.exceptions.ProxyError(ProxyError("no", tls("WRONG_VERSION_NUMBER"))),
        FailureKind.PROXY_PLAIN_HTTP,
        "the proxy proxy.example speaks plain http",
    ),
    (
        requests.exceptions.ProxyError(ProxyError("no", socket.gaierror(-2, CANARY))),
        FailureKind.PROXY,
        r"let requests through to zitadel.example \(the proxy's name does not resolve\)",
    ),
    (requests.exceptions.SSLError(tls("WRONG_VERSION_NUMBER")), FailureKind.PROXY, r"\(it answers itself\)"),
    (aborted(BadStatusLine("SSH-2.0")), FailureKind.BROKEN, "through the proxy proxy.example port 3128, is not HTTP"),
]


@pytest.mark.parametrize(("error", "kind", "words"), PROXIED, ids=lambda value: str(value)[:40])
def test_a_proxys_answer_tells_its_fault_from_the_servers(error: BaseException, kind: FailureKind, words: str) -> None:
    came = explain(error, proxy=f"http://user:{CANARY}@proxy.example:3128")
    assert isinstance(came, ConnectionFailed)
    assert came.kind is kind
    assert re.search(words, came.message)
    assert "proxy.example" in came.message
    assert CANARY not in f"{came} {came.hint}"


@pytest.mark.parametrize(
    "error",
    [
        requests.exceptions.InvalidHeader(f"Bearer {CANARY}"),
        aborted(RemoteDisconnected(CANARY)),
        not_connected(OSError(CANARY)),
        requests.exceptions.SSLError(ssl.SSLError(CANARY)),
        requests.exceptions.ProxyError(ProxyError(CANARY, OSError(CANARY))),
    ],
)
def test_no_text_of_an_exception_is_repeated(error: BaseException) -> None:
    came = explain(error, proxy=f"http://user:{CANARY}@proxy.example")
    assert CANARY not in f"{came} {came.hint}"
