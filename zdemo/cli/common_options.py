"""The options that several commands share, and what their values must be."""

import errno
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from zdemo.cli.screen import Screen
from zdemo.cli.usage import OUTPUT_GROUP, SETTINGS_GROUP, flag, option, option_of
from zdemo.errors import SettingsError, UsageError, ZdemoError

EXPOSED = "the emulator's tokens are public: everyone who can reach {host} can use them"
ASK = "\x00ask"  # stands for a bare --pat; a command line cannot hold a NUL
HIGHEST_PORT = 65535
SAME_PORT = "the API and the emulator have the same port: {}"


def _token(what: str, name: str, setting: str) -> Any:
    text = f"{what} - reads it from standard input; {name} at the end of the line, without a value, asks for it."
    return option_of(setting, "TEXT", text, name)


Pat = Annotated[str | None, _token("The token.", "--pat", "PAT")]
Caller = Annotated[Literal["reader", "visitor"] | None, option("USER", "Whose token: reader (PAT) or visitor.", "--as")]
AdminPat = Annotated[str | None, _token("An administrator's token.", "--admin-pat", "ZITADEL_ADMIN_PAT")]
ADMIN_KEY = "A key file of an administrator's service account, instead of a PAT."
AdminKey = Annotated[str | None, option("FILE", ADMIN_KEY, panel=SETTINGS_GROUP)]
EnvFile = Annotated[Path | None, option("FILE", "Use this file instead of .env.", "--env-file", panel=SETTINGS_GROUP)]
Json = Annotated[bool, flag("Print one JSON document on standard output.", "--json", panel=OUTPUT_GROUP)]
JUNIT = "Write a JUnit report for CI; - is standard output."
Junit = Annotated[str | None, option("FILE", JUNIT, "--junit", panel=OUTPUT_GROUP)]
port_option = partial(option, "PORT", shows_default=True, min=1, max=HIGHEST_PORT)
Host = Annotated[str, option("ADDRESS", "The address to listen on.", shows_default=True)]
Port = Annotated[int, port_option("The port to listen on.")]
Expose = Annotated[bool, flag("Let other machines reach the emulator and its public tokens.", "--expose-emulator")]


def split_url(text: str) -> tuple[str, str]:
    """Return origin and path of a URL; both may be wrong. ``urlsplit`` raises errors of its own."""
    _, origin, path = re.split(r"^((?:[^/]*:/+)?[^/?#]*)", text, maxsplit=1)
    return origin, path if path.startswith("/") else f"/{path}"


def check_address(option: str, text: str, environment: Mapping[str, str], *, path: str = "") -> str:
    """Return the origin of an API that an option gives, with a ``path``; the hint is the corrected address."""
    from zdemo.config.environment import COMMAND_LINE, Environment  # here, because help checks nothing
    from zdemo.config.names import with_path
    from zdemo.config.settings import API_URL, ClientSettings
    from zdemo.config.variables import DEFAULT_API_URL

    if not text.strip():
        raise UsageError(f"{option} names no host", hint=f"give an address, for example {DEFAULT_API_URL}{path}")
    layers = {COMMAND_LINE: {API_URL: text}, "": {"ZDEMO_ALLOW_HTTP": environment.get("ZDEMO_ALLOW_HTTP", "")}}
    try:
        return ClientSettings.from_env(Environment(layers, options={API_URL: option})).api_url
    except SettingsError as error:
        problems = [problem for problem in error.problems if API_URL in problem.names]
        if not problems:  # a setting is wrong, not the option
            raise
        raise UsageError("; ".join(map(str, problems)), hint=with_path(error.steps, option, path)) from None


def check_exposure(screen: Screen, host: str, *, expose: bool) -> None:
    """Refuse to run the emulator for other machines unless that was asked for."""
    from zdemo.config.address import is_loopback

    if is_loopback(host):
        return
    if not expose:
        raise UsageError(EXPOSED.format(host="that address"), hint="stay on 127.0.0.1, or add --expose-emulator")
    screen.warn(EXPOSED.format(host=host))


@contextmanager
def port_explained(host: str, port: int, option: str = "--port", *, emulator: int = 0) -> Iterator[None]:
    """Say why the block cannot listen on ``host:port``; options give the port and, with an ``emulator``, its port."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            airplay = ", often by the AirPlay receiver" if port == 5000 and sys.platform == "darwin" else ""
            message = f"cannot listen on port {port} of {host}: it is taken{airplay}"
            from zdemo.serving.listening import listen  # here, because help needs no server

            hint, other = "stop what runs there, or choose another port:", emulator
            for place, taken, name in ((host, port, option), ("localhost", emulator, "--emulator-port")):
                for free in (*range(taken, HIGHEST_PORT + 1), taken - 1):
                    with suppress(OSError), listen(place, free):
                        if free != other:
                            break
                hint += f" {name} {free}" if free != taken else ""
                other = free
        elif isinstance(error, PermissionError):
            message = f"cannot listen on port {port}: this user has no permission"
            hint = f"choose one from 1024 on: {option} {port + 8000 if port < 1024 else 5000}"
        elif error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            message = f"--host is not an address of this machine: {host}"
            raise UsageError(message, hint="try 127.0.0.1, or 0.0.0.0 for all") from None
        else:
            raise
        raise ZdemoError(message, hint=hint) from None
