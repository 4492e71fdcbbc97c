"""The listening socket: no other program can use its port, and the workers share its connections."""

import errno
import select
import socket
import sys
from contextlib import ExitStack

import pytest

from zdemo.serving.listening import listen, one_per_worker

ALL = "0.0.0.0"  # noqa: S104  # what is tested
WORKERS = 3
CONNECTIONS = 60  # that a socket gets none of them happens once in 10 billion runs


def listening(host: str, port: int) -> socket.socket | None:
    try:
        return listen(host, port)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return None


@pytest.mark.parametrize(
    ("host", "other"),
    [("127.0.0.1", "127.0.0.1"), ("127.0.0.1", "localhost"), (ALL, "127.0.0.1"), ("127.0.0.1", ALL), ("::1", "::1")],
)
def test_a_port_is_taken_by_whoever_listens_on_a_part_of_the_address(host: str, other: str) -> None:
    if ":" in host and not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    with listen(host, 0) as listener:
        port = listener.getsockname()[1]
        assert not listening(other, port)
    again = listening(other, port)
    assert again
    again.close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere all workers have the same socket")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1", ALL])
def test_each_worker_gets_its_share_of_the_connections_and_the_port_stays_taken(host: str) -> None:
    target = "127.0.0.1" if host == ALL else host
    with ExitStack() as stack:
        first = stack.enter_context(listen(host, 0))
        port = first.getsockname()[1]
        sockets = one_per_worker(first, WORKERS)
        for sock in sockets[1:]:
            stack.enter_context(sock)
        clients = [stack.enter_context(socket.create_connection((target, port))) for _ in range(CONNECTIONS)]
        readable = select.select(sockets, [], [], 0)[0]
        assert (len(clients), len(set(sockets)), len(readable)) == (CONNECTIONS, WORKERS, WORKERS)
        assert not listening(host, port)
        first.close()
        assert not listening(host, port)


def test_another_program_that_would_share_the_port_cannot() -> None:
    with listen("127.0.0.1", 0) as listener, socket.socket() as other:
        assert one_per_worker(listener, 1) == [listener]
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        with pytest.raises(OSError, match="in use"):
            other.bind(listener.getsockname())


@pytest.mark.parametrize("host", ["192.0.2.1", "a" * 64, "no such host", "", "<broadcast>"])
def test_a_host_that_is_not_of_this_machine_is_named(host: str) -> None:
    with pytest.raises(OSError, match=f"cannot listen on {host}:0") as refused:
        listen(host, 0)
    assert refused.value.errno == errno.EADDRNOTAVAIL
