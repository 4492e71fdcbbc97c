"""The one kind of error of ZITADEL's APIs: a code, a text and an ID. Each protocol writes it in its own form."""

from functools import partial
from typing import TypeVar

T = TypeVar("T")

# Connect's word -> gRPC's number and the HTTP status, which is the same in both protocols (ZITADEL)
CODES = {
    "unknown": (2, 500),
    "invalid_argument": (3, 400),
    "not_found": (5, 404),
    "already_exists": (6, 409),
    "permission_denied": (7, 403),
    "resource_exhausted": (8, 429),
    "failed_precondition": (9, 400),
    "unimplemented": (12, 501),
    "internal": (13, 500),
    "unauthenticated": (16, 401),
}


class ZitadelError(Exception):
    """An error answer: Connect's word, ZITADEL's text, and its error ID, without which there are no ``details``.

    ``reason`` is for the emulator's records alone. ``failed_attempts`` counts wrong passwords.
    """

    def __init__(
        self, text: str, id: str | None = None, *, code: str = "unknown", reason: str = "", failed_attempts: int = 0
    ) -> None:
        super().__init__(text if id is None else f"{text} ({id})")
        self.text, self.id, self.code, self.failed_attempts = text, id, code, failed_attempts
        self.reason = reason or str(self)


InvalidArgument = partial(ZitadelError, code="invalid_argument")  # a broken rule, whatever the state of the instance
NotFound = partial(ZitadelError, code="not_found")  # also a missing membership that would show an object
AlreadyExists = partial(ZitadelError, code="already_exists")
PermissionDenied = partial(ZitadelError, code="permission_denied")
ResourceExhausted = partial(ZitadelError, code="resource_exhausted")  # a request that is too large
FailedPrecondition = partial(ZitadelError, code="failed_precondition")  # something missing or in the wrong state
Unimplemented = partial(ZitadelError, code="unimplemented")
Unauthenticated = partial(ZitadelError, code="unauthenticated")
taken = partial(AlreadyExists, id="V3-DKcYh")  # a unique name that is in use: one ID for all kinds of objects (ZITADEL)


def unsupported(what: str) -> ZitadelError:
    """Return the error for what ZITADEL can do and the emulator cannot."""
    return Unimplemented(f"the zdemo emulator does not support {what}")


def existing(entity: T | None, error: ZitadelError) -> T:
    """Return an object, or raise the error if there is none."""
    if entity is None:
        raise error
    return entity
