"""An emulated ZITADEL and an API to run commands against: one for all tests that change nothing, or one per test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli import Shell, Stack, stack


@pytest.fixture(scope="session")
def shared_stack() -> Iterator[Stack]:
    """Shared by all tests, which must not change it."""
    with stack() as running:
        yield running


@pytest.fixture
def shell(shared_stack: Stack, tmp_path: Path) -> Shell:
    """All settings exported, in an empty folder."""
    return Shell(folder=tmp_path, env=shared_stack.env)


@pytest.fixture
def own_stack() -> Iterator[Stack]:
    """For a test that changes it."""
    with stack() as running:
        yield running


@pytest.fixture
def own_shell(own_stack: Stack, tmp_path: Path) -> Shell:
    """A ``shell`` with a ZITADEL and an API of its own."""
    return Shell(folder=tmp_path, env=own_stack.env)
