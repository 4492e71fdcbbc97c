"""The token endpoint with its grants (RFC 6749, 7523 and 8628), and device authorization."""

import secrets
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from flask import Response

from zdemo.emulator.entities import Application, AuthRequest, User
from zdemo.emulator.incoming.origin import current_origin
from zdemo.emulator.incoming.reasons import Why
from zdemo.emulator.incoming.request_records import note, shown_client
from zdemo.emulator.oidc import user_claims as claims
from zdemo.emulator.oidc.client_authentication import Form, check_assertion, credentials_in, oidc_client
from zdemo.emulator.oidc.issuing import active, known_scopes, login_token, new_token, token_answer
from zdemo.emulator.oidc.responses import OAuthError, json_response
from zdemo.emulator.oidc.token_exchange import token_exchange
from zdemo.emulator.sessions import DEVICE_SECONDS, ORGANIZATION_PREFIXES, live_session, organization_scopes
from zdemo.emulator.token_texts import canonical, encoded
from zdemo.emulator.tokens import TokenRefused, unknown, unverified_claims
from zdemo.emulator.world import World, keep

DEVICE_PAGE = "/device"
USER_CODE_CHARACTERS = "BCDFGHJKLMNPQRSTVWXZ"
PENDING = (
    "The client SHOULD repeat the access token request to the token endpoint, after interval from device "
    "authorization response."
)


def token(world: World, form: Form) -> Response:
    """Answer a token request by its grant type."""
    grant = next(iter(form.all("grant_type")), "")  # the first of several (ZITADEL)
    if not grant:
        raise OAuthError("invalid_request", "grant_type missing")
    if grant in _OF_SERVICE_ACCOUNTS:
        return json_response(_OF_SERVICE_ACCOUNTS[grant](world, form))
    if grant not in _OF_APPLICATIONS:
        raise OAuthError("unsupported_grant_type", f"{grant} not supported")
    application = oidc_client(world, form)
    held = application.oidc.get("grantTypes") or ["OIDC_GRANT_TYPE_AUTHORIZATION_CODE"]
    if f"OIDC_GRANT_TYPE_{grant.rpartition(':')[2].replace('-', '_').upper()}" not in held:
        raise OAuthError("unauthorized_client", f'grant_type "{grant}" not allowed')
    answer, *required = _OF_APPLICATIONS[grant]
    for name in required:
        if not form.last(name):
            raise OAuthError("invalid_request", f"{name} missing")
    return json_response(answer(world, form, application))


# --- service accounts ---


def _client_credentials(world: World, form: Form) -> dict[str, Any]:
    client_id, secret, _ = credentials_in(form)
    user = world.user_named(client_id)
    if user is None:
        note(client=shown_client(client_id))
        raise OAuthError("invalid_client", "client not found", reason="no user has this login name")
    note(user=user.username)
    if not user.secret:
        raise OAuthError("invalid_request", "Errors.User.Machine.Secret.NotExisting", reason="the user has no secret")
    if user.secret != secret:
        raise OAuthError("invalid_request", "Errors.User.Machine.Secret.Invalid", reason="wrong secret of the user")
    return _service_account_tokens(world, user, form, ["pwd"])


def _jwt_bearer(world: World, form: Form) -> dict[str, Any]:
    assertion = form.last("assertion")
    if not assertion:
        raise OAuthError("invalid_request", "assertion missing")
    user = None
    try:
        asserted = unverified_claims(assertion)
        user = world.users.get(str(asserted.get("iss")))
        check_assertion(world, assertion, asserted, user.keys if user else {})
    except TokenRefused as error:
        reason = (error if user else TokenRefused(unknown(world, Why.USER_UNKNOWN))).about("assertion: ")
        raise OAuthError("invalid_grant", "invalid assertion", reason=reason) from error
    assert user is not None  # noqa: S101 - without keys, no assertion is good
    note(user=user.username)
    return _service_account_tokens(world, user, form, [])


def _service_account_tokens(world: World, user: User, form: Form, amr: list[str]) -> dict[str, Any]:
    """Return new tokens with the scopes that exist, without those of other organizations."""
    known = known_scopes(form.last("scope") if form.all("scope") else None)
    own = organization_scopes(world.organizations[user.organization_id])
    scopes = [scope for scope in known if scope in own or not scope.startswith(ORGANIZATION_PREFIXES)]
    audience, login = claims.audience(world, scopes), {"amr": amr, "auth_time": world.now()}
    return token_answer(world, new_token(world, active(user), user.username, scopes, audience, **login))


# --- people who have logged in ---


