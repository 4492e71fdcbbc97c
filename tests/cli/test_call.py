"""``zdemo call``: one request, what came, why, and what to do next."""

from __future__ import annotations

import time

import pytest

from tests.support.cli import Shell, Stack, is_two_lines
from tests.support.connection_faults import ACTIVE
from tests.support.upstream import answer, hang, json_body, refusing_port, upstream
from zdemo.cli.call import watched
from zdemo.cli.screen import Screen
from zdemo.client import Route, call_api
from zdemo.config.settings import ClientSettings
from zdemo.emulator import ADMIN, PROJECT_ID, READER, VISITOR
from zdemo.errors import ZdemoError
from zdemo.management.client import ManagementClient
from zdemo.management.role_assignments import revoke

SCOPED = "/api/private-scoped"


@pytest.mark.parametrize(
    ("route", "path"), [("public", "/api/public"), ("private", "/api/private"), ("scoped", SCOPED)]
)
def test_an_answer_shows_the_request_the_status_the_time_and_the_message(shell: Shell, route: str, path: str) -> None:
    ran = shell("call", route)
    assert (ran.code, ran.err) == (0, "")
    first, *rest = ran.out.splitlines()
    assert first.startswith(f"GET {shell.env['ZDEMO_API_URL']}{path} ")
    assert first.endswith(" ms")
    assert " 200 " in first
    assert route.replace("scoped", "Private, scoped").lower() in " ".join(rest).lower()


def test_a_refusal_shows_challenge_token_cause_and_next_command(shell: Shell) -> None:
    ran = shell("call", "scoped", PAT=VISITOR.pat)
    assert (ran.code, ran.err) == (1, "")
    for words in (" 401 ", "insufficient_scope", "read:messages", "zdem\u2026y-00", "the environment"):
        assert words in ran.out
    assert "zdemo role grant visitor read:messages" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80
    assert VISITOR.pat not in ran.all


def test_a_token_that_nobody_issued_is_told_from_one_without_the_role(shell: Shell) -> None:
    ran = shell("call", "private", "--pat", "A" * 71)
    assert (ran.code, "invalid_token" in ran.out, "insufficient" in ran.out) == (1, True, False)


def test_json_is_one_document_with_what_the_screen_says(shell: Shell) -> None:
    ran = shell("call", "scoped", "--json", "--pat", VISITOR.pat)
    document = ran.document
    assert (ran.code, ran.out.count("\n")) == (1, 1)
    assert document["status"] == 401
    assert document["url"].endswith(SCOPED)
    assert document["body"]["error"] == "insufficient_scope"
    assert "read:messages" in document["challenge"]["scope"]
    assert document["milliseconds"] > 0
    assert "zdemo role grant visitor read:messages" in document["next"]
    assert not [step for step in document["next"] if "  " in step]
    assert shell("call", "scoped", "--json").document["status"] == 200


def test_json_is_utf8_whatever_the_locale(shell: Shell) -> None:
    with upstream(answer(json_body({"message": "gr\u00fc\u00dfe"}))) as api:
        ran = shell.anew("call", "public", "--json", "--url", api.url, LC_ALL="C", PYTHONIOENCODING="ascii")
        assert ran.document["body"] == {"message": "gr\u00fc\u00dfe"}
        assert "gr??e" in shell.anew("call", "public", "--url", api.url, PYTHONIOENCODING="ascii").out


def test_json_is_json_without_control_characters_whatever_the_api_sends(shell: Shell) -> None:
    odd = {"message": "\x7f\x9b31m \u202e\u2066evil\u0007"}
    with upstream(answer(json_body(odd), headers={"WWW-Authenticate": 'Bearer error="\x9b31m"'})) as api:
        ran = shell("call", "public", "--json", "--url", api.url)
    assert (ran.code, ran.document["body"], ran.document["challenge"]["error"]) == (0, odd, "\x9b31m")
    assert ran.out.removesuffix("\n").isprintable()


