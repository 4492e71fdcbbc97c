"""The options that several commands share."""

from pathlib import Path
from typing import Annotated, Any

import typer

from zdemo.errors import UsageError

ASK = "\x00ask"  # stands for a bare --pat; a command line cannot hold a NUL
HIGHEST_PORT = 65535
PLAIN: Any = {  # how zdemo uses Typer: plain help takes half the time, and cli.usage words the errors
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
    "suggest_commands": False,
}


def token_text(ctx: typer.Context, param: typer.CallbackParam, value: str | None) -> str | None:
    """Return a token that an option gives, unless it is another option."""
    options = {name for other in ctx.command.params for name in other.opts}.union(ctx.help_option_names)
    if value in options:
        option = param.opts[0]
        raise UsageError(f"{option} is followed by another option", hint=f"put a bare {option} at the end of the line")
    return value


Pat = Annotated[
    str | None,
    typer.Option(
        "--pat",
        metavar="TEXT",
        help="The token. - reads it from standard input; a bare --pat at the end of the line asks for it. "
        "Default: PAT in the environment or .env.",
        show_default=False,
        callback=token_text,
    ),
]
EnvFile = Annotated[
    Path | None,
    typer.Option("--env-file", metavar="FILE", help="Use this file instead of .env.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]

Host = Annotated[str, typer.Option(metavar="ADDRESS", help="The address to listen on.")]
Port = Annotated[int, typer.Option(metavar="PORT", min=1, max=HIGHEST_PORT, help="The port to listen on.")]
Expose = Annotated[
    bool,
    typer.Option(
        "--expose-emulator", help="Let the emulator listen on other addresses than loopback. Its tokens are public."
    ),
]
