"""Responses of the management API: headers, compression, and errors in the forms of Connect and REST."""

import base64
import gzip
import json
from typing import Any

from flask import Response, request

from zdemo.emulator.errors import CODES, ZitadelError
from zdemo.emulator.oidc.responses import JSON, allow_origin, forbid_storing

DETAIL = "zitadel.v1.ErrorDetail"


def plain(status: int, content: bytes = b"", media: str = "") -> Response:
    """Return a response with this content and the headers of all responses."""
    response = Response(content, status=status)
    del response.headers["Content-Type"]
    if media:
        response.headers["Content-Type"] = media
    response.headers["Vary"] = "Origin"
    if origin := request.headers.get("Origin"):
        allow_origin(response, origin)
    return response


def as_json(status: int, body: Any, media: str = JSON) -> Response:
    """Return a response with compact JSON, as protobuf writes it."""
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
    return plain(status, content, media)


def good(body: Any, media: str = JSON) -> Response:
    """Return 200 with a JSON body, not to be stored, and gzipped for clients that accept it."""
    response = as_json(200, body, media)
    forbid_storing(response)
    if request.accept_encodings["gzip"] and "gzip" in request.headers.get("Accept-Encoding", ""):
        response.set_data(gzip.compress(response.get_data(), compresslevel=1))
        response.headers["Content-Encoding"] = "gzip"
    return response


def connect_error(error: ZitadelError) -> Response:
    """Return ``{"code", "message", "details"}`` with Connect's word as the code."""
    body: dict[str, Any] = {"code": error.code, "message": str(error)}
    if error.id is not None:
        value = base64.b64encode(_detail(error)).decode().rstrip("=")
        body["details"] = [{"type": DETAIL, "value": value, "debug": _shown(error)}]
    return as_json(CODES[error.code][1], body)


def rest_error(error: ZitadelError) -> Response:
    """Return ``{"code", "message", "details"}`` with gRPC's number as the code."""
    number, status = CODES[error.code]
    body: dict[str, Any] = {"code": number, "message": str(error)}
    if error.id is not None:
        body["details"] = [{"@type": f"type.googleapis.com/{DETAIL}", **_shown(error)}]
    response = as_json(status, body)
    if status == 401:
        response.headers["WWW-Authenticate"] = str(error)
    return response


def preflight() -> Response:
    """Return 204 with the method and headers that the browser asked about."""
    response = plain(204)
    response.headers["Access-Control-Allow-Methods"] = request.headers["Access-Control-Request-Method"]
    if names := request.headers.get("Access-Control-Request-Headers"):
        response.headers["Access-Control-Allow-Headers"] = names
    return response


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
