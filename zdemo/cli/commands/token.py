"""``zdemo token``: print an access token of a service account or a person, and nothing else, on standard output."""

from __future__ import annotations

import os
import re
import shlex
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urljoin

import typer

from zdemo.cli import token_input
from zdemo.cli.common_options import ASK, EnvFile, Json
from zdemo.cli.screen import Screen
from zdemo.cli.usage import check_excludes, flag, option, option_of
from zdemo.config.address import INTERNAL_URL, ISSUER
from zdemo.config.environment import Environment, read_environment
from zdemo.config.settings import APP_CLIENT_ID, USER_ID, USER_KEY_FILE, USER_SECRET, LoginSettings, UserSettings
from zdemo.errors import MissingTokenError, UsageError, ZdemoError
from zdemo.errors.steps import Command
from zdemo.text.printable import one_line

if TYPE_CHECKING:
    from zdemo.zitadel.introspection_client import IssuedToken
    from zdemo.zitadel.login import Login

CLIENT_ID = "The login name of a service account or, for the token of a person, the application's client ID."
ASKS = "Read the client secret from standard input. At the end of the line without a value, ask for it."
KEY_FILE = "A key file of the service account, instead of the two above."
SCOPE = "Request this scope instead of the usual ones; can be repeated."


def token(  # noqa: PLR0913, PLR0917  # Typer makes each option an argument
    ctx: typer.Context,
    login: Annotated[bool, flag("Get a person's token by a login in the browser.", "--login")] = False,
    device: Annotated[bool, flag("Like --login, with a browser on another device.", "--device")] = False,
    client_id: Annotated[str | None, option_of(f"{USER_ID} {APP_CLIENT_ID}", "NAME", CLIENT_ID)] = None,
    client_secret: Annotated[str | None, option_of(USER_SECRET, "-", ASKS)] = None,
    key_file: Annotated[str | None, option_of(USER_KEY_FILE, "FILE", KEY_FILE)] = None,
    env_file: EnvFile = None,
    scope: Annotated[list[str] | None, option("SCOPE", SCOPE)] = None,
    as_json: Json = False,
) -> None:
    """Print an access token of a service account or a person.

    It requests the scopes that put the user's name, the roles and the project of ZITADEL_PROJECT_ID into the token;
    docs/commands.md lists them.

    Examples:
      zdemo token
      zdemo token --client-id reader
      zdemo token --key-file reader.json | zdemo introspect --pat -
      zdemo token --login | zdemo call scoped --pat -

    Exit codes: 0 the token is on standard output; 1 ZITADEL refuses the user, or no login comes; 3 a setting or the
    secret is missing or wrong; 4 no answer from ZITADEL

    More: docs/commands.md, docs/how-zitadel-answers.md
    """
    screen: Screen = ctx.obj
    requested = " ".join(scope or ()).split()  # an option may hold several, as in OAuth
    check_excludes(ctx, "login", "key_file", "client_secret")
    check_excludes(ctx, "device", "key_file", "client_secret")
    check_excludes(ctx, "key_file", "client_id", "client_secret")
    if login or device:
        environment = read_environment(env_file, {APP_CLIENT_ID: ("--client-id", client_id)})
        token_input.hide_secrets(screen, environment)
        issued, who = _of_person(screen, environment, requested, device=device)
    else:
        issued, who = _of_service_account(screen, env_file, (client_id, client_secret, key_file), requested)
    if screen.stderr.isatty():  # in a script, standard error stays empty
        from zdemo.diagnosis.wording import span

        expires = "" if issued.expires_in is None else f", which expires in {span(issued.expires_in)}"
        screen.note(f"a token of {who}{expires}")
    document = {"access_token": issued.text, "token_type": issued.type, "expires_in": issued.expires_in}
    screen.reveal({**document, "scope": issued.scope} if as_json else issued.text)


def _of_service_account(
    screen: Screen, env_file: Path | None, given: Sequence[str | None], requested: list[str]
) -> tuple[IssuedToken, str]:
    environment = _environment(screen, env_file, *given)
    settings = _settings(screen, environment, asks=ASK in given)
    token_input.tell_warnings(screen, settings)
    secret = USER_KEY_FILE if settings.key else USER_SECRET
    token_input.tell_mixed_sources(screen, environment, secret, settings.zitadel.variable)
    from zdemo.diagnosis.ask.token_request import request_token  # here, because help and completion need no requests
    from zdemo.diagnosis.rules.odd_values import odd_values
    from zdemo.diagnosis.wording import usual_scopes
    from zdemo.zitadel.introspection_answer import audience_scope

    scopes = requested or usual_scopes(settings.project_id)
    if not any(re.fullmatch(audience_scope(".+"), requested_scope) for requested_scope in scopes):
        fix = f"add --scope {audience_scope(settings.project_id)}" if settings.project_id else "set ZITADEL_PROJECT_ID"
        fix = "separate scopes by blanks, not by commas" if "," in "".join(scopes) else fix
        screen.warn(f"no scope names a project, so introspection will call the token inactive at every API: {fix}")
    for odd in odd_values({"ZITADEL_PROJECT_ID": settings.project_id or ""}):
        screen.warn(odd.in_full)
    try:
        with screen.waiting(f"asking {settings.zitadel}"):
            issued = request_token(settings, scopes, now=time.time())
    finally:
        names = (ISSUER, INTERNAL_URL, USER_ID, USER_SECRET, USER_KEY_FILE, "ZITADEL_PROJECT_ID")
        token_input.tell_hidden(screen, environment, *names)
    return issued, f"user {settings.key.subject}" if settings.key else settings.client_id


