"""``zdemo introspect``: what ZITADEL says about a token, what the API would answer, and why."""

from __future__ import annotations

import json
import time
import unicodedata

import pytest
import requests

from tests.support.cli import Shell, Stack, is_two_lines
from tests.support.connection_faults import FAULTS, INACTIVE, claims
from tests.support.upstream import http, raw, upstream
from tests.support.wire import PATIENCE_SECONDS
from zdemo.emulator import CLIENT_ID, CLIENT_SECRET, PROJECT_ID, READER, VISITOR


def test_an_active_token_shows_who_what_for_which_roles_and_a_verdict_for_each_route(shell: Shell) -> None:
    ran = shell.anew("introspect")
    assert (ran.code, ran.err) == (0, "")
    for words in ("reader", READER.id, "never expires", CLIENT_ID, PROJECT_ID, shell.env["ZITADEL_DOMAIN"], "openid"):
        assert words in ran.out
    for path in ("/api/public", "/api/private", "/api/private-scoped"):
        assert any(line.startswith(f"{path} ") for line in ran.out.splitlines())
    assert max(map(len, ran.out.splitlines())) <= 80
    assert READER.pat not in ran.out


def test_roles_are_shown_by_organization(shell: Shell) -> None:
    claim = {"read:messages": {"1": "one.example", "2": "two.example"}, "admin": {"2": "two.example"}}
    with upstream(claims(**{"urn:zitadel:iam:org:project:roles": claim})) as zitadel:
        ran = shell("introspect", ZITADEL_DOMAIN=zitadel.url)
    roles = [line.split() for line in ran.out.splitlines() if "example" in line]
    assert [row[0] for row in roles] == ["admin", "read:messages"]
    assert all(organization in " ".join(roles[1]) for organization in ("one.example", "two.example"))


def test_json_is_the_answer_of_zitadel_byte_for_byte(own_stack: Stack, own_shell: Shell) -> None:
    raw_answer = requests.post(
        f"{own_stack.emulator.url}/oauth/v2/introspect",
        data={"token": READER.pat},
        auth=(CLIENT_ID, CLIENT_SECRET),
        timeout=PATIENCE_SECONDS,
    )
    ran = own_shell("introspect", "--json")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.encode() == raw_answer.content
    strange = b'{"active": true,\t"aud":["1"] , "z":1.00, "a":"\xc3\xbc\\u00fc"}\n'
    with upstream(raw(http(strange))) as zitadel:
        assert own_shell.anew("introspect", "--json", ZITADEL_DOMAIN=zitadel.url, LC_ALL="C").out.encode() == strange


def test_json_is_the_same_json_without_control_characters(shell: Shell) -> None:
    odd = "\x7f \x9b31m \u202e\u2066 \ud83d\ude00 \ue000 \U000e0001"  # DEL, C1, bidi, a pair, private use, a tag
    claims_ = {"active": True, "z": 1.5, "odd": odd.encode("utf-16", "surrogatepass").decode("utf-16")}
    sent = json.dumps(claims_, ensure_ascii=False, separators=(",\r\n\t", " : ")).encode()
    with upstream(raw(http(b"\xef\xbb\xbf" + sent))) as zitadel:
        ran = shell("introspect", "--json", ZITADEL_DOMAIN=zitadel.url)
    assert (ran.code, ran.document) == (0, claims_)
    assert '"z" : 1.5' in ran.out
    assert all(c in "\n\t" or unicodedata.category(c)[0] != "C" for c in ran.out)


def test_json_of_an_inactive_token_and_of_a_refusal_is_a_document_too(shell: Shell) -> None:
    ran = shell("introspect", "--json", "--pat", "A" * 71)
    assert (ran.code, ran.out, ran.err) == (1, '{"active":false}\n', "")
    ran = shell("introspect", "--json", CLIENT_SECRET="B" * 64)
    assert (ran.code, ran.document) == (1, {"error": "unauthorized_client"})
    assert "CLIENT_SECRET" in ran.err
    assert shell("introspect", CLIENT_SECRET="B" * 64).out.splitlines()[0].split() == ["active", "unknown"]
    with upstream(raw(http('{"active":true,"a":"\u1b1b\u5b5b"}'.encode("utf-16")))) as zitadel:
        ran = shell("introspect", "--json", ZITADEL_DOMAIN=zitadel.url)
    assert (ran.code, is_two_lines(ran), "is not JSON" in ran.err) == (4, True, True)


