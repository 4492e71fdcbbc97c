"""Git repositories for tests."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

GIT = shutil.which("git")
needs_git = pytest.mark.skipif(GIT is None, reason="git is not installed")


def git(folder: Path, *arguments: str) -> None:
    """Run git with no settings but those of the repository."""
    assert GIT
    env = {"HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", "PATH": os.defpath}
    command = [GIT, "-c", "user.name=T", "-c", "user.email=t@example.com", *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, env=env)  # noqa: S603  # git of this machine


def repository(folder: Path, *, ignored: str = "") -> Path:
    """Make a folder a repository with a ``.gitignore``, if that has a text."""
    folder.mkdir(exist_ok=True)
    git(folder, "init", "-q")
    if ignored:
        (folder / ".gitignore").write_bytes(ignored.encode())
    return folder
