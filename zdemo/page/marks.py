"""The mark on a request that the page sends: who is its caller, and a proof, so that no other program can claim it."""

import hmac
from hashlib import sha256

from zdemo.page.callers import CALLERS

PAGE_HEADER = "X-Zdemo-Page"  # says that the page sent a request, and as whom


def mark_of(key: str, caller: str) -> str:
    """Return the mark of a caller's request; ``key`` is that of this start."""
    return f"{caller} {proof_of(key, caller)}"


def proof_of(key: str, caller: str) -> str:
    """Return what proves a mark: nobody can make it without the key."""
    return hmac.new(key.encode(), f"the page sends this as {caller}".encode(), sha256).hexdigest()


def caller_of(key: str, mark: str) -> str:
    """Return the caller that a mark names; empty if it does not prove that the page sent the request."""
    caller, _, proof = mark.partition(" ")
    if caller not in CALLERS:
        return ""
    return caller if hmac.compare_digest(proof.encode("utf-8", "replace"), proof_of(key, caller).encode()) else ""
