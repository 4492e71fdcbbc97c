"""The emulator's public values: how they are recognized, and where they are used."""

import pytest

from zdemo.config.dotenv_file import Dotenv
from zdemo.config.new_dotenv import are_emulators, emulator_text, skeleton, usable_at
from zdemo.config.variables import SECRETS, is_public
from zdemo.emulator import ADMIN, CLIENT_ID, CLIENT_SECRET, READER, VISITOR

SETTINGS = Dotenv(emulator_text()).values
OWN = dict.fromkeys(SECRETS, "own")


def test_the_emulators_secrets_are_public_and_others_are_not() -> None:
    assert all(map(is_public, (ADMIN.pat, READER.pat, VISITOR.pat, READER.secret, CLIENT_SECRET, f" {ADMIN.pat}\n")))
    assert not any(map(is_public, ("", CLIENT_ID, "x" * 71, f"Bearer {ADMIN.pat}", "a-zdemo-token")))


@pytest.mark.parametrize("address", ["http://localhost:8484", "http://[::1]:9000", "https://zitadel.localhost"])
def test_public_values_are_for_this_machine(address: str) -> None:
    assert usable_at(address, ADMIN.pat) == ADMIN.pat
    for other in (address.replace("local", "other").replace("::1", "::2"), "zitadel.example.com", "http://[x", ""):
        assert usable_at(other, ADMIN.pat) == ""
        assert usable_at(other, "a person's own") == "a person's own"


def test_settings_are_the_emulators_by_address_and_a_secret() -> None:
    for changes in ({}, {"ZITADEL_DOMAIN": "http://LOCALHOST:8485/"}, {"PAT": "own", "CLIENT_SECRET": "own"}):
        assert are_emulators(SETTINGS | changes)
    for changes in ({"ZITADEL_DOMAIN": "http://localhost:8080"}, {"ZITADEL_DOMAIN": "https://x.example"}, OWN):
        assert not are_emulators(SETTINGS | changes)
    assert not are_emulators(Dotenv(skeleton()).values)
