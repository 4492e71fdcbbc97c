"""Which ZITADEL ``zdemo setup`` works on, and as whom: from options, the environment, ``.env`` and questions."""

import os
import sys

from zdemo.cli.common_options import ASK
from zdemo.cli.questions import typed_line
from zdemo.cli.screen import Screen
from zdemo.cli.token_input import (
    at_terminal,
    given_token,
    hide_secrets,
    tell_mixed_sources,
    token_question,
    typed_secret,
)
from zdemo.config.address import INTERNAL_URL, ISSUER
from zdemo.config.environment import COMMAND_LINE, EXPORTED, Environment
from zdemo.config.new_dotenv import are_emulators, is_public, usable_at
from zdemo.config.parsers import EXAMPLE_DOMAIN
from zdemo.config.settings import AdminSettings
from zdemo.errors import SettingsError, UsageError
from zdemo.setup.setup_files import ADMIN_PAT, SetupFiles

OPTIONS = {"ZITADEL_DOMAIN": "--domain", "ZITADEL_ADMIN_PAT": "--admin-pat"}
TO_BE_TYPED = "to-be-typed"


def setup_environment(
    screen: Screen, files: SetupFiles, domain: str | None, admin_pat: str | None, *, may_ask: bool
) -> Environment:
    """Merge options, environment and ``.env``; ask for what is missing if a person is at a terminal."""
    is_asked_for = admin_pat == ASK
    values = {"ZITADEL_DOMAIN": domain, ADMIN_PAT: None if is_asked_for else given_token("--admin-pat", admin_pat)}
    given = {name: value for name, value in values.items() if value is not None}
    options = {name: OPTIONS[name] for name in (*given, *([ADMIN_PAT] if is_asked_for else []))}
    environment = _layers(given, options, files)
    hide_secrets(screen, environment)
    asks = at_terminal() and admin_pat != "-" and may_ask
    if _may_mean_another(environment, files):
        given["ZITADEL_DOMAIN"] = _meant_domain(environment, files, asks=asks)
    elif asks and "ZITADEL_DOMAIN" not in environment:
        given["ZITADEL_DOMAIN"] = _typed_domain(f"ZITADEL_DOMAIN (e.g. {EXAMPLE_DOMAIN}): ", environment)
    environment = _layers(given, options, files)
    address = environment.get("ZITADEL_DOMAIN", "")
    if address and ADMIN_PAT not in environment and is_public(files.get(ADMIN_PAT)):
        screen.tell(f"note: the emulator's {ADMIN_PAT} in {files.path} is not for {address}")
    if is_asked_for or (asks and ADMIN_PAT not in environment):
        given[ADMIN_PAT] = TO_BE_TYPED
        given[ADMIN_PAT] = _typed_admin_pat(_layers(given, options, files), with_option=is_asked_for)
        environment = _layers(given, options, files)
        hide_secrets(screen, environment)
    tell_mixed_sources(screen, environment, ADMIN_PAT, ISSUER)
    return environment


def refuse_other_internal_url(environment: Environment) -> None:
    """Raise SettingsError if ``.env`` would keep the address of another ZITADEL than the one that setup writes."""
    place = environment.source(INTERNAL_URL)
    if ISSUER in environment.shadowed and place == environment.shadowed[ISSUER]:
        what = f"{INTERNAL_URL} in {place} is for another ZITADEL than {environment.setting(ISSUER)} names"
        raise SettingsError([what], hint=f"remove {INTERNAL_URL} from {place}, or name another file with --env-file")


def _typed_admin_pat(environment: Environment, *, with_option: bool) -> str:
    """Ask for the administrator's PAT. Raises SettingsError if it is not clear where that will go."""
    zitadel = AdminSettings.from_env(environment).zitadel
    question = token_question(ADMIN_PAT, zitadel.server, environment, zitadel.variable)
    return (given_token("--admin-pat", ASK, question=question) or "") if with_option else typed_secret(question)


def _layers(given: dict[str, str], options: dict[str, str], files: SetupFiles) -> Environment:
    """Merge them, without the emulator's administrator's PAT where that cannot be used."""
    layers = {COMMAND_LINE: given, EXPORTED: os.environ, str(files.path): files.values}
    address = Environment(layers).get("ZITADEL_DOMAIN", "")
    used = {
        place: {name: value for name, value in values.items() if name != ADMIN_PAT or usable_at(address, value)}
        for place, values in layers.items()
    }
    return Environment(used, options=options, file=files.path)


def _may_mean_another(environment: Environment, files: SetupFiles) -> bool:
    """Return whether the only ZITADEL that is named is the emulator, in a ``.env`` that setup has not used yet."""
    is_from_file = environment.source("ZITADEL_DOMAIN") == str(files.path)
    return is_from_file and not files.state.zitadel and are_emulators(files.values)


def _meant_domain(environment: Environment, files: SetupFiles, *, asks: bool) -> str:
    """Ask for the ZITADEL to set up. Raises UsageError where no one can be asked."""
    emulator, what = environment["ZITADEL_DOMAIN"], f"{files.path} has the emulator's settings"
    if not asks:
        raise UsageError(
            f"{what}, so it is not clear which ZITADEL to set up",
            hint=f"add --domain, for example --domain {EXAMPLE_DOMAIN}; the emulator is --domain {emulator}",
        )
    question = f"{what}. Which ZITADEL do you want to set up? [{emulator}] "
    return _typed_domain(question, environment) or emulator


def _typed_domain(question: str, environment: Environment) -> str:
    """Ask until the text can be an address, so that no token is typed for a wrong one; accept an empty text."""
    while (text := typed_line(question)) and (problem := _domain_problem(text, environment)):
        sys.stderr.write(f"{problem}\n")
    return text


def _domain_problem(text: str, environment: Environment) -> str:
    try:
        AdminSettings.from_env({**environment, "ZITADEL_DOMAIN": text})
    except SettingsError as error:
        return next((problem for problem in error.problems if problem.startswith("ZITADEL_DOMAIN")), "")
    return ""
