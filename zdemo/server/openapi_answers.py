"""Answers in OpenAPI 3.1, made from the refusals and the words that the API itself sends."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from werkzeug.exceptions import BadRequest, MethodNotAllowed, NotFound, RequestEntityTooLarge

from zdemo.errors import UnusableAnswer, ZitadelUnavailable
from zdemo.guard import Refusal, refusal_body, refusal_of_failure
from zdemo.server.http_errors import UNEXPECTED, refusal_of_http
from zdemo.server.observe import ID_HEADER
from zdemo.server.request_bodies import TOO_LARGE, BodyTooSlow, TooManyBodies

Json = dict[str, Any]

JSON = "application/json"
EXAMPLE_ID = "4f0c99fb5d4c4a21"
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
SHARED: Mapping[str, tuple[str, *tuple[Refusal, ...]]] = {
    "NotFound": ("The path is not in this document.", refusal_of_http(NotFound())),
    "MethodNotAllowed": (
        "The path does not allow this method.",
        refusal_of_http(MethodNotAllowed(valid_methods=("GET", "HEAD", "OPTIONS"))),
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
"""The refusals that several routes have, by name, each with its description."""


def components() -> Json:
    """Return what answers refer to."""
    return {
        "schemas": {"Refusal": REFUSAL},
        "headers": {ID_HEADER: REQUEST_ID},
        "responses": {name: refusal_answer(*shared) for name, shared in SHARED.items()},
    }


def reference(name: str) -> Json:
    """Return a shared answer by its name."""
    return {"$ref": f"#/components/responses/{name}"}


def resolved(answer: Json) -> Json:
    """Return an answer in full, also a shared one."""
    return refusal_answer(*SHARED[answer["$ref"].rpartition("/")[2]]) if "$ref" in answer else answer


def refusal_answer(description: str, *refusals: Refusal) -> Json:
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
    return answer(description, {JSON: {"schema": schema, "examples": examples}}, headers, always)


def json_answer(
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
    return answer(description, {JSON: {"schema": schema, "example": body}}, values)


def answer(
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
