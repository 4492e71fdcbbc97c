"""A ``.env`` to fill in: its text, whether a file is one that nobody changed, and how to set what is missing."""

from collections.abc import Sequence
from pathlib import Path

from zdemo.config.environment import Environment, is_setting
from zdemo.config.file_io import read_file
from zdemo.config.variables import Variable, dotenv_text
from zdemo.errors.steps import DEFAULT_ENV_FILE, Command, Step, sentence

NEARBY = ("../.env", ".env.local", "env", ".env.txt")
INIT_EMULATOR = sentence(Command("init --emulator", uses_settings=False), "writes one with the emulator's settings")
INIT = sentence(Command("init", uses_settings=False), "writes one to fill in")
SETUP = sentence(Command("setup"), "fills it in for your ZITADEL")
REPLACE = sentence(Command("init --emulator", uses_settings=False), "replaces it with the emulator's settings")


def skeleton() -> str:
    """Return the text of a ``.env`` to fill in."""
    return dotenv_text(
        "zdemo's settings. Options and environment variables win over this file.\n"
        "zdemo setup creates what is needed in your ZITADEL, and fills this in. zdemo doctor says what is missing.",
        lambda variable: f"{variable.name}=" if variable.to_fill_in else proposed(variable),
    )


def is_skeleton(path: Path) -> bool:
    """Return whether a file is a skeleton that nobody changed; a link is not."""
    text = skeleton().encode()
    try:
        return not path.is_symlink() and read_file(path, len(text))[0] == text
    except OSError:
        return False


def proposed(variable: Variable) -> str:
    """Return the line of a setting that is commented out, with an example."""
    return f"# {variable.name}={variable.example or variable.shown_default}"


def completion(environment: Environment, names: Sequence[str], *, by_name: bool = False) -> tuple[Step, ...]:
    """Return how to set missing variables, which a message has named unless ``by_name``."""
    what = ", ".join(names) if by_name else "it" if len(names) == 1 else "them"
    if environment.can_init and (other := next(filter(Path.is_file, map(Path, NEARBY)), None)):
        return (f"add --env-file {other}, or set {what} in the environment or in .env",)
    setting = f"set {what} in the environment or in {environment.file or '.env'}"
    with_own = any(map(is_setting, environment))  # the emulator's would not fit to these
    if environment.can_init:
        return setting, INIT if with_own else INIT_EMULATOR
    if with_own or environment.file != DEFAULT_ENV_FILE or not is_skeleton(environment.file):
        return (setting,)  # zdemo init refuses
    return (setting, *(() if "ZDEMO_USER_CLIENT_ID" in names else (SETUP,)), REPLACE)
