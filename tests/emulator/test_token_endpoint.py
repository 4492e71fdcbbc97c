"""The token endpoint for service accounts: client_credentials (RFC 6749 §4.4) and jwt-bearer (RFC 7523 §2.1)."""

import base64
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tests.support.emulator_target import NOBODY, TOKEN, WRONG_SECRET, Api, Server, answer, basic, oauth_refusal
from tests.support.oauth import ACCESS_FORM, JWT_BEARER, GetToken, OAuth, assertion, audience, form_of
from tests.support.waiting import eventually
from tests.support.workshop import App, KeyFile, Project, User, Workshop, later

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

NO_SCOPE = oauth_refusal(
    "invalid_request",
    "The scope of your request is missing. Please ensure some scopes are requested. "
    "If you have any questions, you may contact the administrator of the application.",
)
NO_CLIENT = oauth_refusal("invalid_request", "client_id or client_assertion must be provided")
CLIENT_NOT_FOUND = oauth_refusal("invalid_client", "client not found")
WRONG = oauth_refusal("invalid_request", "Errors.User.Machine.Secret.Invalid")
NO_SECRET = oauth_refusal("invalid_request", "Errors.User.Machine.Secret.NotExisting")
BAD_ASSERTION = oauth_refusal("invalid_grant", "invalid assertion")


@pytest.fixture(scope="module")
def login(reader_login: str, reader_secret: str, reader_token: GetToken) -> tuple[str, str]:
    """Login name and secret of the reader, once the token endpoint knows them."""
    reader_token("openid")
    return reader_login, reader_secret


@pytest.mark.parametrize(
    ("scope", "has_id_token"),
    [
        ("profile", False),
        ("", False),
        (" ", False),
        (f"urn:zitadel:iam:org:project:id:{NOBODY}:aud", False),
        ("profile openid", True),
        ("openid no-such-scope", True),
    ],
    ids=["opaque", "empty", "blank", "any project", "openid last", "unknown scope"],
)
def test_a_token_is_opaque_and_lives_for_twelve_hours(
    oauth: OAuth, login: tuple[str, str], scope: str, has_id_token: bool
) -> None:
    status, body = answer(oauth.ask_for_token(*login, scope))
    assert status == 200
    assert set(body) == {"access_token", "token_type", "expires_in"} | ({"id_token"} if has_id_token else set())
    assert form_of(body["access_token"]) == ACCESS_FORM
    assert body["token_type"] == "Bearer"
    assert 43190 <= body["expires_in"] <= 43200


def test_login_name_and_secret_may_stand_in_the_form(server: Server, login: tuple[str, str]) -> None:
    form = [("grant_type", "client_credentials"), ("scope", "openid")]
    credentials = [("client_id", login[0]), ("client_secret", login[1])]
    assert server.post_form(TOKEN, form + credentials).status_code == 200


def test_the_case_of_the_login_name_is_ignored(oauth: OAuth, login: tuple[str, str]) -> None:
    assert oauth.ask_for_token(login[0].upper(), login[1], "openid").status_code == 200


def test_each_request_gets_a_token_of_its_own(oauth: OAuth, login: tuple[str, str]) -> None:
    first, second = (oauth.ask_for_token(*login, "openid").json()["access_token"] for _ in range(2))
    assert first != second


@pytest.mark.parametrize(
    ("form", "authenticated", "expected"),
    [
        ({"scope": "openid"}, True, oauth_refusal("invalid_request", "grant_type missing")),
        ({"grant_type": "colour"}, True, oauth_refusal("unsupported_grant_type", "colour not supported")),
        ({"grant_type": "client_credentials", "scope": "openid"}, False, NO_CLIENT),
        ({"grant_type": "client_credentials"}, True, NO_SCOPE),
        ({"grant_type": JWT_BEARER, "scope": "openid"}, False, oauth_refusal("invalid_request", "assertion missing")),
    ],
    ids=["no grant type", "unknown grant type", "no client", "no scope", "no assertion"],
)
def test_what_a_request_must_have(
    server: Server, login: tuple[str, str], form: dict[str, str], authenticated: bool, expected: Any
) -> None:
    assert answer(server.post_form(TOKEN, form.items(), basic(*login) if authenticated else {})) == expected


