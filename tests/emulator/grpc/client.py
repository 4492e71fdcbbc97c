"""gRPC as clients speak it: calls by grpcio, and frames of HTTP/2 that no client would send."""

import json
import socket
from contextlib import AbstractContextManager
from typing import Any

import grpc

from tests.support.wire import PATIENCE_SECONDS
from tools.zitadel_messages import wire
from zdemo.emulator import ADMIN
from zdemo.emulator.messages import protobuf
from zdemo.emulator.messages.table import method_row

USERS, MANAGEMENT = "zitadel.user.v2.UserService", "zitadel.management.v1.ManagementService"
GET, LIST, MINE = f"{USERS}/GetUserByID", f"{USERS}/ListUsers", "zitadel.auth.v1.AuthService/GetMyUser"
UNREADABLE = "the body is not a message of this method"
LENGTH = "invalid GetUserByIDRequest.UserId: value length must be between 1 and 200 runes, inclusive"
DATA, HEADERS, SETTINGS = 0, 1, 4  # the kinds of frames
END_STREAM, END_HEADERS = 1, 4


class Client(AbstractContextManager["Client"]):
    """A client with a connection of its own. By default, it sends the administrator's token."""

    def __init__(self, port: int, token: str | None = ADMIN.pat, host: str = "localhost") -> None:
        self.channel: Any = grpc.insecure_channel(f"{host}:{port}", options=[("grpc.use_local_subchannel_pool", 1)])
        self.login = () if token is None else (("authorization", f"Bearer {token}"),)

    def __exit__(self, *_: object) -> None:
        self.channel.close()

    def send(self, method: str, message: bytes = b"", seconds: float = PATIENCE_SECONDS, **metadata: str) -> bytes:
        """Call ``zitadel.user.v2.UserService/GetUserByID``, for example, and return the bytes of the answer."""
        more = tuple((name.replace("_", "-"), value) for name, value in metadata.items())
        answer: bytes = self.channel.unary_unary(f"/{method}")(message, seconds, self.login + more)
        return answer

    def ask(self, method: str, metadata: dict[str, Any] | None = None, /, **fields: Any) -> Any:
        """Call a method with the fields of JSON, and return the answer as JSON."""
        row, message = method_row(method), protobuf.bytes_of(method_row(method).request, fields)
        return json.loads(protobuf.json_of(row.answer, self.send(method, message, **(metadata or {}))))

    def refused(self, method: str, message: bytes = b"", seconds: float = PATIENCE_SECONDS, **metadata: str) -> str:
        """Return code and message of a call that must fail, and ° if there is no ``ErrorDetail``."""
        try:
            self.send(method, message, seconds, **metadata)
        except grpc.RpcError as error:
            ended: Any = error
            details = dict(ended.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
            return f"{ended.code().name} {ended.details()}{mark_of(details, ended.details())}"
        raise AssertionError(f"{method} was not refused")


def message(text: str) -> bytes:
    """Return a message whose first field is a text."""
    return b"\x0a" + bytes([len(text)]) + text.encode()


def mark_of(status: bytes, message: str) -> str:
    """Return ° for no details. Details must have the ID and the text of the message."""
    if not status:
        return "°"
    (detail,) = (wire(content) for content in wire(status)[3])
    assert detail[1] == [b"type.googleapis.com/zitadel.v1.ErrorDetail"]
    inside = wire(*detail[2])
    assert f"{inside[2][0].decode()} ({inside[1][0].decode()})" == message == wire(status)[2][0].decode()
    return ""


def frame(kind: int, flags: int, payload: bytes = b"", stream: int = 1) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def call(port: int, method: str, body: bytes, fields: dict[str, str] | None = None, *, ended: bool = True) -> bytes:
    """Return the preface and the frames of an administrator's call; the body is shorter than a window."""
    named = {":method": "POST", ":scheme": "http", ":path": f"/{method}", ":authority": f"localhost:{port}"}
    named |= {"te": "trailers", "content-type": "application/grpc", "authorization": f"Bearer {ADMIN.pat}"}
    block = b"".join(
        b"\0" + _text(name) + _text(value) for name, value in (named | (fields or {})).items()
    )  # no Huffman, no index
    data = [frame(DATA, 0, body[at : at + 16_384]) for at in range(0, len(body), 16_384)]
    end = [frame(DATA, END_STREAM)] if ended else []
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, stream=0)
    return preface + b"".join([frame(HEADERS, END_HEADERS, block), *data, *end])


def _text(value: str) -> bytes:
    return bytes([len(value)]) + value.encode()  # shorter than 127


def connected(port: int, content: bytes) -> socket.socket:
    """Return a connection after these bytes were sent."""
    connection = socket.create_connection(("localhost", port), timeout=PATIENCE_SECONDS)
    connection.sendall(content)
    return connection
