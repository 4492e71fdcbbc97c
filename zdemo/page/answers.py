"""The answers of the page: JSON, files and refusals, all with headers that keep other sites out."""

import json
from collections.abc import Callable, Iterable, Sequence
from html import escape
from http import HTTPStatus
from typing import Any

from zdemo.config.printable import printable
from zdemo.errors import ZdemoError

Headers = list[tuple[str, str]]
StartResponse = Callable[..., Any]

CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "font-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
SECURITY_HEADERS = (
    ("Content-Security-Policy", CONTENT_POLICY),
    ("X-Frame-Options", "DENY"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)
HTML, JSON = "text/html; charset=utf-8", "application/json"
HOW_TO_OPEN = (
    "Open the address that zdemo serve printed at its start, in the row “page”: type or paste it, with its key. "
    "The browser must accept its cookie."
)


class PageRefusal(Exception):
    """A request to the page that is refused. ``code`` is for programs, ``description`` for people."""

    def __init__(
        self, status: int, code: str, description: str, *, hint: str = "", headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        super().__init__(description)
        self.status, self.code, self.description, self.hint = status, code, description, hint
        self.headers = list(headers)

    @property
    def document(self) -> dict[str, str]:
        """The refusal as JSON."""
        found = {"error": self.code, "error_description": printable(self.description)}
        return found | {"hint": printable(self.hint)} if self.hint else found


def error_text(error: ZdemoError) -> str:
    """Return an error and its hint in one line, for an answer that is not a refusal."""
    return "; ".join(filter(None, (error.message, error.hint)))


def start(start_response: StartResponse, status: int, headers: Iterable[tuple[str, str]]) -> None:
    """Start an answer of the page."""
    start_response(f"{status} {HTTPStatus(status).phrase}", [*headers, *SECURITY_HEADERS])


def answer(
    start_response: StartResponse, status: int, body: bytes, media_type: str = JSON, headers: Headers | None = None
) -> Iterable[bytes]:
    """Send a whole answer; the server leaves out the body for HEAD."""
    start(
        start_response,
        status,
        [("Content-Type", media_type), ("Content-Length", str(len(body))), *(headers or [])],
    )
    return [body]


def json_bytes(document: Any) -> bytes:
    """Return a document as JSON."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=str).encode("utf-8", "replace")


def refuse(start_response: StartResponse, refusal: PageRefusal, *, as_html: bool) -> Iterable[bytes]:
    """Send a refusal, to a person as a small page."""
    if as_html:
        body, media_type = _small_page(refusal.description).encode(), HTML
    else:
        body, media_type = json_bytes(refusal.document) + b"\n", JSON
    return answer(start_response, refusal.status, body, media_type, refusal.headers)


def _small_page(text: str) -> str:
    sentence = f"{text[:1].upper()}{text[1:]}."
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>zdemo</title>\n'
        '<link rel="stylesheet" href="/-/files/page.css">\n'
        '<link rel="icon" href="/-/files/icon.svg" type="image/svg+xml">\n'  # else the browser asks the API for one
        f"<main>\n<h1>zdemo</h1>\n<p>{escape(sentence)}</p>\n<p>{HOW_TO_OPEN}</p>\n</main>\n</html>\n"
    )
