"""Whether git would take a file with secrets into the repository, if there is git, and a repository."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

LONGEST_SECONDS = 5.0


def git_warning(path: Path) -> str:
    """A sentence that says so and what to do, or nothing."""
    if _ask_git(path, "ls-files", "--error-unmatch") == 0:
        return (
            f"git tracks {path}, which will hold secrets: git rm --cached {path.name}, and add it to .gitignore; what "
            "was committed stays in the history"
        )
    if _ask_git(path, "check-ignore", "-q") == 1:  # 0: ignored; 128: no repository
        return f"git would track {path}, which will hold secrets: add {path.name} to .gitignore"
    return ""


def _ask_git(path: Path, *command: str) -> int:
    """The exit code of a git command about a file; 128, git's own for a fault, when there is no git."""
    git = shutil.which("git")
    if git is None:
        return 128
    try:
        return subprocess.run(  # noqa: S603  # fixed words and the path of a file
            [git, *command, "--", path.name],
            cwd=path.absolute().parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=LONGEST_SECONDS,
            check=False,
        ).returncode
    except (OSError, subprocess.SubprocessError):
        return 128
