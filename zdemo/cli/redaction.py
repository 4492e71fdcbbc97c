"""What is never shown: secrets, in every form in which a server may send them back or a person may misplace them.

A module of its own because it knows only texts: what a command line or a setting holds that looks like a token, and
how the same characters look in base64, in a URL or in JSON.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from urllib.parse import quote

LEAST_SECRET = 8  # characters; shorter texts are no secrets, and would be found in every sentence
QUOTES = "\"'`\u2018\u2019\u201c\u201d"
LEAST_TOKEN_LIKE = 32  # characters; ZITADEL's shortest tokens have some 50, its client secrets 64
TOKEN_LIKE = re.compile(rf"eyJ[\w-]+\.[\w-]+\.[\w-]*|[A-Za-z0-9_~+-]{{{LEAST_TOKEN_LIKE},}}=*", re.ASCII)
BETWEEN = re.compile(rf"[\s=:/@,;?&{re.escape(QUOTES)}]+")


def token_like(text: str) -> list[str]:
    """What in a command line's argument, or in a setting, may be a token; nothing in a path of the file system."""
    if "/" in text and "://" not in text:
        return []
    return [piece for piece in BETWEEN.split(text) if TOKEN_LIKE.fullmatch(piece)]


class Redaction:
    """Replaces secrets in texts; of a long one, four characters stay at each end."""

    def __init__(self) -> None:
        self._shown: dict[str, str] = {}
        self._pattern: re.Pattern[str] | None = None

    def hide(self, *secrets: str) -> None:
        """Never show these from now on; blanks and quotes around them are no part of them."""
        from zdemo.config import masked  # here, since --help has nothing to hide

        for secret in secrets:
            bare = secret.strip().strip(QUOTES).strip()
            if len(bare) < LEAST_SECRET:
                continue
            self._shown |= dict.fromkeys(_forms(bare), "…")
            self._shown[bare.lower()] = masked(bare) if len(bare) >= LEAST_TOKEN_LIKE else "…"
        longest_first = sorted(self._shown, key=len, reverse=True)
        # Whatever the case: a host name comes back in small letters.
        self._pattern = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE) if longest_first else None

    def __call__(self, text: str) -> str:
        """The text without the secrets."""
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda found: self._shown.get(found[0].lower(), "…"), text)


def _forms(secret: str) -> Iterator[str]:
    """The encodings of a secret, in small letters."""
    yield quote(secret, safe="").lower()
    yield quote(secret, safe="").replace("%20", "+").lower()
    yield json.dumps(secret)[1:-1].lower()
    for at in range(3):
        text = _base64_from(secret.encode(errors="replace"), at)
        yield text.lower()
        yield text.translate(str.maketrans("+/", "-_")).lower()


def _base64_from(secret: bytes, at: int) -> str:
    """The characters of base64 that the secret alone determines when it begins ``at`` bytes into a group of three."""
    text = base64.b64encode(b"\0" * at + secret).decode()
    return text[(0, 2, 3)[at] : (at + len(secret)) * 8 // 6]


REDACTION = Redaction()
"""The one of this process: an error is shown by another screen than that of the command that read the settings."""
