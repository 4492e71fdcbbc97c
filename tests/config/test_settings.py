"""Settings: good and bad values, all problems at once, where a value comes from, and no secret in a message."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.config.test_key_file import CLIENT_ID, KEY_ID, content
from tests.support.any_text import texts
from zdemo.config.address import is_loopback
from zdemo.config.environment import COMMAND_LINE, EXPORTED, GIVEN_BY_EMULATOR, Environment, read_environment
from zdemo.config.names import misnamed_problems, rename_steps
from zdemo.config.parsers import MASKED, VALUE_ITSELF
from zdemo.config.settings import AdminSettings, ClientSettings, Settings, UserSettings
from zdemo.config.variables import BY_NAME, SECRETS
from zdemo.emulator import CLIENT_SECRET as EMULATORS_SECRET
from zdemo.emulator import READER
from zdemo.errors import ExitCode, SettingsError
from zdemo.errors.problem import ProblemKind

GOOD = {
    "ZITADEL_DOMAIN": "https://zitadel.example",
    "CLIENT_ID": "312909075212468231",
    "CLIENT_SECRET": "Zn2vXk7",
    "ZITADEL_ADMIN_PAT": "admin-pat",
}
REQUIRED = ["ZITADEL_DOMAIN", "CLIENT_ID", "CLIENT_SECRET"]
FROM_ENV: list[Callable[[Mapping[str, str]], Any]] = [
    Settings.from_env,
    ClientSettings.from_env,
    AdminSettings.from_env,
    UserSettings.from_env,
]


def settings_with(**changed: str) -> Settings:
    return Settings.from_env({**GOOD, **changed})


def problems_of(read: Callable[[Mapping[str, str]], Any], variables: Mapping[str, str]) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as wrong:
        read(variables)
    assert wrong.value.exit_code is ExitCode.SETTINGS
    return tuple(map(str, wrong.value.problems))


def test_the_defaults() -> None:
    settings = Settings(issuer=GOOD["ZITADEL_DOMAIN"], client_id=GOOD["CLIENT_ID"], client_secret=GOOD["CLIENT_SECRET"])
    assert Settings.from_env(GOOD) == settings
    assert (settings.cache_ttl_seconds, settings.cache_size, settings.timeout_seconds) == (5, 10_000, 5)
    assert ClientSettings.from_env({}) == ClientSettings(api_url="http://127.0.0.1:5000", timeout_seconds=5)
    assert AdminSettings.from_env(GOOD).project_id is None


GOOD_VALUES: list[tuple[str, str, str, object]] = [
    ("ZITADEL_DOMAIN", "https://zitadel.example/", "issuer", "https://zitadel.example"),
    ("ZITADEL_DOMAIN", "  https://zitadel.example \t", "issuer", "https://zitadel.example"),
    ("ZITADEL_DOMAIN", "http://localhost:8080", "issuer", "http://localhost:8080"),
    ("ZITADEL_DOMAIN", "http://[::1]:8080", "issuer", "http://[::1]:8080"),
    ("ZITADEL_DOMAIN", "https://m\u00fcnchen.example", "issuer", "https://xn--mnchen-3ya.example"),
    ("ZITADEL_INTERNAL_URL", "https://zitadel:8080", "internal_url", "https://zitadel:8080"),
    ("ZITADEL_INTERNAL_URL", "https://zitadel.example/", "internal_url", None),  # the same as ZITADEL_DOMAIN
    ("CLIENT_SECRET", "a%+/=b'c", "client_secret", "a%+/=b'c"),
    ("ZITADEL_PROJECT_ID", "300000000000000010", "project_id", "300000000000000010"),
    ("ZDEMO_ROLE_DENIED_STATUS", "403", "role_denied_status", 403),
    ("ZDEMO_CACHE_TTL", "7", "cache_ttl_seconds", 7),
    ("ZDEMO_CACHE_SIZE", "7", "cache_size", 7),
    ("ZDEMO_TIMEOUT", "7", "timeout_seconds", 7),
    ("ZDEMO_EVENTS_KEY", "key", "events_key", "key"),
    ("ZDEMO_FORGET_KEY", "k" * 16, "forget_key", "k" * 16),
]
RESOURCES = {  # what is wrong with the value, and what it should be; nothing where it is right
    "https://api.example.com/mcp": ("", ""),
    "https://api.example.com": ("", ""),
    "https://api.example.com:8443/A-b.c~_/1": ("", ""),
    "http://localhost:8000/mcp": ("", ""),
    "http://[::1]:8000": ("", ""),
    "https://api.example.com/mcp?a=b": ("has a query or fragment", "https://api.example.com/mcp"),
    "https://api.example.com?a": ("has a query or fragment", "https://api.example.com"),
    "https://api.example.com/mcp#": ("has a query or fragment", "https://api.example.com/mcp"),
    "http://api.example.com/mcp": ("would send tokens and secrets over plain http", "https://api.example.com/mcp"),
    "https://api.example.com/mcp/": ("is not in the form that clients compare", "https://api.example.com/mcp"),
    "https://api.example.com/": ("is not in the form that clients compare", "https://api.example.com"),
    "HTTPS://API.example.com/Mcp": ("is not in the form that clients compare", "https://api.example.com/Mcp"),
    "https://api.example.com:443/mcp": ("is not in the form that clients compare", "https://api.example.com/mcp"),
    "api.example.com/mcp": ("is not in the form that clients compare", "https://api.example.com/mcp"),
    "https://a:b@api.example.com/mcp": ("contains a user name or password", "https://api.example.com/mcp"),
    "https://api.example.com/a//b": ("has a path that clients may rewrite", ""),
    "https://api.example.com/../b": ("has a path that clients may rewrite", ""),
    "https://api.example.com/a/./b": ("has a path that clients may rewrite", ""),
    "https://api.example.com/a%2fb": ("has a path that clients may rewrite", ""),
    'https://api.example.com/a"b': ("has a path that clients may rewrite", ""),
    "https://api.example.com/\u00e4": ("has a path that clients may rewrite", ""),
    "https://": ("is not an address", ""),
    "urn:example:mcp": ("is not an address", ""),
}


@pytest.mark.parametrize("value", RESOURCES)
def test_a_resource_is_spelled_in_one_way(value: str) -> None:
    problem, corrected = RESOURCES[value]
    given = {"ZDEMO_RESOURCE": value, "ZITADEL_PROJECT_ID": "300000000000000010"}
    if not problem:
        assert settings_with(**given).resource == value
        return
    with pytest.raises(SettingsError) as wrong:
        settings_with(**given)
    assert str(wrong.value.problems[0]).startswith(f"ZDEMO_RESOURCE {problem}")
    assert (f"ZDEMO_RESOURCE={corrected}" in wrong.value.hint) if corrected else ("=https" not in wrong.value.hint)


def test_a_resource_needs_a_project_and_403() -> None:
    given = {"ZDEMO_RESOURCE": "https://api.example.com", "ZITADEL_PROJECT_ID": "300000000000000010"}
    for status in ({}, {"ZDEMO_ROLE_DENIED_STATUS": "403"}):
        assert settings_with(**given, **status).resource == given["ZDEMO_RESOURCE"]
    conflict = (
        "ZDEMO_ROLE_DENIED_STATUS is 401, but a protected resource (ZDEMO_RESOURCE) answers 403 to a missing role"
    )
    assert problems_of(Settings.from_env, GOOD | given | {"ZDEMO_ROLE_DENIED_STATUS": "401"}) == (conflict,)
    missing = "ZITADEL_PROJECT_ID is not set: a protected resource (ZDEMO_RESOURCE) admits only tokens of its project"
    assert problems_of(Settings.from_env, GOOD | given | {"ZITADEL_PROJECT_ID": " "}) == (missing,)
    assert missing in problems_of(UserSettings.from_env, GOOD | given | {"ZITADEL_PROJECT_ID": " "})
    in_the_open = {"ZDEMO_RESOURCE": "http://mcp:8000", "ZDEMO_ALLOW_HTTP": "1"}
    assert settings_with(**given | in_the_open).resource == "http://mcp:8000"


@pytest.mark.parametrize(("name", "value", "attribute", "expected"), GOOD_VALUES)
def test_a_good_value(name: str, value: str, attribute: str, expected: object) -> None:
    assert getattr(settings_with(**{name: value}), attribute) == expected


INTERNAL = "http://zitadel:8080"
EXAMPLE = "https://my-instance-abc123.zitadel.cloud"
ADDRESS = f"give scheme, host and port, for example {EXAMPLE}"
CORRECT = "correct it"
NUMBER, WHOLE = "is not a number from 0 to 86400", "is not a whole number from 1 to 10000000"
CONTROL = "contains a line end or a control character: copy it again"

# setting, value, what is said of it ("…" stands for the value), and the hint, where a value is the corrected one
DOMAINS: list[tuple[str, str, str]] = [
    ("localhost:8080", "has no scheme (http:// or https://): …", "http://localhost:8080"),
    ("http://localhost:8080/ui/console", "has a path: …", "http://localhost:8080"),
    ("https://zitadel.example?x=1", "has a query or fragment", "https://zitadel.example"),
    ("https://user:pass@zitadel.example", "contains a user name or password", "https://zitadel.example"),
    ("https://zita del.example", "is not an address: …", ADDRESS),
    ("https://", "is not an address: …", ADDRESS),
    ("8080", "is not an address: …", "http://localhost:8080"),
    ("zitadel", "is not an address: …", ADDRESS),
    ("http://localhost:808O", "is not an address: …", ADDRESS),
    ("http://localhost:80800/ui", "has a port above 65535: …", ADDRESS),
    ("http://::1:8080", "is not an address: …", ADDRESS),
    ("ftp://localhost", "is not an address: …", ADDRESS),
    ("http:/localhost:8080", "is not an address: …", "http://localhost:8080"),
    ("http//localhost:8080;", "is not an address: …", "http://localhost:8080"),
    ("http://https://zitadel.example", "is not an address: …", "https://zitadel.example"),
    ("http://localhost,8080", "is not an address: …", "http://localhost:8080"),
    ("[http://localhost](http://localhost/)", "is not an address: …", "http://localhost"),
    ("http://localhost;CLIENT_ID=1", "holds another setting too", "write each setting on a line of its own"),
    ("http://${HOST}:8080", "has the name of a variable instead of its value", VALUE_ITSELF),
    ("\u201clocalhost:8080/ui\u201d", "has quotes around it: …", "http://localhost:8080"),
    ("https://zitadel\u200b.example", "contains an invisible character", "https://zitadel.example"),
    ("https://zitadel.example\r\nX", CONTROL, CORRECT),
]
EXPANDS = "is the name of a variable, or a command, instead of its value"
UNEXPANDED = ("$SECRET", "${SECRET}", "%SECRET%", "$(cat secret)", "${{ secrets.A }}", "{{ .Values.a }}")
OTHERS: list[tuple[str, str, str, str]] = [
    ("ZITADEL_INTERNAL_URL", "https://a:b@zitadel:8080", "contains a user name or password", "https://zitadel:8080"),
    ("CLIENT_ID", "3.53546E+17", "was rounded by a spreadsheet", "copy it from ZITADEL again"),
    ("CLIENT_SECRET", "(sensitive value)", MASKED, "put the value itself there, from where it is kept"),
    ("CLIENT_SECRET", "abc def", "has a space inside", CORRECT),
    ("CLIENT_SECRET", "abc# x", "has a space inside", "put a space in front of #, which then begins a comment"),
    *(("CLIENT_SECRET", text, EXPANDS, VALUE_ITSELF) for text in UNEXPANDED),
    ("ZDEMO_CACHE_TTL", "86401", f"{NUMBER}: …", CORRECT),
    ("ZDEMO_CACHE_TTL", "nan", f"{NUMBER}: …", CORRECT),
    ("ZDEMO_CACHE_SIZE", "0", f"{WHOLE}: …", CORRECT),
    ("ZDEMO_CACHE_SIZE", "10000001", f"{WHOLE}: …", CORRECT),
    ("ZDEMO_TIMEOUT", "0", "is not a number above 0, at most 300: …", CORRECT),
    ("ZDEMO_ALLOW_HTTP", "maybe", "is neither 1 nor 0: …", CORRECT),
    ("ZDEMO_ROLE_DENIED_STATUS", "404", "is neither 401 nor 403: …", CORRECT),
]


@pytest.mark.parametrize(
    ("name", "value", "problem", "fix"),
    [("ZITADEL_DOMAIN", *row) for row in DOMAINS] + OTHERS,
    ids=lambda v: repr(v)[:40],
)
def test_a_bad_value_is_shown_with_its_problem_and_a_fix(name: str, value: str, problem: str, fix: str) -> None:
    with pytest.raises(SettingsError) as wrong:
        settings_with(**{name: value})
    assert [*map(str, wrong.value.problems)] == [f"{name} {problem.replace('…', value)}"]
    assert wrong.value.hint in (
        f"correct {name} in the mapping of settings" if fix == CORRECT else fix,
        f"{name}={fix}",
    )
    assert wrong.value.problems[0].names == (name,)


@pytest.mark.parametrize("host", ["zitadel.example", "10.0.0.1", "host.docker.internal", "zitadel"])
def test_plain_http_is_for_this_machine(host: str) -> None:
    with pytest.raises(SettingsError, match="over plain http") as wrong:
        settings_with(ZITADEL_DOMAIN=f"http://{host}:80")
    is_containers = host in ("host.docker.internal", "zitadel")
    with_https = "" if is_containers else f"ZITADEL_DOMAIN=https://{host}:80; "
    assert wrong.value.hint.startswith(f"{with_https}ZDEMO_ALLOW_HTTP=1: in a network that you trust")
    assert wrong.value.hint.endswith("from outside, use localhost") is is_containers
    with pytest.raises(SettingsError, match="over plain http") as misspelled:
        settings_with(ZITADEL_DOMAIN="http://localhots:80")
    assert misspelled.value.hint.startswith("ZITADEL_DOMAIN=http://localhost:80; ")
    with pytest.raises(SettingsError, match="ZITADEL_INTERNAL_URL would send tokens and secrets over plain http"):
        settings_with(ZITADEL_INTERNAL_URL=INTERNAL)
    allowed = settings_with(ZITADEL_INTERNAL_URL=INTERNAL, ZDEMO_ALLOW_HTTP="1")
    assert (allowed.issuer, allowed.internal_url) == (GOOD["ZITADEL_DOMAIN"], INTERNAL)


@pytest.mark.parametrize(
    ("url", "used", "problem"),
    [
        ("https://api.example/v1/", "https://api.example/v1", ""),
        ("https://api.example/v1/api/private-scoped/", "https://api.example/v1", "has the path of a route"),
        ("https://api.example/a;b", "https://api.example", "has a path"),
        ("https://api.example/v1?x=1", "https://api.example/v1", "has a query or fragment"),
        ("http://0.0.0.0:15000", "http://localhost:15000", "would send tokens and secrets over plain http"),
        ("http://l\u043ecalhost:15000", "http://localhost:15000", "would send tokens and secrets over plain http"),
    ],
)
def test_an_api_may_be_below_a_path_but_its_address_is_no_route(url: str, used: str, problem: str) -> None:
    if problem:
        with pytest.raises(SettingsError, match=f"ZDEMO_API_URL {problem}") as wrong:
            ClientSettings.from_env({"ZDEMO_API_URL": url})
        assert wrong.value.hint.split("; ")[0] == f"ZDEMO_API_URL={used}"
    assert ClientSettings.from_env({"ZDEMO_API_URL": used if problem else url}).api_url == used


DOMAIN, OTHER_DOMAIN = {"ZITADEL_DOMAIN": GOOD["ZITADEL_DOMAIN"]}, {"ZITADEL_DOMAIN": "https://other.example"}
INSIDE = {"ZITADEL_INTERNAL_URL": "https://zitadel:8080"}


@pytest.mark.parametrize(
    ("values", "exported", "is_exposed"),
    [
        ({"CLIENT_SECRET": "Zn2vXk7"}, {"CLIENT_SECRET": "Zn2vXk7"}, True),
        ({"CLIENT_SECRET": EMULATORS_SECRET, "PAT": READER.pat}, {}, False),
        ({"CLIENT_SECRET": EMULATORS_SECRET, "ZDEMO_FORGET_KEY": "k" * 40}, {}, True),
        ({"CLIENT_ID": "312909075212468231", "PAT": " "}, {"CLIENT_SECRET": "Zn2vXk7"}, False),
    ],
)
def test_a_dotenv_with_secrets_that_others_can_use_is_a_warning(
    values: dict[str, str], exported: dict[str, str], is_exposed: bool, tmp_path: Path
) -> None:
    file, others = tmp_path / ".env", {name: text for name, text in GOOD.items() if name not in SECRETS}
    file.touch()
    file.chmod(0o644)
    settings = Settings.from_env(Environment({EXPORTED: exported, str(file): {**others, **values}}, file=file))
    warning = f"other users can read {file} (mode 0644)\nchmod 600 {file}"
    assert [problem.in_full for problem in settings.warnings] == ([warning] if is_exposed else [])


@pytest.mark.parametrize(
    ("option", "exported", "in_file", "used"),
    [
        ({}, {}, DOMAIN | INSIDE, True),
        (DOMAIN, INSIDE, {}, True),
        ({}, DOMAIN, DOMAIN | INSIDE, False),
        (DOMAIN, OTHER_DOMAIN | INSIDE, {}, False),
        (DOMAIN, {}, OTHER_DOMAIN | INSIDE, False),
    ],
)
def test_an_internal_url_counts_for_the_domain_of_its_place(
    option: dict[str, str], exported: dict[str, str], in_file: dict[str, str], used: bool
) -> None:
    """A copied folder's file must not redirect what is meant for an exported address."""
    secrets = {name: value for name, value in GOOD.items() if name != "ZITADEL_DOMAIN"}
    layers = {COMMAND_LINE: option, EXPORTED: exported, ".env": in_file | secrets}
    environment = Environment(layers, file=Path(".env"))
    for settings in (Settings.from_env(environment), AdminSettings.from_env(environment)):
        assert settings.zitadel.server == (INSIDE["ZITADEL_INTERNAL_URL"] if used else GOOD["ZITADEL_DOMAIN"])
        assert ["ZITADEL_INTERNAL_URL" in warning.names for warning in settings.warnings] == [True] * (not used)


