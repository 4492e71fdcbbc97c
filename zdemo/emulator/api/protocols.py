"""The two forms of the API: Connect with JSON (no gRPC, no protobuf bodies) for v2, and REST for v1 and parts of v2."""

from collections.abc import Mapping
from typing import Any

from flask import Response, request
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.http import parse_options_header
from werkzeug.routing import Map

from zdemo.emulator.api import request_bodies, responses
from zdemo.emulator.api.call import KeyPairNeeded, Method, Service, run
from zdemo.emulator.api.json_values import JsonObject
from zdemo.emulator.credentials import new_key_pair
from zdemo.emulator.errors import InvalidArgument, ZitadelError
from zdemo.emulator.oidc.responses import JSON
from zdemo.emulator.records import note
from zdemo.emulator.world import World

_GRPC = ("application/grpc", "application/grpc-web")
ACCEPT_POST = ", ".join(
    [f"{kind}{codec}" for kind in _GRPC for codec in ("", "+json", "+json; charset=utf-8", "+proto")]
    + ["application/json", "application/json; charset=utf-8", "application/proto"]
)


def connect(world: World, service: Service, method_name: str) -> Response:
    """Answer a request below ``/{service}/``."""
    method = service.methods.get(method_name)
    if method is None:
        return responses.plain(404, b"404 page not found\n", "text/plain; charset=utf-8")
    if request.method != "POST":
        response = responses.plain(405)
        response.headers["Allow"] = "POST"
        return response
    media, options = parse_options_header(request.headers.get("Content-Type", "").lower())
    charset = options.get("charset", "")
    if media != JSON or options not in ({}, {"charset": "utf-8"}):
        what = media or "a body without content type"
        note(reason=f"cannot read {what}: only the Connect protocol with JSON is supported")
        response = responses.plain(415)
        response.headers["Accept-Post"] = ACCEPT_POST
        return response
    try:
        message = _connect_message(service, method)
        response = _answer(world, method, message, f"{media}; charset={charset}" if charset else media)
    except ZitadelError as error:
        note(reason=error.reason)
        response = responses.connect_error(error)
    response.headers["Accept-Encoding"] = "gzip"
    return response


def _answer(world: World, method: Method, message: dict[str, Any], media: str) -> Response:
    """Run a method, for no longer than it must with the world locked."""
    key_pair = None
    while True:
        try:
            with world.lock:
                return responses.good(run(world, method, message, request.headers, key_pair), media)
        except KeyPairNeeded:
            key_pair = new_key_pair()


def _connect_message(service: Service, method: Method) -> dict[str, Any]:
    version = request.headers.get("Connect-Protocol-Version") or "1"
    if version != "1":
        raise InvalidArgument(f'Connect-Protocol-Version must be "1": got "{version}"')
    content = request_bodies.content_of(request)
    if not content:
        raise InvalidArgument("unmarshal message: zero-length payload is not a valid JSON object")
    try:
        return request_bodies.read(method.request, *request_bodies.parse(content))
    except ZitadelError as error:
        into = f"*{service.package}.{method.request.name}"
        raise InvalidArgument(f"unmarshal message: unmarshal into {into}: {error.text}") from None


def rest(world: World, routes: Map) -> Response:
    """Answer any request that is not Connect's; the endpoints of the routes are methods."""
    try:
        method, path_fields = routes.bind("", default_method=request.method).match(request.path)
    except MethodNotAllowed:
        return responses.as_json(405, {"code": 12, "message": "Method Not Allowed"})
    except NotFound:
        return responses.as_json(404, {"code": 5, "message": "Not Found"})
    try:
        return _answer(world, method, _rest_message(method, path_fields), JSON)
    except ZitadelError as error:
        note(reason=error.reason)
        return responses.rest_error(error)


def _rest_message(method: Method, path_fields: Mapping[str, Any]) -> dict[str, Any]:
    content = request_bodies.content_of(request)
    try:
        value, text = request_bodies.parse(content) if content.strip() else (JsonObject([]), "")
    except ZitadelError as error:
        raise InvalidArgument(_as_gateway(error.text)) from None
    return request_bodies.read(method.request, value, text) | dict(path_fields)


def _as_gateway(complaint: str) -> str:
    """Return the text about broken JSON of the gateway, which reads it first (grpc-gateway, encoding/json)."""
    if "EOF" in complaint or "invalid value" not in complaint:
        return complaint.removeprefix("proto: ")
    culprit = complaint.rsplit("invalid value ", 1)[1][:1]
    return f"invalid character '{culprit}' looking for beginning of value"
