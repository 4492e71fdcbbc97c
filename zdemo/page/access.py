"""Who may see the page: a browser on this machine whose user knows the key of this start.

A page of another site can make the browser send requests here, also with a host name of its own that leads to this
machine (DNS rebinding). So the host must have a loopback name, and a browser's word on where a request comes from must
be this page.

The key in the address is exchanged for two proofs, each of which covers a weakness of the other. No script can read the
cookie, but browsers send it to every port of a host, and let every port replace it. The secret is in the fragment of
the address, which is sent to no server: the page's script keeps it for its origin, which has a port, and sends it as a
header field. The document of the page, which is the same for everybody, needs the cookie alone.
"""

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
COOKIE_TEXT, SECRET_TEXT = b"the cookie of zdemo's page", b"the secret of zdemo's page"

Environ = dict[str, Any]


def new_key() -> str:
    """Return the key for one start: 24 letters and digits, so that a terminal sees where the address ends."""
    return secrets.token_hex(12)


class Access:
    """The key, and the cookie and the secret that prove it."""

    def __init__(self, key: str) -> None:
        if len(key) < LEAST_KEY:
            raise GuardError(
                f"the page's key has {len(key)} characters, fewer than {LEAST_KEY}",
                hint="choose a random one: python -c 'import secrets; print(secrets.token_hex(12))'",
            )
        self._key = key.encode()
        self.cookie_value = hmac.new(self._key, COOKIE_TEXT, sha256).hexdigest()
        self.secret = hmac.new(self._key, SECRET_TEXT, sha256).hexdigest()

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
        if not _is_same(key, self._key):
            raise PageRefusal(403, "wrong_key", "this is not the key that zdemo serve printed at its last start")

    def new_cookie(self, environ: Environ) -> str:
        """Return the value of ``Set-Cookie``."""
        return f"{_cookie_name(environ)}={self.cookie_value}; HttpOnly; SameSite=Strict; Path={PREFIX}"

    def check_cookie(self, environ: Environ) -> None:
        """Raise PageRefusal unless the request has the cookie."""
        own = self.cookie_value.encode()
        if not any(_is_same(value, own) for value in _cookies(environ, _cookie_name(environ))):
            raise _no_key()

    def check_secret(self, environ: Environ) -> None:
        """Raise PageRefusal unless the request has the secret."""
        if not _is_same(environ.get("HTTP_X_ZDEMO_SECRET", ""), self.secret.encode()):
            raise _no_key()


def _is_same(given: str, own: bytes) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), own)


def _no_key() -> PageRefusal:
    return PageRefusal(401, "no_key", "this page needs a key, which this browser does not have")


def _cookie_name(environ: Environ) -> str:
    _, _, port = environ["HTTP_HOST"].rpartition("]")[2].partition(":")
    return f"zdemo_page_{port or 80}"


def _cookies(environ: Environ, name: str) -> Iterator[str]:
    for pair in environ.get("HTTP_COOKIE", "").split(";"):
        found, _, value = pair.strip().partition("=")
        if found == name:
            yield value
