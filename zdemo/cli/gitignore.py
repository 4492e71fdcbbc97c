"""Keeps files with secrets out of git: warns, and offers to add lines to ``.gitignore``."""

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from zdemo.cli.questions import agreed
from zdemo.cli.screen import Screen
from zdemo.cli.token_input import at_terminal
from zdemo.config.printable import printable
from zdemo.errors import ZdemoError
from zdemo.provisioning.gitignore import GitExposure, add_lines, find_exposures


def keep_out_of_git(
    screen: Screen, env_path: Path, key_files: Sequence[Path] = (), *, yes: bool, warn_only: bool = False
) -> None:
    """Warn about files with secrets that git has or would take, and add the missing lines to ``.gitignore``.

    They are added with ``yes``, or when the person at the terminal agrees; otherwise, and with ``warn_only``, the
    warning says them.
    """
    for exposure in find_exposures(env_path, key_files):
        for file in map(_shown, exposure.tracked):
            screen.tell(
                f"warning: git tracks {file}, which holds secrets: git rm --cached {shlex.quote(file)}; what was "
                "committed stays in the history"
            )
        if exposure.lines and (warn_only or not _add(screen, exposure, yes=yes)):
            screen.tell(printable(f"warning: git would take files with secrets: {_advice(exposure)}"))


def _add(screen: Screen, exposure: GitExposure, *, yes: bool) -> bool:
    """Add the lines if that is wanted and possible; return whether they are there now."""
    *lines, last = exposure.lines
    words = f"{', '.join(lines)} and {last}" if lines else last
    question = f"Add {words} to {_shown(exposure.gitignore)}, so that git does not take files with secrets?"
    if exposure.obstacle or not (yes or (at_terminal() and agreed(printable(question)))):
        return False
    try:
        add_lines(exposure)
    except ZdemoError as error:
        screen.tell(printable(f"warning: {error.message}"))
        return False
    screen.tell(printable(f"{_shown(exposure.gitignore)}: added {', '.join(exposure.lines)}"))
    return True


def _advice(exposure: GitExposure) -> str:
    file = _shown(exposure.gitignore)
    why = f" (which {exposure.obstacle})" if exposure.obstacle else ""
    return f"add to {file}{why}: {', '.join(exposure.lines)}"


def _shown(path: Path) -> str:
    """Return a path as short as it can be typed here."""
    here = Path(os.path.realpath("."))
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
