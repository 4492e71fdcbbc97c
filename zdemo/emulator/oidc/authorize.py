"""Where a login begins and ends: applications send browsers here, and get them back at registered addresses alone."""

import re
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import Response, request

from zdemo.emulator import sessions
from zdemo.emulator.entities import Application, AuthRequest
from zdemo.emulator.incoming.origin import current_origin
from zdemo.emulator.incoming.reasons import Why
from zdemo.emulator.incoming.request_records import note
from zdemo.emulator.oidc.client_authentication import NOT_OIDC, Form, find_active
from zdemo.emulator.oidc.issuing import known_scopes
from zdemo.emulator.oidc.responses import OAuthError, redirect
from zdemo.emulator.oidc.user_claims import ROLE_SCOPE_PREFIX
from zdemo.emulator.tokens import TokenRefused, own_claims
from zdemo.emulator.world import World, keep
from zdemo.serving.loopback import names_loopback

LOGIN_V1, LOGIN_V2 = "/ui/login/login", "/ui/v2/login"
COPIED = ("response_mode", "state", "nonce", "ui_locales", "login_hint")  # parameters that are kept as they come
CODE, WEB = "OIDC_RESPONSE_TYPE_CODE", "OIDC_APP_TYPE_WEB"  # the defaults
ASK = "If you have any questions, you may contact the administrator of the application."
DONE_V1, DONE_V2 = "/ui/login/logout/done", "/logout/done"


def authorize(world: World, form: Form) -> Response:
    """Answer an authorization request; only an unknown organization is told to the application (ZITADEL)."""
    application, asked = _checked(world, form)
    keep(world.auth_requests, asked.id, asked)
    if None in sessions.organizations_of(world, asked):
        return redirect(sessions.callback_with_error(world, asked, "invalid_request", "Errors.Org.NotFound"))
    name = "" if not world.auto_login or _is_script() else asked.login_hint or world.auto_login
    user = sessions.person_of(world, name)
    if user and user in sessions.people_of(world, asked):
        note(user=user.username)
        return redirect(sessions.callback_with_code(world, asked, sessions.add_session(world, user)))
    base = application.oidc.get("loginVersion", {}).get("loginV2", {}).get("baseUri") or LOGIN_V2
    page = f"{base.rstrip('/')}/login?authRequest="
    return redirect((page if asked.id.startswith("V2_") else f"{LOGIN_V1}?authRequestID=") + asked.id)


def _is_script() -> bool:
    """Return whether a script of a web page sent the request, which could learn where the answer leads."""
    if "Sec-Fetch-Site" in request.headers:
        return request.headers.get("Sec-Fetch-Mode") != "navigate"
    other_host = request.headers.get("Host") != current_origin().requested_host  # DNS rebinding, with a forged header
    return other_host or "Origin" in request.headers


def _checked(world: World, form: Form) -> tuple[Application, AuthRequest]:
    """Return the application and its request. Raises OAuthError, which is shown to the person."""
    max_age, prompt, redirect_uri = (form.last(name) for name in ("max_age", "prompt", "redirect_uri"))
    if not re.fullmatch("[0-9]{0,9}", max_age):
        raise OAuthError("invalid_request", "error decoding form", reason="max_age is not a number of seconds")
    if form.last("request"):
        raise OAuthError("invalid_request", "parsing of request failed: token contains an invalid number of segments")
    if not form.last("client_id"):
        raise OAuthError("invalid_request", "auth request is missing client_id")
    application, why_not = find_active(world, form.last("client_id"))
    if application is None or application.kind != "oidc":
        known = ", ".join(f"{a.client_id} ({a.name})" for a in world.applications.values() if a.kind == "oidc")
        reason = f"{why_not or NOT_OIDC}; the client IDs here are {known or 'none'}"
        raise OAuthError("invalid_request", "Errors.App.NotFound", reason=reason)
    if not redirect_uri:
        raise OAuthError("server_error", "auth request is missing redirect_uri", status=500)
    if "none" in prompt.split() and prompt.split() != ["none"]:
        raise OAuthError("invalid_request", "The prompt parameter `none` must only be used as a single value")
    scopes = known_scopes(form.last("scope") or None)
    check_redirect_uri(application, redirect_uri)
    if not form.last("response_type"):
        raise OAuthError("invalid_request", f"The response type is missing in your request. {ASK}")
    if form.last("response_type") != "code" or CODE not in (application.oidc.get("responseTypes") or [CODE]):
        what = "The requested response type is missing in the client configuration."
        raise OAuthError("unauthorized_client", f"{what} {ASK}")
    project = world.projects[application.project_id]
    if project.project_role_assertion and not any(scope.startswith(ROLE_SCOPE_PREFIX) for scope in scopes):
        scopes += [ROLE_SCOPE_PREFIX + key for key in project.roles]
    texts: dict[str, Any] = {name: form.last(name) for name in COPIED}
    return application, AuthRequest(
        id=("" if "loginV1" in application.oidc.get("loginVersion", {}) else "V2_") + world.new_id(),
        created=world.now(),
        client_id=application.client_id,
        redirect_uri=redirect_uri,
        scopes=scopes,
        challenge=form.last("code_challenge"),
        challenge_method=form.last("code_challenge_method"),
        prompt=prompt,
        max_age=0 if "login" in prompt.split() else int(max_age) if max_age else None,
        **texts,
    )


