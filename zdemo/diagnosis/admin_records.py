"""What only an administrator's PAT shows: the application behind a client ID, the user and the state of a PAT.

Facts without a judgement; what follows from them is said in ``recorded``. Times are epoch seconds, with the text that
ZITADEL wrote beside them where a person is to read it.
"""

from __future__ import annotations

from dataclasses import dataclass

from zdemo.management.model import UserEvent

ID_LENGTH = 18  # digits of an ID that ZITADEL makes


@dataclass(frozen=True, kw_only=True)
class KeyRecord:
    """A key or a PAT in a list of ZITADEL's. ``expires_at`` of ``None``: it could not be read."""

    id: str
    expires: str
    expires_at: float | None

    def is_over(self, now: float) -> bool:
        """Whether it has expired."""
        return self.expires_at is not None and self.expires_at <= now


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
class PatRecords:
    """The user of a PAT and, with the PAT's ID, the PAT.

    ``user`` is how a sentence names the user, ``user_id`` is empty when that is not known. ``state`` is ``ACTIVE``,
    ``INACTIVE``, ``LOCKED`` or ``REMOVED``. ``pat_id`` is empty when it is not known which of the user's PATs it is.
    ``events`` are ``None`` when the administrator may not read them, and ``all_events`` is false when older ones were
    left off. ``variable`` holds the PAT; ``named_by`` are the variables that hold the IDs.
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
        """How many characters the PAT has; ``None`` when its user's ID is not known.

        ZITADEL: 16 bytes of IV, the token's ID, ``:`` and the user's ID, base64url without padding.
        """
        if not self.user_id:
            return None
        size = 16 + (len(self.pat_id) or ID_LENGTH) + 1 + len(self.user_id)
        return -(-4 * size // 3)

    @property
    def all_known(self) -> bool:
        """Whether nothing can have happened since the PAT was made that the events do not show."""
        return self.events is not None and (
            self.all_events or self.last("user.pat.added", pat_id=self.pat_id) is not None
        )

    def last(self, *types: str, pat_id: str = "") -> UserEvent | None:
        """The latest event of these types, about this PAT if one is named."""
        found = [e for e in self.events or () if e.type in types and (not pat_id or e.pat_id == pat_id)]
        return max(found, key=lambda event: event.sequence, default=None)
