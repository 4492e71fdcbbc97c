"""A first ``.env``: the emulator's settings, or a skeleton to fill in. An existing file is compared, never changed."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from zdemo.config.dotenv_file import parse_dotenv, read_dotenv
from zdemo.config.environment import is_setting
from zdemo.config.files import NotAFileError, check_is_file, not_written
from zdemo.config.packaged import EXAMPLE, packaged_text
from zdemo.config.settings import API_URL, DEFAULT_API_URL, EXAMPLE_DOMAIN, EXAMPLE_INTERNAL_URL
from zdemo.errors import SettingsError

EMULATOR_PORT = 8484  # as in zdemo.emulator

SKELETON = f"""\
# zdemo's settings. Options and environment variables win over this file.
# zdemo setup creates what is needed in your ZITADEL, and fills this in. zdemo doctor says what is missing.

# The address of your ZITADEL, exactly as in its issuer: scheme, host and port.
# For example {EXAMPLE_DOMAIN}
ZITADEL_DOMAIN=
# Where to connect in its place, from a container or inside a cluster. Requests still name the host above.
# ZITADEL_INTERNAL_URL={EXAMPLE_INTERNAL_URL}

# The API application's client credentials (authentication method Basic).
CLIENT_ID=
CLIENT_SECRET=
# The key file of an application with the authentication method private_key_jwt. It wins over the two above.
# ZITADEL_KEY_FILE=key.json

# The project. If it is set, the token must be meant for it, and the roles are read from its own claim.
ZITADEL_PROJECT_ID=

# The token that `zdemo call` and `zdemo introspect` send: of a user who has the role.
PAT=
# The token of a user who does not have the role.
ZDEMO_VISITOR_PAT=

# The client credentials of a service account, for `zdemo token`. The client ID is the login name.
# ZDEMO_USER_CLIENT_ID=
# ZDEMO_USER_CLIENT_SECRET=
# A service account's key file. It wins over the two above.
# ZDEMO_USER_KEY_FILE=user-key.json

# An administrator's token, for `zdemo role`, `zdemo doctor` and the page. Set it while you use it.
# ZITADEL_ADMIN_PAT=

# Where `zdemo call` and `zdemo role` find the API.
# ZDEMO_API_URL=http://127.0.0.1:5000

# How many seconds the API may reuse ZITADEL's answer: the longest time a removed role or deleted token can still pass.
# ZDEMO_CACHE_TTL=5
# A Redis or Valkey in which workers and machines share these answers; it needs the package redis.
# ZDEMO_CACHE_URL=redis://localhost:6379

# How many seconds one introspection may take in all.
# ZDEMO_TIMEOUT=5

# The status for a valid token without the role: 401 as in ZITADEL's example, or 403 as RFC 6750 recommends.
# ZDEMO_ROLE_DENIED_STATUS=401

# 1 lets tokens and secrets travel over plain http to hosts other than this machine.
# ZDEMO_ALLOW_HTTP=0
"""


@dataclass(frozen=True, kw_only=True)
class DotenvDifferences:
    """The names of the settings that a file and a new ``.env`` would not have in common."""

    other_value: tuple[str, ...]
    not_set: tuple[str, ...]
    only_there: tuple[str, ...]
    sets_nothing: bool  # no variable at all, not even another program's


def emulator_text(port: int = EMULATOR_PORT, api_url: str = "") -> str:
    """Return the text of a ``.env`` for an emulator on this port, and for an API at ``api_url`` if that is given."""
    text = packaged_text(EXAMPLE).replace(f"http://localhost:{EMULATOR_PORT}", f"http://localhost:{port}")
    return text.replace(f"# {API_URL}={DEFAULT_API_URL}", f"{API_URL}={api_url}") if api_url else text


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
