"""How applications and service accounts prove who they are: by a secret, or by an assertion (RFC 7523)."""

import hmac
from collections.abc import Collection
from typing import Any

from zdemo.emulator import host
from zdemo.emulator.entities import Application, PublicKey
from zdemo.emulator.oidc.forms import ClientCredentials
from zdemo.emulator.oidc.responses import OAuthError
from zdemo.emulator.records import ago, note, shown_client
from zdemo.emulator.signing import BadSignature, MalformedJWT, key_id_of, unverified_claims, verify_with
from zdemo.emulator.world import World

ALGORITHMS = ["RS256", "ES256", "PS256"]
OLDEST_SECONDS = 3600
OFFSET_SECONDS = 1  # how far the clock of the issuer can be ahead


class BadAssertion(ValueError):
    """An assertion that is not accepted; the message is what ZITADEL logs about it, ``reason`` the exact cause."""

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason or message


def introspection_client(world: World, credentials: ClientCredentials) -> Application:
    """Return the application that may introspect with these credentials, whatever its authentication method says.

    Raises:
        OAuthError: ``unauthorized_client``, for every cause alike.
        MalformedJWT: the assertion is not a JWT; ZITADEL then answers that the token is inactive.
    """
    assertion = credentials.client_assertion
    claims = unverified_claims(assertion) if assertion else {}
    client_id = claims.get("iss") if assertion else credentials.client_id
    application = _find_active(world, client_id)
    if application is None:
        raise _unauthorized("sql: no rows in result set", _why_not_active(world, client_id))
    note(client=application.name)
    if assertion:
        try:
            check_assertion(world, assertion, claims, application.keys)
        except BadAssertion as error:
            raise _unauthorized(str(error), f"client assertion: {error.reason}") from error
    elif not application.secret:
        raise _unauthorized("client has no configured secret", "the application has no client secret")
    elif not same_secret(application.secret, credentials.client_secret):
        raise _unauthorized("passwap: password does not match hash", "wrong client secret")
    return application


def _unauthorized(parent: str, reason: str) -> OAuthError:
    return OAuthError("unauthorized_client", parent=parent, reason=reason)


def oidc_client(world: World, credentials: ClientCredentials) -> Application:
    """Return the active OIDC application behind the credentials; API applications are not OIDC clients (ZITADEL).

    Raises OAuthError: ``invalid_client``.
    """
    assertion = credentials.client_assertion
    try:
        claims = unverified_claims(assertion) if assertion else {}
    except MalformedJWT as error:
        raise OAuthError("invalid_client", "invalid assertion", parent=str(error)) from error
    application = _find_active(world, claims.get("iss") if assertion else credentials.client_id)
    if application is None or application.kind != "oidc":
        client_id = claims.get("iss") if assertion else credentials.client_id
        reason = "an API application, not an OIDC client" if application else _why_not_active(world, client_id)
        raise OAuthError("invalid_client", "no active client not found", reason=reason)
    note(client=application.name)
    if application.auth_method == "OIDC_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT":
        try:
            check_assertion(world, assertion, claims, application.keys)
        except BadAssertion as error:
            raise OAuthError("invalid_client", "invalid assertion", parent=str(error), reason=error.reason) from error
    elif application.auth_method != "OIDC_AUTH_METHOD_TYPE_NONE":
        if not credentials.client_secret:
            raise OAuthError("invalid_client", "empty client secret")
        if not same_secret(application.secret or "", credentials.client_secret):
            raise OAuthError("invalid_client", "invalid secret")
    return application


def same_secret(held: str, given: str) -> bool:
    """Compare two secrets in constant time."""
    return hmac.compare_digest(held.encode(), given.encode())


def _find_active(world: World, client_id: object) -> Application | None:
    """Find an application by its client ID if it, its project and the project's organization are active."""
    for application in world.applications.values():
        if application.client_id == client_id:
            project = world.projects.get(application.project_id)
            organization = world.organizations.get(project.organization_id) if project else None
            if application.active and project and project.active and organization and organization.active:
                return application
    return None


def _why_not_active(world: World, client_id: object) -> str:
    """Return why no active application has the client ID; noting which was meant."""
    application = next((a for a in world.applications.values() if a.client_id == client_id), None)
    if application is None:
        note(client=shown_client(client_id))
        return world.history.clients.get(str(client_id)) or _other_object(world, str(client_id))
    note(client=application.name)
    if not application.active:
        return "the application is deactivated"
    project = world.projects.get(application.project_id)
    return "the project is deactivated" if project and not project.active else "the organization is deactivated"


def _other_object(world: World, client_id: str) -> str:
    """Return what else has the text that was given as a client ID."""
    if any(client_id in (user.id, user.username) for user in world.users.values()):
        return "a service account, not an API application"
    kinds: dict[str, Collection[str]] = {"application": world.applications, "project": world.projects}
    found = (kind for kind, ids in kinds.items() if client_id in ids)
    return next((f"the ID of the {kind}, not a client ID" for kind in found), "unknown client")


def check_assertion(world: World, assertion: str, claims: dict[str, Any], keys: dict[str, PublicKey]) -> None:
    """Check an assertion and its claims in the order in which ZITADEL does.

    Raises BadAssertion if the audience, a time, the subject, the key or the signature is wrong.
    """
    now, issuer = world.now(), host.current().issuer
    audience = claims.get("aud")
    if issuer not in (audience if isinstance(audience, list) else [audience]):
        raise BadAssertion(f'audience is not valid: Audience must contain client_id "{issuer}"')
    _check_times(claims, now)
    if claims.get("iss") != claims.get("sub"):
        raise BadAssertion("delegation not allowed, issuer and sub must be identical")
    valid = {key.id: key.pem for key in keys.values() if key.expires > now}
    try:
        verify_with(valid, assertion, ALGORITHMS)
    except BadSignature as error:
        raise BadAssertion(str(error), _why_not_signed(assertion, keys, now)) from error


def _why_not_signed(assertion: str, keys: dict[str, PublicKey], now: float) -> str:
    """Return why no valid key of the application, or of the user, has signed an assertion."""
    try:
        key = keys.get(key_id_of(assertion))
    except (BadSignature, TypeError):  # the header cannot be read, or its kid is no text
        return "invalid signature"
    if key is None:
        return "its key is unknown here, or was deleted"
    return "invalid signature" if key.expires > now else f"its key expired {ago(now - key.expires)}"


def _check_times(claims: dict[str, Any], now: float) -> None:
    expires, issued = _seconds(claims.get("exp")), _seconds(claims.get("iat"))
    if expires <= now + OFFSET_SECONDS:
        raise BadAssertion("token has expired")
    if not issued:
        raise BadAssertion("issuedAt of token is missing")
    if issued > int(now) + OFFSET_SECONDS:
        raise BadAssertion(f"issuedAt of token is in the future: (iat: {issued}, now with offset: {int(now) + 1})")
    if issued < int(now) - OLDEST_SECONDS:
        raise BadAssertion(f"issuedAt of token is to old: (iat: {issued})")


def _seconds(value: Any) -> int:
    """Return a time claim, or 0 when it is missing or not a number of seconds."""
    try:
        return int(value) if isinstance(value, int | float) else 0
    except (ValueError, OverflowError):  # Python reads NaN and Infinity from JSON
        return 0
