"""Protobuf in front of an application that speaks JSON: gRPC-web and Connect over HTTP/1.1, gRPC from ``server``.

The records of requests have the application's HTTP status.
"""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from importlib.util import find_spec
from io import BytesIO
from typing import Any
from urllib.parse import quote

from zdemo.emulator.api import BY_NAME, SERVICES
from zdemo.emulator.api.protocols import NOT_SERVED, field
from zdemo.emulator.api_errors import CODES
from zdemo.emulator.incoming.request_records import notes_of
from zdemo.emulator.messages.table import method_row

App = Callable[..., Iterable[bytes]]
Environ = dict[str, Any]
GRPC = "application/x-zdemo-grpc"  # a message and headers with the status, between ``server`` and this module
CONNECT, JSON = "application/proto", "application/json"
WEB = re.compile(r"application/grpc-web(-text)?(\+proto)?")
END = b"\x80\x00\x00\x00\x10grpc-status: 0\r\n"  # the last frame of gRPC-web
PRINTABLE = "".join(map(chr, range(32, 127))).replace("%", "")
EXPOSED = "Grpc-Status, Grpc-Message, Grpc-Status-Details-Bin"


def with_protobuf(app: App) -> App:
    """Return an application that also accepts messages in protobuf, if the extra is installed."""

    def answer(environ: Environ, start: Callable[..., Any]) -> Iterable[bytes]:
        media, name = environ.get("CONTENT_TYPE", "").lower(), environ["PATH_INFO"][1:]
        known = media in (CONNECT, GRPC) or WEB.fullmatch(media)
        environ[BY_NAME] = known and media != CONNECT
        if not known or ("-text" in media and ".v2." in name) or not find_spec("grpc_reflection"):
            return app(environ, start)
        text = _json_of(name, environ["wsgi.input"].read(), media)
        environ |= {"wsgi.input": BytesIO(text), "CONTENT_LENGTH": str(len(text)), "CONTENT_TYPE": JSON}
        environ["HTTP_ACCEPT_ENCODING"] = ""
        started: list[Any] = []
        pieces = app(environ, lambda *given: started.extend(given))
        if started:
            notes_of(environ)["status"] = started[0][:3]
        return _translated(name, media, started, pieces, start)

    return answer


def _is_method(name: str) -> bool:
    service, _, method = name.partition("/")
    return service in SERVICES and method in SERVICES[service].methods


def _json_of(name: str, content: bytes, media: str) -> bytes:
    """Return a request as JSON, or nothing if it is unreadable; in gRPC-web, it begins with a flag and the length."""
    from zdemo.emulator.messages import protobuf  # lazily, since it takes long to load

    try:
        content = b64decode(content, validate=True) if "-text" in media else content
        if WEB.fullmatch(media):
            if int.from_bytes(content[:5], "big") != len(content) - 5:
                return b""
            content = content[5:]
        return protobuf.json_of(method_row(name).request, content) if _is_method(name) else b"{}"
    except ValueError:
        return b""


def _translated(name: str, media: str, started: list[Any], pieces: Iterable[bytes], start: Any) -> Iterator[bytes]:
    """Yield the answer for a client. Its pieces may come late."""
    from zdemo.emulator.messages import protobuf

    content = b"".join(pieces)
    status, headers = int(started[0][:3]), dict(started[1])
    code, message, details = _outcome(name, status, headers, content)
    if code is not None and not (code and media == CONNECT):  # neither a page nor Connect's error, which is JSON
        content = b"" if code else protobuf.bytes_of(method_row(name).answer, json.loads(content))
        if WEB.fullmatch(media) and not code:
            content = b"\0" + len(content).to_bytes(4, "big") + content + END
            content = b64encode(content) if "-text" in media else content
        status, headers["Access-Control-Expose-Headers"] = 200, EXPOSED
        headers |= {"Content-Type": media, "Content-Length": str(len(content))}
        if code or media == GRPC:
            headers |= {"Grpc-Status": str(code), "Grpc-Message": quote(message, safe=PRINTABLE)}
            headers["Grpc-Status-Details-Bin"] = b64encode(details).decode().rstrip("=")
    start(f"{status} {HTTPStatus(status).phrase}", [*headers.items()])
    yield content


def _outcome(name: str, status: int, headers: dict[str, str], content: bytes) -> tuple[int | None, str, bytes]:
    """Return code, message and ``google.rpc.Status`` of an answer. An HTML page, for example, has no code."""
    if what := headers.get(NOT_SERVED):
        return CODES["unimplemented"][0], what, b""
    if status == 200 and headers.get("Content-Type") == JSON and _is_method(name):
        return 0, "", b""
    try:
        body = json.loads(content)
        code, message, details = CODES[body["code"]][0], body["message"], b""
    except (KeyError, TypeError, ValueError):
        return None, "", b""
    for detail in body.get("details", ()):
        value = field(2, b64decode(detail["value"] + "=="))
        details += field(3, field(1, f"type.googleapis.com/{detail['type']}") + value)
    return code, message, details and bytes([8, code]) + field(2, message) + details
