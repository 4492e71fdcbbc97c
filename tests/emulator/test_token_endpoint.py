"""The token endpoint for service users: client_credentials (RFC 6749 §4.4) and jwt-bearer (RFC 7523 §2.1)."""

from __future__ import annotations

import re

import jwt
import pytest
import requests

from tests.support.emulator_target import NOBODY, TOKEN, WRONG_SECRET, Api, Server, answer, basic, oauth_refusal
from tests.support.oauth import JWT_BEARER, GetToken, OAuth, assertion, audience
from tests.support.waiting import eventually
from tests.support.workshop import App, KeyFile, Project, User, Workshop

NO_SCOPE = oauth_refusal(
    "invalid_request",
    "The scope of your request is missing. Please ensure some scopes are requested. "
    "If you have any questions, you may contact the administrator of the application.",
)
CLIENT_NOT_FOUND = oauth_refusal("invalid_client", "client not found")
WRONG = oauth_refusal("invalid_request", "Errors.User.Machine.Secret.Invalid")
NO_SECRET = oauth_refusal("invalid_request", "Errors.User.Machine.Secret.NotExisting")
SERVER_ERROR = (500, {"error": "server_error", "error_description": "Errors.Internal"})


@pytest.fixture(scope="module")
def login(reader_login: str, reader_secret: str, reader_token: GetToken) -> tuple[str, str]:
    """Login name and secret of the reader, once the token endpoint knows them."""
    reader_token("openid")
    return reader_login, reader_secret


def test_a_token_is_opaque_and_lives_for_twelve_hours(oauth: OAuth, login: tuple[str, str]) -> None:
    status, body = answer(oauth.ask_for_token(*login, "profile"))
    assert status == 200
    assert set(body) == {"access_token", "token_type", "expires_in"}
    assert re.fullmatch(r"[A-Za-z0-9_-]{104}", body["access_token"])
    assert body["token_type"] == "Bearer"
    assert 43190 <= body["expires_in"] <= 43200


def test_openid_brings_an_id_token(oauth: OAuth, login: tuple[str, str]) -> None:
    body = oauth.ask_for_token(*login, "profile openid").json()
    assert set(body) == {"access_token", "token_type", "expires_in", "id_token"}


def test_login_name_and_secret_may_stand_in_the_form(server: Server, login: tuple[str, str]) -> None:
    form = [("grant_type", "client_credentials"), ("scope", "openid")]
    credentials = [("client_id", login[0]), ("client_secret", login[1])]
    assert server.post_form(TOKEN, form + credentials).status_code == 200


def test_the_case_of_the_login_name_is_ignored(oauth: OAuth, login: tuple[str, str]) -> None:
    assert oauth.ask_for_token(login[0].upper(), login[1], "openid").status_code == 200


def test_unknown_scopes_are_dropped_silently(oauth: OAuth, login: tuple[str, str]) -> None:
    assert oauth.ask_for_token(*login, "openid no-such-scope").status_code == 200


def test_any_project_may_be_named_as_audience(oauth: OAuth, login: tuple[str, str]) -> None:
    assert oauth.ask_for_token(*login, f"urn:zitadel:iam:org:project:id:{NOBODY}:aud").status_code == 200


def test_each_request_gets_a_token_of_its_own(oauth: OAuth, login: tuple[str, str]) -> None:
    first, second = (oauth.ask_for_token(*login, "openid").json()["access_token"] for _ in range(2))
    assert first != second


def test_without_a_client_the_client_is_missing(server: Server) -> None:
    form = [("grant_type", "client_credentials"), ("scope", "openid")]
    expected = oauth_refusal("invalid_request", "client_id or client_assertion must be provided")
    assert answer(server.post_form(TOKEN, form)) == expected


def test_a_scope_is_required(server: Server, login: tuple[str, str]) -> None:
    response = server.post_form(TOKEN, [("grant_type", "client_credentials")], basic(*login))
    assert answer(response) == NO_SCOPE


@pytest.mark.parametrize("scope", ["", " "], ids=["empty", "blank"])
def test_a_scope_may_be_empty(oauth: OAuth, login: tuple[str, str], scope: str) -> None:
    status, body = answer(oauth.ask_for_token(*login, scope))
    assert (status, set(body)) == (200, {"access_token", "token_type", "expires_in"})


