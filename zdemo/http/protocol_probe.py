"""Find out whether a port that did not speak the expected protocol speaks TLS or plain http.

Only the greeting is sent: no token, no credentials.
"""

import contextlib
import socket
import ssl
import time

from zdemo.errors import FailureKind
from zdemo.http.deadline import LEAST_REQUEST_SECONDS, SHORTEST_TIMEOUT_SECONDS, resolve

GREETING_SECONDS = 1.0  # the most that a greeting may take; the port has answered something a moment ago
TLS_RECORDS = (b"\x15\x03", b"\x16\x03")  # an alert or a handshake, of SSL 3 or any TLS (RFC 8446 §5.1)


def spoken_instead(kind: FailureKind, *, https: bool, host: str, port: int, seconds: float) -> FailureKind:
    """Return the kind of a failure; if that leaves open what the port speaks, find out."""
    left = min(seconds, GREETING_SECONDS)
    if kind is FailureKind.PLAIN_HTTP:
        return kind if speaks_http(host, port, left) else FailureKind.NOT_TLS
    silent = kind in (FailureKind.HUNG_UP, FailureKind.BROKEN)
    return FailureKind.EXPECTS_TLS if silent and not https and speaks_tls(host, port, left) else kind


def speaks_http(host: str, port: int, seconds: float) -> bool:
    """Return whether a port answers a request in plain HTTP/1.x."""
    name = f"[{host}]" if ":" in host else host
    request = f"HEAD / HTTP/1.1\r\nHost: {name}:{port}\r\nConnection: close\r\n\r\n"
    encoding = "ascii" if host.isascii() else "idna"
    return _answer(host, port, request.encode(encoding), seconds).startswith(b"HTTP/1.")


def speaks_tls(host: str, port: int, seconds: float) -> bool:
    """Return whether a port answers a TLS greeting with TLS, even if it refuses it."""
    outgoing = ssl.MemoryBIO()
    context = ssl.create_default_context()
    with contextlib.suppress(ssl.SSLWantReadError):  # the greeting is written, the answer is not there yet
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=host).do_handshake()
    return _answer(host, port, outgoing.read(), seconds).startswith(TLS_RECORDS)


def _answer(host: str, port: int, greeting: bytes, seconds: float) -> bytes:
    """Return the beginning of the answer to a greeting; empty when none comes in time."""
    end = time.monotonic() + seconds
    if seconds < LEAST_REQUEST_SECONDS:
        return b""
    try:
        family, kind, protocol, _, address = resolve(host, port, seconds)[0]
        with socket.socket(family, kind, protocol) as sock:
            sock.settimeout(max(end - time.monotonic(), SHORTEST_TIMEOUT_SECONDS))
            sock.connect(address)
            sock.sendall(greeting)
            sock.settimeout(max(end - time.monotonic(), SHORTEST_TIMEOUT_SECONDS))
            return sock.recv(16)
    except OSError:
        return b""
