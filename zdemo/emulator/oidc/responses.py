"""Responses of the OAuth and OpenID Connect endpoints: JSON as Go writes it, errors, and common headers."""

import json
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from email.utils import formatdate
from html import escape
from typing import Any
from urllib.parse import quote

from flask import Response, g, request

from zdemo.emulator.incoming.request_records import note

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
BODY_METHODS = ("POST", "PUT", "PATCH")
PLAIN = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"
ALLOWED_HEADERS = ("accept", "accept-language", "authorization", "content-type", "origin", "x-requested-with")

_URL_CHARACTERS = "".join(map(chr, range(0x21, 0x7F)))  # sent as they are
_GO_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})


class OAuthError(Exception):
    """An error response of RFC 6749 §5.2; ``reason`` is for the records."""

    def __init__(self, error: str, description: str = "", *, status: int = 400, reason: object = "") -> None:
        super().__init__(error, description)
        self.error, self.description, self.status = error, description, status
        self.reason = reason or description or error

    def answer(self) -> Response:
        """Return the response; the reason is noted for the records, with a body that is not read."""
        is_ignored = request.method in BODY_METHODS and request.content_length and request.mimetype != FORM
        kind = request.mimetype or "of no media type"
        note(reason=f"{self.reason}; the body is {kind}: send a form ({FORM})" if is_ignored else self.reason)
        body = {"error": self.error}
        if self.description:
            body["error_description"] = self.description
        return json_response(body, self.status)


def json_response(body: dict[str, Any], status: int = 200) -> Response:
    """Return compact JSON with a line end, sorted by key if any claim is ZITADEL's or the customer's own."""
    sort = any(key.startswith("urn:") for key in body)
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), sort_keys=sort)
    answer = Response(text.translate(_GO_ESCAPES) + "\n", status, content_type=JSON)
    if len(text) > 2048:  # Go's buffer: longer responses are sent in chunks, without a Content-Length
        answer.automatically_set_content_length = False
        del answer.headers["Content-Length"]
    return answer


def redirect(location: str) -> Response:
    """Return Go's redirect, whose body is for GET alone."""
    location = quote(location, safe=_URL_CHARACTERS)
    is_get = request.method == "GET"
    answer = Response(f'<a href="{escape(location)}">Found</a>.\n\n' if is_get else "", 302, content_type=HTML)
    if not is_get:
        del answer.headers["Content-Type"]
    answer.headers["Location"] = location
    return answer


def not_found(text: str = "404 page not found") -> Response:
    """Return Go's response for an unknown path, or for a host without an instance."""
    return Response(text + "\n", 404, {"X-Content-Type-Options": "nosniff"}, content_type=PLAIN)


def preflight(more_headers: Iterable[str] = ()) -> Response:
    """Return the response to a browser's preflight request (Fetch §4.8), which allows all it asks for, or nothing."""
    answer = Response(status=204)
    del answer.headers["Content-Type"]
    names = ("Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers")
    answer.headers["Vary"] = ", ".join(names)
    origin, method, headers = (request.headers.get(name, "") for name in names)
    asked = {name.strip().lower() for name in headers.split(",")} - {""}
    if origin and asked <= {*ALLOWED_HEADERS, *more_headers}:
        answer.headers["Access-Control-Allow-Origin"] = origin
        answer.headers["Access-Control-Allow-Methods"] = method
        answer.headers["Access-Control-Allow-Credentials"] = "true"
        if headers:
            answer.headers["Access-Control-Allow-Headers"] = headers
    return answer


def add_headers(answer: Response) -> Response:
    """Add the headers of every response, whatever its status, and the cookie if there is an instance."""
    if is_preflight():
        return answer
    answer.headers.add("Vary", "Origin")
    if (origin := request.headers.get("Origin")) and request.method in ("GET", "HEAD", "POST"):
        allow_origin(answer, origin)
    if "Cache-Control" not in answer.headers:
        forbid_storing(answer)
    if "origin" in g:
        answer.headers.add("Vary", "Cookie")
        value = urlsafe_b64encode(secrets.token_bytes(126)).decode()
        answer.headers["Set-Cookie"] = (
            f"zitadel.useragent={value}; Path=/; Domain={g.origin.instance_host.split(':')[0]}; "
            f"Max-Age={365 * 24 * 3600}; HttpOnly; SameSite=Lax"
        )
    return answer


def allow_origin(answer: Response, origin: str) -> None:
    """Let a browser hand the answer to this origin (CORS)."""
    answer.headers["Access-Control-Allow-Origin"] = origin
    answer.headers["Access-Control-Allow-Credentials"] = "true"
    answer.headers["Access-Control-Expose-Headers"] = "Location, Content-Length"


def forbid_storing(answer: Response) -> None:
    """Forbid caches to store the answer."""
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Pragma"] = "no-cache"
    answer.headers["Expires"] = formatdate(time.time() - 3600, usegmt=True)


def is_preflight() -> bool:
    """Return whether the request is a preflight, not just any request with the method OPTIONS."""
    return request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
