"""The Connect protocol with JSON, unary calls (ZITADEL's v2 services); no gRPC, no protobuf bodies."""

import logging

from flask import Request, Response
from werkzeug.http import parse_options_header

from zdemo.emulator.api import answers, body
from zdemo.emulator.api.call import Method, Service, run
from zdemo.emulator.errors import InvalidArgument, ZitadelError
from zdemo.emulator.world import World

log = logging.getLogger(__name__)

_GRPC = ("application/grpc", "application/grpc-web")
ACCEPT_POST = ", ".join(
    [f"{kind}{codec}" for kind in _GRPC for codec in ("", "+json", "+json; charset=utf-8", "+proto")]
    + ["application/json", "application/json; charset=utf-8", "application/proto"]
)


def answer(request: Request, world: World, service: Service, method_name: str) -> Response:
    """The answer to a request below ``/{service}/``."""
    method = service.methods.get(method_name)
    if method is None:
        return answers.plain(request, 404, b"404 page not found\n", "text/plain; charset=utf-8")
    if request.method != "POST":
        response = answers.plain(request, 405)
        response.headers["Allow"] = "POST"
        return response
    media, options = parse_options_header(request.headers.get("Content-Type", "").lower())
    charset = options.get("charset", "")
    if media != answers.JSON or options not in ({}, {"charset": "utf-8"}):
        log.info("%s is not spoken here: only the Connect protocol with JSON", media or "no content type")
        response = answers.plain(request, 415)
        response.headers["Accept-Post"] = ACCEPT_POST
        return response
    try:
        said = _call(request, world, service, method)
    except ZitadelError as error:
        response = answers.connect_error(request, error)
    else:
        response = answers.good(request, said, f"{media}; charset={charset}" if charset else media)
    response.headers["Accept-Encoding"] = "gzip"
    return response


def _call(request: Request, world: World, service: Service, method: Method) -> dict[str, object]:
    version = request.headers.get("Connect-Protocol-Version") or "1"
    if version != "1":
        raise InvalidArgument(f'Connect-Protocol-Version must be "1": got "{version}"')
    content = body.content_of(request)
    if not content:
        raise InvalidArgument("unmarshal message: zero-length payload is not a valid JSON object")
    try:
        message = body.read(method.request, *body.parse(content))
    except InvalidArgument as error:
        into = f"*{service.package}.{method.request.name}"
        raise InvalidArgument(f"unmarshal message: unmarshal into {into}: {error.text}") from None
    headers = request.headers
    return run(world, method, message, headers.get("Authorization"), headers.get("x-zitadel-orgid", ""))
