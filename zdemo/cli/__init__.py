"""The command line: parse, call one function of the core, render, exit."""

import gc
import sys

GARBAGE_THRESHOLD = 50_000  # objects; by default Python looks for garbage about 100 times while a command loads


def main() -> None:
    """Run ``zdemo``, and end the process with its exit code.

    A command ends before garbage matters. Collecting it would take a fifth of ``zdemo call``, mostly at Python's exit.
    """
    gc.set_threshold(GARBAGE_THRESHOLD)
    try:
        from zdemo.cli.entry import run  # here, so that importing zdemo.cli costs nothing

        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # while it loads
        code = 130  # as zdemo.cli.entry has it
    gc.freeze()
    sys.exit(code)
