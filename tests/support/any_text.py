"""Texts of any characters. Hypothesis' own strategy first works out a table of Unicode, some 2 s in each process."""

import unicodedata

from hypothesis import strategies as st

ANY = st.integers(0, 0x10FFFF).map(chr) | st.integers(0, 0xFF).map(chr)
# in a text file, which has no NUL
ENCODABLE = ANY.filter(lambda character: unicodedata.category(character) != "Cs" and character != "\0")


def texts(characters: st.SearchStrategy[str] | str = ANY, *, most: int = 20) -> st.SearchStrategy[str]:
    """Return texts of so many characters at most, of those in a text or of a strategy."""
    characters = st.sampled_from(characters) if isinstance(characters, str) else characters
    return st.lists(characters, max_size=most).map("".join)
