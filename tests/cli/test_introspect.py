"""``zdemo introspect``: what ZITADEL says about a token, what the API would answer, and why."""

import json
import re
import time
import unicodedata
from typing import Any

import pytest
import requests

from tests.catalogue.named_causes import flat
from tests.diagnosis.test_inactive_token import jwt_of
from tests.support.cli import Shell, Stack, at_terminal
from tests.support.connection_faults import claims
from tests.support.upstream import answer, http, json_body, raw, refusing_port, upstream
from tests.support.wire import PATIENCE_SECONDS
from zdemo.emulator import CLIENT_ID, CLIENT_SECRET, PROJECT_ID, READER, VISITOR, new_fault
from zdemo.text.columns import cells

CONTROLS = {"\x1b", "\x07", "\x9b", "\u202e", "\x00", "\r"}


def test_an_active_token_shows_who_what_for_which_roles_and_a_verdict_for_each_route(shell: Shell) -> None:
    ran = shell("introspect")
    assert (ran.code, ran.err) == (0, "")
    for words in ("reader", READER.id, "never expires", CLIENT_ID, PROJECT_ID, shell.env["ZITADEL_DOMAIN"]):
        assert words in ran.out
    for path in ("/api/public", "/api/private", "/api/private-scoped"):
        assert any(line.startswith(f"{path} ") for line in ran.out.splitlines())
    assert max(map(len, ran.out.splitlines())) <= 80
    assert READER.pat not in ran.out


def test_as_asks_about_the_token_of_another_user(shell: Shell) -> None:
    ran = shell("introspect", "--as", "visitor", ZDEMO_VISITOR_PAT=VISITOR.pat)
    assert (ran.code, "visitor" in ran.out, READER.id in ran.out) == (0, True, False)
    both = shell("introspect", "--as", "visitor", "--pat", READER.pat)
    assert (both.code, both.lines[0]) == (2, "error: --as and --pat both name a token")


@pytest.mark.parametrize(
    ("changed", "first", "who"),
    [
        ({"username": None, "client_id": "3" * 18}, "who", "user 7"),
        ({"username": None, "client_id": "reader"}, "who", "reader (user 7)"),
        ({"act": {"sub": "8", "act": {"sub": "9"}}}, "actor", "impersonated by user 8, before by user 9"),
        ({"act": {"sub": "\x1b[2J"}, "exp": 1}, "actor", r"impersonated by user \x1b[2J"),
    ],
)
def test_the_first_lines_name_user_and_actor(shell: Shell, changed: dict[str, object], first: str, who: str) -> None:
    ran = shell.beside(claims(sub="7", **changed), "introspect")
    assert (ran.code, ran.out.splitlines()[1]) == (0, f"{first:<12}  {who}")


def test_json_is_the_answer_of_zitadel_byte_for_byte(own_stack: Stack, own_shell: Shell) -> None:
    ran = own_shell("introspect", "--json")
    url, own = f"{own_stack.emulator.url}/oauth/v2/introspect", (CLIENT_ID, CLIENT_SECRET)
    sent = requests.post(url, data={"token": READER.pat}, auth=own, timeout=PATIENCE_SECONDS).content
    assert (ran.code, ran.out.encode(), ran.err) == (0, sent, "")
    strange = b'{"active": true,\t"aud":["1"] , "z":1.00, "a":"\xc3\xbc\\u00fc"}\n'
    assert own_shell.beside(raw(http(strange)), "introspect", "--json", LC_ALL="C").out.encode() == strange


def test_json_is_the_same_json_without_control_characters(shell: Shell) -> None:
    odd = "\x7f \x9b31m \u202e\u2066 \U0001f600 \ue000 \U000e0001"  # DEL, C1, bidi, a pair, private use, a tag
    sent = json.dumps({"active": True, "odd": odd}, ensure_ascii=False, separators=(",\r\n\t", " : ")).encode()
    ran = shell.beside(raw(http(b"\xef\xbb\xbf" + sent)), "introspect", "--json")
    assert (ran.code, ran.document["odd"]) == (0, odd)
    assert all(c in "\n\t" or unicodedata.category(c)[0] != "C" for c in ran.out)


