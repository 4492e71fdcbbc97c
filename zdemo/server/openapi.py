"""What the API answers, in OpenAPI 3.1: routes, words, statuses and header fields come from the code that answers.

OpenAPI has no place for the answers to unknown paths and wrong methods. They stand among the components, unused.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from inspect import unwrap

from flask import Flask
from werkzeug.exceptions import BadRequest
from werkzeug.routing import Rule

from zdemo import __version__
from zdemo.authorization import Policy, authorize, bearer_token
from zdemo.errors import InsufficientScope, Refused
from zdemo.guard import Refusal, refusal_of
from zdemo.introspection.forget import LONGEST_USER_ID
from zdemo.introspection.model import Introspection
from zdemo.server import forgetting, zitadel_events
from zdemo.server.health import DEGRADED, METRICS_TYPE
from zdemo.server.http_errors import refusal_of_http
from zdemo.server.observe import NO_STORE, VARY
from zdemo.server.openapi_answers import (
    JSON,
    SHARED,
    Json,
    answer,
    components,
    json_answer,
    reference,
    refusal_answer,
    resolved,
)
from zdemo.server.routes import ROLE

SCHEME = "bearer"
FORGET_SCHEME = "forget_key"
ANYWHERE = {"400": "BadRequest", "408": "BodyTooSlow", "413": "BodyTooLarge", "500": "Failed"}  # on every route
PRIVATE = dict([NO_STORE, VARY])  # of every answer of a guard
INFO = {
    "title": "zdemo",
    "summary": "The example API that zdemo serve runs",
    "description": (
        "Shows how an API checks ZITADEL access tokens by introspection (RFC 7662) and refuses them (RFC 6750). "
        "Send a token only in the `Authorization` header field. The responses `NotFound` (a path that is not in this "
        "document) and `MethodNotAllowed` (another method of a path) are among the components."
    ),
    "version": __version__,
    "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
}
SECURITY_SCHEMES = {
    SCHEME: {
        "type": "http",
        "scheme": "bearer",
        "description": "An access token of ZITADEL: a personal access token, an opaque token, or a JWT.",
    },
    FORGET_SCHEME: {
        "type": "http",
        "scheme": "bearer",
        "description": "The value of ZDEMO_FORGET_KEY. Without it, only programs on this machine are answered.",
    },
}
ORDER = {
    "type": "object",
    "properties": {
        "user_id": {"type": "string", "minLength": 1, "maxLength": LONGEST_USER_ID},
        "token": {"type": "string"},
        "everything": {"const": True},
    },
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": False,
}
FORGOTTEN = {
    "type": "object",
    "properties": {"forgotten": {"type": "integer", "minimum": 0}},
    "required": ["forgotten"],
    "additionalProperties": False,
}


def describe(app: Flask, *, role_denied_status: int) -> Json:
    """Return the OpenAPI document of an app of ``create_app``. Routes that others added to it are left out."""
    rules = {rule.endpoint: rule for rule in app.url_map.iter_rules()}
    known = [(rules[name], main) for name, main in _operations(app, role_denied_status).items() if name in rules]
    return {
        "openapi": "3.1.1",
        "info": INFO,
        "servers": [{"url": "/"}],
        "paths": {rule.rule: _path(rule, main) for rule, main in known},
        "components": {**components(), "securitySchemes": SECURITY_SCHEMES},
    }


def _operations(app: Flask, role_denied_status: int) -> dict[str, Json]:
    """Return the main operation of each endpoint."""
    metrics = {METRICS_TYPE: {"schema": {"type": "string"}, "example": "zdemo_breaker_state 0.0\n"}}
    document = {JSON: {"schema": {"type": "object", "required": ["openapi", "info", "paths"]}}}
    return {
        "api.public": _operation("Answer everybody", {"200": _words(app, "api.public")}),
        "api.private": _guarded(app, "api.private", "Answer callers with an active token for this API"),
        "api.private_scoped": _guarded(
            app,
            "api.private_scoped",
            f"Answer callers with an active token for this API whose user has the role {ROLE}",
            InsufficientScope([ROLE], status=role_denied_status),
        ),
        "operations.healthz": _operation(
            "Tell whether the process answers", {"200": json_answer("The process answers.", {"status": "alive"})}
        ),
        "operations.readyz": _operation(
            "Tell whether the API can check tokens",
            {
                "200": json_answer("The API can check tokens.", {"status": "ready"}, others=[{"status": DEGRADED}]),
                "502": reference("BadGateway"),
                "503": reference("Unavailable"),
            },
        ),
        "operations.prometheus": _operation("Show metrics for Prometheus", {"200": answer("Metrics.", metrics)}),
        "forgetting.forget": _forget(),
        "zitadel_events.receive": _operation(
            "Forget what an event of ZITADEL's Actions v2 has changed",
            {
                **_forgetting_answers(),
                "400": refusal_answer(
                    "The body is not an event.", zitadel_events.NO_EVENT, refusal_of_http(BadRequest())
                ),
                "403": refusal_answer(
                    "The call is not signed, or at another time.",
                    zitadel_events.NO_SIGNATURE,
                    zitadel_events.NOT_SIGNED,
                    zitadel_events.ANOTHER_TIME,
                ),
            },
        ),
        "openapi": _operation("Show this document", {"200": answer("An OpenAPI document.", document)}),
    }


def _operation(summary: str, answers: Mapping[str, Json]) -> Json:
    """Return an operation; every route can refuse a body, and can fail."""
    responses = {**{status: reference(name) for status, name in ANYWHERE.items()}, **answers}
    return {"summary": summary, "responses": dict(sorted(responses.items()))}


def _words(app: Flask, endpoint: str, headers: Mapping[str, str] | None = None) -> Json:
    """Return the answer of one of the three example views, in its own words."""
    return json_answer("The message of the route.", unwrap(app.view_functions[endpoint])(), headers)


def _guarded(app: Flask, endpoint: str, summary: str, lacking: InsufficientScope | None = None) -> Json:
    """Return the operation of a guarded view; ``lacking`` is how it refuses a token without its role.

    A body is refused before the guard looks, or by the guard, which keeps its answers out of shared caches.
    """
    malformed, either = _refused(lambda: bearer_token("Bearer")), {}
    for status, name in ANYWHERE.items():
        description, *refusals = SHARED[name]
        either[status] = refusal_answer(description, *refusals, *map(_of_guard, refusals))
    refused = [
        _refused(lambda: bearer_token(None)),
        _refused(lambda: authorize(Introspection(active=False), Policy(), now=0)),
    ]
    answers = {
        **either,
        "200": _words(app, endpoint, PRIVATE),
        "400": refusal_answer(
            "The `Authorization` header field, or the body, is malformed.", malformed, *SHARED["BadRequest"][1:]
        ),
    }
    for status, name in (("502", "BadGateway"), ("503", "Unavailable")):
        description, *refusals = SHARED[name]
        answers[status] = refusal_answer(description, *map(_of_guard, refusals))
    if lacking:
        without_role = _of_guard(refusal_of(lacking))
        if lacking.status == refused[0].status:
            refused.append(without_role)
        else:
            answers[str(lacking.status)] = refusal_answer("The token's user lacks the role.", without_role)
    answers["401"] = refusal_answer("The request has no token, or one that does not admit it.", *refused)
    return {**_operation(summary, answers), "security": [{SCHEME: [lacking.role] if lacking else []}]}


def _refused(check: Callable[[], object]) -> Refusal:
    """Return how the guard answers what its check refuses."""
    try:
        check()
    except Refused as refused:
        return _of_guard(refusal_of(refused))
    raise ValueError("the check refuses nothing")


def _of_guard(refusal: Refusal) -> Refusal:
    return replace(refusal, headers={**refusal.headers, **PRIVATE})


def _forget() -> Json:
    """Return the operation that makes the API forget answers."""
    answers = {
        **_forgetting_answers(),
        "400": refusal_answer("The body is not an order.", forgetting.NO_ORDER, refusal_of_http(BadRequest())),
        "403": refusal_answer("The caller may not give orders.", forgetting.LOCAL_ONLY, forgetting.WRONG_KEY),
        "415": refusal_answer("The body is not JSON.", forgetting.NOT_JSON),
    }
    body = {"required": True, "content": {JSON: {"schema": ORDER, "example": {"user_id": "353545601679690241"}}}}
    return {
        **_operation("Forget ZITADEL's answers about a user, about a token, or all answers", answers),
        "requestBody": body,
        "security": [{}, {FORGET_SCHEME: []}],
    }


def _forgetting_answers() -> Json:
    content = {JSON: {"schema": FORGOTTEN, "example": {"forgotten": 1}}}
    return {
        "200": answer("How many answers were forgotten.", content),
        "503": refusal_answer(
            "A worker or the store did not confirm the order.",
            forgetting.WORKER_UNCONFIRMED,
            forgetting.STORE_UNCONFIRMED,
        ),
    }


def _path(rule: Rule, main: Json) -> Json:
    """Return what a path answers to its methods, also to those that Flask gives every route."""
    methods = sorted(rule.methods or ())
    name = rule.endpoint.rpartition(".")[2]
    found = {}
    for method in methods:
        if method == "OPTIONS":
            allowed = answer("The methods of the path.", headers={"Allow": [", ".join(methods)]})
            operation = _operation("List the methods of this path", {"200": allowed})
        else:
            operation = _without_bodies(main) if method == "HEAD" else main
        found[method.lower()] = {"operationId": f"{method.lower()}_{name}", **operation}
    return found


def _without_bodies(main: Json) -> Json:
    """Return the operation for HEAD: bodies are neither sent nor read, so none is malformed or too slow."""
    unread = {"408"} if "security" in main else {"400", "408"}
    responses = {
        status: {key: value for key, value in resolved(response).items() if key != "content"}
        for status, response in main["responses"].items()
        if status not in unread
    }
    return {**main, "summary": f"{main['summary']}, without a body", "responses": responses}
