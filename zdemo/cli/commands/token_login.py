"""``zdemo token --login`` and ``--device``: what a person sees of a login until the token is there."""

import os
import sys
from collections.abc import Sequence
from contextlib import closing

from zdemo.cli.screen import Screen
from zdemo.config.settings import LoginSettings
from zdemo.diagnosis.ask.token_request import explained
from zdemo.diagnosis.rules.unusable_response import finding_for_error
from zdemo.errors import IntrospectionError
from zdemo.serving.embedded import serving
from zdemo.zitadel.introspection_client import IssuedToken
from zdemo.zitadel.login import CALLBACK, LOGIN_SECONDS, CodeFlow, LoginClient

WAITING = f"waiting for the login, at most {LOGIN_SECONDS / 60:g} minutes"


def token_of_person(screen: Screen, settings: LoginSettings, scopes: Sequence[str], *, device: bool) -> IssuedToken:
    """Let a person log in, and return their token. Raises ZdemoError if that fails, or takes too long."""
    with closing(LoginClient(settings)) as client:
        try:
            return _as_device(screen, client, scopes) if device else _in_browser(screen, client, settings, scopes)
        except IntrospectionError as error:
            raise explained(error, finding_for_error(error)) from error


def _in_browser(screen: Screen, client: LoginClient, settings: LoginSettings, scopes: Sequence[str]) -> IssuedToken:
    flow = CodeFlow(settings.client_id, scopes)
    with serving(flow) as port:
        flow.redirect_uri = f"http://127.0.0.1:{port}{CALLBACK}"
        answer = flow.answer_in(client.begin(flow))  # empty, but for zdemo emulator --auto-login
        if not answer:
            address = settings.issuer + flow.path
            screen.tell("open this address on this machine, unless a browser opens now:")
            screen.tell(address)
            if not _open_browser(address):
                screen.tell("note: if your browser is on another machine, press Ctrl-C, and use zdemo token --device")
            with screen.waiting(WAITING):
                answer = flow.wait()
        return client.redeem(flow, answer)


def _as_device(screen: Screen, client: LoginClient, scopes: Sequence[str]) -> IssuedToken:
    device = client.begin_device(scopes)
    screen.tell("open this address in any browser:")
    screen.tell(device.address)
    screen.tell(f"note: the code is {device.user_code}")
    with screen.waiting(WAITING):
        return client.wait_for_device(device, scopes)


def _open_browser(address: str) -> bool:
    """Open a browser that has windows, if there is one; one in the terminal would hide what is said there."""
    import webbrowser  # here, since only this needs it

    names = ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")
    has_windows = sys.platform in {"darwin", "win32"} and "SSH_CONNECTION" not in os.environ
    return (has_windows or any(os.environ.get(name) for name in names)) and webbrowser.open(address)
