"""The token endpoint for service accounts, and the assertions (RFC 7523) that it and introspection take."""

import base64
import time
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tests.support.emulator_target import INTROSPECT, NOBODY, TOKEN, Server, answer, basic, oauth_refusal
from tests.support.oauth import (
    ACCESS_FORM,
    ASSERTION_TYPE,
    JWT_BEARER,
    UNAUTHORIZED,
    GetToken,
    OAuth,
    assertion,
    audience,
    form_of,
    verified,
)
from tests.support.waiting import eventually
from tests.support.workshop import App, KeyFile, Project, User, Workshop, decoded, later
from tests.support.zitadel_api import Api
from zdemo.emulator.oidc.issuing import SCOPE_MISSING

NO_SCOPE = oauth_refusal("invalid_request", SCOPE_MISSING)
NO_CLIENT = oauth_refusal("invalid_request", "client_id or client_assertion must be provided")
NO_OIDC_CLIENT = oauth_refusal("invalid_client", "no active client not found")


@pytest.fixture(scope="module")
def login(reader_login: str, reader_secret: str, reader_token: GetToken) -> tuple[str, str]:
    """Login name and secret of the reader, once the token endpoint knows them."""
    reader_token("openid")
    return reader_login, reader_secret


def test_a_token_is_opaque_and_lives_for_twelve_hours(oauth: OAuth, login: tuple[str, str]) -> None:
    for scope in ("profile", "", f"urn:zitadel:iam:org:project:id:{NOBODY}:aud", "openid no-such-scope"):
        tokens = oauth.ask_for_token(*login, scope)
        tokens.only("access_token", "expires_in", *({"id_token"} if "openid" in scope else ()), token_type="Bearer")
        assert form_of(tokens["access_token"]) == ACCESS_FORM
        assert 43190 <= tokens["expires_in"] <= 43200
        assert oauth.ask_for_token(login[0].upper(), login[1], scope)["access_token"] != tokens["access_token"]


def test_what_a_request_must_have(server: Server, login: tuple[str, str]) -> None:
    for form, headers, expected in (
        ({"scope": "openid"}, basic(*login), oauth_refusal("invalid_request", "grant_type missing")),
        ({"grant_type": "colour"}, basic(*login), oauth_refusal("unsupported_grant_type", "colour not supported")),
        ({"grant_type": "client_credentials", "scope": "openid"}, {}, NO_CLIENT),
        ({"grant_type": "client_credentials"}, basic(*login), NO_SCOPE),
        ({"grant_type": "authorization_code", "code": "c"}, basic(*login), NO_OIDC_CLIENT),
        ({"grant_type": JWT_BEARER, "scope": "openid"}, {}, oauth_refusal("invalid_request", "assertion missing")),
    ):
        assert answer(server.post_form(TOKEN, form.items(), headers)) == expected


PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
Ask = Callable[[str], requests.Response]

BAD_ASSERTION = oauth_refusal("invalid_grant", "invalid assertion")


