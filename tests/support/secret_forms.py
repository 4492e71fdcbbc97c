"""How a secret may stand in a text that a server sends back, how a test finds one, and what ZITADEL's tokens look like.

Tokens are JWEs of five parts (RFC 7516) since v4.14; the content of those here is made up.
"""

import base64
import json
import random
from collections.abc import Callable, Iterator
from functools import cache
from urllib.parse import quote, quote_plus

from zdemo.emulator.token_texts import PAT_KEY_NAME, encoded

PIECE = 8  # characters of a secret that must not stand together

PAT = "Qz7_kT2vRw9-LmXb4NcJ8hGfY1sDpA6eUoV3iZt5yHq0WnKxB7rEjSgMlC2uOaIdF9PvTQk"
SECRET = "h8Kq2ZtXw5LmVn9RbJc4GyFs7DpAe1UoYi3WkTx6BrEjHgMlNu0OaIdSfPvQzC2X"
ADMIN = "Jx3-pW8sVb_Kd6LqYt9RmZc2HnGf5XaSo4UeTi7BwPj1MkQyDr0ElNvCuOgIhFz8AbVx5Tk"
ODD = 'p%q+r/s=t&u~"v\\w:x#y!Zabcdefghijklmnop0123456789QRSTUVWXY'  # what other servers' secrets may hold


def basic(client_id: str) -> Callable[[str], str]:
    """Return a function that makes Basic credentials of a secret, which are form-encoded first (RFC 6749 §2.3.1)."""
    return lambda secret: base64.b64encode(f"{client_id}:{quote_plus(secret)}".encode()).decode()


# JSON's own escapes are not here: texts are hidden before JSON is made of them, and after it is read
FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in small letters": str.lower,
    "in capitals": str.upper,
    "in a path": lambda secret: quote(secret, safe=""),
    "in a form": quote_plus,
    "in Basic credentials": basic("353545601679624705"),
    "in Basic credentials, one byte later": basic("3535456016796247051"),
    "in Basic credentials, two bytes later": basic("35354560167962470512"),
    "its beginning": lambda secret: secret[:25],
    "its middle": lambda secret: secret[20:45],
    "its end": lambda secret: secret[-11:],
    "eight characters": lambda secret: secret[30:38],
    "the beginning in small letters, behind a word": lambda secret: f"x-{secret[:30].lower()}",
    "the beginning of Basic credentials": lambda secret: basic("reader")(secret)[:40],
}


def leak(text: str, *secrets: str) -> str:
    """Return the first piece of a secret that can be read in a text; empty if there is none."""
    text = text.lower()
    return next((piece for secret in secrets for piece in _pieces(secret) if piece in text), "")


@cache
def _pieces(secret: str) -> frozenset[str]:
    """Return what can be read of a secret: pieces of it in clear and in a URL, and of its part of Basic credentials."""
    forms = (secret, quote(secret, safe=""), quote_plus(secret))
    texts = (*forms, *(basic(name)(secret)[8:-4] for name in ("a", "ab", "abc")))
    return frozenset(piece.lower() for text in texts for piece in _cut(text))


def _cut(text: str) -> Iterator[str]:
    return (text[at : at + PIECE] for at in range(len(text) - PIECE + 1))


SEALED_BYTES = {"PAT": 37, "access token": 62, "refresh token": 62, "session": 42, "code": 21}


def jwe(kind: str, *, id_length: int = 18, alg: str = "A256GCMKW") -> str:
    """Return a text of the form of such a token, the same each time; its user's ID has ``id_length`` characters."""
    content = random.Random(kind)  # noqa: S311  # no secret

    def part(size: int) -> str:
        return encoded(content.randbytes(size))

    names = {"alg": alg, "enc": "A256GCM", "iv": part(12), "kid": PAT_KEY_NAME, "tag": part(16)}
    if kind in ("access token", "code"):
        del names["kid"]
    header = encoded(json.dumps(names, separators=(",", ":")).encode())
    sealed = SEALED_BYTES[kind] + (0 if kind == "code" else id_length - 18)
    return ".".join((header, *map(part, (32, 12, sealed, 16))))
