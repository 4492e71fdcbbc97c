"""What the text of a setting may be, and what is wrong with it: addresses, numbers, flags, credentials.

Parsers raise ``ValueError`` with words that go behind the variable's name and never repeat the value: a secret may
stand in the wrong place. ``Reader`` gathers them, so that all problems are told at once.
"""

from __future__ import annotations

import ipaddress
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

from zdemo.config.masking import QUOTES
from zdemo.errors import SettingsError

DEFAULT_TIMEOUT_SECONDS = 5.0
LONGEST_TIMEOUT_SECONDS = 300.0
LONGEST_LABEL = 63  # RFC 1035 §2.3.4
DAMAGED_SCHEME = re.compile(r"https?(:(?!//|\d)|[/;\\])", re.IGNORECASE)  # a host may be called http
NEAR = 0.75  # of 1: --pta is near --pat, --bogus is not near --verbose
NEAR_VARIABLE = 0.85  # CLEINT_ID is near CLIENT_ID; API_CLIENT_ID belongs to another program
VARIABLES = {  # a variable with one of these names is not a misspelled one
    "CLIENT_ID",
    "CLIENT_SECRET",
    "PAT",
    "ZITADEL_ADMIN_PAT",
    "ZITADEL_DOMAIN",
    "ZITADEL_KEY_FILE",
    "ZITADEL_PROJECT_ID",
}
BEFORE_NAME = r"(?i)^(\$env:|set\b|ZITADEL_)"  # PowerShell, cmd, and a prefix that only some names have
SHOWABLE_NAME = r"[A-Za-z0-9_]{1,64}"  # in a file that is not a .env, anything may stand before =
T = TypeVar("T")


def did_you_mean(word: str, known: Iterable[str], *, least: float = NEAR) -> str:
    """Return the known name that is most like a word in any case of letters, or an empty string."""
    from difflib import get_close_matches  # here, because only mistakes need it

    lowered = {name.lower(): name for name in known}
    near = get_close_matches(word.lower(), lowered, 1, least)
    return lowered[near[0]] if near else ""


def _similar_variable(name: str, variables: Iterable[str]) -> str:
    """Return the variable that may be meant by the one that is not set, as a message can show it."""
    others = [other for other in variables if other not in VARIABLES]
    written = {form: other for other in others for form in (other, re.sub(BEFORE_NAME, "", other))}
    near = written.get(did_you_mean(name, written, least=NEAR_VARIABLE), "")
    return near if not near or re.fullmatch(SHOWABLE_NAME, near) else f"a name that only looks like {name}"


class Reader:
    """Takes variables out of a mapping and gathers what is wrong with them: in words, and the names alone."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self.problems: list[str] = []
        self.missing: list[str] = []
        self.wrong: list[str] = []

    def optional(self, name: str, parse: Callable[[str], T], default: T) -> T:
        """The variable's value, or ``default`` when it is not set or wrong."""
        text = self._variables.get(name, "").strip()
        if not text:
            return default
        try:
            return parse(_checked_text(text))
        except ValueError as error:
            self.problems.append(f"{name} {error}")
            self.wrong.append(name)
            return default

    def required(self, name: str, parse: Callable[[str], T], default: T, what: str) -> T:
        """As ``optional``, but not to be set is a problem; ``what`` says what belongs there, with an example."""
        if not self._variables.get(name, "").strip():
            near = _similar_variable(name, self._variables)
            self.problems.append(f"{name} is not set: {what}" + (f" (is {near} misspelled?)" if near else ""))
            self.missing.append(name)
            return default
        return self.optional(name, parse, default)

    def finish(self, hint: str) -> None:
        """Raise SettingsError with all problems, if there are any."""
        if self.problems:
            raise SettingsError(self.problems, hint=hint)


