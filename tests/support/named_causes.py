"""Run a command for a fault, and compare its words with those that must name the cause and the fix.

Of doctor's output, only the checks that failed or warned count: a check that passed names things without blame.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.support.cli import Ran, Shell
from zdemo.emulator import ADMIN, CLIENT_ID, CLIENT_SECRET, READER

WIDTH, WORD = 80, 45  # longer paths, scopes and addresses are not cut
VERDICT = re.compile(r"^(ok|warn|FAIL|skip) +(\S+)", re.MULTILINE)
SETTINGS = {"CLIENT_ID": CLIENT_ID, "CLIENT_SECRET": CLIENT_SECRET, "PAT": READER.pat}


def settings(url: str, **more: str) -> dict[str, str]:
    """Return the emulator's settings for a ZITADEL at ``url``, without the administrator."""
    return {"ZITADEL_DOMAIN": url, **SETTINGS, **more}


def administered(url: str, **more: str) -> dict[str, str]:
    """Return the same with the administrator's PAT."""
    return settings(url, ZITADEL_ADMIN_PAT=ADMIN.pat, **more)


@dataclass(frozen=True, kw_only=True)
class Output:
    """The output of a command; ``blamed`` is the part that says what is wrong, in one line without double blanks."""

    ran: Ran
    blamed: str

    def names(self, *patterns: str) -> Output:
        """Expect each pattern, in any case."""
        missing = [pattern for pattern in patterns if not re.search(pattern, self.blamed, re.IGNORECASE)]
        assert missing == [], f"{missing} not in: {self.blamed}\n{self.ran.all}"
        return self

    def never(self, *patterns: str) -> Output:
        """Expect none of the patterns."""
        found = [pattern for pattern in patterns if re.search(pattern, self.blamed, re.IGNORECASE)]
        assert found == [], f"{found} in: {self.blamed}"
        return self


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def doctor(shell: Shell, env: dict[str, str], *failing: str, warned: tuple[str, ...] = ()) -> Output:
    """Run ``zdemo doctor`` and expect exactly these checks to fail.

    Without ``ZDEMO_API_URL`` it looks for the API at its default address: what runs there is not part of the test.
    """
    ran = _run(shell, env, "doctor")
    with_api = "ZDEMO_API_URL" in env
    found = {name: verdict for verdict, name in VERDICT.findall(ran.out)}
    verdicts = {name: verdict for name, verdict in found.items() if with_api or not name.startswith("api.")}
    assert [name for name, verdict in verdicts.items() if verdict == "FAIL"] == list(failing), ran.all
    assert {name for name in warned if verdicts[name] != "warn"} == set(), ran.all
    assert ran.code == (1 if "FAIL" in found.values() else 0)
    assert [line for line in ran.out.splitlines() if len(line) > WIDTH and not _may_be_long(line)] == []
    blocks = re.split(r"^(?=(?:ok|warn|FAIL|skip) )", ran.out, flags=re.MULTILINE)
    about = [block for block in blocks if (m := VERDICT.match(block)) and m[2] in (*failing, *warned)]
    return Output(ran=ran, blamed=_flat(" ".join(about)))


def _may_be_long(line: str) -> bool:
    """Return whether a line holds something to paste, which stays in one line: a path, a scope, a command."""
    return len(max(line.split(), key=len)) >= WORD or "fix: zdemo " in line


def introspect(shell: Shell, env: dict[str, str], *arguments: str) -> Output:
    """Run ``zdemo introspect``; all of its output counts."""
    ran = _run(shell, env, "introspect", *arguments)
    return Output(ran=ran, blamed=_flat(ran.all))


def call(shell: Shell, env: dict[str, str], route: str = "private", *arguments: str) -> Output:
    """Run ``zdemo call``, and expect it to fail."""
    return command(shell, env, "call", route, *arguments)


def command(shell: Shell, env: dict[str, str], *arguments: str) -> Output:
    """Run any other command, and expect it to fail."""
    ran = _run(shell, env, *arguments)
    assert ran.code != 0, ran.all
    return Output(ran=ran, blamed=_flat(ran.all))


def _run(shell: Shell, env: dict[str, str], *arguments: str) -> Ran:
    """Run a command, which must keep secrets."""
    ran = replace(shell, env=env)(*arguments)
    for name in ("PAT", "CLIENT_SECRET", "ZITADEL_ADMIN_PAT"):
        value = env.get(name, "")
        assert len(value) < 20 or value not in ran.all, name
    return ran


def write(folder: Path, name: str, content: Any) -> str:
    """Write a file, and return its path."""
    path = folder / name
    path.touch(0o600)
    path.write_text(content)
    return str(path)
