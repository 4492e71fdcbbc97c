"""``zdemo demo --page``: the tour for people who watch, in the terminal and on the page."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.cli import BASE, LONGEST_SECONDS, Shell
from tests.support.interactive import session
from tests.support.page_site import PAGE, opened
from tests.support.terminal import at_terminal
from tests.support.waiting import eventually
from tests.support.wire import PATIENCE_SECONDS

COMMAND = [sys.executable, "-m", "zdemo", "demo", "--page"]
STEPS = 11


def env_of(shell: Shell) -> dict[str, str]:
    return {**BASE, "TERM": "dumb", "TMPDIR": str(shell.folder)}


def sent(browser: requests.Session, page: str, caller: str) -> Any:
    body = {"method": "GET", "path": "/api/private-scoped", "caller": caller}
    return browser.post(f"{page}send", json=body, timeout=PATIENCE_SECONDS).json()


def test_each_step_is_announced_and_waits_for_enter(bare: Shell) -> None:
    with session(COMMAND, bare.folder, env_of(bare)) as talk:
        shown = [talk.type(typed, "press Enter") for typed in ("", *"\n" * 6)]
    assert "\n 1  next: GET /api/public, no token" in shown[0]
    assert "\n 1  no token, public route                 200   as expected" in shown[1]
    assert [text.count("as expected") for text in shown] == [0, *[1] * 6]
    assert "\n 6  next: the role is revoked, then GET /api/private-scoped, reader's PAT" in shown[5]
    assert re.search(r"\n 6  role revoked .* 401   as expected, after \d\.\d s", shown[6])


def test_the_page_shows_the_demo_and_its_commands_work_in_another_terminal(bare: Shell) -> None:
    with session(COMMAND, bare.folder, env_of(bare)) as talk:
        browser, page = opened(talk.type("", "press Enter"))
        state = browser.get(f"{page}state", timeout=PATIENCE_SECONDS).json()
        assert [user["name"] for user in state["changes"]["users"]] == ["reader", "visitor"]
        answer = sent(browser, page, "visitor")
        assert answer["status"] == 401
        fix = answer["why"]["fix"][0]
        assert bare.anew(*shlex.split(fix)[1:]).code == 0
        eventually("the role shows", lambda: sent(browser, page, "visitor")["status"] == 200)
        file = Path(shlex.split(fix)[shlex.split(fix).index("--env-file") + 1])
        assert file.stat().st_mode & 0o777 == 0o600
        talk.type("\x03", "interrupted")
        eventually("the file is removed", lambda: not file.exists())
    with pytest.raises(requests.ConnectionError):
        browser.get(page, timeout=PATIENCE_SECONDS)


def test_enter_leads_through_the_whole_tour(bare: Shell) -> None:
    code, screen = at_terminal(bare, "demo", "--page", when="press Enter", typed="\n" * (STEPS + 1))
    assert code == 0
    assert (screen.count("next: "), screen.count("press Enter to end")) == (STEPS, 1)
    assert f"{STEPS} of {STEPS} as expected" in screen
    assert max(map(len, screen.splitlines())) < 100


def test_control_c_ends_it(bare: Shell) -> None:
    code, screen = at_terminal(bare, "demo", "--page", when="press Enter", typed="\x03", TMPDIR=str(bare.folder))
    assert code == 128 + signal.SIGINT
    assert screen.rstrip().endswith("interrupted")
    assert list(bare.folder.iterdir()) == []


def test_without_a_terminal_it_goes_on_by_itself(bare: Shell) -> None:
    with subprocess.Popen(  # noqa: S603  # the program under test
        COMMAND, cwd=bare.folder, env=env_of(bare), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        shown = ""
        while " 2  no token, private route" not in shown:
            line = process.stdout.readline()
            assert line, shown
            shown += line
        assert "press Enter" not in shown
        assert PAGE.search(shown)
        process.send_signal(signal.SIGINT)
        assert process.wait(LONGEST_SECONDS) == 128 + signal.SIGINT
    assert list(bare.folder.iterdir()) == []


@pytest.mark.parametrize("option", ["--json", "--live"])
def test_it_is_for_people_and_for_the_emulator(option: str, bare: Shell) -> None:
    ran = bare("demo", "--page", option)
    assert (ran.code, ran.lines) == (
        2,
        [f"error: --page cannot be combined with {option}", f"hint:  leave out {option}"],
    )
