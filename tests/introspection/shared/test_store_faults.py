"""A store that fails: every request is answered as without it, in time, and the log says what to do."""

import itertools
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from tests.support.apis import settings_for
from tests.support.ports import LOOPBACK, free_port
from tests.support.redis_server import (
    Behaviour,
    RedisServer,
    answering,
    closing_at_once,
    dripping,
    pretended_store,
    redis_server,
)
from tests.support.sharing import sharing
from tests.support.waiting import eventually
from zdemo.emulator import READER, Emulator, emulate
from zdemo.introspection.cache import CachingIntrospector
from zdemo.introspection.model import Source
from zdemo.introspection.shared.answers import SharedAnswers
from zdemo.introspection.shared.order_feed import REST_SECONDS

TIMEOUT = 5.0
TOKENS = [READER.pat, *(f"unknown token {number}" for number in range(15))]
PASSWORD = "Secret-of-the-store-5"
HUGE = b"$900000000\r\n" + b"x" * 2**20
Url = AbstractContextManager[str]


@pytest.fixture(scope="module")
def zitadel() -> Iterator[Emulator]:
    with emulate() as emulator:
        yield emulator


@contextmanager
def api(zitadel: Emulator, url: str) -> Iterator[tuple[CachingIntrospector, SharedAnswers]]:
    settings = replace(settings_for(zitadel.url, timeout_seconds=TIMEOUT), cache_url=url, cache_ttl_seconds=60)
    with sharing(settings) as introspector:
        assert introspector.shared
        yield introspector, introspector.shared


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


def stopped(server: RedisServer) -> None:
    server.stop()


def full(server: RedisServer) -> None:
    server.run("CONFIG", "SET", "maxmemory", 1)


def replica(server: RedisServer) -> None:
    server.run("REPLICAOF", LOOPBACK, free_port())


def without_scripts(server: RedisServer) -> None:
    server.run("ACL", "SETUSER", "default", "-eval", "-evalsha")


@pytest.mark.parametrize(
    ("fault", "reason", "hint"),
    [
        (stopped, "refuses connections", "start it"),
        (full, "is full", "maxmemory"),
        (replica, "read-only", "primary"),
        (without_scripts, "does not allow", "+evalsha"),
    ],
)
def test_requests_are_answered_as_without_a_store_that_fails(
    zitadel: Emulator,
    caplog: pytest.LogCaptureFixture,
    fault: Callable[[RedisServer], None],
    reason: str,
    hint: str,
) -> None:
    with redis_server() as server, api(zitadel, server.url) as (introspector, shared):
        assert introspector.introspect("before", own=True).source is Source.ASKED
        assert shared.state.ok
        fault(server)
        check_answers(introspector)
        check_said(shared, caplog, reason, hint)


def check_said(shared: SharedAnswers, caplog: pytest.LogCaptureFixture, reason: str, hint: str) -> None:
    """The log says what is wrong and what to do, once and without a secret; on a busy machine it may say more."""
    assert not shared.state.ok
    assert shared.counters.shared_failures > 0
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(set(said)) == len(said)
    [matching] = [text for text in said if reason in text]
    assert matching.startswith("answers are not shared: ")
    assert hint in matching
    assert PASSWORD not in caplog.text + repr(shared.state)


