"""Which tokens introspection calls active: whatever is wrong with one, the answer is the same (RFC 7662 §2.2)."""

import base64
import json
import secrets
import string
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.support.emulator_target import INTROSPECT, Server, answer, basic
from tests.support.oauth import INACTIVE, GetToken, OAuth, audience, form_of, unpadded
from tests.support.waiting import eventually
from tests.support.workshop import App, Pat, User, Workshop
from zdemo.emulator import CLIENT_ID, CLIENT_SECRET, READER

BASE64URL = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
JWE_PARTS = ("protected", "encrypted_key", "iv", "ciphertext", "tag")
Change = Callable[[str], str]


def changed(text: str, at: int) -> str:
    """A text with another character of the alphabet at this place."""
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]


def spellings(part: str, spare_bits: int) -> list[str]:
    """All that a part means the same as: the lowest bits of its last character do not count."""
    size = 2**spare_bits
    first = BASE64URL.index(part[-1]) // size * size
    return [part[:-1] + last for last in BASE64URL[first : first + size]]


def with_part(place: int, change: Change) -> Change:
    return lambda pat: ".".join(change(p) if at == place else p for at, p in enumerate(pat.split(".")))


def in_json(pat: str, *names: str, **more: Any) -> str:
    """The JSON form of a token (RFC 7516 §7.2.2)."""
    return json.dumps(dict(zip(names or JWE_PARTS, pat.split("."), strict=False)) | more)


def sealed_elsewhere(pat: str, kid: str = "oidcKey") -> str:
    """A token of the same form, sealed with another server's key."""
    key, inner, head_iv, iv = (secrets.token_bytes(size) for size in (32, 32, 12, 12))
    wrapped = AESGCM(key).encrypt(head_iv, inner, None)
    header = {"alg": "A256GCMKW", "enc": "A256GCM", "iv": encoded(head_iv), "kid": kid, "tag": encoded(wrapped[32:])}
    protected = encoded(
        json.dumps({name: text for name, text in header.items() if text}, separators=(",", ":")).encode()
    )
    sealed = AESGCM(inner).encrypt(iv, secrets.token_bytes(len(unpadded(pat.split(".")[3]))), protected.encode())
    return ".".join([protected, *map(encoded, (wrapped[:32], iv, sealed[:-16], sealed[-16:]))])


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


SAME: list[Change] = [
    *(
        partial(lambda where, blank, pat: where.format(blank, pat[:40], pat[40:]), where, blank)
        for blank in (" ", "\t", "\n", "\r\n", "\u00a0", "\u2003")
        for where in ("{0}{1}{2}", "{1}{2}{0}", "{1}{0}{2}")
    ),
    in_json,
    lambda pat: in_json(pat, colour="blue"),
    lambda pat: " " + in_json(pat).replace(",", ",\n"),
]
OTHERS: list[Change] = [
    *(text.format for text in ("Bearer {}", '"{}"', "{}=", "{}\u200b", "{}A", "{}.x", ".{}")),
    *(lambda pat, end=end: pat[:end] for end in (-1, -10, 71, 80)),
    lambda pat: pat[1:],
    lambda pat: pat.rpartition(".")[0],
    lambda pat: pat.rpartition(".")[0] + ".",
    with_part(0, lambda part: changed(part, len(part) - 6)),
    with_part(0, lambda part: encoded(json.dumps(json.loads(unpadded(part))).encode())),
    *(with_part(place, lambda part: changed(part, 0)) for place in (1, 2, 3, 4)),
    lambda pat: (pat + "-").translate(str.maketrans("-_", "+/")),
    sealed_elsewhere,
    partial(sealed_elsewhere, kid=""),
    lambda pat: in_json(pat, *JWE_PARTS[:4]),
    lambda pat: in_json(pat, tag=1),
    lambda pat: json.dumps(pat.split(".")),
    lambda pat: in_json(pat)[:-1],
]


def test_a_pat_has_several_spellings(oauth: OAuth, app: App, reader: User) -> None:
    tokens = [change(reader.pat) for change in SAME]
    parts = reader.pat.split(".")
    for place, spare_bits in ((0, 4), (1, 2), (3, 4), (4, 4)):
        tokens += [
            ".".join([*parts[:place], spelling, *parts[place + 1 :]])
            for spelling in spellings(parts[place], spare_bits)
        ]
    assert [token for token in tokens if oauth.claims(app, token).get("sub") != reader.id] == []


def test_what_is_not_a_token_or_not_this_one_is_inactive(
    oauth: OAuth, app: App, reader: User, reader_secret: str
) -> None:
    garbage = ["garbage", "A", "A" * 71, "A" * 104, "=", " ", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "ä", "A" * 65536]
    others = [change(reader.pat) for change in OTHERS]
    tokens = [*garbage, *others, app.secret, reader_secret, reader.id]
    assert [token for token in tokens if answer(oauth.introspection(app, token)) != INACTIVE] == []
    assert oauth.introspection(app, "garbage").text == '{"active":false}\n'


@pytest.mark.usefixtures("emulator_only")
def test_a_pat_of_the_form_before_v4_14_is_active_and_only_line_ends_in_it_are_ignored(near: Server) -> None:
    def active(token: str) -> bool:
        asked = near.post_form(INTROSPECT, [("token", token)], basic(CLIENT_ID, CLIENT_SECRET))
        return bool(asked.json()["active"])

    pat = READER.pat
    assert all(map(active, [*spellings(pat, 2), pat + "\n", "\r" + pat, pat[:30] + "\r\n" + pat[30:]]))
    others = [*(text.format(pat) for text in ("{} ", " {}", "\t{}", "{}=", "Bearer {}", "{}A", "{}AA")), pat[:70]]
    assert not any(map(active, [*others, pat[:30] + "\u00a0" + pat[30:], changed(pat, 40)]))


def test_a_user_id_of_ones_own_choice_changes_the_pat(workshop: Workshop, oauth: OAuth, app: App) -> None:
    user = workshop.user(userId=secrets.token_hex(2) + "a")
    assert (form_of(user.pat)[0], form_of(user.pat)[2][3]) == (259, 32)
    assert oauth.claims(app, user.pat)["sub"] == user.id
    with_colon = workshop.user(userId=f"bot:{secrets.token_hex(6)}")
    assert answer(oauth.introspection(app, with_colon.pat)) == INACTIVE


def test_an_expired_pat_is_inactive(oauth: OAuth, app: App, brief_pat: Pat) -> None:
    eventually("the PAT has expired", lambda: answer(oauth.introspection(app, brief_pat.token)), INACTIVE.__eq__)


def test_an_access_token_is_active_for_its_audience_alone_and_a_pat_for_all(
    oauth: OAuth, app: App, other_app: App, reader: User, reader_token: GetToken, reader_secret: str
) -> None:
    def active(token: str) -> list[bool]:
        return [oauth.active(one, token) for one in (app, other_app)]

    here, there = audience(app.project), audience(other_app.project)
    assert active(reader_token("openid", "profile")) == [False, False]
    assert active(reader_token(here)) == [True, False]
    assert active(reader_token(here, there)) == [True, True]
    assert active(reader.pat) == [True, True]
    assert active(oauth.tokens(reader, reader_secret, "openid", here)["id_token"]) == [False, False]


def test_a_pat_is_not_bound_to_the_issuer(oauth: OAuth, app: App, reader: User) -> None:
    host = f"{oauth.server.hostname}:59999"
    claims = oauth.introspection(app, reader.pat, host).json()
    assert (claims["active"], claims["iss"]) == (True, f"{oauth.server.scheme}://{host}")
