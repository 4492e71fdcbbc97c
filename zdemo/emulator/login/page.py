"""The emulator's own login page: plain forms without scripts, so that people, browsers and ``curl`` use it alike.

One click logs in as a person, without a password. The page also decides what a login page of ZITADEL decides: whether
a browser that logged in before is asked again, and what ``prompt=none`` gets.
"""

import secrets
from typing import Any

from flask import Flask, Response, render_template, request

from zdemo.emulator.entities import Application, AuthRequest, User
from zdemo.emulator.incoming import note
from zdemo.emulator.login.auth_requests import (
    callback_with_code,
    callback_with_error,
    organizations_of,
    people_of,
    remembered,
)
from zdemo.emulator.login.browser import browser_of, is_foreign, new_browser, remember
from zdemo.emulator.login.sessions import add_person, add_session, person_of
from zdemo.emulator.oidc.authorize import LOGIN_V1, LOGIN_V2
from zdemo.emulator.oidc.end_session import DONE_V1, DONE_V2
from zdemo.emulator.oidc.responses import HTML, forbid_storing, redirect
from zdemo.emulator.world import World

MOST_LISTED = 100  # people
LONGEST_NAME = 200
ASKS = {"login", "select_account", "create"}  # prompts with which a remembered login is not enough
NOT_LOGGED_IN = {  # for prompt=none, by login version (ZITADEL)
    "V1": (
        "interaction_required",
        "Unfortunately, the user may be not logged in and/or additional interaction is required.",
    ),
    "V2": ("login_required", "The user is not logged in."),
}


def register(app: Flask, world: World) -> None:
    """Add the login page and the page after a logout."""

    def locked_login() -> Response:
        with world.lock:
            return _login(world)

    for path in (LOGIN_V1, f"{LOGIN_V2}/login"):
        app.add_url_rule(path, path, locked_login, methods=["GET", "POST"])
    for path in (DONE_V1, DONE_V2):
        app.add_url_rule(path, path, lambda: _page(world, "You are logged out"))


def _login(world: World) -> Response:
    asked = world.auth_requests.get(request.values.get("authRequest") or request.values.get("authRequestID", ""))
    application = world.application_of(asked.client_id) if asked else None
    if asked is None or application is None or asked.answered:
        note(reason="the login was answered before, or is unknown")
        return _page(world, "This login is over", "Go back to the application, and log in again.", status=400)
    if request.method != "POST":
        return _offered(world, application, asked)
    if is_foreign(request):
        note(reason="another web page sent the form")
        return _page(world, "This form came from another page", status=403)
    if "cancel" in request.form:
        return redirect(callback_with_error(world, asked, "access_denied", "The person cancelled the login."))
    return _chosen(world, application, asked)


def _offered(world: World, application: Application, asked: AuthRequest) -> Response:
    """Answer at once for a browser that is logged in, or show the people."""
    sessions = remembered(world, asked, browser_of(request))
    hinted = asked.login_hint.casefold()
    fitting = [s for s in sessions if hinted in ("", world.users[s.user_id].username.casefold())]
    if fitting and not ASKS & set(asked.prompt):
        note(user=world.users[fitting[0].user_id].username)
        return redirect(callback_with_code(world, asked, fitting[0]))
    if "none" in asked.prompt:
        return redirect(callback_with_error(world, asked, *NOT_LOGGED_IN["V2" if asked.id.startswith("V2_") else "V1"]))
    known = {session.user_id for session in sessions}
    people = sorted(people_of(world, asked), key=lambda user: user.username.casefold() != hinted)
    here = [_row(world, application, asked, user) for user in people if user.id in known]
    others = [_row(world, application, asked, user) for user in people if user.id not in known]
    return _page(
        world,
        f"Log in to {application.name}",
        request=asked,
        groups=[
            ("Logged in with this browser", here),
            ("Everybody else" if known else "Log in as", others[:MOST_LISTED]),
        ],
        more=max(0, len(others) - MOST_LISTED),
        creates="create" in asked.prompt,
        unknown="" if person_of(world, hinted) else asked.login_hint,
    )


def _row(world: World, application: Application, asked: AuthRequest, user: User) -> dict[str, Any]:
    held = [
        key
        for a in world.authorizations.values()
        if (a.user_id, a.project_id) == (user.id, application.project_id) and a.active
        for key in a.role_keys
    ]
    hinted = user.username.casefold() == asked.login_hint.casefold()
    return {"username": user.username, "name": user.name, "roles": ", ".join(held), "hinted": hinted}


def _chosen(world: World, application: Application, asked: AuthRequest) -> Response:
    """Log in as the person of the form, who is new if nobody has this name, and remember the browser."""
    name = request.form.get("person", "").strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        return _page(world, "This is not a login name", "Go back, and enter another one.", status=400)
    user = next((user for user in people_of(world, asked) if user.username.casefold() == name.casefold()), None)
    if user is None:
        if any(user.username.casefold() == name.casefold() for user in world.users.values()):
            return _page(world, f"{name} cannot log in here", "Go back, and choose somebody else.", status=400)
        user = _new_person(world, application, asked, name)
    note(user=user.username)
    browser = browser_of(request)
    sessions = remembered(world, asked, browser)
    if not any(session.browser == browser for session in world.login_sessions.values()):
        browser = new_browser()
    again = [session for session in sessions if session.user_id == user.id and "login" not in asked.prompt]
    session = again[0] if again else add_session(world, user, password=True, browser=browser)
    answer = redirect(callback_with_code(world, asked, session))
    remember(answer, browser)
    return answer


def _new_person(world: World, application: Application, asked: AuthRequest, name: str) -> User:
    given, _, family = name.partition("@")[0].replace(".", " ").title().partition(" ")
    organization = next(iter(organizations_of(world, asked)), None)
    owner = organization.id if organization else world.projects[application.project_id].organization_id
    email = name if "@" in name else f"{name}@example.com"
    return add_person(world, owner, name, given, family or "Person", email=email)


def _page(world: World, title: str, text: str = "", *, status: int = 200, **content: Any) -> Response:
    nonce = secrets.token_urlsafe(16)
    html = render_template("page.html", title=title, text=text, nonce=nonce, emulator=world.name, **content)
    answer = Response(html, status, content_type=HTML)
    forbid_storing(answer)
    policy = f"default-src 'none'; img-src data:; style-src 'nonce-{nonce}'; base-uri 'none'; frame-ancestors 'none'"
    answer.headers["Content-Security-Policy"] = policy  # without form-action, which redirects to applications break
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Referrer-Policy"] = "same-origin"  # with no-referrer, browsers send forms with the origin null
    return answer
