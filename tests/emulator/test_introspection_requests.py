"""How introspection is asked: shapes of the request, client credentials, and what is checked first (RFC 7662 §2.1)."""

from dataclasses import replace
from urllib.parse import quote

import pytest

from tests.support.emulator_target import (
    INTROSPECT,
    NOBODY,
    WRONG_SECRET,
    Api,
    Server,
    answer,
    basic,
    bearer,
    oauth_refusal,
    raw_basic,
)
from tests.support.oauth import ASSERTION_TYPE, INACTIVE, UNAUTHORIZED, OAuth
from tests.support.waiting import eventually
from tests.support.workshop import KEY_APP, App, Project, User, Workshop

FORM_TYPE = "application/x-www-form-urlencoded"
NO_CLIENT = oauth_refusal("invalid_request", "client_id or client_assertion must be provided")
NOT_AUTHENTICATED = oauth_refusal("invalid_client", "client must be authenticated")
BROKEN_BASIC = oauth_refusal("invalid_client", "invalid basic auth header")
BROKEN_FORM = oauth_refusal("invalid_request", "error parsing form")
NO_TOKEN = oauth_refusal("invalid_request", "token missing")


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Basic ???"}, raw_basic("no-colon"), bearer("a-users-token"), {"Authorization": "Digest x"}],
    ids=["nothing", "Basic that is no base64", "Basic without a colon", "Bearer", "another scheme"],
)
def test_without_client_authentication_the_client_is_missing(server: Server, headers: dict[str, str]) -> None:
    assert answer(server.post_form(INTROSPECT, [("token", "t")], headers)) == NO_CLIENT


@pytest.mark.parametrize("pair", ["%zz:secret", "id:%zz", "id:50%"])
def test_basic_with_a_broken_percent_escape_is_no_client(server: Server, pair: str) -> None:
    assert answer(server.post_form(INTROSPECT, [("token", "t")], raw_basic(pair))) == BROKEN_BASIC


@pytest.mark.parametrize("kind", [None, "", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"])
def test_an_assertion_needs_its_type(server: Server, kind: str | None) -> None:
    form = [("token", "t"), ("client_assertion", "a.b.c")]
    if kind is not None:
        form.append(("client_assertion_type", kind))
    expected = oauth_refusal("invalid_request", f"invalid client_assertion_type {kind or ''}")
    assert answer(server.post_form(INTROSPECT, form)) == expected


@pytest.mark.parametrize(
    ("form", "headers"),
    [([("client_id", NOBODY)], {}), ([("client_id", NOBODY), ("client_secret", "")], {}), ([], basic(NOBODY, ""))],
    ids=["client_id alone", "empty client_secret", "Basic with an empty secret"],
)
def test_a_client_id_alone_does_not_authenticate(
    server: Server, form: list[tuple[str, str]], headers: dict[str, str]
) -> None:
    assert answer(server.post_form(INTROSPECT, [("token", "t"), *form], headers)) == NOT_AUTHENTICATED


@pytest.mark.parametrize("form", [[], [("token", "")], [("access_token", "t")]], ids=["none", "empty", "other name"])
def test_a_token_is_required(server: Server, app: App, form: list[tuple[str, str]]) -> None:
    assert answer(server.post_form(INTROSPECT, form, basic(app.client_id, app.secret))) == NO_TOKEN


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        ("token=%zz", {}, BROKEN_FORM),
        ("token=%zz", raw_basic("%zz:secret"), BROKEN_FORM),
        ("", raw_basic("%zz:secret"), BROKEN_BASIC),
        ("", {}, NO_CLIENT),
        ("client_id=1", {}, NOT_AUTHENTICATED),
        ("", basic(NOBODY, WRONG_SECRET), NO_TOKEN),
        ("token=garbage", basic(NOBODY, WRONG_SECRET), UNAUTHORIZED),
    ],
    ids=["form before client", "form before Basic", "Basic", "client", "secret", "token", "credentials before token"],
)
def test_faults_are_looked_for_in_this_order(
    server: Server, body: str, headers: dict[str, str], expected: tuple[int, dict[str, str]]
) -> None:
    response = server.send("POST", INTROSPECT, data=body, headers=headers | {"Content-Type": FORM_TYPE})
    assert answer(response) == expected


def test_all_wrong_credentials_get_the_same_answer(
    server: Server, app: App, other_app: App, key_app: App, reader: User, reader_login: str, reader_secret: str
) -> None:
    pairs = {
        "unknown client": (NOBODY, app.secret),
        "wrong secret": (app.client_id, WRONG_SECRET),
        "trailing blank": (app.client_id, app.secret + " "),
        "another application's secret": (app.client_id, other_app.secret),
        "swapped": (app.secret, app.client_id),
        "application's ID": (app.id, app.secret),
        "service account's login": (reader_login, reader_secret),
        "application without a secret": (key_app.client_id, WRONG_SECRET),
    }
    answers = {
        why: answer(server.post_form(INTROSPECT, [("token", reader.pat)], basic(*pair))) for why, pair in pairs.items()
    }
    assert answers == dict.fromkeys(pairs, UNAUTHORIZED)


