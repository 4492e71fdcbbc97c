"""What only an administrator's PAT shows: the application behind a client ID, the user and the state of a PAT.

These are facts without a judgement. Times are epoch seconds; where a person reads one, ZITADEL's text is beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

from zdemo.management.model import UserEvent

ID_LENGTH = 18  # digits of an ID that ZITADEL makes


@dataclass(frozen=True, kw_only=True)
class KeyRecord:
    """An application key or a PAT as ZITADEL lists it; ``expires_at`` is ``None`` when it could not be read."""

    id: str
    expires: str
    expires_at: float | None

    def has_expired(self, now: float) -> bool:
        """Return whether its expiry has passed."""
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True, kw_only=True)
class ApplicationRecord:
    """An application with its project and organization.

    ``method`` is ZITADEL's name of the authentication method; empty means Basic, the default. ``project_active`` and
    ``organization_active`` are ``None`` when they are unknown. ``keys`` are listed only when zdemo uses a key file.
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
    """What a client ID belongs to.

    ``instead`` names the object that has this ID as its own, and ``right`` is that object's client ID.
    ``whole_instance``: the administrator sees everything, so what is not listed does not exist.
    """

    whole_instance: bool
    application: ApplicationRecord | None = None
    instead: str = ""
    right: str = ""


@dataclass(frozen=True, kw_only=True)
class PatRecords:
    """The user of a PAT and, when the PAT's ID is known, the PAT.

    ``user`` is the user's name in a sentence; ``user_id`` is empty when it is unknown. ``state`` is ``ACTIVE``,
    ``INACTIVE``, ``LOCKED`` or ``REMOVED``. ``pat_id`` is empty when it is unknown which of the user's PATs it is.
    ``events`` are ``None`` when the administrator may not read them; ``all_events`` is false when older ones are
    missing. ``variable`` holds the PAT, and ``named_by`` are the variables that hold the IDs.
    """

    user: str
    user_id: str
    state: str
    pat_id: str
    pats: tuple[KeyRecord, ...] | None
    events: tuple[UserEvent, ...] | None
    all_events: bool = True
    variable: str = "PAT"
    named_by: tuple[str, ...] = ("ZDEMO_PAT_USER_ID", "ZDEMO_PAT_ID")

    @property
    def pat(self) -> KeyRecord | None:
        """The PAT itself, if it is still listed."""
        return next((pat for pat in self.pats or () if pat.id == self.pat_id), None)

    @property
    def length(self) -> int | None:
        """How many characters the PAT has; ``None`` when its user's ID is unknown.

        ZITADEL: 16 bytes of IV, the token's ID, ``:`` and the user's ID, base64url without padding.
        """
        if not self.user_id:
            return None
        size = 16 + (len(self.pat_id) or ID_LENGTH) + 1 + len(self.user_id)
        return -(-4 * size // 3)

    @property
    def all_known(self) -> bool:
        """Whether the events show everything that happened since the PAT was made."""
        return self.events is not None and (
            self.all_events or self.last("user.pat.added", pat_id=self.pat_id) is not None
        )

    def last(self, *types: str, pat_id: str = "") -> UserEvent | None:
        """Return the latest event of these types, about one PAT if its ID is given."""
        events = [e for e in self.events or () if e.type in types and (not pat_id or e.pat_id == pat_id)]
        return max(events, key=lambda event: event.sequence, default=None)
