"""Run a command for a fault, and compare its words with those that must name the cause and the fix.

Of doctor's output, only what it says of the checks that failed or warned counts.
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from tests.support.cli import Ran, Shell

WIDTH, WORD = 80, 45  # longer paths, scopes and addresses are not cut
HEIGHT = 24


class Output(NamedTuple):
    """The output of a command; ``blamed`` is the part that says what is wrong, in one line without double blanks.

    Of doctor that is what its report says in full, and ``screen`` what it shows without ``-v``.
    """

    ran: Ran
    blamed: str
    screen: str = ""

    def names(self, *patterns: str) -> "Output":
        missing = [pattern for pattern in patterns if not re.search(pattern, self.blamed, re.IGNORECASE)]
        assert missing == [], f"{missing} not in: {self.blamed}\n{self.ran.all}"
        return self

    def never(self, *patterns: str) -> "Output":
        hits = [pattern for pattern in patterns if re.search(pattern, f"{self.blamed} {self.screen}", re.IGNORECASE)]
        assert hits == [], f"{hits} in: {self.blamed}"
        return self


def flat(text: str) -> str:
    return " ".join(text.split())


def doctor(shell: Shell, env: dict[str, str], *failing: str, warned: tuple[str, ...] = ()) -> Output:
    """Run ``zdemo doctor``, expect exactly these checks to fail, and the first one's cause and fix on one screen.

    Without ``ZDEMO_API_URL`` in ``env`` there is no API, which is not part of the test.
    """
    report = shell.folder / "report.xml"
    ran = _run(shell, env, "doctor", "--junit", str(report))
    cases = {case.attrib["name"]: case for case in ElementTree.parse(report).iter("testcase")}  # noqa: S314  # zdemo's
    failures = {name: case.findtext("failure", "") for name, case in cases.items() if case.find("failure") is not None}
    passes = {name: case.findtext("system-out", "") for name, case in cases.items()}
    warnings = {name: text for name, text in passes.items() if text.startswith("warning: ")}
    named = [name for name in failures if "ZDEMO_API_URL" in env or not name.startswith("api.")]
    assert named == list(failing), ran.all
    assert set(warned) <= warnings.keys(), ran.all
    assert ran.code == (1 if failures else 0)
    lines = ran.out.splitlines()
    assert len(lines) <= HEIGHT, ran.out
    assert [line for line in lines if len(line) > WIDTH and not _may_be_long(line)] == []
    block = next((part for part in ran.out.split("\n\n") if part.startswith(f"{[*failing, '-'][0]} ")), "")
    assert block or not failing, ran.out
    if failing:
        cause, fix = (
            failures[failing[0]].partition("\n")[0],
            re.findall("^fix: (.*)", failures[failing[0]], re.MULTILINE),
        )
        fix += re.findall("^fix: (.*)", "\n".join(warnings.values()) if "  note " in block else "", re.MULTILINE)
        assert cause.split("; ")[0][:40] in flat(block), ran.out
        assert flat(re.split(r"\n  fix +", block)[1].split("\n")[0])[:30] in flat(" ".join(fix)), ran.out
    told = "\n".join((failures | warnings)[name] for name in (*failing, *warned))
    return Output(ran=ran, blamed=flat(re.sub(r"^(\w+): ", r"\1 ", told, flags=re.MULTILINE)), screen=flat(block))


def _may_be_long(line: str) -> bool:
    """Return whether a line holds something to paste, which stays in one line: a path, a scope, a command."""
    return len(max(line.split(), key=len)) >= WORD or bool(re.match(r" +(fix +)?zdemo ", line))


def introspect(shell: Shell, env: dict[str, str], *arguments: str) -> Output:
    """Run ``zdemo introspect -v``, and expect verdict, cause and fix in its first lines."""
    ran = _run(shell, env, "introspect", "-v", *arguments)
    if "--json" in arguments:
        return Output(ran=ran, blamed=flat(ran.all))
    first = [line.split(" ")[0] for line in ran.out.split("\n\n")[0].splitlines() if line[0] != " "]
    first = [label for label in first if label != "note"]
    assert first[:3] in ([], ["active", "why", "fix"]) or (ran.code, first[:2]) == (0, ["active", "who"]), ran.out
    return Output(ran=ran, blamed=flat(ran.err + ran.out.partition("\nclaims\n")[0]))


def both(shell: Shell, env: dict[str, str], *failing: str, warned: tuple[str, ...] = ()) -> tuple[Output, Output]:
    return doctor(shell, env, *failing, warned=warned), introspect(shell, env)


def call(shell: Shell, env: dict[str, str], route: str = "private", *arguments: str) -> Output:
    return command(shell, env, "call", route, *arguments)


def command(shell: Shell, env: dict[str, str], *arguments: str) -> Output:
    ran = _run(shell, env, *arguments)
    assert ran.code != 0, ran.all
    return Output(ran=ran, blamed=flat(ran.all))


def _run(shell: Shell, env: dict[str, str], *arguments: str) -> Ran:
    ran = replace(shell, env=env)(*arguments)
    for name in ("PAT", "CLIENT_SECRET", "ZITADEL_ADMIN_PAT"):
        value = env.get(name, "")
        assert len(value) < 20 or value not in ran.all, name
    return ran


def write(folder: Path, name: str, content: str) -> str:
    path = folder / name
    path.touch(0o600)
    path.write_text(content)
    return str(path)
