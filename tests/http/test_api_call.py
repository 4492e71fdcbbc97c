"""The test client: one request and its answer."""

from dataclasses import replace

import pytest

from zdemo.errors.response import Response
from zdemo.errors.steps import in_words
from zdemo.http.api_call import Call, Method, as_json, other_route, parse_challenge
from zdemo.http.example_api import Route

SCOPE = "urn:zitadel:iam:org:project:role:read:messages"
KNOWN = other_route("/api/private", typed="/api/private")
OWN = other_route("/m", typed="/m")


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        ('Bearer realm="zdemo"', ("", "")),
        ("Bearer", ("", "")),
        pytest.param(f"Bearer {'a' * 500_000}", ("", ""), id="long"),  # would take hours in quadratic time
        ('BEARER realm="a, b=c", error=invalid_token', ("invalid_token", "")),
        (f'Bearer realm="zdemo", error="insufficient_scope", scope="{SCOPE}"', ("insufficient_scope", SCOPE)),
        ('Bearer ERROR = "invalid_request" , scope = "a b"', ("invalid_request", "a b")),
        ('Bearer error="unterminated, scope=x', ("", "x")),
        *((other, None) for other in (None, "", "Basic realm=x", "Bearerish x=y")),
    ],
)
def test_a_bearer_challenge_is_taken_apart(value: str | None, fields: tuple[str, str] | None) -> None:
    challenge = parse_challenge(value)
    assert (challenge and (challenge.error, challenge.scope)) == fields


def called(status: int, body: bytes = b"{}", **headers: str) -> Call:
    fields = {"content-type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    got = Response(status=status, headers=fields, body=body, seconds=0.0123, url="")
    return Call(route=Route.PRIVATE, url="http://127.0.0.1:5000/api/private", answer=got)


@pytest.mark.parametrize(
    ("status", "kind", "accepted"),
    [
        *((200, kind, True) for kind in ("application/json", "text/plain", "")),
        *((200, kind, False) for kind in ("text/html", "TEXT/HTML; charset=utf-8")),
        *((status, "application/json", False) for status in (302, 401, 503)),
    ],
)
def test_an_answer_is_accepted_by_status_unless_it_is_a_web_page(status: int, kind: str, accepted: bool) -> None:
    assert called(status, content_type=kind).accepted is accepted
    if status == 200 and kind == "text/html":  # OPTIONS has often a type without a body
        assert replace(called(200, b"", content_type=kind), method=Method.OPTIONS).accepted
        for body in (b"ok", b"\n<p>ok</p>", b"<input type='password'>"):
            assert replace(called(200, body, content_type=kind), route=OWN).accepted is (b"password" not in body)
        assert not replace(called(200, b"<p>ok", content_type=kind), route=KNOWN).accepted


def test_the_document_holds_all_of_it() -> None:
    document = as_json(called(401, b'{"a":"\xc3\xbc"}', www_authenticate="Bearer"), {"why": "so"})
    assert document == {
        "method": "GET",
        "url": "http://127.0.0.1:5000/api/private",
        "status": 401,
        "milliseconds": 12.3,
        "body": {"a": "\u00fc"},
        "challenge": {"text": "Bearer", "error": "", "scope": "", "description": ""},
        "why": "so",
    }
    assert as_json(called(200, b"no \xff JSON"), {})["body"] == "no \ufffd JSON"


def test_the_command_that_calls_again_has_path_and_method_but_no_secret() -> None:
    route = other_route("/it's?access_token=AAAA", typed="/it's?access_token=AAAA")
    call = replace(called(200), route=route, method=Method.DELETE)
    assert in_words(call.command) == """zdemo call '/it'"'"'s?access_token=…' -X DELETE"""
    assert in_words(called(200).command) == "zdemo call private"