def test_the_old_secret_ends_when_a_new_one_is_made(
    admin: Api, workshop: Workshop, oauth: OAuth, server: Server, project: Project, reader: User
) -> None:
    old = oauth.served(workshop.app(project), reader.pat)
    new = admin.do("ApplicationService/GenerateClientSecret", **old.ids)["clientSecret"]
    ask = [("token", reader.pat)]
    eventually(
        "the new secret is accepted",
        lambda: server.post_form(INTROSPECT, ask, basic(old.client_id, new)).json().get("active"),
    )
    eventually(
        "it is refused",
        lambda: answer(server.post_form(INTROSPECT, ask, basic(old.client_id, old.secret))),
        UNAUTHORIZED.__eq__,
    )


def test_an_application_that_uses_keys_can_have_a_secret_too(
    admin: Api, workshop: Workshop, oauth: OAuth, project: Project, reader: User
) -> None:
    by_key = workshop.app(project, apiConfiguration=KEY_APP)
    secret = admin.do("ApplicationService/GenerateClientSecret", **by_key.ids)["clientSecret"]
    oauth.served(replace(by_key, secret=secret), reader.pat)
    app = workshop.app(project)
    admin.do("ApplicationService/UpdateApplication", **app.ids, apiConfiguration=KEY_APP)
    eventually(
        "the application is a key application",
        lambda: admin.ask("ApplicationService/GetApplication", applicationId=app.id).json().get("application"),
        lambda shown: shown and shown["apiConfiguration"].get("authMethodType") == KEY_APP["authMethodType"],
    )
    assert oauth.active(app, reader.pat)


def test_credentials_are_read_in_all_their_forms(server: Server, app: App, reader: User) -> None:
    credentials = basic(app.client_id, app.secret)
    escaped = "".join(f"%{ord(character):02X}" for character in app.secret)
    ask = [("token", reader.pat)]
    forms: dict[str, tuple[list[tuple[str, str]], dict[str, str]]] = {
        "Basic": (ask, credentials),
        "basic": (ask, {"Authorization": credentials["Authorization"].replace("Basic", "basic")}),
        "BASIC": (ask, {"Authorization": credentials["Authorization"].replace("Basic", "BASIC")}),
        "percent-encoded": (ask, raw_basic(f"{app.client_id}:{escaped}")),
        "with a charset": (ask, credentials | {"Content-Type": f"{FORM_TYPE}; charset=UTF-8"}),
        "in the form": ([*ask, ("client_id", app.client_id), ("client_secret", app.secret)], {}),
    }
    active = {name: server.post_form(INTROSPECT, *form).json().get("active") for name, form in forms.items()}
    assert active == dict.fromkeys(forms, True)


def test_basic_wins_over_credentials_in_the_form(server: Server, app: App, reader: User) -> None:
    good = [("client_id", app.client_id), ("client_secret", app.secret)]
    bad = [("client_id", NOBODY), ("client_secret", WRONG_SECRET)]
    ask = [("token", reader.pat)]
    assert server.post_form(INTROSPECT, ask + bad, basic(app.client_id, app.secret)).json()["active"] is True
    assert answer(server.post_form(INTROSPECT, ask + good, basic(NOBODY, WRONG_SECRET))) == UNAUTHORIZED


def test_an_assertion_that_is_no_jwt_makes_any_token_inactive(server: Server, reader: User) -> None:
    form = [("token", reader.pat), ("client_assertion_type", ASSERTION_TYPE), ("client_assertion", "not-a-jwt")]
    assert answer(server.post_form(INTROSPECT, form)) == INACTIVE


def test_a_confidential_oidc_application_may_introspect(oauth: OAuth, web_app: App, reader: User) -> None:
    assert oauth.active(web_app, reader.pat)


@pytest.mark.parametrize("method", ["GET", "DELETE", "POST", "HEAD"])
def test_a_token_in_the_query_is_read_whatever_the_method(server: Server, app: App, reader: User, method: str) -> None:
    credentials = basic(app.client_id, app.secret)
    response = server.send(method, f"{INTROSPECT}?token={quote(reader.pat)}", headers=credentials)
    assert response.status_code == 200
    assert response.content == b"" if method == "HEAD" else response.json()["active"] is True


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", '{"token": "t"}'),
        (
            "multipart/form-data; boundary=b",
            '--b\r\nContent-Disposition: form-data; name="token"\r\n\r\nt\r\n--b--\r\n',
        ),
        (None, "token=t"),
    ],
    ids=["JSON", "multipart", "no content type"],
)
def test_a_body_that_is_no_form_holds_no_token(server: Server, app: App, content_type: str | None, body: str) -> None:
    headers = basic(app.client_id, app.secret) | ({} if content_type is None else {"Content-Type": content_type})
    assert answer(server.send("POST", INTROSPECT, data=body, headers=headers)) == NO_TOKEN


def test_hint_scope_and_unknown_fields_change_nothing(server: Server, app: App, reader: User) -> None:
    credentials = basic(app.client_id, app.secret)
    more = [("token_type_hint", "refresh_token"), ("scope", "email phone"), ("colour", "blue")]
    plain = server.post_form(INTROSPECT, [("token", reader.pat)], credentials).json()
    assert server.post_form(INTROSPECT, [("token", reader.pat), *more], credentials).json() == plain


def test_the_last_of_two_tokens_counts(server: Server, app: App, reader: User) -> None:
    credentials = basic(app.client_id, app.secret)
    good, bad = ("token", reader.pat), ("token", "garbage")
    assert server.post_form(INTROSPECT, [bad, good], credentials).json()["active"] is True
    assert server.post_form(INTROSPECT, [good, bad], credentials).json()["active"] is False