def _checked_text(text: str) -> str:
    """The text itself, unless it holds what no setting may hold. Raises ValueError in words."""
    if text[0] in QUOTES or text[-1] in QUOTES:
        raise ValueError("has quotes around it: give the value alone")
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cf", "Cs"):
            raise ValueError("holds a line end or an invisible character: type or copy it anew")
    return text


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own: plain http to it leaves nothing to overhear."""
    name = host.strip("[]").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def origin(text: str, *, allow_http: bool, example: str) -> str:
    """Scheme, host and port out of a URL, without a slash at the end. Raises ValueError in words."""
    if any(c.isspace() for c in text):
        raise ValueError(f"has a blank inside: give one address, e.g. {example}")
    if DAMAGED_SCHEME.match(text):
        raise ValueError(f"has a damaged scheme: between http or https and the host stands ://, e.g. {example}")
    scheme, found, rest = text.partition("://")
    if not found:
        scheme, rest = "", text
    try:
        parts = urlsplit(f"//{rest}")
        host, port = (parts.hostname or "").encode("idna" if not rest.isascii() else "ascii").decode(), parts.port
    except (ValueError, UnicodeError):
        raise ValueError(f"is no address: a host name and perhaps a port, e.g. {example}") from None
    problem = _origin_problem(scheme.lower(), host, parts, allow_http=allow_http)
    if problem:
        raise ValueError(f"{problem}, e.g. {example}")
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme.lower() or 'https'}://{shown}" + (f":{port}" if port else "")


def _is_host(host: str) -> bool:
    """Whether a host is an IPv6 address without zone, or else labels of letters, digits, hyphens and underscores."""
    if ":" in host:
        try:
            return ipaddress.IPv6Address(host).scope_id is None
        except ValueError:
            return False
    labels = host.removesuffix(".").split(".")
    return all(0 < len(label) <= LONGEST_LABEL and all(c.isalnum() or c in "-_" for c in label) for label in labels)


def _origin_problem(scheme: str, host: str, parts: SplitResult, *, allow_http: bool) -> str:
    """What is wrong with an address, the first thing only; empty when nothing is."""
    checks = (
        (not _is_host(host) or parts.port == 0, "is no address: give scheme and host"),
        (
            not scheme and is_loopback(host),
            "has no scheme, and on this machine it may be either: put http:// or https:// before it",
        ),
        ("://" in parts.netloc + parts.path, "has :// twice: give scheme, host and port alone"),
        (scheme not in ("", "http", "https"), "has a scheme other than http and https"),
        (parts.username is not None, "holds a user name or password: give scheme and host alone"),
        (
            bool(parts.path.strip("/") or parts.query or parts.fragment),
            "has a path: give scheme, host and port alone",
        ),
        (
            scheme == "http" and not allow_http and not is_loopback(host),
            "would send tokens and secrets over plain http: use https, or set ZDEMO_ALLOW_HTTP=1",
        ),
    )
    return next((words for wrong, words in checks if wrong), "")


def number(least: float, most: float, *, least_excluded: bool = False) -> Callable[[str], float]:
    """A parser for numbers in a range."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (least <= value <= most) or (least_excluded and value == least):
            raise ValueError(f"is no number from {least:g} to {most:g}, e.g. 5")
        return value

    return parse


def positive_integer(text: str) -> int:
    """A whole number of things, ten million at most."""
    if not (text.isascii() and text.isdigit() and len(text) <= 8 and 1 <= int(text) <= 10_000_000):
        raise ValueError("is no whole number from 1 to 10000000, e.g. 10000")
    return int(text)


def flag(text: str) -> bool:
    """Yes or no."""
    words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    if text.lower() not in words:
        raise ValueError("is neither 1 nor 0")
    return words[text.lower()]


def denied_status(text: str) -> int:
    """The status for a missing role: 401 or 403."""
    if text not in ("401", "403"):
        raise ValueError("is neither 401 nor 403")
    return int(text)


def credential(text: str) -> str:
    """An ID, a secret, a token: no blank inside."""
    if any(c.isspace() for c in text):
        raise ValueError("has a blank inside: copy it anew")
    return text


def timeout(reader: Reader) -> float:
    """``ZDEMO_TIMEOUT``, in seconds."""
    parse = number(0, LONGEST_TIMEOUT_SECONDS, least_excluded=True)
    return reader.optional("ZDEMO_TIMEOUT", parse, DEFAULT_TIMEOUT_SECONDS)
