"""Whatever ZITADEL does: no 500, no request admitted that it did not just confirm, and each answer in time.

Some faults of each kind are tried, while the cache's answer is not there yet (cold), good (warm), or just too old
(expired). What the client makes of every fault is tested in ``tests/zitadel``.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.apis import MESSAGES, PRIVATE, PUBLIC, SCOPED, Api, Time, plain_api, remembering, settings_for
from tests.support.connection_faults import ACTIVE, FAULTS
from tests.support.rows import check_body
from tests.support.upstream import Upstream, upstream
from tests.support.wire import Reply
from zdemo.config.parsers import DEFAULT_TIMEOUT_SECONDS
from zdemo.config.settings import Settings
from zdemo.config.variables import DEFAULT_CACHE_TTL_SECONDS

PROJECT = "300000000000000010"
HANG_SECONDS = 0.5  # how long ZITADEL is waited for where a fault hangs; elsewhere the default, for busy machines
IN_TIME_SECONDS = HANG_SECONDS + 2
GOOD_TOKEN = "a-good-token"
GUARDED = (PRIVATE, SCOPED)
OF_EACH_KIND = (
    *("drips its body", "resets", "cuts off its body", "429", "503 as HTML", "404, database away"),
    *("404, wrong Host", "8 MiB", "text", "active as text", "exp null", "307", "400 unauthorized_client", "403", "204"),
)


def _settings(url: str, *, hangs: bool = False) -> Settings:
    timeout_seconds = HANG_SECONDS if hangs else DEFAULT_TIMEOUT_SECONDS
    return settings_for(url, project_id=PROJECT, timeout_seconds=timeout_seconds)


@pytest.fixture(scope="module")
def standing() -> Iterator[Api]:
    """One server for all tests here; what it asks is each test's own."""
    with plain_api(_settings("http://127.0.0.1:9")) as api:
        yield api


@contextmanager
def _protected(api: Api, up: Upstream, clocks: Time | None = None, *, hangs: bool = False) -> Iterator[None]:
    """The API has cache and protection before its client, and nothing in them."""
    settings, clocks = _settings(up.url, hangs=hangs), clocks or Time()
    with remembering(settings, clocks) as introspector:
        api.use(settings, introspector, clocks.wall)
        yield


def _ask(api: Api, route: str, token: str = GOOD_TOKEN) -> Reply:
    """One answer, which must come in time."""
    start = time.monotonic()
    reply = api.get(route, token)
    assert time.monotonic() - start < IN_TIME_SECONDS
    return reply


def _check_failure(reply: Reply, status: int) -> None:
    """502 or 503, as callers see it: without a word about the cause, and without a challenge."""
    assert reply.status == status
    assert reply.one("www-authenticate") is None
    assert reply.one("cache-control") == "no-store"
    if status == 503:
        assert 1 <= int(reply.one("retry-after") or 0) <= 60
        check_body(reply, "service_unavailable", description="the token cannot be checked now; try again")
    else:
        assert reply.one("retry-after") is None
        check_body(reply, "bad_gateway", description="the token cannot be checked; see this API's log")


def _check_let_in(reply: Reply, route: str) -> None:
    assert (reply.status, reply.json) == (200, {"message": MESSAGES[route]})


@pytest.mark.parametrize("name", OF_EACH_KIND)
def test_cold_warm_and_just_expired(name: str, standing: Api) -> None:
    fault, clocks = FAULTS[name], Time()
    with upstream(ACTIVE) as up, _protected(standing, up, clocks, hangs=fault.hangs):
        for route in GUARDED:
            _check_let_in(_ask(standing, route), route)
        assert len(up.requests) == 1
        up.now(fault.behaviour)
        _check_failure(_ask(standing, SCOPED, "another-token"), fault.status)
        for route in (PUBLIC, *GUARDED):
            _check_let_in(_ask(standing, route), route)
        clocks.ahead_seconds = DEFAULT_CACHE_TTL_SECONDS
        _check_failure(_ask(standing, PRIVATE), fault.status)


def test_retry_after_is_zitadels_where_it_names_one(standing: Api) -> None:
    with upstream(FAULTS["429 with Retry-After"].behaviour) as up, _protected(standing, up):
        assert _ask(standing, PRIVATE).one("retry-after") == "7"


@pytest.mark.parametrize("name", ["400 unauthorized_client", "503 as HTML"])
def test_service_resumes_within_a_second_of_zitadels_return(name: str, standing: Api) -> None:
    fault = FAULTS[name]
    with upstream(fault.behaviour) as up, _protected(standing, up):
        for number in range(12):
            _check_failure(_ask(standing, PRIVATE, f"token-{number}"), fault.status)
        up.now(ACTIVE)
        end = time.monotonic() + 1 + 1  # of grace for a busy machine
        while (status := _ask(standing, SCOPED).status) != 200:
            assert status == fault.status
            assert time.monotonic() < end
            time.sleep(0.05)
