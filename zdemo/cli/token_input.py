"""The token that a command sends: from an option, standard input, a prompt, the environment or ``.env``."""

import os
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path

import typer

from zdemo.cli.common_options import ASK
from zdemo.cli.layout import wrapped
from zdemo.cli.screen import Screen
from zdemo.config.address import ADMIN_PAT, ISSUER, ZitadelAddress
from zdemo.config.environment import COMMAND_LINE, EXPORTED, Environment, is_setting, read_environment
from zdemo.config.names import hidden_values, rename_steps
from zdemo.config.settings import RESOURCE, USER_ID, USER_KEY_FILE, AdminSettings, UserSettings, ZitadelSettings
from zdemo.config.variables import SECRETS
from zdemo.errors import ADMIN_REFUSED, MissingTokenError, SettingsError, UsageError
from zdemo.errors.steps import Command
from zdemo.guard.authorization import LONGEST_TOKEN
from zdemo.text.columns import columns_of
from zdemo.text.masking import masked, token_like
from zdemo.text.printable import one_line, utf8_text

TOKENS = {"reader": "PAT", "visitor": "ZDEMO_VISITOR_PAT"}  # by the names that --as takes
FROM_STDIN = "-"
TO_BE_TYPED = "to-be-typed"
LONGEST_INPUT_BYTES = 1 << 20
BESIDE_LETTERS = str.maketrans("", "", "_-.")  # what ZITADEL's tokens hold apart from letters and digits


def at_terminal() -> bool:
    """Return whether there is a terminal to ask on."""
    return sys.stdin is not None and sys.stdin.isatty()  # None when it was closed


def typed_secret(question: str) -> str:
    """Ask for a secret without echo."""
    import getpass  # here, since it is rarely needed

    try:
        return getpass.getpass(broken(question), stream=sys.stderr)
    except EOFError:
        raise typer.Abort from None


def token_question(token: str, zitadel: ZitadelAddress, environment: Environment) -> str:
    """Return the question for a token that goes to ZITADEL, with what gave that address.

    So a ``.env`` in a copied folder cannot collect a token unnoticed.
    """
    place, setting = environment.source(zitadel.variable), environment.setting(zitadel.variable)
    where = "" if place == COMMAND_LINE else f" in {place if place == EXPORTED else os.path.abspath(place)}"
    is_typed = place == COMMAND_LINE and setting == zitadel.variable
    return one_line(f"{token} for {zitadel.server}{'' if is_typed else f' ({setting}{where})'}, not shown: ")


def given_token(option: str, value: str | None, *, question: str = "token: ", what: str = "token") -> str | None:
    """Return the secret that an option gives: its text, standard input or what is typed; ``None`` without one."""
    token = value
    if value == ASK:
        if not at_terminal():
            hint = f"use {option} - to read it from standard input"
            raise UsageError(f"{option} asks for the {what}, but there is no terminal to ask on", hint=hint)
        token = typed_secret(question)
    elif value == FROM_STDIN:
        try:
            token = utf8_text(sys.stdin.buffer.read(LONGEST_INPUT_BYTES)) if sys.stdin else ""
        except ValueError as error:
            raise MissingTokenError(f"the {what} {error}", hint="give it as UTF-8") from None
    elif value and os.path.isfile(file := value.removeprefix("@")):  # curl's sign of a file
        instead = f"--env-file {shlex.quote(file)}" if ".env" in file else f"{option} - < {shlex.quote(file)}"
        raise MissingTokenError(f"{option} names a file instead of the {what}: {value}", hint=f"write {instead}")
    if token is not None and not token.strip():
        raise MissingTokenError(f"the {what} is empty", hint=f"give the text of the {what}")
    return token


