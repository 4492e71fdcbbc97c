"""Text from elsewhere, so that a reader sees every character of it and none acts on a terminal or forges a line."""

import unicodedata
from collections.abc import Callable

# control, format (such as changes of direction), half a surrogate pair, private, unassigned; line and paragraph ends
HIDDEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))


def utf8_text(content: bytes) -> str:
    """Return the text of a file or of standard input. Raises ValueError, which says what else it is, as a predicate."""
    if b"\0" in content[:4]:  # two bytes for each character, perhaps behind a byte-order mark
        raise ValueError("is not UTF-8 text but UTF-16, or not text")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8 text") from None


def one_line(text: str) -> str:
    """Return text with its line ends and tabs escaped too, for names: one in a table could forge a row of its own."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def printable(text: str, escape: Callable[[str], str] = lambda c: c.encode("unicode_escape").decode()) -> str:
    """Return text with its hidden characters escaped, as in Python's source; line ends and tabs stay."""
    if text.isprintable():
        return text
    return "".join(escape(c) if c not in "\n\t" and unicodedata.category(c) in HIDDEN else c for c in text)
