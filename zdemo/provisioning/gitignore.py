"""The files with secrets that git would take into a repository, and the lines of ``.gitignore`` that keep them out."""

import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from zdemo.errors import ZdemoError
from zdemo.provisioning.git import GitAnswer, WorkTree, ask_git, find_work_tree
from zdemo.provisioning.state_file import state_path

KEY_FILES = "*.key.json"
TEMPORARY_FILES = ".env.*.tmp"  # left by a run that was killed; .env.* would match .env.example too
PATTERN_CHARACTERS = "\\*?[]!# "  # have a meaning in .gitignore
LARGEST_BYTES = 1 << 20  # of a .gitignore


@dataclass(frozen=True, kw_only=True)
class GitExposure:
    """The files with secrets in one folder that git has (``tracked``), or would take.

    ``lines`` are those that ``gitignore`` lacks; ``obstacle`` says why zdemo does not add them.
    """

    tracked: tuple[Path, ...]
    lines: tuple[str, ...]
    gitignore: Path
    obstacle: str = ""


def find_exposures(env_path: Path, key_files: Sequence[Path] = ()) -> list[GitExposure]:
    """Return what git has, or would take, of a ``.env`` and of what zdemo writes beside it.

    Empty when all is well, outside of a repository, and when git cannot be asked. A linked ``.env`` counts as the file
    that it leads to, so it can be in another folder than the key files.
    """
    target = Path(os.path.realpath(env_path))
    env_files = {target: _pattern(target.name), target.with_name(".env.zdemo.tmp"): TEMPORARY_FILES}
    folders: dict[Path, dict[Path, str]] = {target.parent: env_files}
    for file in key_files or [env_path.parent / KEY_FILES.replace("*", "zdemo-api")]:
        folder = file.parent.resolve()
        folders.setdefault(folder, {})[folder / file.name] = KEY_FILES
    home = find_work_tree(env_path.parent.resolve())
    found = (_exposure(folder, files, state_path(env_path), home) for folder, files in folders.items())
    return [exposure for exposure in found if exposure]


def _exposure(folder: Path, files: dict[Path, str], state: Path, home: WorkTree | None) -> GitExposure | None:
    tree = find_work_tree(folder)
    asked = [*files, *([state] if state.parent.parent == folder else [])]  # the state's folder ignores itself
    if tree is None:
        return None
    answer = GitAnswer() if _would_wait(folder, tree) else ask_git(tree, asked)
    if answer is None:
        return None
    lines = tuple(dict.fromkeys(line for file, line in files.items() if file not in answer.ignored))
    tracked = tuple(file for file in asked if file in answer.tracked)
    gitignore = folder / ".gitignore"
    obstacle = _obstacle(gitignore, lines) if tree == home else "is in another repository"
    exposure = GitExposure(tracked=tracked, lines=lines, gitignore=gitignore, obstacle=obstacle)
    return exposure if tracked or lines else None


def _would_wait(folder: Path, tree: WorkTree) -> bool:
    """Return whether git would wait for a named pipe in place of a ``.gitignore``; then nothing counts as ignored."""
    folders = [place for place in (folder, *folder.parents) if place.is_relative_to(tree.root)]
    return any((place / ".gitignore").is_fifo() for place in folders)


def _pattern(name: str) -> str:
    """Return the line of ``.gitignore`` that matches this name alone."""
    return "".join(f"\\{character}" if character in PATTERN_CHARACTERS else character for character in name)


def _obstacle(gitignore: Path, lines: Iterable[str]) -> str:
    """Return why no lines can be added to a ``.gitignore``; empty when they can."""
    if not all(line.isprintable() for line in lines):
        return "cannot hold a name with control characters"
    try:
        status = gitignore.lstat()
    except OSError:
        return ""
    problems = (
        (stat.S_ISLNK(status.st_mode), "is a link, which git does not follow"),
        (not stat.S_ISREG(status.st_mode), "is not a file"),
        (not status.st_mode & stat.S_IWUSR, "is read-only"),
        (status.st_size > LARGEST_BYTES, f"is larger than {LARGEST_BYTES >> 20} MiB"),
    )
    return next((words for is_so, words in problems if is_so), "")


def add_lines(exposure: GitExposure) -> None:
    """Append the missing lines to ``.gitignore``, with its own line ends. Raises ZdemoError if that fails."""
    hint = f"add to it: {', '.join(exposure.lines)}"
    if exposure.obstacle:
        raise ZdemoError(f"{exposure.gitignore} {exposure.obstacle}", hint=hint)
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(exposure.gitignore, flags, 0o666), "r+b", buffering=0) as stream:
            stream.write(_appendix(stream.read(LARGEST_BYTES), exposure.lines))
    except OSError as error:
        raise ZdemoError(f"{exposure.gitignore} cannot be written: {error.strerror}", hint=hint) from None


def _appendix(text: bytes, lines: Iterable[str]) -> bytes:
    end = b"\r\n" if b"\r\n" in text else b"\n"
    start = end if text and not text.endswith(b"\n") else b""
    return start + b"".join(os.fsencode(line) + end for line in lines)
