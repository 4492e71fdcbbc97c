"""The authorization endpoint: it keeps the request of an application, and sends the browser to a login page."""

from typing import Any

from flask import Response, request

from zdemo.emulator.entities import Application, AuthRequest
from zdemo.emulator.incoming import FREE_BYTES, note
from zdemo.emulator.login import auth_requests
from zdemo.emulator.login.sessions import add_session, person_of
from zdemo.emulator.oidc.client_authentication import Form, find_active
from zdemo.emulator.oidc.issuing import known_scopes
from zdemo.emulator.oidc.redirect_uris import ASK, check_redirect_uri
from zdemo.emulator.oidc.responses import OAuthError, redirect
from zdemo.emulator.oidc.user_claims import ROLE_SCOPE_PREFIX
from zdemo.emulator.world import World

LOGIN_V1, LOGIN_V2 = "/ui/login/login", "/ui/v2/login"
LARGEST_AGE = 2**32
CODE = "OIDC_RESPONSE_TYPE_CODE"


def authorize(world: World, form: Form) -> Response:
    """Answer an authorization request; only an unknown organization is told to the application (ZITADEL)."""
    application, asked = _checked(world, form)
    auth_requests.add_request(world, asked)
    if auth_requests.names_unknown_organization(world, asked):
        error = ("invalid_request", "Errors.Org.NotFound")
        return redirect(auth_requests.callback_with_error(world, asked, *error))
    user = person_of(world, asked.login_hint or world.auto_login) if world.auto_login and not _is_script() else None
    if user and user in auth_requests.people_of(world, asked):
        note(user=user.username)
        return redirect(auth_requests.callback_with_code(world, asked, add_session(world, user, password=True)))
    own = _login_version(application).get("loginV2")
    base = own.get("baseUri") if isinstance(own, dict) else None
    page = f"{str(base or LOGIN_V2).rstrip('/')}/login?authRequest="
    return redirect((page if asked.id.startswith("V2_") else f"{LOGIN_V1}?authRequestID=") + asked.id)


def _is_script() -> bool:
    """Return whether a script of a web page sent the request, which could learn where the answer leads."""
    if "Sec-Fetch-Site" in request.headers:
        return request.headers.get("Sec-Fetch-Mode") != "navigate"
    return "Origin" in request.headers


def _login_version(application: Application) -> dict[str, Any]:
    version = application.oidc.get("loginVersion")
    return version if isinstance(version, dict) else {}


def _checked(world: World, form: Form) -> tuple[Application, AuthRequest]:
    """Return the application and its request. Raises OAuthError, which is shown to the person."""
    if len(request.query_string) > FREE_BYTES:
        raise OAuthError("invalid_request", "error parsing form", reason="more than the emulator keeps of a request")
    max_age, prompt, redirect_uri = _max_age(form), form.last("prompt").split(), form.last("redirect_uri")
    if form.last("request"):
        raise OAuthError("invalid_request", "parsing of request failed: token contains an invalid number of segments")
    if not form.last("client_id"):
        raise OAuthError("invalid_request", "auth request is missing client_id")
    application, why_not = find_active(world, form.last("client_id"))
    if application is None or application.kind != "oidc":
        raise OAuthError("invalid_request", "Errors.App.NotFound", reason=why_not)
    if not redirect_uri:
        raise OAuthError("server_error", "auth request is missing redirect_uri", status=500)
    if "none" in prompt and len(prompt) > 1:
        raise OAuthError("invalid_request", "The prompt parameter `none` must only be used as a single value")
    scopes = known_scopes(form.find("scope") or None)
    check_redirect_uri(application, redirect_uri)
    if not form.last("response_type"):
        raise OAuthError("invalid_request", f"The response type is missing in your request. {ASK}")
    if form.last("response_type") != "code" or CODE not in (application.oidc_list("responseTypes") or [CODE]):
        what = "The requested response type is missing in the client configuration."
        raise OAuthError("unauthorized_client", f"{what} {ASK}")
    project = world.projects[application.project_id]
    if project.role_assertion and not any(scope.startswith(ROLE_SCOPE_PREFIX) for scope in scopes):
        scopes += [ROLE_SCOPE_PREFIX + key for key in project.roles]
    return application, AuthRequest(
        id=("" if "loginV1" in _login_version(application) else "V2_") + world.new_id(),
        created=world.now(),
        client_id=application.client_id,
        redirect_uri=redirect_uri,
        response_mode=form.last("response_mode"),
        scopes=scopes,
        state=form.last("state"),
        nonce=form.last("nonce"),
        challenge=form.last("code_challenge"),
        challenge_method=form.last("code_challenge_method"),
        prompt=prompt,
        ui_locales=form.last("ui_locales").split(),
        login_hint=form.last("login_hint"),
        max_age=0 if "login" in prompt else max_age,
    )


def _max_age(form: Form) -> int | None:
    text = form.last("max_age")
    if text and not (text.isascii() and text.isdigit() and int(text[:20]) < LARGEST_AGE):
        raise OAuthError("invalid_request", "error decoding form", reason="max_age is not a number of seconds")
    return int(text) if text else None
