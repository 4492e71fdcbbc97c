"""The name that is most like a word, and variables that have another name than zdemo's."""

import re
from collections.abc import Iterable

from zdemo.config.environment import EXPORTED, PREFIXES, Environment
from zdemo.config.variables import BY_NAME

NEAR = 0.75  # of 1: --pta is near --pat, --bogus is not near --verbose
NEAR_VARIABLE = 0.85  # CLEINT_ID is near CLIENT_ID; API_CLIENT_ID belongs to another program
BEFORE_NAME = r"(?i)^(\$env:|set\b|ZITADEL_)"  # PowerShell, cmd, and a prefix that only some names have
THE_URL = "the URL"  # stands for a setting where the address was typed as an argument


def assignment(setting: str, value: str) -> str:
    """Return what gives a setting a value, ready to paste where it is a variable or an option."""
    return f"use {value} in {setting}" if setting == THE_URL else f"{setting}={value}"


def did_you_mean(word: str, known: Iterable[str], *, least: float = NEAR) -> str:
    """Return the known name that is most like a word in any case of letters, or an empty string."""
    from difflib import get_close_matches  # here, because only mistakes need it

    lowered = {name.lower(): name for name in known}
    near = get_close_matches(word.lower(), lowered, 1, least)
    return lowered[near[0]] if near else ""


def rename_steps(environment: Environment, right: str = "") -> list[str]:
    """Return what to rename to a setting that is not set; with ``right``, only to this one."""
    found = misnamed(environment, right)
    return [f"rename {name} to {meant} in {environment.source(name)}" for name, meant in found.items()]


def misnamed(environment: Environment, right: str = "") -> dict[str, str]:
    """Return the variables with a wrong name, each with the setting that is meant, as ``rename_steps`` finds them.

    In the process's environment only names with zdemo's prefixes count: the others belong to other programs.
    """
    found = {}
    for name in environment:
        place = environment.source(name)
        if name in BY_NAME or (place == EXPORTED and not name.startswith(PREFIXES)):
            continue
        near = (did_you_mean(form, BY_NAME, least=NEAR_VARIABLE) for form in (name, re.sub(BEFORE_NAME, "", name)))
        meant = next(filter(None, near), "")
        if meant and meant not in environment and right in ("", meant):
            found[name] = meant
    return found
