"""Whether an exported administrator's PAT may be sent to the address that a ``.env`` names.

A ``.env`` in a copied folder must not collect it: it comes from the shell, and the file says where it would go.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from zdemo.config.address import ZitadelAddress
from zdemo.config.environment import EXPORTED, Environment
from zdemo.config.parsers import is_loopback

ADMIN_PAT = "ZITADEL_ADMIN_PAT"


def why_withheld(environment: Environment, zitadel: ZitadelAddress) -> tuple[str, str] | None:
    """Return why the administrator's PAT is not sent to a ZITADEL, and what to do; ``None`` when it may be.

    What names the server that requests go to decides: ``ZITADEL_INTERNAL_URL`` where it is used. An address of this
    machine may have the PAT: what listens here was started here.
    """
    server, setting = zitadel.server, zitadel.setting
    place = environment.source(setting)
    from_file = environment.file is not None and place == str(environment.file)
    if not from_file or environment.source(ADMIN_PAT) != EXPORTED or is_loopback(urlsplit(server).hostname or ""):
        return None
    return (
        f"{ADMIN_PAT} is exported in this shell, but only {place} names the address, {server}, so it was not sent",
        f"if that is your ZITADEL: export {setting}={server}",
    )
