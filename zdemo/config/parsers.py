"""Values from the text of settings, or what is wrong with the text."""

import os
import re
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from typing import TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from zdemo.errors.steps import Command, Shell, Step
from zdemo.text.masking import QUOTES

DEFAULT_TIMEOUT_SECONDS = 5.0
REPLACE_EXAMPLE = Command("setup", does="creates what is missing (or set your own value)")
LEAST_KEY = 16  # characters
NEW_KEY = Shell("openssl rand -hex 24", does="makes one")
EXAMPLE_HOST = "my-instance-abc123.zitadel.cloud"
EXAMPLE_DOMAIN = f"https://{EXAMPLE_HOST}"
EXAMPLE_CLIENT_ID = "312909075212468229"  # ZITADEL makes no ID twice: it holds the time and the machine
PLACEHOLDER = re.compile(r"(?i)(https?://)?<(?!\d+>|[\w.-]{40,}>)[^<>:]+>.*|your[-_ ].*|change[-_ ]?me|x{3,8}|…|\.{3}")
MASKED = "is what CI systems or Terraform show instead of a secret"
VARIABLE = r"\$\{?\w+\}?|\$\(.*\)|%\w+%|\$?\{\{.*\}\}"  # as a shell, GitHub or Helm would expand it
IS_NAME = "is the name of a variable, or a command, instead of its value"
VALUE_ITSELF = "put the value itself there: neither .env nor single quotes expand anything"
CACHE_URL = "ZDEMO_CACHE_URL"
EXAMPLE_STORE = "redis://localhost:6379"
STORE_OPTIONS = {"redis": set[str](), "rediss": {"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"}, "unix": {"db"}}
T = TypeVar("T")


class InvalidValue(ValueError):
    """What is wrong with a value, in words that follow the setting's name.

    ``corrected`` is the value that was probably meant, ``fix`` another thing to do. ``echo`` is shown instead of the
    value; with ``None`` the value is shown, unless it could be a secret.
    """

    def __init__(self, problem: str, *, corrected: str = "", echo: str | None = None, fix: Step = "") -> None:
        super().__init__(problem)
        self.corrected, self.echo, self.fix = corrected, echo, fix


def is_masked(text: str) -> bool:
    """Return whether a text stands for a secret, as logs and Terraform have it."""
    return re.fullmatch(r"\*{3,}|\(sensitive( value)?\)", text) is not None


def is_placeholder(text: str) -> bool:
    """Return whether a value is an example's: a known one, or words for what belongs there."""
    is_example = text == EXAMPLE_CLIENT_ID or text.lower().rstrip("/").endswith(EXAMPLE_HOST)
    return is_example or PLACEHOLDER.fullmatch(text) is not None


def parsed(text: str, parse: Callable[[str], T]) -> T:
    """Parse a value, and refuse an example's, and characters that no setting may contain."""
    bare = text.strip(QUOTES).strip()
    if is_placeholder(bare):
        raise InvalidValue("is the example's value", fix=REPLACE_EXAMPLE)
    if is_masked(bare):
        raise InvalidValue(MASKED, echo="", fix="put the value itself there, from where it is kept")
    visible = "".join(c for c in bare if unicodedata.category(c) != "Cf")
    if visible != bare:
        raise InvalidValue("contains an invisible character", corrected=corrected(visible, parse), echo="")
    if bare != text:
        raise InvalidValue("has quotes around it", corrected=corrected(bare, parse))
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise InvalidValue("contains a line end or a control character: copy it again", echo="")
    if re.search(r"[;,\s](PAT|(CLIENT|ZITADEL|ZDEMO)_[A-Z_]+)=", text):
        raise InvalidValue("holds another setting too", echo="", fix="write each setting on a line of its own")
    return parse(text)


def corrected(candidate: str, parse: Callable[[str], object]) -> str:
    """Return the candidate if it is a valid value, else its own correction."""
    try:
        if candidate:
            parsed(candidate, parse)
    except InvalidValue as error:
        return error.corrected
    return candidate


def number(most: float, *, above_zero: bool = False) -> Callable[[str], float]:
    """Return a parser for numbers from zero on."""
    bounds = f"above 0, at most {most:g}" if above_zero else f"from 0 to {most:g}"

    def parse(text: str) -> float:
        with suppress(ValueError):
            value = float(text)
            if 0 <= value <= most and not (above_zero and value == 0):  # NaN is not
                return value
        raise InvalidValue(f"is not a number {bounds}")

    return parse


