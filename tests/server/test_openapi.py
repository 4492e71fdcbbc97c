"""``/openapi.json``: valid, complete, and true: what the API really answers is what it says."""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from tests.server.test_forgetting import EVENTS_KEY, JSON, LOCKED, signature
from tests.support.apis import PRIVATE, PUBLIC, SCOPED, THREADS, Api, asking, plain_api, running, settings_for
from tests.support.connection_faults import FAULTS
from tests.support.processes import run_program
from tests.support.rows import BEARER, CHUNKED, FORM, ROWS
from tests.support.upstream import LOOPBACK, upstream
from tests.support.wire import Reply, bearer, request
from zdemo import __version__
from zdemo.config.settings import Settings
from zdemo.emulator import READER, VISITOR
from zdemo.guard.flask_guard import BODY_READER
from zdemo.server import create_app
from zdemo.server.forgetting import EVENTS_PATH
from zdemo.server.request_bodies import BodyReader

Json = dict[str, Any]

DESCRIBED = {"allow", "cache-control", "retry-after", "vary", "www-authenticate", "x-request-id"}
ELSEWHERE = {404: "NotFound", 405: "MethodNotAllowed", 413: "BodyTooLarge"}  # of unknown paths, and wrong methods
OF_EACH_ROUTE = {"HEAD", "OPTIONS"}  # as for GET, and what Flask answers


