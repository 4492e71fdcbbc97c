"""The two forms of the API in JSON: Connect for v2, and REST for v1 and parts of v2."""

import base64
import gzip
import json
import re
import zlib
from collections.abc import Mapping
from io import BytesIO
from typing import Any

from flask import Response, request
from werkzeug.exceptions import NotFound
from werkzeug.http import parse_options_header
from werkzeug.routing import Map

from zdemo.emulator.api.fields import Message, UnreadableError, message_of
from zdemo.emulator.api.service import Method, Service, run
from zdemo.emulator.api_errors import CODES, InvalidArgument, ResourceExhausted, Unimplemented, ZitadelError
from zdemo.emulator.incoming.body import LARGEST_BODY_BYTES, TOO_LARGE
from zdemo.emulator.incoming.request_records import note
from zdemo.emulator.oidc.responses import JSON, PLAIN, allow_origin, forbid_storing
from zdemo.emulator.world import World

MALFORMED = "the body is not a message of this method"
NO_PATH = {"code": 5, "message": "Not Found"}  # 5 is gRPC's number
NOT_SERVED = "X-Zdemo-Not-Served"
METHOD_PATH = re.compile(r"/([a-z\d_]+\.)+[A-Z][A-Za-z]+/[A-Za-z]+")  # which has no token in it
MOST_VALUES = 5000  # the emulator's own limit: a list of filters is compared with each row
DETAIL, CREDENTIALS_DETAIL = "zitadel.v1.ErrorDetail", "zitadel.v1.CredentialsCheckError"
_GRPC = ("application/grpc", "application/grpc-web")
ACCEPT_POST = ", ".join(
    [f"{kind}{codec}" for kind in _GRPC for codec in ("", "+json", "+json; charset=utf-8", "+proto")]
    + ["application/json", "application/json; charset=utf-8", "application/proto"]
)


def connect(world: World, service: Service, method_name: str) -> Response:
    """Answer a request below ``/{service}/``."""
    method = service.methods.get(method_name)
    if method is None:
        page = _plain(404, b"404 page not found\n", {"Content-Type": PLAIN})
        return _not_served(f"unknown method {method_name} for service {service.name}", page)
    if request.method != "POST":
        return _plain(405, headers={"Allow": "POST"})
    media, options = parse_options_header(request.headers.get("Content-Type", "").lower())
    if media != JSON or options not in ({}, {"charset": "utf-8"}):
        what = media or "a body without content type"
        note(reason=f"cannot read {what}: send JSON, or protobuf after pip install 'zdemo[grpc]' and a restart")
        return _plain(415, headers={"Accept-Post": ACCEPT_POST})
    try:
        version = request.headers.get("Connect-Protocol-Version") or "1"
        if version != "1":
            raise InvalidArgument(f'Connect-Protocol-Version must be "1": got "{version}"')
        message = _read(message_of(method.row.request), _content())
        response = _answer(world, method, message, f"{media}; charset=utf-8" if options else media)
    except ZitadelError as error:
        response = _error(error, rest=False)
    response.headers["Accept-Encoding"] = "gzip"
    return response


def rest(world: World, routes: Map) -> Response:
    """Answer any request that is not Connect's; the endpoints of the routes are methods. Raises HTTPException."""
    try:
        method, path_fields = routes.bind("", default_method=request.method).match(request.path)
    except NotFound:
        return _not_served(f"unknown service {request.path[1:].partition('/')[0]}", as_json(404, NO_PATH))
    try:
        query = {} if request.method in ("POST", "PUT", "PATCH") else request.args.to_dict(flat=False)
        request_message = message_of(method.row.request)
        message = _read(request_message, _content().strip() or b"{}", query)
        return _answer(world, method, message | request_message.read(dict(path_fields)), JSON)
    except ZitadelError as error:
        response = _error(error, rest=True)
        if not request.path.startswith("/v2/"):  # v1 alone forbids to store errors too
            forbid_storing(response)
        return response


def _answer(world: World, method: Method, message: dict[str, Any], media: str) -> Response:
    with world.lock:
        response = as_json(200, run(world, method, message, request.headers), media)
    forbid_storing(response)
    if request.accept_encodings["gzip"] and "gzip" in request.headers.get("Accept-Encoding", ""):
        response.set_data(gzip.compress(response.get_data(), compresslevel=1))
        response.headers["Content-Encoding"] = "gzip"
    return response


