"""Who may see the page: a browser on this machine whose user knows the key of this start.

A page of another site can make the browser send requests here, also by a host name of its own that leads to this
machine (DNS rebinding). So the host must have a loopback name, and the browser must say that this page sent a request.

The key in the address is exchanged for two proofs. No script can read the cookie, but browsers send it to every port of
a host. The secret is in the fragment of the address, which no server is sent: the page keeps it for its origin, port
included, and sends it as a header field. The page's requests to the API carry a mark that only the key can make.
"""

import hmac
import secrets
from hashlib import sha256

from flask import Request

from zdemo.page.page_context import CALLERS, PageRefusal

PAGE_HEADER = "X-Zdemo-Page"  # says that the page sent a request, and as whom


def new_key() -> str:
    """Return the key for one start: 24 letters and digits, so that a terminal sees where the address ends."""
    return secrets.token_hex(12)


class Access:
    """The key, and the cookie and the secret that prove it."""

    def __init__(self, key: str) -> None:
        self._key = key
        self.cookie_value = _proof(key, "the cookie of zdemo's page")
        self.secret = _proof(key, "the secret of zdemo's page")

    def check_origin(self, request: Request, *, is_page: bool) -> None:
        """Raise PageRefusal for what another site sends; a person opens only the page itself (``is_page``)."""
        site = request.headers.get("Sec-Fetch-Site")
        if site is not None and site != "same-origin" and not (is_page and site == "none"):
            raise PageRefusal(403, "cross_site", "another site sent this request to the page")
        origin = request.headers.get("Origin")
        if origin is not None and origin.lower() != f"{request.scheme}://{request.host}".lower():
            raise PageRefusal(403, "cross_site", "another origin sent this request to the page")

    def check_key(self, key: str) -> None:
        """Raise PageRefusal unless this is the key."""
        if not _is_same(key, self._key):
            raise PageRefusal(403, "wrong_key", "this is not the key that zdemo serve printed at its last start")

    def check_proofs(self, request: Request, *, needs_secret: bool) -> None:
        """Raise PageRefusal unless the request has the cookie, and the secret if it is needed."""
        cookies = request.cookies.getlist(cookie_name(request))  # other servers may have added some of its name
        has_cookie = any(_is_same(value, self.cookie_value) for value in cookies)
        has_secret = _is_same(request.headers.get("X-Zdemo-Secret", ""), self.secret)
        if not has_cookie or (needs_secret and not has_secret):
            raise PageRefusal(401, "no_key", "this page needs a key, which this browser does not have")


def mark_of(key: str, caller: str) -> str:
    """Return the mark of a caller's request: nobody can make it without the key of this start."""
    return _proof(key, f"the page sends this as {caller}")


def caller_of(key: str, mark: str) -> str:
    """Return the caller that a mark names; empty if it does not prove that the page sent the request."""
    return next((caller for caller in CALLERS if _is_same(mark, mark_of(key, caller))), "")


def _proof(key: str, text: str) -> str:
    return hmac.new(key.encode(), text.encode(), sha256).hexdigest()


def _is_same(given: str, own: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), own.encode())


def cookie_name(request: Request) -> str:
    """Return the name of the cookie, with the port, since browsers send it to every port of a host."""
    _, _, port = request.environ["HTTP_HOST"].rpartition("]")[2].partition(":")
    return f"zdemo_page_{port or 80}"
