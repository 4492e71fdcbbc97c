"""Settings: read once, checked once, frozen.

``Environment`` holds the variables with the place each came from; ``Settings``, ``ClientSettings`` and
``AdminSettings`` are what the API, the test client and the management commands make of them. Each checks all its
variables before it complains, and no complaint repeats a value: a secret may stand in the wrong place.
"""

from __future__ import annotations

import ipaddress
import math
import os
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

from zdemo.errors import MissingTokenError, SettingsError
from zdemo.key_file import ApplicationKey, read_key_file

DEFAULT_API_URL = "http://127.0.0.1:5000"
DEFAULT_CACHE_TTL_SECONDS = 5.0
DEFAULT_CACHE_SIZE = 10_000
DEFAULT_TIMEOUT_SECONDS = 5.0
LONGEST_TIMEOUT_SECONDS = 300.0
LONGEST_CACHE_TTL_SECONDS = 86_400.0
EXAMPLE_DOMAIN = "https://my-instance-abc123.zitadel.cloud"
LONGEST_LABEL = 63  # RFC 1035 §2.3.4
LEAST_MASKED = 20  # characters; of a shorter token, eight would be too much to show
QUOTES = "\"'`\u2018\u2019\u201c\u201d"
T = TypeVar("T")


class Environment(Mapping[str, str]):
    """The variables that are set, each with the place it came from (``environment``, ``.env``, an option)."""

    def __init__(self, layers: Mapping[str, Mapping[str, str]], *, folders: Mapping[str, Path] | None = None) -> None:
        """``layers`` by name of the place, the strongest first. Empty values count as not set.

        ``folders``: for a place that is a file, the folder that holds it.
        """
        self._folders = dict(folders or {})
        self._values: dict[str, tuple[str, str]] = {}
        self.shadowed: dict[str, str] = {}
        for place, values in layers.items():
            for name, value in values.items():
                if not value.strip():
                    continue
                if name not in self._values:
                    self._values[name] = (value, place)
                elif self._values[name][0].strip() != value.strip():
                    self.shadowed[name] = place

    def __getitem__(self, name: str) -> str:
        return self._values[name][0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Environment({sorted(self._values)})"

    def source(self, name: str) -> str:
        """Where a variable was found; empty when it is not set."""
        return self._values[name][1] if name in self._values else ""

    def without(self, name: str) -> Environment:
        """The same, with one variable not set anywhere."""
        layers: dict[str, dict[str, str]] = {}
        for other, (value, place) in self._values.items():
            if other != name:
                layers.setdefault(place, {})[other] = value
        return Environment(layers, folders=self._folders)

    def folder(self, name: str) -> Path:
        """Where a relative path in a variable starts: beside the file that sets it, else the working directory."""
        return self._folders.get(self.source(name), Path())


def read_environment(env_file: Path | None = None, **options: str | None) -> Environment:
    """Options, the process's environment, then ``.env`` of the working directory (or ``env_file``).

    Options are given by the name of the variable they stand for; ``None`` is not given.

    Raises:
        SettingsError: the file cannot be read, or has a line that is no assignment.
    """
    from zdemo.dotenv_file import read_dotenv  # python-dotenv is not loaded before it is needed

    path = env_file or Path(".env")
    in_file = read_dotenv(path) if env_file or path.is_file() else {}
    given = {name: value for name, value in options.items() if value is not None}
    layers = {"the command line": given, "the environment": os.environ, str(path): in_file}
    return Environment(layers, folders={str(path): path.parent})


class _Reader:
    """Takes variables out of a mapping and gathers what is wrong with them."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self.problems: list[str] = []

    def optional(self, name: str, parse: Callable[[str], T], default: T) -> T:
        text = self._variables.get(name, "").strip()
        if not text:
            return default
        try:
            return parse(_checked_text(text))
        except ValueError as error:
            self.problems.append(f"{name} {error}")
            return default

    def required(self, name: str, parse: Callable[[str], T], default: T, what: str) -> T:
        if not self._variables.get(name, "").strip():
            self.problems.append(f"{name} is not set: {what}")
            return default
        return self.optional(name, parse, default)

    def finish(self, hint: str) -> None:
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


def _origin(text: str, *, allow_http: bool, example: str) -> str:
    """Scheme, host and port out of a URL, without a slash at the end. Raises ValueError in words."""
    if any(c.isspace() for c in text):
        raise ValueError(f"has a blank inside: give one address, e.g. {example}")
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


def _number(least: float, most: float, *, least_excluded: bool = False) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (least <= value <= most) or (least_excluded and value == least):
            raise ValueError(f"is no number from {least:g} to {most:g}, e.g. 5")
        return value

    return parse


def _positive_integer(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 8 and 1 <= int(text) <= 10_000_000):
        raise ValueError("is no whole number from 1 to 10000000, e.g. 10000")
    return int(text)


def _flag(text: str) -> bool:
    words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    if text.lower() not in words:
        raise ValueError("is neither 1 nor 0")
    return words[text.lower()]


def _denied_status(text: str) -> int:
    if text not in ("401", "403"):
        raise ValueError("is neither 401 nor 403")
    return int(text)


def _credential(text: str) -> str:
    if any(c.isspace() for c in text):
        raise ValueError("has a blank inside: copy it anew")
    return text


def _timeout(reader: _Reader) -> float:
    parse = _number(0, LONGEST_TIMEOUT_SECONDS, least_excluded=True)
    return reader.optional("ZDEMO_TIMEOUT", parse, DEFAULT_TIMEOUT_SECONDS)


def _issuer(reader: _Reader) -> str:
    allow_http = reader.optional("ZDEMO_ALLOW_HTTP", _flag, False)
    return reader.required(
        "ZITADEL_DOMAIN",
        lambda text: _origin(text, allow_http=allow_http, example=EXAMPLE_DOMAIN),
        "",
        f"the address of your ZITADEL, e.g. {EXAMPLE_DOMAIN}",
    )


SECRET_VARIABLES = "CLIENT_ID and CLIENT_SECRET"  # noqa: S105  # their names, no secret
KeyReader = Callable[[str, Path], tuple[ApplicationKey, str]]


@dataclass(frozen=True, kw_only=True)
class _Credentials:
    client_id: str
    client_secret: str = ""
    key: ApplicationKey | None = None
    warnings: tuple[str, ...] = ()


def _credentials(reader: _Reader, variables: Mapping[str, str], read_key: KeyReader) -> _Credentials:
    """The key file's, when there is one: then the other two need not be set, and are not looked at."""
    name = "ZITADEL_KEY_FILE"
    if variables.get(name, "").strip():
        folder = variables.folder(name) if isinstance(variables, Environment) else Path()
        found = reader.optional(name, lambda text: _with_key(*read_key(text, folder)), None)
        return found or _Credentials(client_id="")
    return _Credentials(
        client_id=reader.required(
            "CLIENT_ID",
            _credential,
            "",
            "the API application's client ID, e.g. 312909075212468229; or set ZITADEL_KEY_FILE, if it uses a key",
        ),
        client_secret=reader.required(
            "CLIENT_SECRET", _credential, "", "the API application's client secret, 64 letters and digits"
        ),
    )


def _with_key(key: ApplicationKey, warning: str) -> _Credentials | None:
    return _Credentials(client_id=key.client_id, key=key, warnings=(warning,) if warning else ())


SETTINGS_HINT = "set them in the environment or in .env; cp .env.example .env gives the emulator's values"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the resource server needs: whom it asks, as whom, and how it decides.

    ``issuer`` is an origin without a slash at the end; times are seconds. With a ``key``, ``client_id`` is the key
    file's and there is no secret. ``warnings`` are for whoever starts something with these settings.
    """

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    key: ApplicationKey | None = None
    project_id: str | None = None
    cache_ttl_seconds: float = DEFAULT_CACHE_TTL_SECONDS
    cache_size: int = DEFAULT_CACHE_SIZE
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    role_denied_status: int = 401
    warnings: tuple[str, ...] = ()

    @property
    def credential_variables(self) -> str:
        """Where our own credentials at ZITADEL come from, as messages name it."""
        return "ZITADEL_KEY_FILE" if self.key else SECRET_VARIABLES

    @classmethod
    def from_env(cls, variables: Mapping[str, str], *, read_key: KeyReader = read_key_file) -> Settings:
        """Pure but for the file that ``ZITADEL_KEY_FILE`` names, which ``read_key`` reads.

        Raises:
            SettingsError: with every problem there is.
        """
        reader = _Reader(variables)
        issuer, credentials = _issuer(reader), _credentials(reader, variables, read_key)
        settings = cls(
            issuer=issuer,
            client_id=credentials.client_id,
            client_secret=credentials.client_secret,
            key=credentials.key,
            warnings=credentials.warnings,
            project_id=reader.optional("ZITADEL_PROJECT_ID", _credential, "") or None,
            cache_ttl_seconds=reader.optional(
                "ZDEMO_CACHE_TTL", _number(0, LONGEST_CACHE_TTL_SECONDS), DEFAULT_CACHE_TTL_SECONDS
            ),
            cache_size=reader.optional("ZDEMO_CACHE_SIZE", _positive_integer, DEFAULT_CACHE_SIZE),
            timeout_seconds=_timeout(reader),
            role_denied_status=reader.optional("ZDEMO_ROLE_DENIED_STATUS", _denied_status, 401),
        )
        reader.finish(SETTINGS_HINT)
        return settings


@dataclass(frozen=True, kw_only=True)
class ClientSettings:
    """What the test client needs: where the API is. ``api_url`` is an origin."""

    api_url: str
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS

    @classmethod
    def from_env(cls, variables: Mapping[str, str]) -> ClientSettings:
        """Pure. Raises SettingsError with every problem there is."""
        reader = _Reader(variables)
        allow_http = reader.optional("ZDEMO_ALLOW_HTTP", _flag, False)
        settings = cls(
            api_url=reader.optional(
                "ZDEMO_API_URL",
                lambda text: _origin(text, allow_http=allow_http, example=DEFAULT_API_URL),
                DEFAULT_API_URL,
            ),
            timeout_seconds=_timeout(reader),
        )
        reader.finish("correct it, or unset it for the default")
        return settings


@dataclass(frozen=True, kw_only=True)
class AdminSettings:
    """What the commands that change ZITADEL need: where it is, and an administrator's token."""

    issuer: str
    admin_pat: str = field(repr=False)
    project_id: str | None = None
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS

    @classmethod
    def from_env(cls, variables: Mapping[str, str]) -> AdminSettings:
        """Pure. Raises SettingsError with every problem there is."""
        reader = _Reader(variables)
        settings = cls(
            issuer=_issuer(reader),
            admin_pat=reader.required(
                "ZITADEL_ADMIN_PAT", _credential, "", "the personal access token of an administrator (ORG_OWNER)"
            ),
            project_id=reader.optional("ZITADEL_PROJECT_ID", _credential, "") or None,
            timeout_seconds=_timeout(reader),
        )
        reader.finish(SETTINGS_HINT)
        return settings


def required_token(variables: Mapping[str, str]) -> str:
    """The token to ask about: ``PAT``, as it stands, without line ends and blanks around it.

    Raises:
        MissingTokenError: there is none.
    """
    token = variables.get("PAT", "").strip()
    if not token:
        raise MissingTokenError("no token to ask about", hint="give one with --pat, or set PAT in .env")
    return token


def masked(token: str) -> str:
    """What may be shown of a token to tell it apart: four characters at each end, of long ones only."""
    return f"{token[:4]}…{token[-4:]}" if len(token) >= LEAST_MASKED else "(too short to show a part of it)"
