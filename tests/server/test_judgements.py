"""What the API makes of what ZITADEL says of a token: the claims that decide, one by one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.support.apis import PRIVATE, SCOPED, Api, Time, plain_api, protected_api, settings_for
from tests.support.connection_faults import ACTIVE, INACTIVE, PAT_CLAIMS, WITHOUT_ROLE, claims
from tests.support.rows import INSUFFICIENT_SCOPE, INVALID_TOKEN, check_body
from tests.support.upstream import Upstream, answer, json_body, upstream
from zdemo.emulator import emulate
from zdemo.emulator.seed import CLIENT_ID, READER
from zdemo.introspection.model import ROLES_CLAIM, roles_claim_of

PROJECT = "300000000000000010"
OWN_CLAIM = roles_claim_of(PROJECT)
GRANT = {"300000000000000001": "acme.localhost"}


@pytest.fixture(scope="module")
def up() -> Iterator[Upstream]:
    """What stands behind ``api``; each test says what it answers."""
    with upstream(INACTIVE) as running:
        yield running


@pytest.fixture(scope="module")
def api(up: Upstream) -> Iterator[Api]:
    """An API of the project that the upstream's tokens are for."""
    with plain_api(settings_for(up.url, project_id=PROJECT)) as running:
        yield running


@pytest.fixture(scope="module")
def projectless_api(up: Upstream) -> Iterator[Api]:
    """An API that does not know its project."""
    with plain_api(settings_for(up.url, project_id=None)) as running:
        yield running


def test_a_token_is_asked_about_as_it_was_sent(up: Upstream, api: Api) -> None:
    up.now(ACTIVE)
    assert api.get(SCOPED, "a-._~+/b==").status == 200
    received = up.requests[-1]
    assert (received.method, received.target) == ("POST", "/oauth/v2/introspect")
    assert received.form["token"] == "a-._~+/b=="
    assert received.headers["authorization"].startswith("Basic ")


NO_ROLE: dict[str, Any] = {
    "empty": {},
    "null": None,
    "list": [],
    "list of the role": ["read:messages"],
    "text": "read:messages",
    "true": True,
    "other role": {"write:messages": GRANT},
    "no organization": {"read:messages": {}},
    "grant null": {"read:messages": None},
    "grant true": {"read:messages": True},
    "grant as list": {"read:messages": ["300000000000000001"]},
    "grant as text": {"read:messages": "300000000000000001"},
    "domain null": {"read:messages": {"300000000000000001": None}},
    "organization without ID": {"read:messages": {"": "acme.localhost"}},
    "other case": {"Read:Messages": GRANT},
    "blank behind": {"read:messages ": GRANT},
    "longer": {"read:messages:all": GRANT},
    "shorter": {"read": GRANT},
    "list of grants": [{"read:messages": GRANT}],
}


@pytest.mark.parametrize("name", NO_ROLE)
def test_what_is_no_grant_of_the_role_is_refused(name: str, up: Upstream, api: Api, projectless_api: Api) -> None:
    up.now(claims(**{OWN_CLAIM: NO_ROLE[name], ROLES_CLAIM: NO_ROLE[name]}))
    for asked in (api, projectless_api):
        reply = asked.get(SCOPED)
        assert reply.status == 401
        assert reply.one("www-authenticate") == INSUFFICIENT_SCOPE
        check_body(reply, "insufficient_scope", description="the role read:messages is missing")
        assert asked.get(PRIVATE).status == 200


def test_a_role_that_only_scope_lists_is_refused(up: Upstream, api: Api, projectless_api: Api) -> None:
    up.now(WITHOUT_ROLE)
    assert "read:messages" in str(PAT_CLAIMS["scope"])
    for asked in (api, projectless_api):
        assert asked.get(SCOPED).one("www-authenticate") == INSUFFICIENT_SCOPE


def test_only_the_own_projects_roles_count_where_it_is_known(up: Upstream, api: Api, projectless_api: Api) -> None:
    others = {roles_claim_of("300000000000000099"): {"read:messages": GRANT}, ROLES_CLAIM: {"read:messages": GRANT}}
    up.now(claims(**{OWN_CLAIM: {"write:messages": GRANT}}, **others))
    assert api.get(SCOPED).status == 401
    assert projectless_api.get(SCOPED).status == 200


