"""The names of variables, what others call the same thing, and the name that is most like a word."""

from collections.abc import Iterable, Mapping

from zdemo.config.environment import EXPORTED, PREFIXES, Environment

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
NAMES = VARIABLES | {
    "ZDEMO_ALLOW_HTTP",
    "ZDEMO_API_URL",
    "ZDEMO_CACHE_SIZE",
    "ZDEMO_CACHE_TTL",
    "ZDEMO_CACHE_URL",
    "ZDEMO_EVENTS_KEY",
    "ZDEMO_EXTERNAL_DOMAIN",
    "ZDEMO_FORGET_KEY",
    "ZDEMO_PAT_ID",
    "ZDEMO_PAT_USER_ID",
    "ZDEMO_ROLE_DENIED_STATUS",
    "ZDEMO_TIMEOUT",
    "ZDEMO_USER_CLIENT_ID",
    "ZDEMO_USER_CLIENT_SECRET",
    "ZDEMO_USER_KEY_FILE",
    "ZDEMO_VISITOR_PAT",
}
OTHER_WORDS: Mapping[str, str] = {
    "ACCESS_TOKEN": "PAT",
    "ADMIN_PAT": "ZITADEL_ADMIN_PAT",
    "API_URL": "ZDEMO_API_URL",
    "BEARER_TOKEN": "PAT",
    "ISSUER": "ZITADEL_DOMAIN",
    "KEY_FILE": "ZITADEL_KEY_FILE",
    "PERSONAL_ACCESS_TOKEN": "PAT",
    "PROJECT_ID": "ZITADEL_PROJECT_ID",
    "TOKEN": "PAT",
    "ZDEMO_PAT": "PAT",
    "ZITADEL_CLIENT_ID": "CLIENT_ID",
    "ZITADEL_CLIENT_SECRET": "CLIENT_SECRET",
    "ZITADEL_HOST": "ZITADEL_DOMAIN",
    "ZITADEL_ISSUER": "ZITADEL_DOMAIN",
    "ZITADEL_PAT": "PAT",
    "ZITADEL_TOKEN": "PAT",
    "ZITADEL_URL": "ZITADEL_DOMAIN",
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


def renames(environment: Environment) -> dict[str, str]:
    """Return the variables that have another name than zdemo's, each with the right one, which is not set.

    In the process's environment only names with zdemo's prefixes count: the others belong to other programs.
    """
    found = {}
    for name in environment:
        is_own = environment.source(name) != EXPORTED or name.startswith(PREFIXES)
        right = _meant(name) if is_own and name not in NAMES else ""
        if right and right not in environment:
            found[name] = right
    return found


def rename_steps(environment: Environment, right: str = "") -> list[str]:
    """Return what to rename; with ``right``, only what is to get this name."""
    return [
        f"rename {name} to {meant} in {environment.source(name)}"
        for name, meant in renames(environment).items()
        if right in ("", meant)
    ]


def _meant(name: str) -> str:
    upper = name.upper()
    return upper if upper in NAMES else OTHER_WORDS.get(upper) or did_you_mean(name, NAMES, least=NEAR_VARIABLE)
