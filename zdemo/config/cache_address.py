"""``ZDEMO_CACHE_URL``: the Redis or Valkey that workers and machines share. redis-py reads the URL; this checks it."""

from __future__ import annotations

import re
from importlib.util import find_spec
from urllib.parse import parse_qsl, unquote, urlsplit

from zdemo.config.parsers import InvalidValue

CACHE_URL = "ZDEMO_CACHE_URL"
EXAMPLE = "redis://localhost:6379"
DEFAULT_PORT = 6379
DATABASE = re.compile(r"\d{1,5}", re.ASCII)
CA_FILE, CERTIFICATE_FILE, KEY_FILE = "ssl_ca_certs", "ssl_certfile", "ssl_keyfile"  # redis-py's names
OPTIONS = {"redis": set[str](), "rediss": {CA_FILE, CERTIFICATE_FILE, KEY_FILE}, "unix": {"db"}}
INSTALL = "pip install redis"
NO_PACKAGE = "needs the package redis, which is not installed"


def shown_address(url: str) -> str:
    """Return the address in a valid URL as messages may name it: without user name and password."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return f"{f'[{host}]' if ':' in host else host}:{parts.port or DEFAULT_PORT}" if host else unquote(parts.path)


def cache_url(text: str) -> str:
    """Return the URL of a store if it is valid, and the package that talks to it is installed.

    Raises InvalidValue, which never shows it.
    """
    if "#" in text:
        raise _invalid("has a # in it: write %23 in a password")
    try:
        parts = urlsplit(text)
        host, _, options = parts.hostname, parts.port, dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
    except ValueError:
        raise _invalid("is not the URL of a Redis or Valkey") from None
    if parts.scheme not in OPTIONS:
        raise _invalid("does not begin with redis://, rediss:// or unix://")
    if set(options) - OPTIONS[parts.scheme]:
        known = ", ".join(sorted(OPTIONS[parts.scheme])) or "no options"
        raise _invalid(f"has an option that is not supported ({parts.scheme}:// takes {known})")
    database = parts.path.removeprefix("/")
    if parts.scheme == "unix":
        if not database or host:
            raise _invalid("is not the path of a Unix socket, which begins with unix:///")
        database = options.get("db", "")
    elif not host:
        raise _invalid("has no host")
    if database and not DATABASE.fullmatch(database):
        raise _invalid("has a path that is not the number of a database")
    if not find_spec("redis"):
        raise InvalidValue(NO_PACKAGE, shown="", fix=INSTALL)
    if parts.scheme == "rediss":
        _check_files(options)
    return text


def _check_files(options: dict[str, str]) -> None:
    import ssl  # here, because most people have no store with TLS

    try:
        context = ssl.create_default_context(cafile=options.get(CA_FILE))
        if CERTIFICATE_FILE in options:
            context.load_cert_chain(options[CERTIFICATE_FILE], options.get(KEY_FILE), password="")
    except OSError:  # ssl.SSLError is one
        fix = f"check the files after {CA_FILE}, {CERTIFICATE_FILE} and {KEY_FILE}"
        raise InvalidValue("names certificates that cannot be read, or are not in PEM", shown="", fix=fix) from None


def _invalid(problem: str) -> InvalidValue:
    return InvalidValue(problem, shown="", fix=f"give one like {EXAMPLE}, rediss://:PASSWORD@HOST:6379 or unix:///PATH")
