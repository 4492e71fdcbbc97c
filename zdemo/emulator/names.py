"""Names of emulators, so that two on one machine are not confused."""

import secrets

_WORDS = (
    "amber bold brisk calm clear coral eager early fair fresh gentle golden green happy jolly keen kind",
    "badger beaver crane eagle falcon finch fox hare heron ibis lark lynx marten otter owl puffin raven",
)


def new_name() -> str:
    """Return a name such as ``amber-otter-27``."""
    first, second = (secrets.choice(words.split()) for words in _WORDS)
    return f"{first}-{second}-{secrets.randbelow(90) + 10}"
