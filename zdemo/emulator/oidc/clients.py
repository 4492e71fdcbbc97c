"""OIDC applications as clients of the token and revocation endpoints. API applications are none (ZITADEL)."""

import hmac

from zdemo.emulator import host
from zdemo.emulator.oidc.answers import OAuthError
from zdemo.emulator.oidc.assertions import BadAssertion, check_assertion
from zdemo.emulator.oidc.forms import ClientCredentials
from zdemo.emulator.signing import MalformedJWT, unverified_claims
from zdemo.emulator.world import Application, World


def oidc_client(world: World, credentials: ClientCredentials) -> Application:
    """The active OIDC application behind the credentials.

    Raises:
        OAuthError: ``invalid_client``.
    """
    assertion = credentials.client_assertion
    try:
        claims = unverified_claims(assertion) if assertion else {}
    except MalformedJWT as error:
        raise OAuthError("invalid_client", "invalid assertion", parent=str(error)) from error
    client_id = claims.get("iss") if assertion else credentials.client_id
    found = (a for a in world.applications.values() if a.client_id == client_id and a.kind == "oidc")
    application = next(found, None)
    if application is None or not is_active(world, application):
        raise OAuthError("invalid_client", "no active client not found")
    if application.auth_method == "OIDC_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT":
        try:
            check_assertion(assertion, claims, application.keys, host.current().issuer, world.now())
        except BadAssertion as error:
            raise OAuthError("invalid_client", "invalid assertion", parent=str(error)) from error
    elif application.auth_method != "OIDC_AUTH_METHOD_TYPE_NONE":
        _check_secret(application, credentials.client_secret)
    return application


def is_active(world: World, application: Application) -> bool:
    """Whether the application, its project and the project's organization all are."""
    project = world.projects.get(application.project_id)
    organization = world.organizations.get(project.organization_id) if project else None
    return bool(application.active and project and project.active and organization and organization.active)


def _check_secret(application: Application, secret: str) -> None:
    if not secret:
        raise OAuthError("invalid_client", "empty client secret")
    if not hmac.compare_digest((application.secret or "").encode(), secret.encode()):
        raise OAuthError("invalid_client", "invalid secret")
