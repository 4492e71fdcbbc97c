"""A listening socket that no other process shares."""

import errno
import os
import random
import socket
import time

BACKLOG = 1024  # connections that wait for a worker
TRIES = 10
LONGEST_PAUSE_SECONDS = 0.02


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on ``host:port`` alone; port 0 picks a free one.

    Raises OSError: EADDRINUSE if the port is taken, EACCES if this user may not listen on it, EADDRNOTAVAIL if the host
    is not an address of this machine.
    """
    try:
        return _listening(host, port)
    except (socket.gaierror, UnicodeError):  # Python refuses impossible host names before it looks them up
        number = errno.EADDRNOTAVAIL
    except OSError as error:
        number = error.errno or errno.EINVAL
    raise OSError(number, f"cannot listen on {host}:{port}: {os.strerror(number)}")


def _listening(host: str, port: int) -> socket.socket:
    for _ in range(TRIES):
        sock = _bound(host, port)
        try:
            sock.listen(BACKLOG)
        except OSError as error:
            sock.close()
            if error.errno != errno.EADDRINUSE:
                raise
            # Another process was bound as well, and listened first. If both listen at the same moment, both can fail.
            time.sleep(random.uniform(0, LONGEST_PAUSE_SECONDS))  # noqa: S311  # nothing secret
        else:
            return sock
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _bound(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    sock = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":  # connections of an earlier process may linger; on Windows it would share the port
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # the connections inherit it
        sock.bind(place)
    except OSError:
        sock.close()
        raise
    return sock


def address(listener: socket.socket) -> str:
    """Return where a socket listens, as in a URL."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
