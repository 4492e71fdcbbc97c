"""Why a call came back as it did: what the API said against what ZITADEL says."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.support.connection_faults import ACTIVE, INACTIVE, WITHOUT_ROLE
from tests.support.upstream import upstream
from zdemo.client import Call, Route
from zdemo.config.environment import Environment
from zdemo.config.settings import Settings
from zdemo.diagnosis import Certainty
from zdemo.emulator import CLIENT_ID, CLIENT_SECRET, READER, VISITOR, emulate
from zdemo.http.response import Response
from zdemo.investigation import Explanation, explain

NOW = 1_800_000_000.0
INVALID = 'Bearer realm="zdemo", error="invalid_token"'
ROLE_MISSING = 'Bearer realm="zdemo", error="insufficient_scope", scope="urn:x"'
MALFORMED = 'Bearer realm="zdemo", error="invalid_request"'
JSON = "application/json"


WANTS_TLS = b"Client sent an HTTP request to an HTTPS server.\n"
FOREIGN = b"upstream connect error or disconnect/reset before headers"
UNUSED = Settings(issuer="http://localhost:1", client_id="1", client_secret="2")
ERROR_OF_ZDEMO = b'{"error":"zitadel_unavailable","error_description":"it is away","request_id":"4711"}'


def call(status: int, challenge: str = "", kind: str = JSON, body: bytes = ERROR_OF_ZDEMO, **headers: str) -> Call:
    """Answered as a zdemo API does, unless said otherwise."""
    fields = {"content-type": kind} | ({"www-authenticate": challenge} if challenge else {})
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    answer = Response(status=status, headers=fields, body=body, seconds=0.01, url="http://127.0.0.1:5000/api/private")
    return Call(route=Route.SCOPED, url="http://127.0.0.1:5000/api/private-scoped", answer=answer)


def explained(what: Call, token: str | None, settings: Settings | None = None, unasked: str = "") -> Explanation:
    found = explain(what, token, settings, Environment({}), unasked=unasked, again="", now=NOW)
    assert found
    return found


@pytest.fixture(scope="module")
def settings() -> Iterator[Settings]:
    with emulate() as running:
        yield Settings(issuer=running.url, client_id=CLIENT_ID, client_secret=CLIENT_SECRET)


@pytest.mark.parametrize("status", [200, 204])
def test_an_accepted_call_needs_no_explanation(status: int) -> None:
    assert explain(call(status), "token", UNUSED, Environment({}), unasked="", again="", now=NOW) is None


@pytest.mark.parametrize(
    ("what", "token", "finding"),
    [
        (call(401, "Bearer"), None, "call.no_token"),
        (call(401), None, "call.no_token"),
        (call(401, "Bearer"), "token", "call.token_not_seen"),
        (call(401, "Basic realm=x"), "token", "call.login"),
        (call(400, MALFORMED), "token", "call.invalid_request"),
        (call(404), "token", "call.path_changed"),
        (call(404, body=b"{}"), "token", "call.no_such_route"),
        (call(404, kind="text/html", body=b""), "token", "call.no_such_route"),
        (call(401, body=b"{}"), "token", "call.refused_elsewhere"),
        (call(500), "token", "call.other"),
        (call(302), "token", "call.redirects"),
        (call(429), "token", "call.rate_limited"),
        (call(400, kind="text/plain", body=WANTS_TLS), "token", "call.expects_tls"),
        (call(301, kind="text/html", location="https://api.example/api/private"), "token", "call.redirects"),
        *((call(status, kind="text/html"), "token", "call.page") for status in (200, 500, 503)),
    ],
)
def test_what_the_answer_alone_explains_is_not_asked_of_zitadel(what: Call, token: str | None, finding: str) -> None:
    with upstream(ACTIVE) as zitadel:
        some = Settings(issuer=zitadel.url, client_id="1", client_secret="2")
        found = explained(what, token, some)
        assert zitadel.connections == 0
    assert found.finding.id == finding
    assert found.finding.fix


@pytest.mark.parametrize(
    ("what", "finding"),
    [
        (call(401, INVALID), "call.token_refused"),
        (call(401, ROLE_MISSING), "call.role_missing"),
        (call(403, ROLE_MISSING), "call.role_missing"),
        (call(502), "call.cannot_judge"),
        (call(503), "call.cannot_judge"),
    ],
)
def test_without_settings_the_api_is_taken_at_its_word_and_that_is_said(what: Call, finding: str) -> None:
    found = explained(what, "token", None, unasked="CLIENT_ID is not set")
    assert (found.finding.id, found.unasked) == (finding, "CLIENT_ID is not set")


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_gateway_is_not_taken_for_the_api(settings: Settings, status: int) -> None:
    for some in (None, settings):
        found = explained(call(status, kind="text/plain", body=FOREIGN), READER.pat, some).finding
        assert (found.id, found.certainty) == ("call.gateway", Certainty.OPEN)
        assert "gateway" in found.candidates[0]
        assert "zdemo serve" in found.fix[0]


def test_a_403_without_a_challenge_is_no_proof_of_a_missing_role(settings: Settings) -> None:
    foreign = call(403, body=b'{"message":"Forbidden"}')
    private = replace(foreign, route=Route.PRIVATE)
    for what in (foreign, private):
        found = explained(what, READER.pat).finding
        assert (found.id, found.certainty) == ("call.forbidden", Certainty.OPEN)
        assert "gateway" in found.candidates[0]
        assert ("role" in " ".join(found.candidates)) == (what is foreign)
    found = explained(private, READER.pat, settings).finding
    assert found.id == "call.disagrees"
    assert "gateway" in found.candidates[0]


def test_the_address_that_a_redirect_tells_can_be_pasted() -> None:
    moved = explained(call(301, location="https://api.example/api/private"), "token").finding
    assert moved.fix == ("ZDEMO_API_URL=https://api.example",)
    assert "wait 7 s" in explained(call(429, retry_after="7"), "token").finding.fix[0]


def test_zitadel_names_the_cause_when_it_agrees(settings: Settings) -> None:
    missing = explained(call(401, ROLE_MISSING), VISITOR.pat, settings).finding
    assert missing.id.startswith("role.")
    assert any("zdemo role grant visitor read:messages" in step for step in missing.fix)
    dead = explained(call(401, INVALID), "A" * 71, settings).finding
    assert not dead.id.startswith(("role.", "call."))
    assert dead.certainty is Certainty.OPEN
    assert len(dead.candidates) > 1


@pytest.mark.parametrize(
    ("challenge", "token"), [(INVALID, READER.pat), (INVALID, VISITOR.pat), (ROLE_MISSING, READER.pat)]
)
def test_an_api_that_says_otherwise_than_zitadel_is_called_so(settings: Settings, challenge: str, token: str) -> None:
    found = explained(call(401, challenge), token, settings).finding
    assert (found.id, found.certainty) == ("call.disagrees", Certainty.OPEN)
    assert any("another ZITADEL" in candidate for candidate in found.candidates)


@pytest.mark.parametrize(("status", "first"), [(502, "started before"), (503, "does not reach ZITADEL")])
def test_an_api_that_cannot_ask_though_we_can_is_called_so(settings: Settings, status: int, first: str) -> None:
    found = explained(call(status), READER.pat, settings).finding
    assert found.id == "call.api_cannot_ask"
    assert any("log" in step for step in found.fix)
    assert first in found.candidates[0]


def test_a_failure_that_we_share_with_the_api_is_named(settings: Settings) -> None:
    wrong = Settings(issuer=settings.issuer, client_id=CLIENT_ID, client_secret="B" * 64)
    found = explained(call(502), READER.pat, wrong).finding
    assert "CLIENT_SECRET" in " ".join((found.cause, *found.candidates, *found.fix))
    assert found.id != "call.api_cannot_ask"


def test_the_next_step_asks_for_the_same_token() -> None:
    with upstream(WITHOUT_ROLE, INACTIVE) as zitadel:
        some = Settings(issuer=zitadel.url, client_id="1", client_secret="2", timeout_seconds=2)
        found = explain(call(401, INVALID), "A" * 71, some, Environment({}), unasked="", again=" --pat", now=NOW)
    assert found
    assert any(step.startswith("zdemo introspect --pat ") for step in found.finding.steps)


ELSEWHERE = Settings(issuer="http://localhost:1", client_id=CLIENT_ID, client_secret=CLIENT_SECRET, timeout_seconds=2)


@pytest.mark.parametrize("where", ["another ZITADEL", "refused credentials"])
def test_what_stands_in_our_own_way_is_not_why_the_api_refuses(settings: Settings, where: str) -> None:
    ours = ELSEWHERE if where == "another ZITADEL" else replace(settings, client_secret="B" * 64)
    found = explained(call(401, INVALID), READER.pat, ours).finding
    assert (found.id, found.certainty) == ("call.token_refused", Certainty.OPEN)
    assert "cannot be checked" in dict(found.seen)["from here"]
    assert not any("cannot have tokens checked" in candidate for candidate in found.candidates)
    assert found.fix[0].startswith("zdemo doctor")
    foreign = explained(call(401, INVALID, body=b"{}"), READER.pat, ours).finding
    assert "cannot have tokens checked" in foreign.candidates[-1]
    missing = explained(call(401, ROLE_MISSING), READER.pat, ours).finding
    assert (missing.id, missing.certainty) == ("call.role_missing", Certainty.CERTAIN)


def test_a_token_and_a_secret_that_are_swapped_are_the_reason(settings: Settings) -> None:
    swapped = replace(settings, client_secret=READER.pat)
    found = explained(call(401, INVALID), CLIENT_SECRET, swapped).finding
    assert (found.id, found.certainty) == ("client.swapped_with_token", Certainty.LIKELY)
    assert found.fix[0] == "exchange the values of CLIENT_SECRET and PAT"
    alone = explained(call(401, INVALID), CLIENT_SECRET).finding
    assert "form of a client secret" in alone.candidates[0]


def test_an_api_that_was_started_before_its_settings_changed_is_restarted(settings: Settings) -> None:
    for what in (call(502), call(401, INVALID)):
        found = explained(what, READER.pat, settings).finding
        assert any("started before its settings were changed" in candidate for candidate in found.candidates)
        assert any(step.startswith("restart zdemo serve") for step in found.fix)
