"""The guides for other languages show lines of their examples, and these examples run with their real packages."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
EXAMPLES = DOCS / "examples"
BLOCK = re.compile(r"^```(?:js|go)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LONGEST_SECONDS = 300  # Go compiles the SDK once
NO_NETWORK = re.compile(r"ENOTFOUND|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN|E403|no such host|dial tcp|403 Forbidden|timeout")
TESTS = {"node": ["npm", "test"], "go": ["go", "test", "-count=1", "./..."]}
INSTALL = {"node": ["npm", "ci", "--prefer-offline", "--no-audit", "--no-fund"], "go": ["go", "mod", "download"]}


def run(*command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False)  # noqa: S603


@pytest.fixture(params=TESTS)
def example(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of an example with the packages that it names."""
    language: str = request.param
    program = INSTALL[language][0]
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")
    folder = tmp_path / language
    shutil.copytree(EXAMPLES / language, folder, ignore=shutil.ignore_patterns("node_modules"))
    installed = run(*INSTALL[language], folder=folder)
    if installed.returncode and NO_NETWORK.search(installed.stderr):
        pytest.skip(f"{program} reaches no registry: {installed.stderr.strip().splitlines()[0]}")
    assert not installed.returncode, installed.stderr
    return folder


@pytest.mark.thorough
def test_an_example_passes_with_the_emulator_and_fails_with_another_token(example: Path) -> None:
    emulator = [sys.executable, "-m", "zdemo", "emulator"]
    passed = run(*emulator, "--", *TESTS[example.name], folder=example)
    assert passed.returncode == 0, passed.stdout + passed.stderr
    failed = run(*emulator, "--env", "PAT={visitor_pat}", "--", *TESTS[example.name], folder=example)
    assert failed.returncode == 1, failed.stdout + failed.stderr
    assert "a user with the role passes" in failed.stdout.replace("_", " ")


@pytest.mark.parametrize("language", TESTS)
def test_a_guide_shows_lines_of_its_example(language: str) -> None:
    (shown,) = BLOCK.findall((DOCS / "guides" / f"{language}.md").read_text(encoding="utf-8"))
    (test,) = (path for path in (EXAMPLES / language).iterdir() if "test" in path.name)
    lines = {line.strip() for line in test.read_text(encoding="utf-8").splitlines()}
    assert {line.strip() for line in shown.splitlines()} <= lines
