"""The command line: parse, call one function of the core, render, exit."""

from __future__ import annotations

import gc
import sys

GARBAGE_THRESHOLD = 50_000  # objects; by default Python looks for garbage some hundred times while a command loads


def main() -> None:
    """The entry point of ``zdemo``.

    A command is over before garbage matters, so little time is spent on looking for it: a fifth of all that
    ``zdemo call`` takes would else go there, most of it when Python ends.
    """
    gc.set_threshold(GARBAGE_THRESHOLD)
    from zdemo.cli.entry import run  # here, so that importing zdemo.cli costs nothing

    code = run(sys.argv[1:])
    gc.freeze()
    sys.exit(code)
