"""The state file: what is read back, what a damaged one says, who may read it, and which token a text is."""

from __future__ import annotations

import json
import stat
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from zdemo.errors import SettingsError
from zdemo.provisioning.state import (
    EMPTY,
    IssuedCredential,
    SetupState,
    digest,
    issued_pat,
    lost_credentials,
    new_id,
    read_state,
    state_path,
    write_state,
)

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
    ("cut", _entry()[:-10], "is damaged"),
    ("empty", "", "is damaged"),
    ("not an object", "[1]", "is damaged"),
    ("not text", "\udcff", "is damaged"),
    ("deep", "[" * 200_000, "is damaged"),
    ("too large", _entry(project_id="1" * 1_048_576), "is damaged"),
    ("a missing field", _entry(project_id=...), "is damaged"),
    ("an unknown field", _entry(more=1), "is damaged"),
    ("a wrong type", _entry(project_id=1), "is damaged"),
    ("a list that is none", _entry(keys={"a": 1}), "is damaged"),
    ("a credential without its ID", _entry(keys=[{"owner_id": "1", "expires": 2, "digest": ""}]), "is damaged"),
    ("no version", '{"files": {}}', "is damaged"),
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
        assert refused.value.hint.startswith(("restore it", "update zdemo"))
    assert path.read_bytes() == text.encode(errors="surrogateescape")
    assert issued_pat(env, "a-token") is None


def test_the_rows_above_start_from_a_whole_file(tmp_path: Path) -> None:
    state_path(tmp_path / ".env").parent.mkdir()
    state_path(tmp_path / ".env").write_text(_entry())
    assert read_state(tmp_path / ".env") == STATE


def test_the_text_of_a_pat_tells_whose_it_is(tmp_path: Path) -> None:
    env = tmp_path / ".env"
    assert issued_pat(env, "a-token") is None
    write_state(env, STATE)
    assert issued_pat(env, " a-token\n") == ("PAT", "1", "3")
    assert issued_pat(env, "another") is None
    assert issued_pat(env, "") is None


ISSUED = (
    IssuedCredential(owner_id="1", expires=10, digest=digest("old"), id="a"),
    IssuedCredential(owner_id="1", expires=20),
    IssuedCredential(owner_id="1", expires=30, digest=digest("new")),
)
LISTED: list[tuple[str, dict[str, int | None], str, tuple[str, ...]]] = [
    ("nothing", {}, "new", ()),
    ("one that was written", {"a": 10}, "", ()),
    ("one whose answer was lost", {"b": 20}, "new", ("b",)),
    ("one that never reached its file", {"c": 30}, "old", ("c",)),
    ("one that is in its file, though not recorded as written", {"c": 30}, "new", ()),
    ("a person's", {"d": 40, "e": None}, "", ()),
    ("a second one of the same time", {"a": 10, "d": 10}, "new", ()),
]


@pytest.mark.parametrize(("listed", "in_use", "lost"), [row[1:] for row in LISTED], ids=[row[0] for row in LISTED])
def test_lost_credentials_are_found_by_their_time_of_expiry(
    listed: dict[str, int | None], in_use: str, lost: tuple[str, ...]
) -> None:
    assert lost_credentials(ISSUED, listed, in_use) == lost


def test_ids_have_zitadels_form_and_never_collide() -> None:
    assert len(new_id(lambda: 1_795_000_000.0)) == 18
    assert int(new_id(lambda: 1_795_000_000.0)) >> 24 == (1_795_000_000 - 1_556_496_000) * 100
    assert len({new_id() for _ in range(100)}) == 100
