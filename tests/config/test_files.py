"""Files that cannot be written, and the temporary files of runs that were killed."""

import errno
import os
from pathlib import Path

import pytest

from zdemo.config.files import check_writable, not_written, remove_leftovers, replace_file
from zdemo.errors import SettingsError

HINTS = [
    (errno.ENOSPC, "free some space on the disk of '/my files'"),
    (errno.EDQUOT, "free some space: your quota on the disk of '/my files' is used up"),
    (errno.EROFS, "choose another folder: the file system of '/my files' is read-only"),
    (errno.EACCES, "see who may write there: ls -ld '/my files'"),
    (errno.ENOENT, "mkdir -p '/my files', or correct the path"),
    (errno.ENAMETOOLONG, "choose a shorter name"),
    (errno.EIO, "look at '/my files'"),
]


@pytest.mark.parametrize(("number", "hint"), HINTS, ids=[errno.errorcode[row[0]] for row in HINTS])
def test_the_hint_fits_what_is_wrong(number: int, hint: str) -> None:
    error = not_written(Path("/my files/.env"), OSError(number, os.strerror(number)))
    assert error.problems == (f"/my files/.env cannot be written: {os.strerror(number)}",)
    assert error.hint == hint


def test_a_place_where_nothing_can_be_written_is_found_before_and_left_as_it_was(tmp_path: Path) -> None:
    check_writable(tmp_path / "file")
    assert list(tmp_path.iterdir()) == []
    for use in (check_writable, lambda path: replace_file(path, "text")):
        with pytest.raises(SettingsError, match="missing/file cannot be written: No such file or directory") as refused:
            use(tmp_path / "missing" / "file")
        assert refused.value.hint == f"mkdir -p {tmp_path / 'missing'}, or correct the path"


def test_only_what_killed_runs_left_is_removed(tmp_path: Path) -> None:
    left = [".env.zdemo-abcd_123.tmp", ".env.zdemo-00000000.tmp"]
    kept = [".env", ".env.local", ".env.old.tmp", ".env.personal.tmp", ".env.prod2026.tmp"]
    kept += [".env.zdemo-abcd1234.tmp.bak", "x.env.zdemo-abcd1234.tmp", ".env.zdemo-ABCD1234.tmp"]
    for name in left + kept:
        (tmp_path / name).write_text("secret")
    (tmp_path / ".env.zdemo-linked00.tmp").symlink_to(tmp_path / ".env")
    (tmp_path / ".env.zdemo-folder00.tmp").mkdir()
    os.mkfifo(tmp_path / ".env.zdemo-pipe0000.tmp")
    kept += [".env.zdemo-linked00.tmp", ".env.zdemo-folder00.tmp", ".env.zdemo-pipe0000.tmp"]
    remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)
    remove_leftovers(tmp_path / "missing")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to others")
def test_what_others_left_stays(tmp_path: Path) -> None:
    file = tmp_path / ".env.zdemo-abcd1234.tmp"
    file.touch()
    os.chown(file, 12345, -1)
    remove_leftovers(tmp_path)
    assert file.exists()
