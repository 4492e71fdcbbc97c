"""The command line: parse, call one function of the core, render, exit."""

from __future__ import annotations

import sys


def main() -> None:
    """The entry point of ``zdemo``."""
    from zdemo.cli.entry import run  # here, so that importing zdemo.cli costs nothing

    sys.exit(run(sys.argv[1:]))
