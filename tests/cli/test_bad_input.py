"""Settings, files and servers that are not what they should be: the message names the thing and the remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.certificates import Certificates
from tests.support.cli import Ran, Shell, is_two_lines
from tests.support.connection_faults import ACTIVE, FAULTS
from tests.support.upstream import refusing_port, upstream
from zdemo.emulator.seed import PROJECT_ID

COMMANDS = (("introspect",), ("introspect", "--json"), ("introspect", "-q"), ("role", "list"))


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("localhost:8080", "http:// or https://"),
        ("http://localhost:8484/oauth", "has a path: http://localhost:8484/oauth"),
        ('"https://id.example.com"', "quotes"),
        ("https://me:secret-word@id.example.com", "user name or password"),
    ],
)
def test_a_domain_that_cannot_be_one_is_named_with_what_is_wrong(shell: Shell, value: str, named: str) -> None:
    for command in (("introspect",), ("role", "list"), ("serve",)):
        ran = shell(*command, ZITADEL_DOMAIN=value)
        assert (ran.code, is_two_lines(ran)) == (3, True)
        assert "ZITADEL_DOMAIN" in ran.err
        assert named in ran.err
        assert "secret-word" not in ran.err
    ran = shell("call", "public", ZDEMO_API_URL=value)
    assert (ran.code, is_two_lines(ran)) == (3, True)
    assert "ZDEMO_API_URL" in ran.err
    assert named in ran.err


@pytest.mark.parametrize("value", ["127.0.0.1:5000", "http://127.0.0.1:5000/api/private", "ftp://id.example.com", ""])
def test_an_address_that_an_option_gives_is_named_as_the_option(shell: Shell, value: str) -> None:
    ran = shell("call", "public", "--url", value)
    assert (ran.code, is_two_lines(ran)) == (2, True)
    assert "--url" in ran.err
    assert "ZDEMO_API_URL" not in ran.err


def test_a_slash_at_the_end_and_blanks_around_are_harmless(shell: Shell) -> None:
    for value in (f"{shell.env['ZITADEL_DOMAIN']}/", f" {shell.env['ZITADEL_DOMAIN']}\r\n"):
        assert shell("introspect", "-q", ZITADEL_DOMAIN=value).code == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ZDEMO_TIMEOUT", "soon"),
        ("ZDEMO_CACHE_SIZE", "1.5"),
        ("CLIENT_SECRET", "one two"),
    ],
)
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


def _utf16(path: Path) -> None:
    path.write_bytes("PAT=abc\n".encode("utf-16"))


@pytest.mark.parametrize(
    ("make", "named"),
    [(_utf16, "UTF-8"), (Path.mkdir, "directory"), (lambda path: None, "does not exist")],  # noqa: ARG005  # it makes nothing
    ids=["utf-16", "folder", "missing"],
)
def test_an_env_file_that_cannot_be_read_is_told(shell: Shell, make: Callable[[Path], None], named: str) -> None:
    make(shell.folder / "my.env")
    ran = shell("call", "public", "--env-file", "my.env")
    assert (ran.code, is_two_lines(ran), named in ran.err) == (3, True, True)


# --- who answers


def _names_it(ran: Ran, *words: str) -> None:
    assert ran.code == 4
    assert all(word in ran.all for word in words)
    assert "\nnext " in ran.out or is_two_lines(ran)


@pytest.mark.parametrize("command", COMMANDS)
def test_nobody_there_is_named_with_host_port_and_setting(shell: Shell, command: tuple[str, ...]) -> None:
    with refusing_port() as port:
        _names_it(shell(*command, ZITADEL_DOMAIN=f"http://127.0.0.1:{port}"), str(port), "ZITADEL_DOMAIN", "refuses")
    ran = shell(*command, ZITADEL_DOMAIN="https://no-such-host.invalid", ZITADEL_PROJECT_ID=PROJECT_ID)
    _names_it(ran, "no-such-host.invalid", "ZITADEL_DOMAIN")


@pytest.mark.parametrize("command", COMMANDS)
def test_https_to_a_port_that_speaks_http_names_the_right_address(shell: Shell, command: tuple[str, ...]) -> None:
    plain = shell.env["ZITADEL_DOMAIN"]
    ran = shell(*command, ZITADEL_DOMAIN=plain.replace("http://", "https://"), ZITADEL_PROJECT_ID=PROJECT_ID)
    _names_it(ran, "plain http", plain)
    api = shell.env["ZDEMO_API_URL"]
    _names_it(shell("call", "private", "--url", api.replace("http://", "https://")), "plain http", api)


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        (Certificates.self_signed, ("not trusted", "REQUESTS_CA_BUNDLE")),
        (Certificates.unknown_authority, ("not trusted", "REQUESTS_CA_BUNDLE")),
        (Certificates.expired, ("expired", "clock")),
        (Certificates.wrong_name, ("another name", "certificate")),
    ],
)
def test_a_certificate_that_is_no_good_is_named_with_the_remedy(
    shell: Shell, tmp_path_factory: pytest.TempPathFactory, kind: Callable[..., object], named: tuple[str, ...]
) -> None:
    certificates = Certificates(tmp_path_factory.mktemp("certificates"))
    trusting = {} if "REQUESTS_CA_BUNDLE" in named else {"REQUESTS_CA_BUNDLE": str(certificates.bundle)}
    with upstream(ACTIVE, tls=kind(certificates)) as server:  # type: ignore[arg-type]  # each gives a TLS context
        for command in (("introspect",), ("role", "list")):
            _names_it(shell(*command, ZITADEL_DOMAIN=server.url, **trusting), *named)
        _names_it(shell("call", "private", "--url", server.url, **trusting), *named)
        if not trusting:
            trusting = {"REQUESTS_CA_BUNDLE": "/nonexistent.pem"}
            ran = shell("introspect", ZITADEL_DOMAIN=server.url, **trusting)
            assert (ran.code, is_two_lines(ran), "REQUESTS_CA_BUNDLE" in ran.err) == (3, True, True)


def test_a_certificate_of_a_known_authority_works(shell: Shell, tmp_path_factory: pytest.TempPathFactory) -> None:
    certificates = Certificates(tmp_path_factory.mktemp("certificates"))
    with upstream(ACTIVE, tls=certificates.good()) as server:
        env = {"ZITADEL_DOMAIN": server.url, "REQUESTS_CA_BUNDLE": str(certificates.bundle)}
        assert shell("introspect", "-q", **env).code == 0


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ("HTML", "text/html"),
        ("502 as HTML", "502"),
        ("403 as HTML", "403"),
        ("302", "redirect"),
        ("429", "429"),
        ("404, wrong Host", "domain"),
        ("404, database away", "database"),
        ("404, unknown path", "404"),
        ("null", "200"),
        ("array", "200"),
        ("no active", "200"),
        ("nothing", "200"),
        ("deeply nested", "200"),
        ("exp as text", "exp"),
        ("speaks another protocol", "not HTTP"),
        ("cuts off its body", "cut"),
        ("hangs up", "closed the connection"),
        ("8 MiB", "1 MiB"),
    ],
)
def test_what_is_no_answer_of_zitadel_is_named_and_exit_code_four(shell: Shell, fault: str, word: str) -> None:
    with upstream(FAULTS[fault].behaviour) as server:
        env = {"ZITADEL_DOMAIN": server.url, "ZITADEL_PROJECT_ID": PROJECT_ID}
        told, raw, role = shell("introspect", **env), shell("introspect", "--json", **env), shell("role", "list", **env)
    for ran in (told, raw):
        assert ran.code == 4
        assert word.lower() in ran.all.lower()
    assert raw.err.startswith("error: ")
    assert "hint: " in raw.err
    if fault not in ("no active", "exp as text"):  # to the v2 API, these are empty answers
        assert (role.code, is_two_lines(role)) == (4, True)


def test_the_loopback_address_in_place_of_the_name_is_named_with_the_right_domain(shell: Shell) -> None:
    domain = shell.env["ZITADEL_DOMAIN"]
    ran = shell("introspect", ZITADEL_DOMAIN=domain.replace("localhost", "127.0.0.1"))
    assert (ran.code, domain in ran.out) == (4, True)