def test_a_store_that_hangs_and_goes_on_is_used_again(zitadel: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    with redis_server() as server, api(zitadel, server.url) as (introspector, shared):
        introspector.introspect("before", own=True)
        with server.stopped():
            check_answers(introspector)
            check_said(shared, caplog, "does not answer in time", "network")
        check_it_works_again(zitadel, server.url, shared)


def check_it_works_again(zitadel: Emulator, url: str, shared: SharedAnswers) -> None:
    eventually("the store is in use again", lambda: shared.state.ok)
    with api(zitadel, url) as (one, _), api(zitadel, url) as (other, _):
        assert [each.introspect(READER.pat).source for each in (one, other)][1] is Source.SHARED


def test_a_store_that_was_restarted_is_used_again_and_no_request_notices(zitadel: Emulator) -> None:
    with redis_server() as server, api(zitadel, server.url) as (introspector, shared):
        check_answers(introspector)
        server.restart()
        assert introspector.introspect("after", own=True).source is Source.ASKED
        check_it_works_again(zitadel, server.url, shared)


def test_connections_that_the_store_has_closed_are_replaced_and_no_failure_counts(zitadel: Emulator) -> None:
    with redis_server() as server, api(zitadel, server.url) as (introspector, shared):
        introspector.introspect("before", own=True)
        server.run("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        introspector.introspect("after", own=True)
        assert len(server.keys("answer")) == 2
        assert shared.counters.shared_failures == 0


def test_a_command_that_takes_long_delays_no_request_beyond_its_time(zitadel: Emulator) -> None:
    with redis_server() as server, api(zitadel, server.url) as (introspector, shared), ThreadPoolExecutor() as pool:
        introspector.introspect("before", own=True)
        pool.submit(server.run, "DEBUG", "SLEEP", 3)
        check_answers(introspector)
        eventually("the store is in use again", lambda: shared.state.ok)


@pytest.mark.parametrize("url", [f"redis://:not-{PASSWORD}@{{}}", f"redis://nobody:{PASSWORD}@{{}}"])
def test_a_wrong_password_is_said_and_never_shown(
    zitadel: Emulator, caplog: pytest.LogCaptureFixture, url: str
) -> None:
    caplog.set_level(logging.DEBUG)
    with (
        redis_server(password=PASSWORD) as server,
        api(zitadel, url.format(f"{LOOPBACK}:{server.port}")) as (introspector, shared),
    ):
        check_answers(introspector)
        check_said(shared, caplog, "refuses the user name or the password", "ZDEMO_CACHE_URL")


def test_a_password_that_is_missing_is_said(zitadel: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    with (
        redis_server(password=PASSWORD) as server,
        api(zitadel, f"redis://{LOOPBACK}:{server.port}") as (introspector, shared),
    ):
        check_answers(introspector)
        check_said(shared, caplog, "requires a password", "put it into ZDEMO_CACHE_URL")


def check_it_shares(introspector: CachingIntrospector, shared: SharedAnswers, server: RedisServer) -> None:
    """Ask until an answer is stored: on a busy machine, a use of the store may take longer than it may."""
    tokens = map(str, itertools.count())

    def shares() -> bool:
        introspector.introspect(next(tokens), own=True)
        return bool(server.keys("answer")) and shared.state.ok

    eventually("an answer is stored", shares)


def test_a_password_is_used(zitadel: Emulator) -> None:
    with redis_server(password=PASSWORD) as server, api(zitadel, server.url) as (introspector, shared):
        check_it_shares(introspector, shared, server)


VERIFIED = "rediss://{place}?ssl_ca_certs={authority}"


@contextmanager
def tls_server(
    folder: Path, name: str = LOOPBACK, days: tuple[int, int] = (-1, 9)
) -> Iterator[tuple[RedisServer, Path]]:
    """Run a store with TLS, and yield the file with its CA too."""
    authority = trustme.CA()
    now = datetime.now(UTC)
    first, last = (now + timedelta(days=number) for number in days)
    certificate = authority.issue_cert(name, not_before=first, not_after=last)
    paths = {part: folder / f"{part}.pem" for part in ("ca", "cert", "key")}
    authority.cert_pem.write_to_path(paths["ca"])
    certificate.cert_chain_pems[0].write_to_path(paths["cert"])
    certificate.private_key_pem.write_to_path(paths["key"])
    options = ["--tls-cert-file", str(paths["cert"]), "--tls-key-file", str(paths["key"])]
    options += ["--tls-ca-cert-file", str(paths["ca"]), "--tls-auth-clients", "no"]
    with redis_server(*options, tls=True) as server:
        yield server, paths["ca"]


def test_tls_works_with_the_right_authority(zitadel: Emulator, tmp_path: Path) -> None:
    with (
        tls_server(tmp_path) as (server, authority),
        api(zitadel, f"rediss://{LOOPBACK}:{server.port}?ssl_ca_certs={authority}") as (introspector, shared),
    ):
        check_it_shares(introspector, shared, server)


@pytest.mark.parametrize(
    ("url", "name", "days", "said"),
    [
        ("rediss://{place}", LOOPBACK, (-1, 9), ("certificate that is not trusted", "add ?ssl_ca_certs=FILE")),
        (VERIFIED, "elsewhere.example", (-1, 9), ("certificate for another name", "use the certificate's name")),
        (VERIFIED, LOOPBACK, (-9, -1), ("certificate that has expired", "renew it")),
        (VERIFIED, LOOPBACK, (1, 9), ("certificate that is not valid yet", "check this machine's clock")),
        ("redis://{place}", LOOPBACK, (-1, 9), ("closes connections", "rediss://")),
    ],
    ids=["unknown authority", "wrong name", "expired", "not yet valid", "without TLS"],
)
def test_wrong_tls_is_said(
    zitadel: Emulator,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    url: str,
    name: str,
    days: tuple[int, int],
    said: tuple[str, str],
) -> None:
    with (
        tls_server(tmp_path, name, days) as (server, authority),
        api(zitadel, url.format(place=f"{LOOPBACK}:{server.port}", authority=authority)) as (introspector, shared),
    ):
        check_answers(introspector)
        check_said(shared, caplog, *said)


def test_a_port_that_answers_without_tls_is_said(zitadel: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    with (
        pretended_store(answering(b"-ERR unknown command\r\n")) as url,
        api(zitadel, url.replace("redis://", "rediss://")) as (introspector, shared),
    ):
        check_answers(introspector)
        check_said(shared, caplog, "does not speak TLS", "rediss://")


def test_tls_to_a_port_without_it_is_said(zitadel: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    with redis_server() as server, api(zitadel, f"rediss://{LOOPBACK}:{server.port}") as (introspector, shared):
        check_answers(introspector)
        check_said(shared, caplog, "does not answer in TLS", "rediss://")


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (answering(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "does not answer as Redis"),
        (answering(b"-LOADING Redis is loading the dataset in memory\r\n"), "is still loading"),
        (answering(b"+OK\r\n"), "does not answer as Redis"),
        (answering(b"*0\r\n"), "does not answer as Redis"),
        (answering(b"$-1\r\n"), "does not answer as Redis"),
        (answering(b":x\r\n"), "does not answer as Redis"),
        (answering(b"*5\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n"), "does not answer as Redis"),
        (answering(b"*5\r\n$1\r\n1\r\n$1\r\n1\r\n$0\r\n\r\n$-1\r\n$0\r\n\r\n"), "does not answer as Redis"),
        (answering(b"*1\r\n" * 3000), "does not answer as Redis"),
        (answering(b"*900000000\r\n" * 30_000), "does not answer as Redis"),
        (answering(HUGE), "does not answer as Redis"),
        (answering(b"\xff" * 2**20), "does not answer as Redis"),
        (answering(b""), "does not answer in time"),
        (dripping(b"*5\r\n$10\r\n1234567890\r\n"), "does not answer in time"),
        (dripping(b"+endless", seconds=0.0002), "does not answer in time"),
        (closing_at_once, "closes connections"),
    ],
)
def test_what_is_not_a_store_does_no_harm(
    zitadel: Emulator, caplog: pytest.LogCaptureFixture, behaviour: Behaviour, reason: str
) -> None:
    with pretended_store(behaviour) as url, api(zitadel, url) as (introspector, shared):
        check_answers(introspector)
        check_said(shared, caplog, reason, "")


def hurrying(
    commands: list[bytes], *, list_seconds: float = 0, look_seconds: float = 0, knows_scripts: bool = True
) -> Behaviour:
    """Name a new order at each look, take some time for it and for the list of orders, and never wait for one."""

    def behave(sock: socket.socket, ended: threading.Event) -> None:
        while not ended.is_set():
            try:
                if not (command := sock.recv(65536)):
                    return
            except TimeoutError:
                continue
            commands.append(command)
            answer = b"*-1\r\n"
            if b"EVAL" in command:
                time.sleep(look_seconds)
            if b"EVALSHA" in command and not knows_scripts:
                answer = b"-NOSCRIPT unknown\r\n"
            elif b"EVAL" in command:
                identity = b"%013d-0" % len(commands)
                answer = b"*5\r\n$10\r\n1764200000\r\n$1\r\n0\r\n$15\r\n%b\r\n$0\r\n\r\n$0\r\n\r\n" % identity
            elif b"XREVRANGE" in command:
                time.sleep(list_seconds)
                answer = b"*0\r\n"
            sock.sendall(answer)

    return behave


def test_requests_do_not_queue_for_one_who_reads_orders(zitadel: Emulator) -> None:
    def ask(number: int) -> float:
        began = time.monotonic()
        shared.look(shared.question(f"another token {number}"), lease_seconds=1)
        return time.monotonic() - began

    store = hurrying([], list_seconds=0.15)
    with pretended_store(store) as url, api(zitadel, url) as (_, shared), ThreadPoolExecutor(60) as pool:
        assert max(pool.map(ask, range(60))) < TIMEOUT


@pytest.mark.parametrize(("list_seconds", "knows_scripts"), [(0.2, True), (0, False)])
def test_all_that_a_look_needs_shares_the_time_for_one_use(
    zitadel: Emulator, list_seconds: float, knows_scripts: bool
) -> None:
    store = hurrying([], list_seconds=list_seconds, look_seconds=0.2, knows_scripts=knows_scripts)
    with pretended_store(store) as url, api(zitadel, url) as (_, shared):
        assert shared.look(shared.question("a token"), lease_seconds=1) is None


def test_a_store_that_does_not_wait_for_orders_keeps_no_thread_busy(zitadel: Emulator) -> None:
    commands: list[bytes] = []
    with pretended_store(hurrying(commands)) as url, api(zitadel, url) as (introspector, _):
        introspector.introspect(READER.pat, own=True)
        began = time.monotonic()
        eventually("it listens", lambda: sum(b"XREAD" in command for command in commands) >= 50)
        assert time.monotonic() - began > 50 * REST_SECONDS * 0.9


def test_a_host_without_an_address_is_said(zitadel: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    with api(zitadel, f"redis://user:{PASSWORD}@nowhere.invalid") as (introspector, shared):
        check_answers(introspector)
        assert not shared.state.ok
        assert PASSWORD not in caplog.text
