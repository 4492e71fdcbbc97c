"""``docs/examples/one_file_guard.py``: it passes the server's table, fails closed, and is short enough to read."""

from __future__ import annotations

import ast
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.apis import EXAMPLE, MESSAGES, PRIVATE, PUBLIC, SCOPED, Api, one_file_api, settings_for
from tests.support.connection_faults import ACTIVE, FAULTS, INACTIVE, WITHOUT_ROLE, claims
from tests.support.rows import INSUFFICIENT_SCOPE, INVALID_TOKEN, ROWS, check_body, check_rows
from tests.support.upstream import Behaviour, Upstream, upstream
from tests.support.waiting import eventually
from zdemo.config.settings import Settings
from zdemo.introspection.model import roles_claim_of

PROJECT = "300000000000000010"
NOT_COVERED = {"aud with numbers": "401: no audience is a number"}
COVERED = {name: fault for name, fault in FAULTS.items() if name not in NOT_COVERED}
COVERED_ROWS = {name: row for name, row in ROWS.items() if row.status != 413}  # it limits only bodies that it reads


def test_it_is_short_and_needs_nothing_of_zdemo() -> None:
    source = EXAMPLE.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 110
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            assert "zdemo" not in ast.unparse(node)


@pytest.fixture(scope="module")
def api(settings: Settings) -> Iterator[Api]:
    with one_file_api(settings) as running:
        yield running


def test_each_answer_is_the_one_in_the_table(api: Api) -> None:
    check_rows(api, COVERED_ROWS)


@pytest.fixture(scope="module")
def up() -> Iterator[Upstream]:
    with upstream(INACTIVE) as running:
        yield running


@pytest.fixture(scope="module")
def fed(up: Upstream) -> Iterator[Api]:
    """The example, which asks ``up`` about every request."""
    with one_file_api(settings_for(up.url, project_id=PROJECT), ZDEMO_TIMEOUT="1") as running:
        yield running


@pytest.mark.parametrize("name", COVERED)
def test_it_fails_closed(name: str, up: Upstream, fed: Api) -> None:
    up.now(COVERED[name].behaviour)
    reply = fed.get(SCOPED)
    assert (reply.status, reply.one("www-authenticate")) == (COVERED[name].status, None)
    assert reply.one("retry-after") == ("1" if reply.status == 503 else None)
    check_body(reply, {502: "bad_gateway", 503: "service_unavailable"}[reply.status])
    assert fed.get(PUBLIC).status == 200


NOW = int(time.time())
NO_ROLES: list[Any] = [None, {}, [], ["read:messages"], "read:messages"]
NO_GRANTS: list[Any] = [None, {}, [], True]
JUDGED: list[tuple[dict[str, Any], str | None]] = [
    ({}, None),
    ({"exp": NOW - 1}, INVALID_TOKEN),
    ({"nbf": NOW + 3600}, INVALID_TOKEN),
    ({"aud": ["300000000000000099"]}, INVALID_TOKEN),
    ({"aud": []}, INVALID_TOKEN),
    *(({roles_claim_of(PROJECT): claim}, INSUFFICIENT_SCOPE) for claim in NO_ROLES),
    *(({roles_claim_of(PROJECT): {"read:messages": grant}}, INSUFFICIENT_SCOPE) for grant in NO_GRANTS),
]


@pytest.mark.parametrize(("changed", "challenge"), JUDGED)
def test_claims_decide(changed: dict[str, Any], challenge: str | None, up: Upstream, fed: Api) -> None:
    up.now(claims(**changed))
    reply = fed.get(SCOPED)
    assert (reply.status, reply.one("www-authenticate")) == (401 if challenge else 200, challenge)


def test_a_scope_is_not_a_role(up: Upstream, fed: Api) -> None:
    up.now(WITHOUT_ROLE)
    assert fed.get(SCOPED).one("www-authenticate") == INSUFFICIENT_SCOPE
    assert fed.get(PRIVATE).json == {"message": MESSAGES[PRIVATE]}


def test_the_client_authenticates_with_basic_credentials(up: Upstream, fed: Api) -> None:
    up.now(ACTIVE)
    assert fed.get(PRIVATE, "a-._~+/b==").status == 200
    received = up.requests[-1]
    assert (received.method, received.target, received.form) == (
        "POST",
        "/oauth/v2/introspect",
        {"token": "a-._~+/b=="},
    )
    assert received.headers["authorization"].startswith("Basic ")


def test_an_active_answer_is_kept_and_no_other() -> None:
    with (
        upstream(INACTIVE, FAULTS["500"].behaviour, ACTIVE, FAULTS["hangs up"].behaviour) as up,
        one_file_api(settings_for(up.url, project_id=PROJECT), ZDEMO_CACHE_TTL="60") as api,
    ):
        assert [api.get(SCOPED).status for _ in range(5)] == [401, 503, 200, 200, 200]
        assert api.get(SCOPED, "another-token").status == 503
        assert len(up.requests) == 4


@pytest.mark.parametrize(("then", "status"), [(INACTIVE, 401), (FAULTS["resets"].behaviour, 503)])
def test_an_answer_is_used_for_the_ttl_at_most(then: Behaviour, status: int) -> None:
    with (
        upstream(ACTIVE, then) as up,
        one_file_api(settings_for(up.url, project_id=PROJECT), ZDEMO_CACHE_TTL="0.1") as api,
    ):
        assert api.get(PRIVATE).status == 200
        eventually("it is refused", lambda: api.get(PRIVATE), lambda reply: reply.status == status)


def test_an_expiry_that_passes_while_the_answer_is_kept_counts() -> None:
    with (
        upstream(claims(exp=int(time.time()) + 1)) as up,
        one_file_api(settings_for(up.url, project_id=PROJECT), ZDEMO_CACHE_TTL="60") as api,
    ):
        eventually("it expires", lambda: api.get(PRIVATE), lambda reply: reply.status == 401)
        assert len(up.requests) == 1
