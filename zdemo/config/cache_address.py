"""``ZDEMO_CACHE_URL``: the Redis or Valkey that workers and machines share."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

from zdemo.config.parsers import InvalidValue

if TYPE_CHECKING:
    import ssl

CACHE_URL = "ZDEMO_CACHE_URL"
EXAMPLE = "redis://localhost:6379"
DEFAULT_PORT = 6379
MOST_DATABASES = 100_000
CA_FILE, CERTIFICATE_FILE, KEY_FILE = "ssl_ca_certs", "ssl_certfile", "ssl_keyfile"  # redis-py's names
OPTIONS = {"redis": set[str](), "rediss": {CA_FILE, CERTIFICATE_FILE, KEY_FILE}, "unix": {"db"}}
INSTALL = "pip install redis"
NO_PACKAGE = "needs the package redis, which is not installed"


@dataclass(frozen=True, kw_only=True)
class CacheAddress:
    """Where a Redis or Valkey listens, and how to sign in. ``path`` is a Unix socket's."""

    host: str = ""
    port: int = DEFAULT_PORT
    path: str = ""
    tls: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    database: int = 0
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None

    @property
    def shown(self) -> str:
        """The address as messages may name it: without user name and password."""
        return self.path or f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def cache_url(text: str) -> str:
    """Return the URL of a store if it is valid, and the package that talks to it is installed."""
    address = cache_address(text)
    if not find_spec("redis"):
        raise InvalidValue(NO_PACKAGE, shown="", fix=INSTALL)
    if address.tls:
        tls_context(address)
    return text


def tls_context(address: CacheAddress) -> ssl.SSLContext:
    """Return how to verify the store's certificate. Raises InvalidValue if a file with certificates is of no use."""
    import ssl  # here, because most people have no store with TLS

    try:
        context = ssl.create_default_context(cafile=address.ca_file)
        if address.certificate_file:
            context.load_cert_chain(address.certificate_file, address.key_file, password="")
    except OSError:  # ssl.SSLError is one
        fix = f"check the files after {CA_FILE}, {CERTIFICATE_FILE} and {KEY_FILE}"
        raise InvalidValue("names certificates that cannot be read, or are not in PEM", shown="", fix=fix) from None
    return context


def cache_address(text: str) -> CacheAddress:
    """Read a ``redis://``, ``rediss://`` or ``unix://`` URL. Raises InvalidValue, which never shows it."""
    if "#" in text:
        raise _invalid("has a # in it: write %23 in a password")
    try:
        parts = urlsplit(text)
        port, options = parts.port, dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
    except ValueError:
        raise _invalid("is not the URL of a Redis or Valkey") from None
    if parts.scheme not in OPTIONS:
        raise _invalid("does not begin with redis://, rediss:// or unix://")
    unknown = sorted(set(options) - OPTIONS[parts.scheme])
    if unknown:
        known = ", ".join(sorted(OPTIONS[parts.scheme])) or "no options"
        raise _invalid(f"has an option that is not supported ({parts.scheme}:// takes {known})")
    is_unix = parts.scheme == "unix"
    path = unquote(parts.path) if is_unix else ""
    if is_unix and not (path.startswith("/") and len(path) > 1 and not parts.hostname):
        raise _invalid("is not the path of a Unix socket, which begins with unix:///")
    if not is_unix and not parts.hostname:
        raise _invalid("has no host")
    return CacheAddress(
        host=parts.hostname or "",
        port=DEFAULT_PORT if port is None else port,
        path=path,
        tls=parts.scheme == "rediss",
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        database=_database(options.get("db", "0") if is_unix else parts.path.removeprefix("/") or "0"),
        ca_file=options.get(CA_FILE),
        certificate_file=options.get(CERTIFICATE_FILE),
        key_file=options.get(KEY_FILE),
    )


def _database(text: str) -> int:
    if not re.fullmatch(r"\d{1,6}", text, re.ASCII) or int(text) >= MOST_DATABASES:
        raise _invalid("has a path that is not the number of a database")
    return int(text)


def _invalid(problem: str) -> InvalidValue:
    return InvalidValue(problem, shown="", fix=f"give one like {EXAMPLE}, rediss://:PASSWORD@HOST:6379 or unix:///PATH")
