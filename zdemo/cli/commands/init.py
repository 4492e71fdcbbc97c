"""``zdemo init``: write a first ``.env``, and never change one that a person wrote or changed."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from zdemo.cli.common_options import SAME_PORT, EnvFile, Json, check_address, port_option
from zdemo.cli.emulator_env_file import emulator_env_file, init_emulator, serve_emulator, warn_of_git
from zdemo.cli.screen import Screen
from zdemo.cli.token_input import at_terminal, typed_line
from zdemo.cli.usage import check_needs, flag, option
from zdemo.config.address import is_local
from zdemo.config.environment import read_environment
from zdemo.config.file_io import create_file, replace_file
from zdemo.config.names import hiding_problems
from zdemo.config.new_dotenv import emulator_text, is_skeleton, settings_in, skeleton, with_env_file
from zdemo.config.settings import API_URL
from zdemo.config.variables import DEFAULT_API_URL, EMULATOR_PORT
from zdemo.errors import SettingsError, UsageError, ZdemoError
from zdemo.errors.steps import DEFAULT_ENV_FILE, Command, Step, in_words
from zdemo.text.masking import without_tokens
from zdemo.text.printable import printable

QUESTION = "Settings for your own ZITADEL, or for the built-in emulator? [OWN/emulator] "


def init(
    ctx: typer.Context,
    emulator: Annotated[bool, flag("Write the emulator's settings, which are public.", "--emulator")] = False,
    emulator_port: Annotated[int, port_option("With --emulator, the emulator's port.")] = EMULATOR_PORT,
    api_url: Annotated[str, option("URL", "Where the API is, beside the emulator.")] = "",
    as_json: Json = False,
    env_file: EnvFile = None,
) -> None:
    """Write a first .env, for the emulator or for your ZITADEL.

    Without --emulator it is a skeleton to fill in; a terminal asks which you need. Never changes a file that exists,
    but --emulator replaces an unchanged skeleton.

    Examples:
      zdemo init
      zdemo init --emulator
      zdemo init --emulator --env-file emulator.env
      zdemo init --emulator --api-url http://127.0.0.1:5001

    Exit codes: 0 the file was written; 1 it exists, or cannot be written

    More: docs/settings.md
    """
    check_needs(ctx, "emulator", "emulator_port", "api_url")
    if api_url:
        api_url = check_address("--api-url", api_url, os.environ)
    if emulator and is_local(at := api_url or DEFAULT_API_URL) and at.endswith(f":{emulator_port}"):
        raise UsageError(SAME_PORT.format(emulator_port), hint="change --emulator-port")
    screen: Screen = ctx.obj
    path = env_file or DEFAULT_ENV_FILE
    if not emulator and at_terminal() and not os.path.lexists(path):
        answer = typed_line(QUESTION).lower()
        emulator = bool(answer) and "emulator".startswith(answer)
    text = emulator_text(emulator_port, api_url) if emulator else skeleton()
    try:
        create_file(path, text)
    except FileExistsError:
        if not (emulator and is_skeleton(path)):
            raise _refusal(path, emulator_port if emulator else None, api_url) from None
        replace_file(path, text, like=path.stat())
    what = "the settings of the emulator" if emulator else "a skeleton to fill in"
    if not as_json:
        screen.say(printable(f"wrote {path}: {what}"))
    warn_of_git(screen, path)
    for problem in hiding_problems(read_environment(path)):
        screen.warn(problem.in_full)
    steps: list[Step] = [
        Command("setup", does="creates what is needed in your ZITADEL, and fills it in"),
        Command("doctor", does="says what is missing, if you fill it in by hand"),
    ]
    if emulator:
        steps = [replace(serve_emulator(emulator_port, api_url), does="runs the API and the emulator")]
    steps = [with_env_file(step, path) for step in steps]
    if as_json:
        screen.document({"wrote": str(path), "what": what, "next": [in_words(step) for step in steps]})
    else:
        screen.steps("next", steps, label_width=4)


def _refusal(path: Path, emulator_port: int | None, api_url: str) -> ZdemoError:
    """Return the error that says what an existing file sets, and what to do instead."""
    what, port = f"{path} exists, and was not changed", emulator_port or EMULATOR_PORT
    other, has_settings = emulator_env_file(path, port)
    if has_settings:
        command = serve_emulator(port, read_environment(other).get(API_URL, ""))
    else:
        command = init_emulator(port, api_url or DEFAULT_API_URL)
    hint = with_env_file(command, other)
    try:
        names = without_tokens(", ".join(settings_in(path)))
    except SettingsError as error:
        return ZdemoError(what, *error.lines, hint=hint if emulator_port else error.steps)
    if not emulator_port:
        hint = with_env_file(Command("doctor", does="says what is missing or wrong"), path)
    return ZdemoError(what, f"it sets {names or 'nothing'}", hint=hint)
