"""Settings: good and bad values, all problems at once, where a value comes from, and no secret in a message."""

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.support import processes
from zdemo.config.environment import COMMAND_LINE, EXPORTED, Environment, read_environment
from zdemo.config.key_file import ApplicationKey
from zdemo.config.names import did_you_mean
from zdemo.config.origins import is_loopback
from zdemo.config.settings import AdminSettings, ClientSettings, Settings
from zdemo.errors import ExitCode, SettingsError

GOOD = {
    "ZITADEL_DOMAIN": "https://zitadel.example",
    "CLIENT_ID": "312909075212468231",
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
        client_id="312909075212468231",
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
    ("ZITADEL_INTERNAL_URL", "http://localhost:8080/", "internal_url", "http://localhost:8080"),
    ("ZITADEL_INTERNAL_URL", "https://zitadel:8080", "internal_url", "https://zitadel:8080"),
    ("ZITADEL_INTERNAL_URL", "https://zitadel.example/", "internal_url", None),  # the same as ZITADEL_DOMAIN
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


INTERNAL = "http://zitadel:8080"
EXAMPLE = "https://my-instance-abc123.zitadel.cloud"
ADDRESS = f"give scheme, host and port, for example {EXAMPLE}"
CORRECT = "correct it"
NUMBER, WHOLE = "is not a number from 0 to 86400", "is not a whole number from 1 to 10000000"
CONTROL = "contains a line end or a control character: copy it again"

# setting, value, what is said of it ("…" stands for the value), and the hint, where a value is the corrected one
DOMAINS: list[tuple[str, str, str]] = [
    ("localhost:8080", "has no scheme (http:// or https://): …", "http://localhost:8080"),
    ("[::1]:8080", "has no scheme (http:// or https://): …", "http://[::1]:8080"),
    ("localhost:8080/ui/console", "has no scheme (http:// or https://): …", "http://localhost:8080"),
    ("http:/localhost:8080", "has a damaged scheme: …", "http://localhost:8080"),
    ("HTTP//LocalHost:8080", "has a damaged scheme: …", "HTTP://LocalHost:8080"),
    ("https:zitadel.example", "has a damaged scheme: …", "https://zitadel.example"),
    ("http:\\\\zitadel.example", "has a damaged scheme: …", "https://zitadel.example"),
    ("https://https://zitadel.example", "contains :// twice: …", "https://zitadel.example"),
    ("ftp://zitadel.example", "has a scheme other than http and https: …", "https://zitadel.example"),
    ("http://localhost:8080/ui/console", "has a path: …", "http://localhost:8080"),
    ("https://zitadel.example:8443/ui", "has a path: …", "https://zitadel.example:8443"),
    ("https://zitadel.example?x=1", "has a query or fragment", "https://zitadel.example"),
    ("https://zitadel.example/#x", "has a query or fragment", "https://zitadel.example"),
    ("https://user:pass@zitadel.example", "contains a user name or password", "https://zitadel.example"),
    ("https://user:12/34@zitadel.example", "has a path", CORRECT),
    ("https://user:12?34@zitadel.example", "has a query or fragment", CORRECT),
    ("https://user:password", "is not an address", ADDRESS),
    ("https://zita del.example", "has a space inside: …", f"give one address, for example {EXAMPLE}"),
    ("https://", "is not an address: …", ADDRESS),
    ("https://:8080", "is not an address: …", ADDRESS),
    ("https://zitadel.example:0", "is not an address: …", ADDRESS),
    ("https://zitadel.example:70000", "is not an address: …", ADDRESS),
    ("https://.zitadel.example", "is not an address: …", ADDRESS),
    ("https://zitadel..example", "is not an address: …", ADDRESS),
    ("https://*.example", "is not an address: …", ADDRESS),
    ("https://" + "a" * 64 + ".example", "is not an address: …", ADDRESS),
    ("https://[::1", "is not an address: …", ADDRESS),
    ("https://[fe80::1%25eth0]", "is not an address: …", ADDRESS),
    ("https://zitadel.example\\x", "is not an address: …", ADDRESS),
    ('"https://zitadel.example"', "has quotes around it: …", "https://zitadel.example"),
    ("\u201clocalhost:8080/ui\u201d", "has quotes around it: …", "http://localhost:8080"),
    ("https://zitadel\u200b.example", "contains an invisible character (U+200B)", "https://zitadel.example"),
    ("https://zitadel.example\r\nX", CONTROL, CORRECT),
]
OTHERS: list[tuple[str, str, str, str]] = [
    ("ZITADEL_INTERNAL_URL", "http://localhost:8080/zitadel", "has a path: …", "http://localhost:8080"),
    ("ZITADEL_INTERNAL_URL", "https://a:b@zitadel:8080", "contains a user name or password", "https://zitadel:8080"),
    ("ZITADEL_INTERNAL_URL", "https://", "is not an address: …", "give scheme, host and port, for example " + INTERNAL),
    ("CLIENT_ID", "312 909", "has a space inside: …", CORRECT),
    ("CLIENT_ID", "'312909'", "has quotes around it: …", "312909"),
    ("CLIENT_ID", "'my secret'", "has quotes around it", CORRECT),
    ("CLIENT_SECRET", "abc def", "has a space inside", CORRECT),
    ("CLIENT_SECRET", '"abc"', "has quotes around it", CORRECT),
    ("CLIENT_SECRET", "Bearer abc", "has Bearer in front of it", CORRECT),
    ("CLIENT_SECRET", "abc\x00def", CONTROL, CORRECT),
    ("CLIENT_SECRET", "abc\udcffdef", CONTROL, CORRECT),
    ("CLIENT_SECRET", "abc\ndef", CONTROL, CORRECT),
    ("CLIENT_SECRET", "abc\ufeffdef", "contains an invisible character (U+FEFF)", CORRECT),
    ("ZITADEL_PROJECT_ID", "a b", "has a space inside", CORRECT),
    ("ZDEMO_CACHE_TTL", "-1", f"{NUMBER}: …", CORRECT),
    ("ZDEMO_CACHE_TTL", "86401", f"{NUMBER}: …", CORRECT),
    ("ZDEMO_CACHE_TTL", "nan", f"{NUMBER}: …", CORRECT),
    ("ZDEMO_CACHE_TTL", "5s", f"{NUMBER}: …", "5"),
    ("ZDEMO_CACHE_TTL", "99999s", f"{NUMBER}: …", CORRECT),
    ("ZDEMO_CACHE_SIZE", "0", f"{WHOLE}: …", CORRECT),
    ("ZDEMO_CACHE_SIZE", "1.5", f"{WHOLE}: …", CORRECT),
    ("ZDEMO_CACHE_SIZE", "10000001", f"{WHOLE}: …", CORRECT),
    ("ZDEMO_CACHE_SIZE", "00000000019999999999", f"{WHOLE}: …", CORRECT),
    ("ZDEMO_CACHE_SIZE", "9" * 5000, WHOLE, CORRECT),
    ("ZDEMO_CACHE_SIZE", "\u0661\u0662", f"{WHOLE}: …", CORRECT),
    ("ZDEMO_TIMEOUT", "0", "is not a number above 0, at most 300: …", CORRECT),
    ("ZDEMO_TIMEOUT", "inf", "is not a number above 0, at most 300: …", CORRECT),
    ("ZDEMO_ALLOW_HTTP", "maybe", "is neither 1 nor 0: …", CORRECT),
    ("ZDEMO_ROLE_DENIED_STATUS", "404", "is neither 401 nor 403: …", CORRECT),
]


@pytest.mark.parametrize(
    ("name", "value", "said", "fix"), [("ZITADEL_DOMAIN", *row) for row in DOMAINS] + OTHERS, ids=lambda v: repr(v)[:40]
)
def test_a_bad_value_is_shown_with_what_is_wrong_and_the_corrected_one(
    name: str, value: str, said: str, fix: str
) -> None:
    with pytest.raises(SettingsError) as wrong:
        settings_with(**{name: value})
    assert wrong.value.problems == (f"{name} {said.replace('…', value)}",)
    hints = (f"{name}={fix}", fix, f"correct {name}") if fix == CORRECT else (f"{name}={fix}", fix)
    assert wrong.value.hint in hints
    assert list(wrong.value.fixes.values()) == [wrong.value.hint]


@pytest.mark.parametrize("host", ["zitadel.example", "localhost.example", "10.0.0.1"])
def test_plain_http_is_for_this_machine(host: str) -> None:
    with pytest.raises(SettingsError, match="over plain http") as wrong:
        settings_with(ZITADEL_DOMAIN=f"http://{host}:80")
    assert wrong.value.hint == f"ZITADEL_DOMAIN=https://{host}:80, or ZDEMO_ALLOW_HTTP=1 in a network that you trust"


def test_plain_http_to_a_name_of_a_cluster_is_not_private_either() -> None:
    with pytest.raises(SettingsError, match="ZITADEL_INTERNAL_URL would send tokens and secrets over plain http"):
        settings_with(ZITADEL_INTERNAL_URL=INTERNAL)
    allowed = settings_with(ZITADEL_INTERNAL_URL=INTERNAL, ZDEMO_ALLOW_HTTP="1")
    assert (allowed.issuer, allowed.internal_url) == (GOOD["ZITADEL_DOMAIN"], INTERNAL)


DOMAIN, OTHER_DOMAIN = {"ZITADEL_DOMAIN": GOOD["ZITADEL_DOMAIN"]}, {"ZITADEL_DOMAIN": "https://other.example"}
INSIDE = {"ZITADEL_INTERNAL_URL": "https://zitadel:8080"}


@pytest.mark.parametrize(
    ("option", "exported", "in_file", "used"),
    [
        ({}, {}, DOMAIN | INSIDE, True),
        ({}, DOMAIN | INSIDE, OTHER_DOMAIN, True),
        ({}, INSIDE, DOMAIN, True),
        (DOMAIN, INSIDE, {}, True),
        (DOMAIN, DOMAIN | INSIDE, {}, True),
        ({}, DOMAIN, INSIDE, False),
        ({}, DOMAIN, DOMAIN | INSIDE, False),
        ({}, DOMAIN, OTHER_DOMAIN | INSIDE, False),
        (DOMAIN, OTHER_DOMAIN | INSIDE, {}, False),
        (DOMAIN, {}, OTHER_DOMAIN | INSIDE, False),
    ],
)
def test_an_internal_url_counts_for_the_domain_of_its_place(
    option: dict[str, str], exported: dict[str, str], in_file: dict[str, str], used: bool
) -> None:
    """A copied folder's file must not redirect what is meant for an exported address."""
    secrets = {"CLIENT_ID": GOOD["CLIENT_ID"], "CLIENT_SECRET": GOOD["CLIENT_SECRET"], "ZITADEL_ADMIN_PAT": "pat"}
    layers = {COMMAND_LINE: option, EXPORTED: exported, ".env": in_file | secrets}
    environment = Environment(layers, file=Path(".env"))
    for settings in (Settings.from_env(environment), AdminSettings.from_env(environment)):
        assert settings.zitadel.server == (INSIDE["ZITADEL_INTERNAL_URL"] if used else GOOD["ZITADEL_DOMAIN"])
        assert ["ZITADEL_INTERNAL_URL" in warning for warning in settings.warnings] == [True] * (not used)


@pytest.mark.parametrize("value", ["1", "true", "YES"])
def test_plain_http_can_be_allowed(value: str) -> None:
    assert settings_with(ZITADEL_DOMAIN="http://zitadel.example", ZDEMO_ALLOW_HTTP=value).issuer.startswith("http://")


def test_all_problems_are_said_at_once() -> None:
    numbers = dict.fromkeys(["ZDEMO_CACHE_TTL", "ZDEMO_CACHE_SIZE", "ZDEMO_TIMEOUT", "ZDEMO_ROLE_DENIED_STATUS"], "x")
    others = {"ZITADEL_DOMAIN": "localhost", "CLIENT_ID": "a b", "ZITADEL_PROJECT_ID": "a b", "ZDEMO_ALLOW_HTTP": "x"}
    bad = {**numbers, **others}
    named = {problem.split()[0] for problem in problems_of(Settings.from_env, bad)}
    assert named == {*bad, "CLIENT_SECRET"}


def test_nothing_set_names_all_that_is_required_with_an_example() -> None:
    problems = problems_of(Settings.from_env, {})
    assert [problem.split()[0] for problem in problems] == ["ZITADEL_DOMAIN", "CLIENT_ID", "CLIENT_SECRET"]
    assert "e.g. https://" in problems[0]
    assert [p.split()[0] for p in problems_of(AdminSettings.from_env, {})] == ["ZITADEL_DOMAIN", "ZITADEL_ADMIN_PAT"]


# --- secrets

VARIABLES = [
    *(*GOOD, "ZITADEL_KEY_FILE", "ZITADEL_PROJECT_ID", "PAT", "ZDEMO_API_URL", "ZDEMO_CACHE_TTL", "ZDEMO_CACHE_SIZE"),
    *("ZDEMO_CACHE_URL", "ZDEMO_TIMEOUT", "ZDEMO_ALLOW_HTTP", "ZDEMO_ROLE_DENIED_STATUS"),
]
CANARY = "aB3dE5gH7jK9mN2pQ4sT6"
AROUND = st.text(st.sampled_from("\"' :/@[]%?#.\n\u200b\u00e9\udcff5-"), max_size=6)
VALUES = st.builds(
    lambda scheme, before, after: scheme + before + CANARY + after,
    st.sampled_from(["", "http://", "https://", "redis://", "unix://"]),
    AROUND,
    AROUND,
)


def said_about(read: Callable[[Mapping[str, str]], Any], variables: Mapping[str, str]) -> str:
    try:
        read(variables)
    except SettingsError as wrong:
        return f"{wrong} {wrong.hint} {wrong.problems} {wrong!r}"
    return ""


@hypothesis_settings(deadline=None)
@given(variables=st.dictionaries(st.sampled_from(VARIABLES), VALUES))
def test_no_message_repeats_what_could_be_a_secret(variables: dict[str, str]) -> None:
    assert not any(CANARY.lower() in said_about(read, variables).lower() for read in FROM_ENV)


def test_secrets_are_not_in_the_repr() -> None:
    secrets = {**GOOD, "CLIENT_SECRET": CANARY, "ZITADEL_ADMIN_PAT": CANARY}
    assert CANARY not in f"{Settings.from_env(secrets)!r} {AdminSettings.from_env(secrets)!r}"
    assert repr(Environment({"the environment": {"PAT": CANARY, "A": CANARY}})) == "Environment(['A', 'PAT'])"


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
    found = read_environment(file, {"ZDEMO_TEST_A": ("--a", "option"), "ZDEMO_TEST_B": ("--b", None)})
    assert (found["ZDEMO_TEST_A"], found["ZDEMO_TEST_B"]) == ("option", "file")
    assert (found.source("ZDEMO_TEST_A"), found.source("ZDEMO_TEST_B")) == ("the command line", str(file))
    assert found.correction("ZDEMO_TEST_A") == "correct --a"
    assert found.correction("ZDEMO_TEST_B") == f"correct ZDEMO_TEST_B in {file}"


@pytest.mark.parametrize(
    ("value", "problem", "hint"),
    [
        ("https://127.0.0.1:5000/api", "--url has a path: https://127.0.0.1:5000/api", "--url=https://127.0.0.1:5000"),
        ("127.0.0.1:5000", "--url has no scheme (http:// or https://): 127.0.0.1:5000", "--url=http://127.0.0.1:5000"),
    ],
)
def test_an_option_is_named_instead_of_its_variable(value: str, problem: str, hint: str) -> None:
    with pytest.raises(SettingsError) as wrong:
        ClientSettings.from_env(read_environment(None, {"ZDEMO_API_URL": ("--url", value)}))
    assert (wrong.value.problems, wrong.value.hint) == ((problem,), hint)


@pytest.mark.parametrize(
    ("layers", "can_init", "offer"),
    [
        ({}, True, "; zdemo init --emulator writes one with the emulator's settings"),
        ({"the environment": {"HOME": "/"}}, True, "; zdemo init --emulator writes one with the emulator's settings"),
        ({"the environment": {"ZITADEL_DOMAIN": "https://x"}}, True, "; zdemo init writes one to fill in"),
        ({}, False, ""),
    ],
)
def test_init_is_offered_only_where_it_writes_a_file(
    layers: dict[str, dict[str, str]], can_init: bool, offer: str
) -> None:
    environment = Environment(layers, can_init=can_init)
    for one in (environment, environment.without("OTHER")):
        assert one.completion(["PAT"]) == f"set it in the environment or in .env{offer}"


def test_a_missing_setting_is_to_be_set_in_the_file_that_was_read(tmp_path: Path) -> None:
    file = Environment({}, file=tmp_path)
    assert file.completion(["PAT", "CLIENT_ID"]) == f"set them in the environment or in {tmp_path}"
    assert file.completion(["PAT"], by_name=True) == f"set PAT in the environment or in {tmp_path}"


_READ = """
import json, os
from zdemo.config.environment import read_environment
before = dict(os.environ)
found = read_environment()
print(json.dumps({name: [found[name], found.source(name)] for name in found if name in ("PAT", "CLIENT_ID")}))
assert os.environ == before, "os.environ was written to"
"""


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (".env", {"PAT": ["set", "the environment"], "CLIENT_ID": ["file", ".env"]}),
        ("../.env", {"PAT": ["set", "the environment"]}),
        (".env/bin", {"PAT": ["set", "the environment"]}),  # a virtual environment
    ],
)
def test_the_environment_comes_before_dotenv_of_the_working_directory_alone(
    file: str, expected: dict[str, list[str]], tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).write_text("PAT=file\nCLIENT_ID=file\n")
    assert json.loads(processes.run_python(_READ, environment={"PAT": "set"}, folder=folder)) == expected


