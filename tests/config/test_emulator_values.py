"""The emulator's public values: how they are recognized, and where they are used."""

import pytest

from zdemo.config.dotenv_file import parse_dotenv
from zdemo.config.emulator_values import are_emulators, is_public, usable_at
from zdemo.config.new_dotenv import SKELETON, emulator_text
from zdemo.emulator import ADMIN, CLIENT_ID, CLIENT_SECRET, DEFAULT_PORT, READER, VISITOR

SETTINGS = parse_dotenv(emulator_text())


@pytest.mark.parametrize("value", [ADMIN.pat, READER.pat, VISITOR.pat, READER.secret, CLIENT_SECRET, f" {ADMIN.pat}\n"])
def test_the_emulators_secrets_are_public(value: str) -> None:
    assert is_public(value)


@pytest.mark.parametrize("value", ["", CLIENT_ID, "x" * 71, f"Bearer {ADMIN.pat}", "a-zdemo-token"])
def test_other_values_are_not(value: str) -> None:
    assert not is_public(value)


@pytest.mark.parametrize(
    ("address", "usable"),
    [
        ("http://localhost:8484", True),
        ("http://127.0.0.1:9000", True),
        ("http://[::1]:9000", True),
        ("https://zitadel.localhost", True),
        ("https://zitadel.example.com", False),
        ("https://localhost.example.com", False),
        ("http://192.0.2.1:8484", False),
        ("zitadel.example.com", False),
        ("", False),
    ],
)
def test_public_values_are_for_this_machine(address: str, usable: bool) -> None:
    assert usable_at(address, ADMIN.pat) == (ADMIN.pat if usable else "")
    assert usable_at(address, "a person's own") == "a person's own"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"ZITADEL_DOMAIN": "http://LOCALHOST:8484/"}, True),
        ({"PAT": "own", "CLIENT_SECRET": "own"}, True),
        ({"ZITADEL_DOMAIN": "http://localhost:8485"}, True),
        ({"ZITADEL_DOMAIN": "http://localhost:8080"}, False),
        ({"PAT": "own", "CLIENT_SECRET": "own", "ZITADEL_ADMIN_PAT": "own"}, True),
        (dict.fromkeys(("PAT", "CLIENT_SECRET", "ZITADEL_ADMIN_PAT", "ZDEMO_USER_CLIENT_SECRET"), "own"), False),
    ],
)
def test_settings_are_the_emulators_by_address_and_a_secret(changes: dict[str, str], expected: bool) -> None:
    assert are_emulators(SETTINGS | changes) is expected
    assert not are_emulators(parse_dotenv(SKELETON))
    assert SETTINGS["ZITADEL_DOMAIN"] == f"http://localhost:{DEFAULT_PORT}"
