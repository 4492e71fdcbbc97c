"""``zdemo introspect``: what ZITADEL says about a token, what the API would answer, and why."""

import base64
import json
import re
import time
import unicodedata

import pytest
import requests

from tests.support.cli import Shell, Stack, is_two_lines
from tests.support.connection_faults import FAULTS, INACTIVE, claims
from tests.support.terminal import shown_at
from tests.support.upstream import answer, http, json_body, raw, refusing_port, upstream
from tests.support.wire import PATIENCE_SECONDS
from zdemo.config.columns import cells
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


def test_a_token_that_does_not_say_when_it_expires(shell: Shell) -> None:
    with upstream(answer(json_body({"active": True, "sub": "1", "aud": ["1"]}))) as zitadel:
        ran = shell("introspect", ZITADEL_DOMAIN=zitadel.url)
    assert (ran.code, ran.out.splitlines()[0]) == (0, "active        yes, without an expiry")


# --- every claim


def test_verbose_shows_every_claim_after_all_else(shell: Shell) -> None:
    short, long = shell("introspect"), shell("introspect", "-v")
    assert (long.code, long.err, long.out.startswith(f"{short.out}\nclaims\n")) == (0, "", True)
    shown = long.out[len(short.out) :]
    for name, value in shell("introspect", "--json").document.items():
        assert re.search(rf"^  {re.escape(name)}(  +|\n +)\S", shown, re.MULTILINE), name
        assert not isinstance(value, str) or value.split()[-1] in shown
    assert "iat           1767225600 (2026-01-01 00:00:00 UTC)" in shown
    assert shell("introspect", "-v", "--json").out == shell("introspect", "--json").out
    assert shell("introspect", "-v", "-q").all == ""


def test_verbose_shows_the_claims_of_an_inactive_token_too(shell: Shell) -> None:
    assert shell("introspect", "--pat", "foo", "-v").out.endswith("\n\nclaims\n  active        false\n")


@pytest.mark.parametrize("width", [40, 60])
def test_names_in_claims_are_whole_and_no_value_stands_where_names_do(shell: Shell, width: int) -> None:
    shown = shown_at(width, shell, "introspect", "-v", NO_COLOR="1").partition("\nclaims\n")[2]
    names = re.findall(r"^  (\S+)", shown, re.MULTILINE)
    assert "urn:zitadel:iam:user:resourceowner:primary_domain" in names
    assert "…" not in shown
    if width == 60:
        assert set(names) == set(shell("introspect", "--json").document)


def flat(text: str) -> str:
    return " ".join(text.split())


HOSTILE = {
    "a\x1b[2J\r\nactive  yes": "\x1b]0;title\x07\u202e\n  roles",
    "long": "x" * 5000,
    "words": "word " * 1000,
    "n" * 300: {"k": ["v" * 300, None, True, 1.5]},
    "wide": "\u5b57" * 300,
    "exp": 10**15,
    "auth_time": 10**400,
    "empty": "",
    "deep": json.loads("[" * 200 + "]" * 200),
}


@pytest.mark.parametrize("width", [40, 80, 120])
def test_hostile_claims_are_one_row_each_and_fit_the_terminal(shell: Shell, width: int) -> None:
    with upstream(claims(**HOSTILE)) as zitadel:
        shown = shown_at(width, shell, "introspect", "-v", ZITADEL_DOMAIN=zitadel.url, NO_COLOR="1")
    shown = shown.rpartition("\x1b[")[2].partition("\n")[2]  # what the spinner left
    rows = shown.partition("\nclaims\n")[2].splitlines()
    assert len(shown) < 30_000
    assert [row for row in rows if cells(row) > width and " " in row.strip()] == []
    assert not [row for row in rows if row and not row.startswith("  ") and width > 40]
    assert max(map(cells, rows)) <= max(width, 80)
    assert not set(shown) & {"\x1b", "\x07", "\x9b", "\u202e", "\x00", "\r"}
    for words in (r"a\x1b[2J\r\n", "xxx…xxx", "--json shows all 5000 characters", "字…字", '""'):
        assert words in flat(shown)


# --- a JWT that nobody verifies


def jwt_of(**changed: object) -> str:
    said: dict[str, object] = {
        "iss": "https://zitadel.example",
        "sub": "7",
        "aud": [PROJECT_ID],
        "jti": "V2_1",
        "exp": 4_000_000_000,
    }
    said = {name: value for name, value in {**said, "iat": 1_700_000_000, **changed}.items() if value is not None}
    parts = ({"alg": "RS256", "kid": "9"}, said)
    encoded = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)
    return ".".join([*encoded, "c2lnbmF0dXJl"])


ROLES = f"urn:zitadel:iam:org:project:{PROJECT_ID}:roles"


