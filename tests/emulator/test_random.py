"""Random forms and messages over HTTP: whatever comes, the emulator answers, and never by a defect of its own."""

import json
import logging
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.emulator_target import INTROSPECT, NOBODY, REVOKE, TOKEN, USERINFO, Server, basic, bearer
from tests.support.wire import Reply, exchange, request
from zdemo.emulator import (
    ADMIN,
    APPLICATION_ID,
    AUTHORIZATION_ID,
    CLIENT_ID,
    CLIENT_SECRET,
    ORGANIZATION_ID,
    PROJECT_ID,
    READER,
    Emulator,
    emulate,
    known_world,
)
from zdemo.emulator.api import REST_FORMS, SERVICES, v1
from zdemo.emulator.api.call import Method
from zdemo.emulator.api.messages import Enum, FieldType, Flag, Message, Repeated, Sub, Time

pytestmark = pytest.mark.usefixtures("emulator_only")
DEEPEST = 3
# the emulator is shared by all examples, and gets a new world for each
chance = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with emulate() as running:
        yield running


def _send(emulator: Emulator, data: bytes, caplog: pytest.LogCaptureFixture) -> Reply:
    """Send a request, which must be answered, and not by a failure that the emulator logs."""
    caplog.clear()
    reply = exchange(int(emulator.url.rpartition(":")[2]), data)
    assert reply.status
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
    return reply


# --- messages

IDS = (ORGANIZATION_ID, PROJECT_ID, APPLICATION_ID, AUTHORIZATION_ID, READER.id, ADMIN.id, CLIENT_ID, NOBODY, "", ":")
TEXTS = st.one_of(st.sampled_from(IDS), st.sampled_from(["read:messages", "a", "A" * 201, "\0", "é\u2028"]), st.text())
NUMBERS = st.one_of(
    st.integers(-1, 1001), st.sampled_from([2**32, 2**63, 2**64, 1e308, 0.5, -0.0, "7", "1e1", "9" * 30, 10**400])
)
TIMES = st.sampled_from(["2030-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "", "2030"])
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS, TIMES),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)


def value_of(kind: FieldType, depth: int = 0) -> st.SearchStrategy[Any]:
    """Return what may be sent for a field: usually of its type."""
    if isinstance(kind, Repeated):
        fitting: st.SearchStrategy[Any] = st.lists(value_of(kind.of, depth), max_size=3)
    elif isinstance(kind, Sub):
        message = kind.message if isinstance(kind.message, Message) else kind.message()
        fitting = fields_of(message, depth + 1) if depth < DEEPEST else st.just({})
    elif isinstance(kind, Enum):
        fitting = st.one_of(st.sampled_from(kind.words), st.integers(-1, len(kind.words)))
    elif isinstance(kind, Flag):
        fitting = st.booleans()
    elif isinstance(kind, Time):
        fitting = TIMES
    else:
        fitting = st.one_of(TEXTS, NUMBERS)
    return st.one_of(fitting, fitting, fitting, ANYTHING)


def fields_of(message: Message, depth: int = 0) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional={name: value_of(kind, depth) for name, kind in message.fields.items()})


CALLS: list[tuple[str, str, Method]] = [
    *[
        ("POST", f"/{service.name}/{name}", made)
        for service in SERVICES.values()
        for name, made in service.methods.items()
    ],
    *[(verb, path, service.methods[name]) for verb, path, service, name in REST_FORMS],
    *v1.ROUTES,
]
MESSAGES = [(verb, path, fields_of(method.request)) for verb, path, method in CALLS]


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, str, Any]:
    """Return a call of any method: its verb, its path with IDs in place, and its message."""
    verb, path, message = draw(st.sampled_from(MESSAGES))
    for name in ("userId", "keyId", "tokenId"):
        path = path.replace(f"<{name}>", draw(st.sampled_from([READER.id, ADMIN.id, NOBODY, "%00", "a%2Fb"])))
    return verb, path, draw(message)


@chance
@given(
    calls=st.lists(calls(), min_size=1, max_size=4),
    body=st.one_of(st.binary(max_size=60), ANYTHING.map(lambda value: json.dumps(value).encode())),
)
def test_any_messages_and_bodies(
    calls: list[tuple[str, str, Any]], body: bytes, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    vars(emulator.world).update(vars(known_world()))
    host = Server(emulator.url).host
    fields = [f"Authorization: Bearer {ADMIN.pat}", "Content-Type: application/json"]
    requests = [(verb, path, json.dumps(message).encode()) for verb, path, message in calls]
    requests += [("POST", path, body) for path in ("/zitadel.user.v2.UserService/ListUsers", "/v2/users")]
    for verb, path, content in requests:
        reply = _send(emulator, request(path, *fields, method=verb, body=content, host=host), caplog)
        assert reply.status != 500 or b"SQLSTATE" in reply.body


# --- forms

PARAMETERS = [
    "token",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "grant_type",
    "scope",
    "assertion",
    "access_token",
    "refresh_token",
    "code",
    "device_code",
    "subject_token",
    "redirect_uri",
]
VALUES = st.one_of(
    st.sampled_from([READER.pat, CLIENT_ID, CLIENT_SECRET, "client_credentials", '{"a":' * 3000]),
    st.sampled_from([f"urn:ietf:params:oauth:{kind}:jwt-bearer" for kind in ("grant-type", "client-assertion-type")]),
    st.just("openid profile urn:zitadel:iam:org:project:id:zitadel:aud"),
    st.sampled_from(["e30.e30.e30", "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOjF9.AA", "..", "e30.e30.e30.e30.e30"]),
    st.just(json.dumps(dict.fromkeys(("protected", "encrypted_key", "iv", "ciphertext", "tag"), ""))),
    st.text(max_size=8),
)
RAW = st.text("%&=+;a41fF\u00e9", max_size=20)
AUTHORIZATIONS = st.one_of(
    st.just(""),
    st.sampled_from([basic(CLIENT_ID, CLIENT_SECRET), bearer(READER.pat), bearer("a.b.c")]).map(
        lambda fields: f"Authorization: {fields['Authorization']}"
    ),
    st.text("Basicer =:QUJD", max_size=20).map(lambda value: f"Authorization: {value}"),
)


@chance
@given(
    path=st.sampled_from(
        [INTROSPECT, TOKEN, USERINFO, REVOKE, "/oauth/v2/authorize", "/oauth/v2/device_authorization"]
    ),
    query=RAW,
    form=st.one_of(RAW, st.lists(st.tuples(st.sampled_from(PARAMETERS), VALUES), max_size=6).map(urlencode)),
    authorization=AUTHORIZATIONS,
)
def test_any_form(
    path: str, query: str, form: str, authorization: str, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    fields = ["Content-Type: application/x-www-form-urlencoded", *([authorization] if authorization else [])]
    target = f"{path}?{quote(query, safe='%&=+;')}"
    host = Server(emulator.url).host
    reply = _send(emulator, request(target, *fields, method="POST", body=form.encode(), host=host), caplog)
    assert reply.status != 500