AUDIENCES: list[tuple[Any, int]] = [
    ([PROJECT], 200),
    (PROJECT, 200),
    ([CLIENT_ID], 200),
    (["300000000000000099", PROJECT], 200),
    ([], 401),
    ("", 401),
    (["300000000000000099"], 401),
    ([PROJECT[:-1]], 401),
    ([f" {PROJECT}"], 401),
]


@pytest.mark.parametrize(("audience", "status"), AUDIENCES, ids=str)
def test_the_audience_must_name_project_or_application(
    audience: Any, status: int, up: Upstream, api: Api, projectless_api: Api
) -> None:
    up.now(claims(aud=audience))
    reply = api.get(SCOPED)
    assert reply.status == status
    assert reply.one("www-authenticate") == (None if status == 200 else INVALID_TOKEN)
    assert projectless_api.get(SCOPED).status == 200


@pytest.mark.parametrize("claim", ["aud", "exp", "nbf"])
def test_a_claim_that_is_absent_decides_nothing_but_the_audience(claim: str, up: Upstream, api: Api) -> None:
    up.now(answer(json_body({name: value for name, value in PAT_CLAIMS.items() if name != claim})))
    assert api.get(SCOPED).status == (401 if claim == "aud" else 200)


# seconds from now on, and whether the token passes then
EXPIRIES = [(-1, 401), (0, 401), (60, 200), (253402300799, 200), (10**30, 200), (-(10**30), 401), (-(10**9), 401)]
BEGINNINGS = [(-1, 200), (0, 200), (3, 200), (60, 401), (10**30, 401), (-(10**30), 200)]


@pytest.mark.parametrize(("seconds", "status"), EXPIRIES)
def test_a_token_passes_until_it_expires(seconds: int, status: int, up: Upstream, api: Api) -> None:
    up.now(claims(exp=int(time.time()) + seconds))
    reply = api.get()
    assert reply.status == status
    assert reply.one("www-authenticate") == (None if status == 200 else INVALID_TOKEN)


@pytest.mark.parametrize(("seconds", "status"), BEGINNINGS)
def test_a_token_passes_from_five_seconds_before_its_beginning(
    seconds: int, status: int, up: Upstream, api: Api
) -> None:
    up.now(claims(nbf=int(time.time()) + seconds))
    assert api.get().status == status


@pytest.mark.parametrize(
    "body",
    [
        b'{"Active":true,"active":false}',
        b'\xef\xbb\xbf{"active":false}',
        b'{"active":false,"exp":"never","aud":7}',
    ],
)
def test_what_says_inactive_in_any_way_is_refused(body: bytes, up: Upstream, api: Api) -> None:
    up.now(answer(body))
    reply = api.get()
    assert reply.status == 401
    assert reply.one("www-authenticate") == INVALID_TOKEN
    check_body(reply, "invalid_token", description="the token is not active")


def test_an_expiry_that_passes_while_the_answer_is_kept_is_seen() -> None:
    clocks = Time()
    with (
        upstream(claims(exp=int(time.time()) + 30)) as up,
        protected_api(replace(settings_for(up.url, project_id=PROJECT), cache_ttl_seconds=60.0), clocks) as api,
    ):
        assert [api.get().status, api.get().status] == [200, 200]
        assert len(up.requests) == 1
        clocks.ahead_seconds = 30.5
        reply = api.get()
    assert reply.status == 401
    assert reply.one("www-authenticate") == INVALID_TOKEN


def test_a_role_that_was_removed_passes_until_the_answer_is_too_old_and_no_longer() -> None:
    clocks = Time()
    with emulate() as zitadel, protected_api(settings_for(zitadel.url), clocks) as api:
        assert api.get(SCOPED).status == 200
        zitadel.world.authorizations.clear()
        assert api.get(SCOPED).status == 200
        clocks.ahead_seconds = 5
        assert api.get(SCOPED).one("www-authenticate") == INSUFFICIENT_SCOPE


def test_a_deleted_token_passes_until_the_answer_is_too_old_and_no_longer() -> None:
    clocks = Time()
    with emulate() as zitadel, protected_api(settings_for(zitadel.url), clocks) as api:
        assert api.get().status == 200
        zitadel.world.users[READER.id].pats.clear()
        assert api.get().status == 200
        clocks.ahead_seconds = 5
        assert api.get().one("www-authenticate") == INVALID_TOKEN
        clocks.ahead_seconds = 5.5
        assert api.get().status == 401
