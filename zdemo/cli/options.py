"""The options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

ASK = "\x00ask"  # stands for a bare --pat; a command line cannot hold a NUL
HIGHEST_PORT = 65535

Pat = Annotated[
    str | None,
    typer.Option(
        "--pat",
        metavar="TEXT",
        help="The token. - reads it from standard input; a bare --pat at the end of the line asks for it. "
        "Default: PAT in the environment or .env.",
        show_default=False,
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
