"""The Connect protocol of ZITADEL's v2 services: unary calls with JSON, without gRPC and protobuf bodies."""

import logging

from flask import Request, Response
from werkzeug.http import parse_options_header

from zdemo.emulator.api import request_bodies, responses
from zdemo.emulator.api.call import Method, Service, run
from zdemo.emulator.errors import InvalidArgument, ZitadelError
from zdemo.emulator.oidc.responses import JSON
from zdemo.emulator.world import World

log = logging.getLogger(__name__)

_GRPC = ("application/grpc", "application/grpc-web")
ACCEPT_POST = ", ".join(
    [f"{kind}{codec}" for kind in _GRPC for codec in ("", "+json", "+json; charset=utf-8", "+proto")]
    + ["application/json", "application/json; charset=utf-8", "application/proto"]
)


def answer(request: Request, world: World, service: Service, method_name: str) -> Response:
    """Answer a request below ``/{service}/``."""
    method = service.methods.get(method_name)
    if method is None:
        return responses.plain(request, 404, b"404 page not found\n", "text/plain; charset=utf-8")
    if request.method != "POST":
        response = responses.plain(request, 405)
        response.headers["Allow"] = "POST"
        return response
    media, options = parse_options_header(request.headers.get("Content-Type", "").lower())
    charset = options.get("charset", "")
    if media != JSON or options not in ({}, {"charset": "utf-8"}):
        log.info(
            "cannot read %s: only the Connect protocol with JSON is supported", media or "a body without content type"
        )
        response = responses.plain(request, 415)
        response.headers["Accept-Post"] = ACCEPT_POST
        return response
    try:
        content = _call(request, world, service, method)
    except ZitadelError as error:
        response = responses.connect_error(request, error)
    else:
        response = responses.good(request, content, f"{media}; charset={charset}" if charset else media)
    response.headers["Accept-Encoding"] = "gzip"
    return response


def _call(request: Request, world: World, service: Service, method: Method) -> dict[str, object]:
    version = request.headers.get("Connect-Protocol-Version") or "1"
    if version != "1":
        raise InvalidArgument(f'Connect-Protocol-Version must be "1": got "{version}"')
    content = request_bodies.content_of(request)
    if not content:
        raise InvalidArgument("unmarshal message: zero-length payload is not a valid JSON object")
    try:
        message = request_bodies.read(method.request, *request_bodies.parse(content))
    except InvalidArgument as error:
        into = f"*{service.package}.{method.request.name}"
        raise InvalidArgument(f"unmarshal message: unmarshal into {into}: {error.text}") from None
    headers = request.headers
    return run(world, method, message, headers.get("Authorization"), headers.get("x-zitadel-orgid", ""))
