"""Where the token comes from, what wins, and the question for it."""

from pathlib import Path

import pytest

from tests.support.cli import Shell, at_terminal, is_two_lines
from tests.support.upstream import hang_up, upstream
from zdemo.cli.token_input import token_question
from zdemo.config.environment import COMMAND_LINE, Environment
from zdemo.config.settings import AdminSettings
from zdemo.emulator import ADMIN, READER, VISITOR
from zdemo.guard.authorization import LONGEST_TOKEN

OTHER_TOKEN = "-abc-def_ghi"  # nobody issued it


def test_an_option_wins_over_the_environment_and_that_over_a_file(shell: Shell) -> None:
    shell.dotenv(PAT=READER.pat)
    called = shell("call", "scoped", PAT="")
    assert (called.code, ".env" in called.err, "ZDEMO_API_URL" in called.err) == (0, True, True)
    (shell.folder / "other.env").write_text(f"PAT={VISITOR.pat}\n")
    for ran, source in (
        (shell("call", "scoped", "--env-file", "other.env", PAT=""), "other.env"),
        (shell("call", "scoped", PAT=VISITOR.pat), "the environment"),
        (shell("call", "scoped", "--pat", VISITOR.pat), "--pat"),
    ):
        assert (ran.code, f"from {source}" in ran.out) == (1, True)
    assert ", from --pat, issued " in shell("introspect", "--pat", VISITOR.pat).out


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "  \n"])
def test_a_dash_reads_the_token_from_standard_input_without_its_line_end(shell: Shell, end: str) -> None:
    assert shell("introspect", "--pat", "-", "-q", stdin=VISITOR.pat + end, PAT="").code == 0


@pytest.mark.parametrize(
    ("stdin", "named"),
    [
        (b" \n", "empty"),
        (b"\xff\xfe" + READER.pat.encode("utf-16-le"), "the token is not UTF-8 text but UTF-16"),
        (READER.pat.encode() + b"\nsecond line\n", "line end"),
        (b"a" * (LONGEST_TOKEN + 1), "the token from --pat is longer than 16 KiB"),
    ],
)
def test_what_is_not_a_token_is_named_and_not_sent(shell: Shell, stdin: bytes, named: str) -> None:
    ran = shell("call", "private", "--pat", "-", stdin=stdin)
    assert (ran.code, is_two_lines(ran), named in ran.err) == (3, True, True)
    assert READER.pat[8:24] not in ran.all


@pytest.mark.parametrize(
    ("words", "env", "code", "named"),
    [
        ("call public", {"PAT": '"broken token"'}, 0, ""),
        ("call private", {"PAT": ""}, 1, "--pat"),
        ("introspect", {"PAT": ""}, 3, "--pat"),
        (f"introspect --pat @{__file__}", {}, 3, f"hint:  write --pat - < {__file__}"),
        ("role list", {"ZITADEL_ADMIN_PAT": ""}, 3, "add --admin-pat at the end of the line"),
        ("role list --admin-pat $X", {}, 3, "--admin-pat is the name of a variable"),
        ("role list --admin-pat @x.txt", {}, 3, "--admin-pat - < FILE"),
        ("role list --admin-pat x --admin-key x", {}, 2, "leave out one of them"),
        ("role list --admin-key=", {"ZDEMO_USER_CLIENT_ID": "x", "ZDEMO_USER_CLIENT_SECRET": "x"}, 2, "key is empty"),
        ("role list", {"ZITADEL_ADMIN_PAT": "", "ZITADEL_DOMAIN": ""}, 3, "set them in the environment"),
        ("serve --admin-pat x --no-page", {}, 2, "leave out --admin-pat"),
        ("call private --pat=", {}, 2, "--pat is empty"),
        (f"call private --pat token={READER.pat}", {}, 3, "the token from --pat cannot be sent: the token has its"),
        (f"call private --pat {OTHER_TOKEN}", {}, 1, "invalid_token"),
        (f"call private --pat=-{OTHER_TOKEN}", {}, 1, "invalid_token"),
        ("call private --pat", {}, 2, "--pat -"),  # nobody can answer
    ],
)
def test_each_form_of_the_option(shell: Shell, words: str, env: dict[str, str], code: int, named: str) -> None:
    ran = shell(*words.split(), **env)
    assert (ran.code, named in ran.all) == (code, True)


