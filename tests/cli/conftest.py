"""A ZITADEL and an API to run commands against: one for all tests that change nothing, or one's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli import Reporter, Shell, story


@pytest.fixture(scope="session")
def shared_story() -> Iterator[Reporter]:
    """Not to be changed by anyone."""
    with story() as running:
        yield running


@pytest.fixture
def shell(shared_story: Reporter, tmp_path: Path) -> Shell:
    """All settings exported, in an empty folder."""
    return Shell(folder=tmp_path, env=shared_story.env)


@pytest.fixture
def bare(tmp_path: Path) -> Shell:
    """No settings at all, in an empty folder."""
    return Shell(folder=tmp_path, env={})


@pytest.fixture
def own_story() -> Iterator[Reporter]:
    """To do with as the test likes."""
    with story() as running:
        yield running


@pytest.fixture
def own_shell(own_story: Reporter, tmp_path: Path) -> Shell:
    """As ``shell``, with a ZITADEL and an API of its own."""
    return Shell(folder=tmp_path, env=own_story.env)
