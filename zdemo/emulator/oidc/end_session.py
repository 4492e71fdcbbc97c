"""The end of a login, at the wish of an application (OpenID Connect RP-Initiated Logout)."""

from typing import Any
from urllib.parse import urlencode

from flask import Response, request

from zdemo.emulator.incoming import note
from zdemo.emulator.login.browser import browser_of
from zdemo.emulator.login.sessions import end_session as end_login
from zdemo.emulator.oidc.client_authentication import Form, find_active
from zdemo.emulator.oidc.redirect_uris import is_registered
from zdemo.emulator.oidc.responses import OAuthError, redirect
from zdemo.emulator.tokens import BadSignature, MalformedJWT, own_claims
from zdemo.emulator.world import World

DONE_V1, DONE_V2 = "/ui/login/logout/done", "/logout/done"


def end_session(world: World, form: Form) -> Response:
    """End the session of an ID token, or else those of the browser, and go where the application wants."""
    hint, client_id, wanted = (form.last(name) for name in ("id_token_hint", "client_id", "post_logout_redirect_uri"))
    claims = _claims(world, hint) if hint else {}
    if hint and client_id not in ("", claims.get("azp")):
        raise OAuthError("invalid_request", "client_id does not match azp of id_token_hint")
    client_id, location = str(claims.get("azp", client_id)), DONE_V2 if hint else DONE_V1
    if client_id:
        application, why_not = find_active(world, client_id)
        if application is None or application.kind != "oidc":
            raise OAuthError("invalid_request", "Errors.App.NotFound", reason=why_not)
        if wanted and not is_registered(application, application.oidc_list("postLogoutRedirectUris"), wanted):
            raise OAuthError("invalid_request", "post_logout_redirect_uri invalid")
        location = wanted or location
    session_id, browser = claims.get("sid"), browser_of(request)
    for session in list(world.login_sessions.values()):
        if session.id == session_id if hint else browser and session.browser == browser:
            note(user=world.users[session.user_id].username if session.user_id in world.users else "")
            end_login(world, session, "the person logged out")
    if state := form.last("state"):
        location += ("&" if "?" in location else "?") + urlencode({"state": state})
    return redirect(location)


def _claims(world: World, hint: str) -> dict[str, Any]:
    try:
        return own_claims(world, hint)
    except (MalformedJWT, BadSignature) as error:
        raise OAuthError("invalid_request", "id_token_hint invalid", parent=str(error)) from error
