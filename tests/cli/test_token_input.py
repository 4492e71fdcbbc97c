"""The question for a token: where it goes, and who says so."""

from pathlib import Path

import pytest

from zdemo.cli.token_input import token_question
from zdemo.config.environment import COMMAND_LINE, Environment
from zdemo.config.settings import AdminSettings

LONG = "accounts.zitadel.cloud." + "a" * 60 + ".evil.example:8443"
CYRILLIC = "zit\u0430del.cloud"
ADDRESSES: list[tuple[str, str]] = [
    ("https://zitadel.example", "https://zitadel.example"),
    ("HTTPS://Zitadel.Example:8443/", "https://zitadel.example:8443"),
    ("http://[::1]:8080", "http://[::1]:8080"),
    (f"https://{LONG}", f"https://…{LONG[-59:]}"),
    (f"https://{CYRILLIC}", f"https://{CYRILLIC.encode('idna').decode()}"),
]


def question(address: str, place: str, options: dict[str, str] | None = None) -> str:
    layers = {place: {"ZITADEL_DOMAIN": address, "ZITADEL_ADMIN_PAT": "x"}}
    environment = Environment(layers, options=options)
    issuer = AdminSettings.from_env(environment).issuer
    return token_question("ZITADEL_ADMIN_PAT", issuer, environment, "ZITADEL_DOMAIN")


@pytest.mark.parametrize(("address", "shown"), ADDRESSES)
def test_the_host_is_shown_as_it_is_asked_and_its_end_in_any_case(address: str, shown: str) -> None:
    assert question(address, COMMAND_LINE) == f"ZITADEL_ADMIN_PAT for {shown}, not shown: "


PLACES: list[tuple[str, dict[str, str], str]] = [
    (COMMAND_LINE, {}, ""),
    (COMMAND_LINE, {"ZITADEL_DOMAIN": "--domain"}, " (--domain)"),
    ("the environment", {}, " (ZITADEL_DOMAIN in the environment)"),
    ("/home/me/app/.env", {}, " (ZITADEL_DOMAIN in /home/me/app/.env)"),
    ("/\x1b[2K\r\u202e\n/.env", {}, r" (ZITADEL_DOMAIN in /\x1b[2K\r\u202e\n/.env)"),
    (f"/{'a' * 100}/.env", {}, f" (ZITADEL_DOMAIN in …{'a' * 54}/.env)"),
]


@pytest.mark.parametrize(("place", "options", "shown"), PLACES)
def test_what_gave_the_address_is_named_and_a_file_by_its_whole_path(
    place: str, options: dict[str, str], shown: str
) -> None:
    assert (
        question("https://a.example", place, options) == f"ZITADEL_ADMIN_PAT for https://a.example{shown}, not shown: "
    )


def test_a_relative_path_is_shown_from_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert question("https://a.example", ".env").endswith("/f/.env), not shown: ")
