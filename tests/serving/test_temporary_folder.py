"""A temporary folder that outlives a killed process, but not the next one."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.processes import ROOT
from zdemo.serving.temporary_folder import remove_abandoned, temporary_folder

NAMES = ("zdemo-test-", ".db")
HOLD = """
import sys
from zdemo.serving.temporary_folder import temporary_folder
with temporary_folder(*sys.argv[1:]) as folder:
    open(f"{folder}/counter_1.db", "w").close()
    print(folder, flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Run another process that has such a folder, with a file in it."""
    with subprocess.Popen(  # noqa: S603  # the script is this module's own
        [sys.executable, "-c", HOLD, *NAMES],
        env={"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        yield process, Path(process.stdout.readline().rstrip("\n"))


def test_it_is_private_and_ends_with_the_block(tmp_path: Path) -> None:
    with temporary_folder(*NAMES, directory=str(tmp_path)) as folder:
        Path(folder, "counter_1.db").touch()
        assert Path(folder).stat().st_mode & 0o777 == 0o700
        remove_abandoned(*NAMES, directory=str(tmp_path))
        assert [*tmp_path.glob("zdemo-test-*/*.db")] == [Path(folder, "counter_1.db")]
    assert [*tmp_path.iterdir()] == []


def test_it_stays_while_its_process_runs_and_goes_after_that_was_killed(tmp_path: Path) -> None:
    with holder(tmp_path) as (process, folder):
        remove_abandoned(*NAMES, directory=str(tmp_path))
        assert [*folder.iterdir()]
        process.kill()
        process.wait()
        assert folder.exists()
        remove_abandoned(*NAMES, directory=str(tmp_path))
    assert [*tmp_path.iterdir()] == []


def test_what_only_looks_like_one_is_left_alone(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir(mode=0o700)
    (precious / "data.db").touch()
    (tmp_path / "zdemo-test-link").symlink_to(precious)
    (tmp_path / "zdemo-test-file").touch()
    for name, mode, file in (("open", 0o755, "data.txt"), ("other", 0o700, "data.txt"), ("own", 0o700, "data.db")):
        (tmp_path / f"zdemo-test-{name}").mkdir()
        (tmp_path / f"zdemo-test-{name}").chmod(mode)
        (tmp_path / f"zdemo-test-{name}" / file).touch()
    if os.geteuid() == 0:  # only root can give a folder away
        (tmp_path / "zdemo-test-foreign").mkdir(mode=0o700)
        os.chown(tmp_path / "zdemo-test-foreign", 12345, -1)
    before = sorted(tmp_path.rglob("*"))
    remove_abandoned(*NAMES, directory=str(tmp_path))
    assert sorted(tmp_path.rglob("*")) == before


def test_a_temporary_directory_that_cannot_be_written_is_an_os_error() -> None:
    remove_abandoned(*NAMES, directory="/nonexistent")
    with pytest.raises(OSError, match="nonexistent"), temporary_folder(*NAMES, directory="/nonexistent"):
        pass
