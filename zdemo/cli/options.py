"""What the commands take. Kept light: every command line loads it, ``--help`` too."""

from pathlib import Path
from typing import Annotated, Literal

import typer

ASK = "\x00ask"  # stands for a bare --pat; no command line can hold a NUL

Pat = Annotated[
    str | None,
    typer.Option(
        "--pat",
        metavar="TEXT",
        help="The token. - reads it from standard input; at the end of the line and with nothing behind it, --pat asks "
        "for it. Default: PAT in the environment or .env.",
        show_default=False,
    ),
]
EnvFile = Annotated[
    Path | None,
    typer.Option("--env-file", metavar="FILE", help="Read this file instead of .env.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]

DEFAULT_THREADS = 128
HIGHEST_PORT = 65535
EMULATOR_PORT = 8484  # as zdemo.emulator has it, which is not loaded for a line of help

Port = Annotated[int, typer.Option(metavar="PORT", min=1, max=HIGHEST_PORT, help="The port to listen on.")]
Host = Annotated[str, typer.Option(metavar="ADDRESS", help="The address to listen on.")]
Expose = Annotated[
    bool,
    typer.Option("--expose-emulator", help="Allow other addresses than loopback. The tokens are public."),
]
UserArgument = Annotated[str, typer.Argument(metavar="USER", help="Login name or ID.", show_default=False)]
RoleArgument = Annotated[
    str, typer.Argument(metavar="ROLE", help="The role's key, e.g. read:messages.", show_default=False)
]


def _check_ids(incomplete: str) -> list[str]:
    from zdemo.doctor import CHECKS  # here, since only a shell that completes a word needs them

    return [check.id for check in CHECKS if check.id.startswith(incomplete)]


Only = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ID",
        help="Carry out this check, and what it builds on. Repeatable.",
        show_default=False,
        autocompletion=_check_ids,
    ),
]
Auth = Annotated[
    Literal["basic", "private-key-jwt"] | None,
    typer.Option(
        metavar="METHOD",
        help="basic or private-key-jwt: how the application authenticates. Default: as it does, else basic.",
        show_default=False,
    ),
]
