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

from tests.support.emulator_target import INTROSPECT, Api, Server, answer, basic
from tests.support.oauth import INACTIVE, GetToken, OAuth, audience, form_of, unpadded
from tests.support.waiting import eventually
from tests.support.workshop import App, Pat, Project, User, Workshop
from zdemo.emulator import CLIENT_ID, CLIENT_SECRET, READER

BASE64URL = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
JWE_PARTS = ("protected", "encrypted_key", "iv", "ciphertext", "tag")


def test_the_inactive_answer_is_this_and_nothing_more(oauth: OAuth, app: App) -> None:
    response = oauth.introspection(app, "garbage")
    assert (response.status_code, response.text) == (200, '{"active":false}\n')


@pytest.mark.parametrize(
    "token",
    ["garbage", "A", "A" * 71, "A" * 104, "=", " ", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "ä", "A" * 65536],
    ids=lambda token: f"{token[:12]} of {len(token)}",
)
def test_garbage_is_inactive(oauth: OAuth, app: App, token: str) -> None:
    assert answer(oauth.introspection(app, token)) == INACTIVE


def _changed(text: str, at: int) -> str:
    """Return a text with another character of the alphabet at this place."""
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]


def _spellings(part: str, spare_bits: int) -> list[str]:
    """Return all that a part means the same as: the lowest bits of its last character do not count."""
    size = 2**spare_bits
    first = BASE64URL.index(part[-1]) // size * size
    return [part[:-1] + last for last in BASE64URL[first : first + size]]


def _with_part(place: int, change: Callable[[str], str]) -> Callable[[str], str]:
    return lambda pat: ".".join(change(p) if at == place else p for at, p in enumerate(pat.split(".")))


def _in_json(pat: str, *names: str, **more: Any) -> str:
    """Return the JSON form of a token (RFC 7516 §7.2.2)."""
    return json.dumps(dict(zip(names or JWE_PARTS, pat.split("."), strict=False)) | more)


def _sealed_elsewhere(pat: str, *, kid: bool = True) -> str:
    """Return a token of the same form, sealed with another server's key."""
    key, inner, head_iv, iv = (secrets.token_bytes(size) for size in (32, 32, 12, 12))
    wrapped = AESGCM(key).encrypt(head_iv, inner, None)
    header = {"alg": "A256GCMKW", "enc": "A256GCM", "iv": _encoded(head_iv), "kid": "oidcKey"}
    header |= {"tag": _encoded(wrapped[32:])}
    if not kid:
        del header["kid"]
    protected = _encoded(json.dumps(header, separators=(",", ":")).encode())
    sealed = AESGCM(inner).encrypt(iv, secrets.token_bytes(len(unpadded(pat.split(".")[3]))), protected.encode())
    return ".".join([protected, *map(_encoded, (wrapped[:32], iv, sealed[:-16], sealed[-16:]))])


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


ACTIVE: dict[str, Callable[[str], str]] = {
    **{
        f"{around!r} {where}": partial(
            lambda where, around, pat: where.format(around, pat[:40], pat[40:]), where, around
        )
        for around in (" ", "\t", "\n", "\r\n", "\u00a0", "\u2003")
        for where in ("{0}{1}{2}", "{1}{2}{0}", "{1}{0}{2}")
    },
    "JSON": _in_json,
    "JSON with another member": lambda pat: _in_json(pat, colour="blue"),
    "JSON with blanks": lambda pat: " " + _in_json(pat).replace(",", ",\n"),
}
OTHERS: dict[str, Callable[[str], str]] = {
    **{text: text.format for text in ("Bearer {}", '"{}"', "{}=", "{}\u200b", "{}A", "{}.x", ".{}")},
    "cut by one": lambda pat: pat[:-1],
    "cut by ten": lambda pat: pat[:-10],
    "cut to 71": lambda pat: pat[:71],
    "cut to 80": lambda pat: pat[:80],
    "cut at the beginning": lambda pat: pat[1:],
    "without the last part": lambda pat: pat.rpartition(".")[0],
    "with an empty last part": lambda pat: pat.rpartition(".")[0] + ".",
    "another header": _with_part(0, lambda part: _changed(part, len(part) - 6)),
    "the header spelled anew": _with_part(0, lambda part: _encoded(json.dumps(json.loads(unpadded(part))).encode())),
    "another key": _with_part(1, lambda part: _changed(part, 0)),
    "another nonce": _with_part(2, lambda part: _changed(part, 0)),
    "another content": _with_part(3, lambda part: _changed(part, 0)),
    "another tag": _with_part(4, lambda part: _changed(part, 0)),
    "the alphabet of standard base64": lambda pat: (pat + "-").translate(str.maketrans("-_", "+/")),
    "sealed elsewhere": _sealed_elsewhere,
    "sealed elsewhere without a kid": partial(_sealed_elsewhere, kid=False),
    "JSON without its tag": lambda pat: _in_json(pat, *JWE_PARTS[:4]),
    "JSON with a part that is no text": lambda pat: _in_json(pat, tag=1),
    "a list in JSON": lambda pat: json.dumps(pat.split(".")),
    "JSON that is cut": lambda pat: _in_json(pat)[:-1],
}


