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

from zdemo.config.masking import LEAST_TOKEN_LIKE, QUOTES, looks_random, masked

LEAST_SECRET = 8  # characters; shorter texts are no secrets, and would be found in every sentence
LEAST_PIECE = 12  # characters of a secret that were cut off and are hidden still; fewer may be a word of a sentence
LEAST_RANDOM_PIECE = 6  # characters of a secret without words in it
LONGEST_TOKEN = (
    16 * 1024
)  # characters, as in zdemo.authorization; of longer secrets all forms of the beginning are known
UNICODE_ESCAPE = r"(?<!\\)\\+u(?![dD][89a-fA-F])([0-9a-fA-F]{4})"  # in JSON, and in JSON within JSON; no half of a pair


class Redaction:
    """Replaces secrets, and pieces of them, in texts; of a whole long one four characters stay at each end."""

    def __init__(self) -> None:
        self._shown: dict[str, str] = {}
        self._pieces: dict[int, set[str]] = {LEAST_PIECE: set(), LEAST_RANDOM_PIECE: set()}  # by length
        self._small_pieces: set[str] = set()  # of random secrets, in small letters; words may stand elsewhere too

    def hide(self, *secrets: str) -> None:
        """Never show these from now on; blanks and quotes around them are no part of them."""
        for secret in secrets:
            bare = secret.strip().strip(QUOTES).strip()
            if len(bare) < LEAST_SECRET:
                continue
            known = bare[:LONGEST_TOKEN]
            is_random = looks_random(known)
            for form in _forms(known):
                self._shown.setdefault(form.lower(), "…")
                if is_random:
                    self._small_pieces.update(_pieces(_lowered(form), LEAST_PIECE))
                else:
                    self._pieces[LEAST_PIECE].update(_pieces(form, LEAST_PIECE))
            if is_random:
                self._pieces[LEAST_RANDOM_PIECE].update(_pieces(known, LEAST_RANDOM_PIECE))
            self._shown[bare.lower()] = masked(bare) if len(bare) >= LEAST_TOKEN_LIKE else "…"

    def __call__(self, text: str) -> str:
        """The text without the secrets."""
        if not self._shown:
            return text
        if "\\u" in text:  # whoever reads JSON reads the characters
            plain = re.sub(UNICODE_ESCAPE, _unescaped, text)
            if plain != text and self._redacted(plain) != plain:
                text = plain
        return self._redacted(text)

    def _redacted(self, text: str) -> str:
        lowered = text.lower()  # whatever the case: a host name, or the name of a header field, comes in small letters
        found = sorted((form for form in self._shown if form in lowered), key=len, reverse=True)
        if found:
            pattern = re.compile("|".join(map(re.escape, found)), re.IGNORECASE)
            text = pattern.sub(lambda match: self._shown.get(match[0].lower(), "…"), text)
        return self._without_pieces(text)

    def _without_pieces(self, text: str) -> str:
        hidden = bytearray(len(text))
        looked_through = [(text, size, pieces) for size, pieces in self._pieces.items() if pieces]
        for within, size, pieces in (*looked_through, (_lowered(text), LEAST_PIECE, self._small_pieces)):
            for at, piece in enumerate(_pieces(within, size)):
                if piece in pieces:
                    hidden[at : at + size] = b"x" * size
        if not any(hidden):
            return text
        runs = re.finditer(b"x+|\0+", hidden)
        return "".join("…" if run[0][0] else text[run.start() : run.end()] for run in runs)


def _pieces(text: str, size: int) -> Iterator[str]:
    return (text[at : at + size] for at in range(len(text) - size + 1))


def _lowered(text: str) -> str:
    """In small letters, and as long as it was: a few capitals have two small letters."""
    lowered = text.lower()
    return lowered if len(lowered) == len(text) else "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def _unescaped(escape: re.Match[str]) -> str:
    """A character that may be part of a secret, so that it still can stand in JSON; controls stay escaped."""
    character = chr(int(escape[1], 16))
    return json.dumps(character, ensure_ascii=False)[1:-1] if character.isprintable() else escape[0]


def _forms(secret: str) -> Iterator[str]:
    """A secret and its encodings."""
    quoted = quote(secret, safe="", errors="replace")
    in_json = json.dumps(secret)[1:-1]
    yield from (secret, quoted, quoted.replace("%20", "+"), in_json, in_json.replace("/", "\\/"))
    for plain in {secret, quoted}:  # Basic credentials are form-encoded first (RFC 6749 §2.3.1)
        yield plain.encode(errors="replace").hex()
        for at in range(3):
            text = _base64_from(plain.encode(errors="replace"), at)
            yield from (text, text.translate(str.maketrans("+/", "-_")))


def _base64_from(secret: bytes, at: int) -> str:
    """The characters of base64 that the secret alone determines when it begins ``at`` bytes into a group of three."""
    text = base64.b64encode(b"\0" * at + secret).decode()
    return text[(0, 2, 3)[at] : (at + len(secret)) * 8 // 6]


REDACTION = Redaction()
"""The one of this process: an error is shown by another screen than that of the command that read the settings."""
