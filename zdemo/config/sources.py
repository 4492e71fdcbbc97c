"""What is wrong with the places that settings come from: a value that another one hides, a line too many, a folder."""

from collections.abc import Iterator

from zdemo.config.environment import EXPORTED, PREFIXES, Environment, is_setting
from zdemo.config.names import NEAR_VARIABLE, did_you_mean, rename_steps
from zdemo.config.variables import BY_NAME
from zdemo.errors.problem import Problem, ProblemKind
from zdemo.errors.steps import UnsetVariable


def source_problems(environment: Environment) -> tuple[Problem, ...]:
    """Return all that is wrong with the places of settings."""
    return (*folder_problem(environment), *hiding_problems(environment), *misnamed_problems(environment))


def folder_problem(environment: Environment) -> Iterator[Problem]:
    """Yield that ``.env`` is a folder, which Docker makes of a file that is missing."""
    if environment.folder:
        step = "write the settings to a file with another name, and name it with --env-file"
        yield Problem(text=f"{environment.folder} is a folder, so it is not read", kind=ProblemKind.FILE, steps=(step,))


def hiding_problems(environment: Environment) -> Iterator[Problem]:
    """Yield each setting of which another value counts than one of those that a file has."""
    yield from hidden_values(environment)
    for name, (*others, last) in sorted(environment.repeated.items()):
        if is_setting(name) and environment.file:
            lines = f"line{'' if len(others) == 1 else 's'} {', '.join(map(str, others))}"
            text = f"{name} is set twice in {environment.file}: line {last} counts, not {lines}"
            advice = f"keep the right one of lines {', '.join(map(str, (*others, last)))}, and remove the other"
            yield Problem(text=text, kind=ProblemKind.HIDDEN, names=(name,), steps=(advice,))


def hidden_values(environment: Environment) -> Iterator[Problem]:
    """Yield each setting whose value in a file does not count, because the process's environment has another."""
    for name in filter(is_setting, environment.hidden):
        place = environment.shadowed[name]
        text = f"{name} in {EXPORTED} hides the one in {place}"
        step = UnsetVariable(name, does=f"if you want the value in {place}")
        yield Problem(text=text, kind=ProblemKind.HIDDEN, names=(name,), steps=(step,))


def misnamed_problems(environment: Environment) -> Iterator[Problem]:
    """Yield each variable whose name is almost that of a setting; one that is longer than a set one is a copy."""
    for name in environment:
        is_own = environment.source(name) != EXPORTED or name.startswith(PREFIXES)
        right = did_you_mean(name, BY_NAME, least=NEAR_VARIABLE) if is_own and name not in BY_NAME else ""
        if right in environment and not name.startswith(right) and environment[name] != environment[right]:
            text = f"{name} in {environment.source(name)} is not used: the setting is {right}, which is set too"
            advice = f"remove {name}, or move its value to {right}"
            yield Problem(text=text, kind=ProblemKind.UNUSED, names=(name,), steps=(advice,))
    for step in rename_steps(environment):
        text = f"{step.name} is not a setting of zdemo"
        yield Problem(text=text, kind=ProblemKind.MISNAMED, names=(step.right, step.name), steps=(step,))
