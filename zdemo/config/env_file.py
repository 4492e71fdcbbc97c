"""The option that names another ``.env``, in the commands that zdemo suggests."""

import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

DEFAULT = Path(".env")
COMMANDS = re.compile(
    r"\bzdemo (?:call|doctor|introspect|role (?:list|grant|revoke)|serve|setup|token)\b(?!.*--env-file)"
)


class HasSteps(Protocol):
    """A dataclass with steps that a person can take."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def fix(self) -> tuple[str, ...]:
        """The least harmful steps."""

    @property
    def otherwise(self) -> tuple[str, ...]:
        """Steps where the fix is not possible."""


T = TypeVar("T", bound=HasSteps)


def steps_with_env_file(found: T, path: Path | None) -> T:
    """Return the same with the option in each command that it suggests, if the command line gives another ``.env``."""
    if path in (None, DEFAULT):
        return found
    option = f" --env-file {shlex.quote(str(path))}"

    def with_option(step: str) -> str:
        return COMMANDS.sub(lambda command: command[0] + option, step)

    return replace(found, fix=tuple(map(with_option, found.fix)), otherwise=tuple(map(with_option, found.otherwise)))
