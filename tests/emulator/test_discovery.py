"""The discovery document, the signing keys, and the header fields of every OAuth answer."""

from datetime import timedelta
from email.utils import parsedate_to_datetime

import pytest

from tests.support.emulator_target import DISCOVERY, INTROSPECT, KEYS, TOKEN, USERINFO, Server

UNORDERED = ("claims_supported", "ui_locales_supported")

CLAIMS = (
    "acr act amr at_hash aud auth_time azp c_hash client_id email email_verified exp family_name given_name iat "
    "iss locale name nonce phone_number phone_number_verified preferred_username scopes sub"
)
LOCALES = "ar bg cs de en es fr hu id it ja ko mk nl pl pt ro ru sv tr uk zh"
RS256 = ["RS256"]
AUTHENTICATION = ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"]
DOCUMENT = {  # what follows the issuer, in this order; a path is below it
    "authorization_endpoint": "/oauth/v2/authorize",
    "token_endpoint": "/oauth/v2/token",
    "introspection_endpoint": "/oauth/v2/introspect",
    "userinfo_endpoint": "/oidc/v1/userinfo",
    "revocation_endpoint": "/oauth/v2/revoke",
    "end_session_endpoint": "/oidc/v1/end_session",
    "device_authorization_endpoint": "/oauth/v2/device_authorization",
    "jwks_uri": "/oauth/v2/keys",
    "scopes_supported": ["openid", "profile", "email", "phone", "address", "offline_access"],
    "response_types_supported": ["code", "id_token", "id_token token"],
    "response_modes_supported": ["query", "fragment", "form_post"],
    "grant_types_supported": [
        "authorization_code",
        "implicit",
        "refresh_token",
        "client_credentials",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "urn:ietf:params:oauth:grant-type:device_code",
    ],
    "subject_types_supported": ["public"],
    "id_token_signing_alg_values_supported": ["EdDSA", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512"],
    "request_object_signing_alg_values_supported": RS256,
    "token_endpoint_auth_methods_supported": AUTHENTICATION,
    "token_endpoint_auth_signing_alg_values_supported": RS256,
    "revocation_endpoint_auth_methods_supported": AUTHENTICATION,
    "revocation_endpoint_auth_signing_alg_values_supported": RS256,
    "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "private_key_jwt"],
    "introspection_endpoint_auth_signing_alg_values_supported": RS256,
    "claims_supported": CLAIMS.split(),
    "code_challenge_methods_supported": ["S256"],
    "ui_locales_supported": LOCALES.split(),
    "request_parameter_supported": True,
    "request_uri_parameter_supported": False,
    "backchannel_logout_supported": True,
    "backchannel_logout_session_supported": True,
}


def test_discovery_has_exactly_these_fields_in_this_order(server: Server) -> None:
    document = server.get(DISCOVERY).json()
    fields = {name: sorted(value) if name in UNORDERED else value for name, value in document.items()}
    expected = {
        name: server.url + value if isinstance(value, str) else value
        for name, value in {"issuer": "", **DOCUMENT}.items()
    }
    assert fields == expected
    assert list(fields) == list(expected)


def test_two_rsa_keys_are_published_without_their_private_halves(server: Server) -> None:
    keys = server.get(KEYS).json()["keys"]
    assert [set(key) for key in keys] == [{"use", "kty", "kid", "alg", "n", "e"}] * 2
    assert {(key["use"], key["kty"], key["alg"]) for key in keys} == {("sig", "RSA", "RS256")}
    assert all(key["kid"].isdigit() for key in keys)


def test_the_keys_stay_and_may_be_cached_for_five_minutes(server: Server) -> None:
    first, second = server.get(KEYS), server.get(KEYS)
    assert first.json() == second.json()
    assert first.headers["Cache-Control"] == "max-age=300, must-revalidate"


@pytest.mark.parametrize("path", [DISCOVERY, INTROSPECT, TOKEN, USERINFO])
def test_no_oauth_answer_may_be_stored_whatever_its_status(server: Server, path: str) -> None:
    headers = server.get(path).headers
    assert (headers["Cache-Control"], headers["Pragma"]) == ("no-store", "no-cache")
    assert headers["Content-Type"] == "application/json"
    age = parsedate_to_datetime(headers["Date"]) - parsedate_to_datetime(headers["Expires"])
    assert timedelta(minutes=59) < age < timedelta(minutes=61)


@pytest.mark.parametrize("path", [DISCOVERY, KEYS, INTROSPECT, USERINFO])
def test_every_oauth_answer_sets_a_cookie_for_a_year(server: Server, path: str) -> None:
    cookie = server.get(path).headers["Set-Cookie"]
    assert "zitadel.useragent=" in cookie
    assert "Max-Age=31536000" in cookie
    assert "HttpOnly" in cookie


def test_oauth_answers_vary_and_are_not_for_robots(server: Server) -> None:
    headers = server.get(DISCOVERY).headers
    assert {"Origin", "Cookie"} <= {name.strip() for name in headers["Vary"].split(",")}
    assert headers["X-Robots-Tag"] == "none"
    assert "Server" not in headers


def test_a_refusal_has_no_challenge(server: Server) -> None:
    response = server.get(USERINFO)
    assert response.status_code == 401
    assert "WWW-Authenticate" not in response.headers


def test_an_origin_is_allowed_with_credentials(server: Server) -> None:
    headers = server.get(DISCOVERY, Origin="https://app.example").headers
    assert headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert headers["Access-Control-Allow-Credentials"] == "true"
    assert headers["Access-Control-Expose-Headers"] == "Location, Content-Length"


def test_a_preflight_is_answered_without_a_body(server: Server) -> None:
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    response = server.send("OPTIONS", TOKEN, headers=asked)
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["Access-Control-Allow-Origin"] == "https://app.example"


@pytest.mark.parametrize("path", ["/oauth/v2/nothing", "/oidc/v1/nothing", "/oauth/v2/introspect/", "/oauth/v2/keys/"])
def test_an_unknown_oauth_path_is_a_plain_404(server: Server, path: str) -> None:
    response = server.get(path)
    assert (response.status_code, response.text.strip()) == (404, "404 page not found")
    assert response.headers["Content-Type"].startswith("text/plain")
