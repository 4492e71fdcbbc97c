"""``zdemo init``: it writes a first ``.env``, and never changes anything that exists."""

import contextlib
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.catalogue.named_causes import flat
from tests.support.cli import API_UNSET, Shell, at_terminal
from tests.support.files import git, needs_git
from tests.support.processes import ROOT
from zdemo.cli.emulator_env_file import emulator_env_file
from zdemo.config.dotenv_file import valid_dotenv
from zdemo.emulator import CLIENT_ID, READER, VISITOR
from zdemo.errors import ExitCode

EXAMPLE = (ROOT / ".env.example").read_text()
OTHERS = f"""ZITADEL_DOMAIN=https://zitadel.example.com
CLIENT_ID={CLIENT_ID}
CLIENT_SECRET={"s3cretOf" * 8}
ZITADEL_KEY_FILE=key.json
"""
QUESTION = "Settings for your own ZITADEL, or for the built-in emulator? [OWN/emulator] "


def names_in(text: str) -> list[str]:
    """Return the settings of a text, also those that are commented out."""
    return list(dict.fromkeys(re.findall(r"^#?([A-Z_]+)=", text, re.MULTILINE)))


@pytest.mark.parametrize(("file", "option"), [(".env", ""), ("sub folder/my.env", " --env-file 'sub folder/my.env'")])
def test_the_emulators_settings_are_those_of_the_example(bare: Shell, file: str, option: str) -> None:
    (bare.folder / "sub folder").mkdir()
    ran = bare("init", "--emulator", "--env-file", file)
    assert (ran.code, ran.err, (bare.folder / file).read_text()) == (0, "", EXAMPLE)
    assert stat.S_IMODE((bare.folder / file).stat().st_mode) == 0o600
    assert ran.out.splitlines()[0] == f"wrote {file}: the settings of the emulator"
    assert f"next  zdemo serve --emulator{option}" in re.split(r"  +\(.*|\n", ran.out)
    assert "zdemo call" not in ran.out  # where the API will be is not known yet


def test_the_next_steps_keep_the_address_of_the_api_also_where_the_file_exists(bare: Shell) -> None:
    line = ("init", "--emulator", "--emulator-port", "8951", "--api-url", "http://127.0.0.1:5951")
    serve = "zdemo serve --emulator --emulator-port 8951 --port 5951"
    assert f"next  {serve}" in re.split(r"  +\(.*|\n", bare(*line).out)
    again = bare(*line[:4], **API_UNSET).lines
    assert again[-1] == f"hint:  {serve}"


def test_without_a_terminal_it_is_a_skeleton_that_doctor_finds_incomplete(bare: Shell) -> None:
    ran = bare("init")
    assert (ran.code, ran.err, ran.out.splitlines()[0]) == (0, "", "wrote .env: a skeleton to fill in")
    assert "zdemo setup" in ran.out
    skeleton = (bare.folder / ".env").read_text()
    assert not any(valid_dotenv(bare.folder / ".env").values.values())
    assert names_in(skeleton) == names_in(EXAMPLE)
    assert bare("doctor", "--only", "settings.complete").code == ExitCode.NO


@needs_git
def test_what_the_environment_hides_and_git_would_take_is_named(bare: Shell) -> None:
    ran = bare("init", "--emulator", PAT="another", CLIENT_ID=CLIENT_ID)
    lines = "warning: PAT in the environment hides the one in .env", "unset PAT", "if you want the value in .env"
    assert [line.strip() for line in ran.err.splitlines()] == [*lines]
    assert bare("init", "--env-file", "mine.env", PAT="another").err == ""
    git(bare.folder, "init")
    warning = "warning: git does not ignore files with secrets: add to .gitignore: own.env"
    assert bare("init", "--env-file", "own.env").err.startswith(warning)


@pytest.mark.parametrize(("typed", "wrote"), [("\n", "a skeleton to fill in"), ("E\n", "the settings of the emulator")])
def test_a_terminal_asks_which_settings(bare: Shell, typed: str, wrote: str) -> None:
    code, screen = at_terminal(bare, "init", when=QUESTION, typed=typed)
    assert (code, f"wrote .env: {wrote}\n" in screen) == (0, True)


