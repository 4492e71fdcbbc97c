"""Names that are nearly those of zdemo's variables: misspelt, of another shell, or with letters that only look right.

A module of its own since it is needed only when a variable is not set. It never shows more of a name than letters,
digits and underscores: what stands before ``=`` in a file that is no ``.env`` may be anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

ENOUGH = 0.85  # of the letters in common: ZITADEL_DOMIAN is near, API_CLIENT_ID is another's
PLAIN = re.compile(r"[A-Za-z0-9_]{1,64}")
BEFORE = re.compile(r"^(?:\$env:|set\b)", re.IGNORECASE)  # how other shells assign
KNOWN = frozenset(
    (
        "CLIENT_ID",
        "CLIENT_SECRET",
        "PAT",
        "ZITADEL_ADMIN_PAT",
        "ZITADEL_DOMAIN",
        "ZITADEL_KEY_FILE",
        "ZITADEL_PROJECT_ID",
    )
)


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """In words, the name that may be meant for one that is not set; empty when none is near."""
    wanted = _letters(name)
    for other in names:
        if other in KNOWN:
            continue
        letters = _letters(BEFORE.sub("", other))
        if letters and (letters in (wanted, f"ZITADEL{wanted}") or _alike(letters, wanted)):
            return other if PLAIN.fullmatch(other) else f"a name that only looks like {name}"
    return ""


def _letters(name: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", name.upper())


def _alike(one: str, other: str) -> bool:
    from difflib import SequenceMatcher  # here, since most names are looked at by their length alone

    if abs(len(one) - len(other)) > 2:
        return False
    return SequenceMatcher(None, one, other, autojunk=False).ratio() >= ENOUGH
