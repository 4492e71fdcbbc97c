"""Questions to the person at the terminal, on standard error."""

import sys

from zdemo.cli.layout import wrapped
from zdemo.text.columns import columns_of


def broken(question: str) -> str:
    """Return a question in lines that leave room to type behind the last."""
    return "\n".join(wrapped(question.rstrip(" "), columns_of(sys.stderr) - len(" y"))) + " "


def typed_line(question: str) -> str:
    """Ask, and return the line that is typed."""
    sys.stderr.write(broken(question))
    sys.stderr.flush()
    return sys.stdin.readline().strip()


def agreed(question: str, *, word: str = "") -> bool:
    """Ask; y or yes agrees, or the ``word`` alone where one is given."""
    choice = f"type {word}" if word else "y/N"
    return typed_line(f"{question} [{choice}] ").lower() in ([word] if word else ["y", "yes"])
