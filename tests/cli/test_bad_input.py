"""Wrong settings, files and servers: each command names what is wrong, and the fix."""

import pytest

from tests.support.cli import Ran, Shell, is_two_lines
from tests.support.connection_faults import FAULTS
from tests.support.upstream import hang_up, refusing_port, upstream
from zdemo.emulator import PROJECT_ID

SECRET_IN_URL = "https://me:secret-word@localhost"
BROKEN = "PAT=abc\n\nthese words are no assignment\nCLIENT_ID=1\n"


@pytest.mark.parametrize(
    ("line", "env", "code", "named", "hidden"),
    [
        ("introspect", {"ZITADEL_DOMAIN": "http://localhost:8484/a"}, 3, ("ZITADEL_DOMAIN has a path",), ()),
        ("role list", {"ZITADEL_DOMAIN": SECRET_IN_URL}, 3, ("ZITADEL_DOMAIN", "password"), ("secret-word",)),
        ("serve", {"ZITADEL_DOMAIN": SECRET_IN_URL}, 3, ("ZITADEL_DOMAIN", "password"), ("secret-word",)),
        ("call public", {"ZDEMO_API_URL": SECRET_IN_URL}, 3, ("ZDEMO_API_URL", "password"), ("secret-word",)),
        ("call public --url 127.0.0.1:5000", {}, 2, ("--url",), ("ZDEMO_API_URL",)),
        ("introspect", {"ZDEMO_TIMEOUT": "soon"}, 3, ("error: ZDEMO_TIMEOUT", "soon", "hint:  correct ZDEMO_T"), ()),
        ("introspect", {"CLIENT_SECRET": "one two"}, 3, ("error: CLIENT_SECRET", "hint:  correct "), ("one two",)),
        (
            "serve",
            {"ZITADEL_DOMAIN": "http://localhost/x", "CLIENT_ID": "", "ZDEMO_TIMEOUT": "x", "ZDEMO_CACHE_SIZE": "y"},
            3,
            ("ZITADEL_DOMAIN", "CLIENT_ID", "ZDEMO_TIMEOUT", "ZDEMO_CACHE_SIZE"),
            (),
        ),
    ],
)
def test_each_setting_that_is_wrong_is_named_and_repeated_unless_it_is_a_secret(
    shell: Shell, line: str, env: dict[str, str], code: int, named: tuple[str, ...], hidden: tuple[str, ...]
) -> None:
    ran = shell(*line.split(), **env)
    assert (ran.code, ran.out) == (code, "")
    assert [word for word in named if word not in ran.err] == []
    assert [word for word in hidden if word in ran.err] == []


@pytest.mark.parametrize("line", ["call public", "introspect", "role list", "serve"])
def test_a_broken_dotenv_is_named_by_file_and_line(shell: Shell, line: str) -> None:
    (shell.folder / ".env").write_text(BROKEN)
    ran = shell(*line.split())
    assert (ran.code, is_two_lines(ran), ".env line 3" in ran.err, "words" in ran.err) == (3, True, True, False)


def test_a_dotenv_file_of_somebody_else_leads_nothing_through_a_proxy(bare: Shell) -> None:
    with upstream(hang_up) as proxy:
        bare.dotenv(
            **{"PAT": "abc", "CLIENT_ID": "1", "CLIENT_SECRET": "2", "ZDEMO_ALLOW_HTTP": "1"},
            **{"ZITADEL_DOMAIN": "http://zitadel.invalid", "HTTP_PROXY": proxy.url, "http_proxy": proxy.url},
        )
        assert (bare("introspect").code, proxy.connections) == (4, 0)
        assert (bare("introspect", HTTP_PROXY=proxy.url).code, proxy.connections > 0) == (4, True)


def _names_it(ran: Ran, *words: str) -> None:
    assert ran.code == 4
    assert all(word in ran.all for word in words)
    assert "\nnext " in ran.out or is_two_lines(ran)


@pytest.mark.parametrize("line", ["introspect", "introspect --json", "introspect -q", "role list"])
def test_a_zitadel_that_cannot_be_reached_is_named_by_every_command(shell: Shell, line: str) -> None:
    with refusing_port() as port:
        ran = shell(*line.split(), ZITADEL_DOMAIN=f"http://127.0.0.1:{port}")
    _names_it(ran, str(port), "ZITADEL_DOMAIN", "refuses")
    plain = shell.env["ZITADEL_DOMAIN"]
    env = {"ZITADEL_DOMAIN": plain.replace("http://", "https://"), "ZITADEL_PROJECT_ID": PROJECT_ID}
    _names_it(shell(*line.split(), **env), "plain http", plain)


@pytest.mark.parametrize(
    ("fault", "word"),
    [("HTML", "text/html"), ("429", "429"), ("404, unknown path", "404"), ("no active", "200"), ("8 MiB", "1 MiB")],
)
def test_a_response_that_is_not_from_zitadel_is_named_with_exit_code_four(shell: Shell, fault: str, word: str) -> None:
    with upstream(FAULTS[fault].behaviour) as server:
        env = {"ZITADEL_DOMAIN": server.url, "ZITADEL_PROJECT_ID": PROJECT_ID}
        raw, role = shell("introspect", "--json", **env), shell("role", "list", **env)
    assert (raw.code, word in raw.all) == (4, True)
    assert [line.split(":")[0] for line in raw.lines] == ["error", "hint"]
    if fault != "no active":  # to the v2 API, that is an empty answer
        assert (role.code, is_two_lines(role)) == (4, True)
