"""Run a command for a fault, and compare its words with those that must name the cause and the fix.

Of doctor's output, only what it says of the checks that failed or warned counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tests.support.cli import Ran, Shell
from zdemo.emulator import ADMIN, CLIENT_ID, CLIENT_SECRET, READER

WIDTH, WORD = 80, 45  # longer paths, scopes and addresses are not cut
HEIGHT = 24
SETTINGS = {"CLIENT_ID": CLIENT_ID, "CLIENT_SECRET": CLIENT_SECRET, "PAT": READER.pat}


def settings(url: str, **more: str) -> dict[str, str]:
    """Return the emulator's settings for a ZITADEL at ``url``, without the administrator."""
    return {"ZITADEL_DOMAIN": url, **SETTINGS, **more}


def administered(url: str, **more: str) -> dict[str, str]:
    """Return the same with the administrator's PAT."""
    return settings(url, ZITADEL_ADMIN_PAT=ADMIN.pat, **more)


@dataclass(frozen=True, kw_only=True)
class Output:
    """The output of a command; ``blamed`` is the part that says what is wrong, in one line without double blanks.

    ``in_full`` is what doctor's JUnit report says of it: that has the alternatives to the fix too.
    """

    ran: Ran
    blamed: str
    in_full: str = ""

    def offers(self, *patterns: str) -> Output:
        """Expect each pattern, on the screen or, as doctor's alternatives to the fix, in the report."""
        return replace(self, blamed=f"{self.blamed} {self.in_full}").names(*patterns)

    def names(self, *patterns: str) -> Output:
        """Expect each pattern, in any case."""
        missing = [pattern for pattern in patterns if not re.search(pattern, self.blamed, re.IGNORECASE)]
        assert missing == [], f"{missing} not in: {self.blamed}\n{self.ran.all}"
        return self

    def never(self, *patterns: str) -> Output:
        """Expect none of the patterns, not even where doctor has more room than a screen."""
        said = f"{self.blamed} {self.in_full}"
        found = [pattern for pattern in patterns if re.search(pattern, said, re.IGNORECASE)]
        assert found == [], f"{found} in: {said}"
        return self


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def doctor(shell: Shell, env: dict[str, str], *failing: str, warned: tuple[str, ...] = ()) -> Output:
    """Run ``zdemo doctor`` and expect exactly these checks to fail, and the cause on one screen.

    Without ``ZDEMO_API_URL`` in ``env`` there is no API, which is not part of the test. Its failure takes the room of
    warnings on the screen, so where no other check fails, what the report says of them counts.
    """
    report = shell.folder / "report.xml"
    ran = _run(shell, env, "doctor", "--junit", str(report))
    found = verdicts_of(report)
    no_api = "ZDEMO_API_URL" not in env
    judged = {name: verdict for name, verdict in found.items() if not (no_api and name.startswith("api."))}
    assert [name for name, verdict in judged.items() if verdict == "failed"] == list(failing), ran.all
    assert {name for name in warned if judged[name] != "warned"} == set(), ran.all
    assert ran.code == (1 if "failed" in found.values() else 0)
    lines = [line for line in ran.out.splitlines() if not (no_api and re.fullmatch(r"also +api\.reachable", line))]
    assert len(lines) <= HEIGHT, ran.out
    assert [line for line in lines if len(line) > WIDTH and not _may_be_long(line)] == []
    blocks = re.split(r"\n\n", ran.out)
    about = [block for block in blocks[1:] if block.split(" ", 1)[0] in (*failing, *warned)]
    assert about or not failing, ran.out
    cases = list(ElementTree.parse(report).iter("testcase"))  # noqa: S314  # zdemo has just written it
    about_them = (case for case in cases if case.attrib["name"] in (*failing, *warned))
    told = [case.findtext("failure") or case.findtext("system-out") or "" for case in about_them]
    in_full = _flat(re.sub(r"^(\w+): ", r"\1 ", "\n".join(told), flags=re.MULTILINE))
    return Output(ran=ran, blamed=in_full if no_api and not failing else _flat(" ".join(about)), in_full=in_full)


def verdicts_of(report: Path) -> dict[str, str]:
    """Return what doctor's JUnit report says of each check: passed, warned, failed or skipped."""
    verdicts = {}
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314  # zdemo has just written it
        said = case.findtext("system-out") or ""
        passed = "warned" if said.startswith("warning: ") else "passed"
        other = next(
            (name for tag, name in (("failure", "failed"), ("skipped", "skipped")) if case.find(tag) is not None), ""
        )
        verdicts[case.attrib["name"]] = other or passed
    return verdicts


def _may_be_long(line: str) -> bool:
    """Return whether a line holds something to paste, which stays in one line: a path, a scope, a command."""
    return len(max(line.split(), key=len)) >= WORD or bool(re.match(r" +(fix +)?zdemo ", line))


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
