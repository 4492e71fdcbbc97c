"""Where ZITADEL is: its issuer, and the address to connect to in its place, for containers and clusters.

A ``.env`` in a copied folder must not collect an exported secret: it comes from the shell, and the file says where it
would go.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from zdemo.config.environment import EXPORTED, Environment
from zdemo.config.origins import is_loopback

ISSUER, INTERNAL_URL = "ZITADEL_DOMAIN", "ZITADEL_INTERNAL_URL"
ADMIN_PAT = "ZITADEL_ADMIN_PAT"


@dataclass(frozen=True)
class ZitadelAddress:
    """The issuer, and where its requests go instead, if that is set; both are origins without a slash at the end.

    ``issuer_setting`` is what gave the issuer, as messages name it: the variable or an option.
    """

    issuer: str
    internal_url: str | None = None
    issuer_setting: str = ISSUER

    def __str__(self) -> str:
        return f"{self.issuer} at {self.internal_url}" if self.internal_url else self.issuer

    @property
    def server(self) -> str:
        """The origin that requests go to."""
        return self.internal_url or self.issuer

    @property
    def variable(self) -> str:
        """The variable that holds ``server``."""
        return INTERNAL_URL if self.internal_url else ISSUER

    @property
    def setting(self) -> str:
        """What gave ``server``, as messages name it."""
        return INTERNAL_URL if self.internal_url else self.issuer_setting


def unused_internal_url(environment: Environment) -> str:
    """Return why ``ZITADEL_INTERNAL_URL`` is not used, though it is set; empty when it is used.

    A ``.env`` cannot redirect what is meant for an exported ``ZITADEL_DOMAIN``. Nor does it count for an option or a
    variable that names another ZITADEL than the place it comes from.
    """
    place, stronger = environment.source(INTERNAL_URL), environment.source(ISSUER)
    if place in ("", stronger) or (stronger != EXPORTED and ISSUER not in environment.shadowed):
        return ""
    if environment.file is None or place != str(environment.file):
        return f"{INTERNAL_URL} is not used: {environment.setting(ISSUER)} names another ZITADEL: export both to use it"
    why = f"{INTERNAL_URL} in {place} is not used, because {environment.setting(ISSUER)} comes from {stronger}"
    return f"{why}: export both" + (f", or unset {ISSUER}" if stronger == EXPORTED else "")


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
