"""``zdemo demo``: one screen, with nothing configured, over real HTTP."""

import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.cli import Ran, Shell
from tests.support.terminal import at_terminal
from zdemo.demo.scenario import UNKNOWN_TOKEN
from zdemo.emulator import CLIENT_SECRET, READER, VISITOR

SCRIPT = Path(sys.executable).with_name("zdemo")
LONGEST_SECONDS = 15
STEPS = (
    (200, "public"),
    (401, "no token, private"),
    (200, "private"),
    (401, "visitor"),
    (200, "scoped"),
    (401, "role revoked"),
    (200, "granted again"),
    (401, "deleted"),
    (401, "unknown token"),
    (503, "stopped"),
    (200, "back"),
)


@dataclass(frozen=True, kw_only=True)
class Demos:
    """All at once, since each mostly waits: as text, as a document, at a terminal, by the path of the command."""

    ran: Ran
    document: Ran
    verbose: Ran
    screen: tuple[int, str]
    by_path: str
    folder: Path
    seconds: float


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Demos:
    """With settings around that must not matter."""
    env = {"ZITADEL_DOMAIN": "nonsense", "PAT": "nonsense", "ZDEMO_TIMEOUT": "nonsense", "HTTP_PROXY": "http://x:1"}
    shell = Shell(folder=tmp_path_factory.mktemp("demo"), env=env)
    start = time.monotonic()
    with ThreadPoolExecutor() as together:
        ran, document = together.submit(shell.anew, "demo"), together.submit(shell.anew, "demo", "--json")
        verbose = together.submit(shell.anew, "demo", "-v")
        screen = together.submit(at_terminal, shell, "demo")
        by_path = together.submit(run_by_path, shell.folder)
        return Demos(
            ran=ran.result(),
            document=document.result(),
            verbose=verbose.result(),
            screen=screen.result(),
            by_path=by_path.result(),
            folder=shell.folder,
            seconds=time.monotonic() - start,
        )


def run_by_path(folder: Path) -> str:
    command = [str(SCRIPT), "demo"]
    ran = subprocess.run(command, cwd=folder, env={}, stdout=subprocess.PIPE, text=True, timeout=60, check=True)  # noqa: S603  # ours
    return ran.stdout


def test_the_demo_goes_as_expected_and_says_so_on_one_screen(demos: Demos) -> None:
    ran = demos.ran
    assert (ran.code, ran.err, "\x1b" in ran.out) == (0, "", False)
    assert f"{len(STEPS)} of {len(STEPS)} as expected" in ran.out
    assert (ran.out.count("GET /api/"), ran.out.count("as expected")) == (len(STEPS), len(STEPS) + 1)
    assert max(map(len, ran.out.splitlines())) <= 80
    assert demos.seconds < LONGEST_SECONDS
    assert list(demos.folder.iterdir()) == []


def test_verbose_shows_each_exchange_with_the_api_and_with_zitadel_and_no_token(demos: Demos) -> None:
    ran = demos.verbose
    assert (ran.code, ran.err) == (0, "")
    assert max(map(len, ran.out.splitlines())) <= 80
    assert len(re.findall(r"^      request    GET http://127\.0\.0\.1:\d+/api/", ran.out, re.MULTILINE)) == len(STEPS)
    answers = re.findall(r"^      answer     (\d{3}), \d+ ms$", ran.out, re.MULTILINE)
    assert [int(status) for status in answers] == [status for status, _ in STEPS]
    assert "\n\n\n" not in ran.out
    text = " ".join(ran.out.split())
    for words in (
        'Authorization: Bearer zdem…-000 ZITADEL POST /oauth/v2/introspect, token=zdem…-000 {"active": true,',
        "ZITADEL not asked: a fresh answer is in the cache answer 200",
        'WWW-Authenticate: Bearer realm="zdemo", error="insufficient_scope",',
        '{"active": false} only the emulator says why: the PAT was deleted answer 401',
        '{"active": false} only the emulator says why: unknown token answer 401',
        "no answer: ",
        '{"message": "Private, scoped route - You need',
    ):
        assert words in text
    assert not [token for token in (READER.pat, VISITOR.pat, CLIENT_SECRET, UNKNOWN_TOKEN) if token in ran.out]


def test_what_comes_next_can_be_typed_as_it_stands(demos: Demos) -> None:
    """By its path, where the shell does not know the command."""
    command = f"next  {os.path.relpath(SCRIPT, demos.folder)} serve --emulator"
    assert command in re.split(r"  +\(.*|\n", demos.by_path)


def test_json_is_the_same_as_one_document(demos: Demos) -> None:
    ran = demos.document
    document = ran.document
    assert (ran.code, ran.err, document["passed"]) == (0, "", True)
    assert [step["expected"] for step in document["steps"]] == [status for status, _ in STEPS]
    for step, (status, words) in zip(document["steps"], STEPS, strict=True):
        assert step["actual"] == status
        assert words in step["name"]
        assert step["why"]
    (taken,) = [step for step in document["steps"] if "role revoked" in step["name"]]
    assert taken["seconds"] >= 0


def test_a_terminal_is_left_as_it_was(demos: Demos) -> None:
    code, screen = demos.screen
    assert code == 0
    assert "\x1b[32m" in screen
    assert screen.rfind("\x1b[?25h") >= screen.rfind("\x1b[?25l")
    assert "step 11 of 11" not in screen.rsplit("\x1b[2K", 1)[-1]
