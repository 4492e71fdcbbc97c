"""The token endpoint, with the two grants of service accounts (RFC 6749 §4.4, RFC 7523 §2.1)."""

from collections.abc import Callable

from flask import Response

from zdemo.emulator.entities import User
from zdemo.emulator.incoming import note, shown_client
from zdemo.emulator.login.auth_requests import ORGANIZATION_DOMAIN, ORGANIZATION_ID
from zdemo.emulator.oidc import device, token_exchange
from zdemo.emulator.oidc import user_claims as claims
from zdemo.emulator.oidc.client_authentication import (
    BadAssertion,
    ClientCredentials,
    Form,
    check_assertion,
    same_secret,
)
from zdemo.emulator.oidc.issuing import active, known_scopes, new_token, token_answer
from zdemo.emulator.oidc.login_grants import authorization_code, refresh_token
from zdemo.emulator.oidc.responses import OAuthError, json_response
from zdemo.emulator.tokens import MalformedJWT, unverified_claims
from zdemo.emulator.world import World


def token(world: World, form: Form) -> Response:
    """Answer a token request by its grant type."""
    grant = form.first("grant_type")
    if not grant:
        raise OAuthError("invalid_request", "grant_type missing")
    if grant not in _GRANTS:
        raise OAuthError("unsupported_grant_type", f"{grant} not supported")
    return _GRANTS[grant](world, form)


def _client_credentials(world: World, form: Form) -> Response:
    credentials = ClientCredentials.of_request(form)
    login = credentials.client_id.casefold()  # the login name is the username here
    user = next((user for user in world.users.values() if user.username.casefold() == login), None)
    if user is None:
        note(client=shown_client(credentials.client_id))
        raise OAuthError("invalid_client", "client not found", reason="no user has this login name")
    note(user=user.username)
    if not user.secret:
        raise OAuthError("invalid_request", "Errors.User.Machine.Secret.NotExisting", reason="the user has no secret")
    if not same_secret(user.secret, credentials.client_secret):
        raise OAuthError("invalid_request", "Errors.User.Machine.Secret.Invalid", reason="wrong secret of the user")
    return _service_account_tokens(world, user, form, ["pwd"])


def _jwt_bearer(world: World, form: Form) -> Response:
    assertion = form.last("assertion")
    if not assertion:
        raise OAuthError("invalid_request", "assertion missing")
    user = None
    try:
        asserted = unverified_claims(assertion)
        user = world.users.get(str(asserted.get("iss")))
        check_assertion(world, assertion, asserted, user.keys if user else {})
    except (MalformedJWT, BadAssertion) as error:
        cause = error.reason if isinstance(error, BadAssertion) else error
        reason = f"assertion: {cause}" if user else "assertion: no user has the ID in iss"
        raise OAuthError("invalid_grant", "invalid assertion", parent=str(error), reason=reason) from error
    assert user is not None  # noqa: S101 - without keys, no assertion is good
    note(user=user.username)
    return _service_account_tokens(world, user, form, [])


def _service_account_tokens(world: World, user: User, form: Form, amr: list[str]) -> Response:
    scopes = _allowed_scopes(world, user, form.find("scope"))
    audience = claims.audience(world, scopes)
    token = new_token(world, active(user), user.username, scopes, audience, amr=amr, auth_time=world.now())
    return json_response(token_answer(world, token))


_GRANTS: dict[str, Callable[[World, Form], Response]] = {
    "client_credentials": _client_credentials,
    "urn:ietf:params:oauth:grant-type:jwt-bearer": _jwt_bearer,
    "authorization_code": authorization_code,
    "refresh_token": refresh_token,
    device.GRANT: device.device_tokens,
    token_exchange.GRANT: token_exchange.token_exchange,
}


def _allowed_scopes(world: World, user: User, scope: str | None) -> list[str]:
    """Return the scopes that exist, without those of other organizations. Raises OAuthError if there is none."""
    known = known_scopes(scope)
    organization = world.organizations.get(user.organization_id)
    own = {
        f"{ORGANIZATION_ID}:{user.organization_id}",
        f"{ORGANIZATION_DOMAIN}:{organization.primary_domain if organization else ''}",
    }
    foreign = (f"{ORGANIZATION_ID}:", f"{ORGANIZATION_DOMAIN}:")
    return [scope for scope in known if scope in own or not scope.startswith(foreign)]
