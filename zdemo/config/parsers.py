"""Values from the text of settings, or what is wrong with the text."""

from __future__ import annotations

import ipaddress
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

from zdemo.config.environment import Environment, HiddenValue
from zdemo.config.masking import QUOTES, SECRET_SETTINGS, could_be_secret, holds_token
from zdemo.config.names import NEAR_VARIABLE, VARIABLES, assignment, did_you_mean
from zdemo.config.placeholders import MASKED, is_masked, is_placeholder
from zdemo.config.renames import rename_steps
from zdemo.errors import SettingsError

DEFAULT_TIMEOUT_SECONDS = 5.0
LONGEST_TIMEOUT_SECONDS = 300.0
DEFAULT_PORTS = {"http": 80, "https": 443}
LONGEST_LABEL = 63  # RFC 1035 §2.3.4
LONGEST_SHOWN = 100  # characters of a value
ALL_ADDRESSES = ("0.0.0.0", "::")  # noqa: S104  # to be recognized, not to listen at
DAMAGED_SCHEME = re.compile(r"https?(:(?!//|\d)|[/;\\])", re.IGNORECASE)  # a host may be called http
SCHEME_AND_MARKS = r"(?i)^(https?)[:;/\\]*"
NOT_A_PORT = r":[^\d:/\]]"  # it may be a password, with the host left out
AUTHENTICATION_SCHEME = re.compile(r"(bearer|basic)\s", re.IGNORECASE)
IDS = ("CLIENT_ID", "ZITADEL_PROJECT_ID")
BEFORE_NAME = r"(?i)^(\$env:|set\b|ZITADEL_)"  # PowerShell, cmd, and a prefix that only some names have
SHOWABLE_NAME = r"[A-Za-z0-9_]{1,64}"  # in a file that is not a .env, anything may stand before =
START_GUIDE = "how to get a ZITADEL: https://zitadel.com/docs/guides/start/quickstart"
REPLACE_EXAMPLE = "put your own there; zdemo setup creates what is missing"
NOT_FROM_SETUP = {  # what setup itself needs
    "ZITADEL_DOMAIN": f"put your own there; {START_GUIDE}",
    "ZITADEL_ADMIN_PAT": "put your own there",
}
LEAST_KEY = 16  # characters
NEW_KEY = "make one with openssl rand -hex 24"
T = TypeVar("T")


class InvalidValue(ValueError):
    """What is wrong with a value, in words that follow the setting's name."""

    def __init__(self, problem: str, *, corrected: str = "", shown: str | None = None, fix: str = "") -> None:
        """Describe a problem.

        ``corrected`` is the value that was probably meant, ``fix`` another thing to do. ``shown`` is shown instead of
        the value; with ``None`` the value is shown, unless it could be a secret.
        """
        super().__init__(problem)
        self.corrected = corrected
        self.shown = shown
        self.fix = fix


class Reader:
    """The variables of one kind of settings, and everything that is wrong with them."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.environment = variables if isinstance(variables, Environment) else Environment({"": variables})
        self._fixes: dict[str, str] = {}  # by problem
        self._missing: list[str] = []

    def optional(self, name: str, parse: Callable[[str], T], default: T) -> T:
        """Return the variable's value, or ``default`` when it is not set or wrong."""
        text = self.environment.get(name, "").strip()
        if not text:
            return default
        try:
            return _parsed(text, parse)
        except InvalidValue as error:
            self._add(name, text, error, self._hidden(name, parse))
            return default

    def _hidden(self, name: str, parse: Callable[[str], object]) -> HiddenValue | None:
        """Return the value that this one hides, if it is a good one."""
        hidden = self.environment.hidden.get(name)
        try:
            if hidden and not hidden.joined and hidden.value:
                _parsed(hidden.value.strip(), parse)
        except InvalidValue:
            return None
        return hidden

    def required(self, name: str, parse: Callable[[str], str], what: str) -> str:
        """Return the variable's value, empty if it is missing or wrong; ``what`` says what it is, with an example."""
        if name not in self.environment:
            steps = self._renames(name)
            near = _similar_variable(name, self.environment)
            meant = (
                f" (is {near} misspelled?)" if near else f" ({steps[0].split(' ')[1]} is set instead)" if steps else ""
            )
            self._fixes[f"{name} is not set: {what}{meant}"] = "; ".join(steps)
            if not steps:
                self._missing.append(name)
            return ""
        return self.optional(name, parse, "")

    def _renames(self, name: str) -> list[str]:
        """Return which variables to rename so that this one is set."""
        return rename_steps(self.environment, name)

    def refuse(self, problem: str, fix: str) -> None:
        """Note what is wrong with several variables together."""
        self._fixes[problem] = fix

    def finish(self) -> None:
        """Raise SettingsError with all problems, if there are any."""
        if not self._fixes:
            return
        steps = dict.fromkeys(filter(None, self._fixes.values()))
        if self._missing:
            by_name = len(self._missing) < len(self._fixes)
            steps[self.environment.completion(self._missing, by_name=by_name)] = None
        raise SettingsError(list(self._fixes), hint="; ".join(steps), fixes=self._fixes)

    def _add(self, name: str, text: str, error: InvalidValue, hidden: HiddenValue | None) -> None:
        shown = _shown(name, text if error.shown is None else error.shown)
        problem = f"{self.environment.setting(name)} {error}" + (f": {shown}" if shown else "")
        if hidden and not hidden.joined:
            self._fixes[f"{problem} (it hides {hidden.described})"] = hidden.step
            return
        may_be_shown = error.corrected and not holds_token(text) and _shown(name, error.corrected) == error.corrected
        steps = [assignment(self.environment.setting(name), error.corrected) if may_be_shown else ""]
        steps.append(NOT_FROM_SETUP.get(name, error.fix) if error.fix == REPLACE_EXAMPLE else error.fix)
        self._fixes[problem] = ", or ".join(filter(None, steps)) or self.environment.correction(name)


