"""The management API: v2 services by Connect, and the REST calls."""

import re
from functools import cache

from flask import Response, request
from werkzeug.routing import Map, Rule

from zdemo.emulator.api import authorizations, logins, protocols, user_credentials, v1  # noqa: F401 - all services
from zdemo.emulator.api.service import SERVICES
from zdemo.emulator.oidc.responses import is_preflight, preflight
from zdemo.emulator.world import World

__all__ = ["BY_NAME", "HEALTH_PATHS", "SERVICES", "answer"]

BY_NAME = "zdemo.emulator.by_name"  # key in a request's environment if it names a method of v1 too, as gRPC does
HEADERS = "connect-protocol-version connect-timeout-ms grpc-timeout x-grpc-web x-user-agent x-zitadel-orgid".split()  # noqa: SIM905 - readable
BRACKETS = str.maketrans("{}", "<>")  # around the fields in a path: those of the table, and werkzeug's
HEALTH_PATHS = ("/management/v1/healthz", "/auth/v1/healthz", "/admin/v1/healthz")  # answered by ``app``


def answer(world: World) -> Response:
    """Answer the current request, whose path no other part of the emulator serves."""
    if is_preflight():
        return preflight(HEADERS)
    service, _, method = request.path[1:].partition("/")
    if service in SERVICES and (".v2." in service or request.environ.get(BY_NAME)):
        return protocols.connect(world, SERVICES[service], method)
    return protocols.rest(world, _rest_routes())


@cache
def _rest_routes() -> Map:
    """Return the routes of the REST calls, the same for every emulator: they take longer to build than all the rest."""
    methods = [method for service in SERVICES.values() for method in service.methods.values() if method.row.path]
    paths = [re.sub(r"{(\w+)=\*\*}", r"{path:\1}", method.row.path).translate(BRACKETS) for method in methods]
    rules = [Rule(path, methods=[m.row.verb], endpoint=m) for path, m in zip(paths, methods, strict=True)]
    rules += [Rule(path, methods=["GET"]) for path in HEALTH_PATHS]
    return Map(rules, strict_slashes=True, merge_slashes=False)
