"""A problem of the settings, as a value."""

from dataclasses import dataclass
from enum import StrEnum, auto

from zdemo.errors.steps import Step, in_lines


class ProblemKind(StrEnum):
    """What is wrong with a setting, or with the file that it comes from."""

    MISSING = auto()
    MALFORMED = auto()
    MISNAMED = auto()  # a variable of another name
    HIDDEN = auto()  # a value that another one of the same name hides
    UNUSED = auto()  # a value that has no effect
    ODD = auto()  # a value of an unusual form, or in another variable
    EXPOSED = auto()  # a file with secrets that others can read
    WITHHELD = auto()  # a secret that is not sent to an address
    FILE = auto()  # a file that cannot be read, or not in full


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What is wrong with one or more settings, and what to do about it.

    ``text`` never holds a secret. ``names`` are the variables that it is about, the first one above all. ``blocks`` are
    those that cannot work with it.
    """

    text: str
    kind: ProblemKind
    names: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    blocks: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.text

    @property
    def in_full(self) -> str:
        """The problem and, in lines of their own, what to do."""
        return "\n".join((self.text, *map(in_lines, self.steps)))
