"""The OAuth 2.0 and OpenID Connect endpoints, which a resource server and its callers use."""

import json
from collections.abc import Callable
from pathlib import Path
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
# What discovery says beside addresses and scopes (ZITADEL)
ABILITIES: dict[str, Any] = json.loads(Path(__file__).with_name("abilities.json").read_text())
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
    scopes = list(claims.OPENID_SCOPES)
    return json_response({"issuer": issuer, **addresses, "scopes_supported": scopes, **ABILITIES})


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