def _shown(name: str, text: str) -> str:
    """Return what a message may repeat of a value; empty when it could be a secret."""
    is_hidden = name in SECRET_SETTINGS or could_be_secret(text) or (name in IDS and re.search("[A-Za-z]", text))
    return "" if is_hidden else text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def _similar_variable(name: str, variables: Iterable[str]) -> str:
    """Return the variable that may be meant by the one that is not set, as a message can show it."""
    others = [other for other in variables if other not in VARIABLES]
    written = {form: other for other in others for form in (other, re.sub(BEFORE_NAME, "", other))}
    near = written.get(did_you_mean(name, written, least=NEAR_VARIABLE), "")
    return near if not near or re.fullmatch(SHOWABLE_NAME, near) else f"a name that only looks like {name}"


def _parsed(text: str, parse: Callable[[str], T]) -> T:
    """Parse a value, and refuse an example's, and characters that no setting may contain."""
    if is_placeholder(text.strip(QUOTES).strip()):
        raise InvalidValue("is the example's value", fix=REPLACE_EXAMPLE)
    if is_masked(text.strip(QUOTES).strip()):
        raise InvalidValue(MASKED, shown="", fix="put the value itself there, from where it is kept")
    if text[0] in QUOTES or text[-1] in QUOTES:
        raise InvalidValue("has quotes around it", corrected=_corrected(text.strip(QUOTES).strip(), parse))
    categories = [unicodedata.category(character) for character in text]
    if "Cc" in categories or "Cs" in categories:
        raise InvalidValue("contains a line end or a control character: copy it again", shown="")
    if "Cf" in categories:
        visible = "".join(c for c, category in zip(text, categories, strict=True) if category != "Cf")
        raise InvalidValue(
            f"contains an invisible character (U+{ord(text[categories.index('Cf')]):04X})",
            corrected=_corrected(visible, parse),
            shown="",
        )
    return parse(text)


def _corrected(candidate: str, parse: Callable[[str], object]) -> str:
    """Return the candidate if it is a valid value, else its own correction."""
    try:
        if candidate:
            _parsed(candidate, parse)
    except InvalidValue as error:
        return error.corrected
    return candidate


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine itself, so that plain http to it is private."""
    name = host.strip("[]").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def without_default_port(address: str) -> str:
    """Return an origin as a ``Host`` field gives it, which omits the scheme's default port (RFC 9110 §7.2)."""
    parts = urlsplit(address)
    port = DEFAULT_PORTS.get(parts.scheme)
    return address.removesuffix(f":{port}") if parts.port == port else address


def origin(text: str, *, allow_http: bool, example: str) -> str:
    """Return scheme, host and port of an address, without a slash at the end."""

    def again(candidate: str) -> str:
        return _corrected(candidate, lambda other: origin(other, allow_http=allow_http, example=example))

    if any(c.isspace() for c in text):
        raise InvalidValue("has a space inside", fix=f"give one address, for example {example}")
    if DAMAGED_SCHEME.match(text):
        raise InvalidValue("has a damaged scheme", corrected=again(re.sub(SCHEME_AND_MARKS, r"\1://", text)))
    scheme, _, rest = text.partition("://") if "://" in text else ("", "", text)
    if "://" in rest:
        raise InvalidValue("contains :// twice", corrected=again(rest))
    try:
        parts = urlsplit(f"//{rest}")
        host, port = (parts.hostname or "").encode("ascii" if rest.isascii() else "idna").decode(), parts.port
    except (ValueError, UnicodeError):
        host, port, parts = "", None, urlsplit("")
    if not _is_host(host) or port == 0:
        shown = "" if re.search(NOT_A_PORT, rest) else None
        raise InvalidValue("is not an address", shown=shown, fix=f"give scheme, host and port, for example {example}")
    address = f"[{host}]" if ":" in host else host
    return _checked_origin(scheme.lower(), f"{address}:{port}" if port else address, parts, allow_http=allow_http)


