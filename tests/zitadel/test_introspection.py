"""How the client asks ZITADEL, and what answers mean, real and faulty (RFC 7662)."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.any_text import texts
from tests.support.connection_faults import ACTIVE, FAULTS, INACTIVE, PAT_CLAIMS, Fault
from tests.support.upstream import upstream
from zdemo.config.settings import Settings
from zdemo.errors import IntrospectionError, UnusableAnswer, ZitadelUnavailable
from zdemo.errors.response import Response
from zdemo.zitadel.introspection_answer import Introspection, parse_introspection, roles_claim_of
from zdemo.zitadel.introspection_client import IntrospectionClient, basic_credentials
from zdemo.zitadel.introspection_response import read_answer

PROJECT = "300000000000000010"
ROLES = "urn:zitadel:iam:org:project:roles"
GRANT = {"300000000000000001": "acme.localhost"}
CANARY = "c4n4ry-token"


@contextmanager
def client_of(url: str, *, timeout_seconds: float = 5) -> Iterator[IntrospectionClient]:
    client = IntrospectionClient(
        Settings(issuer=url, client_id="client", client_secret="secret", timeout_seconds=timeout_seconds)
    )
    try:
        yield client
    finally:
        client.close()


def of_body(body: bytes, status: int = 200, **headers: str) -> Response:
    return Response(status=status, headers=headers, body=body, seconds=0, url="")


def of(value: object) -> Introspection:
    return parse_introspection(of_body(json.dumps(value).encode()))


def test_client_credentials_are_form_encoded_first() -> None:
    assert basic_credentials("a:b c", "%+\u00e9/") == "Basic " + base64.b64encode(b"a%3Ab+c:%25%2B%C3%A9%2F").decode()


@pytest.mark.parametrize("token", ["", "\ud800x\n", "a" * 100_000, "\u00e9 &token=x"])
def test_any_text_can_be_asked_about(token: str) -> None:
    with upstream(INACTIVE) as up, client_of(up.url) as client:
        assert client.introspect(token) == Introspection(active=False, claims={"active": False})
    (sent,) = up.requests
    assert (sent.method, sent.target, list(sent.form)) == ("POST", "/oauth/v2/introspect", ["token"])
    headers = [sent.headers[name] for name in ("accept", "authorization")]
    assert headers == ["application/json", basic_credentials("client", "secret")]


def test_an_active_pat() -> None:
    with upstream(ACTIVE) as up, client_of(up.url) as client:
        answer = client.introspect("t")
    assert answer.active
    assert answer.expires_at == 253402300799
    assert answer.not_before == 1766500000
    assert answer.audience == ("300000000000000021", PROJECT)
    assert answer.text("sub") == "300000000000000030"
    assert answer.text("exp") == answer.text("absent") == ""
    assert answer.scopes == ("openid", "urn:zitadel:iam:org:project:role:read:messages")
    assert answer.roles() == answer.roles(PROJECT) == {"read:messages": GRANT}
    assert answer.roles("another project") == {}
    assert answer.claims == PAT_CLAIMS


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_is_an_error_in_time(fault: Fault) -> None:
    """503 means not now, 502 means never usable."""
    with upstream(fault.behaviour) as up, client_of(up.url, timeout_seconds=0.3 if fault.hangs else 5) as client:
        with pytest.raises(IntrospectionError) as failed:
            client.introspect(CANARY)
        assert failed.value.status == fault.status
        assert len(up.requests) == 1
    assert failed.value.hint
    text = f"{failed.value!r} {failed.value.hint} {failed.value.failure} {failed.value.answer}"
    assert CANARY not in text
    assert "secret" not in text


RETRY_AFTER = {"": 1, "7": 7, "0": 1, "60": 60, "21600": 60, "9" * 5000: 60, "-5": 1, "1.5": 1, "\u0667": 1}


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("field", "seconds"), RETRY_AFTER.items(), ids=lambda value: str(value)[:12])
def test_retry_after_is_taken_over_within_reason(status: int, field: str, seconds: int) -> None:
    with pytest.raises(ZitadelUnavailable) as failed:
        read_answer(of_body(b"", status, **{"retry-after": field}))
    assert failed.value.retry_after_seconds == seconds


def test_control_characters_of_an_answer_do_not_get_into_a_message() -> None:
    with pytest.raises(UnusableAnswer) as failed:
        read_answer(of_body(b"", 200, **{"content-type": "text/\x1b[31mplain\nforged: line"}))
    assert failed.value.message.isprintable()


UNUSABLE = [
    *('{"active":true}'.encode(encoding) for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32")),
    *(f'{{"active":true,"exp":{number}}}'.encode() for number in ("NaN", "Infinity", "-Infinity", "1e999", "9" * 5000)),
    *(b'{"active":true,"sub":"\xff"}', b'{"active":' * 50_000, b'{"active":true}' * 2, b'{"active":true}<html>'),
    *(b'{"active":false,"active":true}', b'"{\\"active\\":true}"', b'f({"active":true})', b"true"),
]


@pytest.mark.parametrize("body", UNUSABLE, ids=lambda body: repr(body)[:30])
def test_a_body_that_is_not_one_json_object_in_utf_8_is_unusable(body: bytes) -> None:
    with pytest.raises(UnusableAnswer):
        parse_introspection(of_body(body))


@pytest.mark.parametrize("seconds", [10**400, -(10**400), 10**15])
def test_a_time_beyond_all_clocks_can_be_calculated_with(seconds: int) -> None:
    answer = of({"active": True, "exp": seconds, "nbf": -seconds})
    assert answer.expires_at is not None
    assert answer.not_before is not None
    assert abs(answer.expires_at - 0.5) == pytest.approx(10**15)
    assert (answer.expires_at > 0, answer.not_before > 0) == (seconds > 0, seconds < 0)


def test_claims_that_do_not_decide_may_be_anything() -> None:
    odd = {"iat": [], "sub": 1, "scope": ["a"], "iss": None, "username": {}, "jti": True, "custom": [1, None]}
    answer = of({"active": True, **odd})
    assert (answer.active, answer.scopes, answer.audience, answer.expires_at) == (True, (), (), None)
    assert [answer.text(name) for name in odd] == [""] * len(odd)
    assert of({"active": True, "aud": "one"}).audience == ("one",)
    assert of({**PAT_CLAIMS, "active": False, "exp": "wrong"}).claims == {"active": False}


@pytest.mark.parametrize(
    ("act", "actors"),
    [
        (None, ()),
        ({"iss": "http://localhost", "sub": "31"}, ("31",)),
        ({"sub": "31", "act": {"sub": "32", "act": None}}, ("31", "32")),
        ({"iss": "http://localhost"}, ("unknown",)),
        ({"sub": 31, "act": []}, ("unknown", "unknown")),
        ("31", ("unknown",)),
    ],
)
def test_everybody_who_impersonates_the_user_is_an_actor(act: object, actors: tuple[str, ...]) -> None:
    answer = of({"active": True, "sub": "30", "act": act})
    assert (answer.actors, answer.actor) == (actors, actors[0] if actors else None)


def test_roles_are_exactly_those_of_the_right_shape() -> None:
    bad = {"a": {}, "b": ["1"], "c": {"1": None}, "d": {"": "acme.localhost"}, "e": {**GRANT, "2": 1}, "f": "g"}
    assert of({"active": True, ROLES: bad | {"good": GRANT}}).roles() == {"good": GRANT}
    assert of({"active": True, ROLES: ["good"]}).roles() == {}


LIKE_JSON = st.recursive(  # also NaN and Infinity, which Python writes and JSON does not have
    st.none() | st.booleans() | st.integers() | st.floats() | texts(most=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts(most=8), inner, max_size=4),
    max_leaves=12,
)
READ_CLAIMS = ("active", "exp", "nbf", "aud", "scope", "act", ROLES, roles_claim_of(PROJECT))
ANSWERS = LIKE_JSON | st.fixed_dictionaries({}, optional=dict.fromkeys(READ_CLAIMS, LIKE_JSON))


@given(value=ANSWERS)
def test_any_json_is_active_by_the_boolean_true_alone_or_unusable(value: object) -> None:
    try:
        answer = of(value)
    except UnusableAnswer:
        return
    assert isinstance(value, dict)
    assert answer.active is value["active"]
    assert isinstance(answer.active, bool)
    assert type(answer.expires_at) in (int, type(None))
    assert type(answer.not_before) in (int, type(None))
    assert all(
        isinstance(name, str)
        for name in (*answer.audience, *answer.scopes, *answer.actors, *answer.roles(), *answer.roles(PROJECT))
    )


HEADERS = st.fixed_dictionaries(
    {}, optional={"content-type": texts(most=30), "retry-after": texts(most=12), "location": texts()}
)
TEXTS = st.sampled_from(
    [b"QUERY-d3fas", b"unable to set instance using origin", b'{"error":"unauthorized_client"}', b"{"]
)


@given(status=st.integers(100, 999), body=st.binary(max_size=60) | TEXTS, headers=HEADERS)
def test_any_answer_is_an_introspection_or_an_error_of_the_tree(
    status: int, body: bytes, headers: dict[str, str]
) -> None:
    try:
        answer = read_answer(of_body(body, status, **headers))
    except IntrospectionError as failed:
        assert failed.status in (502, 503)  # noqa: PT017  # raising is one of two right outcomes
        return
    assert (status, answer.active) in ((200, True), (200, False))
