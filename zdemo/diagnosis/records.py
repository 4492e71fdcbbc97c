"""What only an administrator's PAT shows: the application behind a client ID, the user and the state of a PAT.

Facts without a judgement; what follows from them is said in ``recorded``. Times are epoch seconds, with the text that
ZITADEL wrote beside them where a person is to read it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class KeyRecord:
    """A key or a PAT in a list of ZITADEL's. ``expires_at`` of ``None``: it could not be read."""

    id: str
    expires: str
    expires_at: float | None


@dataclass(frozen=True, kw_only=True)
class ApplicationRecord:
    """An application and what it stands in. ``method`` is ZITADEL's word; empty is Basic, the default.

    ``project_active`` and ``organization_active`` are ``None`` when that could not be learned. ``keys`` are listed
    only when we have a key file.
    """

    id: str
    name: str
    active: bool
    method: str
    changed_since_creation: bool
    project_id: str = ""
    project_name: str = ""
    project_active: bool | None = None
    organization_name: str = ""
    organization_active: bool | None = None
    keys: tuple[KeyRecord, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class ClientRecords:
    """The answer to: what is this client ID? ``instead``: what has it as its own ID; ``right``: the client ID meant.

    ``whole_instance``: the administrator sees everything, so that what is not there does not exist.
    """

    whole_instance: bool
    application: ApplicationRecord | None = None
    instead: str = ""
    right: str = ""


@dataclass(frozen=True, kw_only=True)
class UserEvent:
    """What happened to a user: ZITADEL's word for it, when, and the PAT concerned."""

    type: str
    when: str
    sequence: int
    pat_id: str = ""


@dataclass(frozen=True, kw_only=True)
class PatRecords:
    """The user of a PAT and, with the PAT's ID, the PAT.

    ``state`` is ``ACTIVE``, ``INACTIVE``, ``LOCKED`` or ``REMOVED``.
    ``pat_id`` is empty when it is not known which of the user's PATs it is. ``events`` are ``None`` when the
    administrator may not read them.
    """

    user: str
    state: str
    pat_id: str
    pats: tuple[KeyRecord, ...] | None
    events: tuple[UserEvent, ...] | None

    @property
    def pat(self) -> KeyRecord | None:
        """The PAT itself, if it is still listed."""
        return next((pat for pat in self.pats or () if pat.id == self.pat_id), None)

    def last(self, *types: str, pat_id: str = "") -> UserEvent | None:
        """The latest event of these types, about this PAT if one is named."""
        found = [e for e in self.events or () if e.type in types and (not pat_id or e.pat_id == pat_id)]
        return max(found, key=lambda event: event.sequence, default=None)
