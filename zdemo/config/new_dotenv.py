"""A first ``.env``, the emulator's or one to fill in, and whether a file has the emulator's settings.

Only a skeleton that nobody changed is ever replaced. The emulator's secrets are public, and used on this machine alone.
"""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from zdemo.config.address import ADMIN_PAT, ISSUER, is_loopback
from zdemo.config.dotenv_file import Dotenv, read_dotenv
from zdemo.config.environment import KEY_FILE, is_setting
from zdemo.config.settings import API_URL
from zdemo.config.skeleton import proposed
from zdemo.config.variables import EMULATOR_PORT, SECRETS, Variable, dotenv_text, is_public
from zdemo.errors import SettingsError

ZITADELS_PORT = 8080
TO_BE_EQUAL = (ISSUER, "CLIENT_ID", "CLIENT_SECRET", "ZITADEL_PROJECT_ID", ADMIN_PAT)


def emulator_text(port: int = EMULATOR_PORT, api_url: str = "") -> str:
    """Return the text of a ``.env`` for an emulator on this port, and for an API at ``api_url`` if that is given."""
    given = {ISSUER: f"http://localhost:{port}", API_URL: api_url}

    def line(variable: Variable) -> str:
        value = given.get(variable.name) or variable.emulator
        return f"{variable.name}={value}" if value else proposed(variable)

    return dotenv_text(
        "The settings of zdemo's emulator (zdemo serve --emulator, zdemo emulator), as zdemo init --emulator writes "
        "them.\nIts secrets are public. Options and environment variables win over this file.",
        line,
    )


def settings_in(path: Path) -> dict[str, str]:
    """Return the settings that a ``.env`` sets; an empty one is not set. Raises SettingsError if it cannot be read."""
    values = read_dotenv(path)
    return {name: value.strip() for name, value in values.items() if value.strip() and is_setting(name)}


def has_emulators_settings(path: Path, port: int = EMULATOR_PORT) -> bool:
    """Return whether all commands work with the emulator on this port if they use this ``.env``."""
    try:
        values = settings_in(path)
    except SettingsError:
        return False
    wanted = Dotenv(emulator_text(port)).values
    return "PAT" in values and KEY_FILE not in values and all(values.get(name) == wanted[name] for name in TO_BE_EQUAL)


def usable_at(address: str, value: str) -> str:
    """Return the value, but nothing for a public one at another machine: the emulator runs on this one."""
    return "" if is_public(value) and not is_loopback(_host_in(address)) else value


def are_emulators(settings: Mapping[str, str]) -> bool:
    """Return whether settings have an address of this machine, not ZITADEL's port, and an emulator's secret."""
    address = settings.get(ISSUER, "")
    is_here = is_loopback(_host_in(address)) and f":{ZITADELS_PORT}" not in address
    return is_here and any(is_public(settings.get(name, "")) for name in SECRETS)


def _host_in(address: str) -> str:
    """Return the host in an address; empty where there is none."""
    try:
        return urlsplit(address.strip()).hostname or ""
    except ValueError:  # brackets that hold no IPv6 address
        return ""
