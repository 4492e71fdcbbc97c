"""Find the word that was mistyped. Only slips of the keyboard count: a similar word is another word."""

from collections.abc import Iterable

LEAST_LETTERS = 3  # in a word that can be mistyped: shorter words resemble too many others
MOST_LETTERS = 100  # longer words are not names
LONG = 8  # letters of a word in which two slips are still plain


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the known name that a word is with a slip or two of the keyboard, in any case of letters, or nothing."""
    letters, names = sum(map(str.isalnum, word)), {name.lower(): name for name in known}
    allowed = range((LEAST_LETTERS <= letters <= MOST_LETTERS) * (2 + (letters >= LONG)))
    return next((names[name] for slips in allowed for name in names if _becomes(word.lower(), name, slips)), "")


def _becomes(word: str, name: str, slips: int) -> bool:
    """Return whether a word becomes a name by so many letters: swapped with the next, left out, put in or changed."""
    if word == name or not slips:
        return word == name
    if word[:1] == name[:1]:
        return _becomes(word[1:], name[1:], slips)
    swapped = word[1:2] + word[:1] + word[2:]
    tries = ((swapped, name), (word[1:], name), (word, name[1:]), (word[1:], name[1:]))
    return any(_becomes(left, right, slips - 1) for left, right in tries)
