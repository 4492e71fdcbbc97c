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
LEAST_PIECE = 12  # characters of a secret that were cut off and are hidden still; fewer may be a word of a sentence
LEAST_TOKEN_LIKE = 32  # characters; ZITADEL's shortest tokens have some 50, its client secrets 64
QUOTES = "\"'`\u2018\u2019\u201c\u201d"
TOKEN_LIKE = rf"(?a:eyJ[\w-]+\.[\w-]+\.[\w-]*|[A-Za-z0-9_~+-]{{{LEAST_TOKEN_LIKE},}}=*)"  # compiled when needed
BETWEEN = rf"[\s=:/@,;?&{QUOTES}]+"


def token_like(text: str) -> list[str]:
    """What in a command line's argument, or in a setting, may be a token. Folders have long names, but tamer ones."""
    if len(text) < LEAST_TOKEN_LIKE and "eyJ" not in text:
        return []
    found = [piece for piece in re.split(BETWEEN, text) if re.fullmatch(TOKEN_LIKE, piece)]
    is_path = "/" in text and "://" not in text
    return [
        piece for piece in found if not is_path or all(re.search(kind, piece) for kind in ("[a-z]", "[A-Z]", "[0-9]"))
    ]


class Redaction:
    """Replaces secrets, and pieces of them, in texts; of a whole long one four characters stay at each end."""

    def __init__(self) -> None:
        self._shown: dict[str, str] = {}
        self._pieces: set[str] = set()

    def hide(self, *secrets: str) -> None:
        """Never show these from now on; blanks and quotes around them are no part of them."""
        from zdemo.environment import masked  # here, since --help has nothing to hide

        for secret in secrets:
            bare = secret.strip().strip(QUOTES).strip()
            if len(bare) < LEAST_SECRET:
                continue
            for form in _forms(bare):
                self._shown.setdefault(form.lower(), "…")
                self._pieces.update(form[at : at + LEAST_PIECE] for at in range(len(form) - LEAST_PIECE + 1))
            self._shown[bare.lower()] = masked(bare) if len(bare) >= LEAST_TOKEN_LIKE else "…"

    def __call__(self, text: str) -> str:
        """The text without the secrets."""
        if not self._shown:
            return text
        lowered = text.lower()  # whatever the case: a host name comes back in small letters
        found = sorted((form for form in self._shown if form in lowered), key=len, reverse=True)
        if found:
            pattern = re.compile("|".join(map(re.escape, found)), re.IGNORECASE)
            text = pattern.sub(lambda match: self._shown.get(match[0].lower(), "…"), text)
        return self._without_pieces(text)

    def _without_pieces(self, text: str) -> str:
        kept: list[str] = []
        begin = at = 0
        while at + LEAST_PIECE <= len(text):
            if text[at : at + LEAST_PIECE] not in self._pieces:
                at += 1
                continue
            kept += (text[begin:at], "…")
            while text[at : at + LEAST_PIECE] in self._pieces:
                at += 1
            begin = at = at + LEAST_PIECE - 1
        return "".join(kept) + text[begin:]


def _forms(secret: str) -> Iterator[str]:
    """A secret and its encodings."""
    quoted = quote(secret, safe="", errors="replace")
    yield from (secret, quoted, quoted.replace("%20", "+"), json.dumps(secret)[1:-1])
    for plain in {secret, quoted}:  # Basic credentials are form-encoded first (RFC 6749 §2.3.1)
        for at in range(3):
            text = _base64_from(plain.encode(errors="replace"), at)
            yield from (text, text.translate(str.maketrans("+/", "-_")))


def _base64_from(secret: bytes, at: int) -> str:
    """The characters of base64 that the secret alone determines when it begins ``at`` bytes into a group of three."""
    text = base64.b64encode(b"\0" * at + secret).decode()
    return text[(0, 2, 3)[at] : (at + len(secret)) * 8 // 6]


REDACTION = Redaction()
"""The one of this process: an error is shown by another screen than that of the command that read the settings."""
