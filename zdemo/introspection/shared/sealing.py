"""What is written to the store: sealed, so that it can neither be read nor be made up without the credentials.

The keys come from the API application's own credentials (HKDF). So the APIs of one application share answers, others
cannot read them, and a new client secret makes the old values unreadable. Issuer, client ID, the name under which a
value stands and its times are authenticated with it (AES-GCM), so a value that is copied elsewhere does not open.

There is a key for each day: random nonces allow some 2^32 values per key (NIST SP 800-38D §8.3).
"""

import hmac
import json
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from zdemo.config.settings import Settings
from zdemo.errors import UnusableAnswer
from zdemo.http.response import Response
from zdemo.introspection.model import UNAMBIGUOUS, Introspection, parse_introspection

FORMAT = b"zdemo shared 1"
HEADER = struct.Struct(">BQQ")  # version, when the question was sent (microseconds), the answer's Date (seconds)
VERSION = 1
NONCE_BYTES = 12
TAG_BYTES = 16
DAY_MICROSECONDS = 86_400 * 10**6
LARGEST_VALUE_BYTES = 256 * 1024  # an answer with 500 roles takes 40 KiB
LARGEST_ORDER_BYTES = 2048
PADDING = 256  # so that the length says little about the roles


class Unbelievable(ValueError):
    """A value of the store that does not open, or does not hold what it must."""


@dataclass(frozen=True, kw_only=True)
class StoredAnswer:
    """An answer from the store. Times are epoch seconds: by the store's clock, and by ZITADEL's."""

    asked_at: float
    dated_at: float
    introspection: Introspection


def _framed(*parts: bytes) -> bytes:
    """Join texts so that no two lists of them give the same result."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


class Sealer:
    """Names, seals and opens the values of one API application. Thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self._secret = (settings.key.private_key if settings.key else settings.client_secret).encode()
        self._owner = settings.issuer.encode(), settings.client_id.encode()
        self._naming_key = self._derived(b"names")
        self._cipher = lru_cache(maxsize=8)(lambda kind, day: AESGCM(self._derived(kind, str(day).encode())))

    def _derived(self, *purpose: bytes) -> bytes:
        info = _framed(FORMAT, *self._owner, *purpose)
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(self._secret)

    def name(self, what: bytes) -> str:
        """Return under which name something stands, such as the answer about the token with this hash."""
        return hmac.digest(self._naming_key, what, "sha256").hex()

    def seal_answer(self, name: str, answer: StoredAnswer) -> bytes | None:
        """Return the sealed answer that may stand under ``name``; ``None`` if it is too large."""
        text = json.dumps(dict(answer.introspection.claims), separators=(",", ":")).encode()
        value = self._seal(b"answer", name, answer.asked_at, answer.dated_at, text + b" " * (-len(text) % PADDING))
        return value if len(value) <= LARGEST_VALUE_BYTES else None

    def open_answer(self, name: str, value: bytes) -> StoredAnswer:
        """Open what stands under ``name``. Raises Unbelievable."""
        asked_at, dated_at, text = self._open(b"answer", name, value, most=LARGEST_VALUE_BYTES)
        try:
            introspection = parse_introspection(Response(status=200, headers={}, body=text, seconds=0, url=""))
        except UnusableAnswer:
            raise Unbelievable("it is not an introspection answer") from None
        return StoredAnswer(asked_at=asked_at, dated_at=dated_at, introspection=introspection)

    def seal_order(self, name: str, at: float, message: Mapping[str, Any]) -> bytes:
        """Return a sealed order of this moment, by the store's clock."""
        return self._seal(b"order", name, at, 0, json.dumps(message).encode())

    def open_order(self, name: str, value: bytes) -> tuple[float, dict[str, Any]]:
        """Return an order and its moment. Raises Unbelievable."""
        at, _, text = self._open(b"order", name, value, most=LARGEST_ORDER_BYTES)
        try:
            message = UNAMBIGUOUS.decode(text.decode())
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            raise Unbelievable("it is not an order")
        return at, message

    def _seal(self, kind: bytes, name: str, at: float, dated_at: float, text: bytes) -> bytes:
        header = HEADER.pack(VERSION, round(at * 10**6), max(0, int(dated_at)))
        nonce = os.urandom(NONCE_BYTES)
        return header + nonce + self._cipher_at(kind, header).encrypt(nonce, text, self._bound(kind, name, header))

    def _open(self, kind: bytes, name: str, value: bytes, *, most: int) -> tuple[float, float, bytes]:
        if not HEADER.size + NONCE_BYTES + TAG_BYTES <= len(value) <= most or value[0] != VERSION:
            raise Unbelievable("it has another format")
        header, rest = value[: HEADER.size], value[HEADER.size :]
        _, microseconds, dated_at = HEADER.unpack(header)
        try:
            text = self._cipher_at(kind, header).decrypt(
                rest[:NONCE_BYTES], rest[NONCE_BYTES:], self._bound(kind, name, header)
            )
        except InvalidTag:
            raise Unbelievable("it was not sealed for this place with these credentials") from None
        return microseconds / 10**6, float(dated_at), text

    def _cipher_at(self, kind: bytes, header: bytes) -> AESGCM:
        return self._cipher(kind, HEADER.unpack(header)[1] // DAY_MICROSECONDS)

    def _bound(self, kind: bytes, name: str, header: bytes) -> bytes:
        return _framed(FORMAT, kind, *self._owner, name.encode(), header)
