"""Serve in the foreground on Granian, with one or more worker processes."""

import errno
import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Callable
from multiprocessing import resource_tracker

from zdemo.serving.embedded import WSGIApp, interrupts_blocked

HEADER_MILLISECONDS = 10_000  # how long a client may take to send its header fields
MOST_CONNECTIONS = 16_384  # per worker; silent ones count, so this is far more than one client opens
SPARE_FILES = 256  # open files of a process that are not client connections
KILL_SECONDS = 10  # how long a worker may take to stop


def _take_interrupts_as_sigterm(main: int) -> None:
    """Send SIGTERM to the thread ``main`` on Ctrl-C; all threads must block SIGINT."""
    while signal.sigwait([signal.SIGINT]):
        signal.pthread_kill(main, signal.SIGTERM)  # only a signal to that thread interrupts its wait


def _connections() -> int:
    """Return how many connections a worker may hold, after raising the limit of open files if possible.

    Granian's default is 1024: a client that opens as many and sends nothing would block all others.
    """
    try:
        import resource  # not on Windows, which has no such limit

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        files = MOST_CONNECTIONS + SPARE_FILES
        allowed = files if hard == resource.RLIM_INFINITY else min(files, hard)
        if soft != resource.RLIM_INFINITY and soft < allowed:
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))  # workers inherit it
        return max(SPARE_FILES, allowed - SPARE_FILES)
    except (ImportError, ValueError, OSError):
        return MOST_CONNECTIONS


def serve_forever(build: Callable[[str], WSGIApp], *, host: str, port: int, workers: int, threads: int) -> None:
    """Serve until SIGINT or SIGTERM; running requests are finished first.

    ``build`` returns the application. It runs once in each worker process, so it must be picklable; its argument is
    the process title. ``threads`` is per worker.

    Ctrl-C on a terminal goes to the whole process group. A Granian worker that gets SIGINT, and SIGTERM from its parent
    a moment later, does not stop until it is killed: so workers get no SIGINT, and this process turns it into SIGTERM.
    """
    from granian import Granian  # imported here: commands that only check a port do not need it
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings

    # A forked worker would inherit locks that threads of this process hold, such as an emulator's.
    multiprocessing.set_start_method("spawn", force=True)
    server = Granian(
        "zdemo",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=threads,
        backpressure=_connections(),
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_MILLISECONDS),
        log_enabled=False,
        respawn_failed_workers=True,
        workers_kill_timeout=KILL_SECONDS,
    )
    resource_tracker.ensure_running()  # a helper process; starting it unblocks SIGINT, so start it before
    with interrupts_blocked():
        if hasattr(signal, "sigwait"):
            main = threading.get_ident()
            threading.Thread(target=_take_interrupts_as_sigterm, args=(main,), name="interrupts", daemon=True).start()
        server.serve(target_loader=build)


def port_is_free(host: str, port: int) -> bool:
    """Tell whether ``host:port`` can be listened on now; Granian would silently share a taken port.

    Raises OSError if the host is not an address of this machine, or this user may not listen on that port.
    """
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except UnicodeError as error:  # Python refuses impossible host names before it looks them up
        raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL)) from error
    with socket.socket(family, kind, proto) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
    return True