def test_a_bare_option_asks_without_echo_on_a_terminal(shell: Shell) -> None:
    code, screen = at_terminal(shell, "call", "scoped", "--pat", when="token: ", typed=f"{VISITOR.pat}\n", PAT="")
    assert (code, "insufficient_scope" in screen, VISITOR.pat[6:20] in screen) == (1, True, False)
    for typed, code, words in (("\n", 3, "empty"), ("\x03", 130, "token: \ninterrupted\n"), ("\x04", 130, "")):
        status, screen = at_terminal(shell, "introspect", "--pat", when="token: ", typed=typed)
        assert (status, words in screen, "Traceback" in screen) == (code, True, False)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("role list", "reader"),
        ("doctor --only admin.valid", "zdemo-admin"),
        ("introspect", "active"),
        ("setup --dry-run", "zdemo-admin"),
    ],
)
def test_an_administrators_pat_is_typed_or_read_and_wins(shell: Shell, line: str, named: str) -> None:
    """Only doctor and role show whose it is; what introspect finds out with it is in the catalogue."""
    words, wrong = [*line.split(), "--admin-pat"], {"ZITADEL_ADMIN_PAT": "x" * 71}
    ran = shell(*words, "-", stdin=f"{ADMIN.pat}\n", **wrong)
    assert (ran.code, named in ran.out, ADMIN.pat[6:20] in ran.all) == (0, True, False), ran.all
    when = "(ZITADEL_DOMAIN in the environment), not shown: "
    code, screen = at_terminal(shell, *words, when=when, typed=f"{ADMIN.pat}\n", **wrong)
    assert (code, named in screen, ADMIN.pat[6:20] in screen) == (0, True, False), screen
    ran = shell(*words, **wrong)
    assert (ran.code, is_two_lines(ran), "no terminal" in ran.err) == (2, True, True)


def test_a_dotenv_file_of_somebody_else_leads_nothing_through_a_proxy(bare: Shell) -> None:
    with upstream(hang_up) as proxy:
        bare.dotenv(
            **{"PAT": "abc", "CLIENT_ID": "1", "CLIENT_SECRET": "2", "ZDEMO_ALLOW_HTTP": "1"},
            **{"ZITADEL_DOMAIN": "http://zitadel.invalid", "HTTP_PROXY": proxy.url, "http_proxy": proxy.url},
        )
        assert (bare("introspect").code, proxy.connections) == (4, 0)
        assert (bare("introspect", HTTP_PROXY=proxy.url).code, proxy.connections > 0) == (4, True)


@pytest.mark.parametrize("command", ["introspect", "call private", "call private --url localhost"])
def test_nothing_is_asked_for_where_the_settings_are_wrong(bare: Shell, command: str) -> None:
    env = {"ZITADEL_DOMAIN": "localhost:1", "ZDEMO_API_URL": "localhost:1"}
    code, screen = at_terminal(bare, *command.split(), "--pat", when="token: ", typed="x\n", **env)
    assert (code in (2, 3), "token: " in screen, "scheme" in screen) == (True, False, True)


HERE = "https://a.example"


@pytest.mark.parametrize(
    ("address", "place", "options", "destination"),
    [
        ("HTTPS://Zitadel.Example:8443/", COMMAND_LINE, {}, "https://zitadel.example:8443"),
        ("https://zit\u0430del.cloud", COMMAND_LINE, {}, "https://xn--zitdel-5nf.cloud"),
        (HERE, COMMAND_LINE, {"ZITADEL_DOMAIN": "--domain"}, f"{HERE} (--domain)"),
        (HERE, "the environment", {}, f"{HERE} (ZITADEL_DOMAIN in the environment)"),
        (HERE, "/me/\x1b[2K\u202e\n/.env", {}, HERE + r" (ZITADEL_DOMAIN in /me/\x1b[2K\u202e\n/.env)"),
        (HERE, ".env", {}, f"{HERE} (ZITADEL_DOMAIN in {Path('.env').absolute()})"),
    ],
)
def test_the_question_names_the_address_and_what_gave_it(
    address: str, place: str, options: dict[str, str], destination: str
) -> None:
    environment = Environment({place: {"ZITADEL_DOMAIN": address, "ZITADEL_ADMIN_PAT": "x"}}, options=options)
    question = token_question("ZITADEL_ADMIN_PAT", AdminSettings.from_env(environment).zitadel, environment)
    assert question == f"ZITADEL_ADMIN_PAT for {destination}, not shown: "