def test_all_problems_are_said_at_once() -> None:
    assert [problem.split()[0] for problem in problems_of(Settings.from_env, {})] == REQUIRED
    assert "e.g. https://" in problems_of(AdminSettings.from_env, {})[0]
    numbers = dict.fromkeys(["ZDEMO_CACHE_TTL", "ZDEMO_CACHE_SIZE", "ZDEMO_TIMEOUT", "ZDEMO_ROLE_DENIED_STATUS"], "x")
    others = {"ZITADEL_DOMAIN": "localhost", "CLIENT_ID": "a b", "ZITADEL_PROJECT_ID": "a b", "ZDEMO_ALLOW_HTTP": "x"}
    bad = {**numbers, **others}
    named = {problem.split()[0] for problem in problems_of(Settings.from_env, bad)}
    assert named == {*bad, "CLIENT_SECRET"}


CANARY = "aB3dE5gH7jK9mN2pQ4sT6"
AROUND = texts("\"' :/@[]%?#.\n\u200b\u00e9\udcff5-", most=6)
VALUES = st.builds(
    lambda scheme, before, after: scheme + before + CANARY + after,
    st.sampled_from(["", "http://", "https://", "redis://", "unix://"]),
    AROUND,
    AROUND,
)


def test_secrets_are_not_in_the_repr() -> None:
    secrets = {**GOOD, "ZDEMO_USER_CLIENT_ID": "reader", **dict.fromkeys(SECRETS, CANARY)}
    for read in FROM_ENV:
        assert CANARY not in repr(read(secrets)), "the field of a secret needs field(repr=False)"
    assert CANARY not in repr(Environment({"the environment": {"PAT": CANARY, "A": CANARY}}))


