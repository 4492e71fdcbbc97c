"""The state file: what is read back, what a damaged one says, who may read it, and which token a text is."""

import json
import os
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import chdir, closing
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from zdemo.errors import SettingsError
from zdemo.provisioning.state import EMPTY, IssuedCredential, SetupState, decode, digest, encode
from zdemo.provisioning.state_file import issued_pat, read_state, state_path, write_state
from zdemo.provisioning.state_key import key_path, make_key

PAT = IssuedCredential(owner_id="1", expires=2, digest=digest("a-token"), id="3")
STATE = SetupState(
    zitadel="http://localhost:8080",
    project_id="4",
    secret_written=True,
    reader_pats=(PAT,),
    previous={"PAT": "mine"},
    written={"PAT": (digest("a-token"),)},
)


def test_a_state_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    env = tmp_path / ".env"
    assert read_state(env) == EMPTY
    write_state(env, STATE)
    assert read_state(env) == STATE


def test_only_its_owner_can_read_it_and_git_ignores_it(tmp_path: Path) -> None:
    write_state(tmp_path / ".env", STATE)
    path = state_path(tmp_path / ".env")
    assert path == tmp_path / ".zdemo" / "setup.json"
    assert [stat.S_IMODE(p.stat().st_mode) for p in (path.parent, path)] == [0o700, 0o600]
    assert (path.parent / ".gitignore").read_text() == "*\n"
    assert "mine" not in repr(STATE)


def test_each_env_file_of_a_folder_has_its_own_and_the_last_takes_the_folder_along(tmp_path: Path) -> None:
    one, other = tmp_path / ".env", tmp_path / "deep.env"
    write_state(one, STATE)
    write_state(other, SetupState(zitadel="http://other"))
    assert (read_state(one), read_state(other).zitadel) == (STATE, "http://other")
    write_state(one, EMPTY)
    assert (read_state(one), read_state(other).zitadel) == (EMPTY, "http://other")
    write_state(other, EMPTY)
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_the_file_that_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there" / "real")
    write_state(tmp_path / "link", STATE)
    assert read_state(tmp_path / "there" / "real") == STATE


def _entry(**changes: Any) -> str:
    """A state file with one entry in which some fields are different; those that are ``...`` are missing."""
    entry = {name: value for name, value in (asdict(STATE) | changes).items() if value is not ...}
    return json.dumps({"version": 1, "files": {".env": entry}})


DAMAGED: list[tuple[str, str, str]] = [
    ("cut", _entry()[:-10], "it is not JSON"),
    ("empty", "", "it is not JSON"),
    ("not an object", "[1]", "does not have a version"),
    ("not text", "\udcff", "it is not JSON"),
    ("deep", "[" * 200_000, "it is not JSON"),
    ("too large", _entry(project_id="1" * 1_048_576), "it is too large"),
    ("said twice", _entry().replace('"zitadel"', '"visitor_id": "1", "zitadel"', 1), "it is not JSON"),
    ("not a number", _entry(reader_pats=[asdict(PAT) | {"expires": float("nan")}]), "it is not JSON"),
    ("no version", '{"files": {}}', "does not have a version"),
    ("true as version", '{"version": true, "files": {}}', "does not have a version"),
    ("a version with a point", '{"version": 1.0, "files": {}}', "does not have a version"),
    ("a version as text", '{"version": "1", "files": {}}', "does not have a version"),
    ("an older version", '{"version": 0, "files": {}}', "its version is unknown"),
    ("more than both", '{"version": 1, "files": {}, "more": 1}', "does not have a version"),
    ("files as a list", '{"version": 1, "files": [".env"]}', "files is not an object"),
    (
        "an entry as a list",
        json.dumps({"version": 1, "files": {".env": list(asdict(STATE))}}),
        "entry is not an object",
    ),
    ("a missing field", _entry(project_id=...), "does not have project_id"),
    ("an unknown field", _entry(more=1), "an entry has an unknown field"),
    ("a number as ID", _entry(project_id=1), "project_id is not a printable text"),
    ("an ID that moves the cursor", _entry(project_id="1\x1b[2J"), "project_id is not a printable text"),
    ("null as flag", _entry(rotating=None), "rotating is neither true nor false"),
    ("1 as flag", _entry(rotating=1), "rotating is neither true nor false"),
    ("an object as list", _entry(keys={"a": 1}), "keys is not a list"),
    ("a text as list", _entry(keys="ab"), "keys is not a list"),
    ("a credential as text", _entry(keys=["ab"]), "keys is not an object"),
    ("a credential without its ID", _entry(keys=[{"owner_id": "1", "expires": 2, "digest": ""}]), "not have id"),
    ("true as time", _entry(keys=[asdict(PAT) | {"expires": True}]), "expires is not a time"),
    ("a time with a point", _entry(keys=[asdict(PAT) | {"expires": 2.0}]), "expires is not a time"),
    ("a time before 1970", _entry(keys=[asdict(PAT) | {"expires": -1}]), "expires is not a time"),
    ("a time after 9999", _entry(keys=[asdict(PAT) | {"expires": 10**300}]), "expires is not a time"),
    ("null as a value", _entry(previous={"PAT": None}), "previous has a value that is not a text"),
    ("a number as a value", _entry(previous={"PAT": 1}), "previous has a value that is not a text"),
    ("half a character as a value", _entry(previous={"PAT": "\ud800"}), "previous has a value that is not a text"),
    ("spaces as a value", _entry(previous={"PAT": " " * 201}), "previous has a value that no .env can hold"),
    ("values as a list", _entry(previous=["PAT"]), "previous is not an object"),
    ("a digest that is not in a list", _entry(written={"PAT": "abc"}), "written is not a list"),
    ("a number as digest", _entry(written={"PAT": [1]}), "written is not a printable text"),
    ("a newer version", '{"version": 2, "files": {}}', "newer zdemo"),
]


