"""The catalogue of faults: the store in which workers and machines share answers."""

import pytest

from tests.support.cli import Shell
from tests.support.named_causes import Output, doctor, settings
from tests.support.ports import LOOPBACK
from tests.support.redis_server import RedisServer, redis_server
from tests.support.upstream import refusing_port
from zdemo.emulator import Emulator

PASSWORD = "a-password-of-the-store"


def shared(
    shell: Shell, zitadel: Emulator, url: str, *failing: str, warned: tuple[str, ...] = (), **more: str
) -> Output:
    """Run doctor with a store."""
    output = doctor(shell, {**settings(zitadel.url), "ZDEMO_CACHE_URL": url, **more}, *failing, warned=warned)
    assert PASSWORD not in output.ran.all
    assert output.ran.err == ""
    return output


def test_a_store_that_works(bare: Shell, zitadel: Emulator) -> None:
    with redis_server(password=PASSWORD) as store:
        assert "✓ cache         answers, takes answers\n" in shared(bare, zitadel, store.url).ran.out


def test_without_a_store_doctor_does_not_speak_of_it(bare: Shell, zitadel: Emulator) -> None:
    assert "cache" not in doctor(bare, settings(zitadel.url)).ran.out
    asked = bare("doctor", "--only", "cache.reachable", **settings(zitadel.url))
    assert (asked.code, "ZDEMO_CACHE_URL is not set" in asked.out) == (1, True)


def test_a_store_that_does_not_run(bare: Shell, zitadel: Emulator) -> None:
    with refusing_port() as port:
        output = shared(bare, zitadel, f"redis://{LOOPBACK}:{port}", "cache.reachable")
    output.names(f"the store at {LOOPBACK}:{port} refuses connections", "fix start it, or correct ZDEMO_CACHE_URL")


def test_a_store_that_hangs(bare: Shell, zitadel: Emulator) -> None:
    with redis_server() as store, store.stopped():
        shared(bare, zitadel, store.url, "cache.reachable").names("does not answer in time", "fix check the store")


def test_another_program_in_place_of_the_store(bare: Shell, zitadel: Emulator) -> None:
    url = zitadel.url.replace("http://localhost", f"redis://{LOOPBACK}")
    output = shared(bare, zitadel, url, "cache.reachable")
    output.names("the store at .* does not answer as Redis or Valkey does", "fix correct host and port")


def test_a_wrong_password(bare: Shell, zitadel: Emulator) -> None:
    with redis_server(password=PASSWORD) as store:
        output = shared(bare, zitadel, f"redis://:wrong@{LOOPBACK}:{store.port}", "cache.reachable")
    output.names("refuses the user name or the password", "fix correct them in ZDEMO_CACHE_URL")
    output.names("the API works without it, and asks ZITADEL more often")
    assert "✗ cache         the store cannot be used\n" in output.ran.out


def test_a_password_that_is_missing(bare: Shell, zitadel: Emulator) -> None:
    with redis_server(password=PASSWORD) as store:
        output = shared(bare, zitadel, f"redis://{LOOPBACK}:{store.port}", "cache.reachable")
    output.names("or requires a password", "fix correct them in ZDEMO_CACHE_URL")


def test_tls_where_the_store_has_none(bare: Shell, zitadel: Emulator) -> None:
    with redis_server() as store:
        output = shared(bare, zitadel, f"rediss://{LOOPBACK}:{store.port}", "cache.reachable")
    output.names("does not answer in time", "fix .*use rediss:// only for a port with TLS")


def full(store: RedisServer) -> None:
    store.run("CONFIG", "SET", "maxmemory", "1")


def read_only(store: RedisServer) -> None:
    store.run("REPLICAOF", LOOPBACK, "1")


@pytest.mark.parametrize(
    ("plant", "cause", "fix"),
    [
        (full, "it is full", "raise its maxmemory"),
        (read_only, "a read-only replica", ".*name the primary in ZDEMO_CACHE_URL"),
    ],
)
def test_a_store_that_takes_nothing(bare: Shell, zitadel: Emulator, plant: object, cause: str, fix: str) -> None:
    assert callable(plant)
    with redis_server() as store:
        plant(store)
        shared(bare, zitadel, store.url, "cache.writable").names(cause, f"fix {fix}")


def test_a_store_that_is_not_used(bare: Shell, zitadel: Emulator) -> None:
    with redis_server() as store:
        output = shared(bare, zitadel, store.url, warned=("cache.reachable",), ZDEMO_CACHE_TTL="0")
    output.names("the store is not used: ZDEMO_CACHE_TTL is 0", "fix set ZDEMO_CACHE_TTL")
    assert "! cache         not used\n" in output.ran.out
