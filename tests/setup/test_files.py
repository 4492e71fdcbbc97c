"""A person's ``.env`` under whatever setup and the person write, its key files, and one setup at a time in a folder."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zdemo.config.dotenv_file import Dotenv
from zdemo.errors import ZdemoError
from zdemo.setup.setup_files import COMMENTS, SetupFiles, only_setup_in_folder

NAMES = ("PAT", "CLIENT_SECRET", "ZITADEL_KEY_FILE")
SETUPS = st.dictionaries(st.sampled_from(NAMES), st.sampled_from((None, "setup-1", "setup-2")))
FORMS = ("PAT=own", "PAT='o w n' # c", ' export  PAT = "own"\t', "PAT=", "PAT=''#c", "CLIENT_SECRET=own#")
OTHERS = ("ZITADEL_KEY_FILE = k", "ZITADEL_DOMAIN=\\", "A='\n'", "# c", "", "  ", *COMMENTS.values())


@given(st.lists(st.sampled_from((*FORMS, *OTHERS)), max_size=6), st.lists(SETUPS, max_size=4))
def test_whatever_setup_writes_nothing_of_the_persons_is_lost_and_every_line_comes_back(
    lines: list[str], runs: list[dict[str, str | None]]
) -> None:
    text = "".join(f"{line}\n" for line in lines)
    own = {value for value in Dotenv(text).values.values() if value}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ".env"
        path.write_text(text)
        for changes in runs:
            files = SetupFiles(path)
            files.write(changes)
            wrote = {name for name in files.values if files.wrote(name)}
            assert wrote <= {name for name, value in files.values.items() if value.startswith("setup")}
            assert own <= {*files.values.values(), *(Dotenv(t).values[n] for n, t in files.state.previous.items())}
        SetupFiles(path).restore()
        assert [line.strip() for line in path.read_text().splitlines()] == [line.strip() for line in text.splitlines()]


def test_a_new_file_has_its_settings_under_comments_and_goes_again(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    SetupFiles(path).write({"ZITADEL_DOMAIN": "a"})
    SetupFiles(path).write({"ZITADEL_PROJECT_ID": "b", "CLIENT_ID": "c", "CLIENT_SECRET": "d e"})
    SetupFiles(path).write({"PAT": "f"})
    first, second, third, *_ = COMMENTS.values()
    assert path.read_text() == (
        f"{first}\nZITADEL_DOMAIN=a\nZITADEL_PROJECT_ID=b\n\n{second}\nCLIENT_ID=c\nCLIENT_SECRET='d e'\n\n"
        f"{third}\nPAT=f\n"
    )
    SetupFiles(path).restore()
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_was_killed_between_the_two_files_has_lost_nothing(tmp_path: Path) -> None:
    """The state is written first: then the file still holds the person's value."""
    path = tmp_path / ".env"
    path.write_text("PAT=own\n")
    SetupFiles(path).write({"PAT": "setup-1"})
    path.write_text("PAT=own\n")
    assert not SetupFiles(path).wrote("PAT")
    SetupFiles(path).write({"PAT": "setup-2"})
    SetupFiles(path).restore()
    assert path.read_text() == "PAT=own\n"


KEY_NAMES = {"zdemo-api": "zdemo-api", "Meine API/2": "Meine-API-2", "../.x": "-.x", "...": "application"}


def test_key_files_are_named_like_their_applications_and_long_names_are_cut(tmp_path: Path) -> None:
    key_file = SetupFiles(tmp_path / ".env").key_file
    assert [key_file(application).name for application in KEY_NAMES] == [f"{n}.key.json" for n in KEY_NAMES.values()]
    key_file("\u6d88" * 200).touch()  # 600 bytes


def test_one_setup_at_a_time_is_in_a_folder_and_removes_what_killed_ones_left(tmp_path: Path) -> None:
    here, other = tmp_path / "here", tmp_path / "other"
    (here / ".zdemo").mkdir(parents=True)
    other.mkdir()
    (other / "link").symlink_to(here / ".env")
    left = [here / ".env.zdemo-abcd1234.tmp", here / ".zdemo" / ".env.zdemo-abcd1234.tmp"]
    for file in (*left, here / ".env.local"):
        file.write_text("secret")
    for _ in range(2):  # it is free again afterwards
        with only_setup_in_folder(here / ".env"):
            assert {path.name for path in here.iterdir()} == {".env.local", ".zdemo"}, "and no lock is left behind"
            for path in (here / "deep.env", other / "link"):
                with pytest.raises(ZdemoError, match=f"another zdemo setup is running in {here}"):
                    only_setup_in_folder(path).__enter__()
            with only_setup_in_folder(other / ".env"):
                pass
    assert list((here / ".zdemo").iterdir()) == []
