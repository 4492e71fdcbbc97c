"""The management API: v2 services by Connect, and the REST calls."""

from flask import Flask, Response
from werkzeug.routing import Map, Rule

from zdemo.emulator.api import (  # noqa: F401 - importing a service declares it
    administrators,
    applications,
    authorizations,
    organizations,
    projects,
    protocols,
    user_credentials,
    users,
    v1,
)
from zdemo.emulator.api.service import SERVICES, Service
from zdemo.emulator.oidc.responses import is_preflight
from zdemo.emulator.world import World

__all__ = ["HEALTH_PATHS", "SERVICES", "register"]

HEALTH_PATHS = ("/management/v1/healthz", "/auth/v1/healthz", "/admin/v1/healthz")  # answered by ``app``
VERBS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
_USERS = "/v2/users"
_USER = "/v2/users/<userId>"
# HTTP method and path of the v2 methods that have a REST form too
REST_FORMS: tuple[tuple[str, str, Service, str], ...] = (
    ("POST", f"{_USERS}/new", users.SERVICE, "CreateUser"),
    ("POST", _USERS, users.SERVICE, "ListUsers"),
    ("GET", _USER, users.SERVICE, "GetUserByID"),
    ("PATCH", _USER, users.SERVICE, "UpdateUser"),
    ("DELETE", _USER, users.SERVICE, "DeleteUser"),
    ("POST", f"{_USER}/deactivate", users.SERVICE, "DeactivateUser"),
    ("POST", f"{_USER}/reactivate", users.SERVICE, "ReactivateUser"),
    ("POST", f"{_USER}/lock", users.SERVICE, "LockUser"),
    ("POST", f"{_USER}/unlock", users.SERVICE, "UnlockUser"),
    ("POST", f"{_USER}/metadata", users.SERVICE, "SetUserMetadata"),
    ("POST", f"{_USER}/metadata/search", users.SERVICE, "ListUserMetadata"),
    ("POST", f"{_USER}/secret", users.SERVICE, "AddSecret"),
    ("DELETE", f"{_USER}/secret", users.SERVICE, "RemoveSecret"),
    ("POST", f"{_USER}/keys", users.SERVICE, "AddKey"),
    ("DELETE", f"{_USER}/keys/<keyId>", users.SERVICE, "RemoveKey"),
    ("POST", f"{_USERS}/keys/search", users.SERVICE, "ListKeys"),
    ("POST", f"{_USER}/pats", users.SERVICE, "AddPersonalAccessToken"),
    ("DELETE", f"{_USER}/pats/<tokenId>", users.SERVICE, "RemovePersonalAccessToken"),
    ("POST", f"{_USERS}/pats/search", users.SERVICE, "ListPersonalAccessTokens"),
    ("POST", "/v2/organizations", organizations.SERVICE, "AddOrganization"),
    ("POST", "/v2/organizations/_search", organizations.SERVICE, "ListOrganizations"),
    ("GET", "/v2/features/instance", organizations.FEATURES, "GetInstanceFeatures"),
    ("PUT", "/v2/features/instance", organizations.FEATURES, "SetInstanceFeatures"),
    ("DELETE", "/v2/features/instance", organizations.FEATURES, "ResetInstanceFeatures"),
    ("GET", "/v2/settings", organizations.SETTINGS, "GetGeneralSettings"),
)


def register(app: Flask, world: World) -> None:
    """Add the management API to an application, which answers every path that nothing else answers."""
    rules = [Rule(path, methods=[verb], endpoint=method) for verb, path, method in v1.ROUTES]
    rules += [Rule(path, methods=[verb], endpoint=service.methods[name]) for verb, path, service, name in REST_FORMS]
    rules += [Rule(path, methods=["GET"]) for path in HEALTH_PATHS]
    routes = Map(rules, strict_slashes=True, merge_slashes=False)

    def answer(path: str) -> Response:
        if is_preflight():
            return protocols.preflight()
        service, _, method = path.partition("/")
        if service in SERVICES:
            return protocols.connect(world, SERVICES[service], method)
        return protocols.rest(world, routes)

    app.add_url_rule("/", "management", answer, methods=VERBS, defaults={"path": ""})
    app.add_url_rule("/<path:path>", "management", answer, methods=VERBS)