@pytest.mark.parametrize("spelling", ACTIVE)
def test_another_spelling_of_a_pat_is_the_same_pat(oauth: OAuth, app: App, reader: User, spelling: str) -> None:
    assert oauth.claims(app, ACTIVE[spelling](reader.pat)).get("sub") == reader.id


@pytest.mark.parametrize("change", OTHERS)
def test_a_pat_that_was_changed_is_inactive(oauth: OAuth, app: App, reader: User, change: str) -> None:
    assert answer(oauth.introspection(app, OTHERS[change](reader.pat))) == INACTIVE


@pytest.mark.parametrize(
    ("place", "spare_bits"), [(0, 4), (1, 2), (3, 4), (4, 4)], ids=["header", "key", "content", "tag"]
)
def test_the_last_character_of_a_part_has_several_spellings(
    oauth: OAuth, app: App, reader: User, place: int, spare_bits: int
) -> None:
    parts = reader.pat.split(".")
    before, part, after = parts[:place], parts[place], parts[place + 1 :]
    tokens = [".".join([*before, spelling, *after]) for spelling in _spellings(part, spare_bits)]
    assert {oauth.claims(app, token).get("sub") for token in tokens} == {reader.id}


@pytest.mark.usefixtures("emulator_only")
def test_a_pat_of_the_form_before_v4_14_is_active_and_only_line_ends_in_it_are_ignored(near: Server) -> None:
    def active(token: str) -> bool:
        answer = near.post_form(INTROSPECT, [("token", token)], basic(CLIENT_ID, CLIENT_SECRET))
        return bool(answer.json()["active"])

    pat = READER.pat
    assert all(map(active, [*_spellings(pat, 2), pat + "\n", "\r" + pat, pat[:30] + "\r\n" + pat[30:]]))
    others = [*(text.format(pat) for text in ("{} ", " {}", "\t{}", "{}=", "Bearer {}", "{}A", "{}AA")), pat[:70]]
    assert not any(map(active, [*others, pat[:30] + "\u00a0" + pat[30:], _changed(pat, 40)]))


def test_a_user_id_of_ones_own_choice_changes_the_length_of_the_pat(workshop: Workshop, oauth: OAuth, app: App) -> None:
    user = workshop.user(userId=secrets.token_hex(2) + "a")
    assert (form_of(user.pat)[0], form_of(user.pat)[2][3]) == (259, 32)
    assert oauth.claims(app, user.pat)["sub"] == user.id


def test_a_colon_in_the_user_id_makes_pats_that_never_work(workshop: Workshop, oauth: OAuth, app: App) -> None:
    user = workshop.user(userId=f"bot:{secrets.token_hex(6)}")
    assert answer(oauth.introspection(app, user.pat)) == INACTIVE


def test_an_expired_pat_is_inactive(oauth: OAuth, app: App, brief_pat: Pat) -> None:
    eventually("the PAT has expired", lambda: answer(oauth.introspection(app, brief_pat.token)), INACTIVE.__eq__)


def test_the_other_pats_of_a_user_outlive_a_deleted_one(workshop: Workshop, admin: Api, oauth: OAuth, app: App) -> None:
    user = workshop.user()
    second = workshop.pat(user.id)
    admin.do("UserService/RemovePersonalAccessToken", userId=user.id, tokenId=second.id)
    assert answer(oauth.introspection(app, second.token)) == INACTIVE
    assert oauth.active(app, user.pat)


def test_what_is_no_token_is_inactive(oauth: OAuth, app: App, reader: User, reader_secret: str) -> None:
    for mistaken in (app.secret, reader_secret, reader.id):
        assert answer(oauth.introspection(app, mistaken)) == INACTIVE


def test_an_id_token_is_inactive(oauth: OAuth, app: App, project: Project, reader: User, reader_secret: str) -> None:
    id_token = oauth.tokens(reader, reader_secret, "openid", audience(project))["id_token"]
    assert answer(oauth.introspection(app, id_token)) == INACTIVE


def test_an_access_token_without_an_audience_is_inactive(oauth: OAuth, app: App, reader_token: GetToken) -> None:
    token = reader_token("openid", "profile")
    assert answer(oauth.introspection(app, token)) == INACTIVE


def test_an_access_token_for_another_project_is_inactive_here_and_active_there(
    oauth: OAuth, app: App, other_app: App, project: Project, reader_token: GetToken
) -> None:
    token = reader_token(audience(project))
    assert answer(oauth.introspection(other_app, token)) == INACTIVE
    assert oauth.active(app, token)


def test_an_access_token_may_be_for_two_projects(
    oauth: OAuth, app: App, other_app: App, project: Project, other_project: Project, reader_token: GetToken
) -> None:
    token = reader_token(audience(project), audience(other_project))
    assert oauth.active(app, token)
    assert oauth.active(other_app, token)


def test_a_pat_is_active_at_the_application_of_any_project(oauth: OAuth, other_app: App, reader: User) -> None:
    assert oauth.active(other_app, reader.pat)


def test_a_pat_is_not_bound_to_the_issuer(oauth: OAuth, app: App, reader: User) -> None:
    host = f"{oauth.server.hostname}:59999"
    claims = oauth.introspection(app, reader.pat, host).json()
    assert (claims["active"], claims["iss"]) == (True, f"{oauth.server.scheme}://{host}")
