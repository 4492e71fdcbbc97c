"""The option that names another ``.env``, in the commands that zdemo suggests."""

import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast

DEFAULT = Path(".env")
COMMANDS = re.compile(
    r"\bzdemo (?:call|doctor|introspect|role (?:list|grant|revoke)|serve|setup|token)\b(?!.*--env-file)"
)


T = TypeVar("T")


def steps_with_env_file(found: T, path: Path | None) -> T:
    """Return the same dataclass with the option in each command of ``fix`` and ``otherwise``.

    It stays as it is unless the command line gives another ``.env``.
    """
    if path in (None, DEFAULT):
        return found
    option = f" --env-file {shlex.quote(str(path))}"

    def with_option(step: str) -> str:
        return COMMANDS.sub(lambda command: command[0] + option, step)

    steps = {name: tuple(map(with_option, getattr(found, name))) for name in ("fix", "otherwise")}
    changed: T = replace(cast(Any, found), **steps)
    return changed
