"""The names of variables, and the name that is most like a word."""

from collections.abc import Iterable

NEAR = 0.75  # of 1: --pta is near --pat, --bogus is not near --verbose
NEAR_VARIABLE = 0.85  # CLEINT_ID is near CLIENT_ID; API_CLIENT_ID belongs to another program
VARIABLES = {  # a variable with one of these names is not a misspelled one
    "CLIENT_ID",
    "CLIENT_SECRET",
    "PAT",
    "ZITADEL_ADMIN_PAT",
    "ZITADEL_DOMAIN",
    "ZITADEL_INTERNAL_URL",
    "ZITADEL_KEY_FILE",
    "ZITADEL_PROJECT_ID",
}


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
