"""The discovery document (OpenID Connect Discovery 1.0 §3) and the signing keys."""

from typing import Any

from flask import Response

from zdemo.emulator.incoming import current_origin
from zdemo.emulator.oidc.client_authentication import Form
from zdemo.emulator.oidc.responses import json_response
from zdemo.emulator.tokens import jwk_set
from zdemo.emulator.world import World

DISCOVERY = "/.well-known/openid-configuration"
ENDPOINTS = {
    "authorization_endpoint": "/oauth/v2/authorize",
    "token_endpoint": "/oauth/v2/token",
    "introspection_endpoint": "/oauth/v2/introspect",
    "userinfo_endpoint": "/oidc/v1/userinfo",
    "revocation_endpoint": "/oauth/v2/revoke",
    "end_session_endpoint": "/oidc/v1/end_session",
    "device_authorization_endpoint": "/oauth/v2/device_authorization",
    "jwks_uri": "/oauth/v2/keys",
}
SCOPES = ("openid", "profile", "email", "phone", "address", "offline_access")
LOCALES = "ar bg cs de en es fr hu id it ja ko mk nl pl pt ro ru sv tr uk zh".split()  # noqa: SIM905 - readable
KEYS_CACHE_CONTROL = "max-age=300, must-revalidate"

_RS256 = ["RS256"]
_CLAIMS = (
    "sub aud exp iat iss auth_time nonce acr amr c_hash at_hash act scopes client_id azp preferred_username "
    "name family_name given_name locale email email_verified phone_number phone_number_verified"
)
_CLIENT_AUTHENTICATION = ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"]
_ABILITIES: dict[str, Any] = {
    "scopes_supported": list(SCOPES),
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


def discovery(_world: World, _form: Form) -> Response:
    """Answer with the discovery document; every address is below the request's issuer."""
    issuer = current_origin().issuer
    addresses = {name: issuer + path for name, path in ENDPOINTS.items()}
    return json_response({"issuer": issuer, **addresses, **_ABILITIES})


def keys(world: World, _form: Form) -> Response:
    """Answer with the public signing keys, the only response here that may be cached."""
    answer = json_response(jwk_set(world))
    answer.headers["Cache-Control"] = KEYS_CACHE_CONTROL
    return answer