def said_about(read: Callable[[Mapping[str, str]], Any], variables: Mapping[str, str]) -> str:
    try:
        read(variables)
    except SettingsError as wrong:
        return f"{wrong} {wrong.hint} {wrong.problems} {wrong!r}"
    return ""


@given(variables=st.dictionaries(st.sampled_from([*BY_NAME]), VALUES))
def test_no_message_repeats_what_could_be_a_secret(variables: dict[str, str]) -> None:
    assert not any(CANARY.lower() in said_about(read, variables).lower() for read in FROM_ENV)


def test_the_strongest_layer_wins_and_is_named_and_what_the_emulator_gives_hides_nothing() -> None:
    environment = Environment(
        {
            "the command line": {"A": "1"},
            "the environment": {"A": "2", "B": "2", "D": "  "},
            ".env": {"A": "3", "B": "2 ", "C": "3", "D": "3"},
        }
    )
    assert dict(environment) == {"A": "1", "B": "2", "C": "3", "D": "3"}
    sources = {name: environment.source(name) for name in ("A", "B", "C", "D", "E")}
    assert sources == {"A": "the command line", "B": "the environment", "C": ".env", "D": ".env", "E": ""}
    assert set(environment.shadowed) == {"A"}
    exported = {"PAT": "1", "CLIENT_ID": "1", GIVEN_BY_EMULATOR: "PAT"}
    environment = Environment({EXPORTED: exported, ".env": {"PAT": "2", "CLIENT_ID": "2"}})
    assert (environment["PAT"], environment.hidden) == ("1", {"CLIENT_ID": "2"})


