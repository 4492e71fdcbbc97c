"""Workers that are forked after their app has asked ZITADEL share nothing with each other that could mix up answers."""

import json
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.apis import PRIVATE, Endpoint
from tests.support.prefork import SERVERS, WORKERS, forked
from tests.support.processes import run_python
from tests.support.redis_server import redis_server
from tests.support.waiting import eventually
from tests.support.wire import request
from zdemo.testing import ZitadelEmulator

PAIRS = 48  # of a good and a bad token, each a question to ZITADEL
AT_ONCE = 16


@pytest.fixture(scope="module")
def zitadel() -> Iterator[ZitadelEmulator]:
    with ZitadelEmulator() as running:
        yield running


@pytest.fixture(scope="module")
def good(zitadel: ZitadelEmulator) -> list[str]:
    return [zitadel.user(f"user-{number}") for number in range(PAIRS)]


@pytest.fixture(scope="module")
def environment(zitadel: ZitadelEmulator) -> Iterator[dict[str, str]]:
    with redis_server() as store:
        yield {**zitadel.env, "ZDEMO_CACHE_URL": store.url, "ZDEMO_CACHE_TTL": "60"}


def crossed(good: list[str]) -> list[str]:
    """Return good and bad tokens in turn."""
    return [token for one in good for token in (one, secrets.token_urlsafe())]


def statuses(api: Endpoint, tokens: list[str]) -> list[int]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [reply.status for reply in pool.map(lambda token: api.get(PRIVATE, token), tokens)]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.thorough] * ("gunicorn" in name)) for name in SERVERS]
)
def test_forked_workers_of_a_server_mix_up_no_answers_and_follow_orders(
    name: str, zitadel: ZitadelEmulator, good: list[str], environment: dict[str, str], tmp_path: Path
) -> None:
    leaver = zitadel.user(f"leaver-{name}")
    with forked(name, environment, tmp_path) as api:
        assert statuses(api, crossed(good)) == [200, 401] * PAIRS
        assert statuses(api, [leaver] * PAIRS) == [200] * PAIRS
        zitadel.remove(f"leaver-{name}")
        body = json.dumps({"token": leaver}).encode()
        assert api.send(request("/-/forget", "Content-Type: application/json", method="POST", body=body)).status == 200
        eventually("all workers forget", lambda: {*statuses(api, [leaver] * PAIRS)}, lambda found: found == {401})


def test_a_forked_process_shares_no_lock_socket_or_thread_with_its_parent(
    good: list[str], environment: dict[str, str]
) -> None:
    tokens = [
        [token for one in good[number::WORKERS] for token in (one, secrets.token_urlsafe())]
        for number in range(WORKERS)
    ]
    script = "import sys; from tests.support.inherited import main; main(sys.argv[1])"
    variables = {**environment, "ZDEMO_EVENTS_KEY": "0123456789abcdef"}
    reports = json.loads(run_python(script, json.dumps(tokens), environment=variables))
    assert reports == [[[], [200, 401] * (PAIRS // WORKERS)]] * WORKERS