def test_only_a_login_name_is_a_client_id(
    oauth: OAuth, workshop: Workshop, app: App, reader: User, reader_secret: str
) -> None:
    for client_id in (workshop.name("unknown"), reader.id, app.client_id):
        assert answer(oauth.ask_for_token(client_id, reader_secret, "openid")) == CLIENT_NOT_FOUND
    assert answer(oauth.ask_for_token(app.client_id, app.secret, "openid")) == CLIENT_NOT_FOUND


@pytest.mark.parametrize(
    ("method", "expected"),
    [("AddSecret", WRONG), ("RemoveSecret", NO_SECRET), ("DeleteUser", CLIENT_NOT_FOUND)],
    ids=["replaced", "removed", "user deleted"],
)
def test_a_secret_ends(workshop: Workshop, oauth: OAuth, method: str, expected: tuple[int, dict[str, str]]) -> None:
    user = workshop.user(pat=False)
    secret, login_name = workshop.secret(user), oauth.login_name(user)
    oauth.access_token(user, secret, "openid")
    workshop.admin.do(f"UserService/{method}", userId=user.id)
    eventually("it is refused", lambda: answer(oauth.ask_for_token(login_name, secret, "openid")), expected.__eq__)


def test_a_wrong_secret_and_a_missing_one_are_told_apart(oauth: OAuth, login: tuple[str, str], visitor: User) -> None:
    assert answer(oauth.ask_for_token(oauth.login_name(visitor), WRONG_SECRET, "openid")) == NO_SECRET
    assert answer(oauth.ask_for_token(login[0], WRONG_SECRET, "openid")) == WRONG


def test_an_api_application_cannot_redeem_a_code(server: Server, app: App) -> None:
    form = [("grant_type", "authorization_code"), ("code", "c"), ("redirect_uri", "http://localhost/callback")]
    response = server.post_form(TOKEN, form, basic(app.client_id, app.secret))
    assert answer(response) == oauth_refusal("invalid_client", "no active client not found")


def ask_by_jwt(server: Server, signed: str, *more: tuple[str, str], scope: str = "openid") -> requests.Response:
    return server.post_form(TOKEN, [("grant_type", JWT_BEARER), ("scope", scope), ("assertion", signed), *more])


@pytest.fixture(scope="module")
def known_key(server: Server, reader_key: KeyFile, issuer: str) -> KeyFile:
    """The reader's key file, once the token endpoint knows it."""
    eventually("the key is known", lambda: ask_by_jwt(server, assertion(reader_key, issuer)).status_code == 200)
    return reader_key


def test_a_users_key_gets_a_token_without_client_authentication(
    oauth: OAuth, app: App, project: Project, reader: User, known_key: KeyFile, issuer: str
) -> None:
    status, body = answer(ask_by_jwt(oauth.server, assertion(known_key, issuer), scope=audience(project)))
    assert status == 200
    assert set(body) == {"access_token", "token_type", "expires_in"}
    assert oauth.claims(app, body["access_token"])["sub"] == reader.id


@pytest.mark.parametrize("more", [[("client_id", "None")], [("client_id", NOBODY)]], ids=["None", "unknown"])
def test_a_stray_client_id_is_ignored(
    server: Server, known_key: KeyFile, issuer: str, more: list[tuple[str, str]]
) -> None:
    assert ask_by_jwt(server, assertion(known_key, issuer), *more).status_code == 200


def test_the_audience_of_the_assertion_may_be_a_list(server: Server, known_key: KeyFile, issuer: str) -> None:
    assert ask_by_jwt(server, assertion(known_key, [issuer])).status_code == 200


BAD_CLAIMS: dict[str, dict[str, Any]] = {
    "expired": {"iat": -3600, "exp": -1800},
    "without exp": {"exp": None},
    "without iat": {"iat": None},
    "iat in the future": {"iat": 30},
    "iat more than an hour ago": {"iat": -3700},
    "without an audience": {"aud": None},
    "another audience": {"aud": "https://elsewhere.example"},
    "slash at the end of the audience": {"aud": "{issuer}/"},
    "the token endpoint as the audience": {"aud": "{issuer}/oauth/v2/token"},
    "another subject": {"sub": NOBODY},
    "another issuer": {"iss": NOBODY},
    "an unknown user": {"iss": NOBODY, "sub": NOBODY},
    "the user name": {"iss": "{login}", "sub": "{login}"},
    "an unknown key": {"kid": NOBODY},
    "without a kid": {"kid": ""},
    "RS512": {"alg": "RS512"},
    "unsigned": {"alg": "none"},
}


