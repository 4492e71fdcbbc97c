"""``zdemo call``: one request, what came, why, and what to do next; the usual screens are consoles of the docs."""

import re

import pytest

from tests.support.cli import Shell, is_two_lines
from tests.support.connection_faults import ACTIVE, claims
from tests.support.upstream import answer, free_port, json_body, raw, reset, upstream
from zdemo.cli.screen import Screen
from zdemo.cli.watch import Watch
from zdemo.config.settings import ClientSettings
from zdemo.emulator import READER, VISITOR
from zdemo.errors import ZdemoError
from zdemo.http.api_call import Method, call_api
from zdemo.http.example_api import Route

SCOPED = "/api/private-scoped"
NOWHERE = "http://127.0.0.1:1"


def test_an_accepted_call_names_those_who_impersonate_the_user(shell: Shell) -> None:
    ran = shell.beside(claims(username="ada", act={"sub": "8", "act": {"sub": "9"}}), "call", "private")
    assert (ran.code, "ada, impersonated by 8, 9 (" in ran.out) == (0, True)


def test_an_accepted_call_needs_no_zitadel(shell: Shell) -> None:
    ran = shell("call", "private", ZITADEL_DOMAIN=f"http://localhost:{free_port()}")
    assert (ran.code, ran.err) == (0, "")
    assert "  token       zdem…-000, from the environment" in ran.out.splitlines()
    with upstream(ACTIVE) as zitadel:
        for words in (("call", "public"), ("call", "private", "--json"), ("call", "/api/private")):
            assert shell(*words, ZITADEL_DOMAIN=zitadel.url).code == 0
        assert zitadel.connections == 0


def test_a_refusal_is_a_document_with_challenge_body_and_next_command(shell: Shell) -> None:
    ran = shell("call", "scoped", "--json", "--pat", VISITOR.pat)
    assert (ran.code, ran.err, VISITOR.pat in ran.out) == (1, "", False)
    document = ran.document
    assert (document["status"], document["url"][-len(SCOPED) :], document["milliseconds"] > 0) == (401, SCOPED, True)
    assert (document["body"]["error"], document["challenge"]["error"]) == ("insufficient_scope",) * 2
    assert "zdemo role grant visitor read:messages" in document["next"]


@pytest.mark.thorough
def test_an_answer_is_shown_without_control_characters_whatever_the_locale(shell: Shell) -> None:
    odd = {"message": "gr\u00fc\u00dfe \x7f\x9b31m \u202e\u2066evil\u0007"}
    with upstream(answer(json_body(odd), headers={"WWW-Authenticate": 'Bearer error="\x9b31m"'})) as api:
        ran = shell.in_new_process("call", "public", "--json", "--url", api.url, LC_ALL="C", PYTHONIOENCODING="ascii")
        assert (ran.code, ran.document["body"], ran.document["challenge"]["error"]) == (0, odd, "\x9b31m")
        assert ran.out.removesuffix("\n").isprintable()
        assert "gr??e" in shell.in_new_process("call", "public", "--url", api.url, PYTHONIOENCODING="ascii").out


def test_verbose_shows_the_exchange_with_the_token_masked_and_the_body_once(shell: Shell) -> None:
    ran = shell("call", "private", "-v")
    assert ran.code == 0
    for words in ("> GET /api/private", "> Authorization: Bearer zdem\u2026-000", "< 200", "x-request-id", '"message"'):
        assert ran.out.lower().count(words.lower()) == 1
    assert READER.pat not in ran.all


def test_the_corrected_url_has_its_path(shell: Shell) -> None:
    with upstream(ACTIVE) as api:
        wrong = f"{api.url}/a/b".replace("http://", "https://")
        assert f"use {api.url}/a/b as the URL" in shell("call", wrong).err
        assert f"--api={api.url}/a/b" in shell("doctor", "--api", wrong).out


