"""Checks of the settings: readable, complete, not hidden by others, and of the right kind."""

from collections.abc import Sequence
from dataclasses import replace

from zdemo.config.dotenv_file import load_dotenv
from zdemo.config.environment import Environment, is_setting
from zdemo.config.names import NEAR_VARIABLE, did_you_mean, misnamed
from zdemo.config.settings import certain_correction
from zdemo.config.variables import BY_NAME, VARIABLES
from zdemo.diagnosis.checks.check import SHADOWED, check, failed, passed, warned
from zdemo.diagnosis.checks.doctor_context import DoctorContext
from zdemo.diagnosis.finding import Finding, Outcome, RenameVariable, SetVariable, TightenMode

SETUP = "zdemo setup  (creates all of them in your ZITADEL)"
NOT_SET = " is not set: "


def correction_of(environment: Environment, *texts: str) -> SetVariable | None:
    """Return the repair of the first variable that begins one of these texts and whose value shows the right one."""
    names = (text.split(" ", 1)[0] for text in texts)
    found = ((name, certain_correction(environment, name)) for name in names if name in environment)
    return next((SetVariable(name, value) for name, value in found if value), None)


def renaming_of(environment: Environment, right: str = "") -> RenameVariable | None:
    """Return the repair of the first variable that alone is misspelled; with ``right``, for this setting."""
    found = misnamed(environment, right)
    for name, meant in found.items():
        is_misspelled = did_you_mean(name, BY_NAME, least=NEAR_VARIABLE) == meant  # not the name of another program
        if is_misspelled and [*found.values()].count(meant) == 1:
            return RenameVariable(name, meant)
    return None


@check("settings.readable", verdict=".env is not read, or only in part", explains="settings.complete")
def _readable(context: DoctorContext) -> Finding:
    """The .env file can be read, and each line is an assignment."""
    if error := context.unreadable:
        first, *also = error.problems
        return failed(first, error.hint, also=also)
    path = context.path
    missing = any(NOT_SET in problem for problem in context.problems)
    if path.is_dir() and missing:
        what = f"{path} is a folder, so it is not read"
        return warned(what, "write the settings to a file with another name, and name it with --env-file")
    if path.exists():
        count = sum(is_setting(n) and context.environment.source(n) == str(path) for n in context.environment)
        return passed(f"{count} of zdemo's variables come from {path}; the environment overrides it")
    return passed(f"there is no {path} here; the settings come from the environment")


def _lines(numbers: Sequence[int]) -> str:
    return f"line{'' if len(numbers) == 1 else 's'} {', '.join(map(str, numbers))}"


@check("settings.complete", "settings.readable", verdict="not complete")
def _complete(context: DoctorContext) -> Finding:
    """ZITADEL_DOMAIN and the API application's credentials are set."""
    missing = [problem for problem in context.problems if NOT_SET in problem]
    if missing:
        renames = [context.problems[problem] for problem in missing if context.problems[problem]]
        unset = [problem.split(" ", 1)[0] for problem in missing if not context.problems[problem]]
        steps = (context.environment.completion(unset, by_name=bool(renames)), SETUP) if unset else ()
        first, *also = missing
        return replace(failed(first, *renames, *steps, also=also), repair=renaming_of(context.environment))
    known = [variable.name for variable in VARIABLES if variable.name in context.environment]
    by_place: dict[str, list[str]] = {}
    for name in known:
        by_place.setdefault(context.environment.source(name), []).append(name)
    what = "; ".join(f"{', '.join(names)} from {place}" for place, names in by_place.items())
    return passed(what, brief=f"{len(known)} set, from {' and '.join(by_place)}")


@check(SHADOWED, "settings.readable", verdict="one value hides another")
def _shadowed(context: DoctorContext) -> Finding:
    """No environment variable hides another value in .env."""
    exported = [name for name in context.environment.hidden if is_setting(name)]
    texts = [context.environment.hiding(name) for name in exported]
    fix = [f"unset {name}  (if you want the value in {context.path})" for name in exported]
    repeated = load_dotenv(context.path).repeated if context.path.is_file() else {}
    for name in sorted(filter(is_setting, repeated)):
        (*others, last) = repeated[name]
        texts.append(f"{name} is set twice in {context.path}: line {last} counts, not {_lines(others)}")
        fix.append(f"keep the right one of {_lines((*others, last))} in {context.path}, and remove the other")
    if not texts:
        return passed("no variable has different values in two places")
    first, *also = texts
    return warned(first, *fix, also=also)


@check("settings.wellformed", "settings.readable", verdict="a value looks wrong")
def _wellformed(context: DoctorContext) -> Finding:
    """No value is quoted, has a space or a path, is swapped, or is of another kind."""
    broken = [problem for problem in context.problems if NOT_SET not in problem]
    if broken:
        first, *also = broken
        found = failed(first, *dict.fromkeys(context.problems[problem] for problem in broken), also=also)
        return replace(found, repair=correction_of(context.environment, *broken))
    odd = context.odd
    warnings = context.settings.warnings if context.settings else ()
    if context.api_is_zitadel:
        what = "ZITADEL_DOMAIN and ZDEMO_API_URL are the same address, but ZITADEL and the API are two servers"
        return failed(what, "correct the wrong one: the API is where zdemo serve runs (http://127.0.0.1:5000)")
    if not odd and not warnings:
        return passed("each value has the form that its variable needs")
    exposed = context.settings.exposed if context.settings else ()
    first, *also = (*(value.what for value in odd), *(warning.rpartition(": ")[0] for warning in warnings))
    return Finding(
        outcome=Outcome.FAIL if any(value.names for value in odd) else Outcome.WARN,
        cause=first,
        also=tuple(also),
        fix=(*(value.fix for value in odd), *(warning.rpartition(": ")[2] for warning in warnings)),
        repair=renaming_of(context.environment) or (TightenMode(exposed[0]) if exposed else None),
    )


CHECKS = (_readable, _complete, _shadowed, _wellformed)
