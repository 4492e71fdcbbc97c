"""The tokens in the settings, or none at all, for a run that creates and changes nothing."""

from __future__ import annotations

from zdemo.verify.case import Needs
from zdemo.verify.issuer import Person


class ConfiguredIssuer:
    """The tokens in the settings. Nothing is created or changed."""

    def __init__(self, pat: str, visitor_pat: str) -> None:
        self._pat, self._visitor_pat = pat, visitor_pat
        offers = {Needs.TOKEN: pat, Needs.VISITOR: pat and visitor_pat}
        self.short_life_seconds = 0.0
        self.offers = frozenset(need for need, token in offers.items() if token)

    def person(self, *roles: str, seconds: float | None = None) -> Person:  # noqa: ARG002  # as in Issuer
        """Return the configured user, with the role or without it."""
        return Person(user_id="", token=self._pat if roles else self._visitor_pat)

    def session(self, role: str) -> str:
        """Refuse, since no case may ask for this without an administrator."""
        raise NotImplementedError(role)

    elsewhere = session

    def stranger(self, role: str) -> Person:
        """Refuse, as above."""
        raise NotImplementedError(role)

    def expired(self, *roles: str) -> Person:
        """Refuse, as above."""
        raise NotImplementedError(roles)

    def change(self, what: str, person: Person) -> None:
        """Refuse, as above."""
        raise NotImplementedError(what, person)
