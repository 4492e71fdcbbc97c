"""Listening sockets: the first one makes sure that no other program listens there."""

import errno
import os
import socket
import sys
from typing import Any

BACKLOG = 1024  # connections that wait for a worker


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on ``host:port`` alone; port 0 picks a free one.

    Of several that begin at the same moment, all may fail. Raises OSError: EADDRINUSE if the port is taken, EACCES if
    this user may not listen on it, EADDRNOTAVAIL if the host is not an address of this machine.
    """
    is_v6 = ":" in host
    family, both = socket.AF_INET6 if is_v6 else socket.AF_INET, is_v6 and socket.has_dualstack_ipv6()
    try:
        socket.getaddrinfo(host, port)  # create_server takes an empty host for all addresses
        sock = socket.create_server((host, port), family=family, backlog=BACKLOG, dualstack_ipv6=both)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # the connections inherit it
        return sock
    except UnicodeError:  # Python refuses impossible host names before it looks them up
        number = errno.EADDRNOTAVAIL
    except OSError as error:
        number = max(error.errno or 0, 0) or errno.EADDRNOTAVAIL  # below 0, the name does not resolve
    raise OSError(number, f"cannot listen on {host}:{port}: {os.strerror(number)}")


def one_per_worker(listener: socket.socket, count: int) -> list[socket.socket]:
    """Return a listening socket per worker, ``listener`` the first; the system spreads connections over them evenly.

    A socket that several workers wait for gives most connections to one of them. Elsewhere than on Linux there is no
    better way, and all get ``listener``.
    """
    if sys.platform != "linux" or count == 1:
        return [listener] * count
    # Not before it listens: only then does the next zdemo find the port taken. From now on, only sockets of this user
    # that ask for it can share the port.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    both = listener.family == socket.AF_INET6 and socket.has_dualstack_ipv6()
    how: dict[str, Any] = {"family": listener.family, "backlog": BACKLOG, "reuse_port": True, "dualstack_ipv6": both}
    others = [socket.create_server(listener.getsockname(), **how) for _ in range(count - 1)]
    for other in others:
        other.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return [listener, *others]


def address(listener: socket.socket) -> str:
    """Return where a socket listens, as in a URL."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