def test_a_jwt_is_read_but_never_active_while_zitadel_is_away(shell: Shell) -> None:
    roles = {"read:messages": {"1": "one.example"}}
    token = jwt_of(client_id="svc", **{ROLES: roles})
    with refusing_port() as port:
        env = {"ZITADEL_DOMAIN": f"http://127.0.0.1:{port}", "ZITADEL_PROJECT_ID": PROJECT_ID, "PAT": token}
        ran, verbose, quiet = (shell("introspect", *more, **env) for more in ((), ("-v",), ("-q",)))
        assert shell("introspect", **{**env, "PAT": READER.pat}).out == ""
    assert (ran.code, verbose.code, quiet.code, quiet.out, ran.out[:12]) == (4, 4, 4, "", "not verified")
    for words in ("not verified", "svc (user 7)", "expiry in ", "zitadel.example, but ZITADEL_DOMAIN is http"):
        assert words in flat(ran.out)
    assert "it names this API (ZITADEL_PROJECT_ID)" in ran.out
    assert "granted by one.example (1)" in ran.out
    assert not re.search(r"active +yes", ran.out)
    assert "/api/private" not in ran.out
    assert "nothing listens" in ran.err
    assert token not in ran.all
    assert "header, not verified\n  alg           RS256\n  kid           9" in verbose.out
    assert "claims, not verified\n  iss           https://zitadel.example" in verbose.out


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"iss": "ZITADEL"}, ["as in ZITADEL_DOMAIN"]),
        ({"iss": ["x"]}, ["issuer        none, but ZITADEL_DOMAIN is"]),
        ({"exp": 1_700_000_100}, ["expiry        expired ", "(2023-11-14 22:15:00 UTC)"]),
        ({"exp": "soon"}, ["expiry        none"]),
        ({"exp": 10**400, "iat": -(10**400)}, ["expiry        in "]),
        ({"aud": ["1", "2"]}, ["it names neither this API's project (ZITADEL_PROJECT_ID) nor its"]),
        ({"aud": CLIENT_ID}, ["it names this API (CLIENT_ID)"]),
        ({"aud": {"x": 1}}, ["audience      none"]),
        ({"jti": None, "at_hash": "x"}, ["an ID token, which no API accepts"]),
        ({ROLES: ["read:messages"]}, ["roles in project", "none"]),
        ({"scope": "openid profile"}, ["scopes        openid\n              profile"]),
        ({}, ["none in the JWT; introspection still shows the roles"]),
        ({"client_id": "\x1b[2J\n  x", "iss": "\x9b31m\u202e"}, [r"\x1b[2J\n  x", r"\x9b31m\u202e"]),
    ],
)
def test_what_a_jwt_says_is_compared_with_the_settings(
    shell: Shell, changed: dict[str, object], words: list[str]
) -> None:
    with upstream(raw(b"")) as zitadel:
        said = {name: zitadel.url if value == "ZITADEL" else value for name, value in changed.items()}
        ran = shell("introspect", PAT=jwt_of(**said), ZITADEL_DOMAIN=zitadel.url, ZITADEL_PROJECT_ID=PROJECT_ID)
    assert ran.code == 4
    for word in words:
        assert word in ran.out
    assert not set(ran.all) & {"\x1b", "\x9b", "\u202e"}


def test_json_without_an_answer_holds_what_the_jwt_says_and_is_zitadels_own_otherwise(shell: Shell) -> None:
    token = jwt_of()
    with refusing_port() as port:
        away = shell("introspect", "--json", PAT=token, ZITADEL_DOMAIN=f"http://127.0.0.1:{port}")
    assert (away.code, list(away.document)) == (4, ["error", "hint", "not_verified"])
    assert away.document["not_verified"]["header"] == {"alg": "RS256", "kid": "9"}
    assert away.document["not_verified"]["claims"]["aud"] == [PROJECT_ID]
    ran = shell("introspect", "--json", PAT=token)
    assert (ran.code, ran.document) == (1, {"active": False})
    ran = shell("introspect", "--json", PAT=token, CLIENT_SECRET="B" * 64)
    assert (ran.code, ran.document) == (1, {"error": "unauthorized_client"})


def test_verbose_reads_an_inactive_jwt_too_and_refused_credentials_do_not_hinder(shell: Shell) -> None:
    token = jwt_of()
    ran = shell("introspect", "-v", PAT=token)
    assert (ran.code, ran.out.startswith("active        no\n"), "claims, not verified" in ran.out) == (1, True, True)
    assert "not verified" not in shell("introspect", PAT=token).out
    ran = shell("introspect", PAT=token, CLIENT_SECRET="B" * 64)
    assert (ran.code, "active        unknown" in ran.out, "not verified" in ran.out) == (1, True, True)
    with upstream(answer(json_body({"active": True}), 500)) as zitadel:
        ran = shell("introspect", PAT=token, ZITADEL_DOMAIN=zitadel.url)
    assert (ran.code, "not verified" in ran.out) == (4, True)
