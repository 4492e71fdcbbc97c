"""What the commands take. Kept light: every command line loads it, ``--help`` too."""

from pathlib import Path
from typing import Annotated

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
