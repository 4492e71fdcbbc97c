"""The table of commands, and the program made from it."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from zdemo import __version__
from zdemo.cli.options import PLAIN

COMMANDS = {  # name: module, and the summary that `zdemo --help` shows
    "demo": ("zdemo.cli.demo", "See an API check ZITADEL tokens, with nothing configured."),
    "init": ("zdemo.cli.init", "Write a first .env, for the emulator or for your ZITADEL."),
    "serve": ("zdemo.cli.serve", "Run the API: three routes, guarded by token introspection."),
    "call": ("zdemo.cli.call", "Send one request to the API, and explain the response."),
    "introspect": ("zdemo.cli.introspect", "Ask ZITADEL about a token, and explain the answer."),
    "doctor": ("zdemo.cli.doctor", "Find out what is wrong, and how to fix it."),
    "emulator": ("zdemo.cli.emulator", "Run the built-in ZITADEL emulator alone."),
    "setup": ("zdemo.cli.setup", "Connect zdemo to your ZITADEL, and write .env."),
    "role": ("zdemo.cli.role", "Show and change who has which role in the project."),
}


def load(name: str) -> Any:
    """Import a command, and return it as Click's command. Its module calls it by its name."""
    command = getattr(import_module(COMMANDS[name][0]), name)
    if not isinstance(command, typer.Typer):
        single = typer.Typer(add_completion=False, **PLAIN)
        single.command(name)(command)
        command = single
    return typer.main.get_command(command)


class Program(TyperGroup):
    """The commands of the table; one is imported when it is called."""

    def list_commands(self, _ctx: Any) -> list[str]:
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, _ctx: Any, cmd_name: str) -> Any:
        """Return the command, or ``None`` if no command has that name."""
        return load(cmd_name) if cmd_name in COMMANDS else None

    def format_commands(self, _ctx: Any, formatter: Any) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


def _show_version(show: bool) -> None:
    if show:
        typer.echo(f"zdemo {__version__}")
        raise typer.Exit


app = typer.Typer(
    name="zdemo", cls=Program, no_args_is_help=True, context_settings={"help_option_names": ["-h", "--help"]}, **PLAIN
)


@app.callback()
def zdemo(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """See, test and debug how an API checks ZITADEL access tokens.

    First: zdemo demo
    """
