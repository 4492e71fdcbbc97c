"""Why a program cannot be run, in words."""

import os
import re
import shlex
from collections.abc import Sequence
from shutil import which


def why_not_run(command: Sequence[str], error: OSError) -> tuple[str, str]:
    """Return why a program cannot be run, and what to do about it."""
    program = command[0]
    words = (word if re.fullmatch(r"[\w{}=./:@+-]+", word) else shlex.quote(word) for word in command)
    script = shlex.quote(" ".join(words))  # placeholders such as {port} without quotes
    if not isinstance(error, FileNotFoundError):
        closed = isinstance(error, PermissionError) and os.path.isfile(program)
        fix = f"chmod +x {shlex.quote(program)}" if closed else "check that it is a program"
        return f"{program} cannot be executed: {error.strerror}", fix
    if which(program):
        fix = "correct its first line (#!), and end all lines with LF, not CRLF"
        return f"{program} names an interpreter that does not exist", fix
    if "=" in program or program in ("cd", "export", "source", ".", "set", "alias", "ulimit"):
        return f"only a shell can run this: {program}", f"write it like this: -- sh -c {script}"
    return f"command not found: {program}", "check its spelling, or give its path"