# --- from the bytes of a request to its message ---


def _content() -> bytes:
    """Return the body, unpacked. Raises ZitadelError if it cannot be, or is too large."""
    coding = request.headers.get("Content-Encoding", "identity") or "identity"
    if coding not in ("identity", "gzip"):
        raise Unimplemented(f'unknown compression "{coding}": supported encodings are gzip')
    content = request.get_data()
    if coding == "gzip" and content:
        try:
            with gzip.GzipFile(fileobj=BytesIO(content)) as packed:  # a small one may hold gigabytes
                content = packed.read(LARGEST_BODY_BYTES + 1)
        except (OSError, EOFError, zlib.error):
            raise InvalidArgument(MALFORMED, reason="the body is not gzip") from None
    if request.environ.get(TOO_LARGE) or len(content) > LARGEST_BODY_BYTES:
        raise ResourceExhausted(f"message is larger than configured max {LARGEST_BODY_BYTES}")  # gRPC's words
    if sum(content.count(mark) for mark in b",[{") > MOST_VALUES:
        raise ResourceExhausted(f"message has more than {MOST_VALUES} values")
    return content


def _read(message: Message, content: bytes, query: Mapping[str, list[str]] | None = None) -> dict[str, Any]:
    """Return the message in a JSON text, without NaN, which ``int`` refuses. Raises InvalidArgument.

    ``query`` has fields too, as texts.
    """
    words = {"true": True, "false": False}
    try:
        given = (query or {}).items()
        sent = {name: values if name in message.lists else words.get(values[0], values[0]) for name, values in given}
        return message.read(sent) | message.read(json.loads(content.decode(), parse_constant=int))
    except (UnreadableError, ValueError, RecursionError) as error:
        raise InvalidArgument(MALFORMED, reason=f"{MALFORMED}: {error}") from None


# --- responses ---


def _plain(status: int, content: bytes = b"", headers: Mapping[str, str] | None = None) -> Response:
    response = Response(content, status=status)
    del response.headers["Content-Type"]
    response.headers.update({**(headers or {}), "Vary": "Origin"})
    if origin := request.headers.get("Origin"):
        allow_origin(response, origin)
    return response


def _not_served(what: str, response: Response) -> Response:
    """Say in a header and the records that the emulator lacks what a real ZITADEL may have."""
    what = what if METHOD_PATH.fullmatch(request.path) else "unknown path"
    note(reason=f"the emulator does not serve this: {what}")
    response.headers[NOT_SERVED] = what
    return response


def as_json(status: int, body: Any, media: str = JSON) -> Response:
    """Return compact JSON, which a page of any origin may read (ZITADEL)."""
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
    return _plain(status, content, {"Content-Type": media})


def _error(error: ZitadelError, rest: bool) -> Response:
    """Return ``{"code", "message", "details"}``; the code is Connect's word, or gRPC's number for REST."""
    note(reason=error.reason)
    number, status = CODES[error.code]
    body: dict[str, Any] = {"code": number if rest else error.code, "message": str(error)}
    if error.id is not None:
        kind = CREDENTIALS_DETAIL if error.failed_attempts else DETAIL
        debug: dict[str, Any] = {"id": error.id, "message": error.text} if error.id else {"message": error.text}
        detail = (field(1, error.id) if error.id else b"") + field(2, error.text)
        if error.failed_attempts:
            debug["failedAttempts"] = error.failed_attempts
            detail += b"\x18" + _varint(error.failed_attempts)  # field 3, a number
        value = base64.b64encode(detail).decode().rstrip("=")
        of_rest = {"@type": f"type.googleapis.com/{kind}", **debug}
        body["details"] = [of_rest if rest else {"type": kind, "value": value, "debug": debug}]
    response = as_json(status, body)
    if rest and status == 401:
        response.headers["WWW-Authenticate"] = str(error)
    return response


def field(number: int, value: str | bytes) -> bytes:
    """Return a field of a protobuf message."""
    content = value.encode(errors="replace") if isinstance(value, str) else value
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + _varint(number >> 7)
