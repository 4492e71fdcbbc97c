"""Whether output is coloured: the variables that people set for all their programs."""

import os
from collections.abc import Mapping
from typing import IO

OFF = ("", "0")  # as good as not set, except for NO_COLOR, where 0 is a value too


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
