"""``zdemo call``: one request, what came, why, and what to do next."""

import json
import os
import re
import signal
from dataclasses import replace

import pytest

from tests.support.cli import Shell, Stack, is_two_lines
from tests.support.connection_faults import ACTIVE
from tests.support.jwe import jwe
from tests.support.ports import free_port
from tests.support.upstream import answer, json_body, raw, refusing_port, reset, upstream
from zdemo.cli.screen import Screen
from zdemo.cli.watch import Watch
from zdemo.client import Method, Route, call_api
from zdemo.config.settings import ClientSettings, Settings
from zdemo.emulator import READER, VISITOR
from zdemo.errors import ZdemoError
from zdemo.server import create_app
from zdemo.serving.embedded import serving

SCOPED = "/api/private-scoped"


def test_an_exported_address_that_hides_another_is_said_once(own_shell: Shell, own_stack: Stack) -> None:
    own_shell.dotenv(PAT=READER.pat, ZDEMO_API_URL="http://127.0.0.1:9")
    ran = own_shell("call", "private", PAT="", ZDEMO_API_URL=own_stack.api_url)
    assert ran.err == "note: ZDEMO_API_URL is exported in this shell and hides the one in .env\n"


@pytest.mark.parametrize("route", Route)
def test_an_accepted_call_shows_request_status_time_whose_token_and_message(shell: Shell, route: Route) -> None:
    ran = shell("call", route)
    assert (ran.code, ran.err) == (0, "")
    first, *rows = ran.out.splitlines()
    assert re.fullmatch(rf"GET {shell.env['ZDEMO_API_URL']}{route.path} +200  \d+ ms", first)
    sent = [] if route is Route.PUBLIC else ["  token       reader (zdem…-000, from the environment)"]
    assert rows[: len(sent)] == sent
    assert route.split("-")[0] in rows[len(sent)].lower()


def test_an_accepted_call_needs_no_zitadel(shell: Shell) -> None:
    ran = shell("call", "private", ZITADEL_DOMAIN=f"http://localhost:{free_port()}")
    assert (ran.code, ran.err) == (0, "")
    assert "  token       zdem…-000, from the environment" in ran.out.splitlines()


@pytest.mark.parametrize("words", [("call", "public"), ("call", "private", "--json"), ("call", "/api/private")])
def test_zitadel_is_not_asked_whose_token_it_is(shell: Shell, words: tuple[str, ...]) -> None:
    with upstream(ACTIVE) as zitadel:
        assert shell(*words, ZITADEL_DOMAIN=zitadel.url).code == 0
        assert zitadel.connections == 0


def test_what_to_do_next_uses_the_same_env_file(shell: Shell) -> None:
    (shell.folder / "my api.env").write_text("ZDEMO_TIMEOUT=4\n")
    for command in (("call", "scoped"), ("introspect",), ("doctor",)):
        ran = shell(*command, "--env-file", "my api.env", PAT=VISITOR.pat)
        assert "zdemo role grant --env-file 'my api.env' visitor read:messages" in " ".join(ran.out.split()), command


def test_a_refusal_shows_challenge_token_cause_and_next_command(shell: Shell) -> None:
    ran = shell("call", "scoped", PAT=VISITOR.pat)
    assert (ran.code, ran.err) == (1, "")
    for words in (" 401 ", "insufficient_scope", "read:messages", "zdem\u2026y-00", "the environment"):
        assert words in ran.out
    assert "zdemo role grant visitor read:messages" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80
    assert VISITOR.pat not in ran.all


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
    with upstream(answer(b'{"message":NaN}')) as api:  # which is not JSON
        assert shell("call", "public", "--json", "--url", api.url).document["body"] == '{"message":NaN}'


def test_verbose_shows_the_body_once(shell: Shell) -> None:
    assert shell("call", "public", "-v").out.count("Public route") == 1


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
    assert (ran.out.splitlines()[-1] == "401 as expected") == (code == 0)
    with refusing_port() as port:
        assert shell("call", "private", "--url", f"http://127.0.0.1:{port}", "--expect", expected).code == 4