@pytest.mark.parametrize(("text", "words"), [row[1:] for row in DAMAGED], ids=[row[0] for row in DAMAGED])
def test_a_damaged_file_stops_setup_and_says_what_to_do(text: str, words: str, tmp_path: Path) -> None:
    env, path = tmp_path / ".env", state_path(tmp_path / ".env")
    path.parent.mkdir()
    path.write_bytes(text.encode(errors="surrogateescape"))
    for access in (lambda: read_state(env), lambda: write_state(env, STATE)):
        with pytest.raises(SettingsError, match=words) as refused:
            access()
        assert "is damaged: " in refused.value.message or "newer" in words
        assert refused.value.hint.startswith(("restore it", "update zdemo"))
    assert path.read_bytes() == text.encode(errors="surrogateescape")
    assert issued_pat(env, "a-token") is None


def test_the_rows_above_start_from_a_whole_file() -> None:
    assert decode(_entry().encode()).entries == {".env": STATE}


def test_the_text_of_a_pat_tells_whose_it_is(tmp_path: Path) -> None:
    env = tmp_path / ".env"
    assert issued_pat(env, "a-token") is None
    write_state(env, STATE)
    assert issued_pat(env, " a-token\n") == ("PAT", "1", "3")
    assert issued_pat(env, "another") is None
    assert issued_pat(env, "") is None


# --- what is no file of setup's own


def refusal(env: Path) -> SettingsError:
    """Return why the state can be neither read nor written."""
    for access in (lambda: read_state(env), lambda: write_state(env, STATE), lambda: write_state(env, EMPTY)):
        with pytest.raises(SettingsError) as refused:
            access()
    assert issued_pat(env, "a-token") is None
    return refused.value


def _socket(path: Path) -> None:
    with chdir(path.parent), closing(socket.socket(socket.AF_UNIX)) as bound:  # the path of a socket must be short
        bound.bind(path.name)


IN_PLACE_OF_THE_FILE: dict[str, Callable[[Path], object]] = {
    "a named pipe": os.mkfifo,
    "a socket": _socket,
    "a folder": Path.mkdir,
}


@pytest.mark.parametrize("kind", IN_PLACE_OF_THE_FILE)
def test_what_is_not_a_file_is_refused_at_once(kind: str, tmp_path: Path) -> None:
    path = state_path(tmp_path / ".env")
    path.parent.mkdir(mode=0o700)
    IN_PLACE_OF_THE_FILE[kind](path)
    refused = refusal(tmp_path / ".env")
    assert f"{path} is {kind}, not a file" in refused.message
    assert refused.hint == f"set it aside: mv {path} {path}.old"
    assert path.exists()


