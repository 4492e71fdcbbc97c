"""The REST form of the API: the v1 calls, and the v2 methods that have a REST form too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flask import Request, Response
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import Map, MapAdapter, Rule

from zdemo.emulator.api import request_bodies, responses
from zdemo.emulator.api.call import Method, run
from zdemo.emulator.errors import InvalidArgument, ZitadelError
from zdemo.emulator.oidc.responses import JSON
from zdemo.emulator.world import World


class Routes:
    """Which method answers which HTTP method and path; a GET of ``elsewhere`` is answered by others."""

    def __init__(self, routes: Iterable[tuple[str, str, Method]], elsewhere: Iterable[str]) -> None:
        rules = [Rule(path, methods=[verb], endpoint=method) for verb, path, method in routes]
        rules += [Rule(path, methods=["GET"]) for path in elsewhere]
        self._map = Map(rules, strict_slashes=True, merge_slashes=False)

    def bind(self, request: Request) -> MapAdapter:
        """Return a matcher for one request."""
        return self._map.bind("", default_method=request.method)


def answer(request: Request, world: World, routes: Routes) -> Response:
    """Answer any request that is not Connect's."""
    try:
        method, path_fields = routes.bind(request).match(request.path)
    except MethodNotAllowed:
        return _gateway_error(request, 405, 12, "Method Not Allowed")
    except NotFound:
        return _gateway_error(request, 404, 5, "Not Found")
    try:
        return responses.good(request, _call(request, world, method, path_fields))
    except ZitadelError as error:
        return responses.rest_error(request, error)


def _gateway_error(request: Request, status: int, code: int, message: str) -> Response:
    """Return an error of the gateway in front of ZITADEL's services."""
    return responses.plain(request, status, responses.as_json({"code": code, "message": message}), JSON)


def _call(request: Request, world: World, method: Method, path_fields: Mapping[str, Any]) -> dict[str, object]:
    content = request_bodies.content_of(request)
    try:
        value, text = request_bodies.parse(content) if content.strip() else ({}, "")
    except InvalidArgument as error:
        raise InvalidArgument(_as_gateway(error.text)) from None
    message = request_bodies.read(method.request, value, text) | dict(path_fields)
    headers = request.headers
    return run(world, method, message, headers.get("Authorization"), headers.get("x-zitadel-orgid", ""))


def _as_gateway(complaint: str) -> str:
    """Return the text about broken JSON of the gateway, which reads it first (grpc-gateway, encoding/json)."""
    if "EOF" in complaint or "invalid value" not in complaint:
        return complaint.removeprefix("proto: ")
    culprit = complaint.rsplit("invalid value ", 1)[1][:1]
    return f"invalid character '{culprit}' looking for beginning of value"
