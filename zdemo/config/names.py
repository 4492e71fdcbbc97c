"""The name that is most like a word, and variables that have another name than zdemo's."""

import re
from collections.abc import Iterable

from zdemo.config.environment import EXPORTED, PREFIXES, Environment
from zdemo.config.variables import BY_NAME, OTHER_NAMES
from zdemo.errors.steps import RenameVariable, SetVariable

NEAR = 0.75  # of 1: --pta is near --pat, --bogus is not near --verbose
NEAR_VARIABLE = 0.85  # CLEINT_ID is near CLIENT_ID; API_CLIENT_ID belongs to another program
BEFORE_NAME = r"(?i)^(\$env:|set\s+|ZITADEL_|ZDEMO_)"  # PowerShell, cmd, and prefixes that only some names have
THE_URL = "the URL"  # stands for a setting where the address was typed as an argument


def assignment(setting: str, value: str) -> SetVariable:
    """Return the step that gives a setting a value."""
    return SetVariable(setting, value, f"use {value} in {setting}" if setting == THE_URL else "")


def did_you_mean(word: str, known: Iterable[str], *, least: float = NEAR) -> str:
    """Return the known name that is most like a word in any case of letters, or an empty string."""
    from difflib import get_close_matches  # here, because only mistakes need it

    lowered = {name.lower(): name for name in known}
    near = get_close_matches(word.lower(), lowered, 1, least)
    return lowered[near[0]] if near else ""


def rename_steps(environment: Environment, right: str = "") -> list[RenameVariable]:
    """Return what to rename to a setting that is not set; with ``right``, only to this one.

    In the process's environment, names without zdemo's prefixes belong to other programs: there, only their name for
    the setting ``right`` counts. A step is certain if the name is a misspelling, and the only one of this setting.
    """
    meanings: dict[str, str] = {}
    for name in environment:
        meaning, bare = OTHER_NAMES.get(name.upper(), ""), re.sub(BEFORE_NAME, "", name)
        is_foreign = environment.source(name) == EXPORTED and not name.startswith(PREFIXES)
        if name in BY_NAME or (is_foreign and not (right and meaning)):
            continue
        near = (did_you_mean(form, BY_NAME, least=NEAR_VARIABLE) for form in (name, bare))
        meaning = meaning or (bare if bare in BY_NAME else next(filter(None, near), ""))
        if meaning and meaning not in environment and right in ("", meaning):
            meanings[name] = meaning
    return [
        RenameVariable(
            name,
            meaning,
            environment.source(name),
            certain=did_you_mean(name, BY_NAME, least=NEAR_VARIABLE) == meaning  # not the name of another program
            and [*meanings.values()].count(meaning) == 1,
        )
        for name, meaning in meanings.items()
    ]
