"""A store that fails: every request is answered as without it, in time, and the log says what to do."""

import itertools
import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from tests.support.apis import THREADS, settings_for
from tests.support.redis_server import RedisServer, redis_server, shared_server
from tests.support.upstream import LOOPBACK, Behaviour, Connection, upstream
from tests.support.waiting import eventually
from zdemo.emulator import READER, Emulator
from zdemo.guard.build import build_introspector
from zdemo.guard.cache import CachingIntrospector
from zdemo.guard.shared.answers import SharedAnswers
from zdemo.zitadel.introspection_answer import Source

TIMEOUT = 5.0
TOKENS = [READER.pat, *(f"unknown token {number}" for number in range(15))]
PASSWORD = "Secret-of-the-store-5"
FULL = "it is full", "maxmemory"


@pytest.fixture
def server() -> RedisServer:
    return shared_server()


@pytest.fixture(scope="module")
def by_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RedisServer, Path]]:
    """A store whose certificate is for one address, and the certificate of its authority."""
    folder = tmp_path_factory.mktemp("tls")
    authority, ca, chain, key = trustme.CA(), *(folder / f"{part}.pem" for part in ("ca", "chain", "key"))
    certificate = authority.issue_cert(LOOPBACK)
    authority.cert_pem.write_to_path(ca)
    certificate.cert_chain_pems[0].write_to_path(chain)
    certificate.private_key_pem.write_to_path(key)
    files = {"--tls-cert-file": chain, "--tls-key-file": key, "--tls-ca-cert-file": ca, "--tls-auth-clients": "no"}
    with redis_server(*(str(part) for pair in files.items() for part in pair), tls=True) as server:
        yield server, ca


@contextmanager
def api(zitadel: Emulator, url: str) -> Iterator[tuple[CachingIntrospector, SharedAnswers]]:
    settings = replace(settings_for(zitadel.url, timeout_seconds=TIMEOUT), cache_url=url, cache_ttl_seconds=60)
    introspector = build_introspector(settings, threads=THREADS)
    assert introspector.shared
    with closing(introspector.shared) as shared:
        yield introspector, shared


def check_answers(introspector: CachingIntrospector) -> None:
    """Ask about many tokens, first alone and then all at once; each answer is right, and comes in time."""

    def ask(token: str) -> float:
        began = time.monotonic()
        assert introspector.introspect(token, own=True).active == (token == READER.pat)
        return time.monotonic() - began

    assert ask(TOKENS[0]) < TIMEOUT
    with ThreadPoolExecutor(len(TOKENS)) as pool:
        assert max(pool.map(ask, TOKENS)) < TIMEOUT
    assert sum(map(ask, (f"later {token}" for token in TOKENS))) < TIMEOUT, "the breaker is open"


def check_said(shared: SharedAnswers, caplog: pytest.LogCaptureFixture, reason: str, hint: str) -> None:
    """The log says what is wrong and what to do, once and without a secret; on a busy machine it may say more."""
    assert not shared.store.state.ok
    assert shared.store.counters.shared_failures > 0
    messages = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(set(messages)) == len(messages)
    [matching] = [text for text in messages if reason in text]
    assert matching.startswith("answers are not shared: ")
    assert hint in matching
    assert PASSWORD not in caplog.text + repr(shared) + repr(shared.store.state)


def check_it_shares(introspector: CachingIntrospector, shared: SharedAnswers, server: RedisServer) -> None:
    """Ask until an answer is stored: on a busy machine, a use of the store may take longer than it may."""
    tokens = map(str, itertools.count())

    def shares() -> bool:
        introspector.introspect(next(tokens), own=True)
        return bool(server.keys("answer")) and shared.store.state.ok

    eventually("an answer is stored", shares)


@pytest.mark.parametrize(("fault", "expected"), [("ended", ("refuses connections", "start it")), ("full", FULL)])
def test_a_failing_store_does_not_change_the_answers(
    zitadel: Emulator, caplog: pytest.LogCaptureFixture, fault: str, expected: tuple[str, str]
) -> None:
    with redis_server() as server, api(zitadel, server.url) as (introspector, shared):
        assert introspector.introspect("before", own=True).source is Source.ASKED
        assert shared.store.state.ok
        if fault == "ended":
            server.stop()
        else:
            server.run("CONFIG", "SET", "maxmemory", 1)
        check_answers(introspector)
        check_said(shared, caplog, *expected)


def test_a_store_that_hung_and_works_again_is_used(
    zitadel: Emulator, server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    with api(zitadel, server.url) as (introspector, shared):
        introspector.introspect("before", own=True)
        with server.stopped():
            check_answers(introspector)
            check_said(shared, caplog, "does not answer in time", "network")
        eventually("the store is in use again", lambda: shared.store.state.ok)


@pytest.mark.parametrize("user", [f":not-{PASSWORD}@", f":{PASSWORD}@"])
def test_the_password_is_used_and_never_shown(
    zitadel: Emulator, server: RedisServer, caplog: pytest.LogCaptureFixture, user: str
) -> None:
    caplog.set_level(logging.DEBUG)
    with server.asking(PASSWORD), api(zitadel, f"redis://{user}{LOOPBACK}:{server.port}") as (introspector, shared):
        if user == f":{PASSWORD}@":
            check_it_shares(introspector, shared, server)
        else:
            introspector.introspect("a token", own=True)
            check_said(shared, caplog, "refuses the user name or the password", "ZDEMO_CACHE_URL")
        assert PASSWORD not in caplog.text


@pytest.mark.parametrize(
    ("name", "query", "expected"),
    [
        (LOOPBACK, "?ssl_ca_certs={}", None),
        ("localhost", "?ssl_ca_certs={}", ("fails in TLS: ", "its certificate")),
        (LOOPBACK, "", ("fails in TLS: self-signed certificate", "ssl_ca_certs=FILE")),
    ],
)
def test_tls_works_with_the_right_certificate_alone(
    zitadel: Emulator,
    by_tls: tuple[RedisServer, Path],
    caplog: pytest.LogCaptureFixture,
    name: str,
    query: str,
    expected: tuple[str, str] | None,
) -> None:
    server, ca = by_tls
    with api(zitadel, f"rediss://{name}:{server.port}{query.format(ca)}") as (introspector, shared):
        if expected:
            introspector.introspect("a token", own=True)
            check_said(shared, caplog, *expected)
        else:
            check_it_shares(introspector, shared, server)


def answering(answer: bytes) -> Behaviour:
    def behave(connection: Connection) -> bool:
        while connection.sock.recv(65536):
            connection.sock.sendall(answer)
        return False

    return behave


@pytest.mark.parametrize(
    ("behaviour", "scheme", "expected"),
    [
        (
            answering(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
            "redis",
            ("does not answer as Redis", "correct host and port"),
        ),
        (answering(b"-ERR unknown command\r\n"), "rediss", ("fails in TLS", "rediss:// only")),
        (answering(b""), "rediss", ("in time", "rediss:// only")),
    ],
)
def test_what_is_not_a_store_does_no_harm(
    zitadel: Emulator, caplog: pytest.LogCaptureFixture, behaviour: Behaviour, scheme: str, expected: tuple[str, str]
) -> None:
    with (
        upstream(on_connect=behaviour) as server,
        api(zitadel, f"{scheme}://{LOOPBACK}:{server.port}") as (introspector, shared),
    ):
        if scheme == "redis":
            check_answers(introspector)
        else:  # each attempt at TLS reads this machine's certificates, which takes long
            introspector.introspect("a token", own=True)
        check_said(shared, caplog, *expected)
