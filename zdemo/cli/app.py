"""The table of commands, and the program made from it."""

from functools import cache
from importlib import import_module
from typing import Annotated, Any

import typer

from zdemo import __version__
from zdemo.cli.usage import WITH_HELP, HelpedCommand, HelpedGroup, flag

FIRST, API, TOKENS, ZITADEL = "First steps", "Your API", "Why a token is refused", "ZITADEL"  # panels of the help

COMMANDS = {  # name: summary and panel in `zdemo --help`; the module in zdemo.cli.commands has the same name
    "demo": ("See an API check ZITADEL tokens, with nothing configured.", FIRST),
    "init": ("Write a first .env, for the emulator or for your ZITADEL.", FIRST),
    "commands": ("List the commands, their options and exit codes.", FIRST),
    "serve": ("Run the API: three routes, guarded by token introspection.", API),
    "call": ("Send one request to an API, and explain the response.", API),
    "token": ("Print an access token of a service account or a person.", API),
    "verify": ("Grade any API that takes bearer tokens, in any language.", API),
    "introspect": ("Ask ZITADEL about a token, and explain the answer.", TOKENS),
    "doctor": ("Find out what is wrong, and how to fix it.", TOKENS),
    "mcp": ("Give the diagnosis to an MCP client, over standard input and output.", TOKENS),
    "emulator": ("Run the built-in ZITADEL emulator, alone or for one command.", ZITADEL),
    "setup": ("Connect zdemo to your ZITADEL, and write .env.", ZITADEL),
    "role": ("Show and change who has which role in the project.", ZITADEL),
}


@cache
def load(name: str) -> Any:
    """Import a command, and return it as Click's command."""
    command = getattr(import_module(f"zdemo.cli.commands.{name}"), name)
    if not isinstance(command, typer.Typer):
        single = typer.Typer(add_completion=False, **WITH_HELP)
        single.command(name, cls=HelpedCommand)(command)
        command = single
    return typer.main.get_command(command)


class Program(HelpedGroup):
    """The commands of the table; the module of one is imported when it is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return name and command that the words call, and the other words."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command and load(str(name)), rest


def _show_version(show: bool) -> None:
    if show:
        typer.echo(f"zdemo {__version__}")
        raise typer.Exit


app = typer.Typer(name="zdemo", cls=Program, no_args_is_help=True, **WITH_HELP)
for _name, (_summary, _panel) in COMMANDS.items():
    app.command(_name, help=_summary, rich_help_panel=_panel)(lambda: None)


Version = Annotated[bool, flag("Show the version and exit.", "--version", "-V", callback=_show_version, is_eager=True)]


@app.callback()
def zdemo(_version: Version = False) -> None:
    """See, test and debug how an API checks ZITADEL access tokens.

    Examples:
      zdemo demo
      zdemo serve --emulator
      zdemo call scoped
      zdemo doctor
      zdemo help role grant

    First: zdemo demo

    Variables: zdemo reads the environment and .env; docs/settings.md lists the variables

    Exit codes: 0 yes; 1 the answer is no; 2 wrong command line; 3 a setting or a token is missing or wrong; 4 no answer
    from the API or ZITADEL; 130 interrupted

    More: zdemo help COMMAND, and docs/commands.md
    """


program: Any = typer.main.get_command(app)
