"""The end of a login, at the wish of an application (OpenID Connect RP-Initiated Logout)."""

from urllib.parse import urlencode

from flask import Response, request

from zdemo.emulator.entities import Application
from zdemo.emulator.incoming import note
from zdemo.emulator.login.browser import browser_of
from zdemo.emulator.login.sessions import end_session as end_login
from zdemo.emulator.oidc.client_authentication import Form, find_active
from zdemo.emulator.oidc.redirect_uris import is_registered
from zdemo.emulator.oidc.responses import OAuthError, redirect
from zdemo.emulator.tokens import BadSignature, MalformedJWT, own_claims
from zdemo.emulator.world import World

DONE_V1 = "/ui/login/logout/done"
DONE_V2 = "/logout/done"
WHY = "the person logged out"


def end_session(world: World, form: Form) -> Response:
    """End the session of an ID token, or else those of the browser, and go where the application wants."""
    hint, client_id, wanted = form.last("id_token_hint"), form.last("client_id"), form.last("post_logout_redirect_uri")
    claims = {}
    if hint:
        try:
            claims = own_claims(world, hint)
        except (MalformedJWT, BadSignature) as error:
            raise OAuthError("invalid_request", "id_token_hint invalid", parent=str(error)) from error
        if client_id and client_id != claims.get("azp"):
            raise OAuthError("invalid_request", "client_id does not match azp of id_token_hint")
        client_id = str(claims.get("azp", ""))
    location = DONE_V2 if hint else DONE_V1
    if client_id:
        application, why_not = find_active(world, client_id)
        if application is None or application.kind != "oidc":
            raise OAuthError("invalid_request", "Errors.App.NotFound", reason=why_not)
        if wanted:
            _check_registered(application, wanted)
            location = wanted
    _end(world, str(claims.get("sid", "")))
    if state := form.last("state"):
        location += ("&" if "?" in location else "?") + urlencode({"state": state})
    return redirect(location)


def _check_registered(application: Application, uri: str) -> None:
    if not is_registered(application, application.oidc_list("postLogoutRedirectUris"), uri):
        raise OAuthError("invalid_request", "post_logout_redirect_uri invalid")


def _end(world: World, session_id: str) -> None:
    browser = "" if session_id else browser_of(request)
    for session in list(world.login_sessions.values()):
        if session.id == session_id or (browser and session.browser == browser):
            if user := world.users.get(session.user_id):
                note(user=user.username)
            end_login(world, session, WHY)