def test_json_holds_no_number_that_json_does_not_have(shell: Shell) -> None:
    body = '{"message":NaN}'
    with upstream(answer(body.encode())) as api:
        ran = shell("call", "public", "--json", "--url", api.url)
    assert ran.document["body"] == body


def test_verbose_shows_the_exchange_with_the_token_masked(shell: Shell) -> None:
    ran = shell("call", "private", "-v")
    assert ran.code == 0
    for words in ("> GET /api/private", "> Authorization: Bearer zdem\u2026-000", "< 200", "x-request-id", '"message"'):
        assert words.lower() in ran.out.lower()
    assert READER.pat not in ran.all


@pytest.mark.parametrize(("expected", "code"), [("401", 0), ("403", 1)])
def test_expect_turns_the_question_into_whether_this_status_comes(shell: Shell, expected: str, code: int) -> None:
    ran = shell("call", "scoped", "--pat", VISITOR.pat, "--expect", expected)
    assert (ran.code, expected in ran.err) == (code, code == 1)


def test_expect_does_not_hide_that_nobody_answers(shell: Shell) -> None:
    with refusing_port() as port:
        assert shell("call", "private", "--url", f"http://127.0.0.1:{port}", "--expect", "401").code == 4


def test_curl_prints_a_command_without_the_token_and_sends_nothing(shell: Shell) -> None:
    with upstream(ACTIVE) as api:
        ran = shell("call", "scoped", "--curl", "--url", api.url)
        assert (ran.code, ran.err, api.connections) == (0, "", 0)
    command = f'curl -i -H "Authorization: Bearer $PAT" {api.url}{SCOPED}'
    assert ran.out == f"{command}\n"
    assert shell("call", "scoped", "--curl", "--url", api.url, "--json").document == {"curl": command}


def test_the_token_goes_into_the_header_of_what_needs_one(shell: Shell) -> None:
    with upstream(answer(json_body({"message": "hello"}))) as api:
        assert shell("call", "private", "--url", f"{api.url}/").code == 0
        assert shell("call", "public", "--url", api.url).code == 0
        private, public = api.requests
    assert private.headers["authorization"] == f"Bearer {READER.pat}"
    assert "authorization" not in public.headers


def test_url_wins_over_the_environment(shell: Shell) -> None:
    with refusing_port() as port:
        ran = shell("call", "public", ZDEMO_API_URL=f"http://127.0.0.1:{port}")
        assert (ran.code, is_two_lines(ran), "zdemo serve" in ran.err) == (4, True, True)
        url = shell.env["ZDEMO_API_URL"]
        assert shell("call", "public", "--url", url, ZDEMO_API_URL=f"http://127.0.0.1:{port}").code == 0


def test_watch_waits_for_another_answer_and_shows_it(own_stack: Stack, own_shell: Shell) -> None:
    management = ManagementClient(own_stack.emulator.url, ADMIN.pat, timeout_seconds=5)
    with own_shell.running("call", "scoped", "--watch") as process:
        assert process.stdout
        first = process.stdout.readline()
        assert " 200 " in first
        revoke(management, PROJECT_ID, "reader", "read:messages")
        rest, _ = process.communicate(timeout=30)
    management.close()
    assert process.returncode == 1
    assert " 401 " in rest
    assert "insufficient_scope" in rest


def test_watch_for_a_status_that_is_there_already_does_not_wait(shell: Shell) -> None:
    with upstream(answer(json_body({"message": "hello"}))) as api:
        ran = shell("call", "private", "--watch", "--expect", "200", "--url", api.url)
        assert (ran.code, ran.out.count("200"), len(api.requests)) == (0, 1, 1)


def test_watch_for_a_status_waits_past_other_answers(shell: Shell) -> None:
    ok, away, gone = (answer(json_body({"error": "some"}), status) for status in (200, 503, 401))
    with upstream(ok, away, gone) as api:
        ran = shell("call", "private", "--watch", "--expect", "401", "--json", "--url", api.url)
    assert (ran.code, ran.document["status"], len(api.requests)) == (0, 401, 3)


