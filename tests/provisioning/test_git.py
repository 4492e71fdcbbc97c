"""What git says about files, and that nothing in a repository runs a program."""

import os
from pathlib import Path

import pytest

from tests.support.repository import git, needs_git, repository
from zdemo.provisioning.git import GitAnswer, ask_git, find_program, find_work_tree

pytestmark = needs_git


def answer(folder: Path, *names: str) -> tuple[list[str], list[str]]:
    """Return which files git tracks, and which ones it ignores."""
    folder = folder.resolve()
    tree = find_work_tree(folder)
    assert tree
    said = ask_git(tree, [folder / name for name in names])
    assert said
    return [n for n in names if folder / n in said.tracked], [n for n in names if folder / n in said.ignored]


def test_git_says_what_it_tracks_and_what_it_ignores(tmp_path: Path) -> None:
    folder = repository(tmp_path, ignored="*.key.json\n!b.key.json\n/sub/*.tmp\n")
    (folder / "sub").mkdir()
    (folder / "sub" / "[a]*.env").write_text("A=1\n")
    git(folder, "--literal-pathspecs", "add", "-f", "sub/[a]*.env")
    (folder / ".git" / "info" / "exclude").write_text("excluded.env\n")
    names = ("a.key.json", "b.key.json", "sub/x.tmp", "x.tmp", "excluded.env", "sub/[a]*.env", "sub/a.env")
    assert answer(folder, *names) == (["sub/[a]*.env"], ["a.key.json", "sub/x.tmp", "excluded.env"])
    assert answer(folder / "sub", "x.tmp", "[a]*.env") == (["[a]*.env"], ["x.tmp"])


def test_a_linked_work_tree_has_the_index_of_its_own_and_the_common_exclusions(tmp_path: Path) -> None:
    main = repository(tmp_path / "main")
    git(main, "commit", "-q", "--allow-empty", "-m", "first")
    git(main, "worktree", "add", "-q", str(tmp_path / "linked"))
    (main / ".git" / "info" / "exclude").write_text("ignored\n")
    (tmp_path / "linked" / "tracked").write_text("A=1\n")
    git(tmp_path / "linked", "add", "tracked")
    assert answer(tmp_path / "linked", "tracked", "ignored") == (["tracked"], ["ignored"])
    assert answer(main, "tracked", "ignored") == ([], ["ignored"])


def test_outside_of_a_repository_and_in_a_broken_one_there_is_no_work_tree(tmp_path: Path) -> None:
    assert find_work_tree(tmp_path.resolve()) is None
    for content in (b"gitdir: nowhere", b"gitdir: \0", b"gitdir: " + b"x" * 10_000, b"\xff"):
        (tmp_path / ".git").write_bytes(content)
        assert find_work_tree(tmp_path.resolve()) is None


# --- what a hostile repository may try


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A program that leaves a file behind."""
    program = tmp_path / "trap"
    program.write_text(f"#!/bin/sh\necho ran >> {tmp_path / 'sprung'}\n")
    program.chmod(0o700)
    return program


def test_no_program_of_the_repositorys_configuration_runs(trap: Path, tmp_path: Path) -> None:
    folder = repository(tmp_path / "cloned", ignored="*.tmp filter=evil\n")
    for name in ("core.fsmonitor", "core.pager", "core.sshCommand", "core.editor", "filter.evil.clean", "alias.x"):
        git(folder, "config", name, str(trap))
    git(folder, "config", "core.hooksPath", str(tmp_path))
    (folder / ".gitattributes").write_text("* filter=evil\n")
    hooks = folder / ".git" / "hooks"
    for name in ("post-index-change", "fsmonitor-watchman"):
        (hooks / name).write_text(trap.read_text())
        (hooks / name).chmod(0o700)
    (folder / ".env").write_text("A=1\n")
    answer(folder, ".env", ".env.x.tmp")
    assert not (tmp_path / "sprung").exists()
    git(folder, "ls-files")
    assert (tmp_path / "sprung").exists(), "the trap works"


def test_the_repositorys_configuration_is_not_even_read(tmp_path: Path) -> None:
    folder = repository(tmp_path / "cloned", ignored=".env\n")
    (folder / ".git" / "config").write_text("[not a configuration")
    assert answer(folder, ".env") == ([], [".env"])


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can give a folder away")
def test_a_repository_of_another_user_is_asked_about_too(tmp_path: Path) -> None:
    """Git itself refuses it (``safe.directory``), because its configuration could be hostile."""
    folder = repository(tmp_path / "cloned", ignored=".env\n")
    for path in (folder, folder / ".git"):
        os.chown(path, 12345, 12345)
    assert answer(folder, ".env", "x") == ([], [".env"])


def test_an_index_that_is_not_one_does_not_hide_what_is_ignored(tmp_path: Path) -> None:
    folder = repository(tmp_path / "cloned", ignored=".env\n")
    (folder / ".git" / "index").write_bytes(b"not an index")
    assert answer(folder, ".env") == ([], [".env"])
    (folder / ".git" / "index").unlink()
    os.mkfifo(folder / ".git" / "index")
    assert answer(folder, ".env") == ([], [".env"])


def test_the_environment_leads_git_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a hook, where git sets variables."""
    folder = repository(tmp_path / "here", ignored=".env\n")
    monkeypatch.setenv("GIT_DIR", str(repository(tmp_path / "other") / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "other" / ".git" / "index"))
    assert answer(folder, ".env") == ([], [".env"])


def test_a_program_in_the_current_folder_is_not_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "git"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    monkeypatch.chdir(tmp_path)
    for paths in (".", "", f"{os.pathsep}bin", "no-such-folder"):
        monkeypatch.setenv("PATH", paths)
        assert find_program("git") is None
    monkeypatch.setenv("PATH", f".{os.pathsep}{tmp_path}")
    assert find_program("git") == str(program)
    program.chmod(0o600)
    assert find_program("git") is None


def test_without_git_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = repository(tmp_path)
    monkeypatch.setenv("PATH", "/nonexistent")
    tree = find_work_tree(folder.resolve())
    assert tree
    assert ask_git(tree, [folder.resolve() / ".env"]) is None
    assert GitAnswer().tracked == frozenset()
