"""The ``.env`` that the next command needs: its option, and which file can hold the emulator's settings."""

import os
import shlex
import subprocess
from collections.abc import Sequence
from itertools import chain, count
from pathlib import Path
from urllib.parse import urlsplit

from zdemo.cli.screen import Screen
from zdemo.config.address import is_local
from zdemo.config.new_dotenv import has_emulators_settings, is_skeleton
from zdemo.config.variables import DEFAULT_API_URL, EMULATOR_PORT
from zdemo.errors.steps import Command, Shell, in_words


def init_emulator(port: int, api_url: str = DEFAULT_API_URL) -> Command:
    """Return the command that writes a ``.env`` for an emulator, and for an API beside it."""
    where = "" if api_url == DEFAULT_API_URL else f" --api-url {shlex.quote(api_url)}"
    return Command(f"init --emulator{_at_port(port)}{where}", does="writes the emulator's settings")


def serve_emulator(port: int, api_url: str) -> Command:
    """Return the command that runs an emulator, and the API beside it, at ``api_url`` if that is on this machine."""
    parts = urlsplit(api_url)
    is_other = is_local(api_url) and parts.port not in (None, urlsplit(DEFAULT_API_URL).port)
    return Command(f"serve --emulator{_at_port(port)}{f' --port {parts.port}' if is_other else ''}")


def _at_port(port: int) -> str:
    return "" if port == EMULATOR_PORT else f" --emulator-port {port}"


def emulator_env_file(preferred: Path, port: int = EMULATOR_PORT) -> tuple[Path, bool]:
    """Return a file for the emulator's settings, if possible the preferred one, and whether it has them already."""
    return next(
        (path, exists)
        for path in chain([preferred], (Path(f"emulator{'' if number == 1 else number}.env") for number in count(1)))
        if not (exists := os.path.lexists(path) and not is_skeleton(path)) or has_emulators_settings(path, port)
    )


IGNORED = ("git", "-c", "core.fsmonitor=false", "check-ignore", "-z", "--stdin")  # what git tracks, it does not ignore


def warn_of_git(screen: Screen, env_path: Path, key_files: Sequence[Path] = ()) -> None:
    """Warn if git has or would take a ``.env`` or a key file; say nothing where git cannot be asked."""
    files = [Path(os.path.realpath(file)) for file in (env_path, *key_files)]
    names = b"\0".join(map(os.fsencode, files))
    try:
        answer = subprocess.run(  # noqa: S603  # fixed words, and the names of files on standard input
            IGNORED, cwd=files[0].parent, input=names, capture_output=True, timeout=5, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return
    if answer.returncode not in (0, 1):  # 1: git ignores none of them
        return
    ignored = answer.stdout.split(b"\0")
    if taken := [file for file in files if os.fsencode(file) not in ignored]:
        advice = f"add to .gitignore: {', '.join(file.name for file in taken)}"
        untrack = Shell(shlex.join(["git", "rm", "--cached", "--ignore-unmatch", *map(os.path.relpath, taken)]))
        screen.warn(f"git does not ignore files with secrets: {advice}\n{in_words(untrack)}")
