"""The one kind of error of ZITADEL's APIs: a code, a text and an ID. Each protocol writes it in its own form."""


class ZitadelError(Exception):
    """An error answer.

    ``code`` is Connect's word (``not_found``), ``text`` is ZITADEL's English sentence or its raw translation key, and
    ``id`` is its error ID. Without an ID (field validation, unreadable bodies) the answer has no ``details``; a few of
    ZITADEL's errors have an empty ID, which is shown.
    """

    code = "unknown"

    def __init__(self, text: str, id: str | None = None) -> None:
        super().__init__(text if id is None else f"{text} ({id})")
        self.text = text
        self.id = id

    @property
    def message(self) -> str:
        """The text and the ID, as all protocols show them."""
        return str(self)


class InvalidArgument(ZitadelError):
    """A request that breaks a rule whatever the state of the instance."""

    code = "invalid_argument"


class NotFound(ZitadelError):
    """An object that does not exist, or a missing membership that would show it."""

    code = "not_found"


class AlreadyExists(ZitadelError):
    """A name or an ID that is taken."""

    code = "already_exists"


class PermissionDenied(ZitadelError):
    """A caller whose roles are too small."""

    code = "permission_denied"


class ResourceExhausted(ZitadelError):
    """A request that is too large."""

    code = "resource_exhausted"


class FailedPrecondition(ZitadelError):
    """An object, or one that it depends on, that is missing or in the wrong state."""

    code = "failed_precondition"


class Unimplemented(ZitadelError):
    """A request that the server does not support."""

    code = "unimplemented"


class Unauthenticated(ZitadelError):
    """A missing or bad token."""

    code = "unauthenticated"


def taken(text: str) -> AlreadyExists:
    """Return the error about a unique name that is in use (ZITADEL: one ID for all kinds of objects)."""
    return AlreadyExists(text, "V3-DKcYh")