def _environment(
    screen: Screen, env_file: Path | None, client_id: str | None, client_secret: str | None, key_file: str | None
) -> Environment:
    """Return the environment with the options of a service account, without what these make useless."""
    if client_secret not in (None, ASK, token_input.FROM_STDIN):
        hint = "end the line with --client-secret to be asked for it, or with --client-secret - to read standard input"
        raise UsageError("--client-secret does not take the secret itself: others can read command lines", hint=hint)
    given = None
    if client_secret == token_input.FROM_STDIN:
        given = token_input.given_token("--client-secret", client_secret, what="client secret")
    options = {USER_ID: ("--client-id", client_id), USER_SECRET: ("--client-secret", given)}
    environment = read_environment(env_file, {**options, USER_KEY_FILE: ("--key-file", key_file)})
    if client_id is not None or client_secret is not None:
        environment = environment.without(USER_KEY_FILE)
    elif key_file is not None:
        environment = environment.without(USER_SECRET).without(USER_ID)
    token_input.hide_secrets(screen, environment)
    if client_secret == ASK:
        environment = environment.without(USER_SECRET)
    owner = read_environment(env_file).get(USER_ID)
    if given is None and client_id not in (None, owner) and USER_SECRET in environment:
        why = f"it is for {USER_ID}={owner}, not for {client_id}" if owner else f"{USER_ID} does not name its user"
        unused = f"{USER_SECRET} from {environment.source(USER_SECRET)} is not used: {why}"
        if not token_input.at_terminal():
            option = f"--client-id {shlex.quote(client_id)} --client-secret -"
            reads = Command("token", option=option, does="reads that user's secret from standard input")
            same = f"if that user is meant: write --client-id {owner}"
            raise MissingTokenError(unused, hint=same if client_id.partition("@")[0] == owner else reads)
        screen.note(unused)
        environment = environment.without(USER_SECRET)
    return environment


def _settings(screen: Screen, environment: Environment, *, asks: bool) -> UserSettings:
    """Return the settings; a secret that is missing is asked for at a terminal."""
    is_missing = USER_ID in environment and not {USER_SECRET, USER_KEY_FILE} & environment.keys()
    if not asks and not (is_missing and token_input.at_terminal()):
        return UserSettings.from_env(environment)
    typed = partial(environment.giving, USER_SECRET, "the typed secret")
    settings = UserSettings.from_env(typed(token_input.TO_BE_TYPED))
    what = f"client secret of {settings.client_id}"
    question = token_input.token_question(what, settings.zitadel, environment)
    secret = (token_input.given_token("--client-secret", ASK, question=question, what="client secret") or "").strip()
    screen.hide(secret)
    return UserSettings.from_env(typed(secret))


def _of_person(
    screen: Screen, environment: Environment, requested: Sequence[str], *, device: bool
) -> tuple[IssuedToken, str]:
    """Let a person log in, and return their token, and at a terminal, who they are.

    Raises ZdemoError if that fails, or takes too long.
    """
    from zdemo.diagnosis.wording import usual_scopes
    from zdemo.zitadel.login import NO_APP, Login, LoginRefused

    settings = LoginSettings.from_env(environment)
    token_input.tell_warnings(screen, settings)
    try:
        with closing(Login(settings, requested or usual_scopes(settings.project_id))) as login:
            token = _as_device(screen, login) if device else _in_browser(screen, login)
            person = one_line(login.person(token)) if screen.stderr.isatty() else ""
            return token, person or "the person who logged in"
    except LoginRefused as error:
        if NO_APP not in error.steps or settings.client_id != environment.get("CLIENT_ID"):
            raise
        message = f"{error}: {environment.setting(APP_CLIENT_ID)} is of an API application, not of an OIDC client"
        raise ZdemoError(message, hint=error.steps) from error
    finally:
        token_input.tell_hidden(screen, environment, ISSUER, INTERNAL_URL, APP_CLIENT_ID, "ZITADEL_PROJECT_ID")


def _in_browser(screen: Screen, login: Login) -> IssuedToken:
    from zdemo.serving.embedded import serving  # here, because it loads a server
    from zdemo.zitadel.login import CALLBACK, WAITING

    with serving(login) as port:
        address = f"http://127.0.0.1:{port}/"
        login.redirect_uri = urljoin(address, CALLBACK)
        answer = login.answer_in(login.begin())  # empty, except with zdemo emulator --auto-login
        if not answer:
            screen.tell("open this address on this machine, unless a browser opens now:")
            screen.tell(address)
            if not _open_browser(address):
                screen.note(Command("token --device", does="if your browser is on another machine: press Ctrl-C first"))
            with screen.waiting(WAITING):
                answer = login.wait()
        return login.redeem(answer)


def _as_device(screen: Screen, login: Login) -> IssuedToken:
    from zdemo.zitadel.login import WAITING

    device = login.begin_device()
    screen.tell("open this address in any browser:")
    screen.tell(device.address)
    screen.note(f"the code is {device.user_code}")
    screen.note("to decline, press Ctrl-C here: ZITADEL's page for devices fails when you deny there")
    with screen.waiting(WAITING):
        return login.wait_for_device(device)


def _open_browser(address: str) -> bool:
    """Open a browser that has windows, if there is one; a browser in the terminal would hide the output."""
    import webbrowser  # here, since only this needs it

    names = ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")
    has_windows = sys.platform in {"darwin", "win32"} and "SSH_CONNECTION" not in os.environ
    return (has_windows or any(os.environ.get(name) for name in names)) and webbrowser.open(address)
