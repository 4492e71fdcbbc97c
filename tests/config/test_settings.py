"""Settings: good and bad values, all problems at once, where a value came from, and no value in any message."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import processes
from zdemo.config.client_settings import ClientSettings
from zdemo.config.environment import Environment, read_environment
from zdemo.config.key_file import ApplicationKey
from zdemo.config.masking import masked
from zdemo.config.parsers import is_loopback
from zdemo.config.settings import AdminSettings, Settings, required_token
from zdemo.errors import ExitCode, MissingTokenError, SettingsError

GOOD = {
    "ZITADEL_DOMAIN": "https://zitadel.example",
    "CLIENT_ID": "312909075212468229",
    "CLIENT_SECRET": "Zn2vXk7",
    "ZITADEL_ADMIN_PAT": "admin-pat",
}
FROM_ENV: list[Callable[[Mapping[str, str]], Any]] = [
    Settings.from_env,
    ClientSettings.from_env,
    AdminSettings.from_env,
]


def settings_with(**changed: str) -> Settings:
    return Settings.from_env({**GOOD, **changed})


def problems_of(read: Callable[[Mapping[str, str]], Any], variables: Mapping[str, str]) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as wrong:
        read(variables)
    assert wrong.value.exit_code is ExitCode.SETTINGS
    return wrong.value.problems


# --- values


def test_the_defaults() -> None:
    assert Settings.from_env(GOOD) == Settings(
        issuer="https://zitadel.example",
        client_id="312909075212468229",
        client_secret="Zn2vXk7",
        project_id=None,
        cache_ttl_seconds=5,
        cache_size=10_000,
        timeout_seconds=5,
        role_denied_status=401,
    )
    assert ClientSettings.from_env({}) == ClientSettings(api_url="http://127.0.0.1:5000", timeout_seconds=5)
    assert AdminSettings.from_env(GOOD).project_id is None


GOOD_VALUES: list[tuple[str, str, str, object]] = [
    ("ZITADEL_DOMAIN", "https://zitadel.example/", "issuer", "https://zitadel.example"),
    ("ZITADEL_DOMAIN", "zitadel.example", "issuer", "https://zitadel.example"),
    ("ZITADEL_DOMAIN", "zitadel.example:8443", "issuer", "https://zitadel.example:8443"),
    ("ZITADEL_DOMAIN", "HTTPS://Zitadel.Example", "issuer", "https://zitadel.example"),
    ("ZITADEL_DOMAIN", "  https://zitadel.example \t", "issuer", "https://zitadel.example"),
    ("ZITADEL_DOMAIN", "http://localhost:8080", "issuer", "http://localhost:8080"),
    ("ZITADEL_DOMAIN", "http://sub.localhost", "issuer", "http://sub.localhost"),
    ("ZITADEL_DOMAIN", "https://localhost", "issuer", "https://localhost"),
    ("ZITADEL_DOMAIN", "http://127.8.0.1:80", "issuer", "http://127.8.0.1:80"),
    ("ZITADEL_DOMAIN", "http://[::1]:8080", "issuer", "http://[::1]:8080"),
    ("ZITADEL_DOMAIN", "https://m\u00fcnchen.example", "issuer", "https://xn--mnchen-3ya.example"),
    ("ZITADEL_DOMAIN", "https://my_zitadel.example", "issuer", "https://my_zitadel.example"),
    ("CLIENT_SECRET", "a%+/=b'c", "client_secret", "a%+/=b'c"),
    ("ZITADEL_PROJECT_ID", "300000000000000010", "project_id", "300000000000000010"),
    ("ZITADEL_PROJECT_ID", "  ", "project_id", None),
    ("ZDEMO_CACHE_TTL", "0", "cache_ttl_seconds", 0),
    ("ZDEMO_CACHE_TTL", "0.25", "cache_ttl_seconds", 0.25),
    ("ZDEMO_CACHE_SIZE", "1", "cache_size", 1),
    ("ZDEMO_CACHE_SIZE", "10000000", "cache_size", 10_000_000),
    ("ZDEMO_TIMEOUT", "0.5", "timeout_seconds", 0.5),
    ("ZDEMO_TIMEOUT", "300", "timeout_seconds", 300),
    ("ZDEMO_ROLE_DENIED_STATUS", "403", "role_denied_status", 403),
]


@pytest.mark.parametrize(("name", "value", "attribute", "expected"), GOOD_VALUES)
def test_a_good_value(name: str, value: str, attribute: str, expected: object) -> None:
    assert getattr(settings_with(**{name: value}), attribute) == expected


BAD_VALUES: list[tuple[str, str, str]] = [
    ("ZITADEL_DOMAIN", "", "is not set"),
    ("ZITADEL_DOMAIN", " \t ", "is not set"),
    ("ZITADEL_DOMAIN", "localhost:8080", "has no scheme"),
    ("ZITADEL_DOMAIN", "127.0.0.1", "has no scheme"),
    ("ZITADEL_DOMAIN", "[::1]:8080", "has no scheme"),
    ("ZITADEL_DOMAIN", "http://zitadel.example", "ZDEMO_ALLOW_HTTP=1"),
    ("ZITADEL_DOMAIN", "http://localhost.example", "ZDEMO_ALLOW_HTTP=1"),
    ("ZITADEL_DOMAIN", "http://10.0.0.1", "ZDEMO_ALLOW_HTTP=1"),
    ("ZITADEL_DOMAIN", "ftp://zitadel.example", "scheme"),
    ("ZITADEL_DOMAIN", "https://zitadel.example/ui/console", "has a path"),
    ("ZITADEL_DOMAIN", "https://zitadel.example?x=1", "has a path"),
    ("ZITADEL_DOMAIN", "https://user:pass@zitadel.example", "user name or password"),
    ("ZITADEL_DOMAIN", "https://zita del.example", "blank"),
    ("ZITADEL_DOMAIN", "https://zitadel.example\u00a0https://b", "blank"),
    ("ZITADEL_DOMAIN", "https://", "is no address"),
    ("ZITADEL_DOMAIN", "https://:8080", "is no address"),
    ("ZITADEL_DOMAIN", "https://zitadel.example:port", "is no address"),
    ("ZITADEL_DOMAIN", "https://zitadel.example:0", "is no address"),
    ("ZITADEL_DOMAIN", "https://zitadel.example:70000", "is no address"),
    ("ZITADEL_DOMAIN", "https://.zitadel.example", "is no address"),
    ("ZITADEL_DOMAIN", "https://zitadel..example", "is no address"),
    ("ZITADEL_DOMAIN", "https://*.example", "is no address"),
    ("ZITADEL_DOMAIN", "https://" + "a" * 64 + ".example", "is no address"),
    ("ZITADEL_DOMAIN", "https://[::1", "is no address"),
    ("ZITADEL_DOMAIN", "https://[fe80::1%25eth0]", "is no address"),
    ("ZITADEL_DOMAIN", "https://zitadel.example\\x", "is no address"),
    ("ZITADEL_DOMAIN", '"https://zitadel.example"', "quotes"),
    ("ZITADEL_DOMAIN", "\u201chttps://zitadel.example\u201d", "quotes"),
    ("ZITADEL_DOMAIN", "https://zitadel\u200b.example", "invisible"),
    ("ZITADEL_DOMAIN", "https://zitadel.example\r\nX", "invisible"),
    ("CLIENT_ID", "", "is not set"),
    ("CLIENT_ID", "312 909", "blank"),
    ("CLIENT_ID", "'312909'", "quotes"),
    ("CLIENT_SECRET", "", "is not set"),
    ("CLIENT_SECRET", "abc def", "blank"),
    ("CLIENT_SECRET", "abc\x00def", "invisible"),
    ("CLIENT_SECRET", "abc\ufeffdef", "invisible"),
    ("CLIENT_SECRET", "abc\udcffdef", "invisible"),
    ("CLIENT_SECRET", "abc\ndef", "line end"),
    ("ZITADEL_PROJECT_ID", "a b", "blank"),
    ("ZDEMO_CACHE_TTL", "-1", "is no number from 0 to 86400"),
    ("ZDEMO_CACHE_TTL", "86401", "is no number from 0 to 86400"),
    ("ZDEMO_CACHE_TTL", "nan", "is no number"),
    ("ZDEMO_CACHE_TTL", "5s", "is no number"),
    ("ZDEMO_CACHE_SIZE", "0", "whole number"),
    ("ZDEMO_CACHE_SIZE", "1.5", "whole number"),
    ("ZDEMO_CACHE_SIZE", "10000001", "whole number"),
    ("ZDEMO_CACHE_SIZE", "00000000019999999999", "whole number"),
    ("ZDEMO_CACHE_SIZE", "9" * 5000, "whole number"),
    ("ZDEMO_CACHE_SIZE", "\u0661\u0662", "whole number"),
    ("ZDEMO_TIMEOUT", "0", "is no number from 0 to 300"),
    ("ZDEMO_TIMEOUT", "inf", "is no number"),
    ("ZDEMO_TIMEOUT", "301", "is no number"),
    ("ZDEMO_ALLOW_HTTP", "maybe", "neither 1 nor 0"),
    ("ZDEMO_ROLE_DENIED_STATUS", "404", "neither 401 nor 403"),
]


@pytest.mark.parametrize(("name", "value", "words"), BAD_VALUES, ids=lambda value: repr(value)[:40])
def test_a_bad_value_is_named_with_what_is_wrong(name: str, value: str, words: str) -> None:
    (problem,) = problems_of(Settings.from_env, {**GOOD, name: value})
    assert problem.startswith(f"{name} ")
    assert words in problem


@pytest.mark.parametrize("value", ["1", "true", "YES"])
def test_plain_http_can_be_allowed(value: str) -> None:
    found = settings_with(ZITADEL_DOMAIN="http://zitadel.example", ZDEMO_ALLOW_HTTP=value)
    assert found.issuer == "http://zitadel.example"


@pytest.mark.parametrize("value", ["http://api.example", "127.0.0.1:5000", "https://api.example/api/public"])
def test_the_address_of_the_api_is_checked_likewise(value: str) -> None:
    (problem,) = problems_of(ClientSettings.from_env, {"ZDEMO_API_URL": value})
    assert problem.startswith("ZDEMO_API_URL ")


def test_all_problems_are_said_at_once() -> None:
    bad = {
        "ZITADEL_DOMAIN": "localhost",
        "CLIENT_ID": "a b",
        "ZDEMO_CACHE_TTL": "x",
        "ZDEMO_CACHE_SIZE": "x",
        "ZDEMO_TIMEOUT": "x",
        "ZDEMO_ROLE_DENIED_STATUS": "x",
        "ZDEMO_ALLOW_HTTP": "x",
        "ZITADEL_PROJECT_ID": "a b",
    }
    named = {problem.split()[0] for problem in problems_of(Settings.from_env, bad)}
    assert named == {*bad, "CLIENT_SECRET"}


def test_nothing_set_names_all_that_is_required_with_an_example() -> None:
    problems = problems_of(Settings.from_env, {})
    assert [problem.split()[0] for problem in problems] == ["ZITADEL_DOMAIN", "CLIENT_ID", "CLIENT_SECRET"]
    assert "e.g. https://" in problems[0]
    assert [p.split()[0] for p in problems_of(AdminSettings.from_env, {})] == ["ZITADEL_DOMAIN", "ZITADEL_ADMIN_PAT"]


@pytest.mark.parametrize(
    ("given", "hint"), [({}, "set them in"), ({"ZITADEL_DOMAIN": "http://localhost:1"}, "set it in")]
)
def test_one_that_is_missing_is_it_and_two_are_them(given: dict[str, str], hint: str) -> None:
    with pytest.raises(SettingsError) as missing:
        AdminSettings.from_env(given)
    assert missing.value.hint.startswith(hint)


# --- secrets

VARIABLES = [
    *GOOD,
    "ZITADEL_KEY_FILE",
    "ZITADEL_PROJECT_ID",
    "PAT",
    "ZDEMO_API_URL",
    "ZDEMO_CACHE_TTL",
    "ZDEMO_CACHE_SIZE",
    "ZDEMO_TIMEOUT",
    "ZDEMO_ALLOW_HTTP",
    "ZDEMO_ROLE_DENIED_STATUS",
]
CANARY = "c4n4ry"
AROUND = st.text(st.sampled_from("\"' :/@[]%?#.\n\u200b\u00e9\udcff5-"), max_size=6)
VALUES = st.builds(
    lambda scheme, before, after: scheme + before + CANARY + after,
    st.sampled_from(["", "http://", "https://"]),
    AROUND,
    AROUND,
)


def said_about(read: Callable[[Mapping[str, str]], Any], variables: Mapping[str, str]) -> str:
    try:
        read(variables)
    except SettingsError as wrong:
        return f"{wrong} {wrong.hint} {wrong.problems} {wrong!r}"
    return ""


@given(variables=st.dictionaries(st.sampled_from(VARIABLES), VALUES))
def test_no_message_repeats_a_value(variables: dict[str, str]) -> None:
    assert not any(CANARY in said_about(read, variables).lower() for read in FROM_ENV)


@pytest.mark.parametrize("read", [Settings.from_env, AdminSettings.from_env])
def test_secrets_are_not_in_the_repr(read: Callable[[Mapping[str, str]], Any]) -> None:
    shown = repr(read({**GOOD, "CLIENT_SECRET": CANARY, "ZITADEL_ADMIN_PAT": CANARY}))
    assert CANARY not in shown


def test_an_environment_shows_names_and_no_values() -> None:
    assert repr(Environment({"the environment": {"PAT": CANARY, "A": CANARY}})) == "Environment(['A', 'PAT'])"


MASKED = [("a" * 19, "(too short to show a part of it)"), ("abcd" + "x" * 12 + "wxyz", "abcd\u2026wxyz")]


@pytest.mark.parametrize(("token", "shown"), MASKED)
def test_of_a_long_token_eight_characters_are_shown_at_most(token: str, shown: str) -> None:
    assert masked(token) == shown


# --- where values come from


def test_the_strongest_layer_wins_and_is_named() -> None:
    found = Environment(
        {
            "the command line": {"A": "1"},
            "the environment": {"A": "2", "B": "2", "D": "  "},
            ".env": {"A": "3", "B": "2 ", "C": "3", "D": "3"},
        }
    )
    assert dict(found) == {"A": "1", "B": "2", "C": "3", "D": "3"}
    sources = {name: found.source(name) for name in ("A", "B", "C", "D", "E")}
    assert sources == {"A": "the command line", "B": "the environment", "C": ".env", "D": ".env", "E": ""}
    assert set(found.shadowed) == {"A"}


def test_options_come_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "some.env"
    file.write_text("ZDEMO_TEST_A=file\nZDEMO_TEST_B=file\n")
    found = read_environment(file, ZDEMO_TEST_A="option", ZDEMO_TEST_B=None)
    assert (found["ZDEMO_TEST_A"], found["ZDEMO_TEST_B"]) == ("option", "file")
    assert (found.source("ZDEMO_TEST_A"), found.source("ZDEMO_TEST_B")) == ("the command line", str(file))


_READ = """
import json, os
from zdemo.config.environment import read_environment
before = dict(os.environ)
found = read_environment(CLIENT_ID=None)
print(json.dumps({name: [found[name], found.source(name)] for name in found if name in ("PAT", "CLIENT_ID")}))
assert os.environ == before, "os.environ was written to"
"""


def read_in(folder: Path, environment: Mapping[str, str]) -> Any:
    return json.loads(processes.run_python(_READ, environment=environment, folder=folder))


def test_the_environment_comes_before_dotenv_of_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PAT=file\nCLIENT_ID=file\n")
    assert read_in(tmp_path, {"PAT": "set"}) == {"PAT": ["set", "the environment"], "CLIENT_ID": ["file", ".env"]}


def test_a_dotenv_of_a_folder_above_is_not_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PAT=file\n")
    (tmp_path / "below").mkdir()
    assert read_in(tmp_path / "below", {}) == {}


def test_a_folder_named_dotenv_is_a_virtual_environment_and_not_read(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    assert read_in(tmp_path, {"PAT": "set"}) == {"PAT": ["set", "the environment"]}


def test_an_env_file_that_is_missing_or_a_folder_is_a_settings_error(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "missing", "does not exist"), (tmp_path, "cannot be read: Is a directory")):
        with pytest.raises(SettingsError) as wrong:
            read_environment(path)
        assert wrong.value.problems == (f"{path} {words}",)


# --- the key file

KEY = ApplicationKey(client_id="312909075212468229", key_id="312909075212468555", private_key="-----BEGIN c4n4ry")


class Reader:
    """Has a key behind every path, and remembers what it was asked for."""

    def __init__(self, warning: str = "") -> None:
        self.warning = warning
        self.asked: list[tuple[str, Path]] = []

    def __call__(self, text: str, folder: Path) -> tuple[ApplicationKey, str]:
        self.asked.append((text, folder))
        return KEY, self.warning


DOMAIN = {"ZITADEL_DOMAIN": "https://zitadel.example"}
KEY_FILE = {"ZITADEL_KEY_FILE": " keys/api.json "}


def test_with_a_key_file_no_client_id_or_secret_is_needed() -> None:
    read_key = Reader()
    settings = Settings.from_env({**DOMAIN, **KEY_FILE}, read_key=read_key)
    assert (settings.key, settings.client_id, settings.client_secret) == (KEY, KEY.client_id, "")
    assert settings.credential_variables == "ZITADEL_KEY_FILE"
    assert settings.warnings == ()
    assert read_key.asked == [("keys/api.json", Path())]
    assert CANARY not in repr(settings)


def test_the_key_file_wins_over_client_id_and_secret_which_are_not_looked_at() -> None:
    settings = Settings.from_env({**GOOD, "CLIENT_SECRET": "two words", **KEY_FILE}, read_key=Reader())
    assert (settings.key, settings.client_secret) == (KEY, "")


def test_an_empty_key_file_is_none() -> None:
    settings = Settings.from_env({**GOOD, "ZITADEL_KEY_FILE": " "}, read_key=Reader())
    assert (settings.key, settings.client_id) == (None, GOOD["CLIENT_ID"])
    assert settings.credential_variables == "CLIENT_ID and CLIENT_SECRET"


def test_a_warning_about_the_key_file_travels_with_the_settings() -> None:
    assert Settings.from_env({**DOMAIN, **KEY_FILE}, read_key=Reader("others can read it")).warnings == (
        "others can read it",
    )


def test_a_bad_key_file_is_one_problem_among_the_others(tmp_path: Path) -> None:
    (tmp_path / "c4n4ry.json").write_text("{}")
    variables = {"ZITADEL_KEY_FILE": str(tmp_path / "c4n4ry.json"), "ZDEMO_TIMEOUT": "soon"}
    problems = problems_of(Settings.from_env, variables)
    assert [problem.split()[0] for problem in problems] == ["ZITADEL_DOMAIN", "ZITADEL_KEY_FILE", "ZDEMO_TIMEOUT"]
    assert "without clientId, keyId, key" in problems[1]
    assert CANARY not in problems[1]


@pytest.mark.parametrize("value", ['"key.json"', "key\u200b.json", "key\n.json"])
def test_what_no_setting_may_hold_is_no_path_either(value: str) -> None:
    (problem,) = problems_of(Settings.from_env, {**DOMAIN, "ZITADEL_KEY_FILE": value})
    assert problem.startswith("ZITADEL_KEY_FILE h")


def test_a_relative_path_in_an_env_file_starts_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "api.env"
    file.write_text("ZITADEL_DOMAIN=https://zitadel.example\nZITADEL_KEY_FILE=keys/api.json\n")
    read_key = Reader()
    Settings.from_env(read_environment(file), read_key=read_key)
    Settings.from_env(read_environment(file, ZITADEL_KEY_FILE="mine.json"), read_key=read_key)
    assert read_key.asked == [("keys/api.json", tmp_path), ("mine.json", Path())]


def test_a_variable_can_be_taken_out_of_an_environment(tmp_path: Path) -> None:
    given = Environment({"a": {"X": "1", "Y": "2"}, "b": {"Z": "3"}}, folders={"b": tmp_path})
    left = given.without("X")
    assert (dict(left), left.source("Y"), left.folder("Z")) == ({"Y": "2", "Z": "3"}, "a", tmp_path)


# --- the rest


@pytest.mark.parametrize("token", ["abc", " abc\r\n", "\tabc"])
def test_the_token_is_taken_without_what_a_paste_brings(token: str) -> None:
    assert required_token({"PAT": token}) == "abc"


@pytest.mark.parametrize("variables", [{}, {"PAT": ""}, {"PAT": " \n"}])
def test_without_a_token_the_way_to_give_one_is_named(variables: dict[str, str]) -> None:
    with pytest.raises(MissingTokenError) as missing:
        required_token(variables)
    assert missing.value.exit_code is ExitCode.SETTINGS
    assert "--pat" in missing.value.hint


LOOPBACK_NAMES = ["localhost", "LOCALHOST", "a.localhost", "127.0.0.1", "127.1.2.3", "::1", "[::1]"]
OTHER_NAMES = ["localhost.example", "notlocalhost", "128.0.0.1", "::2", "::", "", "127.0.0.1.example"]


@pytest.mark.parametrize("name", LOOPBACK_NAMES)
def test_a_name_of_this_machine(name: str) -> None:
    assert is_loopback(name)


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_a_name_of_another_machine(name: str) -> None:
    assert not is_loopback(name)
