"""Checks of the settings: readable, complete, not hidden by others, and of the right kind."""

from collections import defaultdict

from zdemo.config.environment import is_setting
from zdemo.config.names import folder_problem, hiding_problems
from zdemo.config.new_dotenv import completion
from zdemo.config.variables import VARIABLES
from zdemo.diagnosis.checks.check import check, passed, with_problems
from zdemo.diagnosis.checks.doctor_context import DoctorContext
from zdemo.diagnosis.finding import Finding, Outcome
from zdemo.errors.problem import ProblemKind
from zdemo.errors.steps import Command

SETUP = Command("setup", does="creates all of them in your ZITADEL")


@check("settings.readable", verdict=".env is not read, or only in part", explains="settings.complete")
def _readable(context: DoctorContext) -> Finding:
    """The .env file can be read, and each line is an assignment."""
    if error := context.unreadable:
        return with_problems(error.problems, Outcome.FAIL, error.steps)
    path = context.path
    if any(problem.kind is ProblemKind.MISSING for problem in context.problems) and context.environment.folder:
        return with_problems([*folder_problem(context.environment)], Outcome.WARN)
    if path.exists():
        count = sum(is_setting(n) and context.environment.source(n) == str(path) for n in context.environment)
        return passed(f"{count} of zdemo's variables come from {path}; the environment overrides it")
    return passed(f"there is no {path} here; the settings come from the environment")


@check("settings.complete", "settings.readable", verdict="not complete")
def _complete(context: DoctorContext) -> Finding:
    """ZITADEL_DOMAIN and the API application's credentials are set."""
    missing = [problem for problem in context.problems if problem.kind is ProblemKind.MISSING]
    if missing:
        renames = [step for problem in missing for step in problem.steps]
        unset = [problem.names[0] for problem in missing if not problem.steps]
        steps = (*completion(context.environment, unset, by_name=bool(renames)), SETUP) if unset else ()
        return with_problems(missing, Outcome.FAIL, (*renames, *steps))
    by_place = defaultdict(list)
    for name in (variable.name for variable in VARIABLES if variable.name in context.environment):
        by_place[context.environment.source(name)].append(name)
    what = "; ".join(f"{', '.join(names)} from {place}" for place, names in by_place.items())
    return passed(what, brief=f"{sum(map(len, by_place.values()))} set, from {' and '.join(by_place)}")


@check("settings.shadowed", "settings.readable", verdict="one value hides another")
def _shadowed(context: DoctorContext) -> Finding:
    """No environment variable hides another value in .env."""
    if problems := [*hiding_problems(context.environment)]:
        return with_problems(problems, Outcome.WARN)
    return passed("no variable has different values in two places")


@check("settings.wellformed", "settings.readable", verdict="a value looks wrong")
def _wellformed(context: DoctorContext) -> Finding:
    """No value is quoted, has a space or a path, is swapped, or is of another kind."""
    others = (ProblemKind.MISSING, ProblemKind.FILE)  # which have checks of their own
    broken = [problem for problem in context.problems if problem.kind not in others]
    if broken:
        return with_problems(broken, Outcome.FAIL)
    problems = (*context.odd, *(context.settings.warnings if context.settings else ()))
    if not problems:
        return passed("each value has the form that its variable needs")
    return with_problems(problems, Outcome.FAIL if any(problem.blocks for problem in problems) else Outcome.WARN)


CHECKS = (_readable, _complete, _shadowed, _wellformed)