def test_json_of_an_inactive_token_and_of_a_refusal_is_a_document_too(shell: Shell) -> None:
    ran = shell("introspect", "--json", "--pat", "A" * 71)
    assert (ran.code, ran.out, ran.err) == (1, '{"active":false}\n', "")
    ran = shell("introspect", "--json", CLIENT_SECRET="B" * 64)
    assert (ran.code, ran.document, "CLIENT_SECRET" in ran.err) == (1, {"error": "unauthorized_client"}, True)
    ran = shell.beside(raw(http('{"active":true,"a":"\u1b1b\u5b5b"}'.encode("utf-16"))), "introspect", "--json")
    assert (ran.code, ran.document["finding"], "is not a ZITADEL" in ran.err) == (4, "zitadel.other_server", True)


def test_a_timeout_that_is_too_short_is_named(own_stack: Stack, bare: Shell) -> None:
    own_stack.emulator.faults.add(new_fault("slow", seconds=0.2, path="introspection"))
    env = {**own_stack.env, "ZDEMO_TIMEOUT": "0.05"}
    ran = bare("introspect", **env)
    assert (ran.code, bool(re.search(r"within\s+0\.0\d+ s\s+(fix|hint:) +raise ZDEMO_TIMEOUT", ran.all))) == (4, True)
    assert "ZDEMO_TIMEOUT" in bare("doctor", **env).out  # a warning or, on a busy machine, the cause


@pytest.mark.parametrize(
    ("env", "arguments", "code"),
    [
        ({}, (), 0),
        ({"PAT": "A" * 71}, (), 1),
        ({}, ("--require", "read:messages"), 0),
        ({"PAT": VISITOR.pat}, ("--require", "read:messages"), 1),
        ({}, ("--require", "admin"), 1),  # it is in the scope, which proves nothing
        ({"ZITADEL_PROJECT_ID": PROJECT_ID}, ("--require", "read:messages"), 0),
        ({"ZITADEL_PROJECT_ID": "1" * 18}, ("--require", "read:messages"), 1),
    ],
)
def test_the_exit_code_says_whether_it_is_active_or_has_the_role(
    shell: Shell, env: dict[str, str], arguments: tuple[str, ...], code: int
) -> None:
    quiet = shell("introspect", *arguments, "-q", **env)
    assert (quiet.code, quiet.out, quiet.err) == (code, "", "")
    assert shell("introspect", *arguments, **env).code == code
    assert shell("introspect", *arguments, "--json", **env).code == code


@pytest.mark.parametrize(
    "changed",
    [
        *({"exp": moment, "iat": moment} for moment in (10**15, 10**400, -(10**400))),  # no calendar has them
        {"urn:zitadel:iam:org:project:roles": ["read:messages"]},
        {"username": "e\u202evil\x1b[2J", "aud": ["\x1b]0;title\x07"], "iss": "\x9b31m", "scope": "\u0000"},
    ],
)
def test_claims_of_any_shape_are_shown_without_control_characters(shell: Shell, changed: dict[str, object]) -> None:
    ran = shell.beside(claims(**changed), "introspect")
    assert (ran.code, set(ran.all) & CONTROLS) == (0, set())


def test_a_claim_that_is_hostile_or_long_is_one_row_that_fits_the_terminal(shell: Shell) -> None:
    hostile = {"a\x1b[2J\r\nactive  yes": "\x1b]0;title\x07\u202e\n  roles", "long": "xx " * 2000}
    with upstream(claims(**hostile)) as zitadel:
        screen = at_terminal(shell, "introspect", "-v", ZITADEL_DOMAIN=zitadel.url, NO_COLOR="1", columns="120")[1]
    rows = screen.rpartition("\x1b[")[2].partition("\nclaims\n")[2].splitlines()
    assert not [row for row in rows if row and not row.startswith("  ")]
    assert max(map(cells, rows)) <= 120
    assert not set("".join(rows)) & CONTROLS
    assert "xx … (--json shows all 6000 characters)" in flat(screen)


