"""Why a call came back as it did: what the API said against what ZITADEL says."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.support.connection_faults import ACTIVE
from tests.support.upstream import upstream
from zdemo.client import Call, Route
from zdemo.config.environment import Environment
from zdemo.config.settings import Settings
from zdemo.diagnosis.ask.investigate import explain
from zdemo.diagnosis.finding import Finding
from zdemo.emulator import CLIENT_ID, CLIENT_SECRET, READER, VISITOR, emulate
from zdemo.response import Response

NOW = 1_800_000_000.0
INVALID = 'Bearer realm="zdemo", error="invalid_token"'
ROLE_MISSING = 'Bearer realm="zdemo", error="insufficient_scope", scope="urn:x"'
MALFORMED = 'Bearer realm="zdemo", error="invalid_request"'
WANTS_TLS = b"Client sent an HTTP request to an HTTPS server.\n"
FOREIGN = b"upstream connect error or disconnect/reset before headers"
ERROR_OF_ZDEMO = b'{"error":"zitadel_unavailable","error_description":"it is away","request_id":"4711"}'


def call(
    status: int, challenge: str = "", kind: str = "application/json", body: bytes = ERROR_OF_ZDEMO, **more: str
) -> Call:
    """Answered as a zdemo API does, unless said otherwise."""
    fields = {"content-type": kind, **more} | ({"www-authenticate": challenge} if challenge else {})
    answer = Response(status=status, headers=fields, body=body, seconds=0.01, url="http://127.0.0.1:5000/api/private")
    return Call(route=Route.SCOPED, url="http://127.0.0.1:5000/api/private-scoped", answer=answer)


def explained(what: Call, token: str | None, settings: Settings | None = None, again: str = "") -> Finding:
    found = explain(what, token, settings, Environment({}), unasked="x is not set", again=again, now=NOW)
    assert found
    assert found.finding.fix
    assert found.unasked == ("x is not set" if found.finding.id in ALONE and settings is None else found.unasked)
    return found.finding


ALONE = ("call.token_refused", "call.role_missing", "call.cannot_judge")


@pytest.fixture(scope="module")
def settings() -> Iterator[Settings]:
    with emulate() as running:
        yield Settings(issuer=running.url, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, timeout_seconds=2)


@pytest.mark.parametrize(
    ("what", "token", "name"),
    [
        (call(401, "Bearer"), None, "call.no_token"),
        (call(401, "Bearer"), "token", "call.token_not_seen"),
        (call(401, "Basic realm=x"), "token", "call.login"),
        (call(400, MALFORMED), "token", "call.invalid_request"),
        (call(404, kind="text/html", body=b""), "token", "call.no_such_route"),
        (call(401, body=b"{}"), "token", "call.refused_elsewhere"),
        (call(302), "token", "call.redirects"),
        (call(429), "token", "call.rate_limited"),
        (call(400, kind="text/plain", body=WANTS_TLS), "token", "call.expects_tls"),
        *((call(status, kind="text/html"), "token", "call.page") for status in (200, 401, 500, 503)),
    ],
)
def test_what_the_answer_alone_explains_is_not_asked_of_zitadel(what: Call, token: str | None, name: str) -> None:
    with upstream(ACTIVE) as zitadel:
        found = explained(what, token, Settings(issuer=zitadel.url, client_id="1", client_secret="2"))
        assert (found.id, zitadel.connections) == (name, 0)


@pytest.mark.parametrize(
    ("what", "token", "changes", "name", "first"),
    [
        (call(401, INVALID), "token", None, "call.token_refused", "does not look like an access token"),
        (call(403, ROLE_MISSING), "token", None, "call.role_missing", ""),
        (call(503), "token", None, "call.cannot_judge", ""),
        (call(403, body=b'{"message":"Forbidden"}'), READER.pat, None, "call.forbidden", "gateway"),
        (call(502, kind="text/plain", body=FOREIGN), READER.pat, None, "call.gateway", "gateway"),
        (call(401, ROLE_MISSING), VISITOR.pat, {}, "role.not_granted", ""),
        (call(401, INVALID), "A" * 71, {}, "token.dead", "deleted"),
        (call(401, INVALID), READER.pat, {}, "call.disagrees", "started before"),
        (call(401, ROLE_MISSING), READER.pat, {}, "call.disagrees", "started before"),
        (call(503), READER.pat, {}, "call.api_cannot_ask", "does not reach ZITADEL"),
        (call(502), READER.pat, {"client_secret": "B" * 64}, "client.refused", "CLIENT_ID is wrong"),
        (call(401, INVALID), READER.pat, {"client_secret": "B" * 64}, "call.token_refused", "deleted"),
        (call(401, ROLE_MISSING), READER.pat, {"issuer": "http://localhost:1"}, "call.role_missing", ""),
        (call(401, INVALID), CLIENT_SECRET, {"client_secret": READER.pat}, "client.swapped_with_token", ""),
    ],
)
def test_the_apis_word_is_compared_with_zitadels(
    settings: Settings, what: Call, token: str, changes: dict[str, Any] | None, name: str, first: str
) -> None:
    """Without ``changes`` there are no settings, so ZITADEL is not asked."""
    found = explained(what, token, None if changes is None else replace(settings, **changes))
    assert found.id == name
    assert first in (found.candidates or ("",))[0]


def test_an_accepted_call_needs_no_explanation_and_the_next_step_asks_for_the_same_token(settings: Settings) -> None:
    assert explain(call(200), "token", settings, Environment({}), unasked="", again="", now=NOW) is None
    found = explained(call(401, INVALID), "A" * 71, settings, again=" --pat")
    assert any(step.startswith("zdemo introspect --pat ") for step in found.steps)
