"""The one error of ZITADEL's APIs: a word, a text, an ID. How it is written is the protocol's business.

Raised by the rules of ``world`` and by the management API alike.
"""


class ZitadelError(Exception):
    """An answer that is no success.

    ``code`` is the Connect word (``not_found``), ``text`` ZITADEL's English sentence or raw translation key,
    ``id`` its error ID; without one (field validation, unreadable bodies) the answer has no ``details``. A few of
    ZITADEL's errors have an empty ID, which is shown.
    """

    code = "unknown"

    def __init__(self, text: str, id: str | None = None) -> None:
        super().__init__(text if id is None else f"{text} ({id})")
        self.text = text
        self.id = id

    @property
    def message(self) -> str:
        """Text and ID, as all protocols show them."""
        return str(self)


class InvalidArgument(ZitadelError):
    """The request says something that cannot be."""

    code = "invalid_argument"


class NotFound(ZitadelError):
    """No such object, or no membership that would show it."""

    code = "not_found"


class AlreadyExists(ZitadelError):
    """A name or an ID is taken."""

    code = "already_exists"


class PermissionDenied(ZitadelError):
    """The caller's roles do not reach."""

    code = "permission_denied"


class ResourceExhausted(ZitadelError):
    """The request is too large."""

    code = "resource_exhausted"


class FailedPrecondition(ZitadelError):
    """The object, or one it depends on, is in another state or missing."""

    code = "failed_precondition"


class Unimplemented(ZitadelError):
    """The server has no such thing."""

    code = "unimplemented"


class Unauthenticated(ZitadelError):
    """No token, or not a good one."""

    code = "unauthenticated"


def taken(what: str) -> AlreadyExists:
    """A unique name is in use (ZITADEL: one ID for all kinds of objects)."""
    return AlreadyExists(what, "V3-DKcYh")