def test_an_env_file_that_is_missing_or_a_folder_is_a_settings_error(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "missing", "does not exist"), (tmp_path, "is a folder, not a file")):
        with pytest.raises(SettingsError) as wrong:
            read_environment(path)
        assert wrong.value.problems == (f"{path} {words}",)


def test_a_pipe_with_the_name_of_the_env_file_is_a_settings_error_and_a_folder_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo(".env")
    with pytest.raises(SettingsError) as wrong:
        read_environment()
    assert wrong.value.problems == (".env is a named pipe, not a file",)
    os.unlink(".env")
    os.mkdir(".env")
    assert read_environment().file is None


# --- the key file

KEY = ApplicationKey(client_id="312909075212468231", key_id="312909075212468555", private_key=f"-----BEGIN {CANARY}")


class Reader:
    """A reader of key files that returns the same key for each path, and records its arguments."""

    def __init__(self, warning: str = "") -> None:
        self.warning = warning
        self.read: list[tuple[str, Path]] = []

    def __call__(self, text: str, folder: Path) -> tuple[ApplicationKey, str]:
        self.read.append((text, folder))
        return KEY, self.warning


DOMAIN = {"ZITADEL_DOMAIN": "https://zitadel.example"}
KEY_FILE = {"ZITADEL_KEY_FILE": " keys/api.json "}


