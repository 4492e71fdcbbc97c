"""What keeps a setup from doing harm: one run at a time in a folder, the right ZITADEL, no secrets in git."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from zdemo.errors import ZdemoError
from zdemo.provisioning.plan import domain_line
from zdemo.provisioning.state import SetupState, state_path

LONGEST_GIT_SECONDS = 5.0


@contextmanager
def only_setup_in_folder(env_path: Path) -> Iterator[None]:
    """Keep other setups out of the folder of this ``.env`` while the block runs.

    The folder itself is locked, so that no file is left behind. Where that is impossible (Windows, some network
    folders, a missing folder), no other setup is kept out. Raises ZdemoError when another one is running there.
    """
    folder = Path(os.path.realpath(env_path)).parent
    with ExitStack() as stack:
        try:
            import fcntl  # not on Windows

            handle = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, handle)
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ZdemoError(
                f"another zdemo setup is running in {folder}",
                hint="wait until it has finished, then run zdemo setup again; nothing was changed",
            ) from None
        except (ImportError, OSError):
            pass
        yield


def check_same_zitadel(state: SetupState, env_path: Path, issuer: str) -> None:
    """Raise ZdemoError when the state, none of whose objects is at ``issuer``, was recorded at another address."""
    place = state.zitadel
    if not place or domain_line(place, issuer) == place:
        return
    path = state_path(env_path)
    raise ZdemoError(
        f"{path} belongs to the ZITADEL at {place}, and none of its objects is at {issuer}",
        hint=f"add --domain {place}, or use another --env-file for {issuer}; if {place} is gone for good: "
        f"mv {path} {path}.old; nothing was changed",
    )


def git_warning(path: Path) -> str:
    """Return a warning when git would take a file with secrets into the repository, with what to do; else empty."""
    if _ask_git(path, "ls-files", "--error-unmatch") == 0:
        return (
            f"git tracks {path}, which will hold secrets: git rm --cached {path.name}, and add it to .gitignore; what "
            "was committed stays in the history"
        )
    if _ask_git(path, "check-ignore", "-q") == 1:  # 0: ignored; 128: no repository
        return f"git would track {path}, which will hold secrets: add {path.name} to .gitignore"
    return ""


def _ask_git(path: Path, *command: str) -> int:
    """Return the exit code of a git command about a file; 128, git's own for a fault, when git is not installed."""
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
            timeout=LONGEST_GIT_SECONDS,
            check=False,
        ).returncode
    except (OSError, subprocess.SubprocessError):
        return 128
