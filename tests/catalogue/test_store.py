"""The catalogue of faults: the store in which workers and machines share answers."""

from tests.catalogue.named_causes import Output, doctor
from tests.support.cli import Shell, settings
from tests.support.redis_server import shared_server
from tests.support.upstream import LOOPBACK, refusing_port
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


def test_a_store_that_works_is_not_used_or_is_not_there(bare: Shell, zitadel: Emulator) -> None:
    store = shared_server()
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


def test_a_store_that_does_not_take_the_password_or_answers(bare: Shell, zitadel: Emulator) -> None:
    """What else a store may do is in ``tests/guard/shared/test_store_faults.py``."""
    store = shared_server()
    url = f"redis://:wrong@{LOOPBACK}:{store.port}"
    with store.asking(PASSWORD):
        output = shared(bare, zitadel, url, "cache.reachable")
    output.names("refuses the user name or the password", "fix correct them in")
    store.run("REPLICAOF", LOOPBACK, "1")
    output = shared(bare, zitadel, store.url, "cache.writable")
    output.names("a read-only replica", "fix .*name the primary in")
