"""``zdemo token --login`` and ``--device``: what a person sees of a login until the token is there."""

import os
import sys
from collections.abc import Sequence
from contextlib import closing
from urllib.parse import urljoin

from zdemo.cli.screen import Screen
from zdemo.cli.token_input import tell_hidden, tell_warnings
from zdemo.config.address import INTERNAL_URL, ISSUER
from zdemo.config.environment import Environment
from zdemo.config.settings import APP_CLIENT_ID, LoginSettings
from zdemo.diagnosis.wording import usual_scopes
from zdemo.errors.steps import Command, sentence
from zdemo.serving.embedded import serving
from zdemo.text.printable import one_line
from zdemo.zitadel.introspection_client import IssuedToken
from zdemo.zitadel.login import CALLBACK, LOGIN_SECONDS, Login

WAITING = f"waiting for the login, at most {LOGIN_SECONDS / 60:g} minutes"


def token_of_person(
    screen: Screen, environment: Environment, requested: Sequence[str], *, device: bool
) -> tuple[IssuedToken, str]:
    """Let a person log in, and return their token, and at a terminal, who they are.

    Raises ZdemoError if that fails, or takes too long.
    """
    settings = LoginSettings.from_env(environment)
    tell_warnings(screen, settings)
    try:
        with closing(Login(settings, requested or usual_scopes(settings.project_id))) as login:
            token = _as_device(screen, login) if device else _in_browser(screen, login)
            person = one_line(login.person(token)) if screen.stderr.isatty() else ""
            return token, person or "the person who logged in"
    finally:
        tell_hidden(screen, environment, ISSUER, INTERNAL_URL, APP_CLIENT_ID, "ZITADEL_PROJECT_ID")


def _in_browser(screen: Screen, login: Login) -> IssuedToken:
    with serving(login) as port:
        address = f"http://127.0.0.1:{port}/"
        login.redirect_uri = urljoin(address, CALLBACK)
        answer = login.answer_in(login.begin())  # empty, but for zdemo emulator --auto-login
        if not answer:
            screen.tell("open this address on this machine, unless a browser opens now:")
            screen.tell(address)
            if not _open_browser(address):
                elsewhere = "if your browser is on another machine, press Ctrl-C, and use"
                screen.note(sentence(elsewhere, Command("token --device")))
            with screen.waiting(WAITING):
                answer = login.wait()
        return login.redeem(answer)


def _as_device(screen: Screen, login: Login) -> IssuedToken:
    device = login.begin_device()
    screen.tell("open this address in any browser:")
    screen.tell(device.address)
    screen.note(f"the code is {device.user_code}")
    screen.note("to decline, press Ctrl-C here: ZITADEL's page for devices fails when you deny there")
    with screen.waiting(WAITING):
        return login.wait_for_device(device)


def _open_browser(address: str) -> bool:
    """Open a browser that has windows, if there is one; one in the terminal would hide what is said there."""
    import webbrowser  # here, since only this needs it

    names = ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")
    has_windows = sys.platform in {"darwin", "win32"} and "SSH_CONNECTION" not in os.environ
    return (has_windows or any(os.environ.get(name) for name in names)) and webbrowser.open(address)