def test_curl_prints_a_command_without_the_token_and_sends_nothing(shell: Shell) -> None:
    with upstream(ACTIVE) as api:
        ran = shell("call", "scoped", "--curl", "--url", api.url)
        assert (ran.code, ran.err, api.connections) == (0, "", 0)
    command = f'curl -i -H "Authorization: Bearer $PAT" {api.url}{SCOPED}'
    assert ran.out == f"{command}\n"
    assert shell("call", "scoped", "--curl", "--url", api.url, "--json").document == {"curl": command}


def test_what_the_curl_command_needs_is_said_and_works(shell: Shell) -> None:
    assert shell("call", "scoped", "--curl").err == ""
    token, other = shell.env["PAT"], replace(shell, env={**shell.env, "PAT": ""})
    shell.dotenv(PAT=token)
    note, command = other.script('"$1" -m zdemo call scoped --curl').stderr.splitlines()
    assert (note[:32], token in note + command) == ("note: $PAT is not set in this sh", False)
    assert other.script(f"{command.strip()}; echo $PAT").stdout == f"{token}\n"
    assert "from the command line" in other("call", "scoped", "--curl", "--pat", token).err
    shell.dotenv(PAT=f'"{token}"')
    assert "sed" not in other("call", "scoped", "--curl").err


@pytest.mark.parametrize("token", ["x", jwe("PAT")[:-1]])
def test_watch_ends_at_once_where_the_status_cannot_come(shell: Shell, token: str) -> None:
    ran = shell("call", "scoped", "--watch", "--expect", "200", "--pat", token)
    assert (ran.code, ran.lines[-2:]) == (
        1,
        ["error: 200 cannot come with this token", "hint:  copy the whole token, and nothing else"],
    )


def test_url_wins_over_the_environment(shell: Shell) -> None:
    with refusing_port() as port:
        ran = shell("call", "public", ZDEMO_API_URL=f"http://127.0.0.1:{port}")
        assert (ran.code, is_two_lines(ran), "zdemo serve" in ran.err) == (4, True, True)
        url = shell.env["ZDEMO_API_URL"]
        assert shell("call", "public", "--url", url, ZDEMO_API_URL=f"http://127.0.0.1:{port}").code == 0


def test_watch_waits_for_another_answer_and_shows_it(own_stack: Stack, own_shell: Shell) -> None:
    with own_shell.running("call", "scoped", "--watch") as process:
        assert process.stdout
        assert " 200 " in process.stdout.readline()
        own_stack.emulator.world.authorizations.clear()
        rest, _ = process.communicate(timeout=30)
    assert (process.returncode, " 401 " in rest, "insufficient_scope" in rest) == (1, True, True)


def test_watch_for_a_status_waits_past_other_answers(shell: Shell) -> None:
    ok, away, gone = (answer(json_body({"error": "some"}), status) for status in (200, 503, 401))
    for expect, requests in ((401, 3), (200, 1)):
        with upstream(ok, away, gone) as api:
            ran = shell("call", "private", "--watch", "--expect", str(expect), "--json", "--url", api.url)
        assert (ran.code, ran.document["status"], len(api.requests)) == (0, expect, requests)