def test_a_link_is_refused_and_its_target_stays_as_it_is(tmp_path: Path) -> None:
    env, there = tmp_path / ".env", tmp_path / "there.json"
    write_state(env, STATE)
    path = state_path(env)
    text = path.read_bytes()
    path.rename(there)
    path.symlink_to(there)
    refused = refusal(env)
    assert f"is a link to {there}" in refused.message
    assert refused.hint.endswith(f"mv {there} {path}")
    assert (there.read_bytes(), path.is_symlink()) == (text, True)
    there.rename(path)  # as the hint says
    assert read_state(env) == STATE
    path.unlink()
    path.symlink_to("/dev/zero")
    assert "is a link to /dev/zero" in refusal(env).message


def test_a_folder_that_is_a_link_or_a_file_is_refused(tmp_path: Path) -> None:
    env, there = tmp_path / ".env", tmp_path / "there"
    there.mkdir(mode=0o755)
    folder = state_path(env).parent
    folder.symlink_to(there)
    assert f"is a link to {there}" in refusal(env).message
    assert (list(there.iterdir()), stat.S_IMODE(there.stat().st_mode)) == ([], 0o755)
    folder.unlink()
    folder.write_text("mine")
    assert "is not a folder" in refusal(env).message
    assert folder.read_text() == "mine"


@pytest.mark.parametrize(("mode", "of_the_file"), [(0o777, False), (0o770, False), (0o666, True), (0o620, True)])
def test_what_others_may_write_is_refused_until_it_is_looked_through(
    mode: int, of_the_file: bool, tmp_path: Path
) -> None:
    env = tmp_path / ".env"
    write_state(env, STATE)
    changed = state_path(env) if of_the_file else state_path(env).parent
    changed.chmod(mode)
    refused = refusal(env)
    assert f"other users may write to {changed} (mode {mode:04o})" in refused.message
    assert refused.hint.endswith(f"chmod {'600' if of_the_file else '700'} {changed}")
    assert [stat.S_IMODE(changed.stat().st_mode), list(tmp_path.iterdir())] == [mode, [state_path(env).parent]]


def test_what_others_may_only_read_is_closed_by_the_next_run(tmp_path: Path) -> None:
    env = tmp_path / ".env"
    write_state(env, STATE)
    path = state_path(env)
    path.chmod(0o644)
    path.parent.chmod(0o755)
    assert read_state(env) == STATE
    write_state(env, STATE)
    assert [stat.S_IMODE(p.stat().st_mode) for p in (path.parent, path)] == [0o700, 0o600]


def test_the_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    env, user = tmp_path / ".env", os.geteuid()
    write_state(env, STATE)
    assert read_state(env, user=user) == read_state(env, user=0) == STATE
    with pytest.raises(SettingsError, match=rf"belongs to another user \(ID {user}\)"):
        read_state(env, user=user + 1)


def _empty(file: Path) -> None:
    file.touch()


def _linked(file: Path) -> None:
    (file.parent.parent / "target").write_text("mine")
    file.symlink_to(file.parent.parent / "target")


def _undone(file: Path) -> None:
    file.write_text("*\n!setup.json")


@pytest.mark.parametrize("make", [_empty, _linked, _undone, os.mkfifo])
def test_git_ignores_the_folder_whatever_was_there_before(make: Callable[[Path], None], tmp_path: Path) -> None:
    folder = state_path(tmp_path / ".env").parent
    folder.mkdir(mode=0o700)
    make(folder / ".gitignore")
    write_state(tmp_path / ".env", STATE)
    assert read_state(tmp_path / ".env") == STATE
    assert (folder / ".gitignore").read_text() in ("*\n", "*\n!setup.json\n*\n")
    assert not (folder / ".gitignore").is_symlink()
    assert not (tmp_path / "target").exists() or (tmp_path / "target").read_text() == "mine"


UNREADABLE: list[SetupState] = [
    SetupState(zitadel="a\tb"),
    SetupState(added_roles=("read\u00a0x",)),
    SetupState(previous={"PAT": "\ud800"}),
    SetupState(previous={"PAT": "x" * (1 << 20)}),
]


@pytest.mark.parametrize("state", UNREADABLE)
def test_what_could_not_be_read_back_is_not_written(state: SetupState, tmp_path: Path) -> None:
    write_state(tmp_path / ".env", STATE)
    with pytest.raises(SettingsError, match="cannot be recorded"):
        write_state(tmp_path / ".env", state)
    assert read_state(tmp_path / ".env") == STATE


@pytest.fixture
def own_key() -> Iterator[Path]:
    """The key, which is restored when the test ends."""
    make_key()
    content = key_path().read_bytes()
    yield key_path()
    key_path().unlink(missing_ok=True)
    key_path().write_bytes(content)
    key_path().chmod(0o600)


