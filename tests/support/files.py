"""Files as persons have them: a changed ``.env``, a git repository, and what can stand where a file belongs."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from zdemo.config.dotenv_file import Dotenv, assignment, load_dotenv
from zdemo.config.file_io import replace_file


def update_dotenv(path: Path, values: Mapping[str, str | None]) -> None:
    """Set variables in a ``.env`` file, or remove those that are ``None``; all other lines stay as they are."""
    dotenv = load_dotenv(path) if path.exists() else Dotenv()
    for name, value in values.items():
        dotenv.put(name, "" if value is None else assignment(name, value))
    replace_file(path, dotenv.text, like=dotenv.status)


GIT = shutil.which("git")
needs_git = pytest.mark.skipif(GIT is None, reason="git is not installed")


def git(folder: Path, *arguments: str) -> None:
    assert GIT
    env = {"HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", "PATH": os.defpath}
    command = [GIT, "-c", "user.name=T", "-c", "user.email=t@example.com", *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, env=env)  # noqa: S603  # git of this machine