def environment_with_token(
    screen: Screen,
    pat: str | None,
    caller: str | None,
    env_file: Path | None,
    *,
    check: Callable[[Environment], object],
    **options: tuple[str, str | None],
) -> Environment:
    """Return the environment, with ``PAT`` from ``--pat`` or ``--as`` if one is given, and hide its secrets.

    ``options``: for other variables, the option that stands for each and its value. ``check`` raises an error for
    settings that are wrong, before a token is typed in vain.
    """
    environment = read_environment(env_file, options)
    if pat in TOKENS:
        raise UsageError(f"--pat takes a token, and {pat} is a user", hint=f"write --as {pat} instead")
    if caller is not None:
        if pat is not None:
            raise UsageError("--as and --pat both name a token", hint="leave out one of them")
        if (variable := TOKENS[caller]) not in environment:
            hint = rename_steps(environment, variable) or (Command("setup", does="creates one (or set it in .env)"),)
            raise MissingTokenError(f"{variable} is not set", hint=hint)
        if variable != "PAT":  # which may hide another value, as is said then
            environment = environment.giving("PAT", variable, environment[variable])
    if pat == ASK and at_terminal():
        hide_secrets(screen, environment)
        check(environment.without("PAT"))
    if pat is not None:
        environment = environment.giving("PAT", "--pat", given_token("--pat", pat) or "")
    if environment.source("PAT") == COMMAND_LINE and environment["PAT"] == environment.get("ZDEMO_VISITOR_PAT"):
        environment = environment.without("ZDEMO_VISITOR_PAT")  # the same token on purpose, not by mistake
    if len(environment.get("PAT", "")) > LONGEST_TOKEN:
        message = f"the token {_source(environment)} is longer than {LONGEST_TOKEN // 1024} KiB"
        raise MissingTokenError(message, hint="give the token alone")
    hide_secrets(screen, environment)
    return environment


def with_admin(
    screen: Screen,
    environment: Environment,
    admin_pat: str | None,
    admin_key: str | None = None,
    *,
    option: str = "--admin-pat",
) -> Environment:
    """Return the environment with the administrator's token of ``option`` or ``--admin-key``, and hide that.

    The key is a service account's, which gets an access token for ZITADEL's own API (RFC 7523 §2.1).
    Raises SettingsError, before anyone types it, if it is not clear where the token would go.
    """
    if admin_key is not None:
        if admin_pat is not None:
            raise UsageError("--admin-key cannot be combined with --admin-pat", hint="leave out one of them")
        from zdemo.diagnosis.ask.token_request import request_token  # here, since most people have a PAT
        from zdemo.diagnosis.evidence import OWN_API_SCOPE

        settings = UserSettings.from_env(environment.without(RESOURCE).giving(USER_KEY_FILE, "--admin-key", admin_key))
        others = AdminSettings.from_env(environment.giving(ADMIN_PAT, "--admin-key", TO_BE_TYPED)).warnings
        for warning in (known for known in settings.warnings if known not in others):  # the command tells the others
            screen.warn(warning.in_full)
        with screen.waiting(f"asking {settings.zitadel}"):
            token = request_token(settings, ("openid", OWN_API_SCOPE), now=time.time()).text
        screen.hide(token)
        return environment.giving(ADMIN_PAT, f"--admin-key {shlex.quote(admin_key)}", token)
    if admin_pat is None:
        return environment
    question = ""
    if admin_pat == ASK:
        zitadel = AdminSettings.from_env(environment.giving(ADMIN_PAT, "--admin-pat", TO_BE_TYPED)).zitadel
        question = token_question(ADMIN_PAT, zitadel, environment)
    token = given_token(option, admin_pat, question=question, what="administrator's PAT") or ""
    screen.hide(token.strip())
    screen.environment = environment.giving(ADMIN_PAT, option, token)
    return screen.environment


def admin_settings(
    screen: Screen, env_file: Path | None, admin_pat: str | None, admin_key: str | None, *, asks: bool = False
) -> tuple[Environment, AdminSettings]:
    """Return the environment, and an administrator's settings; tell what is odd. ``asks``: no option gives the PAT."""
    environment = read_environment(env_file)
    hide_secrets(screen, environment)
    if asks and ADMIN_PAT not in environment and at_terminal():
        environment = with_admin(screen, environment, ASK, option=ADMIN_PAT)
    environment = with_admin(screen, environment, admin_pat, admin_key)
    settings = AdminSettings.from_env(environment) if asks else administrators(environment)
    tell_warnings(screen, settings)
    if ISSUER not in environment.hidden:  # else the next line says so
        tell_mixed_sources(screen, environment, ADMIN_PAT, ISSUER)
    tell_hidden(screen, environment, ISSUER, ADMIN_PAT, "ZITADEL_PROJECT_ID")
    checked_token(environment, ADMIN_PAT)
    return environment, settings


