"""Two setups at once in one folder, which would overwrite each other's notes, and leave what nobody knows of."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import LONGEST_SECONDS, Shell, is_two_lines
from zdemo.config.dotenv_file import read_dotenv
from zdemo.emulator import ADMIN, World, create_app, emulate, known_world
from zdemo.provisioning.names import PROJECT_ID, READER
from zdemo.serving.embedded import serving

YES = ("setup", "--yes", "--project-name", "own", "--app-name", "own-api")


@contextmanager
def held() -> Iterator[tuple[str, World, threading.Event, threading.Event]]:
    """An emulator that answers nothing until it may: where it is, its state, whether it was asked, whether it may."""
    world, asked, may = known_world(), threading.Event(), threading.Event()
    inner = create_app(world)

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        asked.set()
        may.wait()
        return inner(environ, start_response)

    with serving(app) as port:
        try:
            yield f"http://localhost:{port}", world, asked, may
        finally:
            may.set()


def desk_of(folder: Path, url: str) -> Shell:
    return Shell(folder=folder, env={"ZITADEL_DOMAIN": url, "ZITADEL_ADMIN_PAT": ADMIN.pat, "ZDEMO_TIMEOUT": "60"})


@pytest.mark.parametrize("second", [YES, ("setup", "--teardown", "--yes"), ("setup", "--yes", "--json")])
def test_a_second_setup_in_the_folder_is_told_of_the_first(second: tuple[str, ...], tmp_path: Path) -> None:
    with held() as (url, world, asked, may), desk_of(tmp_path, url).running(*YES) as first:
        assert asked.wait(LONGEST_SECONDS)
        ran = desk_of(tmp_path, "http://localhost:1").anew(*second)
        assert (ran.code, is_two_lines(ran)) == (1, True), ran.all
        assert ran.lines[0] == f"error: another zdemo setup is at work in {tmp_path}"
        may.set()
        assert first.wait(LONGEST_SECONDS) == 0
        notes = read_dotenv(tmp_path / ".env")
        assert notes[PROJECT_ID] in world.projects
        assert notes[READER.user_id] in world.users
    assert [path.name for path in tmp_path.iterdir()] == [".env"], "no lock is left behind"


def test_looking_is_no_work_and_neither_is_another_folder(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with held() as (url, _, asked, _may), emulate() as free, desk_of(tmp_path, url).running(*YES):
        assert asked.wait(LONGEST_SECONDS)
        assert desk_of(tmp_path, free.url)("setup", "--dry-run").code == 0
        assert desk_of(other, free.url)(*YES).code == 0


def test_a_link_is_where_it_leads(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    (here / ".env").symlink_to(there / "real")
    with held() as (url, _, asked, _may), desk_of(here, url).running(*YES):
        assert asked.wait(LONGEST_SECONDS)
        ran = desk_of(there, "http://localhost:1")(*YES, "--env-file", "real")
        assert f"is at work in {there}" in ran.err, ran.all


def test_a_setup_that_was_killed_keeps_nobody_away(tmp_path: Path) -> None:
    with held() as (url, _, asked, _may), emulate() as free:
        with desk_of(tmp_path, url).running(*YES) as first:
            assert asked.wait(LONGEST_SECONDS)
            first.send_signal(signal.SIGKILL)
            first.wait(LONGEST_SECONDS)
        assert desk_of(tmp_path, free.url)(*YES).code == 0
