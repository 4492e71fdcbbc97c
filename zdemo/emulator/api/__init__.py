"""The management side of the emulator: v2 services by Connect, and the REST calls beside them."""

from flask import Flask, Response, request

from zdemo.emulator import health
from zdemo.emulator.api import (
    administrators,
    answers,
    application_keys,
    applications,
    authorizations,
    connect,
    events,
    instance,
    organizations,
    project_grants,
    projects,
    rest,
    user_credentials,
    user_queries,
    user_states,
    users,
    v1,
)
from zdemo.emulator.api.call import Method, Service
from zdemo.emulator.world import World

__all__ = ["register"]

VERBS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
SERVICES: dict[str, Service] = {
    service.name: service
    for service in (
        projects.SERVICE,
        applications.SERVICE,
        users.SERVICE,
        authorizations.SERVICE,
        administrators.SERVICE,
        organizations.SERVICE,
        instance.FEATURES,
        instance.SETTINGS,
    )
}
EXTENSIONS = (application_keys, events, project_grants, user_credentials, user_queries, user_states)
"""Modules that add methods to the services of others; importing them is their use."""

_USERS = "/v2/users"
_USER = "/v2/users/<userId>"
TWINS: tuple[tuple[str, str, Service, str], ...] = (
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
    ("GET", "/v2/features/instance", instance.FEATURES, "GetInstanceFeatures"),
    ("PUT", "/v2/features/instance", instance.FEATURES, "SetInstanceFeatures"),
    ("DELETE", "/v2/features/instance", instance.FEATURES, "ResetInstanceFeatures"),
    ("GET", "/v2/settings", instance.SETTINGS, "GetGeneralSettings"),
)
"""HTTP method and path of the v2 methods that have a REST form too."""


def register(app: Flask, world: World) -> None:
    """Add the management side to an application: every path that nothing else answers."""
    twins: list[tuple[str, str, Method]] = [(verb, path, service.methods[name]) for verb, path, service, name in TWINS]
    routes = rest.Routes([*v1.ROUTES, *twins], elsewhere=health.API_PATHS)

    def answer(path: str) -> Response:
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            return answers.preflight(request)
        service, _, method = path.partition("/")
        with world.lock:
            if service in SERVICES:
                return connect.answer(request, world, SERVICES[service], method)
            return rest.answer(request, world, routes)

    app.add_url_rule("/", "management", answer, methods=VERBS, defaults={"path": ""})
    app.add_url_rule("/<path:path>", "management", answer, methods=VERBS)
