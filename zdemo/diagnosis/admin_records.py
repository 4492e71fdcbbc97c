"""What only an administrator's PAT shows: the application behind a client ID, the user and the state of a PAT.

These are facts without a judgement. Times are epoch seconds; where a person reads one, ZITADEL's text is beside it.
"""

from dataclasses import dataclass

from zdemo.management.model import Application, Credential, Organization, Project, ProjectGrant, UserEvent

ID_LENGTH = 18  # digits of an ID that ZITADEL makes


@dataclass(frozen=True, kw_only=True)
class ClientRecords:
    """What a client ID belongs to: an application with its project and organization, as far as they are visible.

    ``keys`` are listed only when zdemo uses a key file. Without an application, ``instead`` names the object that has
    this ID as its own, and ``right`` is that object's client ID; ``meant`` is an application that may be meant.
    ``whole_instance``: the administrator sees everything, so what is not listed does not exist.
    """

    whole_instance: bool
    application: Application | None = None
    project: Project | None = None
    organization: Organization | None = None
    keys: tuple[Credential, ...] | None = None
    instead: str = ""
    right: str = ""
    meant: Application | None = None

    @property
    def all_visible(self) -> bool:
        """Whether the project and the organization of the application are visible too."""
        return self.project is not None and self.organization is not None


@dataclass(frozen=True, kw_only=True)
class GuestRecords:
    """A user's organization that does not own the project, and what gives it roles of the project: ``grant``, if any.

    ``organization`` are its ID and its name.
    """

    organization: tuple[str, str]
    project: Project
    grant: ProjectGrant | None


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
    pats: tuple[Credential, ...] | None
    events: tuple[UserEvent, ...] | None
    all_events: bool = True
    variable: str = "PAT"
    named_by: tuple[str, ...] = ("ZDEMO_PAT_USER_ID", "ZDEMO_PAT_ID")

    @property
    def pat(self) -> Credential | None:
        """The PAT itself, if it is still listed."""
        return next((pat for pat in self.pats or () if pat.id == self.pat_id), None)

    @property
    def id_bytes(self) -> int | None:
        """How many bytes are sealed in the PAT: its ID, ``:`` and its user's ID; ``None`` when that is unknown."""
        return (len(self.pat_id) or ID_LENGTH) + 1 + len(self.user_id) if self.user_id else None

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
