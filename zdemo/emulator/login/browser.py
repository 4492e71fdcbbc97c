"""The cookie by which a browser that logged in is known again, a random text that sessions hold; and foreign forms.

Browsers send it for pages of the same site alone, so also for a frame that renews a login silently.
"""

from flask import Request, Response

from zdemo.emulator.incoming.origin import current_origin


def _cookie() -> str:
    """Return the cookie's name, with the port, since browsers send cookies to all ports of a host."""
    return f"zdemo-login-{current_origin().requested_host.rpartition(':')[2]}"


def browser_of(request: Request) -> str:
    """Return the browser's text, or an empty one."""
    return request.cookies.get(_cookie(), "")


def remember(answer: Response, browser: str) -> None:
    """Give the browser its text, until it is closed."""
    secure = current_origin().scheme == "https"
    answer.set_cookie(_cookie(), browser, httponly=True, samesite="Lax", secure=secure)


def is_foreign(request: Request) -> bool:
    """Return whether a page of another origin sent a form; programs other than browsers name no origin."""
    if "Origin" in request.headers:
        return request.headers["Origin"].partition("://")[2] != current_origin().requested_host
    return request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin")
