"""What the API answers, in OpenAPI 3.1: routes, words, statuses and header fields come from the code that answers.

OpenAPI has no place for the answers to unknown paths and wrong methods. They stand among the components, unused.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from inspect import unwrap
from typing import Any

from flask import Flask
from werkzeug.exceptions import BadRequest, MethodNotAllowed, NotFound, RequestEntityTooLarge
from werkzeug.routing import Rule

from zdemo import __version__
from zdemo.authorization import Policy, authorize, bearer_token
from zdemo.errors import InsufficientScope, Refused, UnusableAnswer, ZitadelUnavailable
from zdemo.guard import Refusal, refusal_body, refusal_of, refusal_of_failure
from zdemo.introspection.forget import LONGEST_USER_ID
from zdemo.introspection.model import Introspection
from zdemo.server import forgetting, zitadel_events
from zdemo.server.health import DEGRADED, METRICS_TYPE
from zdemo.server.http_errors import UNEXPECTED, refusal_of_http
from zdemo.server.observe import ID_HEADER, NO_STORE, VARY
from zdemo.server.request_bodies import TOO_LARGE, BodyTooSlow, TooManyBodies
from zdemo.server.routes import ROLE

Json = dict[str, Any]

JSON = "application/json"
SCHEME = "bearer"
FORGET_SCHEME = "forget_key"
EXAMPLE_ID = "4f0c99fb5d4c4a21"
READ_METHODS = ("GET", "HEAD", "OPTIONS")
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
TOKEN = {
    "type": "http",
    "scheme": "bearer",
    "description": "An access token of ZITADEL: a personal access token, an opaque token, or a JWT.",
}
FORGET_KEY = {
    "type": "http",
    "scheme": "bearer",
    "description": "The value of ZDEMO_FORGET_KEY. Without it, only programs on this machine are answered.",
}
REFUSAL = {
    "type": "object",
    "properties": {
        "error": {"type": "string", "description": "A fixed word for programs."},
        "error_description": {"type": "string", "description": "A sentence for people."},
        "request_id": {"type": "string", "description": f"The same as in `{ID_HEADER}`."},
    },
    "required": ["error", "error_description", "request_id"],
    "additionalProperties": False,
}
REQUEST_ID = {
    "description": "The ID that the API gives the request, whatever the caller sends.",
    "required": True,
    "schema": {"type": "string", "pattern": "^[0-9a-f]{16}$"},
    "example": EXAMPLE_ID,
}
HEADERS = {
    "Allow": "The methods of the path, in any order.",
    "Cache-Control": "No cache may keep the answer.",
    "Retry-After": "After how many seconds to try again.",
    "Vary": "The answer depends on this header field.",
    "WWW-Authenticate": "The challenge (RFC 6750 section 3).",
}
HEADER_SCHEMAS: Mapping[str, Json] = {  # of the others, all values are known
    "Allow": {"type": "string", "pattern": "^[A-Z]+(, [A-Z]+)*$"},
    "Retry-After": {"type": "integer", "minimum": 1},
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
        "components": {
            "schemas": {"Refusal": REFUSAL},
            "headers": {ID_HEADER: REQUEST_ID},
            "responses": {name: _refusal(*shared) for name, shared in _shared().items()},
            "securitySchemes": {SCHEME: TOKEN, FORGET_SCHEME: FORGET_KEY},
        },
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
            "Tell whether the process answers", {"200": _json("The process answers.", {"status": "alive"})}
        ),
        "operations.readyz": _operation(
            "Tell whether the API can check tokens",
            {
                "200": _json("The API can check tokens.", {"status": "ready"}, others=[{"status": DEGRADED}]),
                "502": _reference("BadGateway"),
                "503": _reference("Unavailable"),
            },
        ),
        "operations.prometheus": _operation("Show metrics for Prometheus", {"200": _answer("Metrics.", metrics)}),
        "forgetting.forget": _forget(),
        "zitadel_events.receive": _operation(
            "Forget what an event of ZITADEL's Actions v2 has changed",
            {
                **_forgetting_answers(),
                "400": _refusal("The body is not an event.", zitadel_events.NO_EVENT, refusal_of_http(BadRequest())),
                "403": _refusal("The call is not signed, or too old.", zitadel_events.NOT_SIGNED),
            },
        ),
        "openapi": _operation("Show this document", {"200": _answer("An OpenAPI document.", document)}),
    }


def _guarded(app: Flask, endpoint: str, summary: str, lacking: InsufficientScope | None = None) -> Json:
    """Return the operation of a guarded view; ``lacking`` is how it refuses a token without its role.

    A body is refused before the guard looks, or by the guard, which keeps its answers out of shared caches.
    """
    malformed, either = _guard_refusal(_token_refusal("Bearer")), {}
    for status, name in ANYWHERE.items():
        description, *refusals = _shared()[name]
        either[status] = _refusal(description, *refusals, *map(_guard_refusal, refusals))
    refused = [_guard_refusal(_token_refusal(None)), _guard_refusal(_inactive())]
    answers = {
        **either,
        "200": _words(app, endpoint, PRIVATE),
        "400": _refusal(
            "The `Authorization` header field, or the body, is malformed.", malformed, *_shared()["BadRequest"][1:]
        ),
    }
    for status, name in (("502", "BadGateway"), ("503", "Unavailable")):
        description, *refusals = _shared()[name]
        answers[status] = _refusal(description, *map(_guard_refusal, refusals))
    if lacking:
        without_role = _guard_refusal(refusal_of(lacking))
        if lacking.status == refused[0].status:
            refused.append(without_role)
        else:
            answers[str(lacking.status)] = _refusal("The token's user lacks the role.", without_role)
    answers["401"] = _refusal("The request has no token, or one that does not admit it.", *refused)
    return {**_operation(summary, answers), "security": [{SCHEME: [lacking.role] if lacking else []}]}


def _forget() -> Json:
    """Return the operation that makes the API forget answers."""
    order = {
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
    answers = {
        **_forgetting_answers(),
        "400": _refusal("The body is not an order.", forgetting.NO_ORDER, refusal_of_http(BadRequest())),
        "403": _refusal("The caller may not give orders.", forgetting.LOCAL_ONLY, forgetting.WRONG_KEY),
        "415": _refusal("The body is not JSON.", forgetting.NOT_JSON),
    }
    body = {"required": True, "content": {JSON: {"schema": order, "example": {"user_id": "353545601679493636"}}}}
    return {
        **_operation("Forget ZITADEL's answers about a user, about a token, or all answers", answers),
        "requestBody": body,
        "security": [{}, {FORGET_SCHEME: []}],
    }


def _forgetting_answers() -> Json:
    forgotten = {
        "type": "object",
        "properties": {"forgotten": {"type": "integer", "minimum": 0}},
        "required": ["forgotten"],
        "additionalProperties": False,
    }
    return {
        "200": _answer("How many answers were forgotten.", {JSON: {"schema": forgotten, "example": {"forgotten": 1}}}),
        "503": _refusal("A worker or the store did not confirm the order.", forgetting.UNCONFIRMED),
    }


def _operation(summary: str, answers: Mapping[str, Json]) -> Json:
    """Return an operation; every route can refuse a body, and can fail."""
    responses = {**{status: _reference(name) for status, name in ANYWHERE.items()}, **answers}
    return {"summary": summary, "responses": dict(sorted(responses.items()))}


def _path(rule: Rule, main: Json) -> Json:
    """Return what a path answers to its methods, also to those that Flask gives every route."""
    methods = sorted(rule.methods or ())
    name = rule.endpoint.rpartition(".")[2]
    found = {}
    for method in methods:
        if method == "OPTIONS":
            answer = _answer("The methods of the path.", headers={"Allow": [", ".join(methods)]})
            operation = _operation("List the methods of this path", {"200": answer})
        else:
            operation = _without_bodies(main) if method == "HEAD" else main
        found[method.lower()] = {"operationId": f"{method.lower()}_{name}", **operation}
    return found


def _without_bodies(main: Json) -> Json:
    """Return the operation for HEAD: bodies are neither sent nor read, so none is malformed or too slow."""
    unread = {"408"} if "security" in main else {"400", "408"}
    responses = {}
    for status, answer in main["responses"].items():
        if status not in unread:
            whole = _refusal(*_shared()[answer["$ref"].rpartition("/")[2]]) if "$ref" in answer else answer
            responses[status] = {key: value for key, value in whole.items() if key != "content"}
    return {**main, "summary": f"{main['summary']}, without a body", "responses": responses}


def _shared() -> dict[str, tuple[str, *tuple[Refusal, ...]]]:
    """Return the refusals that several routes have, by name, each with its description."""
    return {
        "NotFound": ("The path is not in this document.", refusal_of_http(NotFound())),
        "MethodNotAllowed": (
            "The path does not allow this method.",
            refusal_of_http(MethodNotAllowed(valid_methods=READ_METHODS)),
        ),
        "BadRequest": ("The body is malformed.", refusal_of_http(BadRequest())),
        "BodyTooSlow": (
            "The body did not come in time. The API closes the connection.",
            refusal_of_http(BodyTooSlow()),
        ),
        "BodyTooLarge": (
            "The body is too large, or too many are being received.",
            refusal_of_http(RequestEntityTooLarge(TOO_LARGE)),
            refusal_of_http(TooManyBodies()),
        ),
        "Failed": ("An error in the API.", UNEXPECTED),
        "Unavailable": (
            "ZITADEL does not answer, or the API protects itself, so it cannot check tokens now.",
            refusal_of_failure(ZitadelUnavailable("", hint="")),
        ),
        "BadGateway": (
            "ZITADEL refuses the API's own credentials, or its answer cannot be used.",
            refusal_of_failure(UnusableAnswer("", hint="")),
        ),
    }


def _reference(name: str) -> Json:
    return {"$ref": f"#/components/responses/{name}"}


def _token_refusal(authorization: str | None) -> Refusal:
    """Return how the guard answers a header field without a token."""
    try:
        bearer_token(authorization)
    except Refused as refused:
        return refusal_of(refused)
    raise ValueError("the header field has a token")


def _inactive() -> Refusal:
    """Return how the guard answers a token that is not active."""
    try:
        authorize(Introspection(active=False), Policy(), now=0)
    except Refused as refused:
        return refusal_of(refused)
    raise ValueError("the token is active")


def _guard_refusal(refused: Refusal) -> Refusal:
    return replace(refused, headers={**refused.headers, **PRIVATE})


def _words(app: Flask, endpoint: str, headers: Mapping[str, str] | None = None) -> Json:
    """Return the answer of one of the three example views, in its own words."""
    return _json("The message of the route.", unwrap(app.view_functions[endpoint])(), headers)


def _json(
    description: str,
    body: Mapping[str, str],
    headers: Mapping[str, str] | None = None,
    *,
    others: Sequence[Mapping[str, str]] = (),
) -> Json:
    """Return an answer whose body is always the same, or one of these."""
    schema = {
        "type": "object",
        "properties": {name: {"enum": [text, *(other[name] for other in others)]} for name, text in body.items()},
        "required": list(body),
        "additionalProperties": False,
    }
    values = {name: [value] for name, value in (headers or {}).items()}
    return _answer(description, {JSON: {"schema": schema, "example": body}}, values)


def _refusal(description: str, *refusals: Refusal) -> Json:
    """Return the answer for all refusals with one status; a header field is required if each of them has it."""
    said = dict.fromkeys((refusal.error, refusal.description) for refusal in refusals)
    examples = {
        f"{number}_{error}": {"summary": sentence, "value": refusal_body(error, sentence, EXAMPLE_ID)}
        for number, (error, sentence) in enumerate(said, start=1)
    }
    errors = list(dict.fromkeys(error for error, _ in said))
    schema = {"$ref": "#/components/schemas/Refusal", "properties": {"error": {"enum": errors}}}
    names = sorted({name for refusal in refusals for name in refusal.headers})
    headers = {name: [refusal.headers[name] for refusal in refusals if name in refusal.headers] for name in names}
    always = {name for name, values in headers.items() if len(values) == len(refusals)}
    return _answer(description, {JSON: {"schema": schema, "examples": examples}}, headers, always)


def _answer(
    description: str,
    content: Json | None = None,
    headers: Mapping[str, Sequence[str]] | None = None,
    always: Collection[str] | None = None,
) -> Json:
    """Return an answer; ``headers`` has the values of each field, ``always`` those that it never lacks (else all)."""
    fields: Json = {ID_HEADER: {"$ref": f"#/components/headers/{ID_HEADER}"}}
    for name, values in (headers or {}).items():
        fields[name] = {
            "description": HEADERS[name],
            "required": always is None or name in always,
            "schema": HEADER_SCHEMAS.get(name) or {"type": "string", "enum": list(dict.fromkeys(values))},
            "example": values[0],
        }
    return {"description": description, "headers": fields, **({"content": content} if content else {})}
