"""``zdemo commands``: all commands and options, read from the commands themselves."""

import re
from importlib.resources import files
from typing import Annotated, Any, get_type_hints

import typer

from zdemo.cli.app import COMMANDS, load
from zdemo.cli.common_options import Json
from zdemo.cli.screen import Screen
from zdemo.cli.usage import described, flag, settings_of

SKILL = "Print the skill for coding agents: a SKILL.md on how to find out why a token is refused."


def commands(ctx: typer.Context, as_json: Json = False, skill: Annotated[bool, flag(SKILL, "--skill")] = False) -> None:
    """List the commands, their options and exit codes.

    With --json, also what each option takes, its default, and its settings, without empty fields.

    Examples:
      zdemo commands
      zdemo commands --json
      zdemo commands --skill

    Exit codes: 0 always

    More: docs/commands.md
    """
    screen: Screen = ctx.obj
    codes = _exit_codes(ctx.find_root().command.help or "")
    known = [(name, getattr(load(name), "commands", {"": load(name)})) for name in COMMANDS]
    rows = [_row(f"{name} {word}".strip(), command) for name, words in known for word, command in words.items()]
    if skill:
        text = (files("zdemo.cli") / "SKILL.md").read_text(encoding="utf-8")
        screen.document({"skill": text} if as_json else text.rstrip("\n"))
    elif as_json:
        screen.document({"exit_codes": codes, "commands": rows})
    else:
        for row in rows:
            names = "  ".join(option["names"][0] for option in row["options"])
            screen.behind(f"{row['name']:<13}", f"{row['summary']}\n{names}")
        screen.say()
        screen.pairs(codes.items(), label_width=3)


def _row(name: str, command: Any) -> dict[str, Any]:
    hints = get_type_hints(command.callback, include_extras=True)
    params = [(param.param_type_name, _parameter(param, hints[param.name])) for param in command.params]
    return {
        "name": name,
        "summary": command.help.partition("\n")[0],
        "arguments": [facts for kind, facts in params if kind == "argument"],
        "options": [facts for kind, facts in params if kind == "option"],
        "settings": [*settings_of(name, command)],
        "exit_codes": _exit_codes(command.help),
    }


def _parameter(param: Any, hint: Any) -> dict[str, Any]:
    """Return an argument or option, without empty fields. No default is a secret: secrets come from settings alone."""
    info, _, choices = described(hint)
    facts = {
        "names": [*param.opts, *param.secondary_opts],
        "takes": param.metavar,
        "choices": choices,
        "least": info.min,
        "most": info.max,
        "default": param.default,
        "settings": [*getattr(info, "settings", ()), *([info.envvar] if info.envvar else [])],
        "required": param.required,
        "repeated": param.multiple or param.nargs == -1,
        "help": param.help,
    }
    return {name: value for name, value in facts.items() if value not in (None, False, [], "")}


def _exit_codes(text: str) -> dict[str, str]:
    """Return the exit codes that a help names, with their meanings."""
    named = re.search(r"^Exit codes: (.*?)(?:\n\n|\Z)", text, re.MULTILINE | re.DOTALL)
    return dict(re.findall(r"(?:^|; )(\d+) (.*?)(?=; \d|$)", " ".join(named[1].split()))) if named else {}