# --- which addresses an application may be sent to ---


def check_redirect_uri(application: Application, uri: str) -> None:
    """Raise OAuthError if no code may be sent to this URI (ZITADEL)."""
    what, reason, scheme = "", "", uri.partition(":")[0].lower()
    if not is_registered(application, application.oidc.get("redirectUris", []), uri):
        what = "The requested redirect_uri is missing in the client configuration."
        reason = f"{uri} is not among its redirectUris: {application.redirect_uris or 'none'}"
    elif scheme == "http" and not application.oidc.get("developmentMode"):
        if not _loopback(uri) if _is_native(application) else application.oidc.get("applicationType", WEB) != WEB:
            what = "This client's redirect_uri is http and is not allowed."
    elif scheme not in ("http", "https") and not _is_native(application):
        what = "This client's redirect_uri is using a custom schema and is not allowed."
    if what:
        raise OAuthError("invalid_request", f"{what} {ASK}", reason=reason)


def is_registered(application: Application, registered: list[str], uri: str) -> bool:
    """Return whether a URI is one of those, for a native one also with another loopback host or port (RFC 8252)."""
    given = _loopback(uri) if _is_native(application) else None
    return uri in registered or (given is not None and given in map(_loopback, registered))


def _is_native(application: Application) -> bool:
    return application.oidc.get("applicationType") == "OIDC_APP_TYPE_NATIVE"


def _loopback(uri: str) -> tuple[str, str] | None:
    """Return path and query of a URI on this machine that every browser reads in the same way, or None."""
    if not uri.isascii() or not uri.isprintable() or " " in uri:
        return None
    try:
        parts = urlsplit(uri)
        return (parts.path, parts.query) if parts.scheme in ("http", "https") and names_loopback(parts.netloc) else None
    except ValueError:
        return None


# --- the end of a login, when an application asks for it (OpenID Connect RP-Initiated Logout) ---


def end_session(world: World, form: Form) -> Response:
    """End the session of an ID token, or else those of the browser, and go to the URI that the application gives."""
    hint, client_id, wanted = (form.last(name) for name in ("id_token_hint", "client_id", "post_logout_redirect_uri"))
    try:
        claims = own_claims(world, hint) if hint else {}
    except TokenRefused as error:
        raise OAuthError("invalid_request", "id_token_hint invalid", reason=error) from error
    if hint and client_id not in ("", claims.get("azp")):
        raise OAuthError("invalid_request", "client_id does not match azp of id_token_hint")
    client_id, location = str(claims.get("azp", client_id)), DONE_V2 if hint else DONE_V1
    if client_id:
        application, why_not = find_active(world, client_id)
        if application is None or application.kind != "oidc":
            raise OAuthError("invalid_request", "Errors.App.NotFound", reason=why_not or NOT_OIDC)
        if wanted and not is_registered(application, application.oidc.get("postLogoutRedirectUris", []), wanted):
            raise OAuthError("invalid_request", "post_logout_redirect_uri invalid")
        location = wanted or location
    session_id, browser = claims.get("sid"), sessions.browser_of(request)
    for session in list(world.login_sessions.values()):
        if session.id == session_id if hint else browser and session.browser == browser:
            note(user=world.users[session.user_id].username if session.user_id in world.users else "")
            sessions.end_session(world, session, Why.LOGGED_OUT)
    if state := form.last("state"):
        location += ("&" if "?" in location else "?") + urlencode({"state": state})
    return redirect(location)
