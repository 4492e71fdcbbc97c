"""The options that point the contract tests in ``tests/emulator`` at a ZITADEL that is already running; emulators."""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.cli import Shell
    from zdemo.emulator import Emulator

# Processes that tests start share what Python has compiled, whatever the environment says: else each compiles zdemo.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
gc.set_threshold(50_000, 20, 100)  # looking for cycles among all that is collected takes a sixth of the time

URL_OPTION = "--zitadel"
PAT_FILE_OPTION = "--admin-pat-file"
_TARGET = pytest.StashKey[tuple[str, str] | None]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("zitadel", "ZITADEL under test (default: zdemo's emulator)")
    group.addoption(URL_OPTION, metavar="URL", help="its origin as it knows itself, e.g. http://localhost:8080")
    group.addoption(PAT_FILE_OPTION, metavar="FILE", help="file that holds the PAT of an IAM_OWNER")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse half a target before the first test runs."""
    url, pat_file = config.getoption(URL_OPTION), config.getoption(PAT_FILE_OPTION)
    if (url is None) != (pat_file is None):
        given, missing = (URL_OPTION, PAT_FILE_OPTION) if pat_file is None else (PAT_FILE_OPTION, URL_OPTION)
        raise pytest.UsageError(f"{given} needs {missing} as well")
    _take_signals()
    examples = 100 if config.option.markexpr == "thorough" else 5
    settings.register_profile("zdemo", deadline=None, max_examples=examples)  # busy machines are slow
    settings.load_profile("zdemo")
    if url is not None and config.option.markexpr == "not thorough":  # of pyproject.toml
        config.option.markexpr = ""  # the live tour is thorough
    if config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        _import_share()
    config.stash[_TARGET] = None if url is None else (url.rstrip("/"), _read_pat(Path(pat_file)))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let a thorough run repeat the tests for which hypothesis invents values, with more of them."""
    invented = [item for item in items if getattr(getattr(item, "obj", None), "is_hypothesis_test", False)]
    for item in invented if config.option.markexpr == "thorough" else ():
        item.add_marker("thorough")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """Look for cycles once among all that is left, not at each of the several times that pytest and Python do."""
    gc.collect()
    gc.freeze()


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Run a worker more than there are processors with ``-n auto``, and let idle ones take over: many tests wait.

    Thorough tests have a processor each: their servers and browsers use it, too.
    """
    if config.option.dist == "no":
        config.option.dist = "worksteal"
    processors = os.cpu_count() or 1
    return processors if config.option.markexpr == "thorough" else processors + 1


def _import_share() -> None:
    """Import neighbours first, each worker others: so little is compiled more than once in a fresh clone."""
    number, count = (os.environ.get(f"PYTEST_XDIST_{name}", "") for name in ("WORKER", "WORKER_COUNT"))
    files = sorted(Path(__file__).parent.rglob("test_*.py"))
    at, many = int(number[2:] or 0), int(count or 1)
    for file in files[len(files) * at // many : len(files) * (at + 1) // many] if count else ():
        with suppress(Exception):  # which pytest reports when it collects the file
            importlib.import_module(".".join(file.relative_to(Path(__file__).parents[1]).with_suffix("").parts))


def _take_signals() -> None:
    """Let the processes that tests start take signals, also when the tests run in the background of a shell."""
    if sys.platform == "win32":
        return
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


def _read_pat(file: Path) -> str:
    try:
        pat = file.read_text(encoding="ascii").strip()  # ZITADEL writes the file with a trailing newline
    except (OSError, UnicodeDecodeError) as error:
        raise pytest.UsageError(f"{PAT_FILE_OPTION} {file} cannot be read: {error}") from error
    if not pat:
        raise pytest.UsageError(f"{PAT_FILE_OPTION} {file} is empty")
    return pat


@pytest.fixture(scope="session")
def given_target(pytestconfig: pytest.Config) -> tuple[str, str] | None:
    """URL and administrator's PAT of the ZITADEL on the command line; ``None`` means the emulator."""
    return pytestconfig.stash[_TARGET]


@pytest.fixture
def bare(tmp_path: Path) -> Shell:
    """A shell without settings, in an empty folder."""
    from tests.support.cli import Shell

    return Shell(folder=tmp_path, env={})


def _emulator() -> Iterator[Emulator]:
    from zdemo.emulator import emulate

    with emulate() as running:
        yield running


own = pytest.fixture(_emulator)
"""An emulator of this test alone."""
emulator = pytest.fixture(_emulator, scope="module")
"""An emulator for the tests of one file."""
