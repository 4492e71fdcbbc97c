"""Which lines a ``.gitignore`` lacks, and how they are added."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.repository import git, needs_git, repository
from zdemo.errors import ZdemoError
from zdemo.provisioning.gitignore import GitExposure, add_lines, find_exposures

pytestmark = needs_git

ALL = (".env", ".env.*.tmp", "*.key.json")


def only_exposure(env_path: Path, *key_files: Path) -> GitExposure:
    [exposure] = find_exposures(env_path, key_files)
    return exposure


LACKING: list[tuple[str, str, tuple[str, ...]]] = [
    ("", ".env", ALL),
    ("*.pyc\n", ".env", ALL),
    (".env\n", ".env", ALL[1:]),
    (".env*\n", ".env", ALL[2:]),
    (".env\n.env.*\n!.env.example\n*.key.json\n", ".env", ()),
    ("*\n", ".env", ()),
    ("*.json\n.env*\n!.env\n", ".env", ALL[:1]),
    ("", "prod.env", ("prod.env", *ALL[1:])),
    ("", "#1 [x]*?!\\.env", (r"\#1\ \[x\]\*\?\!\\.env", *ALL[1:])),
]


@pytest.mark.parametrize(("ignored", "name", "lines"), LACKING)
def test_the_lines_that_are_missing_are_added_and_then_none_is(
    ignored: str, name: str, lines: tuple[str, ...], tmp_path: Path
) -> None:
    path = repository(tmp_path, ignored=ignored) / name
    found = find_exposures(path)
    assert tuple(line for exposure in found for line in exposure.lines) == lines
    for exposure in found:
        assert exposure.gitignore == tmp_path / ".gitignore"
        add_lines(exposure)
    assert find_exposures(path) == []


def test_what_git_has_already_is_named(tmp_path: Path) -> None:
    folder = repository(tmp_path, ignored="\n".join(ALL))
    names = (".env", "zdemo-api.key.json", ".zdemo/setup.json")
    (folder / ".zdemo").mkdir()
    for name in names:
        (folder / name).write_text("secret")
        git(folder, "add", "-f", name)
    exposure = only_exposure(folder / ".env")
    assert ([str(file.relative_to(folder)) for file in exposure.tracked], exposure.lines) == ([*names], ())


def test_outside_of_a_repository_nothing_is_said_or_made(tmp_path: Path) -> None:
    assert find_exposures(tmp_path / ".env") == []
    assert list(tmp_path.iterdir()) == []


TEXTS: list[tuple[bytes, bytes]] = [
    (b"a\n", b"a\n.env\n"),
    (b"a", b"a\n.env\n"),
    (b"a\r\nb\r\n", b"a\r\nb\r\n.env\r\n"),
    (b"a\r\nb", b"a\r\nb\r\n.env\r\n"),
    (b"\xff\xfe# not UTF-8\n\n", b"\xff\xfe# not UTF-8\n\n.env\n"),
]


@pytest.mark.parametrize(("before", "after"), TEXTS)
def test_lines_are_appended_and_everything_else_stays(before: bytes, after: bytes, tmp_path: Path) -> None:
    file = repository(tmp_path) / ".gitignore"
    file.write_bytes(before)
    file.chmod(0o640)
    inode = file.stat().st_ino
    add_lines(GitExposure(tracked=(), lines=(".env",), gitignore=file))
    assert file.read_bytes() == after
    assert (stat.S_IMODE(file.stat().st_mode), file.stat().st_ino) == (0o640, inode)


def _link(file: Path) -> None:
    file.symlink_to(file.parent.parent / "elsewhere")


def _read_only(file: Path) -> None:
    file.touch(0o444)


def _huge(file: Path) -> None:
    file.write_bytes(b"a\n" * (1 << 19) + b"b\n")


@pytest.mark.parametrize("make", [_link, os.mkdir, os.mkfifo, _read_only, _huge])
def test_what_is_not_a_persons_own_writable_file_is_left_alone(make: Callable[[Path], None], tmp_path: Path) -> None:
    folder = repository(tmp_path / "cloned")
    make(folder / ".gitignore")
    exposure = only_exposure(folder / ".env")
    with pytest.raises(ZdemoError, match=exposure.obstacle) as refused:
        add_lines(exposure)
    assert exposure.obstacle
    assert refused.value.hint == "add to it: .env, .env.*.tmp, *.key.json"
    assert [path.name for path in tmp_path.iterdir()] == ["cloned"]


def test_a_linked_env_counts_where_its_secrets_are_but_no_other_repository_is_changed(tmp_path: Path) -> None:
    here = repository(tmp_path / "here", ignored="*.key.json\n")
    there = repository(tmp_path / "there")
    (here / "sub").mkdir()
    (here / ".env").symlink_to("sub/real.env")
    assert only_exposure(here / ".env").lines == ("real.env", ".env.*.tmp")
    assert only_exposure(here / ".env").gitignore == here / "sub" / ".gitignore"
    (here / ".env").unlink()
    (here / ".env").symlink_to(there / ".env")
    exposure = only_exposure(here / ".env")
    assert (exposure.gitignore, exposure.obstacle) == (there / ".gitignore", "is in another repository")


def test_key_files_that_setup_writes_are_the_ones_that_count(tmp_path: Path) -> None:
    folder = repository(tmp_path, ignored=".env*\nmine.key.json\n")
    assert find_exposures(folder / ".env", [folder / "mine.key.json"]) == []
    assert only_exposure(folder / ".env", folder / "mine.key.json", folder / "other.key.json").lines == ("*.key.json",)
