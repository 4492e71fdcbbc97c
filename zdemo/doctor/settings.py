"""Checks of the settings: they can be read, are complete, not hidden, and of the kind that their names say."""

from __future__ import annotations

import re
from pathlib import Path

from zdemo.config.dotenv_file import lone_words
from zdemo.doctor.check import Check, Outcome, Result, failed, passed, warned
from zdemo.doctor.context import DoctorContext, is_ours, joined
from zdemo.doctor.value_oddities import oddities

NOT_SET = " is not set: "
LONGEST_FILE = 1 << 20
ASSIGNED = re.compile(r"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=", re.MULTILINE)


def _readable(case: DoctorContext) -> Result:
    if case.read.unreadable:
        error = case.read.unreadable
        return failed(joined(error.problems), error.hint)
    path = case.read.path
    missing = any(NOT_SET in problem for problem in case.problems)
    if path.is_dir():
        what = f"{path} is a folder and no file, so it is not read"
        if missing:
            return warned(what, "write the settings into a file of another name, and give it with --env-file")
        return passed(f"{what}: the environment alone")
    if path.exists():
        count = sum(1 for name in case.environment if is_ours(name) and case.environment.source(name) == str(path))
        found = f"{path}: {count} of zdemo's variables; what the environment sets wins"
        return _with_lone_words(found, lone_words(path)) if path.is_file() else passed(found)
    above = _above(path)
    if above and missing:
        return warned(f"there is no {path} here, and one in {above.parent}: that is not read", f"cd {above.parent}")
    return passed(f"no {path} here: the environment alone")


def _with_lone_words(found: str, numbers: tuple[int, ...]) -> Result:
    if not numbers:
        return passed(found)
    lines = f"line{'' if len(numbers) == 1 else 's'} {', '.join(str(number) for number in numbers)}"
    what = f"{lines}: a word without =, no assignment; perhaps the rest of the line before, broken in two"
    return warned(f"{found}; {what}", "write NAME=value on one line, however long it is; a comment begins with #")


def _above(path: Path) -> Path | None:
    """The nearest file of that name in a folder above."""
    return next((p / path.name for p in path.absolute().parent.parents if (p / path.name).is_file()), None)


def _complete(case: DoctorContext) -> Result:
    missing = [problem for problem in case.problems if NOT_SET in problem]
    if missing:
        hint = case.environment.completion([problem.split(" ", 1)[0] for problem in missing])
        return failed(joined(missing), hint, "zdemo setup          (makes all of them in your ZITADEL)")
    key = case.environment.get("ZITADEL_KEY_FILE", "").strip()
    wanted = ["ZITADEL_DOMAIN", *(["ZITADEL_KEY_FILE"] if key else ["CLIENT_ID", "CLIENT_SECRET"])]
    optional = [n for n in ("ZITADEL_PROJECT_ID", "PAT", "ZITADEL_ADMIN_PAT") if case.environment.source(n)]
    by_place: dict[str, list[str]] = {}
    for name in (*wanted, *optional):
        by_place.setdefault(case.environment.source(name), []).append(name)
    return passed(joined(f"{', '.join(names)} from {place}" for place, names in by_place.items()))


def _shadowed(case: DoctorContext) -> Result:
    hidden = {name: place for name, place in case.environment.shadowed.items() if is_ours(name)}
    said = [
        f"{name} in {case.environment.source(name)} hides the one in {place}, which is different: "
        f"{case.environment.source(name)} wins"
        for name, place in hidden.items()
    ]
    fix = [f"unset {' '.join(hidden)}"] if hidden else []
    twice = _twice(case.read.path)
    if twice:
        said.append(f"{', '.join(twice)} stands twice in {case.read.path}: the last one counts")
        fix.append(f"remove the other line of {', '.join(twice)}")
    return warned(joined(said), *fix) if said else passed("no variable is set in two places to two values")


def _twice(path: Path) -> list[str]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", errors="replace") as stream:
        names = ASSIGNED.findall(stream.read(LONGEST_FILE))
    return sorted({name for name in names if is_ours(name) and names.count(name) > 1})


def _wellformed(case: DoctorContext) -> Result:
    broken = [problem for problem in case.problems if NOT_SET not in problem]
    if broken:
        return failed(joined(broken), *dict.fromkeys(case.problems[problem] for problem in broken))
    values = {name: value for name, value in case.environment.items() if is_ours(name)}
    odd = oddities(values)
    warnings = case.settings.warnings if case.settings else ()
    if case.api_is_zitadel:
        what = "ZITADEL_DOMAIN and ZDEMO_API_URL are the same address, and ZITADEL and the API are two servers"
        return failed(what, "correct the one that is wrong: the API is where zdemo serve runs (http://127.0.0.1:5000)")
    if not odd and not warnings:
        return passed("each value has the form of its kind")
    fatal = any(oddity.fatal for oddity in odd)
    return Result(
        outcome=Outcome.FAIL if fatal else Outcome.WARN,
        evidence=joined((*(oddity.what for oddity in odd), *warnings)),
        fix=(*(oddity.fix for oddity in odd), *(warning.rpartition(": ")[2] for warning in warnings)),
        satisfied=not fatal,
    )


CHECKS = (
    Check(
        id="settings.readable",
        what="the .env file can be read, and every line of it is an assignment",
        needs=(),
        examine=_readable,
    ),
    Check(
        id="settings.complete",
        what="ZITADEL_DOMAIN and the API application's credentials are there",
        needs=("settings.readable",),
        examine=_complete,
    ),
    Check(
        id="settings.shadowed",
        what="no variable of the environment hides another value in .env",
        needs=("settings.readable",),
        examine=_shadowed,
    ),
    Check(
        id="settings.wellformed",
        what="no value is quoted, blank inside, has a path, is swapped or of another kind",
        needs=("settings.readable",),
        examine=_wellformed,
    ),
)
