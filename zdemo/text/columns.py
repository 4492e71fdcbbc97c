"""Whether a stream gets colours, how wide it is, and how many of its cells a text takes."""

import os
import re
import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from typing import IO

LEAST_COLUMNS, MOST_COLUMNS = 40, 120  # between them, text follows the terminal
WITHOUT_TERMINAL = 80
EMOJI_STYLE = "\ufe0f"  # makes the character before it an emoji, which is wide
OFF = ("", "0")  # of a variable: as good as not set, except for NO_COLOR, where 0 is a value too
COLOUR = r"\x1b\[[\d;]*m"


def columns_of(stream: IO[str]) -> int:
    """Return how wide text on a stream is: ``COLUMNS``, else the terminal's width, within sensible bounds."""
    wanted = os.environ.get("COLUMNS", "")
    columns = int(wanted[:9]) if wanted.isascii() and wanted.isdigit() else 0
    with suppress(OSError, ValueError):  # it has no descriptor, or is closed
        columns = columns or (os.get_terminal_size(stream.fileno()).columns if stream.isatty() else 0)
    return min(max(columns or WITHOUT_TERMINAL, LEAST_COLUMNS), MOST_COLUMNS)


def cells(text: str) -> int:
    """Return how many cells of a terminal a text takes; colours take none."""
    text = re.sub(COLOUR, "", text)
    if text.isascii():
        return len(text)
    # the others are drawn over the character before them, or not at all
    drawn = (c for c in text if unicodedata.category(c) not in ("Mn", "Me", "Cf"))
    return sum(1 + (unicodedata.east_asian_width(c) in "WF") for c in drawn) + text.count(EMOJI_STYLE)


def shows_colour(stream: IO[str], variables: Mapping[str, str] = os.environ) -> bool:
    """Return whether a stream gets colours; the first of these rules that applies decides.

    ``NO_COLOR``: no. ``FORCE_COLOR`` or ``CLICOLOR_FORCE``: yes, without a terminal too. ``CLICOLOR=0`` or
    ``TERM=dumb``: no. Otherwise a terminal gets colours. See no-color.org and bixense.com/clicolors.
    """
    if variables.get("NO_COLOR"):
        return False
    if any(variables.get(name, "") not in OFF for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    return variables.get("CLICOLOR") != "0" and variables.get("TERM") != "dumb" and stream.isatty()