def test_what_watch_waited_for_comes_with_each_change_seconds_and_calls(shell: Shell) -> None:
    ok, away = answer(json_body({"message": "hello"})), answer(json_body({"error": "some"}), 503)
    gone = answer(json_body({}), 401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
    with upstream(ok, away, ok, reset, gone) as api:
        ran = shell("call", "private", "--watch", "--expect", "401", "--url", api.url)
    changes = ["503", "200", f"no answer after ‥ s, 4 calls: {api.url} closed the connection without an answer"]
    waiting, *said = [re.sub(r"after \d+\.\d s", "after ‥ s", line) for line in ran.lines]
    assert waiting == "waiting for 401, at most 10 minutes (Ctrl-C ends it)"
    assert said == [f"{changes[0]} after ‥ s, 2 calls", f"{changes[1]} after ‥ s, 3 calls", changes[2]]
    assert (ran.code, ran.out.count("GET ")) == (0, 2)
    assert re.fullmatch(r"401 after \d+\.\d s, 5 calls", ran.out.splitlines()[-1])


@pytest.mark.parametrize("options", [("--expect", "200"), ("--expect", "200", "--json"), ()])
def test_watch_waits_for_an_api_that_is_not_up_yet(shell: Shell, options: tuple[str, ...]) -> None:
    port = free_port()
    with shell.running("call", "public", "--watch", *options, "--url", f"http://127.0.0.1:{port}") as process:
        assert process.stderr
        assert f"127.0.0.1:{port} refuses connections" in process.stderr.readline()
        said = next((line for line in process.stderr if "waiting" in line), "")
        assert f"waiting for {'200' if options else 'an answer'}, at most" in said
        with serving(create_app(Settings.from_env(shell.env)), port=port):
            out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    if "--json" in options:
        document = json.loads(out)
        assert (document["status"], document["seconds"] > 0, document["calls"] > 1) == (200, True, True)
    else:
        assert re.fullmatch(r"200 after \d+\.\d s, \d+ calls", out.splitlines()[-1])


def test_a_wrong_address_ends_watch_at_once(shell: Shell) -> None:
    with upstream(raw(b"SSH-2.0-x\r\n")) as api:
        ran = shell("call", "public", "--watch", "--expect", "200", "--url", api.url)
    assert (ran.code, is_two_lines(ran)) == (4, True)


def test_ctrl_c_ends_watch_with_what_came_last(shell: Shell) -> None:
    with (
        upstream(answer(json_body({"message": "hello"}))) as api,
        shell.running("call", "public", "--watch", "--expect", "401", "--url", api.url) as process,
    ):
        assert process.stderr
        assert process.stderr.readline().startswith("waiting for 401")
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert re.fullmatch(r"200 after \d+\.\d s, \d+ calls?; 401 did not come\ninterrupted\n", err)


@pytest.mark.parametrize(("expect", "said"), [(None, "the answer is still 200"), (403, "403 did not come, it is 200")])
def test_watch_does_not_wait_forever(expect: int | None, said: str) -> None:
    with upstream(answer(json_body({"message": "hello"}))) as api:
        assert said in str(given_up(api.url, expect, code=1))
    with refusing_port() as port:
        assert "no answer after" in str(given_up(f"http://127.0.0.1:{port}", expect, code=4))


def given_up(url: str, expect: int | None, *, code: int) -> ZdemoError:
    """Return how a watch ends that has little patience."""
    settings = ClientSettings(api_url=url)
    watch = Watch(Screen(), lambda: call_api(settings, Route.PUBLIC, None), expect=expect, patience_seconds=0.1)
    with pytest.raises(ZdemoError) as raised:
        watch.until_there(lambda _: None)
    assert raised.value.exit_code == code
    return raised.value


# --- what ZITADEL is asked, and when


def test_an_api_that_asks_another_zitadel_is_noticed(shell: Shell) -> None:
    with upstream(ACTIVE) as zitadel:
        ran = shell("call", "private", "--pat", "A" * 71, ZITADEL_DOMAIN=zitadel.url)
        assert zitadel.connections > 0
    assert ran.code == 1
    assert "another ZITADEL" in ran.out.replace("\n    ", " ")


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
    assert (ran.code, "<html>" in ran.out) == (4, False)
    assert all(words in ran.out for words in ("text/html", "correct --url"))


def test_control_characters_of_an_answer_do_not_reach_the_terminal(shell: Shell) -> None:
    evil = "\x1b[31mred\x07\u202egnp\x9b"
    challenge = {"WWW-Authenticate": f'Bearer error="{evil[:8]}", scope="x\x1b[2J"'}
    for status in (200, 401):
        with upstream(answer(json_body({"message": evil, "error": evil}), status, headers=challenge)) as api:
            ran = shell("call", "private", "-v", "--url", api.url)
        assert not set(ran.all) & {"\x1b", "\x07", "\x9b", "\u202e"}


# --- any API


@pytest.mark.parametrize("method", Method)
def test_any_path_is_called_with_any_method(shell: Shell, method: Method) -> None:
    with upstream(answer(b"" if method is Method.HEAD else json_body([1, {"a": "b"}]))) as api:
        by_path = shell("call", "/messages?limit=5", "-X", method.lower(), "--url", f"{api.url}/")
        by_url = shell("call", f"{api.url}/messages?limit=5", "--method", method)
        received = [(one.method, one.target, one.headers["authorization"]) for one in api.requests]
    assert received == [(method, "/messages?limit=5", f"Bearer {READER.pat}")] * 2
    for ran in (by_path, by_url):
        assert (ran.code, ran.err) == (0, "")
        assert f"{method} {api.url}/messages?limit=5 " in ran.out
        assert ("the answer has no body" if method is Method.HEAD else '[1, {"a": "b"}]') in ran.out


def test_the_curl_command_has_method_and_quotes(shell: Shell) -> None:
    ran = shell("call", "https://api.example/a?b=1&c=2", "-X", "POST", "--curl")
    assert ran.out == "curl -i -X POST -H \"Authorization: Bearer $PAT\" 'https://api.example/a?b=1&c=2'\n"
    assert shell("call", "/a", "-X", "HEAD", "--curl", "--url", "https://api.example").out.startswith("curl -I -H ")


def test_no_secret_of_a_query_is_shown(shell: Shell) -> None:
    secret, word = "S3cr3tS3cr3tS3cr3t", "letmein"
    path = f"/a?limit=5&state=open&password={word}&sig={secret}"
    with upstream(answer(json_body({"state": "open", "echo": secret}), 500)) as api:
        for more in ((), ("-v",), ("--json",), ("--curl",)):
            for target in ((path, "--url", api.url), (f"{api.url}{path}",)):
                ran = shell("call", *target, *more)
                assert not [one for one in (secret, word) if one in ran.all]
                assert "/a?limit=5&state=open&password=…&sig=…" in ran.out
        assert api.requests[0].target == path


def test_a_url_gets_the_token_only_where_it_may(shell: Shell) -> None:
    ran = shell("call", "http://api.example/messages")
    assert (ran.code, is_two_lines(ran)) == (2, True)
    assert "the URL would send tokens and secrets over plain http" in ran.lines[0]
    assert (
        ran.lines[1] == "hint:  use https://api.example in the URL, or ZDEMO_ALLOW_HTTP=1 in a network that you trust"
    )
    note = "note: the token zdem…-000, from the environment goes to https://nowhere.invalid"
    assert note in shell("call", "https://nowhere.invalid/messages").lines
    assert note not in shell("call", "https://nowhere.invalid/messages", "--pat", "abc").lines


PAGE = {"Content-Type": "text/html"}
SCOPE = "urn:zitadel:iam:org:project:role:read:messages"
REFUSALS: dict[str, tuple[int, dict[str, str], str, tuple[str, ...]]] = {
    "not found": (404, PAGE, READER.pat, ("nothing there for GET (404)", "correct the path")),
    "method": (405, {"Allow": "POST, OPTIONS"}, READER.pat, ("it takes POST, OPTIONS", "call /messages -X OPTIONS")),
    "redirect": (
        308,
        {"Location": "/messages/?token=abcdefgh"},
        READER.pat,
        ("to /messages/ (308); the redirect was not followed fix use",),
    ),
    "dead": (401, PAGE, "A" * 71, ("the PAT is not valid here", "zdemo introspect")),
    "own rules": (403, {}, READER.pat, ("for a reason of its own", "a right that the API requires")),
    "unknown scope": (
        403,
        {"WWW-Authenticate": 'Bearer error="insufficient_scope", scope="admin"'},
        VISITOR.pat,
        ("for a reason of its own", "required admin"),
    ),
    "bare challenge": (401, {"WWW-Authenticate": "Bearer"}, READER.pat, ("for a reason of its own", "no error code")),
    "a role": (
        403,
        {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{SCOPE}"'},
        VISITOR.pat,
        ("role read:messages is not granted to its user", "zdemo role grant visitor read:messages"),
    ),
    "disagrees": (
        401,
        {"WWW-Authenticate": 'Bearer error="invalid_token"'},
        READER.pat,
        ("disagree about this token",),
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_of_any_api_is_explained_by_what_is_known(shell: Shell, name: str) -> None:
    status, headers, pat, words = REFUSALS[name]
    with upstream(answer(json_body({"detail": "no"}), status, headers=headers)) as api:
        ran = shell("call", "/messages", "--url", api.url, PAT=pat)
    flat = " ".join(ran.out.split())
    assert ran.code == 1
    assert [one for one in words if one not in flat] == [], ran.out
    assert "abcdefgh" not in ran.all
    assert "did not receive" not in flat
    assert "no token was sent" not in flat
    if name != "a role":
        assert "role grant" not in flat