def test_with_a_key_file_client_id_and_secret_are_not_looked_at() -> None:
    read_key = Reader("others can read it")
    settings = Settings.from_env({**GOOD, "CLIENT_ID": "two words", **KEY_FILE}, read_key=read_key)
    assert (settings.key, settings.client_id, settings.client_secret) == (KEY, KEY.client_id, "")
    assert settings.credential_variables == "ZITADEL_KEY_FILE"
    assert settings.warnings == ("others can read it",)
    assert read_key.read == [("keys/api.json", Path())]
    assert CANARY not in repr(settings)


def test_an_empty_key_file_is_none() -> None:
    settings = Settings.from_env({**GOOD, "ZITADEL_KEY_FILE": " "}, read_key=Reader())
    assert (settings.key, settings.client_id) == (None, GOOD["CLIENT_ID"])
    assert settings.credential_variables == "CLIENT_ID and CLIENT_SECRET"


def test_a_bad_key_file_is_one_problem_among_the_others(tmp_path: Path) -> None:
    (tmp_path / "key.json").write_text("{}")
    variables = {"ZITADEL_KEY_FILE": str(tmp_path / "key.json"), "ZDEMO_TIMEOUT": "soon"}
    problems = problems_of(Settings.from_env, variables)
    assert [problem.split()[0] for problem in problems] == ["ZITADEL_DOMAIN", "ZITADEL_KEY_FILE", "ZDEMO_TIMEOUT"]
    assert problems[1].endswith(f"without clientId, keyId, key: {tmp_path / 'key.json'}")


