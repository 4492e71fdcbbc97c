"""What is never shown: secrets, in the forms in which servers repeat them."""

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from string import ascii_lowercase, ascii_uppercase
from typing import Any
from urllib.parse import quote, quote_plus

from zdemo.text.masking import LEAST_TOKEN_LIKE, QUOTES, looks_random, masked

LEAST_SECRET = 8  # characters; shorter texts stand in every sentence
LONGEST_SECRET = 16 * 1024  # characters; no API takes longer tokens
LEAST_WORD = 4  # characters of a word of the command line that could be a secret
PIECE = 8  # characters of a secret that are hidden wherever they stand: servers and zdemo cut off what they repeat
PUBLIC = r"type|\w*Id|\w*Date"  # fields of ZITADEL's key files and answers
IN_JSON = rf'"(?!(?:{PUBLIC})")\w+"\s*:\s*"((?:[^"\\]|\\.){{{LEAST_SECRET},}})"'
SMALL = str.maketrans(ascii_uppercase, ascii_lowercase)  # unlike ``lower``, it keeps the length of a text


class Redaction:
    """The secrets met so far, which are removed from texts in upper or lower case.

    A long secret keeps four characters at each end, so that a person can tell it apart.
    """

    def __init__(self) -> None:
        self._shown: dict[str, str] = {}  # what is shown in place of a form of a secret, which is in small letters
        self._pieces: set[str] = set()

    def hide(self, *secrets: str) -> None:
        """Hide these from now on, without the blanks and quotes around them; of a key file, its secret fields alone."""
        for secret in (part for text in secrets for part in _parts(text)):
            bare = secret.strip().strip(QUOTES).strip()[:LONGEST_SECRET]
            if len(bare) < LEAST_SECRET:
                continue
            is_random = looks_random(bare)
            for form in (*_forms(bare), *_in_basic_credentials(bare)):
                small = form.translate(SMALL)
                self._shown.setdefault(small, "…")
                # a piece without letters, or without digits, may be a word, or a part of an ID
                mixed = (p for p in _pieces(small) if any(map(str.isdigit, p)) and any(map(str.isalpha, p)))
                self._pieces.update(_pieces(small) if is_random else mixed)
            self._shown[bare.translate(SMALL)] = masked(bare) if len(bare) >= LEAST_TOKEN_LIKE else "…"

    def hide_words(self, *words: str) -> None:
        """Hide these wherever they stand as a whole, also where they are short."""
        for form in (form for word in words if len(word) >= LEAST_WORD for form in _forms(word)):
            self._shown.setdefault(form.translate(SMALL), "…")

    def __call__(self, text: str) -> str:
        """Return the text without the secrets."""
        small = text.translate(SMALL)
        if forms := sorted((form for form in self._shown if form in small), key=len, reverse=True):
            pattern = re.compile("|".join(map(re.escape, forms)), re.IGNORECASE | re.ASCII)
            text = pattern.sub(lambda match: self._shown[match[0].translate(SMALL)], text)
        if not self._pieces:
            return text
        hidden = bytearray(len(text))
        for at, piece in enumerate(_pieces(text.translate(SMALL))):
            if piece in self._pieces:
                hidden[at : at + PIECE] = b"x" * PIECE
        runs = re.finditer(b"x+|\0+", hidden)
        return "".join("…" if run[0][0] else text[run.start() : run.end()] for run in runs)


def in_texts(change: Callable[[str], str], part: Any, *, most: int | None = None) -> Any:
    """Return a part of a JSON document with all texts changed, names included, and ``most`` items of each list."""
    if isinstance(part, str):
        return change(part)
    if isinstance(part, Mapping):
        return {change(str(name)): in_texts(change, item, most=most) for name, item in part.items()}
    return [in_texts(change, item, most=most) for item in part[:most]] if isinstance(part, list | tuple) else part


def _parts(text: str) -> list[str]:
    """Return the text; of a JSON object, its texts that may be secret."""
    return (re.findall(IN_JSON, text) if re.match(rf"[\s{QUOTES}]*{{", text) else []) or [text]


def _pieces(text: str) -> Iterator[str]:
    return (text[at : at + PIECE] for at in range(len(text) - PIECE + 1))


def _forms(secret: str) -> set[str]:
    """Return a secret as it is, and in a URL."""
    return {secret, quote(secret, safe="", errors="replace"), quote_plus(secret, errors="replace")}


def _in_basic_credentials(secret: str) -> Iterator[str]:
    """Yield a secret in Basic credentials, which are form-encoded and then base64 (RFC 6749 §2.3.1, RFC 7617)."""
    text = quote_plus(secret, errors="replace").encode()
    for before in range(3):  # bytes of the client ID in the first group of three
        encoded = base64.b64encode(bytes(before) + text).decode()
        yield encoded[(0, 2, 3)[before] : (before + len(text)) * 8 // 6]