@pytest.fixture(scope="module")
def introspect(server: Server, reader: User) -> Ask:
    """Asks about the reader's PAT with this assertion."""

    def ask(client_assertion: str) -> requests.Response:
        form = [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", client_assertion)]
        return server.post_form(INTROSPECT, [("token", reader.pat), *form])

    return ask


def ask_for_token(server: Server, signed: str, *more: tuple[str, str], scope: str = "openid") -> requests.Response:
    return server.post_form(TOKEN, [("grant_type", JWT_BEARER), ("scope", scope), ("assertion", signed), *more])


@pytest.fixture(scope="module")
def served_key(workshop: Workshop, introspect: Ask, key_app: App, issuer: str) -> KeyFile:
    """The key file of the shared key application, once introspection knows it."""
    key = decoded(workshop.admin.apps.CreateApplicationKey(**key_app.ids, expirationDate=later(days=1))["keyDetails"])
    eventually("the key is known", lambda: introspect(assertion(key, issuer)).json().get("active"))
    return key


@pytest.fixture(scope="module")
def known_key(workshop: Workshop, server: Server, reader: User, issuer: str) -> KeyFile:
    """The reader's key file, once the token endpoint knows it."""
    key = decoded(workshop.admin.users.AddKey(userId=reader.id, expirationDate=later(days=1))["keyContent"])
    eventually("the key is known", lambda: ask_for_token(server, assertion(key, issuer)).status_code == 200)
    return key


def test_an_assertion_is_accepted_or_not(
    server: Server, introspect: Ask, served_key: KeyFile, known_key: KeyFile, issuer: str, reader_login: str
) -> None:
    now = int(time.time())

    def ask(changed: dict[str, Any]) -> tuple[requests.Response, requests.Response]:
        of_app, of_user = (assertion(key, **({"audience": issuer} | changed)) for key in (served_key, known_key))
        return introspect(of_app), ask_for_token(server, of_user)

    several = {"audience": ["https://elsewhere.example", issuer]}
    for changed in ({"iat": now, "exp": now + 300}, {"exp": 10**400}, {"iat": now - 3500}, several):
        introspected, issued = ask(changed)
        assert (introspected.json()["active"], issued.status_code) == (True, 200), changed
    refused: tuple[dict[str, Any], ...] = (
        {"iat": now - 600, "exp": now - 300},
        *({name: None} for name in ("exp", "iat", "audience")),
        *({"iat": issued} for issued in (now + 30, now - 3700)),
        *({"audience": other} for other in ("https://elsewhere.example", f"{issuer}{TOKEN}")),
        *({name: NOBODY} for name in ("sub", "iss", "kid")),
        {"iss": reader_login, "sub": reader_login},
        {"kid": ""},
        {"alg": "none"},
    )
    for changed in refused:
        introspected, issued = ask(changed)
        assert (answer(introspected), answer(issued)) == (UNAUTHORIZED, BAD_ASSERTION), changed


def test_another_key_does_not_sign(
    server: Server, introspect: Ask, served_key: KeyFile, known_key: KeyFile, issuer: str
) -> None:
    forged = {"key": private_pem(new_rsa_key())}
    for text in (assertion(known_key, issuer), assertion(served_key | forged, issuer)):
        assert answer(introspect(text)) == UNAUTHORIZED
    for text in ("garbage", "a.b.c", assertion(served_key, issuer), assertion(known_key | forged, issuer)):
        assert answer(ask_for_token(server, text)) == BAD_ASSERTION


def test_an_assertion_is_used_again_and_wins_over_a_secret(
    server: Server, introspect: Ask, served_key: KeyFile, issuer: str, app: App, key_app: App, reader: User
) -> None:
    once = assertion(served_key, issuer)
    assert [introspect(once).json()["aud"] for _ in range(2)] == [[key_app.client_id, key_app.project.id]] * 2
    form = [("token", reader.pat), ("client_assertion_type", ASSERTION_TYPE), ("client_assertion", once)]
    assert server.post_form(INTROSPECT, form, basic(app.client_id, app.secret)).json()["aud"][0] == key_app.client_id


def test_a_users_key_gets_a_token_without_client_authentication(
    oauth: OAuth, app: App, project: Project, reader: User, known_key: KeyFile, issuer: str
) -> None:
    once = assertion(known_key, issuer)
    status, body = answer(ask_for_token(oauth.server, once, ("client_id", NOBODY), scope=audience(project)))
    assert (status, set(body)) == (200, {"access_token", "token_type", "expires_in"})
    form = [("grant_type", JWT_BEARER), ("assertion", once)]
    assert "scope of your request is missing" in oauth.server.post_form(TOKEN, form).json()["error_description"]
    id_token = verified(oauth.server, ask_for_token(oauth.server, once).json()["id_token"], expired=True)[1]
    assert (id_token["exp"] == id_token["iat"], "amr" in id_token) == (True, False), "dead on arrival"
    claims = oauth.claims(app, body["access_token"])
    assert (claims["sub"], claims["client_id"], "amr" in claims) == (reader.id, reader.username, False)


@cache
def new_rsa_key() -> rsa.RSAPrivateKey:
    """Return a key that no server made, always the same: making one takes 0.1 s."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.mark.parametrize(
    ("make", "alg", "works"),
    [
        (new_rsa_key, "RS256", True),
        (new_rsa_key, "PS256", True),
        (partial(ec.generate_private_key, ec.SECP256R1()), "ES256", True),
        (new_rsa_key, "RS512", False),
        (ed25519.Ed25519PrivateKey.generate, "EdDSA", False),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_key_of_ones_own_is_taken_and_three_algorithms_work(
    server: Server, admin: Api, visitor: User, issuer: str, make: Callable[[], PrivateKey], alg: str, works: bool
) -> None:
    pair = make()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public = base64.b64encode(pair.public_key().public_bytes(serialization.Encoding.PEM, form)).decode()
    added = admin.users.AddKey(userId=visitor.id, expirationDate=later(days=1), publicKey=public)
    id = added.only("creationDate", "keyId")["keyId"]
    key = {"keyId": id, "userId": visitor.id, "key": private_pem(pair)}
    if works:
        eventually("it works", lambda: ask_for_token(server, assertion(key, issuer, alg=alg)).status_code == 200)
    else:
        assert answer(ask_for_token(server, assertion(key, issuer, alg=alg))) == BAD_ASSERTION


def private_pem(key: PrivateKey) -> str:
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*form).decode()
