"""The table of commands, and the program made from it."""

from importlib import import_module
from typing import Annotated, Any

import typer

from zdemo import __version__
from zdemo.cli.help import HelpedCommand, HelpedGroup
from zdemo.cli.options import ASK, PLAIN

FIRST, API, TOKENS, ZITADEL = "First steps", "Your API", "Why a token is refused", "ZITADEL"  # groups in the help

COMMANDS = {  # name: module, and the summary and the group in `zdemo --help`
    "demo": ("zdemo.cli.demo", "See an API check ZITADEL tokens, with nothing configured.", FIRST),
    "init": ("zdemo.cli.init", "Write a first .env, for the emulator or for your ZITADEL.", FIRST),
    "serve": ("zdemo.cli.serve", "Run the API: three routes, guarded by token introspection.", API),
    "call": ("zdemo.cli.call", "Send one request to an API, and explain the response.", API),
    "token": ("zdemo.cli.token", "Get an access token of a service account, and print it.", API),
    "verify": ("zdemo.cli.verify", "Grade any API that takes bearer tokens, in any language.", API),
    "introspect": ("zdemo.cli.introspect", "Ask ZITADEL about a token, and explain the answer.", TOKENS),
    "doctor": ("zdemo.cli.doctor", "Find out what is wrong, and how to fix it.", TOKENS),
    "emulator": ("zdemo.cli.emulator", "Run the built-in ZITADEL emulator, alone or for one command.", ZITADEL),
    "setup": ("zdemo.cli.setup", "Connect zdemo to your ZITADEL, and write .env.", ZITADEL),
    "role": ("zdemo.cli.role", "Show and change who has which role in the project.", ZITADEL),
}


def load(name: str) -> Any:
    """Import a command, and return it as Click's command. Its module calls it by its name."""
    command = getattr(import_module(COMMANDS[name][0]), name)
    if not isinstance(command, typer.Typer):
        single = typer.Typer(add_completion=False, **PLAIN)
        single.command(name, cls=HelpedCommand)(command)
        command = single
    return typer.main.get_command(command)


class Program(HelpedGroup):
    """The commands of the table; one is imported when it is called."""

    def list_commands(self, _ctx: Any) -> list[str]:
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, _ctx: Any, cmd_name: str) -> Any:
        """Return the command, or ``None`` if no command has that name."""
        return load(cmd_name) if cmd_name in COMMANDS else None

    def command_groups(self, _ctx: Any) -> dict[str, list[tuple[str, str]]]:
        """Return the commands and what they do, by group, without importing them."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for name, (_, summary, group) in COMMANDS.items():
            groups.setdefault(group, []).append((name, summary))
        return groups


def _show_version(show: bool) -> None:
    if show:
        typer.echo(f"zdemo {__version__}")
        raise typer.Exit


def _show_completion(shell: str | None) -> None:
    if shell is not None:
        from zdemo.cli.completion import script  # here, since it is rarely needed

        typer.echo(script(None if shell == ASK else shell)[1], nl=False)
        raise typer.Exit


def _install_completion(shell: str | None) -> None:
    if shell is not None:
        from zdemo.cli.completion import install  # here, since it is rarely needed

        typer.echo("\n".join(install(None if shell == ASK else shell)))
        raise typer.Exit


def _shells() -> list[str]:
    from zdemo.cli.completion import SHELLS  # here, since only completion needs it

    return list(SHELLS)


app = typer.Typer(
    name="zdemo",
    cls=Program,
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    **PLAIN,
)


@app.callback()
def zdemo(
    _version: Annotated[
        bool, typer.Option("--version", "-V", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    _show: Annotated[
        str | None,
        typer.Option(
            "--show-completion",
            metavar="SHELL",
            callback=_show_completion,
            is_eager=True,
            show_default=False,
            autocompletion=_shells,
            help="Print the completion script for bash, zsh or fish. Default: your shell.",
        ),
    ] = None,
    _install: Annotated[
        str | None,
        typer.Option(
            "--install-completion",
            metavar="SHELL",
            callback=_install_completion,
            is_eager=True,
            show_default=False,
            autocompletion=_shells,
            help="Install completion for bash, zsh or fish. Default: your shell.",
        ),
    ] = None,
) -> None:
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
