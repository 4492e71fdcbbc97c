"""The token endpoint, with the two grants of service accounts (RFC 6749 §4.4, RFC 7523 §2.1)."""

from collections.abc import Callable
from typing import Any

from flask import Response

from zdemo.emulator.entities import User
from zdemo.emulator.incoming import note, shown_client
from zdemo.emulator.login.sessions import ORGANIZATION_DOMAIN, ORGANIZATION_ID
from zdemo.emulator.oidc import user_claims as claims
from zdemo.emulator.oidc.client_authentication import (
    BadAssertion,
    ClientCredentials,
    Form,
    check_assertion,
    oidc_client,
)
from zdemo.emulator.oidc.issuing import active, known_scopes, new_token, token_answer
from zdemo.emulator.oidc.login_grants import authorization_code, device_code, refresh_token
from zdemo.emulator.oidc.responses import OAuthError, json_response
from zdemo.emulator.oidc.token_exchange import token_exchange
from zdemo.emulator.token_texts import same_secret
from zdemo.emulator.tokens import MalformedJWT, unverified_claims
from zdemo.emulator.world import World


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
    held = application.oidc_list("grantTypes") or ["OIDC_GRANT_TYPE_AUTHORIZATION_CODE"]
    if f"OIDC_GRANT_TYPE_{grant.rpartition(':')[2].replace('-', '_').upper()}" not in held:
        raise OAuthError("unauthorized_client", f'grant_type "{grant}" not allowed')
    answer, *required = _OF_APPLICATIONS[grant]
    for name in required:
        if not form.last(name):
            raise OAuthError("invalid_request", f"{name} missing")
    return json_response(answer(world, form, application))


def _client_credentials(world: World, form: Form) -> dict[str, Any]:
    credentials = ClientCredentials.of_request(form)
    user = world.user_named(credentials.client_id)
    if user is None:
        note(client=shown_client(credentials.client_id))
        raise OAuthError("invalid_client", "client not found", reason="no user has this login name")
    note(user=user.username)
    if not user.secret:
        raise OAuthError("invalid_request", "Errors.User.Machine.Secret.NotExisting", reason="the user has no secret")
    if not same_secret(user.secret, credentials.client_secret):
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
    except (MalformedJWT, BadAssertion) as error:
        cause = error.reason if isinstance(error, BadAssertion) else error
        reason = f"assertion: {cause}" if user else "assertion: no user has the ID in iss"
        raise OAuthError("invalid_grant", "invalid assertion", parent=str(error), reason=reason) from error
    assert user is not None  # noqa: S101 - without keys, no assertion is good
    note(user=user.username)
    return _service_account_tokens(world, user, form, [])


def _service_account_tokens(world: World, user: User, form: Form, amr: list[str]) -> dict[str, Any]:
    scopes, login = _allowed_scopes(world, user, form.find("scope")), {"amr": amr, "auth_time": world.now()}
    audience = claims.audience(world, scopes)
    return token_answer(world, new_token(world, active(user), user.username, scopes, audience, **login))


_URN = "urn:ietf:params:oauth:grant-type:"
_OF_SERVICE_ACCOUNTS: dict[str, Callable[[World, Form], dict[str, Any]]] = {
    "client_credentials": _client_credentials,
    f"{_URN}jwt-bearer": _jwt_bearer,
}
_OF_APPLICATIONS: dict[str, tuple[Any, ...]] = {  # what answers, and the parameters that must be there
    "authorization_code": (authorization_code, "code", "redirect_uri"),
    "refresh_token": (refresh_token, "refresh_token"),
    f"{_URN}device_code": (device_code, "device_code"),
    f"{_URN}token-exchange": (token_exchange, "subject_token", "subject_token_type"),
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
