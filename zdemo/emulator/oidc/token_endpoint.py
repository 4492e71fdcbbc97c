"""The token endpoint: the two grants of service users (RFC 6749 §4.4, RFC 7523 §2.1); no logins."""

from collections.abc import Callable

from flask import Response

from zdemo.emulator import claims
from zdemo.emulator.entities import User
from zdemo.emulator.oidc.client_authentication import BadAssertion, check_assertion, oidc_client, same_secret
from zdemo.emulator.oidc.discovery import SCOPES
from zdemo.emulator.oidc.forms import ClientCredentials, Form
from zdemo.emulator.oidc.issuing import issue
from zdemo.emulator.oidc.responses import OAuthError, json_response
from zdemo.emulator.signing import MalformedJWT, unverified_claims
from zdemo.emulator.world import World

SCOPE_MISSING = (
    "The scope of your request is missing. Please ensure some scopes are requested. If you have any questions, you "
    "may contact the administrator of the application."
)

_KNOWN_SCOPES = frozenset(
    (*SCOPES, claims.METADATA, claims.RESOURCE_OWNER, claims.ROLES_SCOPE, "groups", "urn:zitadel:iam:user:groups")
)
_KNOWN_PREFIXES = (
    claims.AUDIENCE_PREFIX,
    claims.ROLE_SCOPE_PREFIX,
    claims.ROLE_ORGANIZATION_PREFIX,
    f"{claims.ORGANIZATION_ID}:",
    f"{claims.ORGANIZATION_DOMAIN}:",
    "urn:zitadel:iam:org:idp:id:",
)
_LOGIN_GRANTS = {  # grants that exchange the result of a login: the parameter, and ZITADEL's text for an unknown one
    "authorization_code": ("code", "Errors.User.Code.Invalid"),
    "refresh_token": ("refresh_token", "Errors.User.RefreshToken.Invalid"),
    "urn:ietf:params:oauth:grant-type:device_code": ("device_code", "Errors.DeviceAuth.NotExisting"),
    "urn:ietf:params:oauth:grant-type:token-exchange": ("subject_token", "Errors.TokenExchange.FeatureDisabled"),
}


def token(world: World) -> Response:
    """Answer a token request by its grant type."""
    form = Form.of_request()
    grant = form.first("grant_type")
    if not grant:
        raise OAuthError("invalid_request", "grant_type missing")
    if grant in _LOGIN_GRANTS:
        return _login_grant(world, form, *_LOGIN_GRANTS[grant])
    if grant not in _GRANTS:
        raise OAuthError("unsupported_grant_type", f"{grant} not supported")
    return _GRANTS[grant](world, form)


def _client_credentials(world: World, form: Form) -> Response:
    """Issue a token to a service user with login name and secret."""
    credentials = ClientCredentials.of_request(form)
    user = _user_with_login(world, credentials.client_id)
    if user is None:
        raise OAuthError("invalid_client", "client not found")
    if not user.secret:
        raise OAuthError("invalid_request", "Errors.User.Machine.Secret.NotExisting")
    if not same_secret(user.secret, credentials.client_secret):
        raise OAuthError("invalid_request", "Errors.User.Machine.Secret.Invalid")
    scopes = _allowed_scopes(world, user, form.find("scope"))
    return json_response(issue(world, _active(user), scopes, amr=["pwd"]))


def _jwt_bearer(world: World, form: Form) -> Response:
    """Issue a token for an assertion that a service user's key signed; a bad one is a server error in ZITADEL v4."""
    assertion = form.last("assertion")
    if not assertion:
        raise OAuthError("invalid_request", "assertion missing")
    try:
        asserted = unverified_claims(assertion)
        user = world.users.get(str(asserted.get("iss")))
        check_assertion(world, assertion, asserted, user.keys if user else {})
    except (MalformedJWT, BadAssertion) as error:
        raise OAuthError("server_error", "Errors.Internal", status=500, parent=str(error)) from error
    if user is None:
        raise OAuthError("server_error", "Errors.Internal", status=500)
    scopes = _allowed_scopes(world, user, form.find("scope"))
    return json_response(issue(world, _active(user), scopes, amr=[]))


_GRANTS: dict[str, Callable[[World, Form], Response]] = {
    "client_credentials": _client_credentials,
    "urn:ietf:params:oauth:grant-type:jwt-bearer": _jwt_bearer,
}


def _login_grant(world: World, form: Form, parameter: str, unknown: str) -> Response:
    """Refuse what is to be exchanged: without logins every code and token is unknown."""
    oidc_client(world, ClientCredentials.of_request(form))
    if not form.last(parameter):
        raise OAuthError("invalid_request", f"{parameter} missing")
    raise OAuthError("invalid_request", unknown)


def _user_with_login(world: World, login_name: str) -> User | None:
    """Find a user by the login name, which is the username here, without regard to case."""
    folded = login_name.casefold()
    return next((user for user in world.users.values() if user.username.casefold() == folded), None)


def _active(user: User) -> User:
    if user.state != "ACTIVE":
        raise OAuthError("invalid_request", "Errors.User.NotActive")
    return user


def _allowed_scopes(world: World, user: User, scope: str | None) -> list[str]:
    """Return the requested scopes without unknown ones and those of other organizations.

    Raises:
        OAuthError: the parameter is absent; an empty one is accepted.
    """
    if scope is None:
        raise OAuthError("invalid_request", SCOPE_MISSING)
    known = [s for s in scope.split(" ") if s in _KNOWN_SCOPES or s.startswith(_KNOWN_PREFIXES)]
    organization = world.organizations.get(user.organization_id)
    own = {
        f"{claims.ORGANIZATION_ID}:{user.organization_id}",
        f"{claims.ORGANIZATION_DOMAIN}:{organization.primary_domain if organization else ''}",
    }
    foreign = (f"{claims.ORGANIZATION_ID}:", f"{claims.ORGANIZATION_DOMAIN}:")
    return [scope for scope in known if scope in own or not scope.startswith(foreign)]
