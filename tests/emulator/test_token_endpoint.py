"""The token endpoint for service accounts: client_credentials (RFC 6749 §4.4), and what every grant must have."""

from typing import Any

import pytest

from tests.support.emulator_target import NOBODY, TOKEN, WRONG_SECRET, Server, answer, basic, oauth_refusal
from tests.support.oauth import ACCESS_FORM, JWT_BEARER, GetToken, OAuth, assertion, form_of
from tests.support.workshop import App, KeyFile, User

NO_SCOPE = oauth_refusal(
    "invalid_request",
    "The scope of your request is missing. Please ensure some scopes are requested. "
    "If you have any questions, you may contact the administrator of the application.",
)
NO_CLIENT = oauth_refusal("invalid_request", "client_id or client_assertion must be provided")
CLIENT_NOT_FOUND = oauth_refusal("invalid_client", "client not found")
WRONG = oauth_refusal("invalid_request", "Errors.User.Machine.Secret.Invalid")
NO_SECRET = oauth_refusal("invalid_request", "Errors.User.Machine.Secret.NotExisting")


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
    assert oauth.ask_for_token(login[0].upper(), login[1], scope).json()["access_token"] != body["access_token"]


def test_login_name_and_secret_may_stand_in_the_form(server: Server, login: tuple[str, str]) -> None:
    form = [("grant_type", "client_credentials"), ("scope", "openid")]
    credentials = [("client_id", login[0]), ("client_secret", login[1])]
    assert server.post_form(TOKEN, form + credentials).status_code == 200


@pytest.mark.parametrize(
    ("form", "authenticated", "expected"),
    [
        ({"scope": "openid"}, True, oauth_refusal("invalid_request", "grant_type missing")),
        ({"grant_type": "colour"}, True, oauth_refusal("unsupported_grant_type", "colour not supported")),
        ({"grant_type": "client_credentials", "scope": "openid"}, False, NO_CLIENT),
        ({"grant_type": "client_credentials"}, True, NO_SCOPE),
        ({"grant_type": JWT_BEARER, "scope": "openid"}, False, oauth_refusal("invalid_request", "assertion missing")),
    ],
)
def test_what_a_request_must_have(
    server: Server, login: tuple[str, str], form: dict[str, str], authenticated: bool, expected: Any
) -> None:
    assert answer(server.post_form(TOKEN, form.items(), basic(*login) if authenticated else {})) == expected


def test_a_good_assertion_without_a_scope_is_refused(server: Server, reader_key: KeyFile, issuer: str) -> None:
    form = [("grant_type", JWT_BEARER), ("assertion", assertion(reader_key, issuer))]
    assert answer(server.post_form(TOKEN, form)) == NO_SCOPE


def test_wrong_credentials_are_told_apart(
    oauth: OAuth, server: Server, app: App, reader: User, visitor: User, login: tuple[str, str]
) -> None:
    for client_id, secret, expected in (
        (NOBODY, login[1], CLIENT_NOT_FOUND),
        (reader.id, login[1], CLIENT_NOT_FOUND),
        (app.client_id, app.secret, CLIENT_NOT_FOUND),
        (oauth.login_name(visitor), WRONG_SECRET, NO_SECRET),
        (login[0], WRONG_SECRET, WRONG),
    ):
        assert answer(oauth.ask_for_token(client_id, secret, "openid")) == expected
    form = [("grant_type", "authorization_code"), ("code", "c"), ("redirect_uri", "http://localhost/callback")]
    response = server.post_form(TOKEN, form, basic(app.client_id, app.secret))
    assert answer(response) == oauth_refusal("invalid_client", "no active client not found")
