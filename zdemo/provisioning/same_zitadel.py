"""Whether this is the ZITADEL that ``.env`` tells of. Pure.

A module of its own because setup and teardown must both stop before they take the IDs of one ZITADEL for another's:
what they do not find there would pass for gone, and nothing would know any more of what is still where it was made.
"""

from __future__ import annotations

from zdemo.errors import ZdemoError
from zdemo.provisioning.env_file import EnvFile
from zdemo.provisioning.names import NOTES

OWN_NOTES = tuple(name for name in NOTES if name.startswith("ZDEMO_SETUP_"))  # the others may be written by hand


def domain_line(written: str, issuer: str) -> str:
    """``ZITADEL_DOMAIN`` as it stands in ``.env`` when that says the same, else the issuer."""
    same = written.rstrip("/").lower() in (issuer.lower(), issuer.removeprefix("https://").lower())
    return written if same else issuer


def check_place(env: EnvFile, place: str, issuer: str) -> None:
    """For when nothing of what ``env`` knows is at ``issuer``. Raises ZdemoError when it was made at another ``place``.

    One ZITADEL may have two addresses; then what was made is found there, and this is not asked.
    """
    known = any(env.get(name) for name in OWN_NOTES)
    if not known or not place or domain_line(place, issuer) == place:
        return
    raise ZdemoError(
        f"what setup wrote down in {env.path} was made at {place}, and nothing of it is at {issuer}",
        hint=f"add --domain {place}, or choose another file by --env-file; if that ZITADEL is gone for good, set "
        f"ZITADEL_DOMAIN, and ZDEMO_SETUP_ZITADEL if it is there, to {issuer} in {env.path}; nothing was changed",
    )
