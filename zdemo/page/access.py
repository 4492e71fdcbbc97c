"""Who may see the page: a browser on this machine whose user knows the key of this start.

A page of another site can make the browser send requests here, also with a host name of its own that leads to this
machine (DNS rebinding). So the host must have a loopback name, a browser's word on where a request comes from must be
this page, and a cookie must prove the key. Cookies do not know ports: so its name has the port, and its path is the
page's own, which other servers on this machine seldom have. One that has it gets the cookie when this browser opens
one of its own pages.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterator
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl

from zdemo.errors import GuardError
from zdemo.page.answers import PageRefusal

PREFIX = "/-/"
LEAST_KEY = 16  # characters
COOKIE_TEXT = b"the cookie of zdemo's page"

Environ = dict[str, Any]


def new_key() -> str:
    """Return the key for one start: 24 letters and digits, so that a terminal sees where the address ends."""
    return secrets.token_hex(12)


class Access:
    """The key, and the cookie that proves it."""

    def __init__(self, key: str) -> None:
        if len(key) < LEAST_KEY:
            raise GuardError(
                f"the page's key has {len(key)} characters, fewer than {LEAST_KEY}",
                hint="choose a random one: python -c 'import secrets; print(secrets.token_hex(12))'",
            )
        self._key = key.encode()
        self.cookie_value = hmac.new(self._key, COOKIE_TEXT, sha256).hexdigest()

    def check_origin(self, environ: Environ, *, is_page: bool) -> None:
        """Raise PageRefusal for what another site sends; a person opens only the page itself (``is_page``)."""
        site = environ.get("HTTP_SEC_FETCH_SITE")
        if site is not None and site != "same-origin" and not (is_page and site == "none"):
            raise PageRefusal(403, "cross_site", "another site sent this request to the page")
        origin = environ.get("HTTP_ORIGIN")
        own = f"{environ['wsgi.url_scheme']}://{environ['HTTP_HOST']}"
        if origin is not None and origin.lower() != own.lower():
            raise PageRefusal(403, "cross_site", "another origin sent this request to the page")

    def key_in(self, environ: Environ) -> str | None:
        """Return the key in the query, right or wrong."""
        fields = parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)
        return next((value for name, value in fields if name == "key"), None)

    def check_key(self, key: str) -> None:
        """Raise PageRefusal unless this is the key."""
        if not hmac.compare_digest(key.encode("utf-8", "replace"), self._key):
            raise PageRefusal(403, "wrong_key", "this is not the key that zdemo serve printed at its last start")

    def new_cookie(self, environ: Environ) -> str:
        """Return the value of ``Set-Cookie``."""
        return f"{_cookie_name(environ)}={self.cookie_value}; HttpOnly; SameSite=Strict; Path={PREFIX}"

    def check_cookie(self, environ: Environ) -> None:
        """Raise PageRefusal unless the request has the cookie."""
        own = self.cookie_value.encode()
        given = _cookies(environ, _cookie_name(environ))
        if not any(hmac.compare_digest(value.encode("utf-8", "replace"), own) for value in given):
            raise PageRefusal(401, "no_key", "this page needs a key, which this browser does not have")


def _cookie_name(environ: Environ) -> str:
    _, _, port = environ["HTTP_HOST"].rpartition("]")[2].partition(":")
    return f"zdemo_page_{port or 80}"


def _cookies(environ: Environ, name: str) -> Iterator[str]:
    for pair in environ.get("HTTP_COOKIE", "").split(";"):
        found, _, value = pair.strip().partition("=")
        if found == name:
            yield value
