"""The OAuth 2.0 and OpenID Connect endpoints, which a resource server and its callers use."""

from collections.abc import Callable
from typing import Any

from flask import Response, request

from zdemo.emulator.incoming.origin import current_origin
from zdemo.emulator.oidc import user_claims as claims
from zdemo.emulator.oidc.authorize import authorize, end_session
from zdemo.emulator.oidc.client_authentication import Form
from zdemo.emulator.oidc.introspection import introspect, revoke, userinfo
from zdemo.emulator.oidc.responses import is_preflight, json_response, not_found, preflight
from zdemo.emulator.oidc.token_endpoint import device_authorization, token
from zdemo.emulator.signing_keys import jwk_set
from zdemo.emulator.world import World

DISCOVERY = "/.well-known/openid-configuration"
LOCALES = "ar bg cs de en es fr hu id it ja ko mk nl pl pt ro ru sv tr uk zh".split()  # noqa: SIM905 - readable

_RS256 = ["RS256"]
_CLAIMS = (
    "sub aud exp iat iss auth_time nonce acr amr c_hash at_hash act scopes client_id azp preferred_username "
    "name family_name given_name locale email email_verified phone_number phone_number_verified"
)
_CLIENT_AUTHENTICATION = ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"]
_ABILITIES: dict[str, Any] = {
    "scopes_supported": list(claims.OPENID_SCOPES),
    "response_types_supported": ["code", "id_token", "id_token token"],
    "response_modes_supported": ["query", "fragment", "form_post"],
    "grant_types_supported": [
        *("authorization_code", "implicit", "refresh_token", "client_credentials"),
        *(f"urn:ietf:params:oauth:grant-type:{name}" for name in ("jwt-bearer", "device_code")),
    ],
    "subject_types_supported": ["public"],
    "id_token_signing_alg_values_supported": ["EdDSA", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512"],
    "request_object_signing_alg_values_supported": _RS256,
    "token_endpoint_auth_methods_supported": _CLIENT_AUTHENTICATION,
    "token_endpoint_auth_signing_alg_values_supported": _RS256,
    "revocation_endpoint_auth_methods_supported": _CLIENT_AUTHENTICATION,
    "revocation_endpoint_auth_signing_alg_values_supported": _RS256,
    "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "private_key_jwt"],
    "introspection_endpoint_auth_signing_alg_values_supported": _RS256,
    "claims_supported": _CLAIMS.split(),
    "code_challenge_methods_supported": ["S256"],
    "ui_locales_supported": LOCALES,
    "request_parameter_supported": True,
    "request_uri_parameter_supported": False,
    "backchannel_logout_supported": True,
    "backchannel_logout_session_supported": True,
}


PREFIXES = (DISCOVERY, "/oauth/v2", "/oidc/v1")

Endpoint = Callable[[World, Form], Response]


def answer(world: World) -> Response:
    """Answer the current request, whose path begins with one of ``PREFIXES``. Raises OAuthError."""
    if is_preflight():
        return preflight()
    endpoint = _PATHS.get(request.path)
    if endpoint is None:
        return not_found()
    with world.lock:
        return endpoint(world, Form())


def _discovery(_world: World, _form: Form) -> Response:
    issuer = current_origin().issuer
    addresses = {name: issuer + path for name, (path, _) in ENDPOINTS.items()}
    return json_response({"issuer": issuer, **addresses, **_ABILITIES})


def _keys(world: World, _form: Form) -> Response:
    answer = json_response(jwk_set(world))
    answer.headers["Cache-Control"] = "max-age=300, must-revalidate"
    return answer


ENDPOINTS: dict[str, tuple[str, Endpoint]] = {
    "authorization_endpoint": ("/oauth/v2/authorize", authorize),
    "token_endpoint": ("/oauth/v2/token", token),
    "introspection_endpoint": ("/oauth/v2/introspect", introspect),
    "userinfo_endpoint": ("/oidc/v1/userinfo", userinfo),
    "revocation_endpoint": ("/oauth/v2/revoke", revoke),
    "end_session_endpoint": ("/oidc/v1/end_session", end_session),
    "device_authorization_endpoint": ("/oauth/v2/device_authorization", device_authorization),
    "jwks_uri": ("/oauth/v2/keys", _keys),
}
_PATHS: dict[str, Endpoint] = {DISCOVERY: _discovery, **dict(ENDPOINTS.values())}
