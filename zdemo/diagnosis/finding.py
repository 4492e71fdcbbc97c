"""What a diagnosis says: a cause, how sure that is, what it rests on, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

LONGEST_QUOTE = 120  # characters of a text that came over the network
LEAST_SECRET = 16  # characters; a shorter text is no secret of ZITADEL, and may be an ordinary word


class Certainty(StrEnum):
    """How sure a cause is. ``OPEN``: the evidence does not decide, and the candidates are what it can be."""

    CERTAIN = "certain"
    LIKELY = "likely"
    OPEN = "open"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Why a token, or ZITADEL, does not do what was wanted.

    ``id`` is stable and dotted. ``cause`` is one sentence; when ``certainty`` is ``OPEN`` it says what is known, and
    ``candidates`` what it can be, most likely first. ``seen`` is the evidence: a label and a text for each piece.
    ``fix`` is what a person can do or type; nothing in a finding ever holds a token or a secret.
    """

    id: str
    cause: str
    certainty: Certainty = Certainty.CERTAIN
    candidates: tuple[str, ...] = ()
    seen: tuple[tuple[str, str], ...] = ()
    fix: tuple[str, ...] = ()

    @property
    def said(self) -> str:
        """The cause as a person is told it: with a reserve, unless it is certain or says itself what is open."""
        return f"most likely, {self.cause}" if self.certainty is Certainty.LIKELY else self.cause

    def without(self, secrets: Iterable[str]) -> Finding:
        """The same, with each of these texts taken out: a server may echo what it was sent."""
        known = tuple(secrets)
        return replace(
            self,
            cause=without_secrets(self.cause, known),
            candidates=tuple(without_secrets(text, known) for text in self.candidates),
            seen=tuple((label, without_secrets(text, known)) for label, text in self.seen),
            fix=tuple(without_secrets(text, known) for text in self.fix),
        )


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """The text with each secret taken out, wherever it came from."""
    for secret in secrets:
        if len(secret) >= LEAST_SECRET:
            text = text.replace(secret, "…")
    return text


def quoted(value: object, limit: int = LONGEST_QUOTE) -> str:
    """Text that came over the network, fit to stand in a sentence: printable characters only, and not too many."""
    text = "".join(c for c in value if c.isprintable()) if isinstance(value, str) else ""
    return text if len(text) <= limit else text[: limit - 1] + "…"