def _is_host(host: str) -> bool:
    """Return whether a host is an IPv6 address without a zone, or a name of valid labels."""
    if ":" in host:
        try:
            return ipaddress.IPv6Address(host).scope_id is None
        except ValueError:
            return False
    labels = host.removesuffix(".").split(".")
    return all(0 < len(label) <= LONGEST_LABEL and all(c.isalnum() or c in "-_" for c in label) for label in labels)


def _checked_origin(scheme: str, address: str, parts: SplitResult, *, allow_http: bool) -> str:
    """Return the origin, or raise InvalidValue with the first problem."""
    if scheme == "http" and parts.hostname in ALL_ADDRESSES and not allow_http:
        port = f":{parts.port}" if parts.port else ""
        raise InvalidValue("is for servers, which listen at all addresses", corrected=f"http://localhost{port}")
    here = is_loopback(parts.hostname or "")
    is_plain = scheme == "http" and not here and not allow_http
    likely = scheme if scheme in ("http", "https") and not is_plain else "http" if here else "https"
    checks = (
        (not scheme and here, "has no scheme (http:// or https://)"),
        (scheme not in ("", "http", "https"), "has a scheme other than http and https"),
        (parts.username is not None, "contains a user name or password"),
        (bool(parts.path.strip("/")), "has a path"),
        (bool(parts.query or parts.fragment), "has a query or fragment"),
        (is_plain, "would send tokens and secrets over plain http"),
    )
    problem = next((words for is_wrong, words in checks if is_wrong), "")
    if not problem:
        return f"{likely}://{address}"
    may_be_password = "@" in parts.path + parts.query + parts.fragment  # a password may contain / or ?
    fix = "ZDEMO_ALLOW_HTTP=1 in a network that you trust" if problem == checks[-1][1] else ""
    raise InvalidValue(problem, corrected="" if may_be_password else f"{likely}://{address}", fix=fix)


def number(least: float, most: float, *, least_excluded: bool = False) -> Callable[[str], float]:
    """Return a parser for numbers in a range."""
    bounds = f"above {least:g}, at most {most:g}" if least_excluded else f"from {least:g} to {most:g}"

    def is_valid(text: str) -> bool:
        value = _float(text)
        return least <= value <= most and not (least_excluded and value == least)

    def parse(text: str) -> float:
        if is_valid(text):
            return float(text)
        in_seconds = text.removesuffix("s")
        raise InvalidValue(f"is not a number {bounds}", corrected=in_seconds if is_valid(in_seconds) else "")

    return parse


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def positive_integer(text: str) -> int:
    """Return a whole number from 1 to ten million."""
    if not (text.isascii() and text.isdigit() and len(text) <= 8 and 1 <= int(text) <= 10_000_000):
        raise InvalidValue("is not a whole number from 1 to 10000000")
    return int(text)


def flag(text: str) -> bool:
    """Return a yes or no."""
    words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    if text.lower() not in words:
        raise InvalidValue("is neither 1 nor 0")
    return words[text.lower()]


def denied_status(text: str) -> int:
    """Return the status for a missing role: 401 or 403."""
    if text not in ("401", "403"):
        raise InvalidValue("is neither 401 nor 403")
    return int(text)


def credential(text: str) -> str:
    """Return an ID, a secret or a token, which has no space inside."""
    if scheme := AUTHENTICATION_SCHEME.match(text):
        raise InvalidValue(f"has {scheme[1]} in front of it")
    if any(c.isspace() for c in text):
        raise InvalidValue("has a space inside")
    return text


def own_key(text: str) -> str:
    """Return a key that its user made up, long enough that nobody guesses it."""
    if not (text.isascii() and text.isprintable()):
        raise InvalidValue("has other characters than ASCII")
    if len(credential(text)) < LEAST_KEY:
        raise InvalidValue(f"has fewer than {LEAST_KEY} characters", fix=NEW_KEY)
    return text


def timeout(reader: Reader) -> float:
    """Return ``ZDEMO_TIMEOUT`` in seconds."""
    return reader.optional("ZDEMO_TIMEOUT", _seconds, DEFAULT_TIMEOUT_SECONDS)


def _seconds(text: str) -> float:
    """Return a time limit, and recognize one in milliseconds: a whole second of them is above the limit."""
    parse = number(0, LONGEST_TIMEOUT_SECONDS, least_excluded=True)
    seconds = _float(text.removesuffix("ms")) / 1000
    in_milliseconds = text.endswith("ms") or 1000 * seconds > LONGEST_TIMEOUT_SECONDS
    if in_milliseconds and 0 < seconds <= LONGEST_TIMEOUT_SECONDS:
        shown = f"{text} looks like milliseconds"
        what = f"is in seconds, at most {LONGEST_TIMEOUT_SECONDS:g}"
        raise InvalidValue(what, shown=shown, corrected=f"{seconds:g}")
    return parse(text)
