"""Texts of the forms that ZITADEL's tokens have since v4.14: a JWE of five parts (RFC 7516), with made-up content."""

import base64
import json
import random

SEALED_BYTES = {"PAT": 37, "access token": 62, "refresh token": 62, "session": 42, "code": 21}


def jwe(kind: str, *, id_length: int = 18, alg: str = "A256GCMKW", enc: str = "A256GCM", kid: str = "oidcKey") -> str:
    """Return a text of the form of such a token, the same each time; its user's ID has ``id_length`` characters."""
    content = random.Random(kind)  # noqa: S311  # no secret

    def part(size: int) -> str:
        return _encoded(content.randbytes(size))

    names = {"alg": alg, "enc": enc, "iv": part(12), "kid": kid, "tag": part(16)}
    if kind in ("access token", "code"):
        del names["kid"]
    header = _encoded(json.dumps(names, separators=(",", ":")).encode())
    sealed = SEALED_BYTES[kind] + (0 if kind == "code" else id_length - 18)
    return ".".join((header, *map(part, (32, 12, sealed, 16))))


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
