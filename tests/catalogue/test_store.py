"""The catalogue of faults: the store in which workers and machines share answers."""

from contextlib import nullcontext
from typing import Any

import pytest

from tests.support.cli import Shell, settings
from tests.support.named_causes import Output, doctor
from tests.support.redis_server import RedisServer, shared_server
from tests.support.upstream import LOOPBACK, refusing_port
from zdemo.emulator import Emulator

PASSWORD = "a-password-of-the-store"


@pytest.fixture
def store() -> RedisServer:
    return shared_server()


def shared(
    shell: Shell, zitadel: Emulator, url: str, *failing: str, warned: tuple[str, ...] = (), **more: str
) -> Output:
    """Run doctor with a store."""
    output = doctor(shell, {**settings(zitadel.url), "ZDEMO_CACHE_URL": url, **more}, *failing, warned=warned)
    assert PASSWORD not in output.ran.all
    assert output.ran.err == ""
    return output


def test_a_store_that_works_is_not_used_or_is_not_there(bare: Shell, zitadel: Emulator, store: RedisServer) -> None:
    with store.asking(PASSWORD):
        assert "✓ cache         answers, takes answers\n" in shared(bare, zitadel, store.url).ran.out
        unused = shared(bare, zitadel, store.url, warned=("cache.reachable",), ZDEMO_CACHE_TTL="0")
    unused.names("the store is not used: ZDEMO_CACHE_TTL is 0", "fix set ZDEMO_CACHE_TTL")
    assert "! cache         not used\n" in unused.ran.out
    assert "cache" not in doctor(bare, settings(zitadel.url)).ran.out
    asked = bare("doctor", "--only", "cache.reachable", **settings(zitadel.url))
    assert (asked.code, "ZDEMO_CACHE_URL is not set" in asked.out) == (1, True)
    with refusing_port() as port:
        output = shared(bare, zitadel, f"redis://{LOOPBACK}:{port}", "cache.reachable")
    output.names(f"the store at {LOOPBACK}:{port} refuses connections", "fix start it, or correct ZDEMO_CACHE_URL")
    assert "✗ cache         the store cannot be used\n" in output.ran.out
    url = zitadel.url.replace("http://localhost", f"redis://{LOOPBACK}")
    output = shared(bare, zitadel, url, "cache.reachable")
    output.names("the store at .* does not answer as Redis or Valkey does", "fix correct host and port")


def full(store: RedisServer) -> None:
    store.run("CONFIG", "SET", "maxmemory", "1")


def read_only(store: RedisServer) -> None:
    store.run("REPLICAOF", LOOPBACK, "1")


WRONG = ("refuses the user name or the", "fix correct them in")


@pytest.mark.parametrize(
    ("password", "url", "plant", "failing", "named"),
    [
        (PASSWORD, "redis://:wrong@", None, "cache.reachable", WRONG),
        (PASSWORD, "redis://", None, "cache.reachable", ("or requires a password", "fix correct them in")),
        ("", "rediss://", None, "cache.reachable", ("does not answer in time", "fix .*use rediss:// only for")),
        ("", "redis://", full, "cache.writable", ("it is full", "fix raise its maxmemory")),
        ("", "redis://", read_only, "cache.writable", ("a read-only replica", "fix .*name the primary in")),
        ("", "redis://", "stops", "cache.reachable", ("does not answer in time", "fix check the store")),
    ],
)
def test_a_store_that_does_not_take_the_api(
    bare: Shell,
    zitadel: Emulator,
    store: RedisServer,
    *,
    password: str,
    url: str,
    plant: Any,
    failing: str,
    named: tuple[str, ...],
) -> None:
    with store.asking(password):
        if callable(plant):
            plant(store)
        with store.stopped() if plant == "stops" else nullcontext():
            output = shared(bare, zitadel, f"{url}{LOOPBACK}:{store.port}", failing)
    output.names(*named)