def test_verbose_shows_every_claim_after_all_else(shell: Shell) -> None:
    short, long = shell("introspect"), shell("introspect", "-v")
    head, _, section = long.out.partition("\nclaims\n")
    more = set(head.splitlines()) - set(short.out.splitlines())
    assert (long.code, long.err, {line.split()[0] for line in more if line[0] != " "}) == (0, "", {"scopes", "note"})
    for name, value in shell("introspect", "--json").document.items():
        assert re.search(rf"^  {re.escape(name)}(  +|\n +)\S", section, re.MULTILINE), name
        assert not isinstance(value, str) or value.split()[-1] in section
    assert "iat           1767225600 (2026-01-01 00:00:00 UTC)" in section


CLAIMS: dict[str, Any] = {"iss": "https://zitadel.example", "sub": "7", "aud": [PROJECT_ID], "exp": 4_000_000_000}
ROLES = f"urn:zitadel:iam:org:project:{PROJECT_ID}:roles"


def test_a_jwt_is_read_but_never_active_while_zitadel_is_away(shell: Shell) -> None:
    token = jwt_of(**CLAIMS | {"client_id": "svc", ROLES: {"read:messages": {"1": "one.example"}}})
    with refusing_port() as port:
        env = {"ZITADEL_DOMAIN": f"http://127.0.0.1:{port}", "ZITADEL_PROJECT_ID": PROJECT_ID, "PAT": token}
        ran, verbose, quiet, document = (shell("introspect", *m, **env) for m in ((), ("-v",), ("-q",), ("--json",)))
        assert shell("introspect", **{**env, "PAT": READER.pat}).out == ""
    assert (ran.code, verbose.code, quiet.code, quiet.out, ran.out[:12]) == (4, 4, 4, "", "not verified")
    for words in (
        "svc (user 7)",
        "expiry expires in ",
        ", but ZITADEL_DOMAIN is",
        "granted by organization 1 (one.example)",
    ):
        assert words in flat(ran.out)
    assert not re.search(r"active +yes|/api/private", ran.out)
    assert "nothing listens" in ran.err
    assert token not in ran.all
    assert "claims, not verified\n  iss           https://zitadel.example" in verbose.out
    assert list(document.document) == ["error", "hint", "not_verified"]
    assert document.document["not_verified"]["claims"]["aud"] == [PROJECT_ID]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"iss": "ZITADEL"}, ["as in ZITADEL_DOMAIN"]),
        ({"exp": 1_700_000_100, "iss": ["x"]}, ["expired 2023-11-14 22:15:00 UTC", "none, but ZITADEL_DOMAIN is"]),
        ({"exp": "soon"}, ["without an expiry", "none in the JWT; introspection still shows the roles"]),
        ({"jti": None, "at_hash": "x"}, ["an ID token, which no API accepts"]),
        ({"client_id": "\x1b[2J\n  x", "iss": "\x9b31m\u202e"}, [r"\x1b[2J\n  x", r"\x9b31m\u202e"]),
    ],
)
def test_a_jwt_is_compared_with_the_settings(shell: Shell, changed: dict[str, object], words: list[str]) -> None:
    with upstream(raw(b"")) as zitadel:
        payload = CLAIMS | {name: zitadel.url if value == "ZITADEL" else value for name, value in changed.items()}
        ran = shell("introspect", PAT=jwt_of(**payload), ZITADEL_DOMAIN=zitadel.url, ZITADEL_PROJECT_ID=PROJECT_ID)
    assert (ran.code, [word for word in words if word not in ran.out], set(ran.all) & CONTROLS) == (4, [], set())


def test_a_token_that_has_expired_by_its_claims_or_has_no_expiry(shell: Shell) -> None:
    ran = shell.beside(claims(exp=int(time.time()) - 5), "introspect", "--require", "read:messages")
    assert (ran.code, "expired" in ran.out) == (1, True)
    ran = shell.beside(answer(json_body({"active": True, "sub": "1", "aud": ["1"]})), "introspect")
    assert (ran.code, ran.out.splitlines()[0]) == (0, "active        yes, without an expiry")