def administrators(environment: Environment) -> AdminSettings:
    """Return the settings of a command that has the option --admin-pat."""
    try:
        return AdminSettings.from_env(environment)
    except SettingsError as error:
        if ADMIN_PAT not in environment and len(error.problems) == 1:
            error.steps = ("add --admin-pat at the end of the line, which asks for it", *error.steps)
        raise


def hide_secrets(screen: Screen, environment: Environment) -> None:
    """Hide the secrets among the settings, and what looks like one where another setting belongs."""
    screen.environment = environment
    screen.hide(*(environment.get(name, "") for name in SECRETS))
    screen.hide(*(value for name, value in environment.hidden.items() if name in SECRETS))
    settings = (value for name, value in environment.items() if is_setting(name))
    screen.hide(*(piece for value in settings for piece in token_like(value)))


def tell_warnings(screen: Screen, settings: ZitadelSettings) -> None:
    """Print the warnings about settings."""
    screen.told |= {*settings.warnings}
    for warning in settings.warnings:
        screen.warn(warning.in_full)


def tell_mixed_sources(screen: Screen, environment: Environment, token: str, address: str) -> None:
    """Print a note where ``.env`` gives a token and the environment its address, or the other way round."""
    place, other = environment.source(token), environment.source(address)
    if token in environment.hidden:  # that is said with the outcome
        return
    if place and other and place != other and COMMAND_LINE not in (place, other):
        screen.note(f"{token} comes from {place}, {address} from {other}")


def tell_hidden(screen: Screen, environment: Environment, *names: str) -> None:
    """Print a note about each of these variables that hides another value; without names, about all settings."""
    for problem in hidden_values(environment):
        if problem not in screen.told and (not names or problem.names[0] in names):
            screen.told.add(problem)
            screen.note(problem.text)


def checked_token(environment: Environment, name: str = "PAT") -> str | None:
    """Return the token, or ``None`` when there is none. Raises MissingTokenError if no header field can hold it."""
    token = environment.get(name, "").strip()
    if not token:
        return None
    if token.isascii() and token.translate(BESIDE_LETTERS).isalnum():
        return token
    from zdemo.diagnosis.token_form import paste_problem  # here, since most tokens need no diagnosis

    if problem := paste_problem(token):
        what = f"the token {_source(environment, name)} cannot be sent: {problem.cause}"
        error = MissingTokenError(what, hint=problem.fix)
        error.finding = problem.id if name == "PAT" else ADMIN_REFUSED
        raise error
    return token


def with_issued_token(screen: Screen, environment: Environment) -> Environment:
    """Return the environment with a token of the service account: a protected resource refuses PATs.

    An option that names a token stays, and so does a PAT if there is no service account.
    """
    is_given = environment.source("PAT") == COMMAND_LINE
    if is_given or RESOURCE not in environment or not {USER_ID, USER_KEY_FILE} & environment.keys():
        return environment
    from zdemo.diagnosis.ask.token_request import request_token  # here, since most calls send a PAT
    from zdemo.diagnosis.wording import usual_scopes

    settings = UserSettings.from_env(environment)
    with screen.waiting(f"asking {settings.zitadel}"):
        token = request_token(settings, usual_scopes(settings.project_id), now=time.time()).text
    screen.hide(token)
    return environment.giving("PAT", "the service account", token)


def _source(environment: Environment, name: str = "PAT") -> str:
    place = environment.source(name)
    return f"from {environment.setting(name) if place == COMMAND_LINE else place}"


def token_line(environment: Environment, token: str, username: str = "") -> str:
    """Return whose token it is, if that is known, what may be shown of it, and where it came from."""
    known = f"{masked(token)}, {_source(environment)}"
    return f"{username} ({known})" if username else known


def broken(question: str) -> str:
    """Return a question in lines that leave room to type behind the last."""
    return "\n".join(wrapped(question.rstrip(" "), columns_of(sys.stderr) - len(" y"))) + " "


def typed_line(question: str) -> str:
    """Ask, and return the line that is typed."""
    sys.stderr.write(broken(question))
    sys.stderr.flush()
    return sys.stdin.readline().strip()


def agreed(question: str, *, word: str = "") -> bool:
    """Ask; y or yes agrees, or the ``word`` alone where one is given."""
    choice = f"type {word}" if word else "y/N"
    return typed_line(f"{question} [{choice}] ").lower() in ([word] if word else ["y", "yes"])
