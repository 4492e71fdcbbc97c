"""Whether an exported administrator's PAT may be sent to the address that a ``.env`` names.

A ``.env`` in a copied folder must not collect it: it comes from the shell, and the file says where it would go.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from zdemo.config.environment import EXPORTED, Environment
from zdemo.config.parsers import is_loopback

ADMIN_PAT, ADDRESS = "ZITADEL_ADMIN_PAT", "ZITADEL_DOMAIN"


def why_withheld(environment: Environment, issuer: str) -> tuple[str, str] | None:
    """Return why the administrator's PAT is not sent to ``issuer``, and what to do; ``None`` when it may be.

    An address of this machine may have it: what listens here was started here.
    """
    place = environment.source(ADDRESS)
    from_file = environment.file is not None and place == str(environment.file)
    if not from_file or environment.source(ADMIN_PAT) != EXPORTED or is_loopback(urlsplit(issuer).hostname or ""):
        return None
    return (
        f"{ADMIN_PAT} is exported in this shell, but only {place} says where it goes, to {issuer}: it was not sent",
        f"if that is your ZITADEL: export {ADDRESS}={issuer}",
    )
