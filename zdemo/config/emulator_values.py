"""The emulator's settings, whose secrets are public: whether a ``.env`` has them, and where they can be used."""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from zdemo.config.origins import is_loopback
from zdemo.text.masking import SECRET_SETTINGS

ZITADELS_PORT = 8080
PUBLIC = r"(?i)zdemo-?emulator.*known-?to-?everybody.*"


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
        address = urlsplit(settings.get("ZITADEL_DOMAIN", "").strip())
    except ValueError:
        return False
    is_here = is_loopback(address.hostname or "") and f":{ZITADELS_PORT}" not in address.netloc
    return is_here and any(is_public(settings.get(name, "")) for name in SECRET_SETTINGS)
