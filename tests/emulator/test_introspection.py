"""Introspection (RFC 7662): how it is asked, what is checked first, and which tokens it calls active."""

import json
import secrets
import string
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import requests

from tests.support.emulator_target import INTROSPECT, NOBODY, WRONG_SECRET, Server, answer, oauth_refusal, raw_basic
from tests.support.oauth import ASSERTION_TYPE, INACTIVE, PAT_FORM, UNAUTHORIZED, OAuth, audience, form_of, unpadded
from tests.support.workshop import App, User, Workshop
from zdemo.emulator import CLIENT_ID, CLIENT_SECRET, READER
from zdemo.emulator.token_texts import encoded

FORM_TYPE = "application/x-www-form-urlencoded"
NO_CLIENT = oauth_refusal("invalid_request", "client_id or client_assertion must be provided")
NOT_AUTHENTICATED = oauth_refusal("invalid_client", "client must be authenticated")
BROKEN_BASIC = oauth_refusal("invalid_client", "invalid basic auth header")
BROKEN_FORM = oauth_refusal("invalid_request", "error parsing form")
NO_TYPE = oauth_refusal("invalid_request", "invalid client_assertion_type ")
NO_TOKEN = oauth_refusal("invalid_request", "token missing")
GOOD, BAD = "{app.client_id}:{app.secret}", f"{NOBODY}:{WRONG_SECRET}"
ASSERTION = "client_assertion=not-a-jwt&client_assertion_type="
FILE = ("multipart/form-data; boundary=b", '--b\r\nContent-Disposition: form-data; name="token"\r\n\r\nt\r\n--b--\r\n')


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


def test_a_request_is_refused(ask: Asker) -> None:
    for auth, body, expected in (
        ("", "token=t", NO_CLIENT),
        ("Basic ???", "token=t", NO_CLIENT),
        ("no-colon", "token=t", NO_CLIENT),
        *((pair, "token=t", BROKEN_BASIC) for pair in ("%zz:secret", "id:%zz", "id:50%")),
        ("", "token=t&client_assertion=a.b.c", NO_TYPE),
        ("", f"token=t&{ASSERTION}", NO_TYPE),
        ("", f"token=READER&{ASSERTION}{ASSERTION_TYPE}", INACTIVE),
        ("", f"token=t&client_id={NOBODY}", NOT_AUTHENTICATED),
        (f"{NOBODY}:", "token=t", NOT_AUTHENTICATED),
        *((GOOD, body, NO_TOKEN) for body in ("", "token=", "access_token=t")),
        # what is looked for first
        ("", "token=%zz", BROKEN_FORM),
        ("%zz:secret", "token=%zz", BROKEN_FORM),
        ("%zz:secret", "", BROKEN_BASIC),
        (BAD, "", NO_TOKEN),
        (BAD, "token=garbage", UNAUTHORIZED),
        # all wrong credentials get the same answer, and Basic wins over credentials in the form
        (f"{NOBODY}:{{app.secret}}", "token=READER", UNAUTHORIZED),
        (f"{{app.client_id}}:{WRONG_SECRET}", "token=READER", UNAUTHORIZED),
        ("{app.client_id}:{other_app.secret}", "token=READER", UNAUTHORIZED),
        ("{app.id}:{app.secret}", "token=READER", UNAUTHORIZED),
        ("{reader.username}:{reader_secret}", "token=READER", UNAUTHORIZED),
        (f"{{key_app.client_id}}:{WRONG_SECRET}", "token=READER", UNAUTHORIZED),
        # the last of two tokens counts
        (GOOD, "token=READER&token=garbage", INACTIVE),
    ):
        assert answer(ask(auth, body)) == expected, (auth, body)


def test_a_request_is_read_in_all_its_forms(ask: Asker, app: App) -> None:
    escaped = "".join(f"%{ord(character):02X}" for character in app.secret)
    header = raw_basic(f"{app.client_id}:{app.secret}")["Authorization"]
    form = urlencode({"client_id": app.client_id, "client_secret": app.secret})
    for auth, body in (
        *((auth, "token=READER") for auth in (header, header.replace("Basic", "basic"), f"{app.client_id}:{escaped}")),
        (GOOD, "token=READER&token_type_hint=refresh_token&scope=email&colour=blue"),
        (GOOD, f"token=READER&client_id={NOBODY}&client_secret={WRONG_SECRET}"),
        ("", f"token=READER&{form}"),
    ):
        assert ask(auth, body, f"{FORM_TYPE}; charset=UTF-8").json()["active"]
    assert answer(ask(BAD, f"token=READER&{form}")) == UNAUTHORIZED


