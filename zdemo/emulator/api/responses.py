"""Responses of the management API: headers, compression, and errors in the forms of Connect and REST."""

import base64
import gzip
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from flask import Request, Response

from zdemo.emulator.errors import ZitadelError
from zdemo.emulator.oidc.responses import JSON

# Connect's word -> gRPC's number and the HTTP status, which is the same in both protocols (ZITADEL)
CODES = {
    "unknown": (2, 500),
    "invalid_argument": (3, 400),
    "not_found": (5, 404),
    "already_exists": (6, 409),
    "permission_denied": (7, 403),
    "resource_exhausted": (8, 429),
    "failed_precondition": (9, 400),
    "unimplemented": (12, 501),
    "internal": (13, 500),
    "unavailable": (14, 503),
    "unauthenticated": (16, 401),
}
DETAIL = "zitadel.v1.ErrorDetail"


def plain(request: Request, status: int, content: bytes = b"", media: str = "") -> Response:
    """Return a response with this content and the headers of all responses."""
    response = Response(content, status=status)
    del response.headers["Content-Type"]
    if media:
        response.headers["Content-Type"] = media
    response.headers["Vary"] = "Origin"
    response.headers["X-Robots-Tag"] = "none"
    if origin := request.headers.get("Origin"):
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Credentials"] = "true"
        response.headers["Access-Control-Expose-Headers"] = "Location, Content-Length"
    return response


def good(request: Request, body: Any, media: str = JSON) -> Response:
    """Return 200 with a JSON body, not to be stored, and gzipped for clients that accept it."""
    content = as_json(body)
    response = plain(request, 200, content, media)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Pragma"] = "no-cache"
    response.headers["Expires"] = format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)
    if request.accept_encodings["gzip"] and "gzip" in request.headers.get("Accept-Encoding", ""):
        response.set_data(gzip.compress(content, compresslevel=1))
        response.headers["Content-Encoding"] = "gzip"
    return response


def connect_error(request: Request, error: ZitadelError) -> Response:
    """Return ``{"code", "message", "details"}`` with Connect's word as the code."""
    body: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.id is not None:
        value = base64.b64encode(_detail(error)).decode().rstrip("=")
        body["details"] = [{"type": DETAIL, "value": value, "debug": _shown(error)}]
    return plain(request, CODES[error.code][1], as_json(body), JSON)


def rest_error(request: Request, error: ZitadelError) -> Response:
    """Return ``{"code", "message", "details"}`` with gRPC's number as the code."""
    number, status = CODES[error.code]
    body: dict[str, Any] = {"code": number, "message": error.message}
    if error.id is not None:
        body["details"] = [{"@type": f"type.googleapis.com/{DETAIL}", **_shown(error)}]
    response = plain(request, status, as_json(body), JSON)
    if status == 401:
        response.headers["WWW-Authenticate"] = error.message
    return response


def preflight(request: Request) -> Response:
    """Return 204 with the method and headers that the browser asked about."""
    response = plain(request, 204)
    response.headers["Access-Control-Allow-Methods"] = request.headers["Access-Control-Request-Method"]
    if names := request.headers.get("Access-Control-Request-Headers"):
        response.headers["Access-Control-Allow-Headers"] = names
    return response


def as_json(body: Any) -> bytes:
    """Return compact JSON, as protobuf writes it."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def _shown(error: ZitadelError) -> dict[str, str]:
    return {"id": error.id, "message": error.text} if error.id else {"message": error.text}


def _detail(error: ZitadelError) -> bytes:
    """Return the protobuf message 1=ID 2=text."""
    return (_field(1, error.id) if error.id else b"") + _field(2, error.text)


def _field(number: int, text: str) -> bytes:
    content = text.encode(errors="replace")
    length, size = len(content), b""
    while length > 127:
        size += bytes([length & 127 | 128])
        length >>= 7
    return bytes([number << 3 | 2]) + size + bytes([length]) + content
