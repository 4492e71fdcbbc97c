"""The emulator's own login page: plain forms without scripts, so that people, browsers and ``curl`` can use it.

One click logs in as a person, without a password. The page also decides what a login page of ZITADEL decides: whether
a browser that logged in before is asked again, and what ``prompt=none`` gets.
"""

import secrets
from typing import Any

from flask import Response, render_template, request
from werkzeug.exceptions import MethodNotAllowed

from zdemo.emulator import sessions
from zdemo.emulator.entities import Application, AuthRequest, LoginSession
from zdemo.emulator.incoming.request_records import note
from zdemo.emulator.oidc.authorize import DONE_V1, DONE_V2, LOGIN_V1, LOGIN_V2
from zdemo.emulator.oidc.responses import HTML, forbid_storing, redirect
from zdemo.emulator.oidc.token_endpoint import DEVICE_PAGE
from zdemo.emulator.world import World

DEVICE_LOGIN = "/ui/login/device"
PATHS = (LOGIN_V1, f"{LOGIN_V2}/login", DEVICE_PAGE, DEVICE_LOGIN, DONE_V1, DONE_V2)
LONGEST_NAME = 200
ASKS = {"login", "select_account", "create"}  # prompts with which a remembered login is not enough
NOT_LOGGED_IN = ("login_required", "The user is not logged in.")  # for prompt=none
NOT_LOGGED_IN_V1 = (
    "interaction_required",
    "Unfortunately, the user may be not logged in and/or additional interaction is required.",
)


def answer(world: World) -> Response:
    """Answer the current request for the login page, the page for devices, or the page after a logout."""
    if request.method not in ("GET", "HEAD", "POST"):
        raise MethodNotAllowed
    if request.path in (DONE_V1, DONE_V2):
        return _page(world, "You are logged out")
    if request.path == DEVICE_PAGE and request.method != "POST":
        return redirect(f"{DEVICE_LOGIN}?{request.query_string.decode()}".rstrip("?"))
    with world.lock:
        return _login(world)


def _login(world: World) -> Response:
    """Show who can log in, or answer the request of an application or of a device as the form says."""
    device, code = request.path in (DEVICE_PAGE, DEVICE_LOGIN), request.values.get("user_code", "").upper()
    id = request.values.get("authRequest") or request.values.get("authRequestID", "")
    asked = sessions.waiting_device(world, code) if device else world.auth_requests.get(id)
    application = world.application_of(asked.client_id) if asked else None
    if asked is None or application is None or asked.answered:
        if device:
            text = "No device waits with this code." if code else ""
            return _page(world, "Connect a device", asks_code=True, text=text)
        return _refused(world, "This login is over", "Go back to the application, and log in again.")
    note(client=application.name)
    if request.method != "POST":
        return _offered(world, application, asked)
    if sessions.is_foreign(request):
        return _refused(world, "This form came from another page", status=403)
    return _answer(world, asked, None) if "cancel" in request.form else _chosen(world, application, asked)


def _chosen(world: World, application: Application, asked: AuthRequest) -> Response:
    """Log in as the person of the form, who is new if nobody has this name, and remember the browser."""
    name = request.form.get("person", "").strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        return _refused(world, "This is not a login name", "Go back, and enter another one.")
    named = [organization.id for organization in sessions.organizations_of(world, asked) if organization]
    owner = named[0] if named else world.projects[application.project_id].organization_id
    user = world.user_named(name) or sessions.add_person(world, owner, name)
    if user not in sessions.people_of(world, asked):
        return _refused(world, f"{name} cannot log in here", "Go back, and choose somebody else.")
    note(user=user.username)
    browser = sessions.browser_of(request) or secrets.token_urlsafe()
    known = [s for s in sessions.remembered(world, asked, browser) if s.user_id == user.id]
    answer = _answer(world, asked, known[0] if known else sessions.add_session(world, user, browser))
    sessions.remember(answer, browser)
    return answer


def _answer(world: World, asked: AuthRequest, session: LoginSession | None) -> Response:
    if asked.user_code:
        sessions.decide(world, asked, session)
        return _page(world, "The device is connected" if session else "The device gets no tokens")
    if session:
        return redirect(sessions.callback_with_code(world, asked, session))
    return redirect(sessions.callback_with_error(world, asked, "access_denied", "The person cancelled the login."))


def _offered(world: World, application: Application, asked: AuthRequest) -> Response:
    """Answer an application at once for a browser that is logged in, or show the people."""
    mine = sessions.remembered(world, asked, sessions.browser_of(request))
    hint = asked.login_hint.casefold()
    fitting = [s for s in mine if hint in ("", world.users[s.user_id].username.casefold())]
    if fitting and not asked.user_code and not ASKS & set(asked.prompt.split()):
        note(user=world.users[fitting[0].user_id].username)
        return _answer(world, asked, fitting[0])
    if "none" in asked.prompt.split():
        error = NOT_LOGGED_IN if asked.id.startswith("V2_") else NOT_LOGGED_IN_V1
        return redirect(sessions.callback_with_error(world, asked, *error))
    known = {session.user_id for session in mine}
    people = sorted(sessions.people_of(world, asked), key=lambda user: user.username.casefold() != hint)
    roles: dict[str, list[str]] = {}
    for authorization in world.authorizations.values():
        if authorization.project_id == application.project_id and authorization.active:
            roles.setdefault(authorization.user_id, []).extend(authorization.role_keys)
    groups = [
        ("Logged in with this browser", [user for user in people if user.id in known]),
        ("Everybody else" if known else "Log in as", [user for user in people if user.id not in known]),
    ]
    unknown = "" if sessions.person_of(world, hint) else asked.login_hint
    content: dict[str, Any] = {"groups": groups, "roles": roles, "hint": hint, "unknown": unknown}
    return _page(world, f"Log in to {application.name}", asked=asked, **content)


def _refused(world: World, title: str, text: str = "", status: int = 400) -> Response:
    note(reason=title[:1].lower() + title[1:])
    return _page(world, title, status, text=text)


def _page(world: World, title: str, status: int = 200, **content: Any) -> Response:
    nonce = secrets.token_urlsafe(16)
    html = render_template("login_page.html", title=title, nonce=nonce, emulator=world.name, **content)
    answer = Response(html, status, content_type=HTML)
    forbid_storing(answer)
    policy = f"default-src 'none'; img-src data:; style-src 'nonce-{nonce}'; base-uri 'none'; frame-ancestors 'none'"
    answer.headers["Content-Security-Policy"] = policy  # without form-action, which redirects to applications break
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Referrer-Policy"] = "same-origin"  # with no-referrer, browsers send forms with the origin null
    return answer
