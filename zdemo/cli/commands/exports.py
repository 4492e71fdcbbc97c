"""The environment of a command that runs against the emulator, and the texts of ``--env NAME=TEXT``."""

import re
from collections.abc import Iterable, Mapping, Sequence

from zdemo.config.names import did_you_mean
from zdemo.errors import UsageError

PLACEHOLDERS = {  # in the text of --env: the variable whose value it stands for
    "domain": "ZITADEL_DOMAIN",
    "client_id": "CLIENT_ID",
    "client_secret": "CLIENT_SECRET",
    "project_id": "ZITADEL_PROJECT_ID",
    "pat": "PAT",
    "visitor_pat": "ZDEMO_VISITOR_PAT",
    "admin_pat": "ZITADEL_ADMIN_PAT",
    "key_file": "ZITADEL_KEY_FILE",
    "user_key_file": "ZDEMO_USER_KEY_FILE",
}
SECRETS = ("client_secret", "pat", "visitor_pat", "admin_pat")  # placeholders that no command line may show
ADDRESS_PARTS = ("host", "port")  # placeholders too; of the domain
NAMES = (*PLACEHOLDERS, *ADDRESS_PARTS)
PLACEHOLDER = re.compile(f"{{(?:{'|'.join(NAMES)})}}")  # is no secret, so messages may name it
WITHDRAWN = re.compile("(?:ZITADEL|ZDEMO_USER)_")  # variables with such names may lead to a real ZITADEL
WITHDRAWN_NAMES = ("CLIENT_ID", "CLIENT_SECRET", "PAT", "ZDEMO_VISITOR_PAT", "ZDEMO_CACHE_URL")
LOOPBACK = ("localhost", "127.0.0.1", "::1")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def variables(values: Mapping[str, str], port: int, others: Iterable[str]) -> dict[str, str]:
    """Return what a command gets: the values of the emulator by their variables, and what ``--env`` asks for.

    Raises UsageError for a text that is not NAME=TEXT, and for an unknown placeholder.
    """
    known = placeholders(values, port)
    return {**values, **dict(_extra(text, known) for text in others)}


def placeholders(values: Mapping[str, str], port: int) -> dict[str, str]:
    """Return what each placeholder stands for."""
    known = {name: values.get(variable, "") for name, variable in PLACEHOLDERS.items()}
    return known | {"host": "localhost", "port": str(port)}


def expanded(words: Iterable[str], known: Mapping[str, str]) -> list[str]:
    """Return the words of a command with its placeholders replaced; other braces belong to the command."""
    pattern = re.compile("|".join(re.escape(f"{{{name}}}") for name in known))
    return [pattern.sub(lambda found: known[found[0][1:-1]], word) for word in words]


def check_extra(others: Iterable[str]) -> None:
    """Raise UsageError for a wrong text of ``--env``, before anything is started."""
    for text in others:
        _extra(text, dict.fromkeys(NAMES, ""))


def check_command(words: Iterable[str]) -> None:
    """Raise UsageError for a secret in a command: everybody on the machine can read the list of processes."""
    for name in SECRETS:
        if any(f"{{{name}}}" in word for word in words):
            raise UsageError(
                f"{{{name}}} would show a secret in the list of processes",
                hint=f"export it instead: --env {PLACEHOLDERS[name]}={{{name}}}",
            )


def command_environment(own: Mapping[str, str], given: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return the environment of a command, and the names of the user's variables that it does not get.

    Proxies stay, since a command may need them to reach the internet, but requests to this machine go past them.
    """
    withdrawn = [name for name in own if WITHDRAWN.match(name) or name in WITHDRAWN_NAMES]
    kept = {name: value for name, value in own.items() if name not in withdrawn}
    return {**kept, **_past_proxies(kept), **given}, sorted(name for name in withdrawn if name not in given)


def _past_proxies(own: Mapping[str, str]) -> dict[str, str]:
    if not any(name.lower().endswith("_proxy") and name.lower() != "no_proxy" for name in own):
        return {}
    hosts = ",".join(own[name] for name in ("no_proxy", "NO_PROXY") if own.get(name))
    listed = [host.strip() for host in hosts.split(",") if host.strip()]
    if "*" in listed:
        return {}
    text = ",".join(dict.fromkeys([*listed, *LOOPBACK]))
    return {"no_proxy": text, "NO_PROXY": text}


def _extra(text: str, known: Mapping[str, str]) -> tuple[str, str]:
    name, equals, template = text.partition("=")
    if not equals or not _VARIABLE.fullmatch(name):
        raise UsageError(
            f"invalid value for --env: {text} (NAME=TEXT)", hint="for example: --env ZITADEL_ISSUER={domain}"
        )
    return name, _PART.sub(lambda found: _value(found, name, known), template)


def _value(found: re.Match[str], name: str, known: Mapping[str, str]) -> str:
    part = found[0]
    if part in ("{{", "}}"):
        return part[0]
    if found[1] is None:
        raise UsageError(f"--env {name}: single brace: {part}", hint=f"write a brace twice: {part * 2}")
    if found[1] not in known:
        raise UsageError(f"--env {name}: unknown placeholder: {found[1]}", hint=_placeholder_hint(found[1], known))
    return known[found[1]]


def _placeholder_hint(word: str, known: Iterable[str]) -> str:
    names: Sequence[str] = [f"{{{name}}}" for name in known]
    meant = did_you_mean(word, known)
    return (
        f"did you mean {{{meant}}}? " if meant else ""
    ) + f"the placeholders are {', '.join(names[:-1])} and {names[-1]}"
