"""An API's answer: what it explains alone, and compared with what ZITADEL says here."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.secret_forms import PAT
from zdemo.config.environment import Environment
from zdemo.diagnosis.evidence import NOT_ASKED, Evidence, Probe
from zdemo.diagnosis.finding import Certainty, Finding
from zdemo.diagnosis.rules.api_response import ANOTHER_API, BY_ANSWER, ApiCase
from zdemo.diagnosis.rules.refused_call import (
    CLIENT_REFUSED,
    COMPARED,
    OTHER_SETTINGS,
    by_its_code,
    finding_for_disagreement,
    same_settings,
)
from zdemo.diagnosis.rules.rule import decide, diagnose
from zdemo.errors import ROLE_SCOPE
from zdemo.errors.response import Response
from zdemo.errors.steps import Command, in_words
from zdemo.http.api_call import Call, Endpoint, Method, other_route
from zdemo.http.example_api import Route
from zdemo.zitadel.introspection_answer import Introspection

INVALID = 'Bearer realm="zdemo", error="invalid_token"'
ROLE_MISSING = 'Bearer realm="zdemo", error="insufficient_scope", scope="urn:x"'
OF_READER = 'Bearer error="insufficient_scope", scope="urn:zitadel:iam:org:project:role:read:messages"'
LACKS = 'Bearer error="insufficient_scope"'
NO_JWT = 'Bearer error="invalid_token", error_description="An error occurred while attempting to decode the Jwt"'
PLAIN_SCOPE = f'{LACKS}, scope="read:messages"'
SUSPENDED, UNAUTHORIZED = 'Bearer error="account_suspended"', 'Bearer error="unauthorized"'
OF_AUDIENCE = f'{INVALID}, error_description="wrong audience"'
EXPIRED = f'{INVALID}, error_description="expired"'
MALFORMED = 'Bearer realm="zdemo", error="invalid_request"'
WANTS_TLS = b"Client sent an HTTP request to an HTTPS server.\n"
FOREIGN = b"upstream connect error or disconnect/reset before headers"
ERROR_OF_ZDEMO = b'{"error":"zitadel_unavailable","error_description":"it is away","request_id":"4711"}'
NO_INSTANCE = b"unable to set instance using origin &{127.0.0.1:8080  http} (ExternalDomain is localhost)"
IN_QUERY = other_route("/messages?a=b&access_token=abc&c", typed="https://x/messages?a=b&access_token=abc&c")
CREDENTIAL = "call.other_credential"
OTHERS = b"X-Api-Key missing", b"Missing API key", b"no cookie", b"session required"
CSRF_PAGE = b"<style>...</style>CSRF verification failed"
AGAIN: Any = {"retry-after": "3600"}
API, ISSUER = "http://127.0.0.1:5000", "http://127.0.0.1:8080"


def at(path: str) -> Endpoint:
    return other_route(path, typed=path)


MESSAGES = at("/messages")


def call(
    status: int,
    challenge: str = "",
    kind: str = "application/json",
    body: bytes = ERROR_OF_ZDEMO,
    route: Endpoint = Route.SCOPED,
    **more: str,
) -> Call:
    """Answered as a zdemo API does, unless said otherwise."""
    fields = {"content-type": kind, **more} | ({"www-authenticate": challenge} if challenge else {})
    answer = Response(status=status, headers=fields, body=body, seconds=0.01, url=f"{API}{route.path}")
    return Call(route=route, url=f"{API}{route.path}", answer=answer)


@pytest.mark.parametrize(
    ("what", "token", "name"),
    [
        (replace(call(401), url=f"{ISSUER}/x"), "token", "call.is_zitadel"),
        (replace(call(401, INVALID), url=f"{ISSUER}/behind-the-same-proxy"), "token", None),
        *((call(401, kind="text/plain", body=body, route=MESSAGES), "token", CREDENTIAL) for body in OTHERS),
        (call(403, kind="text/html", body=CSRF_PAGE, route=MESSAGES), "token", CREDENTIAL),
        (call(403, kind="text/html", body=b"<p>enable cookies", route=MESSAGES), "token", None),
        (call(401, body=b"your session has expired", route=MESSAGES), "token", None),
        (call(401, INVALID, body=b"no cookie", route=MESSAGES), "token", None),
        (call(401, "Bearer"), None, "call.no_token"),
        (call(401, INVALID, body=b""), None, "call.no_token"),
        (call(303, location="/-/", body=b"", route=at("/?key=x")), "token", "call.is_zdemos_page"),
        (call(403, kind="text/html", body=b"<title>zdemo</title>", route=at("/-/")), "token", "call.is_zdemos_page"),
        (call(303, location="/-/", route=MESSAGES), "token", "call.redirects"),
        (call(401, NO_JWT, body=b""), PAT, "call.verifies_jwts"),
        (call(422, body=b'{"msg":"Not enough segments"}'), PAT, "call.verifies_jwts"),
        (call(401, "Bearer"), "token", "call.token_not_seen"),
        (call(401, "Bearer", route=MESSAGES), "token", "call.token_not_seen"),
        (call(401, "Bearer", body=b""), "token", "call.refused_elsewhere"),
        (call(401, INVALID, body=b"Jwt is not in the form of three parts"), PAT, "call.verifies_jwts"),
        (call(401, "Basic realm=x"), "token", "call.login"),
        (call(401, 'DPoP algs="ES256"', route=MESSAGES), "token", "call.login"),
        (call(400, MALFORMED), "token", "call.invalid_request"),
        (call(400, MALFORMED, route=IN_QUERY), "token", "call.token_in_query"),
        (call(401, "Bearer", route=IN_QUERY), None, "call.token_in_query"),
        (call(404, route=IN_QUERY), "token", "call.not_found"),
        (call(405, allow="POST, HEAD"), "token", "call.method_not_allowed"),
        (call(404, kind="text/html", body=b""), "token", "call.no_such_route"),
        (call(404, route=MESSAGES), "token", "call.not_found"),
        (call(404, route=at("/api/private")), "token", "call.no_such_route"),
        (call(401, body=b"{}"), "token", "call.refused_elsewhere"),
        (call(302), "token", "call.redirects"),
        (call(429), "token", "call.rate_limited"),
        (call(503, body=b"Down for Maintenance", route=MESSAGES), "token", "call.rate_limited"),
        (call(503, body=b"{}", route=MESSAGES, **AGAIN), "token", "call.gateway"),
        (call(400, kind="text/plain", body=WANTS_TLS), "token", "call.expects_tls"),
        (call(403, server="AirTunes/1"), "token", "call.airplay"),
        (call(418), "token", "call.other"),
        *((call(status, kind="text/html", body=b""), "token", "call.page") for status in (200, 401)),
        *((call(status, kind="text/html", body=b""), "token", "call.other") for status in (403, 500)),
        (call(504, kind="text/html", body=b""), "token", "call.gateway"),
        (call(502, kind="text/plain", body=FOREIGN), "token", "call.gateway"),
        (call(200, ROLE_MISSING), "token", "call.other"),
        (call(404, body=NO_INSTANCE), "token", "call.is_zitadel"),
        *((call(401, challenge), "token", None) for challenge in (INVALID, ROLE_MISSING)),
        *((call(status), "token", None) for status in (403, 502, 503)),
    ],
)
def test_an_answer_alone_explains_what_is_not_about_the_token(what: Call, token: str | None, name: str | None) -> None:
    finding = decide(BY_ANSWER, ApiCase(call=what, token=token, issuer=ISSUER))
    assert (finding and finding.id) == name
    assert not finding or finding.fix


@pytest.mark.parametrize(
    ("what", "step"),
    [
        (call(302, location="/login", route=MESSAGES), "in the API, answer 401 with WWW-Authenticate: Bearer"),
        (call(302, location="https://id.example/oauth2/auth", route=MESSAGES), "in the API, answer 401"),
        (call(302, location="/login"), "let requests with a token pass without that login"),
        (call(308, location="/messages/", route=MESSAGES), "use the path /messages/"),
        (call(302, location="/auth/messages", route=MESSAGES), "use the path /auth/messages"),
        (replace(call(303, location="/-/", body=b"", route=at("/")), setting="--api"), "zdemo doctor --api http"),
        (replace(call(404, body=b"AUTHZ-cdgFk", route=MESSAGES), url=f"{ISSUER}/x"), "zdemo call /messages --pat"),
        (call(403, body=b"CSRF failed", route=MESSAGES), "in the API, exempt the route from CSRF"),
        (call(401, 'DPoP algs="ES256"', route=MESSAGES), "in the API, take the token from the header field"),
        (call(401, "Basic realm=x", route=MESSAGES), "let the proxy pass requests"),
        (call(406, route=MESSAGES), "send what its documentation names"),
        (call(406), "correct ZDEMO_API_URL"),
        (call(402, route=MESSAGES), "see its answer, its documentation and its log"),
        (call(407, route=MESSAGES), "let requests for the API pass without that login"),
        (call(401, NO_JWT, body=b""), "set the Access Token Type"),
        (replace(call(400, kind="text/plain", body=WANTS_TLS), route=at(""), setting="--api"), "--api=https://127.0."),
    ],
)
def test_the_first_step_is_for_this_answer(what: Call, step: str) -> None:
    assert in_words(diagnose(BY_ANSWER, ApiCase(call=what, token=PAT, issuer=ISSUER)).fix[0]).startswith(step)


@pytest.mark.parametrize(
    ("what", "token", "command"),
    [
        (call(401, "Bearer"), None, "zdemo call scoped --pat"),
        (replace(call(401, "Bearer"), method=Method.PUT), None, "zdemo call scoped -X PUT --pat"),
        (call(405, allow="POST, HEAD", route=MESSAGES), "token", "zdemo call /messages -X HEAD"),
        (replace(call(405, allow="GET"), method=Method.POST), "token", "zdemo call scoped"),
        (call(405, allow="OPTIONS, POST"), "token", ""),
        (call(404, route=at("/api/privat?a=b")), "token", "zdemo call '/api/private?a=b'"),
        (call(401, "Bearer", route=IN_QUERY), None, "zdemo call 'https://x/messages?a=b&c' --pat"),
        (call(404, route=at("/metrics")), "token", "zdemo serve --open-metrics"),
        (call(401, body=b"<>"), "token", f"zdemo doctor --api {API}/api/private-scoped"),
    ],
)
def test_the_step_is_the_command_that_helps(what: Call, token: str | None, command: str) -> None:
    finding = diagnose(BY_ANSWER, ApiCase(call=what, token=token))
    assert [in_words(step) for step in finding.fix if isinstance(step, Command)] == [command] * bool(command)


def test_a_misspelled_variable_is_renamed_first() -> None:
    environment = Environment({"the environment": {"ZITADEL_PAT": "x"}})
    finding = diagnose(BY_ANSWER, ApiCase(call=call(401, "Bearer"), environment=environment))
    assert in_words(finding.fix[0]) == "rename ZITADEL_PAT to PAT in the environment"
    nearby = Environment({}, nearby=Path("../.env"))
    (step,) = diagnose(BY_ANSWER, ApiCase(call=call(401, "Bearer"), environment=nearby)).otherwise
    assert in_words(step) == "add --env-file ../.env, or set PAT in the environment or in .env"


@pytest.mark.parametrize(
    ("what", "name"),
    [
        (call(401, body=b"{}", route=Route.PUBLIC), "call.refused_elsewhere"),
        (call(404, route=Route.PUBLIC), "call.no_such_route"),
        (call(502, kind="text/plain", body=FOREIGN, route=Route.PUBLIC), "call.gateway"),
        (call(301, route=Route.PUBLIC), "call.redirects"),
        (call(200, body=b"", route=Route.PUBLIC), None),
    ],
)
def test_another_api_than_the_examples_shows_by_its_public_route(what: Call, name: str | None) -> None:
    finding = decide(ANOTHER_API, ApiCase(call=what))
    assert (finding and finding.id) == name


@pytest.mark.parametrize(
    ("what", "token", "name", "first"),
    [
        (call(401, INVALID), "token", "call.token_refused", "does not look like an access token"),
        (call(401, INVALID), PAT, "call.token_refused", "deleted"),
        (call(403, ROLE_MISSING), "token", "call.role_missing", ""),
        (call(503), "token", "call.cannot_judge", ""),
        (call(403, body=b'{"message":"Forbidden"}'), PAT, "call.forbidden", "gateway"),
        (call(401, body=b'{"message":"no"}', route=MESSAGES), PAT, "call.refused", "not active"),
    ],
)
def test_where_zitadel_cannot_be_asked_the_apis_word_counts(what: Call, token: str, name: str, first: str) -> None:
    finding = by_its_code(ApiCase(call=what, token=token))
    assert finding.id == name
    assert first in (finding.candidates[0] if finding.candidates and not finding.likely else finding.cause)


ACTIVE = Introspection(active=True, claims={"active": True, "sub": "1", "username": "reader"})
READER = replace(ACTIVE, claims={**ACTIVE.claims, "urn:zitadel:iam:org:project:roles": {"read:messages": {"1": "x"}}})
DEFINES = replace(READER, claims={**READER.claims, "scope": f"{ROLE_SCOPE}read:messages {ROLE_SCOPE}admin"})
IMPERSONATED = replace(READER, claims={**READER.claims, "act": {"sub": "2"}})
DEAD = Introspection(active=False, claims={"active": False})
OF_TOKEN, OF_ROLE, OF_CLIENT, OF_STUB, SWAPPED = (
    Finding(id=name, cause=f"the cause {name}", fix=("x",))
    for name in ("token.dead", "role.not_granted", "client.refused", "zitadel.bare_answer", "client.swapped_with_token")
)


@pytest.mark.parametrize(
    ("what", "here", "introspection", "name", "first"),
    [
        (call(401, ROLE_MISSING), OF_ROLE, ACTIVE, "role.not_granted", ""),
        (call(401, INVALID), OF_TOKEN, DEAD, "token.dead", ""),
        (call(401, body=b"{}", route=MESSAGES), OF_ROLE, ACTIVE, "role.not_granted", ""),
        (call(401, INVALID), OF_ROLE, ACTIVE, "call.disagrees", "started before"),
        (call(401, ROLE_MISSING), OF_STUB, ACTIVE, "zitadel.bare_answer", ""),
        (call(403, ROLE_MISSING), OF_TOKEN, DEAD, "call.disagrees", "started before"),
        (call(401, INVALID), None, READER, "call.disagrees", "started before"),
        (call(401, ROLE_MISSING), None, READER, "call.disagrees", "started before"),
        (call(401, INVALID, body=b""), None, READER, "call.disagrees", "verifies JWTs itself"),
        (call(401, INVALID), None, IMPERSONATED, "call.own_rules", ""),
        (call(401, ROLE_MISSING), None, IMPERSONATED, "call.disagrees", "started before"),
        (call(403, LACKS, route=MESSAGES), None, ACTIVE, "call.no_role", ""),
        (call(401, OF_READER, route=MESSAGES), None, READER, "call.disagrees", "started before"),
        (call(403, PLAIN_SCOPE, body=b"", route=MESSAGES), None, READER, "call.disagrees", "in scope: the user has"),
        (call(403, LACKS, route=MESSAGES), None, READER, "call.no_role", "only read:messages"),
        (call(401, EXPIRED, body=b""), None, READER, "call.own_rules", "another token than this one"),
        (call(401, OF_AUDIENCE, body=b""), None, READER, "call.own_rules", "refuses the token's audience"),
        (call(401, EXPIRED, body=b""), None, replace(READER, expires_at=9), "call.clock_skewed", "clock is ahead"),
        (call(401, body=b"{}", route=MESSAGES), None, READER, "call.own_rules", "verifies JWTs itself"),
        (call(401, SUSPENDED, body=b"", route=MESSAGES), None, READER, "call.own_rules", "which its challenge names"),
        (call(401, UNAUTHORIZED, body=b"", route=MESSAGES), None, READER, "call.own_rules", "verifies JWTs itself"),
        (call(401, SUSPENDED, body=b"", route=MESSAGES), OF_TOKEN, DEAD, "token.dead", ""),
        (call(401, body=b"{}", route=MESSAGES), None, ACTIVE, "call.own_rules", "lacks a role"),
        (call(403, body=b"", kind="text/html", route=MESSAGES), None, ACTIVE, "call.own_rules", "lacks a role"),
        (call(403, body=b"", kind="text/html", route=MESSAGES), None, READER, "call.own_rules", "a gateway"),
        (call(503), None, READER, "call.api_cannot_ask", "a temporary failure"),
        (call(503), OF_TOKEN, DEAD, "call.api_cannot_ask", "a temporary failure"),
        (call(502), None, READER, "call.api_cannot_ask", "ZITADEL refuses the API's CLIENT_ID or CLIENT_SECRET"),
        (call(502), OF_CLIENT, NOT_ASKED, "client.refused", ""),
        (call(401, INVALID), OF_CLIENT, NOT_ASKED, "call.token_refused", "deleted"),
        (call(401, ROLE_MISSING), OF_CLIENT, NOT_ASKED, "call.role_missing", ""),
        (call(401, INVALID), SWAPPED, NOT_ASKED, "client.swapped_with_token", ""),
        (call(401, INVALID), None, NOT_ASKED, "call.token_refused", "deleted"),
    ],
)
def test_the_apis_word_is_compared_with_zitadels(
    what: Call, here: Finding | None, introspection: Introspection, name: str, first: str
) -> None:
    """Without an introspection, ``here`` says what prevents the question."""
    finding = diagnose(COMPARED, ApiCase(call=what, token=PAT, issuer=ISSUER, here=here, introspection=introspection))
    assert finding.id == name
    assert first in (finding.candidates[0] if finding.candidates and not finding.likely else finding.cause)
    assert finding.fix


@pytest.mark.parametrize(
    ("api", "clock"),
    [
        ("Wed, 02 Dec 2026 08:00:00 GMT", "13 hours ahead of ZITADEL's, so the token has expired"),
        ("Tue, 01 Dec 2026 17:00:00 GMT", "2 hours behind ZITADEL's, so the token is not valid yet"),
        ("Tue, 01 Dec 2026 20:00:00 GMT", "disagree about this token"),
    ],
)
def test_a_wrong_clock_of_the_api_is_the_cause_where_the_token_is_valid_for_zitadel_alone(api: str, clock: str) -> None:
    what, zitadel = call(401, INVALID, date=api), call(200, date="Tue, 01 Dec 2026 19:00:00 GMT").answer
    token = replace(READER, not_before=zitadel.date, expires_at=int(zitadel.date or 0) + 43_200)  # type: ignore[arg-type]  # whole
    case = ApiCase(call=what, token=PAT, issuer=ISSUER, introspection=token)
    assert clock in diagnose(COMPARED, replace(case, evidence=Evidence(replies={Probe.TOKEN: zitadel}))).cause


@pytest.mark.parametrize("rights", [(), ("ORG_OWNER",)])
def test_an_administrators_token_is_not_to_get_a_role(rights: tuple[str, ...]) -> None:
    case = ApiCase(call=call(403, LACKS, route=MESSAGES), token=PAT, issuer=ISSUER, introspection=ACTIVE)
    finding = diagnose(COMPARED, replace(case, evidence=Evidence(own_rights=rights)))
    assert (finding.id, "role grant" in " ".join(map(in_words, finding.steps))) == ("call.no_role", not rights)


@pytest.mark.parametrize(
    ("scope", "token", "fix"),
    [
        ("write:x", ACTIVE, "zdemo role grant reader write:x"),
        (f"{ROLE_SCOPE}read:messages {ROLE_SCOPE}admin", READER, "zdemo role grant reader admin"),
        ("read-messages", DEFINES, "in the API, require read:messages"),
        ("orders:read", DEFINES, "zdemo role grant --create-role reader orders:read"),
        ("openid profile read:messages admin", DEFINES, "zdemo role grant reader admin"),
    ],
)
def test_a_role_to_grant_is_one_that_the_token_lacks_and_the_project_defines(
    scope: str, token: Introspection, fix: str
) -> None:
    what = call(403, f'{LACKS}, scope="{scope}"', route=MESSAGES)
    finding = diagnose(COMPARED, ApiCase(call=what, token=PAT, issuer=ISSUER, introspection=token))
    assert (finding.id, in_words(finding.fix[0]).partition(" (")[0]) == ("call.no_role", fix)


@pytest.mark.parametrize(("candidates", "fix"), [((), "x"), (("y", "z"), "zdemo doctor")])
def test_what_prevents_the_question_is_evidence_with_its_fix(candidates: tuple[str, ...], fix: str) -> None:
    here = replace(OF_CLIENT, candidates=candidates)
    finding = diagnose(COMPARED, ApiCase(call=call(401, INVALID), token=PAT, issuer=ISSUER, here=here))
    assert finding.seen == (("from here", "the token cannot be checked: the cause client.refused"),)
    assert [*map(in_words, finding.fix)] == [fix]


@pytest.mark.parametrize(
    ("what", "reused"), [(call(200, body=b""), True), (call(401, INVALID), False), (call(401, ROLE_MISSING), True)]
)
def test_only_answers_about_active_tokens_are_reused(what: Call, reused: bool) -> None:
    finding = finding_for_disagreement(ApiCase(call=what, issuer=ISSUER), "it is refused")
    assert any("reuses an earlier answer" in candidate for candidate in finding.candidates) is reused
    assert finding.certainty is Certainty.OPEN
    foreign = ApiCase(call=call(401, INVALID, body=b""))
    assert CLIENT_REFUSED in finding_for_disagreement(foreign, "it is accepted").candidates


def test_an_api_with_the_same_settings_disagrees_because_of_what_is_between() -> None:
    for what, first in ((call(401, INVALID), "something in between"), (call(403, body=b""), "a gateway or filter")):
        finding = diagnose(COMPARED, ApiCase(call=what, token=PAT, issuer=ISSUER, introspection=READER))
        assert OTHER_SETTINGS in finding.candidates
        same = same_settings(finding)
        assert (same.cause.startswith(first), same.certainty) == (True, Certainty.LIKELY)
        assert OTHER_SETTINGS not in same.candidates
    finding = diagnose(COMPARED, ApiCase(call=call(503), token=PAT, issuer=ISSUER, introspection=READER))
    assert same_settings(finding).cause.startswith("it was a temporary failure (the API cannot")
