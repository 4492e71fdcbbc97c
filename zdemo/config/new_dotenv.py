"""A first ``.env``, the emulator's or one to fill in, and whether a file has the emulator's settings.

An existing file is compared, never changed. The emulator's secrets are public, and used on this machine alone.
"""

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from zdemo.config.address import ISSUER, is_loopback
from zdemo.config.dotenv_file import parse_dotenv, read_dotenv
from zdemo.config.environment import is_setting
from zdemo.config.file_io import NotAFileError, check_is_file, not_written
from zdemo.config.settings import API_URL
from zdemo.config.variables import EMULATOR_PORT, SECRETS, Variable, dotenv_text
from zdemo.errors import SettingsError

ZITADELS_PORT = 8080
PUBLIC = r"(?i)zdemo-?emulator.*known-?to-?everybody.*"


@dataclass(frozen=True, kw_only=True)
class DotenvDifferences:
    """The names of the settings that a file and a new ``.env`` would not have in common."""

    other_value: tuple[str, ...]
    not_set: tuple[str, ...]
    only_there: tuple[str, ...]
    sets_nothing: bool  # no variable at all, not even another program's


def skeleton() -> str:
    """Return the text of a ``.env`` to fill in."""
    return dotenv_text(
        "zdemo's settings. Options and environment variables win over this file.\n"
        "zdemo setup creates what is needed in your ZITADEL, and fills this in. zdemo doctor says what is missing.",
        lambda variable: f"{variable.name}=" if variable.to_fill_in else _proposed(variable),
    )


def emulator_text(port: int = EMULATOR_PORT, api_url: str = "") -> str:
    """Return the text of a ``.env`` for an emulator on this port, and for an API at ``api_url`` if that is given."""
    given = {ISSUER: f"http://localhost:{port}", API_URL: api_url}

    def line(variable: Variable) -> str:
        value = given.get(variable.name) or variable.emulator
        return f"{variable.name}={value}" if value else _proposed(variable)

    return dotenv_text(
        "The settings of zdemo's emulator (zdemo serve --emulator, zdemo emulator), as zdemo init --emulator writes "
        "them.\nIts secrets are public. Options and environment variables win over this file.",
        line,
    )


def _proposed(variable: Variable) -> str:
    return f"# {variable.name}={variable.example or variable.shown_default}"


def create_dotenv(path: Path, text: str) -> None:
    """Write a file for its owner alone, where nothing is.

    Raises FileExistsError if anything has the name, even a broken link, and SettingsError if it cannot be written.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(path, flags, 0o600)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(text.encode())
                stream.flush()
                os.fsync(stream.fileno())
        except BaseException:
            with suppress(OSError):
                os.unlink(path)
            raise
    except FileExistsError:
        raise
    except OSError as error:
        raise not_written(path, error) from None


def differences(path: Path, text: str) -> DotenvDifferences:
    """Compare the settings of a file with those of a new ``.env``; an empty one counts as not set.

    Raises SettingsError if the file cannot be read.
    """
    try:
        check_is_file(path.stat())
    except NotAFileError as error:
        raise SettingsError([f"{path} is {error.strerror}"], hint="name another file with --env-file") from None
    except OSError:
        pass  # which reading the file explains
    values = _set_in(read_dotenv(path))
    there = {name: value for name, value in values.items() if is_setting(name)}
    wanted = _set_in(parse_dotenv(text))
    return DotenvDifferences(
        other_value=tuple(name for name in wanted if there.get(name, wanted[name]) != wanted[name]),
        not_set=tuple(name for name in wanted if name not in there),
        only_there=tuple(name for name in there if name not in wanted),
        sets_nothing=not values,
    )


def _set_in(values: Mapping[str, str]) -> dict[str, str]:
    return {name: value.strip() for name, value in values.items() if value.strip()}


def is_public(value: str) -> bool:
    """Return whether a value is a secret or a token of the emulator, which everybody knows."""
    return re.fullmatch(PUBLIC, value.strip()) is not None


def usable_at(address: str, value: str) -> str:
    """Return the value, but nothing for a public one at another machine: the emulator runs on this one."""
    return "" if is_public(value) and not is_loopback(urlsplit(address).hostname or "") else value


def are_emulators(settings: Mapping[str, str]) -> bool:
    """Return whether settings have an address of this machine, and one of the emulator's secrets or tokens.

    The emulator may have any port; where ZITADEL itself listens, somebody has changed the address already.
    """
    try:
        address = urlsplit(settings.get(ISSUER, "").strip())
    except ValueError:
        return False
    is_here = is_loopback(address.hostname or "") and f":{ZITADELS_PORT}" not in address.netloc
    return is_here and any(is_public(settings.get(name, "")) for name in SECRETS)