@pytest.mark.parametrize("value", ['"key.json"', "key\u200b.json", "key\n.json"])
def test_what_no_setting_may_hold_is_no_path_either(value: str) -> None:
    (problem,) = problems_of(Settings.from_env, {**DOMAIN, "ZITADEL_KEY_FILE": value})
    assert re.match("ZITADEL_KEY_FILE (has|contains)", problem)


def test_a_relative_path_in_an_env_file_starts_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "api.env"
    file.write_text("ZITADEL_DOMAIN=https://zitadel.example\nZITADEL_KEY_FILE=keys/api.json\n")
    read_key = Reader()
    Settings.from_env(read_environment(file), read_key=read_key)
    Settings.from_env(read_environment(file, {"ZITADEL_KEY_FILE": ("--key", "mine.json")}), read_key=read_key)
    assert read_key.read == [("keys/api.json", tmp_path), ("mine.json", Path())]


def test_a_variable_can_be_taken_out_of_an_environment(tmp_path: Path) -> None:
    given = Environment({"a": {"X": "1", "Y": "2"}, f"{tmp_path}/.env": {"Z": "3"}})
    left = given.without("X")
    assert (dict(left), left.source("Y"), left.folder("Z")) == ({"Y": "2", "Z": "3"}, "a", tmp_path)


