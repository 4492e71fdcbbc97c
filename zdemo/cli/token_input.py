"""The token that a command sends: from an option, standard input, a prompt, the environment or ``.env``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

import typer

from zdemo.cli.options import ASK
from zdemo.cli.redaction import LONGEST_TOKEN
from zdemo.cli.screen import Screen
from zdemo.config.environment import Environment, read_environment
from zdemo.config.masking import SECRET_SETTINGS, masked, token_like
from zdemo.errors import MissingTokenError, UsageError

if TYPE_CHECKING:
    from zdemo.config.settings import Settings

FROM_STDIN = "-"
OUR_PREFIXES = ("CLIENT_", "ZITADEL_", "ZDEMO_")  # settings where a secret may stand by mistake
LONGEST_INPUT_BYTES = 1 << 20
_OPTIONS = (
    "--json --url --expect --curl --watch --require --quiet --verbose --env-file --help -h --pat -v -q "
    "--admin-pat --dry-run --yes -y --teardown --rotate-secret --domain --auth --pat-days "
    "--project-name --role --app-name --reader-name --visitor-name"
)
OPTION_NAMES = frozenset(_OPTIONS.split())

BESIDE_LETTERS = str.maketrans("", "", "_-.")  # what tokens of ZITADEL have beside letters and digits


def _piped() -> str:
    stdin = cast("TextIO | None", sys.stdin)  # None when it was closed
    return stdin.buffer.read(LONGEST_INPUT_BYTES).decode(errors="surrogateescape") if stdin else ""


def _typed(option: str) -> str:
    if not at_terminal():
        raise UsageError(
            f"{option} asks for the token, but there is no terminal to ask at", hint=f"{option} - reads it from stdin"
        )
    return typed_secret("token: ")


def at_terminal() -> bool:
    """Whether there is somebody to ask."""
    stdin = cast("TextIO | None", sys.stdin)
    return stdin is not None and stdin.isatty()


def typed_secret(prompt: str) -> str:
    """Asked for without echo."""
    import getpass  # here, since it is rarely needed

    try:
        return getpass.getpass(prompt, stream=sys.stderr)
    except EOFError:
        raise typer.Abort from None


def given_token(option: str, value: str | None) -> str | None:
    """The token that an option gives: its text, standard input or the terminal; ``None`` when it is not given.

    Raises:
        UsageError: the option is followed by another one, or asks where nobody can answer.
        MissingTokenError: the token is empty.
    """
    if value is not None and value in OPTION_NAMES:
        raise UsageError(f"{option} is followed by another option", hint=f"put a bare {option} at the end of the line")
    token = {ASK: lambda: _typed(option), FROM_STDIN: _piped}.get(value or "", lambda: value)()
    if token is not None and not token.strip():
        raise MissingTokenError("the token is empty", hint=f"give the token's text, or leave {option} away")
    return token


def environment_with_token(
    screen: Screen, pat: str | None, env_file: Path | None, options: Mapping[str, tuple[str, str | None]] | None = None
) -> Environment:
    """The environment, with ``PAT`` from ``--pat`` when that is given; ``screen`` will never show the token.

    ``options``: for other variables, the option that stands for each and its value.

    Raises:
        UsageError: ``--pat`` is followed by another option, or asks where nobody can answer.
        MissingTokenError: ``--pat`` gives an empty token, or the token is too long to be one.
        SettingsError: the ``.env`` file cannot be read.
    """
    token = given_token("--pat", pat)
    environment = read_environment(env_file, {"PAT": ("--pat", token), **(options or {})})
    if len(environment.get("PAT", "")) > LONGEST_TOKEN:
        message = f"the token {token_source(environment)} is longer than 16 KiB, and no API takes it"
        raise MissingTokenError(message, hint="give the token alone")
    hide_secrets(screen, environment)
    return environment


def hide_secrets(screen: Screen, environment: Environment) -> None:
    """Whatever is printed from now on, these are not."""
    screen.hide(*(environment.get(name, "") for name in SECRET_SETTINGS))
    ours = (value for name, value in environment.items() if name in SECRET_SETTINGS or name.startswith(OUR_PREFIXES))
    screen.hide(*(piece for value in ours for piece in token_like(value)))


def tell_warnings(screen: Screen, settings: Settings) -> None:
    """What is not wrong with the settings but not right either, on standard error."""
    for warning in settings.warnings:
        screen.tell(f"warning: {warning}")


def checked_token(environment: Environment) -> str | None:
    """The token as it can be sent in a header field, or ``None`` when there is none.

    Raises:
        MissingTokenError: what is there cannot be sent: it holds quotes, blanks, ``Bearer`` or the like.
    """
    token = environment.get("PAT", "").strip()
    if not token:
        return None
    if token.isascii() and token.translate(BESIDE_LETTERS).isalnum():
        return token
    from zdemo.diagnosis import paste_problem  # here, since most tokens need no diagnosis

    if problem := paste_problem(token):
        raise MissingTokenError(
            f"the token {token_source(environment)} cannot be sent: {problem.cause}", hint=problem.fix[0]
        )
    return token


def required_token(environment: Environment) -> str:
    """Return the token to ask about, without line ends and blanks around it.

    Raises:
        MissingTokenError: there is no token.
    """
    token = environment.get("PAT", "").strip()
    if not token:
        raise MissingTokenError("no token to ask about", hint="give one with --pat, or set PAT in .env")
    return token


def token_source(environment: Environment) -> str:
    """Where the token came from, in words."""
    return f"from {environment.source('PAT')}"


def token_line(environment: Environment, token: str) -> str:
    """What may be shown of the token, and where it came from."""
    return f"{masked(token)}, {token_source(environment)}"


def mixed_sources(environment: Environment, address: str, *, name: str = "PAT") -> str:
    """A warning when the token and the address that it goes to come from different places; else empty."""
    token, place = environment.source(name), environment.source(address)
    if not token or not place or token == place or "the command line" in (token, place):
        return ""
    return f"{'the token' if name == 'PAT' else name} comes from {token}, {address} from {place}"
