"""The state file: what is read back, what a damaged one says, who may read it, and which token a text is."""

import json
import os
import stat
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from zdemo.errors import SettingsError
from zdemo.setup.state_file import (
    EMPTY,
    IssuedCredential,
    SetupState,
    digest,
    issued_pat,
    lost_credentials,
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
    previous={"PAT": "PAT=m\u00efne # my own\t"},
    written={"PAT": (digest("a-token"),)},
)


def test_a_state_is_read_back_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    env, path = tmp_path / ".env", tmp_path / ".zdemo" / "setup.json"
    assert read_state(env) == EMPTY
    write_state(env, STATE)
    assert read_state(env) == STATE
    assert [stat.S_IMODE(p.stat().st_mode) for p in (path.parent, path)] == [0o700, 0o600]
    assert (path.parent / ".gitignore").read_text() == "*\n"
    assert "my own" not in repr(STATE)


def test_each_env_file_of_a_folder_has_its_own_and_the_last_takes_the_folder_along(tmp_path: Path) -> None:
    env, other = tmp_path / ".env", tmp_path / os.fsdecode(b"d\xffp.env")
    write_state(other, SetupState(zitadel="http://other"))
    for state in (STATE, EMPTY):
        write_state(env, state)
        assert (read_state(env), read_state(other).zitadel) == (state, "http://other")
    write_state(other, EMPTY)
    assert list(tmp_path.iterdir()) == []
    write_state(env, STATE)
    (tmp_path / ".zdemo" / "mine").touch()
    write_state(env, EMPTY)
    assert {path.name for path in (tmp_path / ".zdemo").iterdir()} == {".gitignore", "mine"}


def _entry(**changes: Any) -> str:
    return json.dumps({"version": 1, "files": {".env": asdict(STATE) | changes}})


def test_what_a_file_lacks_is_empty_and_what_is_unknown_is_left_out(tmp_path: Path) -> None:
    state_path(tmp_path / ".env").parent.mkdir()
    state_path(tmp_path / ".env").write_text('{"version": 1, "seed": "x", "files": {".env": {"zitadel": "z", "b": 1}}}')
    assert read_state(tmp_path / ".env") == SetupState(zitadel="z")


DAMAGED: list[tuple[str, str]] = [
    ("cut", _entry()[:-10]),
    ("not an object", "[1]"),
    ("deep", "[" * 200_000),
    ("too large", _entry(project_id="1" * 1_048_576)),
    ("files as a list", '{"version": 1, "files": [".env"]}'),
    ("a number as ID", _entry(project_id=1)),
    ("a credential without its owner", _entry(keys=[{"expires": 2}])),
    ("a newer version", '{"version": 2, "files": {}}'),
]


@pytest.mark.parametrize(("what", "text"), DAMAGED, ids=[row[0] for row in DAMAGED])
def test_a_damaged_file_stops_setup_and_says_what_to_do(what: str, text: str, tmp_path: Path) -> None:
    env, path = tmp_path / ".env", state_path(tmp_path / ".env")
    path.parent.mkdir()
    path.write_bytes(text.encode(errors="surrogateescape"))
    for access in (lambda: read_state(env), lambda: write_state(env, STATE)):
        with pytest.raises(SettingsError, match="by a newer zdemo" if "newer" in what else "is damaged") as refused:
            access()
        assert refused.value.hint.startswith(("restore it", "update zdemo"))
    assert path.read_bytes() == text.encode(errors="surrogateescape")
    assert issued_pat(env, "a-token") is None


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / ".zdemo").touch()
    with pytest.raises(SettingsError) as refused:
        read_state(tmp_path / ".env")
    assert refused.value.hint == f"remove or rename the file {tmp_path / '.zdemo'}"


def test_the_text_of_a_pat_tells_whose_it_is(tmp_path: Path) -> None:
    env = tmp_path / ".env"
    assert issued_pat(env, "a-token") is None
    write_state(env, STATE)
    assert issued_pat(env, " a-token\n") == ("PAT", "1", "3")
    assert [issued_pat(env, text) for text in ("another", "")] == [None, None]


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
]


@pytest.mark.parametrize(("listed", "in_use", "lost"), [row[1:] for row in LISTED], ids=[row[0] for row in LISTED])
def test_lost_credentials_are_found_by_their_time_of_expiry(
    listed: dict[str, int | None], in_use: str, lost: tuple[str, ...]
) -> None:
    assert lost_credentials(ISSUED, listed, in_use) == lost
