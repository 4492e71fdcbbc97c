"""Where the token comes from, and what wins."""

import base64
import os

import pytest

from tests.support.cli import Shell, is_two_lines
from tests.support.terminal import at_terminal
from zdemo.authorization import LONGEST_TOKEN
from zdemo.emulator import READER, VISITOR


def test_an_option_wins_over_the_environment_and_that_over_a_file(shell: Shell) -> None:
    shell.dotenv(PAT=READER.pat)
    assert shell("call", "scoped", PAT="").code == 0
    (shell.folder / "other.env").write_text(f"PAT={VISITOR.pat}\n")
    for ran, source in (
        (shell("call", "scoped", "--env-file", "other.env", PAT=""), "other.env"),
        (shell("call", "scoped", PAT=VISITOR.pat), "the environment"),
        (shell("call", "scoped", "--pat", VISITOR.pat), "the command line"),
    ):
        assert (ran.code, f"from {source}" in ran.out) == (1, True)


def test_a_source_that_differs_from_that_of_the_address_is_told(shell: Shell) -> None:
    shell.dotenv(PAT=READER.pat)
    called, asked = shell("call", "private", PAT=""), shell("introspect", PAT="")
    for ran in (called, asked):
        assert ran.code == 0
        assert ".env" in ran.err
        assert "the environment" in ran.err
    assert "ZDEMO_API_URL" in called.err
    assert "ZITADEL_DOMAIN" in asked.err


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "  \n"])
def test_a_dash_reads_the_token_from_standard_input_without_its_line_end(shell: Shell, end: str) -> None:
    assert shell("introspect", "--pat", "-", "-q", stdin=VISITOR.pat + end, PAT="").code == 0


@pytest.mark.parametrize(
    ("stdin", "named"),
    [
        (b" \n", "empty"),
        (b"ab\xffcd", "invisible"),
        (b"\xff\xfe" + READER.pat.encode("utf-16-le"), "invisible"),
        (READER.pat.encode() + b"\nsecond line\n", "line end"),
        (f"\u201c{READER.pat}\u201d".encode(), "quotes"),
        (f"Bearer {READER.pat}".encode(), "Bearer"),
        (f"{READER.pat[:30]}\u200b{READER.pat[30:]}".encode(), "200B"),
    ],
)
def test_what_is_not_a_token_is_named_and_not_sent(shell: Shell, stdin: bytes, named: str) -> None:
    ran = shell("call", "private", "--pat", "-", stdin=stdin)
    assert (ran.code, is_two_lines(ran), named in ran.err) == (3, True, True)
    assert READER.pat[8:24] not in ran.all
    introspected = shell("introspect", "--pat", "-", stdin=stdin)
    assert (introspected.code in (1, 3), named in introspected.all) == (True, True)


def test_no_token_is_needed_where_nobody_asks_for_one(shell: Shell) -> None:
    assert shell("call", "public", PAT='"broken token"').code == 0
    assert shell("call", "public", PAT="").code == 0


def test_call_without_a_token_sends_none_and_introspect_wants_one(shell: Shell) -> None:
    ran = shell("call", "private", PAT="")
    assert (ran.code, "401" in ran.out, "--pat" in ran.out) == (1, True, True)
    ran = shell("introspect", PAT="")
    assert (ran.code, is_two_lines(ran), "--pat" in ran.err) == (3, True, True)


# --- the forms of --pat


def test_an_empty_option_is_a_missing_token_and_not_the_one_of_the_environment(shell: Shell) -> None:
    for arguments in (("--pat", ""), ("--pat=",), ("--pat", "  ")):
        ran = shell("call", "private", *arguments)
        assert (ran.code, is_two_lines(ran)) == (3, True)


def test_a_token_may_begin_with_a_dash(shell: Shell) -> None:
    for arguments in (("--pat", "-abc-def_ghi"), ("--pat=-abc-def_ghi",), ("--pat", "--abc-def_ghi")):
        ran = shell("call", "private", *arguments, "--json")
        assert (ran.code, ran.document["status"], ran.document["challenge"]["error"]) == (1, 401, "invalid_token")


@pytest.mark.parametrize(
    "arguments", [("call", "private", "--pat", "--json"), ("introspect", "--pat", "-q"), ("call", "--pat", "private")]
)
def test_a_bare_option_before_the_end_is_a_wrong_command_line_with_a_hint(
    shell: Shell, arguments: tuple[str, ...]
) -> None:
    ran = shell(*arguments)
    assert (ran.code, is_two_lines(ran)) == (2, True)


def test_a_bare_option_asks_only_where_somebody_can_answer(shell: Shell) -> None:
    ran = shell("call", "private", "--pat", stdin=READER.pat)
    assert (ran.code, is_two_lines(ran), "--pat -" in ran.err) == (2, True, True)


def test_a_bare_option_asks_without_echo_on_a_terminal(shell: Shell) -> None:
    code, screen = at_terminal(shell, "call", "scoped", "--pat", when="token: ", typed=f"{VISITOR.pat}\n", PAT="")
    assert code == 1
    assert "insufficient_scope" in screen
    assert VISITOR.pat not in screen
    assert VISITOR.pat[6:20] not in screen


@pytest.mark.parametrize("command", [("introspect",), ("call", "private"), ("call", "private", "--url", "localhost")])
def test_nothing_is_asked_for_where_the_settings_are_wrong(bare: Shell, command: tuple[str, ...]) -> None:
    env = {"ZITADEL_DOMAIN": "localhost:1", "ZDEMO_API_URL": "localhost:1"}
    code, screen = at_terminal(bare, *command, "--pat", when="token: ", typed="x\n", **env)
    assert (code in (2, 3), "token: " in screen, "scheme" in screen) == (True, False, True)


def test_an_answer_that_is_empty_or_interrupted_sends_nothing(shell: Shell) -> None:
    code, screen = at_terminal(shell, "call", "private", "--pat", when="token: ", typed="\n")
    assert (code, "empty" in screen) == (3, True)
    for key in ("\x03", "\x04"):
        code, screen = at_terminal(shell, "introspect", "--pat", when="token: ", typed=key)
        assert code == 130
        assert "Traceback" not in screen


@pytest.mark.parametrize("command", [("introspect",), ("introspect", "--json"), ("call", "private")])
def test_what_is_too_long_for_a_token_is_refused_before_anything_is_done_with_it(
    bare: Shell, command: tuple[str, ...]
) -> None:
    long = base64.b64encode(os.urandom(750_000), altchars=b"-_").decode()
    ran = bare(*command, "--pat", "-", stdin=long)
    assert (ran.code, is_two_lines(ran)) == (3, True)
    assert "the token from the command line is longer than 16 KiB" in ran.err
    bare.dotenv(PAT="a" * (LONGEST_TOKEN + 1))
    assert "the token from .env is longer" in bare(*command).err
    assert "longer" not in bare(*command, PAT="a" * LONGEST_TOKEN).err
