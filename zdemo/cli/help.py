"""Help: options in groups, examples, variables, exit codes, and where to read more.

The text of a command is its docstring. A paragraph that begins with a label (``Exit codes: …``) stands behind it, and
the lines below ``Examples:`` are commands. ``rich_help_panel`` of an option is its group.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from zdemo.cli.layout import behind, filled, pad
from zdemo.cli.suggestions import typed_again
from zdemo.config.columns import columns_of, shows_colour
from zdemo.errors import UsageError

OPTIONS_GROUP, SETTINGS_GROUP, OUTPUT_GROUP = "Options", "Settings", "Output"
FEWEST_IN_GROUPS = 6  # options; fewer stand in one group
LONGEST_NAME = 24  # cells; what is longer has its text on the next line
LABEL_WIDTH = 10
LABEL = r"([A-Z][a-z]+(?: [a-z]+)?): "
IN_SOURCE = " (in the source of zdemo)"
HELP_ROW = ("-h, --help", "Show this message and exit.")
Row = tuple[str, str]


def before_dashes(words: Sequence[str]) -> tuple[Sequence[str], list[str]]:
    """Return the words before ``--``, which are zdemo's own, and those behind it, which are another program's."""
    end = words.index("--") if "--" in words else len(words)
    return words[:end], list(words[end + 1 :])


def shown_help(command: Any, ctx: Any) -> str:
    """Return the help of a command as standard output shows it, and let Click keep its colours."""
    ctx.color = shows_colour(sys.stdout)
    return "\n".join(_lines(command, ctx, columns_of(sys.stdout), colour=ctx.color))


class HelpedCommand(TyperCommand):
    """A command with this help; if its argument has any number of words, all of them stand behind ``--``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse what stands before ``--`` alone; a word too many there is not another program's."""
        for param in self.params:
            if param.nargs == -1:
                own, rest = before_dashes(args)
                left: list[str] = super().parse_args(ctx, list(own))
                extra = list(ctx.params[param.name] or ())
                ctx.params[param.name] = rest or extra
                if extra and (rest or "://" not in extra[0]):  # -- makes no command of an address
                    raise UsageError(f"unexpected argument: {extra[0]}", hint=typed_again(ctx))
                return left
        return super().parse_args(ctx, args)

    def get_help(self, ctx: Any) -> str:
        """Return the help."""
        return shown_help(self, ctx)


class HelpedGroup(TyperGroup):
    """A group of commands with this help."""

    def get_help(self, ctx: Any) -> str:
        """Return the help."""
        return shown_help(self, ctx)

    def command_groups(self, ctx: Any) -> dict[str, list[Row]]:
        """Return the commands and what they do, by group."""
        commands = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        return {"Commands": [(name, command.get_short_help_str(200)) for name, command in commands if command]}


def _lines(command: Any, ctx: Any, width: int, *, colour: bool) -> Iterator[str]:
    yield from behind("Usage: ", " ".join((ctx.command_path, *_usage(command))), width)
    labelled, others = _paragraphs(command.help or "")
    for text in others:
        yield ""
        yield from filled(text, width)
    groups = command.command_groups(ctx) if isinstance(command, HelpedGroup) else {}
    for together in (groups, _option_groups(command, ctx)):
        indent = _indent([name for rows in together.values() for name, _ in rows], width)
        for name, rows in together.items():
            yield from ("", _heading(name, colour), *_table(rows, indent, width))
    if examples := labelled.pop("Examples", ""):
        yield from ("", _heading("Examples", colour), *(f"  {line.strip()}" for line in examples.splitlines()))
    if labelled:
        yield ""
    for label, text in labelled.items():
        where = IN_SOURCE if label == "More" else ""
        yield from behind(f"{pad(label, LABEL_WIDTH)}  ", text + where, width)


def _heading(name: str, colour: bool) -> str:
    return typer.style(f"{name}:", bold=True) if colour else f"{name}:"


def _paragraphs(text: str) -> tuple[dict[str, str], list[str]]:
    """Return the paragraphs that have a label, by label, and the others."""
    labelled: dict[str, str] = {}
    others = []
    for paragraph in re.split(r"\n{2,}", text.strip()):
        if paragraph.startswith("Examples:\n"):
            labelled["Examples"] = paragraph.partition("\n")[2]
        elif found := re.match(LABEL, paragraph):
            labelled[found[1]] = " ".join(paragraph[found.end() :].split())
        else:
            others.append(" ".join(paragraph.split()))
    return labelled, others


def _usage(command: Any) -> Iterator[str]:
    yield "COMMAND" if isinstance(command, HelpedGroup) else "[OPTIONS]"
    for param in command.params:
        if param.param_type_name == "argument":
            words = f"-- {param.metavar} …" if param.nargs == -1 else str(param.metavar)
            yield words if param.required else f"[{words}]"


def _option_groups(command: Any, ctx: Any) -> dict[str, list[Row]]:
    """Return what stands in the help about arguments and options, by group."""
    options = [param for param in command.params if param.param_type_name == "option" and not param.hidden]
    arguments = [(str(param.metavar), param.help) for param in command.params if param.param_type_name == "argument"]
    groups: dict[str, list[Row]] = {"Arguments": arguments, OPTIONS_GROUP: []}
    for option in options:
        group = (option.rich_help_panel or OPTIONS_GROUP) if len(options) >= FEWEST_IN_GROUPS else OPTIONS_GROUP
        groups.setdefault(group, []).append((_name(option, ctx), _meaning(option)))
    (groups[OPTIONS_GROUP] if groups[OPTIONS_GROUP] or len(groups) == 2 else list(groups.values())[-1]).append(HELP_ROW)
    return {name: rows for name, rows in groups.items() if rows}


def _name(option: Any, ctx: Any) -> str:
    names = ", ".join(sorted([*option.opts, *option.secondary_opts], key=len))
    return names if option.is_flag else f"{names} {option.make_metavar(ctx)}"


def _meaning(option: Any) -> str:
    """Return what an option does, and which values it takes if its type has bounds or it has a default."""
    least, most = getattr(option.type, "min", None), getattr(option.type, "max", None)
    facts = [f"{least} to {most}"] if least is not None and most is not None else []
    if option.show_default and option.default not in (None, False):
        facts.append(f"{option.default} by default")
    return f"{option.help.removesuffix('.')} ({', '.join(facts)})." if facts else str(option.help)


def _indent(names: list[str], width: int) -> int:
    """Return where the texts behind these names begin."""
    return min(max((len(name) for name in names if len(name) <= LONGEST_NAME), default=0), width // 3) + 4


def _table(rows: Iterable[Row], indent: int, width: int) -> Iterator[str]:
    for name, text in rows:
        lead = f"  {pad(name, indent - 4)}  "
        if len(name) > indent - 4:
            yield f"  {name}"
            lead = " " * indent
        yield from (line.rstrip() for line in behind(lead, text, width))
