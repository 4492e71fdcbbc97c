"""The cookie by which a browser that logged in once is known again, and who may send the login page's forms.

The cookie is a random text, which sessions hold. It is sent by pages of the same site alone, so also by a frame that
renews a login silently.
"""

import secrets

from flask import Request, Response

from zdemo.emulator.incoming import Origin, current_origin

NAME = "zdemo-login"


def cookie_name(origin: Origin) -> str:
    """Return the cookie's name, with the port, since browsers send cookies to all ports of a host."""
    return f"{NAME}-{origin.requested_host.rpartition(':')[2]}"


def browser_of(request: Request) -> str:
    """Return the browser's text, or an empty one."""
    return request.cookies.get(cookie_name(current_origin()), "")


def new_browser() -> str:
    """Return a text for a browser that has none."""
    return secrets.token_urlsafe()


def remember(answer: Response, browser: str) -> None:
    """Give the browser its text, until it is closed."""
    origin = current_origin()
    secure = origin.scheme == "https"
    answer.set_cookie(cookie_name(origin), browser, httponly=True, samesite="Lax", secure=secure)


def is_foreign(request: Request) -> bool:
    """Return whether a page of another origin sent a form; programs other than browsers name no origin."""
    own = {current_origin().issuer, *(f"{scheme}://{request.host}" for scheme in ("http", "https"))}
    if "Origin" in request.headers:
        return request.headers["Origin"] not in own
    return request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin")
