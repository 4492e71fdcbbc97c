"""A grpcio server behind the emulator's port: it gets the bytes of clients over loopback, and asks the application."""

import socket
import threading
from base64 import b64decode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import grpc
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection import ReflectionServicer
from werkzeug.test import create_environ, run_wsgi_app

from zdemo.emulator.api import SERVICES
from zdemo.emulator.api.protocols import field
from zdemo.emulator.grpc.web import GRPC, App
from zdemo.emulator.incoming.body import LARGEST_BODY_BYTES
from zdemo.emulator.messages.protobuf import pool
from zdemo.serving.embedded import LOOPBACK, SOCKET

MOST_CALLS = 4000  # at once, each in a thread
OPTIONS = [("grpc.max_receive_message_length", LARGEST_BODY_BYTES), ("grpc.max_metadata_size", 64 * 1024)]
CODES = {str(code.value[0]): code for code in grpc.StatusCode}


@contextmanager
def grpc_server(app: App) -> Iterator[Callable[[socket.socket, bytes], None]]:
    """Run a server; yield a function that serves a client, given its connection and the bytes already read from it."""
    with ThreadPoolExecutor(MOST_CALLS) as threads:
        server = grpc.server(threads, [_Calls(app)], options=OPTIONS)
        port = server.add_insecure_port(f"{LOOPBACK}:0")
        server.start()
        try:
            yield partial(_serve, port)
        finally:
            server.stop(None).wait()


def _serve(port: int, client: socket.socket, received: bytes) -> None:
    """Copy bytes in both directions until one side ends."""
    with socket.create_connection((LOOPBACK, port)) as server:
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answers = threading.Thread(target=_copy, args=(server, client), daemon=True)
        answers.start()
        server.sendall(received)
        _copy(client, server)
        answers.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Copy bytes until the source ends, then end the copying in the other direction too."""
    with suppress(OSError):
        while piece := source.recv(65_536):
            target.sendall(piece)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RD)


class _Calls(grpc.GenericRpcHandler):
    """The handlers of health and reflection; the application answers all other calls."""

    def __init__(self, app: App) -> None:
        self._app, self._own = app, _own_handlers()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Return the handler of a method. It takes a stream of messages, so that it also sees calls without any."""
        path = handler_call_details.method
        return self._own.get(path) or grpc.stream_unary_rpc_method_handler(partial(self._answer, path))

    def _answer(self, path: str, messages: Iterator[bytes], call: Any) -> bytes:
        def body() -> Iterator[bytes]:
            try:
                yield next(messages)
            except (StopIteration, grpc.RpcError):
                raise ValueError("no message arrived, or gRPC refused it") from None

        message, host = body(), call._rpc_event.call_details.host  # grpcio shows the host nowhere else
        fields = [(key, value) for key, value in call.invocation_metadata() if isinstance(value, str)]
        environ = create_environ(method="POST", headers=fields, content_type=GRPC)
        environ |= {"HTTP_HOST": host.decode("latin-1"), "PATH_INFO": path.encode().decode("latin-1")}  # as sent
        environ["wsgi.input"] = SimpleNamespace(read=lambda _: next(message, b""))
        seen, ignored = lambda *_: b"-" * call.is_active(), lambda *_: None  # faults act on the call as on a connection
        environ[SOCKET] = SimpleNamespace(recv=seen, setsockopt=ignored, close=ignored)
        try:
            content, status, headers = run_wsgi_app(self._app, environ, buffered=True)
        except ConnectionError:
            call.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")  # as grpcio says it
        call.send_initial_metadata(tuple((n.lower(), value) for n, value in headers.items() if n.startswith("X-")))
        code = CODES.get(headers.get("Grpc-Status", ""), grpc.StatusCode.UNKNOWN)
        if code is not grpc.StatusCode.OK:
            details = b64decode(headers.get("Grpc-Status-Details-Bin", "") + "==")
            call.set_trailing_metadata((("grpc-status-details-bin", details),) if details else ())
            call.abort(code, unquote(headers.get("Grpc-Message", f"unexpected HTTP status {status}")))
        return b"".join(content)


def _own_handlers() -> dict[str, Any]:
    """Return the handlers of health and reflection by their paths."""
    known = {b"", *(field(1, name) for name in SERVICES)}  # the requests that name a service

    def check(message: bytes, call: grpc.ServicerContext) -> bytes:
        if message not in known:
            call.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return b"\x08\x01"  # SERVING

    reflection = grpc.stream_stream_rpc_method_handler(
        ReflectionServicer(SERVICES, pool()).ServerReflectionInfo,
        reflection_pb2.ServerReflectionRequest.FromString,
        reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    paths = [f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo" for version in ("v1", "v1alpha")]
    return dict.fromkeys(paths, reflection) | {
        "/grpc.health.v1.Health/Check": grpc.unary_unary_rpc_method_handler(check)
    }