def _authorization_code(world: World, form: Form, application: Application) -> dict[str, Any]:
    """Exchange a code, once, for the tokens of a login."""
    request = world.codes.get(canonical(form.last("code")))
    if request is None or request.changed + 600 <= world.now():
        raise OAuthError("invalid_request", "Errors.User.Code.Invalid", reason="the code is unknown or too old")
    if not request.code:
        raise OAuthError("invalid_request", "Errors.AuthRequest.NoCode", reason="the code was used before")
    _check_client(application, request.client_id)
    if request.challenge or application.auth_method == "OIDC_AUTH_METHOD_TYPE_NONE":
        verifier = form.last("code_verifier")
        if not verifier:
            raise OAuthError("invalid_request", "code_verifier required")
        is_hashed = request.challenge_method == "S256"  # any other method counts as plain (ZITADEL)
        if request.challenge != (encoded(sha256(verifier.encode()).digest()) if is_hashed else verifier):
            raise OAuthError("invalid_grant", "invalid code_verifier")
    if form.last("redirect_uri") != request.redirect_uri:
        raise OAuthError("invalid_grant", "redirect_uri does not correspond")
    return _tokens(world, application, request)


def device_authorization(world: World, form: Form) -> Response:
    """Keep the request of a device, also of an application without the grant type (ZITADEL)."""
    client = oidc_client(world, form)
    code, page = secrets.token_urlsafe(16), current_origin().issuer + DEVICE_PAGE
    letters, scopes = "".join(secrets.choice(USER_CODE_CHARACTERS) for _ in range(8)), known_scopes(form.last("scope"))
    request = AuthRequest(id=code, created=world.now(), client_id=client.client_id, scopes=scopes, code=code)
    request.user_code = f"{letters[:4]}-{letters[4:]}"
    keep(world.device_requests, code, request)
    answer = {
        "device_code": code,
        "user_code": request.user_code,
        "verification_uri": page,
        "verification_uri_complete": f"{page}?user_code={request.user_code}",
        "expires_in": DEVICE_SECONDS,
        "interval": 5,
    }
    return json_response(answer)


def _device_code(world: World, form: Form, application: Application) -> dict[str, Any]:
    """Give a device its tokens, once, when the person said yes. Raises OAuthError until then."""
    request = world.device_requests.get(form.last("device_code"))
    _check_client(application, request.client_id if request else "")
    assert request  # noqa: S101 - every client has an ID
    if not request.answered:
        if request.created + DEVICE_SECONDS <= world.now():
            raise OAuthError("expired_token", 'The "device_code" has expired.')
        raise OAuthError("authorization_pending", PENDING)
    if not request.session_id:
        raise OAuthError("access_denied", "The authorization request was denied.")
    if not request.code:
        raise OAuthError("invalid_grant", reason="the device code was used")
    return _tokens(world, application, request)


def _tokens(world: World, application: Application, request: AuthRequest) -> dict[str, Any]:
    session = live_session(world, request.session_id)
    if session is None:
        raise OAuthError("invalid_request", "Errors.Session.Terminated")
    token = login_token(world, application, session, request.scopes, request.nonce)
    note(user=world.users[token.user_id].username)
    request.code = ""
    return token_answer(world, token, application)


def _refresh_token(world: World, form: Form, application: Application) -> dict[str, Any]:
    """Exchange a refresh token, once, for new tokens; the access token from before ends too."""
    held = world.refresh_tokens.get(canonical(form.last("refresh_token")))
    if held is None:
        raise OAuthError("invalid_request", "Errors.User.RefreshToken.Invalid", reason="unknown refresh token")
    if held.ended or held.expires <= world.now():
        reason = "the refresh token was used or has ended"
        raise OAuthError("invalid_request", "Errors.OIDCSession.RefreshTokenInvalid", reason=reason)
    old = held.access
    _check_client(application, old.client_id, "refresh token")
    scopes = known_scopes(form.last("scope")) if form.last("scope") else held.scopes
    if not set(scopes) <= set(held.scopes):
        raise OAuthError("invalid_scope")
    user = active(world.users[old.user_id])
    note(user=user.username)
    held.ended = True
    world.end_access_token(old, Why.REFRESHED)
    login = {name: getattr(old, name) for name in ("amr", "auth_time", "session_id", "nonce", "actor")}
    token = new_token(world, user, old.client_id, scopes, old.audience, **login)
    return token_answer(world, token, application, login_scopes=held.scopes)


def _check_client(application: Application, client_id: str, where: str = "authorization request") -> None:
    if application.client_id != client_id:
        raise OAuthError("invalid_client", f"client_id does not correspond to the client_id in the {where}")


_URN = "urn:ietf:params:oauth:grant-type:"
_OF_SERVICE_ACCOUNTS: dict[str, Callable[[World, Form], dict[str, Any]]] = {
    "client_credentials": _client_credentials,
    f"{_URN}jwt-bearer": _jwt_bearer,
}
_OF_APPLICATIONS: dict[str, tuple[Any, ...]] = {  # what answers, and the parameters that must be there
    "authorization_code": (_authorization_code, "code", "redirect_uri"),
    "refresh_token": (_refresh_token, "refresh_token"),
    f"{_URN}device_code": (_device_code, "device_code"),
    f"{_URN}token-exchange": (token_exchange, "subject_token", "subject_token_type"),
}