@pytest.mark.parametrize(("expected", "code"), [("401", 0), ("403", 1)])
def test_expect_turns_the_question_into_whether_this_status_comes(shell: Shell, expected: str, code: int) -> None:
    ran = shell("call", "scoped", "--pat", VISITOR.pat, "--expect", expected)
    assert (ran.code, f"hint:  ZDEMO_ROLE_DENIED_STATUS={expected}" in ran.err) == (code, code == 1)
    assert (ran.out.splitlines()[-1] == "401 as expected") == (code == 0)
    assert shell("call", "private", "--url", NOWHERE, "--expect", expected).code == 4


def test_the_curl_command_is_without_the_token_and_sends_nothing(shell: Shell) -> None:
    with upstream(ACTIVE) as api:
        ran = shell("call", "scoped", "--curl", "--url", api.url)
        assert (ran.code, ran.err, api.connections) == (0, "", 0)
    command = f'curl -i -H "Authorization: Bearer $PAT" {api.url}{SCOPED}'
    assert ran.out == f"{command}\n"
    ran = shell("call", "https://api.example/a?b=1&c=2 ", "-X", "POST", "--curl")
    assert ran.out == "curl -i -X POST -H \"Authorization: Bearer $PAT\" 'https://api.example/a?b=1&c=2'\n"


def test_as_visitor_sends_the_other_token(shell: Shell) -> None:
    env = {"ZDEMO_VISITOR_PAT": VISITOR.pat}
    ran = shell("call", "scoped", "--as", "visitor", **env)
    assert (ran.code, "token       visitor (zdem…y-00, from ZDEMO_VISITOR_PAT)" in ran.out) == (1, True)
    assert shell("call", "scoped", "--as", "reader", **env).code == 0
    curl = shell("call", "scoped", "--as", "visitor", "--curl", **env)
    assert ("Bearer $ZDEMO_VISITOR_PAT" in curl.out, curl.err) == (True, "")
    for words in (("--as", "visitor"), ("--pat", VISITOR.pat)):
        assert "hold the same value" not in shell("call", "/nothing", *words, **env).out
    misspelled = shell("call", "private", "--as", "visitor", ZDEMO_VISITORPAT="x")
    assert "rename ZDEMO_VISITORPAT to ZDEMO_VISITOR_PAT" in misspelled.err
    for more, code in (((), 3), (("--pat", "x"), 2)):
        ran = shell("call", "private", "--as", "visitor", *more)
        assert (ran.code, is_two_lines(ran)) == (code, True)


def test_watch_ends_at_once_where_the_address_is_wrong_or_the_token_can_never_be_accepted(shell: Shell) -> None:
    with upstream(raw(b"SSH-2.0-x\r\n")) as api:
        ran = shell("call", "public", "--watch", "--expect", "200", "--url", api.url)
    assert (ran.code, is_two_lines(ran)) == (4, True)
    with upstream(reset, answer(b"", 401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})) as api:
        ran = shell("call", "scoped", "--watch", "--expect", "200", "--url", api.url, PAT=READER.pat[:-9])
    assert (ran.code, "cut off" in ran.out, "the status is 401, not 200" in ran.err) == (1, True, True)