def positive_integer(text: str) -> int:
    """Return a whole number from 1 to ten million."""
    if not (text.isascii() and text.isdigit() and len(text) <= 8 and 1 <= int(text) <= 10_000_000):
        raise InvalidValue("is not a whole number from 1 to 10000000")
    return int(text)


def flag(text: str) -> bool:
    """Return a yes or no."""
    if text.lower() not in ("1", "true", "yes", "0", "false", "no"):
        raise InvalidValue("is neither 1 nor 0")
    return text.lower() in ("1", "true", "yes")


def denied_status(text: str) -> int:
    """Return the status for a missing role: 401 or 403."""
    if text not in ("401", "403"):
        raise InvalidValue("is neither 401 nor 403")
    return int(text)


def credential(text: str) -> str:
    """Return an ID, a secret or a token, which has no space inside."""
    if re.fullmatch(VARIABLE, text):
        raise InvalidValue(IS_NAME, echo="", fix=VALUE_ITSELF)
    if scheme := re.match(r"(?i)(bearer|basic)\s", text):
        bare = text[scheme.end() :].strip()
        raise InvalidValue(f"has {scheme[1]} in front of it", corrected=corrected(bare, credential))
    if re.fullmatch(r"\d\.\d+E\+\d+", text):
        raise InvalidValue("was rounded by a spreadsheet", fix="copy it from ZITADEL again")
    if any(c.isspace() for c in text):
        comment = "put a space in front of #, which then begins a comment" if "# " in text else ""
        raise InvalidValue("has a space inside", fix=comment)
    return text


def token(text: str) -> str:
    """Return a token or a key that a header field can hold."""
    if not (text.isascii() and text.isprintable()):
        raise InvalidValue("has characters other than ASCII")
    return credential(text)


def own_key(text: str) -> str:
    """Return a key that its user made up, too long to guess."""
    if len(token(text)) < LEAST_KEY:
        raise InvalidValue(f"has fewer than {LEAST_KEY} characters", fix=NEW_KEY)
    return text


def installing(package: str) -> Shell:
    """Return the step that installs a package, also where uv made the environment, without pip."""
    return Shell(f"{'pip' if find_spec('pip') else 'uv pip'} install {package}")


def shown_address(url: str) -> str:
    """Return the address in a valid URL as messages may name it: without user name and password."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return f"{f'[{host}]' if ':' in host else host}:{parts.port or 6379}" if host else unquote(parts.path)


def cache_url(text: str) -> str:
    """Return the URL of a store, if the package for it is installed. Raises InvalidValue, which never shows it."""
    fix = f"give one like {EXAMPLE_STORE}, rediss://:PASSWORD@HOST:6379 or unix:///PATH"
    try:
        parts = urlsplit(text.partition("#")[0])
        host, _, options = parts.hostname, parts.port, dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
    except ValueError:
        host, options, parts = None, {}, urlsplit("")
    takes, is_socket = STORE_OPTIONS.get(parts.scheme, set()), parts.scheme == "unix"
    database = options.get("db", "") if is_socket else parts.path.removeprefix("/")
    files = (path for name, path in options.items() if name != "db")
    checks = (
        ("#" in text, "has a # in it: write %23 in a password"),
        (parts.scheme not in STORE_OPTIONS, "is not a valid URL that begins with redis://, rediss:// or unix://"),
        (set(options) - takes, f"has an option that is not supported with {parts.scheme}://"),
        (is_socket and (host or not parts.path.strip("/")), "is not the path of a Unix socket: unix:///PATH"),
        (not is_socket and not host, "has no host"),
        (database and not re.fullmatch("[0-9]{1,5}", database), "has a path that is not the number of a database"),
        (not all(map(os.path.isfile, files)), "names a file of certificates that does not exist"),
    )
    if problem := next((words for is_wrong, words in checks if is_wrong), ""):
        raise InvalidValue(problem, echo="", fix=fix)
    if not find_spec("redis"):
        raise InvalidValue("needs the package redis, which is not installed", echo="", fix=installing("redis"))
    return text