def test_a_file_that_appears_meanwhile_is_not_touched(bare: Shell) -> None:
    file = bare.folder / ".env"

    def answer() -> str:
        file.write_text(OTHERS)
        return "emulator\n"

    code, screen = at_terminal(bare, "init", when=QUESTION, typed=answer)
    assert (code, ".env exists, and was not changed" in screen) == (1, True)
    assert file.read_text() == OTHERS


@pytest.mark.parametrize("change", ["", "# mine\n", "CLIENT_ID=1\n"])
def test_only_a_skeleton_that_nobody_changed_is_replaced(bare: Shell, change: str) -> None:
    bare("init")
    file = bare.folder / ".env"
    before = file.read_text() + change
    file.write_text(before)
    ran = bare("init", "--emulator")
    assert (ran.code, file.read_text()) == ((1, before) if change else (0, EXAMPLE))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_link_to_a_skeleton_is_not_replaced(bare: Shell) -> None:
    bare("init", "--env-file", "shared.env")
    (bare.folder / ".env").symlink_to("shared.env")
    assert bare("init", "--emulator").code == ExitCode.NO
    assert (bare.folder / ".env").is_symlink()


def test_after_a_skeleton_errors_name_setup_and_the_emulator(bare: Shell) -> None:
    bare("init")
    emulator = "zdemo init --emulator replaces it with the emulator's settings"
    assert f"zdemo setup fills it in for your ZITADEL {emulator}" in flat(bare("introspect", **API_UNSET).err)
    token = flat(bare("token", **API_UNSET).err)
    assert ("zdemo setup" in token, emulator in token) == (False, True), "setup makes no service account's credentials"
    assert "zdemo setup" not in bare("introspect", CLIENT_ID=CLIENT_ID, **API_UNSET).err, "the emulator's would not fit"


EXISTING: dict[str, tuple[Callable[[Path], object], str]] = {
    "other settings": (lambda path: path.write_text(OTHERS), "sets ZITADEL_DOMAIN, CLIENT_ID, CLIENT_SECRET"),
    "broken link": (lambda path: path.symlink_to("nowhere"), "is a link to a file that does not exist"),
}


@pytest.mark.parametrize("option", ["", "--emulator"])
@pytest.mark.parametrize(("make", "told"), EXISTING.values(), ids=EXISTING)
def test_what_exists_is_not_touched(bare: Shell, make: Callable[[Path], object], told: str, option: str) -> None:
    path = bare.folder / ".env"
    make(path)
    before = path.lstat()
    ran = bare("init", *filter(None, [option]))
    after = path.lstat()
    assert (after.st_ino, after.st_mode, after.st_mtime_ns) == (before.st_ino, before.st_mode, before.st_mtime_ns)
    assert (ran.code, ran.out, os.listdir(bare.folder)) == (ExitCode.NO, "", [".env"])
    assert ran.lines[0] == "error: .env exists, and was not changed"
    assert told in ran.err
    assert "s3cret" not in ran.err
    hint = next(line for line in ran.lines if line.startswith("hint:  "))
    if option:
        assert bare(*hint.split()[2:]).code == 0, "what the hint says works"


@pytest.mark.parametrize(
    ("files", "path", "has_settings"),
    [
        ({}, ".env", False),
        ({".env": EXAMPLE}, ".env", True),
        ({".env": EXAMPLE.replace(READER.pat, VISITOR.pat) + "ZDEMO_TIMEOUT=1\n"}, ".env", True),
        ({".env": EXAMPLE.replace("8484", "8080")}, "emulator.env", False),
        ({".env": OTHERS, "emulator.env": EXAMPLE}, "emulator.env", True),
        ({".env": OTHERS, "emulator.env": OTHERS}, "emulator2.env", False),
    ],
)
def test_next_steps_use_a_file_that_has_or_can_get_the_emulators_settings(
    tmp_path: Path, files: dict[str, str], path: str, has_settings: bool
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with contextlib.chdir(tmp_path):
        assert emulator_env_file(Path(".env")) == (Path(path), has_settings)
