"""The cases of ``zdemo verify`` as a table, and their judgments: what was seen goes in, a verdict comes out."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from zdemo.errors import ConnectionFailed, FailureKind
from zdemo.verify.api_client import ApiReply
from zdemo.verify.case import Group, Mark
from zdemo.verify.cases import CASES
from zdemo.verify.judgments import Measured, leaks_in

BY_ID = {case.id: case for case in CASES}
REALM = 'Bearer realm="api"'
LETTERS = "abcdefghijkl"


def error(code: str, **more: str) -> str:
    """Return a challenge with an error code."""
    return ", ".join([f'{REALM}, error="{code}"', *(f'{name}="{value}"' for name, value in more.items())])


def seen(status: int, challenge: str = "", body: str = "", seconds: float = 0.01, **fields: str) -> ApiReply:
    """Return a request and its answer; underscores in the names of fields stand for hyphens."""
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    headers |= {"www-authenticate": challenge} if challenge else {}
    return ApiReply(
        line="GET /messages", status=status, headers=headers, body=body.encode(), seconds=seconds, url="http://api"
    )


def broken(kind: FailureKind) -> ApiReply:
    """Return a request that got no answer."""
    failure = ConnectionFailed("", hint="", kind=kind)
    return replace(seen(0), failure=failure)


LATE, CUT = broken(FailureKind.TIMEOUT), broken(FailureKind.HUNG_UP)
OK, FORBIDDEN, MISSING = seen(200, body="{}"), seen(403, error("insufficient_scope")), seen(401, REALM)
INVALID, BAD = seen(401, error("invalid_token")), seen(400, error("invalid_request"))
JSON, HTML = "application/json", "text/html; charset=utf-8"


def metadata(**changed: Any) -> tuple[Sequence[ApiReply], str]:
    """Return the metadata of a protected resource, found at the second place."""
    known = {"resource": "https://api/mcp", "authorization_servers": ["https://x", "http://zitadel/"]}
    return [seen(404), seen(200, body=json.dumps(known | changed))], "http://zitadel"


def measured(seconds: float | None, before: ApiReply = OK) -> Measured:
    return Measured(seconds=seconds, limit=10, before=before, last=OK)


def stale(*asked: ApiReply, seconds: float | None = 0.5) -> tuple[Measured, ApiReply, Sequence[ApiReply]]:
    return measured(seconds), OK, asked


def flights(introspections: int, *asked: ApiReply) -> tuple[Sequence[ApiReply], int]:
    return asked or [OK] * 64, introspections


PRIVATE = seen(200, cache_control="no-store")

VERDICTS: dict[str, tuple[Sequence[Any], Sequence[Any]]] = {  # case: what passes, and what fails
    "correct.no_token": ([MISSING], [OK, seen(401), INVALID, seen(400), seen(403), seen(404), seen(500), LATE]),
    "safe.paths": (
        [[seen(404), seen(404), seen(308), seen(401)], [seen(200, body="page"), seen(200, body="page")]],
        [[seen(404), seen(404), OK]],
    ),
    "safe.no_token": ([MISSING, seen(401), FORBIDDEN], [OK, seen(302), seen(404), seen(405), seen(503), LATE]),
    "safe.unknown": ([INVALID, FORBIDDEN, MISSING, seen(404), seen(503), LATE, CUT], [OK, seen(204), seen(302)]),
    "robust.errors": ([[OK, INVALID, seen(503)]], [[OK, seen(500)]]),
    "safe.active": ([[INVALID, seen(500), seen(502), CUT]], [[INVALID, OK], [seen(204)], [seen(302)]]),
    "safe.window_token": ([measured(0.1), measured(9.9)], [measured(None)]),
    "safe.stale": ([stale(seen(503), seen(500)), stale(INVALID, LATE)], [stale(seen(503), OK), stale(seen(302))]),
    "safe.shared_cache": (
        [seen(200), PRIVATE, seen(200, cache_control="max-age=5"), seen(200, cache_control="private, s-maxage=9")],
        [seen(200, cache_control="public"), seen(200, cache_control="S-MaxAge=60")],
    ),
    "safe.cors": (
        [[OK, seen(200, access_control_allow_origin="*")]],
        [[seen(200, access_control_allow_origin="https://a", access_control_allow_credentials="true"), OK]],
    ),
    "safe.output": ([((), "x", "y")], [(("a token",), "x", "y")]),
    "correct.accepts": ([OK, seen(204)], [INVALID, seen(302), seen(404), LATE]),
    "correct.impersonated": ([OK, INVALID, FORBIDDEN], [seen(500), seen(404), LATE]),
    "correct.scheme_case": ([[INVALID, INVALID]], [[INVALID, MISSING], [INVALID, seen(500)]]),
    "correct.malformed": (
        [[BAD, BAD], [seen(401, error("invalid_request"))]],
        [[BAD, INVALID], [seen(400)], [OK], [seen(403, error("invalid_request"))]],
    ),
    "correct.repeated": ([[BAD, BAD], [INVALID, MISSING]], [[OK, INVALID], [seen(500), BAD]]),
    "correct.invalid_token": ([INVALID], [MISSING, seen(401), FORBIDDEN, seen(403, error("invalid_token")), LATE]),
    "correct.insufficient_scope": (
        [FORBIDDEN, seen(401, error("insufficient_scope"))],
        [seen(403), INVALID, seen(404), OK],
    ),
    "correct.challenge": ([[MISSING, INVALID, OK]], [[MISSING, seen(401)]]),
    "correct.challenge_syntax": ([[MISSING, INVALID, BAD, OK]], [[MISSING, seen(401, 'Bearer realm="x')]]),
    "robust.internal_error": (
        [seen(502), seen(503), seen(504)],
        [OK, INVALID, FORBIDDEN, seen(500), seen(404), LATE, CUT],
    ),
    "robust.public_while_hanging": ([seen(200), seen(404)], [seen(200, seconds=2.5), seen(503), LATE]),
    "robust.recovery": ([{"reset": 0.1, "hang": 2.0}], [{"reset": 0.1, "hang": None}]),
    "hardening.single_flight": (
        [flights(1), flights(4), flights(1, OK, seen(503), seen(429))],
        [flights(64), flights(5), flights(0), flights(1, OK, CUT), flights(1, OK, seen(500)), flights(1, seen(503))],
    ),
    "robust.too_long": ([BAD, INVALID, seen(431), seen(413), CUT], [OK, seen(500), LATE]),
    "robust.odd_tokens": ([[BAD, INVALID, CUT]], [[BAD, seen(500)], [OK], [LATE]]),
    "polite.realm": ([[MISSING, OK]], [[MISSING, seen(401, "Bearer")]]),
    "polite.scope": ([seen(403, error("insufficient_scope", scope="a"))], [FORBIDDEN]),
    "polite.body": (
        [[seen(401, body="{}", content_type=JSON), seen(401), seen(404, body="<p>", content_type=HTML)]],
        [
            [seen(401, body="<p>", content_type=HTML)],
            [seen(401, body="{", content_type="application/problem+json")],
            [seen(401, body="?")],
        ],
    ),
    "polite.trace": ([[OK, INVALID]], [[seen(500, body="Traceback (most recent call last):\n")]]),
    "polite.cache": (
        [[PRIVATE, seen(401, vary="Origin, Authorization")], [seen(200, cache_control="max-age=0, private")]],
        [[PRIVATE, INVALID], [seen(200, cache_control="max-age=60")]],
    ),
    "polite.two_ways": ([BAD], [INVALID, OK]),
    "polite.retry_after": ([[seen(503, retry_after="1"), OK]], [[seen(503, retry_after="1"), seen(503)]]),
    "polite.head": ([[OK, seen(200)], [OK, seen(405)]], [[OK, seen(200, body="x")], [OK, seen(401)], [OK, LATE]]),
    "mcp.challenge": (
        [[MISSING, INVALID], [seen(401, f'{REALM}, scope="a"'), INVALID]],
        [[MISSING, BAD], [MISSING, seen(401)], [OK, INVALID], [MISSING, LATE], [seen(401, "Basic"), INVALID]],
    ),
    "mcp.metadata": (
        [metadata(), metadata(scopes_supported=["a"], more=1)],
        [([seen(404)], "http://zitadel"), ([seen(200, body="<p>")], "http://zitadel"), ([LATE], "http://zitadel")]
        + [metadata(resource=value) for value in ("", "/mcp", None)]
        + [metadata(authorization_servers=value) for value in ([], None, "http://zitadel", ["https://zitadel"])],
    ),
    "mcp.accepts": ([OK, seen(400), seen(406)], [INVALID, FORBIDDEN, seen(500), LATE]),
    "mcp.role_missing": ([FORBIDDEN], [OK, seen(403), seen(401, error("insufficient_scope")), seen(406)]),
    "mcp.pat": ([[INVALID], [seen(403)]], [[OK], [seen(406)], [INVALID, OK], [LATE]]),
    "polite.preflight": ([OK, seen(405), seen(404)], [MISSING, seen(403), seen(500), LATE]),
}
SKIPPED = {
    "safe.window_token": measured(None, INVALID),
    "safe.stale": stale(OK, seconds=None),
    "robust.public_while_hanging": None,
    "correct.challenge": [OK],
    "correct.challenge_syntax": [OK],
    "polite.realm": [OK],
    "polite.scope": seen(403),
    "polite.retry_after": [seen(502)],
}


@pytest.mark.parametrize("name", VERDICTS)
def test_the_verdict_follows_from_what_was_seen(name: str) -> None:
    for mark, column in zip((Mark.PASS, Mark.FAIL), VERDICTS[name], strict=True):
        for what in column:
            verdict = BY_ID[name].judge(what)
            assert (verdict.mark, bool(verdict.seen)) == (mark, True), what


def test_what_does_not_apply_is_skipped_with_the_reason() -> None:
    for name, what in SKIPPED.items():
        verdict = BY_ID[name].judge(what)
        assert (verdict.mark, bool(verdict.seen)) == (Mark.SKIP, True), name


def test_each_judgment_is_in_the_table() -> None:
    """Cases that share a judgment are judged alike, so one of them is enough; test_proxy.py has those about proxies."""
    judged = {BY_ID[name].judge for name in VERDICTS}
    assert {case.group for case in CASES if case.judge not in judged} == {Group.PROXY}


def test_each_case_is_explained_and_follows_the_cases_it_builds_on() -> None:
    order = [case.id for case in sorted(CASES, key=lambda case: case.stage)]
    for case in CASES:
        assert re.fullmatch(rf"({'|'.join(Group)})\.[a-z][a-z_]+", case.id)
        for text in (case.asked, case.must, case.source, case.fix):
            assert text == text.strip() != "", case.id
            assert not text.endswith("."), case.id
            assert "\n" not in text, case.id
        assert re.search(r"RFC \d{4}|ZITADEL|MCP|Fetch|needs no|CWE", case.source), case.source
        assert all(order.index(name) < order.index(case.id) for name in case.builds_on), case.id


@pytest.mark.parametrize(
    ("name", "what", "words"),
    [
        ("safe.unknown", INVALID, "GET /messages 401, invalid_token"),
        ("safe.unknown", LATE, "GET /messages: no answer in time"),
        ("safe.unknown", CUT, "GET /messages: the connection broke without an answer"),
        ("correct.invalid_token", seen(401), "GET /messages 401, no WWW-Authenticate: Bearer"),
        ("safe.fail_open", [OK.about(x) for x in LETTERS], "; ".join(f"GET /messages ({x}) 200" for x in LETTERS)),
        ("correct.challenge", [MISSING, seen(401), seen(401), OK], "2 of 3 have none"),
        ("polite.trace", [OK, seen(500, body="panicked at")], "a stack trace in the answer: GET /messages 500"),
        ("polite.retry_after", [seen(503, retry_after="7"), OK], "1 have one"),
    ],
)
def test_what_was_seen_is_said_in_words(name: str, what: Any, words: str) -> None:
    assert BY_ID[name].judge(what).seen == words


def test_an_impersonated_token_that_is_let_in_is_a_note() -> None:
    assert [BY_ID["correct.impersonated"].judge(reply).is_note for reply in (OK, INVALID)] == [True, False]


TOKEN = "Zk3vQ9xT0bLw7RyHc2Nd5MfJs8GpUa1E"
JWT = f"eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.{TOKEN}.{TOKEN[::-1]}"


@pytest.mark.parametrize(
    "text", [f"a {TOKEN} b", f"introspecting {TOKEN[:-4]}", f"x{TOKEN[6:26]}y", f"{JWT.partition('.')[2]}"]
)
def test_any_part_of_a_token_is_found(text: str) -> None:
    assert leaks_in(text, ["short", JWT], {}) == leaks_in(text, [TOKEN], {}) == ("a token",)


@pytest.mark.parametrize("text", ["", TOKEN[:19], f"{TOKEN[:12]} {TOKEN[13:]}", "=" * 60, f"{JWT.partition('.')[0]}"])
def test_what_only_resembles_a_token_is_none(text: str) -> None:
    assert leaks_in(text, [TOKEN, JWT, "=" * 40, "A" * 16_385], {}) == ()


def test_secrets_are_named() -> None:
    secret = {"the client secret": TOKEN[::-1]}
    assert leaks_in(f"basic {TOKEN[::-1]}", [TOKEN], secret) == ("the client secret",)