@pytest.mark.parametrize("file", [".env", "../.env"])
def test_the_environment_comes_before_dotenv_of_the_working_directory_alone(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / file).write_text("PAT=file\nCLIENT_ID=file\n")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PAT", "set")
    monkeypatch.delenv("CLIENT_ID", raising=False)
    environment = read_environment(None, {"ZDEMO_TIMEOUT": ("--timeout", "2"), "CLIENT_ID": ("--id", None)})
    assert [environment.source(name) for name in ("PAT", "ZDEMO_TIMEOUT")] == [EXPORTED, COMMAND_LINE]
    assert environment.source("CLIENT_ID") == (".env" if file == ".env" else "")
    assert environment.correction("ZDEMO_TIMEOUT") == "correct --timeout"
    assert "CLIENT_ID" not in os.environ, "os.environ was written to"


@pytest.mark.parametrize(
    ("name", "meant", "exported"),
    [
        ("pat", "PAT", False),
        ("TOKEN", "PAT", True),
        ("ZDEMO_PAT", "PAT", True),
        ("ZITADEL_ISSUER", "ZITADEL_DOMAIN", True),
        ("zitadel.client-id", "CLIENT_ID", False),
        ("CLEINT_ID", "CLIENT_ID", False),
        ("NEXT_PUBLIC_ZITADEL_DOMAIN", "ZITADEL_DOMAIN", False),
        *((name, f"ZDEMO_{name}", False) for name in ("CACHE_TTL", "VISITOR_PAT")),
        *((name, "", False) for name in ("API_CLIENT_ID", "TIMEOUT", "KEY_FILE")),
    ],
)
def test_names_of_other_programs_are_known_only_where_one_is_missing(name: str, meant: str, exported: bool) -> None:
    in_file, in_shell = Environment({".env": {name: "x"}}, file=Path(".env")), Environment({EXPORTED: {name: "x"}})
    assert [step.right for step in rename_steps(in_file)] == ([meant] if meant else [])
    assert [step.right for step in rename_steps(in_shell, meant or "CLIENT_ID")] == [meant] * exported
    assert [step.right for step in rename_steps(in_shell)] == [meant] * (exported and name.startswith("Z"))