@pytest.mark.parametrize(("expect", "said"), [(None, "is still 200"), (403, "403 has not come")])
def test_watch_does_not_wait_forever(expect: int | None, said: str) -> None:
    with upstream(answer(json_body({"message": "hello"}))) as api:
        settings = ClientSettings(api_url=api.url)
        first = call_api(settings, Route.PUBLIC, None)
        with pytest.raises(ZdemoError, match=said) as raised:
            watched(Screen(), settings, None, first, expect=expect, patience_seconds=0.1)
    assert raised.value.exit_code == 1


# --- what ZITADEL is asked, and when


def test_zitadel_is_not_asked_after_success(shell: Shell) -> None:
    with upstream(ACTIVE) as zitadel:
        assert shell("call", "scoped", ZITADEL_DOMAIN=zitadel.url).code == 0
        assert zitadel.connections == 0


def test_an_api_that_asks_another_zitadel_is_noticed(shell: Shell) -> None:
    with upstream(ACTIVE) as zitadel:
        ran = shell("call", "private", "--pat", "A" * 71, ZITADEL_DOMAIN=zitadel.url)
        assert zitadel.connections > 0
    assert ran.code == 1
    assert "another ZITADEL" in ran.out.replace("\n    ", " ")


def test_without_settings_the_refusal_is_explained_as_far_as_it_can_be(shell: Shell) -> None:
    ran = shell("call", "scoped", "--pat", VISITOR.pat, ZITADEL_DOMAIN="", CLIENT_ID="")
    assert ran.code == 1
    assert "insufficient_scope" in ran.out
    assert "ZITADEL_DOMAIN" in ran.out
    assert "CLIENT_ID" in ran.out


@pytest.mark.parametrize(("status", "code"), [(503, 4), (500, 1), (429, 1), (302, 1)])
def test_the_exit_code_tells_who_did_not_answer_from_who_said_no(shell: Shell, status: int, code: int) -> None:
    with upstream(answer(json_body({"error": "some"}), status)) as api:
        ran = shell("call", "private", "--json", "--url", api.url)
    assert (ran.code, ran.document["status"]) == (code, status)
    assert ran.document["why"]


@pytest.mark.parametrize("status", [200, 401, 503])
def test_a_web_page_is_no_answer_of_the_api_whatever_its_status(shell: Shell, status: int) -> None:
    page = answer(b"<html>hello</html>", status, headers={"Content-Type": "text/html; charset=utf-8"})
    with upstream(page) as api:
        ran = shell("call", "private", "--url", api.url)
    assert ran.code == 4
    assert "text/html" in ran.out
    assert "correct --url" in ran.out
    assert "<html>" not in ran.out


def test_control_characters_of_an_answer_do_not_reach_the_terminal(shell: Shell) -> None:
    evil = "\x1b[31mred\x07\u202egnp\x9b"
    with upstream(answer(json_body({"message": evil, "error": evil, "error_description": evil}))) as api:
        for status in (200, 401):
            challenge = {"WWW-Authenticate": f'Bearer error="{evil[:8]}", scope="x\x1b[2J"'}
            api.now(answer(json_body({"message": evil, "error": evil}), status, headers=challenge))
            ran = shell("call", "private", "-v", "--url", api.url)
            assert not set(ran.all) & {"\x1b", "\x07", "\x9b", "\u202e"}
            assert "\x1b" not in shell("call", "private", "--json", "--url", api.url).out


def test_a_call_ends_within_the_timeout(shell: Shell) -> None:
    with upstream(hang) as api:
        start = time.monotonic()
        ran = shell("call", "private", "--url", api.url, ZDEMO_TIMEOUT="0.5")
        assert time.monotonic() - start < 5
    assert (ran.code, is_two_lines(ran), "0.5 s" in ran.err) == (4, True, True)
