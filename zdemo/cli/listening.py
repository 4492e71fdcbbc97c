"""What ``zdemo serve`` and ``zdemo emulator`` check before they listen."""

from __future__ import annotations

from zdemo.cli.screen import Screen
from zdemo.config.parsers import is_loopback
from zdemo.errors import UsageError, ZdemoError

EXPOSED = "the emulator's tokens are public: everyone who can reach {host} can use them"


def check_exposure(screen: Screen, host: str, *, expose: bool) -> None:
    """Refuse to run the emulator for other machines unless that was asked for."""
    if is_loopback(host):
        return
    if not expose:
        raise UsageError(EXPOSED.format(host="that address"), hint="stay on 127.0.0.1, or add --expose-emulator")
    screen.tell("warning: " + EXPOSED.format(host=host))


def check_port(host: str, port: int, command: str) -> None:
    """Refuse a port that is taken, or an address of another machine, before anything starts."""
    from zdemo.serving.production import port_is_free  # here, since a line of help needs no server

    try:
        free = port_is_free(host, port)
    except PermissionError:
        hint = f"choose one from 1024 on: {command} --port {port + 8000 if port < 1024 else 5000}"
        raise ZdemoError(f"cannot listen on port {port}: this user may not", hint=hint) from None
    except OSError:
        raise UsageError(
            f"--host is not an address of this machine: {host}", hint="try 127.0.0.1, or 0.0.0.0 for all"
        ) from None
    if not free:
        hint = f"stop what runs there, or choose another port: {command} --port {port + 1}"
        airplay = "; on macOS it is often the AirPlay receiver" if port == 5000 else ""
        raise ZdemoError(f"cannot listen on port {port} of {host}: it is taken{airplay}", hint=hint)