def test_what_watch_waited_for_comes_with_each_change_seconds_and_calls(shell: Shell) -> None:
    ok, away = answer(json_body({"message": "hello"})), answer(json_body({"error": "some"}), 503)
    gone = answer(json_body({}), 401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
    with upstream(ok, away, ok, reset, gone) as api:
        ran = shell("call", "private", "--watch", "--expect", "401", "--url", api.url)
    waiting, *changes = [re.sub(r"after \d+\.\d s", "after ‥ s", line) for line in ran.lines]
    assert waiting == "waiting for 401, at most 10 minutes (Ctrl-C ends it)"
    lost = f"no answer after ‥ s, 4 calls: {api.url} closed the connection without an answer"
    assert changes == ["503 after ‥ s, 2 calls", "200 after ‥ s, 3 calls", lost]
    assert (ran.code, ran.out.count("GET ")) == (0, 2)
    assert re.fullmatch(r"401 after \d+\.\d s, 5 calls", ran.out.splitlines()[-1])


@pytest.mark.parametrize(
    ("is_up", "expect", "reason", "code"),
    [(True, None, "did not change: 200", 1), (True, 403, "did not come: 200", 1), (False, None, "no answer after", 4)],
)
def test_watch_does_not_wait_forever(is_up: bool, expect: int | None, reason: str, code: int) -> None:
    with upstream(answer(json_body({"message": "hello"}))) as api:
        settings = ClientSettings(api_url=api.url if is_up else NOWHERE)
        watch = Watch(Screen(), lambda: call_api(settings, Route.PUBLIC, None), expect=expect, patience_seconds=0.1)
        with pytest.raises(ZdemoError, match=reason) as raised:
            watch.until_there(lambda _: None)
    assert raised.value.exit_code == code


HTML = {"Content-Type": "text/html; charset=utf-8"}


@pytest.mark.parametrize(
    ("status", "headers", "code"),
    [(503, {}, 4), (500, {}, 1), (429, {}, 1), (302, {}, 1), (200, HTML, 4), (401, HTML, 4)],
)
def test_the_exit_code_tells_no_answer_from_a_no(shell: Shell, status: int, headers: dict[str, str], code: int) -> None:
    """A web page is not an answer of the API, whatever its status."""
    with upstream(answer(json_body({"error": "some"}), status, headers=headers)) as api:
        ran = shell("call", "private", "--json", "--url", api.url)
    assert (ran.code, ran.document["status"], bool(ran.document["why"])) == (code, status, True)


@pytest.mark.parametrize("method", [Method.HEAD, Method.DELETE])
def test_any_path_is_called_with_any_method(shell: Shell, method: Method) -> None:
    with upstream(answer(b"" if method is Method.HEAD else json_body([1, {"a": "b"}]))) as api:
        by_path = shell("call", "/messages?limit=5", "-X", method.lower(), "--url", f"{api.url}/")
        by_url = shell("call", f"{api.url}/messages?limit=5", "--method", method)
        received = [(request.method, request.target, request.headers["authorization"]) for request in api.requests]
    assert received == [(method, "/messages?limit=5", f"Bearer {READER.pat}")] * 2
    for ran in (by_path, by_url):
        assert (ran.code, ran.err, f"{method} {api.url}/messages?limit=5 " in ran.out) == (0, "", True)
        assert ("the answer has no body" if method is Method.HEAD else '[1, {"a": "b"}]') in ran.out


def test_no_secret_of_a_query_is_shown(shell: Shell) -> None:
    secret, word = "S3cr3tS3cr3tS3cr3t", "letmein"
    path = f"/a?limit=5&state=open&password={word}&sig={secret}"
    with upstream(answer(json_body({"state": "open", "echo": secret}), 500)) as api:
        for more in ((), ("-v",), ("--json",), ("--curl",)):
            ran = shell("call", f"{api.url}{path}", *more)
            assert not [text for text in (secret, word) if text in ran.all]
            assert "/a?limit=5&state=open&password=…&sig=…" in ran.out
        assert api.requests[0].target == path


def test_a_url_gets_the_token_only_where_it_may(shell: Shell) -> None:
    ran = shell("call", "http://api.example/messages")
    assert (ran.code, is_two_lines(ran)) == (2, True)
    assert "the URL would send tokens and secrets over plain http" in ran.lines[0]
    note = "note: the token zdem…-000, from the environment goes to https://nowhere.invalid"
    assert note in shell("call", "https://nowhere.invalid/messages").lines


def test_where_the_emulator_does_not_run_either_the_fix_starts_both(shell: Shell) -> None:
    api, emulated = (
        f"http://127.0.0.1:{free_port()}",
        {**shell.env, "ZITADEL_DOMAIN": f"http://localhost:{free_port()}"},
    )
    fixes = [shell("call", "scoped", "--url", api, **env).lines[1] for env in (emulated, shell.env)]
    port = emulated["ZITADEL_DOMAIN"].rpartition(":")[2]
    both = f"hint:  zdemo serve --emulator --emulator-port {port} --port {api.rpartition(':')[2]}"
    assert fixes == [both, both.replace(f" --emulator --emulator-port {port}", "")]
