"""Whether an exported secret may be sent to the address that a ``.env`` names.

A ``.env`` in a copied folder must not collect it: it comes from the shell, and the file says where it would go.
"""

from urllib.parse import urlsplit

from zdemo.config.address import ZitadelAddress
from zdemo.config.environment import EXPORTED, Environment
from zdemo.config.origins import is_loopback

ADMIN_PAT = "ZITADEL_ADMIN_PAT"


def why_withheld(environment: Environment, zitadel: ZitadelAddress) -> tuple[str, str] | None:
    """Return why the administrator's PAT is not sent to a ZITADEL, and what to do; ``None`` when it may be.

    What names the server that requests go to decides: ``ZITADEL_INTERNAL_URL`` where it is used. An address of this
    machine may have the PAT: what listens here was started here.
    """
    server, setting = zitadel.server, zitadel.variable
    if not is_withheld(environment, ADMIN_PAT, setting=setting, address=server):
        return None
    place = environment.source(setting)
    return (
        f"{ADMIN_PAT} is exported in this shell, but only {place} names the address, {server}, so it was not sent",
        f"if that is your ZITADEL: export {setting}={server}",
    )


def is_withheld(environment: Environment, secret: str, *, setting: str, address: str) -> bool:
    """Return whether a secret is exported, and would go to another machine whose address only ``.env`` names."""
    from_file = environment.file is not None and environment.source(setting) == str(environment.file)
    return from_file and environment.source(secret) == EXPORTED and not is_loopback(urlsplit(address).hostname or "")
