"""A first ``.env``, the emulator's or a skeleton to fill in, whether a file is one, and how to set what is missing.

Only an unchanged skeleton is ever replaced. The emulator's secrets are public, and used on this machine alone.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from zdemo.config.address import ADMIN_PAT, ISSUER, admin_option, is_local
from zdemo.config.environment import GIVEN, KEY_FILE, Environment, is_setting, read_environment
from zdemo.config.file_io import read_file
from zdemo.config.variables import EMULATOR_PORT, SECRETS, VARIABLES, Variable, dotenv_text, is_public
from zdemo.errors import SettingsError
from zdemo.errors.steps import DEFAULT_ENV_FILE, Command, GrantRole, Step

ZITADELS_PORT = 8080
TO_BE_EQUAL = (ISSUER, "CLIENT_ID", "CLIENT_SECRET", "ZITADEL_PROJECT_ID", ADMIN_PAT)
INIT_EMULATOR = Command("init --emulator", uses_settings=False, does="writes a .env with the emulator's settings")
INIT = Command("init", uses_settings=False, does="writes a .env to fill in")


def skeleton() -> str:
    """Return the text of a ``.env`` to fill in."""
    return dotenv_text(
        "zdemo's settings. Options and environment variables win over this file.\n"
        "zdemo setup creates what is needed in your ZITADEL, and fills this in. zdemo doctor says what is missing.",
        lambda variable: f"{variable.name}=" if variable.to_fill_in else proposed(variable),
    )


def is_skeleton(path: Path) -> bool:
    """Return whether a file is an unchanged skeleton; a link is not."""
    text = skeleton().encode()
    try:
        content, _ = read_file(path, len(text))
        return content == text and not path.is_symlink()
    except OSError:
        return False


def proposed(variable: Variable) -> str:
    """Return the line of a setting that is commented out, with an example; ``export $(cat .env)`` does not set it."""
    return f"#{variable.name}={variable.example or variable.shown_default}"


def completion(environment: Environment, names: Sequence[str], *, by_name: bool = False) -> tuple[Step, ...]:
    """Return how to set missing variables, which a message has named unless ``by_name``."""
    what = ", ".join(names) if by_name else "it" if len(names) == 1 else "them"
    if GIVEN in environment.layers:
        return (f"add {what} to {GIVEN}, which replaces the environment and .env",)
    if environment.nearby:
        return (f"add --env-file {environment.nearby}, or set {what} in the environment or in .env",)
    setting = f"set {what} in the environment or in {environment.file or '.env'}"
    with_own = any(map(is_setting, environment))  # the emulator's would not fit to these
    if environment.file is None and environment.folder is None:
        return setting, INIT if with_own else INIT_EMULATOR
    if with_own or environment.file != DEFAULT_ENV_FILE or not is_skeleton(environment.file):
        return (setting,)  # zdemo init refuses
    setup = () if "ZDEMO_USER_CLIENT_ID" in names else (Command("setup", does="fills it in for your ZITADEL"),)
    return (setting, *setup, replace(INIT_EMULATOR, does="replaces it with the emulator's settings"))


def emulator_settings(port: int = EMULATOR_PORT, api_url: str = "") -> dict[str, str]:
    """Return the settings for an emulator on this port, and for an API at ``api_url`` if that is given."""
    given = {ISSUER: f"http://localhost:{port}", "ZDEMO_API_URL": api_url}
    values = {variable.name: given.get(variable.name) or variable.emulator for variable in VARIABLES}
    return {name: value for name, value in values.items() if value}


def emulator_text(port: int = EMULATOR_PORT, api_url: str = "") -> str:
    """Return the text of a ``.env`` with ``emulator_settings``."""
    values = emulator_settings(port, api_url)
    return dotenv_text(
        "The settings of zdemo's emulator (zdemo serve --emulator, zdemo emulator), as zdemo init --emulator writes "
        "them.\nIts secrets are public. Options and environment variables win over this file.",
        lambda variable: f"{variable.name}={values[variable.name]}" if variable.name in values else proposed(variable),
    )


def settings_in(path: Path) -> dict[str, str]:
    """Return the settings that a ``.env`` sets; an empty one is not set. Raises SettingsError if it cannot be read."""
    from zdemo.config.dotenv_file import valid_dotenv  # here, as in ``read_environment``

    values = valid_dotenv(path).values
    return {name: value.strip() for name, value in values.items() if value.strip() and is_setting(name)}


def has_emulators_settings(path: Path, port: int = EMULATOR_PORT) -> bool:
    """Return whether all commands work with the emulator on this port if they use this ``.env``."""
    try:
        values = settings_in(path)
    except SettingsError:
        return False
    wanted = emulator_settings(port)
    return "PAT" in values and KEY_FILE not in values and all(values.get(name) == wanted[name] for name in TO_BE_EQUAL)


def usable_at(address: str, value: str) -> str:
    """Return the value, but nothing for a public one at another machine: the emulator runs on this one."""
    return "" if is_public(value) and not is_local(address) else value


def emulator_in(environment: Environment) -> str:
    """Return the address of the emulator on this machine to which ``.env`` belongs, or an empty text."""
    file, address = str(environment.file), environment.get(ISSUER, "").strip()
    is_here = environment.source(ISSUER) == file and is_local(address) and f":{ZITADELS_PORT}" not in address
    return address if is_here and any(is_public(environment.layers[file].get(name, "")) for name in SECRETS) else ""


def with_env_file(step: Step, path: Path | None) -> Step:
    """Return a step whose commands work with this ``.env``. If it is an emulator's, setup gets its address."""
    if isinstance(step, Command) and step.text in ("setup", "setup --app"):
        with suppress(SettingsError):
            if emulator := emulator_in(environment := read_environment(path)):
                option = step.option or admin_option(environment)
                step = replace(step, text=f"{step.text} --domain {emulator}", option=option)
    if isinstance(step, GrantRole) or (isinstance(step, Command) and step.uses_settings):
        return replace(step, env_file=step.env_file or (path if path != DEFAULT_ENV_FILE else None))
    return step
