"""How introspection is asked: shapes of the request, client credentials, and what is checked first (RFC 7662 §2.1)."""

from typing import Any
from urllib.parse import quote, urlencode

import pytest
import requests

from tests.support.emulator_target import INTROSPECT, NOBODY, WRONG_SECRET, Server, answer, oauth_refusal, raw_basic
from tests.support.oauth import ASSERTION_TYPE, INACTIVE, UNAUTHORIZED, OAuth
from tests.support.workshop import App, User

FORM_TYPE = "application/x-www-form-urlencoded"
NO_CLIENT = oauth_refusal("invalid_request", "client_id or client_assertion must be provided")
NOT_AUTHENTICATED = oauth_refusal("invalid_client", "client must be authenticated")
BROKEN_BASIC = oauth_refusal("invalid_client", "invalid basic auth header")
BROKEN_FORM = oauth_refusal("invalid_request", "error parsing form")
NO_TOKEN = oauth_refusal("invalid_request", "token missing")
GOOD, BAD = "{app.client_id}:{app.secret}", f"{NOBODY}:{WRONG_SECRET}"
ASSERTION = "client_assertion=not-a-jwt&client_assertion_type="
FILE = '--b\r\nContent-Disposition: form-data; name="token"\r\n\r\nt\r\n--b--\r\n'


def no_type(kind: str) -> tuple[int, dict[str, str]]:
    return oauth_refusal("invalid_request", f"invalid client_assertion_type {kind}")


class Asker:
    """Asks with a pair for Basic, or another Authorization header, and the body of a form."""

    def __init__(self, server: Server, **objects: Any) -> None:
        self.server, self.objects = server, objects

    def __call__(self, auth: str, body: str, media: str | None = FORM_TYPE) -> requests.Response:
        auth, body = auth.format(**self.objects), body.replace("READER", quote(self.objects["reader"].pat))
        headers = {} if not auth else {"Authorization": auth} if " " in auth else raw_basic(auth)
        headers |= {} if media is None else {"Content-Type": media}
        return self.server.send("POST", INTROSPECT, data=body, headers=headers)


@pytest.fixture
def ask(server: Server, app: App, other_app: App, key_app: App, reader: User, reader_secret: str) -> Asker:
    return Asker(server, app=app, other_app=other_app, key_app=key_app, reader=reader, reader_secret=reader_secret)


@pytest.mark.parametrize(
    ("auth", "body", "expected"),
    [
        ("", "token=t", NO_CLIENT),
        ("Basic ???", "token=t", NO_CLIENT),
        ("no-colon", "token=t", NO_CLIENT),
        ("Bearer a-users-token", "token=t", NO_CLIENT),
        ("Digest x", "token=t", NO_CLIENT),
        *((pair, "token=t", BROKEN_BASIC) for pair in ("%zz:secret", "id:%zz", "id:50%")),
        ("", "token=t&client_assertion=a.b.c", no_type("")),
        ("", f"token=t&{ASSERTION}", no_type("")),
        ("", f"token=t&{ASSERTION}saml2-bearer", no_type("saml2-bearer")),
        ("", f"token=READER&{ASSERTION}{ASSERTION_TYPE}", INACTIVE),
        ("", f"token=t&client_id={NOBODY}", NOT_AUTHENTICATED),
        ("", f"token=t&client_id={NOBODY}&client_secret=", NOT_AUTHENTICATED),
        (f"{NOBODY}:", "token=t", NOT_AUTHENTICATED),
        *((GOOD, body, NO_TOKEN) for body in ("", "token=", "access_token=t")),
        # what is looked for first
        ("", "token=%zz", BROKEN_FORM),
        ("%zz:secret", "token=%zz", BROKEN_FORM),
        ("%zz:secret", "", BROKEN_BASIC),
        ("", "client_id=1", NOT_AUTHENTICATED),
        (BAD, "", NO_TOKEN),
        (BAD, "token=garbage", UNAUTHORIZED),
        # all wrong credentials get the same answer, and Basic wins over credentials in the form
        (f"{NOBODY}:{{app.secret}}", "token=READER", UNAUTHORIZED),
        (f"{{app.client_id}}:{WRONG_SECRET}", "token=READER", UNAUTHORIZED),
        ("{app.client_id}:{app.secret}%20", "token=READER", UNAUTHORIZED),
        ("{app.client_id}:{other_app.secret}", "token=READER", UNAUTHORIZED),
        ("{app.secret}:{app.client_id}", "token=READER", UNAUTHORIZED),
        ("{app.id}:{app.secret}", "token=READER", UNAUTHORIZED),
        ("{reader.username}:{reader_secret}", "token=READER", UNAUTHORIZED),
        (f"{{key_app.client_id}}:{WRONG_SECRET}", "token=READER", UNAUTHORIZED),
        # the last of two tokens counts
        (GOOD, "token=READER&token=garbage", INACTIVE),
    ],
)
def test_a_request_is_refused(ask: Asker, auth: str, body: str, expected: tuple[int, dict[str, str]]) -> None:
    assert answer(ask(auth, body)) == expected


@pytest.mark.parametrize(
    ("auth", "body", "media"),
    [
        (GOOD, "token=READER", FORM_TYPE),
        (GOOD, "token=READER", f"{FORM_TYPE}; charset=UTF-8"),
        (GOOD, "token=garbage&token=READER", FORM_TYPE),
        (GOOD, "token=READER&token_type_hint=refresh_token&scope=email&colour=blue", FORM_TYPE),
        (GOOD, f"token=READER&client_id={NOBODY}&client_secret={WRONG_SECRET}", FORM_TYPE),
    ],
)
def test_a_request_is_read_in_all_its_forms(ask: Asker, auth: str, body: str, media: str) -> None:
    plain = ask(GOOD, "token=READER").json()
    assert (plain["active"], ask(auth, body, media).json()) == (True, plain)


def test_credentials_are_read_in_all_their_forms(ask: Asker, app: App) -> None:
    escaped = "".join(f"%{ord(character):02X}" for character in app.secret)
    header = raw_basic(f"{app.client_id}:{app.secret}")["Authorization"]
    form = urlencode({"client_id": app.client_id, "client_secret": app.secret})
    for auth in (header, header.replace("Basic", "basic"), header.replace("Basic", "BASIC")):
        assert ask(auth, "token=READER").json()["active"]
    assert ask(f"{app.client_id}:{escaped}", "token=READER").json()["active"]
    assert ask("", f"token=READER&{form}").json()["active"]
    assert answer(ask(BAD, f"token=READER&{form}")) == UNAUTHORIZED


def test_a_confidential_oidc_application_may_introspect(oauth: OAuth, web_app: App, reader: User) -> None:
    assert oauth.active(web_app, reader.pat)


@pytest.mark.parametrize("method", ["GET", "DELETE", "POST", "HEAD"])
def test_a_token_in_the_query_is_read_whatever_the_method(server: Server, app: App, reader: User, method: str) -> None:
    credentials = raw_basic(f"{app.client_id}:{app.secret}")
    response = server.send(method, f"{INTROSPECT}?token={quote(reader.pat)}", headers=credentials)
    assert response.status_code == 200
    assert response.content == b"" if method == "HEAD" else response.json()["active"] is True


@pytest.mark.parametrize(
    ("media", "body"),
    [("application/json", '{"token": "t"}'), ("multipart/form-data; boundary=b", FILE), (None, "token=t")],
)
def test_a_body_that_is_not_a_form_holds_no_token(ask: Asker, media: str | None, body: str) -> None:
    assert answer(ask(GOOD, body, media)) == NO_TOKEN
