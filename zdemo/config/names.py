"""The role that a text means, and what is wrong with the names of settings and the places they come from."""

import re
from collections.abc import Iterable, Iterator

from zdemo.config.environment import EXPORTED, PREFIXES, Environment, is_setting
from zdemo.config.file_io import deleted_folder
from zdemo.config.variables import BY_NAME, OTHER_NAMES
from zdemo.errors import ROLE_SCOPE
from zdemo.errors.problem import Problem, ProblemKind
from zdemo.errors.steps import EditLines, RenameVariable, SetVariable, Step, UnsetVariable
from zdemo.text.masking import could_be_secret
from zdemo.text.spelling import did_you_mean

BEFORE_NAME = r"(?i)^(\$env:|set\s+|\w+_(?=(ZITADEL|ZDEMO)_)|ZITADEL_|ZDEMO_)"  # of shells, frameworks and zdemo
MANAGER_ROLES = "IAM_OWNER", "ORG_OWNER", "PROJECT_OWNER"  # of ZITADEL's administrators, and of no project
THE_URL = "the URL"  # stands for a setting where the address was typed as an argument


def assignment(setting: str, value: str) -> SetVariable:
    """Return the step that gives a setting a value."""
    return SetVariable(setting, value, f"use {value} as {setting}" if setting == THE_URL else "")


def with_path(steps: Iterable[Step], name: str, end: str) -> tuple[Step, ...]:
    """Return the steps with this path at the end of each address that they propose for a setting."""
    return tuple(assignment(name, s.value + end) if isinstance(s, SetVariable) and s.name == name else s for s in steps)


def near_role(role: str, keys: Iterable[str]) -> str:
    """Return the role key that was probably meant by another text: a typing error, a scope, or a list of keys."""
    others = [key for key in keys if key != role]
    words = role.removeprefix(ROLE_SCOPE), *role.split(",")
    swapped = (key for key in others if sorted(key) == sorted(role) or role in key.split(":"))
    near = (did_you_mean(word, others) for word in words)
    return next(filter(None, (*near, *swapped)), "")


def could_be_new_role(role: str, user: str) -> bool:
    """Return whether a text may be the key of a new role: no user's name, pattern, list or secret."""
    return role != user and not re.search(r"[\s,*]", role) and not could_be_secret(role)


def rename_steps(environment: Environment, right: str = "") -> list[RenameVariable]:
    """Return what to rename to a setting that is not set; with ``right``, only to this one.

    In the process's environment, names without zdemo's prefixes belong to other programs: there, only their name for
    the setting ``right`` counts. A step is certain if the name is a misspelling, and the only one of this setting.
    """
    meanings: dict[str, str] = {}
    for name in environment:
        meaning, bare = OTHER_NAMES.get(name.upper(), ""), re.sub(BEFORE_NAME, "", re.sub("[.-]", "_", name)).upper()
        is_foreign = environment.source(name) == EXPORTED and not name.startswith(PREFIXES)
        if name in BY_NAME or (is_foreign and not (right and meaning)):
            continue
        near = (did_you_mean(form, BY_NAME) for form in (name, bare))
        longer = (prefix + name for prefix in PREFIXES if right or ("_" in name and prefix == "ZDEMO_"))
        meaning = meaning or next(filter(BY_NAME.get, (bare, *longer, *near)), "")
        if meaning and meaning not in environment and right in ("", meaning):
            meanings[name] = meaning
    return [
        RenameVariable(
            name,
            meaning,
            environment.source(name),
            certain=did_you_mean(name, BY_NAME) == meaning  # not the name of another program
            and [*meanings.values()].count(meaning) == 1,
        )
        for name, meaning in meanings.items()
    ]


def folder_problem(environment: Environment) -> Iterator[Problem]:
    """Yield that ``.env`` is a folder (Docker creates one when the file is missing), or that its folder was deleted."""
    text, steps = "the working folder was deleted", deleted_folder()
    if environment.folder:
        text = f"{environment.folder} is a folder, so it is not read"
        steps = ("write the settings to a file with another name, and name it with --env-file",)
    if steps:
        unset = tuple(name for name in ("ZDEMO_API_URL", "PAT") if name not in environment)  # commands run without it
        yield Problem(text=text, kind=ProblemKind.FILE, names=unset, steps=steps)


def hiding_problems(environment: Environment) -> Iterator[Problem]:
    """Yield each setting of which another value counts than one of those that a file has."""
    yield from hidden_values(environment)
    for name, (*others, last) in sorted(environment.repeated.items()):
        if is_setting(name) and environment.file:
            lines = f"line{'' if len(others) == 1 else 's'} {', '.join(map(str, others))}"
            counts = f"line {last} counts" + ("" if name in environment else ", which is empty")
            text = f"{name} is set twice in {environment.file}: {counts}, not {lines}"
            keep = EditLines(str(environment.file), (*others, last), "keep the right one, remove the other")
            yield Problem(text=text, kind=ProblemKind.HIDDEN, names=(name,), steps=(keep,))


def hidden_values(environment: Environment) -> Iterator[Problem]:
    """Yield each setting whose value in a file does not count, because the process's environment has another."""
    for name in filter(is_setting, environment.hidden):
        place = environment.shadowed[name]
        text = f"{name} in {EXPORTED} hides the one in {place}"
        step = UnsetVariable(name, does=f"if you want the value in {place}")
        yield Problem(text=text, kind=ProblemKind.HIDDEN, names=(name,), steps=(step,))


def misnamed_problems(environment: Environment) -> Iterator[Problem]:
    """Yield each variable whose name is almost that of a setting, but no copy such as PAT_OLD beside PAT."""
    for name in environment:
        is_own = environment.source(name) != EXPORTED or name.startswith(PREFIXES)
        right = did_you_mean(name, BY_NAME) if is_own and name not in BY_NAME else ""
        if right in environment and not name.startswith(right) and environment[name] != environment[right]:
            text = f"{name} in {environment.source(name)} is not used: the setting is {right}, which is set too"
            advice = f"remove {name}, or move its value to {right}"
            yield Problem(text=text, kind=ProblemKind.UNUSED, names=(name,), steps=(advice,))
    for step in rename_steps(environment):
        text = f"{step.name} is not a setting of zdemo"
        yield Problem(text=text, kind=ProblemKind.MISNAMED, names=(step.right, step.name), steps=(step,))
