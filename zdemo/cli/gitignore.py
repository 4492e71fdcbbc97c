"""Warns about files with secrets that git does not ignore."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from zdemo.cli.screen import Screen
from zdemo.text.printable import printable

ASK = ("git", "-c", "core.fsmonitor=false", "check-ignore", "-z", "--stdin")  # what git tracks, it does not ignore
LONGEST_SECONDS = 5.0


def warn_of_git(screen: Screen, env_path: Path, key_files: Sequence[Path] = ()) -> None:
    """Warn if git has or would take a ``.env`` or a key file; a link counts as the file that it leads to.

    Say nothing outside of a repository, and where git cannot be asked.
    """
    files = [Path(os.path.realpath(file)) for file in (env_path, *key_files)]
    names = b"\0".join(map(os.fsencode, files))
    try:
        answer = subprocess.run(  # noqa: S603  # fixed words, and the names of files on standard input
            ASK, cwd=files[0].parent, input=names, capture_output=True, timeout=LONGEST_SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return
    if answer.returncode not in (0, 1):  # 1: git ignores none of them
        return
    ignored = answer.stdout.split(b"\0")
    if taken := [file.name for file in files if os.fsencode(file) not in ignored]:
        advice = f"add to .gitignore: {', '.join(taken)} (and git rm --cached what it tracks)"
        screen.tell(printable(f"warning: git does not ignore files with secrets: {advice}"))