@pytest.fixture(scope="module")
def strict(settings: Settings) -> Iterator[Api]:
    """The API with all routes, with the other status for a missing role, and impatient with bodies."""
    refusing = replace(settings_for(settings.issuer), role_denied_status=403, events_key=EVENTS_KEY)
    with asking(refusing) as client, running(create_app(refusing, client, open_metrics=True)) as started:
        started.app.extensions[BODY_READER] = BodyReader(slots=max(1, THREADS // 16), read_seconds=0.2)
        yield started


@pytest.fixture(scope="module")
def document(strict: Api) -> Json:
    document: Json = strict.get("/openapi.json", None).json
    return document


def _resolved(part: Json, document: Json) -> Json:
    return part if "$ref" not in part else _at(part["$ref"], document)


def _at(reference: str, document: Json) -> Json:
    node = document
    for name in reference.removeprefix("#/").split("/"):
        node = node[name]
    return node


def _described(data: bytes, reply: Reply, document: Json) -> Json:
    method, target = (word.decode("latin-1") for word in data.split(b" ")[:2])
    path = re.sub(r"^(http://[^/]+|/(?=/))", "", unquote(target).partition("?")[0])
    operations = document["paths"].get(path, {})
    operation = operations.get("get" if method == "HEAD" else method.lower())
    if operation is None:
        return _at(f"#/components/responses/{ELSEWHERE[reply.status]}", document)
    assert str(reply.status) in operation["responses"], f"{reply.status} is not described"
    return _resolved(operation["responses"][str(reply.status)], document)


def _check(schema: Json, value: object) -> None:
    from openapi_schema_validator import OAS31Validator  # it loads for a second, in each process that looks for tests

    OAS31Validator(schema).validate(value)


def check_described(data: bytes, reply: Reply, document: Json) -> None:
    """Assert that the document describes an answer: its status, all header fields that matter, and its body."""
    if data.startswith(b"OPTIONS") and reply.status == 200:
        assert reply.one("allow")
        return
    answer = _described(data, reply, document)
    headers = {name.lower(): _resolved(header, document) for name, header in answer["headers"].items()}
    present = {name: value for name, value in reply.fields if name in DESCRIBED}
    assert {name for name, header in headers.items() if header.get("required")} <= set(present) <= set(headers)
    for name, value in present.items():
        schema = headers[name]["schema"]
        _check(schema, int(value) if schema.get("type") == "integer" else value)
    if not reply.body:
        assert data.startswith(b"HEAD")
        return
    schema = answer["content"][reply.one("content-type")]["schema"]
    body = json.loads(reply.body) if reply.one("content-type") == "application/json" else reply.body.decode()
    _check({**schema, "components": document["components"]}, body)


def test_it_is_openapi_and_describes_every_route(strict: Api, document: Json) -> None:
    from openapi_spec_validator import OpenAPIV31SpecValidator

    OpenAPIV31SpecValidator(document).validate()
    assert document["info"]["version"] == __version__
    assert {path: {method.upper() for method in operations} for path, operations in document["paths"].items()} == {
        rule.rule: set(rule.methods or ()) - OF_EACH_ROUTE for rule in strict.app.url_map.iter_rules()
    }


def test_only_guarded_routes_require_a_token_and_the_role_is_named(document: Json) -> None:
    required = {path: operations.get("get", {}).get("security") for path, operations in document["paths"].items()}
    assert {path: security for path, security in required.items() if security} == {
        PRIVATE: [{"bearer": []}],
        SCOPED: [{"bearer": ["read:messages"]}],
    }
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"


def test_what_the_api_answers_is_described(api: Api, document: Json) -> None:
    for row in ROWS.values():
        check_described(row.data, api.send(row.data), document)


OTHERS = [
    *(request(path) for path in ("/healthz", "/readyz", "/metrics", "/openapi.json", "/-/forget", "/-/identity")),
    request("/-/identity", host="api.example.com"),
    *(request(path, method="OPTIONS") for path in (PRIVATE, PUBLIC)),
    request("/openapi.json", method="HEAD"),
    request("/-/forget", JSON, method="POST", body=b'{"user_id": "1"}'),
    request("/-/forget", JSON, method="POST", body=b"{}"),
    request("/-/forget", JSON, method="POST", body=b"{}", host="api.example.com"),
    request("/-/forget", method="POST", body=b"{}"),
    *(request(SCOPED, bearer(VISITOR.pat), method=method) for method in ("GET", "HEAD")),
    *(request(PUBLIC, "Content-Length: 65537", method=method) for method in ("HEAD", "OPTIONS")),
    *(request(path, CHUNKED, body=b"zz\r\nab") for path in (PUBLIC, PRIVATE)),
    request(PRIVATE, BEARER, FORM, "Content-Length: 9"),
    *(
        request(EVENTS_PATH, f"ZITADEL-Signature: {signature(body, key)}", method="POST", body=body)
        for body, key in ((LOCKED, EVENTS_KEY), (LOCKED, "another"), (b"{}", EVENTS_KEY), (b" " * 65537, EVENTS_KEY))
    ),
]


def test_what_it_answers_elsewhere_is_described(strict: Api, document: Json) -> None:
    for data in OTHERS:
        check_described(data, strict.send(data), document)
    assert strict.get(SCOPED, VISITOR.pat).status == 403


@pytest.mark.parametrize(("fault", "status"), [("503 as HTML", 503), ("400 unauthorized_client", 502)])
def test_what_it_answers_without_zitadel_is_described(fault: str, status: int, document: Json) -> None:
    with upstream(FAULTS[fault].behaviour) as up, plain_api(settings_for(up.url)) as api:
        for target in (PRIVATE, SCOPED, "/readyz"):
            for method in ("GET", "HEAD"):
                data = request(target, BEARER, method=method)
                reply = api.send(data)
                assert reply.status == status
                check_described(data, reply, document)


@pytest.mark.thorough
def test_schemathesis_finds_nothing(strict: Api, tmp_path: Path) -> None:
    """As a program of its own: it brings its own plugin for pytest, which every test would load."""
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", "--no-color", "--warnings", "off"]
    bounds = ["--phases", "coverage", "--request-timeout", "20", "--generation-database", "none"]
    bounds += ["--suppress-health-check", "all"]  # they fail on a busy machine
    url = f"http://{LOOPBACK}:{strict.port}/openapi.json"
    ran = run_program(*command, *bounds, "--header", bearer(READER.pat), url, folder=tmp_path, env={}, seconds=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(r"Tested: \d+\n", ran.stdout)
