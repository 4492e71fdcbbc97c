"""Variables whose names are not zdemo's, but nearly, or what others call the same thing."""

from collections.abc import Mapping

from zdemo.config.environment import EXPORTED, PREFIXES, Environment
from zdemo.config.names import NEAR_VARIABLE, VARIABLES, did_you_mean

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
