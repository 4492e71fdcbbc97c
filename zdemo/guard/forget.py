"""An order to forget answers: those about one user, about one token, or all."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Self

from zdemo.text.masking import without_tokens
from zdemo.zitadel.introspection_answer import Introspection

LONGEST_USER_ID = 200  # characters, as in ZITADEL
HASH_BYTES = 64  # BLAKE2b's own: asking for fewer makes it a third slower


def hash_of(token: str) -> bytes:
    """Return what stands for a token in caches and orders: BLAKE2b, which a warm request gets sooner than SHA-256."""
    return blake2b(token.encode("utf-8", "surrogatepass")).digest()


@dataclass(frozen=True, kw_only=True)
class Forget:
    """An order with one of the three. It holds the token's hash, never the token. Raises ValueError."""

    user_id: str | None = None
    token_hash: bytes | None = None
    everything: bool = False

    def __post_init__(self) -> None:
        if (self.user_id is not None) + (self.token_hash is not None) + (self.everything is True) != 1:
            raise ValueError("name one of user_id, token and everything")
        if self.user_id is not None and not 0 < len(self.user_id) <= LONGEST_USER_ID:
            raise ValueError(f"user_id must have 1 to {LONGEST_USER_ID} characters")
        if self.token_hash is not None and len(self.token_hash) != HASH_BYTES:
            raise ValueError(f"the hash of a token must have {HASH_BYTES} bytes")

    def names(self, answer: Introspection) -> bool:
        """Tell whether an order without a token is about this answer. An inactive one may be about any user.

        People also give a login name as the ID: one answer more is then forgotten, and none kept by mistake.
        """
        return self.everything or not answer.active or self.user_id in (answer.text("sub"), answer.text("username"))

    def outcome(self, count: int) -> str:
        """Return in words that so many answers were forgotten."""
        answers = f"forgot {count} answer{'' if count == 1 else 's'}"
        if self.everything:
            return f"{answers}: all of them"
        return f"{answers} about {f'user {without_tokens(self.user_id)}' if self.user_id is not None else 'a token'}"

    def to_message(self) -> dict[str, Any]:
        """Return the order as JSON for other processes."""
        named = {"user_id": self.user_id, "token_hash": self.token_hash and self.token_hash.hex()}
        return {name: value for name, value in named.items() if value is not None} or {"everything": True}

    @classmethod
    def from_message(cls, message: Mapping[Any, Any]) -> Self:
        """Read what ``to_message`` returned. Raises ValueError for anything else."""
        match list(message.items()):
            case [("user_id", str(user_id))]:
                return cls(user_id=user_id)
            case [("token_hash", str(digits))]:
                return cls(token_hash=bytes.fromhex(digits))
            case [("everything", True)]:
                return cls(everything=True)
        raise ValueError("not an order to forget")