@pytest.mark.parametrize(
    ("pat", "arguments", "code"),
    [
        (READER.pat, (), 0),
        (VISITOR.pat, (), 0),
        ("A" * 71, (), 1),
        (READER.pat, ("--require", "read:messages"), 0),
        (VISITOR.pat, ("--require", "read:messages"), 1),
        (READER.pat, ("--require", "admin"), 1),  # it is in the scope, which proves nothing
        (READER.pat, ("--require", "Read:messages"), 1),
        (READER.pat, ("--require", ""), 1),
        ("A" * 71, ("--require", "read:messages"), 1),
    ],
)
def test_the_exit_code_says_whether_it_is_active_or_has_the_role(
    shell: Shell, pat: str, arguments: tuple[str, ...], code: int
) -> None:
    quiet = shell("introspect", *arguments, "-q", PAT=pat)
    assert (quiet.code, quiet.out, quiet.err) == (code, "", "")
    assert shell("introspect", *arguments, PAT=pat).code == code
    assert shell("introspect", *arguments, "--json", PAT=pat).code == code


def test_the_verdict_is_that_of_the_api_with_its_project(shell: Shell) -> None:
    assert shell("introspect", "--require", "read:messages", "-q", ZITADEL_PROJECT_ID=PROJECT_ID).code == 0
    assert shell("introspect", "--require", "read:messages", "-q", ZITADEL_PROJECT_ID="1" * 18).code == 1
    ran = shell("introspect", ZITADEL_PROJECT_ID="1" * 18)
    assert f"roles in project {'1' * 18}" in ran.out
    expired = claims(exp=int(time.time()) - 5)
    with upstream(expired) as zitadel:
        ran = shell("introspect", "--require", "read:messages", ZITADEL_DOMAIN=zitadel.url)
    assert (ran.code, "expired" in ran.out) == (1, True)


@pytest.mark.parametrize(
    "changed",
    [
        {"sub": None, "username": 5, "scope": ["openid"], "iss": {}, "iat": "x"},
        {"sub": "1", "username": None, "scope": None},
        *({"exp": moment, "iat": moment} for moment in (10**15, 10**400, -(10**400))),  # no calendar has them
        {"urn:zitadel:iam:org:project:roles": ["read:messages"]},
        {"urn:zitadel:iam:org:project:roles": {"read:messages": {}}},
        {"urn:zitadel:iam:org:project:roles": None},
        {"aud": "one", "scope": "\u0000\u001b[31m"},
        {"username": "e\u202evil\x1b[2J", "aud": ["\x1b]0;title\x07"], "iss": "\x9b31m"},
    ],
)
def test_claims_of_any_shape_are_shown_without_control_characters(shell: Shell, changed: dict[str, object]) -> None:
    with upstream(claims(**changed)) as zitadel:
        ran = shell("introspect", ZITADEL_DOMAIN=zitadel.url)
    assert ran.code == 0
    assert not set(ran.all) & {"\x1b", "\x07", "\x9b", "\u202e", "\x00"}


def test_nothing_is_told_twice(shell: Shell) -> None:
    ran = shell("introspect", PAT=VISITOR.pat)
    labels = [line.split()[0] for line in ran.out.splitlines() if line[:1].isalpha()]
    assert sorted(labels) == sorted(set(labels))
    assert "assignments" in labels


def test_it_is_done_within_the_timeout_and_a_second_whatever_hangs(shell: Shell) -> None:
    with upstream(INACTIVE, FAULTS["hangs"].behaviour) as zitadel:
        start = time.monotonic()
        ran = shell("introspect", "--pat", "A" * 71, ZITADEL_DOMAIN=zitadel.url, ZDEMO_TIMEOUT="1")
        assert time.monotonic() - start < 2.5
    assert ran.code == 1
    with upstream(FAULTS["hangs"].behaviour) as zitadel:
        ran = shell("introspect", ZITADEL_DOMAIN=zitadel.url, ZDEMO_TIMEOUT="0.3")
    assert ran.code == 4
    assert "0.3 s" in ran.all
    assert "ZDEMO_TIMEOUT" in ran.all


def test_an_empty_role_is_no_with_a_reason(shell: Shell) -> None:
    for more in ((), ("--json",)):
        ran = shell("introspect", "--require", " ", *more)
        assert (ran.code, is_two_lines(ran), "--require is empty" in ran.err) == (1, True, True)
