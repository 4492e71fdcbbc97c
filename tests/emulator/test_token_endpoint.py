"""The token endpoint for service users: client_credentials (RFC 6749 §4.4) and jwt-bearer (RFC 7523 §2.1)."""

from __future__ import annotations

from typing import Any

import jwt
import pytest
import requests

from tests.support.emulator_target import NOBODY, TOKEN, WRONG_SECRET, Api, Server, answer, basic, oauth_refusal
from tests.support.oauth import ACCESS_FORM, JWT_BEARER, GetToken, OAuth, assertion, audience, form_of
from tests.support.waiting import eventually
from tests.support.workshop import App, KeyFile, Project, User, Workshop

NO_SCOPE = oauth_refusal(
    "invalid_request",
    "The scope of your request is missing. Please ensure some scopes are requested. "
    "If you have any questions, you may contact the administrator of the application.",
)
NO_CLIENT = oauth_refusal("invalid_request", "client_id or client_assertion must be provided")
CLIENT_NOT_FOUND = oauth_refusal("invalid_client", "client not found")
WRONG = oauth_refusal("invalid_request", "Errors.User.Machine.Secret.Invalid")
NO_SECRET = oauth_refusal("invalid_request", "Errors.User.Machine.Secret.NotExisting")
SERVER_ERROR = (500, {"error": "server_error", "error_description": "Errors.Internal"})


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


def test_whatever_is_wrong_with_the_assertion_it_is_a_server_error(
    server: Server, known_key: KeyFile, app_key: KeyFile, issuer: str
) -> None:
    hour = 60 * 60
    now = jwt.decode(assertion(known_key, issuer), options={"verify_signature": False})["iat"]
    bad = {
        "garbage": "garbage",
        "unsigned parts": "a.b.c",
        "expired": assertion(known_key, issuer, iat=now - hour, exp=now - hour // 2),
        "another audience": assertion(known_key, "https://elsewhere.example"),
        "slash at the end of the audience": assertion(known_key, issuer + "/"),
        "unknown key": assertion(known_key, issuer, kid=NOBODY),
        "application's key": assertion(app_key, issuer),
    }
    answers = {why: answer(ask_by_jwt(server, signed)) for why, signed in bad.items()}
    assert answers == dict.fromkeys(bad, SERVER_ERROR)
    form = [("grant_type", JWT_BEARER), ("assertion", assertion(known_key, issuer))]
    assert answer(server.post_form(TOKEN, form)) == NO_SCOPE, "a good assertion without a scope is another error"


def test_a_removed_key_gets_no_token(server: Server, workshop: Workshop, admin: Api, issuer: str) -> None:
    user = workshop.user(pat=False)
    key = workshop.user_key(user)
    eventually("the key is known", lambda: ask_by_jwt(server, assertion(key, issuer)).status_code == 200)
    admin.do("UserService/RemoveKey", userId=user.id, keyId=key["keyId"])
    eventually("the key is refused", lambda: answer(ask_by_jwt(server, assertion(key, issuer))), SERVER_ERROR.__eq__)
