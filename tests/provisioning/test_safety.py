"""One setup at a time in a folder."""

from pathlib import Path

import pytest

from zdemo.errors import ZdemoError
from zdemo.provisioning.safety import only_setup_in_folder


def test_a_folder_is_locked_for_each_file_in_it_and_for_links_into_it(tmp_path: Path) -> None:
    here, other = tmp_path / "here", tmp_path / "other"
    here.mkdir()
    other.mkdir()
    (other / "link").symlink_to(here / ".env")
    for _ in range(2):  # it is free again afterwards
        with only_setup_in_folder(here / ".env"):
            for path in (here / ".env", here / "deep.env", other / "link"):
                with pytest.raises(ZdemoError, match=f"another zdemo setup is running in {here}"):
                    only_setup_in_folder(path).__enter__()
            for path in (other / ".env", tmp_path / "missing" / ".env"):
                with only_setup_in_folder(path):
                    assert list(here.iterdir()) == [], "no lock is left behind"


def test_what_killed_runs_left_is_removed_by_the_one_that_holds_the_lock(tmp_path: Path) -> None:
    (tmp_path / ".zdemo").mkdir()
    left = [tmp_path / ".env.zdemo-abcd1234.tmp", tmp_path / ".zdemo" / ".env.zdemo-abcd1234.tmp"]
    others = tmp_path / ".env.local"
    for file in (*left, others):
        file.write_text("secret")
    with only_setup_in_folder(tmp_path / ".env"):
        assert [file.exists() for file in left] == [False, False]
        left[0].write_text("of the run at work")
        with pytest.raises(ZdemoError):
            only_setup_in_folder(tmp_path / ".env").__enter__()
        assert left[0].exists()
    assert others.exists()
