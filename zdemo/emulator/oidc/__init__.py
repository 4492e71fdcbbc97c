"""The OAuth 2.0 and OpenID Connect endpoints, which a resource server and its callers use."""

from collections.abc import Callable
from functools import partial

from flask import Blueprint, Flask, Response
from werkzeug.routing import BaseConverter

from zdemo.emulator.oidc.client_authentication import ClientCredentials, Form, oidc_client
from zdemo.emulator.oidc.discovery import DISCOVERY, discovery, keys
from zdemo.emulator.oidc.introspection import introspect, revoke, userinfo
from zdemo.emulator.oidc.responses import OAuthError, add_headers, is_preflight, not_found, preflight
from zdemo.emulator.oidc.token_endpoint import token
from zdemo.emulator.world import World

PREFIXES = (DISCOVERY, "/oauth/v2", "/oidc/v1")
ANY_METHOD = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")

Endpoint = Callable[[World, Form], Response]


class _Anything(BaseConverter):
    """The rest of a path, which can be empty and can have slashes."""

    regex = ".*"
    part_isolating = False


def register(app: Flask, world: World) -> None:
    """Add the endpoints, which answer every HTTP method (ZITADEL)."""
    app.url_map.converters["anything"] = _Anything
    blueprint = Blueprint("oidc", __name__)
    for path, endpoint in _ENDPOINTS.items():
        blueprint.add_url_rule(path, endpoint.__name__, partial(_answer, endpoint, world), methods=ANY_METHOD)
    for prefix in PREFIXES:
        blueprint.add_url_rule(f"{prefix}<anything:_>", view_func=_unknown_path, methods=ANY_METHOD)
    blueprint.before_request(lambda: preflight() if is_preflight() else None)
    blueprint.after_request(add_headers)
    blueprint.register_error_handler(OAuthError, lambda error: error.answer(world.features.get("debugOidcParentError")))
    app.register_blueprint(blueprint)


def _unknown_path(**_: str) -> Response:
    return not_found()


def _answer(endpoint: Endpoint, world: World) -> Response:
    with world.lock:
        return endpoint(world, Form())


def _authorize(world: World, form: Form) -> Response:
    client_id = form.last("client_id")
    if all(client_id != application.client_id for application in world.applications.values()):
        raise OAuthError("invalid_request", "Errors.App.NotFound")
    return _end_session(world, form)


def _device_authorization(world: World, form: Form) -> Response:
    oidc_client(world, ClientCredentials.of_request(form))
    return _end_session(world, form)


def _end_session(_world: World, _form: Form) -> Response:
    raise OAuthError("invalid_request", "the zdemo emulator has no logins", status=501)


_ENDPOINTS: dict[str, Endpoint] = {
    DISCOVERY: discovery,
    "/oauth/v2/keys": keys,
    "/oauth/v2/introspect": introspect,
    "/oauth/v2/token": token,
    "/oauth/v2/revoke": revoke,
    "/oidc/v1/userinfo": userinfo,
    "/oauth/v2/authorize": _authorize,
    "/oauth/v2/device_authorization": _device_authorization,
    "/oidc/v1/end_session": _end_session,
}
