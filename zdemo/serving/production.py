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
MOST_CONNECTIONS = 16_384  # of one worker; silent ones count, so the bound is far above what one client opens
SPARE_FILES = 256  # of those that a process may open: what is no connection of a client
KILL_SECONDS = 10  # how long a worker may take to stop


def _take_interrupts_as_sigterm(main: int) -> None:
    """Ends the thread ``main``, by its identity, on Ctrl-C, as long as all threads block SIGINT."""
    while signal.sigwait([signal.SIGINT]):
        signal.pthread_kill(main, signal.SIGTERM)  # that thread: any other would not wake it from its waiting


def _connections() -> int:
    """How many connections a worker may hold; raises this process's limit of open files for that, if it can.

    Granian holds 1024 by default, and a client that opens as many and says nothing would keep everybody else waiting.
    """
    try:
        import resource  # not on Windows, where there is no such limit

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = MOST_CONNECTIONS + SPARE_FILES
        allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        if soft != resource.RLIM_INFINITY and soft < allowed:
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))  # workers inherit it
        return max(SPARE_FILES, allowed - SPARE_FILES)
    except (ImportError, ValueError, OSError):
        return MOST_CONNECTIONS


def serve_forever(build: Callable[[str], WSGIApp], *, host: str, port: int, workers: int, threads: int) -> None:
    """Serve until SIGINT or SIGTERM; requests that are being answered are finished first.

    Ctrl-C on a terminal goes to the whole process group. A worker of Granian that gets it, and SIGTERM from its parent
    a moment later, does not stop and is waited for until it is killed: so workers get none, and here it is SIGTERM.

    ``build`` makes the application, once in each worker process, so it must be picklable; its argument is the
    process title. ``threads`` is per worker.
    """
    from granian import Granian  # here, since commands that serve nothing do not load it
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings

    # A forked worker would inherit locks that threads of this process hold: an emulator may run here.
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
    resource_tracker.ensure_running()  # a helper of processes that are started; starting it unblocks SIGINT
    with interrupts_blocked():
        if hasattr(signal, "sigwait"):
            main = threading.get_ident()
            threading.Thread(target=_take_interrupts_as_sigterm, args=(main,), name="interrupts", daemon=True).start()
        server.serve(target_loader=build)


def port_is_free(host: str, port: int) -> bool:
    """Whether ``host:port`` can be listened on now. Granian would share a taken port in silence, so ask first.

    Raises:
        PermissionError: this user may not listen on that port.
        OSError: the host is not one of this machine.
    """
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except UnicodeError as error:  # what no host name can be, Python refuses before it is looked up
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
