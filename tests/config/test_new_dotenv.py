"""The emulator's public values: how they are recognized, and where they are used."""

from pathlib import Path

import pytest

from zdemo.config.dotenv_file import Dotenv
from zdemo.config.environment import EXPORTED, Environment
from zdemo.config.new_dotenv import emulator_in, emulator_text, usable_at, with_env_file
from zdemo.config.variables import SECRETS, is_public
from zdemo.emulator import ADMIN, CLIENT_ID, CLIENT_SECRET, READER, VISITOR
from zdemo.errors.steps import Command, in_words

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


def test_address_and_a_secret_in_the_file_identify_an_emulator() -> None:
    def address(changes: dict[str, str], exported: dict[str, str] | None = None) -> str:
        path = Path(".env")
        return emulator_in(Environment({EXPORTED: exported or {}, str(path): SETTINGS | changes}, file=path))

    for changes in ({}, {"ZITADEL_DOMAIN": "http://LOCALHOST:8485/"}, {"PAT": "own", "CLIENT_SECRET": "own"}):
        assert address(changes) == (SETTINGS | changes)["ZITADEL_DOMAIN"]
    for changes in ({"ZITADEL_DOMAIN": "http://localhost:8080"}, {"ZITADEL_DOMAIN": "https://x.example"}, OWN):
        assert address(changes) == ""
    assert address({}, {"ZITADEL_DOMAIN": "http://localhost:8485"}) == ""


def test_a_proposed_setup_has_the_emulators_address(tmp_path: Path) -> None:
    path = tmp_path / "my.env"
    path.write_text(emulator_text())
    for text in ("setup", "setup --app"):
        step = in_words(with_env_file(Command(text), path))
        assert step == f"zdemo {text} --domain http://localhost:8484 --env-file {path}"
