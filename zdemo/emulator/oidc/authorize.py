"""The authorization endpoint: it keeps the request of an application, and sends the browser to a login page."""

from flask import Response, request

from zdemo.emulator.entities import Application, AuthRequest
from zdemo.emulator.incoming import note
from zdemo.emulator.login.auth_requests import (
    add_request,
    callback_with_code,
    callback_with_error,
    names_unknown_organization,
    people_of,
)
from zdemo.emulator.login.sessions import add_session, person_of
from zdemo.emulator.oidc import user_claims as claims
from zdemo.emulator.oidc.client_authentication import Form, find_active
from zdemo.emulator.oidc.issuing import known_scopes
from zdemo.emulator.oidc.redirect_uris import ASK, check_redirect_uri
from zdemo.emulator.oidc.responses import OAuthError, redirect
from zdemo.emulator.world import World

LOGIN_V1 = "/ui/login/login"
LOGIN_V2 = "/ui/v2/login"
LARGEST_AGE = 2**32
RESPONSE_TYPES = {"code": "OIDC_RESPONSE_TYPE_CODE"}


def authorize(world: World, form: Form) -> Response:
    """Answer an authorization request; only an unknown organization is told to the application (ZITADEL)."""
    application, asked = _checked(world, form)
    add_request(world, asked)
    if names_unknown_organization(world, asked):
        return redirect(callback_with_error(world, asked, "invalid_request", "Errors.Org.NotFound"))
    chosen = person_of(world, asked.login_hint or world.auto_login) if world.auto_login else None
    if chosen in people_of(world, asked) and not _is_script():
        note(user=chosen.username)
        return redirect(callback_with_code(world, asked, add_session(world, chosen, password=True)))
    return redirect(_login_page(application, asked.id))


def _is_script() -> bool:
    """Return whether a script of a web page sent the request, which could learn where the answer leads."""
    if "Sec-Fetch-Site" in request.headers:
        return request.headers.get("Sec-Fetch-Mode") != "navigate"
    return request.method == "GET" and "Origin" in request.headers


def _checked(world: World, form: Form) -> tuple[Application, AuthRequest]:
    """Return the application and its request. Raises OAuthError, which is shown to the person."""
    if form.last("request"):
        raise OAuthError("invalid_request", "parsing of request failed: token contains an invalid number of segments")
    if not form.last("client_id"):
        raise OAuthError("invalid_request", "auth request is missing client_id")
    redirect_uri, response_type = form.last("redirect_uri"), form.last("response_type")
    if not redirect_uri:
        raise OAuthError("server_error", "auth request is missing redirect_uri", status=500)
    application, why_not = find_active(world, form.last("client_id"))
    if application is None or application.kind != "oidc":
        raise OAuthError("invalid_request", "Errors.App.NotFound", reason=why_not)
    check_redirect_uri(application, redirect_uri, response_type)
    prompt, max_age = form.last("prompt").split(), _max_age(form)
    if "none" in prompt and len(prompt) > 1:
        raise OAuthError("invalid_request", "The prompt parameter `none` must only be used as a single value")
    scopes = known_scopes(form.find("scope") or None)
    _check_response_type(application, response_type)
    return application, AuthRequest(
        id=("" if _is_for_v1(application) else "V2_") + world.new_id(),
        created=world.now(),
        client_id=application.client_id,
        redirect_uri=redirect_uri,
        response_type=response_type,
        scopes=_with_roles(world, application, scopes),
        state=form.last("state"),
        nonce=form.last("nonce"),
        login_hint=form.last("login_hint"),
        challenge=form.last("code_challenge"),
        challenge_method=form.last("code_challenge_method"),
        prompt=prompt,
        ui_locales=form.last("ui_locales").split(),
        max_age=0 if "login" in prompt else max_age,
    )


def _max_age(form: Form) -> int | None:
    text = form.last("max_age")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and int(text[:20]) < LARGEST_AGE):
        raise OAuthError("invalid_request", "error decoding form", reason="max_age is not a number of seconds")
    return int(text)


def _check_response_type(application: Application, response_type: str) -> None:
    if not response_type:
        raise OAuthError("invalid_request", f"The response type is missing in your request. {ASK}")
    if RESPONSE_TYPES.get(response_type) not in (application.oidc_list("responseTypes") or RESPONSE_TYPES.values()):
        what = "The requested response type is missing in the client configuration."
        raise OAuthError("unauthorized_client", f"{what} {ASK}")


def _with_roles(world: World, application: Application, scopes: list[str]) -> list[str]:
    """Return the scopes, with one for each role if the project asserts roles and the request names none."""
    project = world.projects[application.project_id]
    if not project.role_assertion or any(scope.startswith(claims.ROLE_SCOPE_PREFIX) for scope in scopes):
        return scopes
    return [*scopes, *(claims.ROLE_SCOPE_PREFIX + key for key in project.roles)]


def _is_for_v1(application: Application) -> bool:
    version = application.oidc.get("loginVersion")
    return isinstance(version, dict) and "loginV1" in version


def _login_page(application: Application, request_id: str) -> str:
    """Return where somebody logs in: on the application's own page if it has one, else on the emulator's."""
    if _is_for_v1(application):
        return f"{LOGIN_V1}?authRequestID={request_id}"
    version = application.oidc.get("loginVersion")
    own = version.get("loginV2") if isinstance(version, dict) else None
    base = own.get("baseUri") if isinstance(own, dict) else None
    return f"{str(base or LOGIN_V2).rstrip('/')}/login?authRequest={request_id}"