@pytest.mark.parametrize("wrong", BAD_CLAIMS)
def test_an_assertion_with_something_wrong_is_an_invalid_grant(
    server: Server, known_key: KeyFile, reader_login: str, issuer: str, wrong: str
) -> None:
    now = int(time.time())
    claims = {
        name: value.format(issuer=issuer, login=reader_login) if isinstance(value, str) else value and now + value
        for name, value in ({"aud": issuer} | BAD_CLAIMS[wrong]).items()
    }
    assert answer(ask_by_jwt(server, assertion(known_key, claims.pop("aud"), **claims))) == BAD_ASSERTION


def test_a_text_that_no_key_of_the_user_signed_is_an_invalid_grant(
    server: Server, known_key: KeyFile, app_key: KeyFile, issuer: str
) -> None:
    forged = known_key | {"key": private_pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))}
    for signed in ("garbage", "a.b.c", assertion(app_key, issuer), assertion(forged, issuer)):
        assert answer(ask_by_jwt(server, signed)) == BAD_ASSERTION


def test_a_good_assertion_without_a_scope_is_another_error(server: Server, known_key: KeyFile, issuer: str) -> None:
    form = [("grant_type", JWT_BEARER), ("assertion", assertion(known_key, issuer))]
    assert answer(server.post_form(TOKEN, form)) == NO_SCOPE


RSA = partial(rsa.generate_private_key, public_exponent=65537, key_size=2048)


@pytest.mark.parametrize(
    ("make", "alg", "works"),
    [
        (RSA, "RS256", True),
        (RSA, "PS256", True),
        (partial(ec.generate_private_key, ec.SECP256R1()), "ES256", True),
        (RSA, "RS512", False),
        (partial(ec.generate_private_key, ec.SECP384R1()), "ES384", False),
        (partial(ec.generate_private_key, ec.SECP521R1()), "ES512", False),
        (ed25519.Ed25519PrivateKey.generate, "EdDSA", False),
    ],
    ids=["RS256", "PS256", "ES256", "RS512", "ES384", "ES512", "EdDSA"],
)
def test_a_key_of_ones_own_is_taken_and_three_algorithms_work(
    server: Server, admin: Api, visitor: User, issuer: str, make: Callable[[], PrivateKey], alg: str, works: bool
) -> None:
    pair = make()
    public = base64.b64encode(public_pem(pair)).decode()
    made = admin.do("UserService/AddKey", userId=visitor.id, expirationDate=later(days=1), publicKey=public)
    assert set(made) == {"creationDate", "keyId"}
    key = {"keyId": made["keyId"], "userId": visitor.id, "key": private_pem(pair)}
    if works:
        eventually("it works", lambda: ask_by_jwt(server, assertion(key, issuer, alg=alg)).status_code == 200)
    else:
        assert answer(ask_by_jwt(server, assertion(key, issuer, alg=alg))) == BAD_ASSERTION


@pytest.mark.parametrize("ending", ["DeactivateUser", "LockUser"])
def test_a_good_assertion_of_a_user_who_is_switched_off_says_so(
    server: Server, workshop: Workshop, admin: Api, issuer: str, ending: str
) -> None:
    user = workshop.user(pat=False)
    key = workshop.user_key(user)
    eventually("the key is known", lambda: ask_by_jwt(server, assertion(key, issuer)).status_code == 200)
    admin.do(f"UserService/{ending}", userId=user.id)
    expected = oauth_refusal("invalid_request", "Errors.User.NotActive")
    eventually("it is refused", lambda: answer(ask_by_jwt(server, assertion(key, issuer))), expected.__eq__)


def private_pem(key: PrivateKey) -> str:
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*form).decode()


def public_pem(key: PrivateKey) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form)


def test_a_removed_key_gets_no_token(server: Server, workshop: Workshop, admin: Api, issuer: str) -> None:
    user = workshop.user(pat=False)
    key = workshop.user_key(user)
    eventually("the key is known", lambda: ask_by_jwt(server, assertion(key, issuer)).status_code == 200)
    admin.do("UserService/RemoveKey", userId=user.id, keyId=key["keyId"])
    eventually("the key is refused", lambda: answer(ask_by_jwt(server, assertion(key, issuer))), BAD_ASSERTION.__eq__)