def test_only_a_login_name_is_a_client_id(
    oauth: OAuth, workshop: Workshop, app: App, reader: User, reader_secret: str
) -> None:
    for client_id in (workshop.name("nobody"), reader.id, app.client_id):
        assert answer(oauth.ask_for_token(client_id, reader_secret, "openid")) == CLIENT_NOT_FOUND


def test_an_applications_credentials_get_no_token(oauth: OAuth, app: App) -> None:
    assert answer(oauth.ask_for_token(app.client_id, app.secret, "openid")) == CLIENT_NOT_FOUND


def test_a_user_without_a_secret_is_told_so(oauth: OAuth, visitor: User) -> None:
    assert answer(oauth.ask_for_token(oauth.login_name(visitor), WRONG_SECRET, "openid")) == NO_SECRET


def test_a_wrong_secret_is_told_so(oauth: OAuth, login: tuple[str, str]) -> None:
    assert answer(oauth.ask_for_token(login[0], WRONG_SECRET, "openid")) == WRONG


def test_a_new_secret_ends_the_former(workshop: Workshop, oauth: OAuth) -> None:
    user = workshop.user(pat=False)
    old, login_name = workshop.secret(user), oauth.login_name(user)
    oauth.access_token(user, old, "openid")
    new = workshop.secret(user)
    oauth.access_token(user, new, "openid")
    eventually(
        "the old secret is refused",
        lambda: answer(oauth.ask_for_token(login_name, old, "openid")),
        lambda refusal: refusal == WRONG,
    )


def test_a_removed_secret_ends(workshop: Workshop, admin: Api, oauth: OAuth) -> None:
    user = workshop.user(pat=False)
    secret, login_name = workshop.secret(user), oauth.login_name(user)
    oauth.access_token(user, secret, "openid")
    admin.do("UserService/RemoveSecret", userId=user.id)
    eventually(
        "the secret is gone",
        lambda: answer(oauth.ask_for_token(login_name, secret, "openid")),
        lambda refusal: refusal == NO_SECRET,
    )


def test_a_removed_user_is_unknown(workshop: Workshop, admin: Api, oauth: OAuth) -> None:
    user = workshop.user(pat=False)
    secret, login_name = workshop.secret(user), oauth.login_name(user)
    oauth.access_token(user, secret, "openid")
    admin.do("UserService/DeleteUser", userId=user.id)
    eventually(
        "he is not found",
        lambda: answer(oauth.ask_for_token(login_name, secret, "openid")),
        lambda refusal: refusal == CLIENT_NOT_FOUND,
    )


@pytest.mark.parametrize(
    ("grant_type", "expected"),
    [
        (None, oauth_refusal("invalid_request", "grant_type missing")),
        ("password", oauth_refusal("unsupported_grant_type", "password not supported")),
        ("colour", oauth_refusal("unsupported_grant_type", "colour not supported")),
    ],
)
def test_the_grant_type_must_be_one_that_is_known(
    server: Server, grant_type: str | None, expected: tuple[int, dict[str, str]]
) -> None:
    form = [("scope", "openid")] + ([] if grant_type is None else [("grant_type", grant_type)])
    assert answer(server.post_form(TOKEN, form)) == expected


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


def test_the_order_of_scopes_does_not_matter(server: Server, known_key: KeyFile, issuer: str) -> None:
    body = ask_by_jwt(server, assertion(known_key, issuer), scope="profile openid").json()
    assert "id_token" in body


def test_an_assertion_is_required(server: Server) -> None:
    response = server.post_form(TOKEN, [("grant_type", JWT_BEARER), ("scope", "openid")])
    assert (response.status_code, response.json()["error_description"]) == (400, "assertion missing")


def test_a_good_assertion_needs_a_scope_too(server: Server, known_key: KeyFile, issuer: str) -> None:
    form = [("grant_type", JWT_BEARER), ("assertion", assertion(known_key, issuer))]
    assert answer(server.post_form(TOKEN, form)) == NO_SCOPE


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


def test_a_removed_key_gets_no_token(server: Server, workshop: Workshop, admin: Api, issuer: str) -> None:
    user = workshop.user(pat=False)
    key = workshop.user_key(user)
    eventually("the key is known", lambda: ask_by_jwt(server, assertion(key, issuer)).status_code == 200)
    admin.do("UserService/RemoveKey", userId=user.id, keyId=key["keyId"])
    eventually(
        "the key is refused",
        lambda: answer(ask_by_jwt(server, assertion(key, issuer))),
        lambda refusal: refusal == SERVER_ERROR,
    )
