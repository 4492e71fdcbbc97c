"""Asks git which files it has and which ones it ignores, so that nothing in a repository can run a program.

A repository's configuration can name programs that git runs (``core.fsmonitor``, the remote of a partial clone). Git
does not read it here: it runs in an empty repository of zdemo's own, which borrows the index and the work tree.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from zdemo.config.files import read_file

LONGEST_SECONDS = 5.0
LARGEST_BYTES = 1 << 20  # of what git keeps as text
NO_MONITOR = ("-c", "core.fsmonitor=false")  # which a person may have switched on for all repositories


@dataclass(frozen=True, kw_only=True)
class WorkTree:
    """A folder that git tracks, and where git keeps what it knows of it."""

    root: Path
    git_dir: Path


@dataclass(frozen=True, kw_only=True)
class GitAnswer:
    """What git says about some files."""

    tracked: frozenset[Path] = frozenset()
    ignored: frozenset[Path] = frozenset()


def find_work_tree(folder: Path) -> WorkTree | None:
    """Return the work tree that a folder without links in its path is in."""
    for root in (folder, *folder.parents):
        git_dir = root / ".git"
        if os.path.isfile(git_dir):  # in a linked work tree, and in a submodule
            git_dir = root / os.fsdecode(_content(git_dir)).removeprefix("gitdir:").strip()
        if os.path.exists(git_dir / "HEAD"):
            return WorkTree(root=root, git_dir=git_dir)
    return None


def ask_git(tree: WorkTree, files: Sequence[Path]) -> GitAnswer | None:
    """Return what git says about files in a work tree, which need not exist; ``None`` when it cannot be asked.

    An index that needs the repository's configuration to be read (split, or with SHA-256) counts as empty.
    """
    git = find_program("git.exe" if os.name == "nt" else "git")
    if git is None:
        return None
    names = {file.relative_to(tree.root).as_posix(): file for file in files}
    paths = [f"./{name}" for name in names]  # so that none is an option, or has a magic beginning
    try:
        with _own_repository(tree) as environment:
            run = partial(_run, git, tree.root, environment)
            ignored = run("check-ignore", "--no-index", "-z", "--stdin", text="\0".join(paths))
            tracked = run("--literal-pathspecs", "ls-files", "-z", "--", *paths) or []
    except (OSError, subprocess.SubprocessError):
        return None
    if ignored is None:
        return None
    return GitAnswer(
        tracked=frozenset(file for name, file in names.items() if name in tracked),
        ignored=frozenset(file for name, file in names.items() if name in ignored),
    )


def find_program(name: str) -> str | None:
    """Return the path of a program on the search path; relative folders of it, such as the current one, are skipped."""
    paths = (os.path.join(folder, name) for folder in os.get_exec_path() if os.path.isabs(folder))
    return next((path for path in paths if os.path.isfile(path) and os.access(path, os.X_OK)), None)


@contextmanager
def _own_repository(tree: WorkTree) -> Iterator[dict[str, str]]:
    """Make an empty repository for the time of the block; give the environment in which git uses it for a work tree."""
    with tempfile.TemporaryDirectory(prefix="zdemo-git-") as folder:
        own = Path(folder)
        for name in ("objects", "refs", "info"):
            (own / name).mkdir()
        (own / "HEAD").write_text("ref: refs/heads/main\n")
        common = _content(tree.git_dir / "commondir").strip()  # of a linked work tree
        (own / "info" / "exclude").write_bytes(_content(tree.git_dir / os.fsdecode(common) / "info" / "exclude"))
        index = tree.git_dir / "index"
        yield {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | {
            "GIT_DIR": str(own),
            "GIT_WORK_TREE": str(tree.root),
            "GIT_INDEX_FILE": str(index if os.path.isfile(index) else own / "index"),
            "GIT_OPTIONAL_LOCKS": "0",
        }


def _run(git: str, root: Path, environment: dict[str, str], *command: str, text: str = "") -> list[str] | None:
    """Return the paths that a git command prints; ``None`` when it fails."""
    done = subprocess.run(  # noqa: S603  # fixed words, and the names of files
        [git, "--no-pager", *NO_MONITOR, *command],
        cwd=root,
        env=environment,
        input=os.fsencode(text),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=LONGEST_SECONDS,
        check=False,
    )
    if done.returncode not in (0, 1):  # 1: none of them
        return None
    return [path.removeprefix("./") for path in os.fsdecode(done.stdout).split("\0") if path]


def _content(path: Path) -> bytes:
    """Return a small file's content; empty when it cannot be read."""
    try:
        return read_file(path, LARGEST_BYTES)[0]
    except (OSError, ValueError):  # ValueError: a path with a NUL
        return b""
