"""The catalogue of faults, fourth part: the settings."""

from __future__ import annotations

import pytest

from tests.cli.running import Shell
from tests.naming import command, doctor, settings
from zdemo.emulator import Emulator
from zdemo.emulator.known import ADMIN, CLIENT_ID, CLIENT_SECRET, PROJECT_ID, READER


def test_33_a_variable_that_hides_the_one_in_the_file(bare: Shell, zitadel: Emulator) -> None:
    bare.dotenv(**settings(zitadel.url, CLIENT_ID="353545601679624999"))
    told = doctor(bare, {"CLIENT_ID": CLIENT_ID}, warned=("settings.shadowed",))
    told.names("CLIENT_ID", "the environment", r"\.env", "wins", "fix: unset CLIENT_ID").never("CLIENT_SECRET")


def test_two_places_with_one_value_are_no_fault(bare: Shell, zitadel: Emulator) -> None:
    bare.dotenv(**settings(zitadel.url))
    assert "hides" not in doctor(bare, {"CLIENT_ID": CLIENT_ID}).ran.out


def test_a_variable_that_stands_twice_is_pointed_out(bare: Shell, zitadel: Emulator) -> None:
    bare.dotenv(**settings(zitadel.url))
    with (bare.folder / ".env").open("a") as stream:
        stream.write(f"CLIENT_ID={CLIENT_ID}\n")
    doctor(bare, {}, warned=("settings.shadowed",)).names("CLIENT_ID stands twice", "last one counts")


def test_63_an_address_without_a_scheme(bare: Shell, zitadel: Emulator) -> None:
    bare_address = zitadel.url.removeprefix("http://")
    told = doctor(bare, settings(bare_address), "settings.wellformed")
    told.names("ZITADEL_DOMAIN", "no scheme", "http://", "https://").never("path")


@pytest.mark.parametrize("more", ["/", "//"])
def test_63_a_slash_at_the_end_is_no_fault(bare: Shell, zitadel: Emulator, more: str) -> None:
    doctor(bare, settings(zitadel.url + more))


def test_the_address_of_the_console_is_named(bare: Shell, zitadel: Emulator) -> None:
    told = doctor(bare, settings(f"{zitadel.url}/ui/console"), "settings.wellformed")
    told.names("ZITADEL_DOMAIN", "has a path", "fix: cut ZITADEL_DOMAIN")


def test_lines_that_are_no_assignment_are_named_by_number(bare: Shell) -> None:
    (bare.folder / ".env").write_text("# fine\nZITADEL_DOMAIN=http://localhost:1\nthis is none\n")
    told = doctor(bare, {}, "settings.readable")
    told.names(r"\.env line 3 is no assignment", "NAME=value").never("this is none")


def test_a_file_that_is_not_there_is_named(bare: Shell) -> None:
    told = command(bare, {}, "doctor", "--env-file", "nowhere.env")
    told.names("nowhere.env does not exist", "FAIL settings.readable")


def test_a_file_in_the_folder_above_is_pointed_out(bare: Shell, zitadel: Emulator) -> None:
    bare.dotenv(**settings(zitadel.url))
    below = bare.folder / "below"
    below.mkdir()
    told = doctor(Shell(folder=below, env={}), {}, "settings.complete", warned=("settings.readable",))
    told.names(f"one in {bare.folder}".replace("/", "."), "cd ")


def test_everything_that_is_missing_is_said_at_once(bare: Shell) -> None:
    told = doctor(bare, {}, "settings.complete")
    told.names("ZITADEL_DOMAIN is not set", "CLIENT_ID is not set", "CLIENT_SECRET is not set", "zdemo setup")


ODD = {
    "swapped": ({"CLIENT_ID": CLIENT_SECRET, "CLIENT_SECRET": CLIENT_ID}, ("swapped", "exchange")),
    "PAT as secret": ({"CLIENT_SECRET": READER.pat}, ("CLIENT_SECRET and PAT hold the same",)),
    "project as client": (
        {"CLIENT_ID": PROJECT_ID, "ZITADEL_PROJECT_ID": PROJECT_ID},
        ("CLIENT_ID and ZITADEL_PROJECT_ID hold the same",),
    ),
}


@pytest.mark.parametrize("odd", ODD)
def test_a_value_of_another_kind_is_named(bare: Shell, zitadel: Emulator, odd: str) -> None:
    values, named = ODD[odd]
    told = doctor(bare, settings(zitadel.url, **values), "settings.wellformed", "client.accepted")
    told.names(*named)


def test_an_administrators_pat_as_pat_is_pointed_out(bare: Shell, zitadel: Emulator) -> None:
    env = settings(zitadel.url, PAT=ADMIN.pat, ZITADEL_ADMIN_PAT=ADMIN.pat)
    told = doctor(bare, env, "role.granted", warned=("settings.wellformed",))
    told.names("PAT and ZITADEL_ADMIN_PAT hold the same", "administrator")


@pytest.mark.parametrize("name", ["CLIENT_ID", "CLIENT_SECRET", "ZITADEL_DOMAIN"])
def test_quotes_around_a_value_are_named(bare: Shell, zitadel: Emulator, name: str) -> None:
    env = settings(zitadel.url)
    told = doctor(bare, env | {name: f'"{env[name]}"'}, "settings.wellformed")
    told.names(name, "quotes")


def test_a_pasted_administrators_pat_is_named(bare: Shell, zitadel: Emulator) -> None:
    env = settings(zitadel.url, ZITADEL_ADMIN_PAT=f"Bearer {ADMIN.pat}")
    told = doctor(bare, env, "settings.wellformed", "admin.valid")
    told.names("ZITADEL_ADMIN_PAT", "Bearer|blank")