def test_a_token_in_the_query_is_read_whatever_the_method(server: Server, app: App, reader: User) -> None:
    credentials, address = raw_basic(f"{app.client_id}:{app.secret}"), f"{INTROSPECT}?token={quote(reader.pat)}"
    for method in ("GET", "DELETE", "POST"):
        assert server.send(method, address, headers=credentials).json()["active"]
    head = server.send("HEAD", address, headers=credentials)
    assert (head.status_code, head.content) == (200, b"")


def test_a_token_in_a_body_that_is_not_a_form_is_ignored(ask: Asker) -> None:
    for media, body in (("application/json", '{"token": "t"}'), FILE, (None, "token=t")):
        assert answer(ask(GOOD, body, media)) == NO_TOKEN


BASE64URL = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"


def changed(text: str, at: int) -> str:
    """A text with another character of the alphabet at this place."""
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]


def spellings(text: str, spare_bits: int) -> list[str]:
    """Return all texts that mean the same as this one: the lowest bits of its last character do not count."""
    size = 2**spare_bits
    first = BASE64URL.index(text[-1]) // size * size
    return [text[:-1] + last for last in BASE64URL[first : first + size]]


def others(pat: str) -> list[str]:
    """Texts that look like a PAT, whose parts end at 142, 186, 203, 254 and 277, and are not it."""
    return [
        *(text.format(pat) for text in ("Bearer {}", '"{}"', "{}=", "{}\u200b", "{}A", "{}.x", ".{}")),
        *(pat[:end] for end in (-1, -10, 71, 80, 254, 255)),
        *(changed(pat, at) for at in (136, 143, 187, 204, 255)),
        encoded(json.dumps(json.loads(unpadded(pat[:142]))).encode()) + pat[142:],
        pat[1:],
        (pat + "-").translate(str.maketrans("-_", "+/")),
    ]


def test_a_pat_has_several_spellings(oauth: OAuth, app: App, reader: User) -> None:
    pat, ends = reader.pat, ((142, 4), (186, 2), (254, 4), (277, 4))
    blanks, places = (" ", "\t", "\n", "\r\n", "\u00a0", "\u2003"), ("{0}{1}{2}", "{1}{2}{0}", "{1}{0}{2}")
    tokens = [place.format(blank, pat[:40], pat[40:]) for blank in blanks for place in places]
    tokens += [same + pat[end:] for end, spare_bits in ends for same in spellings(pat[:end], spare_bits)]
    names = ("protected", "encrypted_key", "iv", "ciphertext", "tag")
    tokens.append(" " + json.dumps(dict(zip(names, pat.split("."), strict=True))))
    assert [token for token in tokens if oauth.claims(app, token).get("sub") != reader.id] == []


def test_what_is_not_this_token_is_inactive(oauth: OAuth, app: App, reader: User, reader_secret: str) -> None:
    garbage = ["garbage", "{", '{"protected": "A"}', "A", "A" * 71, "A" * 104, "=", " ", "a.b.c", "ä", "A" * 65536]
    tokens = [*garbage, "eyJhbGciOiJub25lIn0.e30.", *others(reader.pat), app.secret, reader_secret, reader.id]
    for token in tokens:
        oauth.introspect(app, token).only(active=False)
    assert oauth.introspect(app, "garbage").response.text == '{"active":false}\n'


@pytest.mark.usefixtures("emulator_only")
def test_a_pat_of_the_form_before_v4_14_is_active_and_only_line_ends_in_it_are_ignored(near: Server) -> None:
    def active(token: str) -> bool:
        asked = near.post_form(INTROSPECT, [("token", token)], raw_basic(f"{CLIENT_ID}:{CLIENT_SECRET}"))
        return bool(asked.json()["active"])

    pat = READER.pat
    assert all(map(active, [*spellings(pat, 2), pat + "\n", "\r" + pat, pat[:30] + "\r\n" + pat[30:]]))
    longer = [*(text.format(pat) for text in ("{} ", " {}", "\t{}", "{}=", "Bearer {}", "{}A", "{}AA")), pat[:70]]
    assert not any(map(active, [*longer, pat[:30] + "\u00a0" + pat[30:], changed(pat, 40)]))


def test_a_user_id_of_ones_own_choice_changes_the_pat(
    workshop: Workshop, oauth: OAuth, app: App, visitor: User
) -> None:
    assert form_of(visitor.pat) == PAT_FORM
    user = workshop.user(userId=secrets.token_hex(2) + "a")
    assert (form_of(user.pat)[0], form_of(user.pat)[2][3]) == (259, 32)
    assert oauth.claims(app, user.pat)["sub"] == user.id
    with_colon = workshop.user(userId=f"bot:{secrets.token_hex(6)}")
    opaque = oauth.access_token(with_colon, workshop.secret(with_colon), "openid", audience(app.project))
    for token in (with_colon.pat, opaque):
        oauth.introspect(app, token).only(active=False)