@pytest.mark.parametrize(
    ("name", "value", "exported", "unused"),
    [
        ("ZDEMO_CACHETTL", "3", True, 1),
        ("ZDEMO_CACHETTL", "5", True, 0),
        ("ZDEMO_CACHE_TTL_OLD", "3", False, 0),
        ("CACHE_TTL", "3", True, 0),
    ],
)
def test_a_misspelled_name_beside_the_right_one_is_not_used(
    name: str, value: str, exported: bool, unused: bool
) -> None:
    place = EXPORTED if exported else ".env"
    problems = misnamed_problems(Environment({place: {name: value}, "x": {"ZDEMO_CACHE_TTL": "5"}}))
    assert [(problem.kind, problem.text) for problem in problems] == [
        (ProblemKind.UNUSED, f"{name} in {place} is not used: the setting is ZDEMO_CACHE_TTL, which is set too")
    ] * unused


def test_a_key_file_replaces_client_id_and_secret_and_its_path_starts_beside_the_env_file(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "api.json").write_bytes(content())
    file = tmp_path / "api.env"
    file.write_text("ZITADEL_DOMAIN=https://zitadel.example\nCLIENT_ID=two words\nZITADEL_KEY_FILE=keys/api.json\n")
    settings = Settings.from_env(read_environment(file))
    assert settings.key
    assert (settings.key.key_id, settings.client_id, settings.client_secret) == (KEY_ID, CLIENT_ID, "")
    assert settings.credential_variables == "ZITADEL_KEY_FILE"
    assert "PRIVATE" not in repr(settings)
    (tmp_path / "keys" / "api.json").write_text("{}")
    with pytest.raises(SettingsError, match="without clientId, keyId, key"):
        Settings.from_env(read_environment(file))


def test_names_of_this_machine_are_known() -> None:
    assert all(map(is_loopback, ("localhost", "LOCALHOST", "a.localhost", "127.0.0.1", "127.1.2.3", "::1", "[::1]")))
    elsewhere = ("localhost.example", "notlocalhost", "128.0.0.1", "::2", "::", "", "127.0.0.1.example")
    assert not any(map(is_loopback, elsewhere))