# --- the rest


NEAR = {
    "CLIENTID": "CLIENTID",
    "client_id": "client_id",
    "CLEINT_ID": "CLEINT_ID",
    "ZITADEL_CLIENT_ID": "ZITADEL_CLIENT_ID",
    "$env:CLIENT_ID": "a name that only looks like CLIENT_ID",
    "\u0421LIENT_ID": "a name that only looks like CLIENT_ID",
    "CLIENT\u200b_ID": "a name that only looks like CLIENT_ID",
} | dict.fromkeys(["API_CLIENT_ID", "CLIENT_KEY", "PATH", "PAT", "CLIENT"], "")


@pytest.mark.parametrize("name", NEAR)
def test_a_name_that_is_nearly_right_is_pointed_out(name: str) -> None:
    problem, _ = problems_of(Settings.from_env, {"ZITADEL_DOMAIN": "localhost", name: "1", "CLIENT_SECRET": "2"})[::-1]
    assert problem.startswith("CLIENT_ID is not set")
    assert problem.partition(" (")[2] == (f"is {NEAR[name]} misspelled?)" if NEAR[name] else "")


WORDS = [
    ("--pta", ["--pat", "--url"], "--pat"),
    ("Scopd", ["public", "private", "scoped"], "scoped"),
    ("read:message", ["Read:Messages"], "Read:Messages"),
    ("--bogus", ["--verbose"], ""),
    ("anything", [], ""),
]


@pytest.mark.parametrize(("word", "known", "meant"), WORDS)
def test_the_known_name_that_is_nearest_is_meant(word: str, known: list[str], meant: str) -> None:
    assert did_you_mean(word, known) == meant


LOOPBACK = ["localhost", "LOCALHOST", "a.localhost", "127.0.0.1", "127.1.2.3", "::1", "[::1]"]
ELSEWHERE = ["localhost.example", "notlocalhost", "128.0.0.1", "::2", "::", "", "127.0.0.1.example"]


@pytest.mark.parametrize("name", LOOPBACK + ELSEWHERE)
def test_names_of_this_machine_are_known(name: str) -> None:
    assert is_loopback(name) is (name in LOOPBACK)
