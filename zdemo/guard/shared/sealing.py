"""What is written to the store: sealed, so that it can neither be read nor be made up without the credentials.

The keys come from the API application's own credentials (HKDF), so a new client secret makes the old values unreadable.
Issuer, client ID and the name under which a value stands are authenticated with it (AES-GCM), so a value that is copied
elsewhere does not open. Each value has a key of its own, because random nonces allow some 2^32 values per key (NIST SP
800-38D §8.3).
"""

import hmac
import json
import os
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from zdemo.config.settings import Settings
from zdemo.errors.response import Response
from zdemo.zitadel.introspection_answer import Introspection, parse_introspection

FORMAT = b"zdemo shared 2"
TIMES = struct.Struct(">dd")
SALT_BYTES = 16
NONCE_BYTES = 12
LARGEST_VALUE_BYTES = 256 * 1024  # an answer with 500 roles takes 40 KiB
PADDING = 256  # so that the length says little about the roles


def _framed(*parts: bytes) -> bytes:
    """Join texts so that no two lists of them give the same result."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


class Sealer:
    """Names, seals and opens the values of one API application. Thread-safe."""

    def __init__(self, settings: Settings) -> None:
        secret = (settings.key.private_key if settings.key else settings.client_secret).encode()
        owner = _framed(FORMAT, settings.issuer.encode(), settings.client_id.encode())
        keys = HKDF(algorithm=SHA256(), length=64, salt=None, info=owner).derive(secret)
        self._naming_key, self._sealing_key = keys[:32], keys[32:]

    def name(self, what: bytes) -> str:
        """Return under which name something stands, such as the answer about the token with this hash."""
        return hmac.digest(self._naming_key, what, "sha256").hex()

    def seal_answer(self, name: str, answer: Introspection, *, asked_at: float, asked_at_wall: float) -> bytes | None:
        """Return the sealed answer that may stand under ``name``; ``None`` if it is too large.

        The question was sent at ``asked_at`` by the store's clock, and at ``asked_at_wall`` by the asker's (epoch).
        """
        text = json.dumps(dict(answer.claims), separators=(",", ":")).encode()
        value = self.seal("answer", name, TIMES.pack(asked_at, asked_at_wall) + text + b" " * (-len(text) % PADDING))
        return value if len(value) <= LARGEST_VALUE_BYTES else None

    def open_answer(self, name: str, value: bytes) -> tuple[Introspection, float, float]:
        """Return the answer under ``name``, and its two times. Raises ValueError, or UnusableAnswer."""
        text = self.open("answer", name, value)
        asked_at, asked_at_wall = TIMES.unpack_from(text)
        response = Response(status=200, headers={}, body=text[TIMES.size :], seconds=0, url="")
        return parse_introspection(response), asked_at, asked_at_wall

    def seal(self, kind: str, name: str, text: bytes) -> bytes:
        """Return a sealed text of a kind that may stand under ``name``."""
        salt, nonce = os.urandom(SALT_BYTES), os.urandom(NONCE_BYTES)
        return salt + nonce + self._cipher(salt).encrypt(nonce, text, _framed(kind.encode(), name.encode()))

    def open(self, kind: str, name: str, value: bytes) -> bytes:
        """Return the text of what stands under ``name``. Raises ValueError."""
        salt, nonce, sealed = value[:SALT_BYTES], value[SALT_BYTES:][:NONCE_BYTES], value[SALT_BYTES + NONCE_BYTES :]
        try:
            return self._cipher(salt).decrypt(nonce, sealed, _framed(kind.encode(), name.encode()))
        except (InvalidTag, ValueError):  # the second is for a nonce that is too short
            raise ValueError("it was not sealed for this place with these credentials") from None

    def _cipher(self, salt: bytes) -> AESGCM:
        return AESGCM(hmac.digest(self._sealing_key, salt, "sha256"))
