"""The REST form of the API: v1 calls and the twins of the v2 user service."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flask import Request, Response
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import Map, MapAdapter, Rule

from zdemo.emulator.api import answers, body
from zdemo.emulator.api.call import Method, run
from zdemo.emulator.errors import InvalidArgument, ZitadelError
from zdemo.emulator.world import World


class Routes:
    """Which method answers which HTTP method and path. A GET of ``elsewhere`` is answered by others."""

    def __init__(self, routes: Iterable[tuple[str, str, Method]], elsewhere: Iterable[str]) -> None:
        rules = [Rule(path, methods=[verb], endpoint=method) for verb, path, method in routes]
        rules += [Rule(path, methods=["GET"]) for path in elsewhere]
        self._map = Map(rules, strict_slashes=True, merge_slashes=False)

    def bind(self, request: Request) -> MapAdapter:
        """Ready to match one request."""
        return self._map.bind("", default_method=request.method)


def answer(request: Request, world: World, routes: Routes) -> Response:
    """The answer to any request that is not Connect's."""
    try:
        method, path_fields = routes.bind(request).match(request.path)
    except MethodNotAllowed:
        return _bare(request, 405, {"code": 12, "message": "Method Not Allowed"})
    except NotFound:
        return _bare(request, 404, {"code": 5, "message": "Not Found"})
    try:
        return answers.good(request, _call(request, world, method, path_fields))
    except ZitadelError as error:
        return answers.rest_error(request, error)


def _bare(request: Request, status: int, said: Mapping[str, object]) -> Response:
    """The gateway's own refusals, which ZITADEL's services never see."""
    return answers.plain(request, status, answers.as_json(said), answers.JSON)


def _call(request: Request, world: World, method: Method, path_fields: Mapping[str, Any]) -> dict[str, object]:
    content = body.content_of(request)
    try:
        value, text = body.parse(content) if content.strip() else ({}, "")
    except InvalidArgument as error:
        raise InvalidArgument(_as_gateway(error.text)) from None
    message = body.read(method.request, value, text) | dict(path_fields)
    headers = request.headers
    return run(world, method, message, headers.get("Authorization"), headers.get("x-zitadel-orgid", ""))


def _as_gateway(complaint: str) -> str:
    """Broken JSON is noticed before protobuf reads it (ZITADEL: grpc-gateway, encoding/json)."""
    if "EOF" in complaint or "invalid value" not in complaint:
        return complaint.removeprefix("proto: ")
    culprit = complaint.rsplit("invalid value ", 1)[1][:1]
    return f"invalid character '{culprit}' looking for beginning of value"
