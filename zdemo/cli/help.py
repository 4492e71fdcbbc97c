"""Help in Typer's panels, in the width and colours of all other output.

The text of a command is its docstring. A paragraph that begins with a label (``Exit codes: …``) stands below the
options, and the lines below ``Examples:`` are commands. The variables that the command reads follow, from the table of
settings. ``rich_help_panel`` of an option is its panel.
"""

import re
import sys
from itertools import takewhile
from typing import Any

from typer.core import TyperCommand, TyperGroup

from zdemo.config.variables import variables_of
from zdemo.errors import UsageError
from zdemo.text.columns import columns_of, shows_colour

SETTINGS_GROUP, OUTPUT_GROUP = "Settings", "Output"
EXAMPLES = "Examples:\n"
LABEL = re.compile(r"[A-Z][a-z]+(?: [a-z]+)?: ")
WITH_HELP: Any = {  # how zdemo uses Typer; zdemo.cli.usage words the errors
    "rich_markup_mode": "rich",
    "pretty_exceptions_enable": False,
    "suggest_commands": False,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}


def _sections(text: str) -> tuple[str, str]:
    """Return the paragraphs without a label, and those with one."""
    plain, labelled = list[str](), list[str]()
    for paragraph in re.split(r"\n{2,}", text.replace("[", r"\[").strip()):
        is_example = paragraph.startswith(EXAMPLES)
        kind = labelled if is_example or LABEL.match(paragraph) else plain
        kind.append(paragraph if is_example else " ".join(paragraph.split()))
    return "\n\n".join(plain), "\n\n".join(labelled)


class _Helped:
    """What a command and a group have in common."""

    help: str | None
    epilog: str | None

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help."""
        from typer import rich_utils  # here, since only help needs it

        rich_utils.MAX_WIDTH = columns_of(sys.stdout)
        rich_utils.FORCE_TERMINAL = shows_colour(sys.stdout)
        names = variables_of(ctx.command_path.partition(" ")[2].partition(" ")[0])
        variables = f"\n\nVariables: {', '.join(names)}" if names else ""
        self.help, self.epilog = _sections(f"{self.help or ''}{variables}")
        super().format_help(ctx, formatter)  # type: ignore[misc]  # Typer's


class HelpedCommand(_Helped, TyperCommand):
    """A command with this help. If its argument is another program's command line, that stands behind ``--``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words before ``--``, and keep those behind it for the other program."""
        program = next((param.name for param in self.params if param.nargs == -1), None)
        if program is None:
            return super().parse_args(ctx, args)
        own = list(takewhile(lambda word: word != "--", args))
        behind_dashes = args[len(own) + 1 :]
        left: list[str] = super().parse_args(ctx, own)
        if extra := ctx.params[program]:
            raise UsageError(f"unexpected argument: {extra[0]}", hint="put -- in front of the command to run")
        ctx.params[program] = behind_dashes
        return left


class HelpedGroup(_Helped, TyperGroup):
    """A group of commands with this help."""