def _from_elsewhere(env: Path) -> None:
    """Put another user's file there, which is in order in every other way."""
    text = encode({env.name: STATE}, quote(str(env.parent)), b"their key")
    state_path(env).write_text(text)


def _unsigned(env: Path) -> None:
    state_path(env).write_text(_entry())


def _changed(env: Path) -> None:
    text = state_path(env).read_text()
    state_path(env).write_text(text.replace('"rotating": false', '"rotating": true'))


def _copied(env: Path) -> None:
    another = env.parent / "another project\t" / ".env"
    another.parent.mkdir()
    write_state(another, STATE)
    state_path(env).write_bytes(state_path(another).read_bytes())


def _without_key(_: Path) -> None:
    key_path().unlink()


def _new_key(_: Path) -> None:
    key_path().unlink()
    make_key()


NOT_TRUSTED: dict[str, tuple[Callable[[Path], None], str]] = {
    "signed by somebody else": (_from_elsewhere, "was not written by your zdemo on this machine"),
    "not signed": (_unsigned, "was not written by your zdemo on this machine"),
    "changed": (_changed, "was not written by your zdemo on this machine, or was changed since"),
    "copied": (_copied, "another project\t, not for this folder"),
    "no key": (_without_key, "there is no key in "),
    "another key": (_new_key, "was not written by your zdemo on this machine"),
}


@pytest.mark.usefixtures("own_key")
@pytest.mark.parametrize("way", NOT_TRUSTED)
def test_what_this_user_did_not_write_for_this_folder_is_not_trusted(way: str, tmp_path: Path) -> None:
    env, (act, words) = tmp_path / ".env", NOT_TRUSTED[way]
    write_state(env, STATE)
    act(env)
    content = state_path(env).read_bytes()
    refused = refusal(env)
    assert words in refused.message
    assert f"mv {state_path(env)} {state_path(env)}.old" in refused.hint
    assert state_path(env).read_bytes() == content
    state_path(env).rename(f"{state_path(env)}.old")  # as the hint says
    write_state(env, STATE)
    assert read_state(env) == STATE


def _others_read(key: Path) -> None:
    key.chmod(0o640)


def _cut(key: Path) -> None:
    key.write_bytes(key.read_bytes()[:-1])


def _folder(key: Path) -> None:
    key.unlink()
    key.mkdir()


BROKEN_KEYS: dict[str, tuple[Callable[[Path], object], str]] = {
    "others can read it": (_others_read, "other users may know the key"),
    "cut off": (_cut, "is not a key"),
    "a folder": (_folder, "cannot be read: a folder, not a file"),
}


@pytest.mark.parametrize("kind", BROKEN_KEYS)
def test_a_key_that_others_may_know_or_that_is_none_is_not_used(kind: str, own_key: Path, tmp_path: Path) -> None:
    act, words = BROKEN_KEYS[kind]
    act(own_key)
    try:
        with pytest.raises(SettingsError, match=words):
            write_state(tmp_path / ".env", STATE)
        assert not state_path(tmp_path / ".env").exists()
    finally:
        if own_key.is_dir():
            own_key.rmdir()


def test_the_key_is_for_its_owner_alone_and_stays_the_same(own_key: Path, tmp_path: Path) -> None:
    own_key.unlink()
    write_state(tmp_path / ".env", STATE)
    content = own_key.read_bytes()
    write_state(tmp_path / ".env", EMPTY)
    write_state(tmp_path / ".env", STATE)
    assert (own_key.read_bytes(), len(content)) == (content, 32)
    assert [stat.S_IMODE(p.stat().st_mode) for p in (own_key.parent, own_key)] == [0o700, 0o600]
    assert [path.name for path in own_key.parent.iterdir()] == ["setup.key"]


def test_what_others_put_into_the_folder_stays_there_and_ignored(tmp_path: Path) -> None:
    env = tmp_path / ".env"
    write_state(env, STATE)
    folder = state_path(env).parent
    (folder / "mine").write_text("mine")
    (folder / ".env.x.tmp").mkdir()
    (folder / ".env.zdemo-abcd1234.tmp").write_text("what a killed run left")
    write_state(env, EMPTY)
    assert sorted(path.name for path in folder.iterdir()) == [".env.x.tmp", ".gitignore", "mine"]
