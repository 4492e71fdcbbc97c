"""Token introspection (RFC 7662), with what ZITADEL makes of it."""

import hmac
import logging
from typing import Any

from flask import Response

from zdemo.emulator import host
from zdemo.emulator.claims import ROLE_SCOPE_PREFIX, introspection_roles, user_claims
from zdemo.emulator.oidc.answers import OAuthError, json_answer
from zdemo.emulator.oidc.assertions import BadAssertion, check_assertion
from zdemo.emulator.oidc.clients import is_active
from zdemo.emulator.oidc.forms import ClientCredentials, Form
from zdemo.emulator.signing import MalformedJWT, unverified_claims
from zdemo.emulator.tokens import Token, TokenRefused, live_token, owner
from zdemo.emulator.world import Application, PersonalAccessToken, World

INACTIVE: dict[str, Any] = {"active": False}

log = logging.getLogger("zdemo.emulator")


def introspect(world: World) -> Response:
    """Answer for a token, once the application that asks has proved who it is."""
    form = Form.of_request()
    credentials = ClientCredentials.of_request(form)
    if not credentials.client_secret and not credentials.client_assertion:
        raise OAuthError("invalid_client", "client must be authenticated")
    text = form.last("token")
    if not text:
        raise OAuthError("invalid_request", "token missing")
    try:
        application = _authenticated(world, credentials)
        token = live_token(world, text)
        return json_answer(_active(world, token, application))
    except (MalformedJWT, TokenRefused) as refusal:
        log.info("oidc introspection: inactive: %s", refusal)
        return json_answer(INACTIVE)


def _authenticated(world: World, credentials: ClientCredentials) -> Application:
    """The application behind the credentials. Which credentials it has counts, not its authentication method.

    Raises:
        OAuthError: ``unauthorized_client``, for every cause alike.
        MalformedJWT: the assertion is none; ZITADEL then calls the token inactive.
    """
    assertion = credentials.client_assertion
    claims = unverified_claims(assertion) if assertion else {}
    application = _application(world, claims.get("iss") if assertion else credentials.client_id)
    if application is None:
        raise _unauthorized("sql: no rows in result set")
    if assertion:
        try:
            check_assertion(assertion, claims, application.keys, host.current().issuer, world.now())
        except BadAssertion as error:
            raise _unauthorized(str(error)) from error
    elif not application.secret:
        raise _unauthorized("client has no configured secret")
    elif not hmac.compare_digest(application.secret.encode(), credentials.client_secret.encode()):
        raise _unauthorized("passwap: password does not match hash")
    return application


def _application(world: World, client_id: object) -> Application | None:
    """The application with a client ID, if it, its project and the project's organization are active."""
    found = (a for a in world.applications.values() if a.client_id == client_id and is_active(world, a))
    return next(found, None)


def _unauthorized(parent: str) -> OAuthError:
    log.info("oidc introspection: client refused: %s", parent)
    return OAuthError("unauthorized_client", parent=parent)


def _active(world: World, token: Token, application: Application) -> dict[str, Any]:
    """The whole answer, in the order of ZITADEL's fields.

    Raises:
        TokenRefused: it is for others.
    """
    user = owner(world, token)
    audience, scopes = _seen_from(world, token, application)
    if not {application.client_id, application.project_id} & set(audience):
        raise TokenRefused("ID=OIDC-sdg3G Message=token is not valid for this client")
    claims = user_claims(world, user, scopes)
    claims |= introspection_roles(world, user, scopes, application.project_id)
    session = _session_fields(token)
    issued = int(token.created)
    answer = {
        "active": True,
        "scope": " ".join(scopes),
        "client_id": session.get("client_id"),
        "token_type": "Bearer",
        "exp": int(token.expires),
        "iat": issued,
        "auth_time": session.get("auth_time"),
        "nbf": issued,
        "sub": user.id,
        "aud": audience,
        "amr": session.get("amr"),
        "iss": host.current().issuer,
        "jti": token.id,
        "username": claims.get("preferred_username"),
    }
    return {name: value for name, value in answer.items() if value} | claims


def _session_fields(token: Token) -> dict[str, Any]:
    """What only a token of the token endpoint has."""
    if isinstance(token, PersonalAccessToken):
        return {}
    return {"client_id": token.client_id, "auth_time": int(token.auth_time), "amr": token.amr}


def _seen_from(world: World, token: Token, application: Application) -> tuple[list[str], list[str]]:
    """Audience and scopes; those of a PAT are stuffed with the application, its project and all its roles."""
    if not isinstance(token, PersonalAccessToken):
        return token.audience, token.scopes
    roles = world.projects[application.project_id].roles
    return (
        [application.client_id, application.project_id],
        [*token.scopes, *(ROLE_SCOPE_PREFIX + key for key in roles)],
    )
