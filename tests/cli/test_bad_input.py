"""Wrong settings, files and servers: each command names what is wrong, and the fix."""

import pytest

from tests.support.cli import Ran, Shell, is_two_lines
from tests.support.connection_faults import FAULTS
from tests.support.upstream import hang_up, refusing_port, upstream
from zdemo.emulator import PROJECT_ID

COMMANDS = (("introspect",), ("introspect", "--json"), ("introspect", "-q"), ("role", "list"))


@pytest.mark.parametrize("command", [("introspect",), ("role", "list"), ("serve",), ("call", "public")])
def test_a_wrong_address_is_named_by_every_command(shell: Shell, command: tuple[str, ...]) -> None:
    name = "ZDEMO_API_URL" if command[0] == "call" else "ZITADEL_DOMAIN"
    for value, named in (("http://localhost:8484/a", "has a path"), ("https://me:secret-word@localhost", "password")):
        ran = shell(*command, **{name: value})
        assert (ran.code, is_two_lines(ran)) == (3, True)
        assert (name in ran.err, named in ran.err, "secret-word" in ran.err) == (True, True, False)


@pytest.mark.parametrize("value", ["127.0.0.1:5000", ""])
def test_an_address_that_an_option_gives_is_named_as_the_option(shell: Shell, value: str) -> None:
    ran = shell("call", "public", "--url", value)
    assert (ran.code, is_two_lines(ran)) == (2, True)
    assert "--url" in ran.err
    assert "ZDEMO_API_URL" not in ran.err


@pytest.mark.parametrize(("name", "value"), [("ZDEMO_TIMEOUT", "soon"), ("CLIENT_SECRET", "one two")])
def test_each_setting_that_is_wrong_is_named_and_repeated_unless_it_is_a_secret(
    shell: Shell, name: str, value: str
) -> None:
    ran = shell("introspect", **{name: value})
    assert (ran.code, ran.out) == (3, "")
    assert f"error: {name} " in ran.err
    assert f"hint:  correct {name} in the environment\n" in ran.err
    assert (value in ran.err) == (name != "CLIENT_SECRET")


def test_all_that_is_wrong_is_said_at_once(shell: Shell) -> None:
    ran = shell("serve", ZITADEL_DOMAIN="http://localhost/x", CLIENT_ID="", ZDEMO_TIMEOUT="x", ZDEMO_CACHE_SIZE="y")
    assert ran.code == 3
    assert all(n in ran.err for n in ("ZITADEL_DOMAIN", "CLIENT_ID", "ZDEMO_TIMEOUT", "ZDEMO_CACHE_SIZE"))


@pytest.mark.parametrize("command", [("call", "public"), ("introspect",), ("role", "list"), ("serve",)])
def test_a_broken_dotenv_is_named_by_file_and_line(shell: Shell, command: tuple[str, ...]) -> None:
    (shell.folder / ".env").write_text("PAT=abc\n\nthese words are no assignment\nCLIENT_ID=1\n")
    ran = shell(*command)
    assert (ran.code, is_two_lines(ran)) == (3, True)
    assert ".env line 3" in ran.err
    assert "words" not in ran.err


def test_a_dotenv_file_of_somebody_else_leads_nothing_through_a_proxy(bare: Shell) -> None:
    (bare.folder / ".env").write_text("PAT=abc\nCLIENT_ID=1\nCLIENT_SECRET=2\nZDEMO_ALLOW_HTTP=1\n")
    with upstream(hang_up) as proxy, (bare.folder / ".env").open("a") as file:
        file.write(f"ZITADEL_DOMAIN=http://zitadel.invalid\nHTTP_PROXY={proxy.url}\nhttp_proxy={proxy.url}\n")
        file.flush()
        assert (bare("introspect").code, proxy.connections) == (4, 0)
        assert (bare("introspect", HTTP_PROXY=proxy.url).code, proxy.connections > 0) == (4, True)


def _names_it(ran: Ran, *words: str) -> None:
    assert ran.code == 4
    assert all(word in ran.all for word in words)
    assert "\nnext " in ran.out or is_two_lines(ran)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_zitadel_that_cannot_be_reached_is_named_by_every_command(shell: Shell, command: tuple[str, ...]) -> None:
    with refusing_port() as port:
        _names_it(shell(*command, ZITADEL_DOMAIN=f"http://127.0.0.1:{port}"), str(port), "ZITADEL_DOMAIN", "refuses")
    plain = shell.env["ZITADEL_DOMAIN"]
    ran = shell(*command, ZITADEL_DOMAIN=plain.replace("http://", "https://"), ZITADEL_PROJECT_ID=PROJECT_ID)
    _names_it(ran, "plain http", plain)


@pytest.mark.parametrize(
    ("fault", "word"),
    [("HTML", "text/html"), ("429", "429"), ("404, unknown path", "404"), ("no active", "200"), ("8 MiB", "1 MiB")],
)
def test_a_response_that_is_not_from_zitadel_is_named_with_exit_code_four(shell: Shell, fault: str, word: str) -> None:
    with upstream(FAULTS[fault].behaviour) as server:
        env = {"ZITADEL_DOMAIN": server.url, "ZITADEL_PROJECT_ID": PROJECT_ID}
        text, raw, role = shell("introspect", **env), shell("introspect", "--json", **env), shell("role", "list", **env)
    for ran in (text, raw):
        assert (ran.code, word in ran.all) == (4, True)
    assert [line.split(":")[0] for line in raw.lines] == ["error", "hint"]
    if fault != "no active":  # to the v2 API, that is an empty answer
        assert (role.code, is_two_lines(role)) == (4, True)
