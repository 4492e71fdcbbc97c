"""What is never shown: secrets, in every form in which a server may repeat them."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from urllib.parse import quote

LEAST_SECRET = 8  # characters; shorter texts stand in every sentence
LONGEST_SECRET = 16 * 1024  # characters; no API takes longer tokens
LEAST_WORD = 4  # characters of a word of the command line that could be a secret
PIECE = 8  # characters of a secret that are hidden wherever they stand: servers cut off what they repeat
CHARACTER = r"(?<!\\)\\+u00(?!22|5[cC]|7[fF])([2-7][0-9a-fA-F])"  # as JSON may write it, and JSON within JSON


class Redaction:
    """The secrets met so far, which are removed from texts in upper or lower case.

    A long secret keeps four characters at each end, so that a person can tell it apart.
    """

    def __init__(self) -> None:
        self._shown: dict[str, str] = {}  # what is shown in place of a form of a secret, which is in small letters
        self._pieces: set[str] = set()

    def hide(self, *secrets: str) -> None:
        """Hide these from now on, without the blanks and quotes around them."""
        from zdemo.config.masking import LEAST_TOKEN_LIKE, QUOTES, looks_random, masked  # --help has nothing to hide

        for secret in secrets:
            bare = secret.strip().strip(QUOTES).strip()[:LONGEST_SECRET]
            if len(bare) < LEAST_SECRET:
                continue
            is_random = looks_random(bare)
            for form in _forms(bare):
                self._shown.setdefault(form.lower(), "…")
                self._pieces.update(piece for piece in _pieces(_small(form)) if is_random or _is_mixed(piece))
            self._shown[bare.lower()] = masked(bare) if len(bare) >= LEAST_TOKEN_LIKE else "…"

    def hide_words(self, *words: str) -> None:
        """Hide these wherever they stand as a whole, also where they are short."""
        for form in (form for word in words if len(word) >= LEAST_WORD for form in _forms(word)):
            self._shown.setdefault(form.lower(), "…")

    def __call__(self, text: str) -> str:
        """Return the text without the secrets."""
        plain = re.sub(CHARACTER, lambda match: chr(int(match[1], 16)), text) if "\\u00" in text else text
        redacted = self._redacted(plain)
        return text if redacted == plain else redacted

    def _redacted(self, text: str) -> str:
        small = text.lower()
        if found := sorted((form for form in self._shown if form in small), key=len, reverse=True):
            pattern = re.compile("|".join(map(re.escape, found)), re.IGNORECASE)
            text = pattern.sub(lambda match: self._shown.get(match[0].lower(), "…"), text)
        if not self._pieces:
            return text
        hidden = bytearray(len(text))
        for at, piece in enumerate(_pieces(_small(text))):
            if piece in self._pieces:
                hidden[at : at + PIECE] = b"x" * PIECE
        runs = re.finditer(b"x+|\0+", hidden)
        return "".join("…" if run[0][0] else text[run.start() : run.end()] for run in runs)


def _pieces(text: str) -> Iterator[str]:
    return (text[at : at + PIECE] for at in range(len(text) - PIECE + 1))


def _is_mixed(piece: str) -> bool:
    """Return whether a piece has letters and digits: others may be a word, or a part of an ID."""
    return any(map(str.isdigit, piece)) and any(map(str.isalpha, piece))


def _small(text: str) -> str:
    """Return the text in small letters and as long as before: a few capitals have two small letters."""
    small = text.lower()
    return small if len(small) == len(text) else "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def _forms(secret: str) -> set[str]:
    """Return a secret as it is, in a URL, in JSON, and in base64, which Basic credentials are too (RFC 7617)."""
    in_url = quote(secret, safe="", errors="replace")
    in_json = json.dumps(secret)[1:-1]
    forms = {secret, in_url, in_url.replace("%20", "+"), in_json, in_json.replace("/", "\\/")}
    for text in {secret, in_url}:  # Basic credentials are form-encoded first (RFC 6749 §2.3.1)
        for before in range(3):  # bytes of other text in the first group of three
            encoded = base64.b64encode(b"\0" * before + text.encode(errors="replace")).decode()
            inner = encoded[(0, 2, 3)[before] : (before + len(text.encode(errors="replace"))) * 8 // 6]
            forms |= {inner, inner.translate(str.maketrans("+/", "-_"))}
    return forms
