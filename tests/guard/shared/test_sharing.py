"""Sharing through a real store: who asks, how old an answer may be, and what in the store is believed."""

import time
from contextlib import closing
from typing import Any

import pytest

from tests.guard.shared.sharing import A_TOKEN, SETTINGS, TIMEOUT, TTL, Worker
from tests.support.introspector_doubles import ACTIVE, INACTIVE, unavailable
from tests.support.redis_server import RedisServer
from zdemo.errors import ZitadelUnavailable
from zdemo.guard.forget import Forget
from zdemo.guard.shared.sealing import Sealer
from zdemo.zitadel.introspection_answer import Introspection, Source

LEASE = 1.5
SHARED, ASKED = Source.SHARED, Source.ASKED


class TestSharing:
    @pytest.mark.parametrize("answer", [ACTIVE, INACTIVE])
    def test_what_one_worker_asked_the_others_know(self, first: Worker, other: Worker, answer: Introspection) -> None:
        first.outcome = answer
        assert first.ask().source is ASKED
        shared = other.ask()
        assert (shared, shared.source, other.asked) == (answer, SHARED, [])
        counters = other.answers.store.counters
        assert (counters.shared_hits, counters.shared_misses, counters.shared_rejected) == (1, 0, 0)

    def test_a_failure_is_not_shared_and_the_next_asks_at_once(self, first: Worker, other: Worker) -> None:
        first.outcome = unavailable()
        with pytest.raises(ZitadelUnavailable):
            first.ask()
        assert (other.ask().source, other.sleeps) == (ASKED, [])

    def test_nothing_in_the_store_shows_a_token_or_a_claim_or_stays_forever(
        self, first: Worker, store: RedisServer
    ) -> None:
        def look() -> None:
            with closing(store.client()) as client:
                for key in store.keys("*"):
                    seen[key] = client.dump(key), client.pttl(key)

        seen: dict[bytes, Any] = {}
        first.outcome, first.meanwhile = (
            Introspection(active=True, claims={"active": True, "sub": "visible-user"}),
            look,
        )
        first.ask("visible-token")
        assert store.keys("lease") == []
        first.answers.orders.publish(Forget(user_id="visible-user"))
        look()
        assert sorted(key.split(b":")[2] for key in seen) == [b"answer", b"lease", b"orders"]
        assert b"visible" not in repr(seen).encode()
        assert all(milliseconds > 0 for _, milliseconds in seen.values())


class TestAge:
    @pytest.mark.parametrize(
        ("answer", "by_store", "by_wall", "age"),
        [
            (ACTIVE, 10.0, 10.0, 10.0),
            (ACTIVE, TTL, 10.0, None),
            (ACTIVE, 10.0, TTL, None),  # the store lies about the time
            (ACTIVE, 10.0, -3600.0, 10.0),  # the clock of the machine that asked was ahead
            (ACTIVE, -10.0, 10.0, None),  # the store's clock was set back
            (INACTIVE, 1.0, 0.0, None),
        ],
    )
    def test_counts_by_both_clocks(
        self,
        first: Worker,
        store: RedisServer,
        answer: Introspection,
        by_store: float,
        by_wall: float,
        age: float | None,
    ) -> None:
        question = first.answers.question(A_TOKEN)
        now: Any = store.run("TIME")
        asked_at = now[0] + now[1] / 10**6 - by_store
        times = {"asked_at": asked_at, "asked_at_wall": time.time() - by_wall}
        store.run("SET", question.answer_key, Sealer(SETTINGS).seal_answer(question.name, answer, **times) or b"")
        got = first.ask()
        assert got.source is (ASKED if age is None else SHARED)
        assert first.answers.store.counters.shared_rejected == (age is None)
        if age is not None:
            assert got.asked_at is not None
            assert age <= first.now() - got.asked_at < age + TIMEOUT

    def test_counts_from_the_question(self, first: Worker, other: Worker) -> None:
        def pass_time() -> None:
            first.ahead = other.ahead = TTL - 10

        first.meanwhile = pass_time
        first.ask()
        assert other.ask().source is SHARED
        other.ahead = TTL
        assert other.ask().source is ASKED


@pytest.mark.parametrize("change", ["copied", "garbage", "huge", "old"])
def test_whoever_writes_to_the_store_gains_nothing(
    first: Worker, other: Worker, store: RedisServer, change: str
) -> None:
    first.outcome = other.outcome = INACTIVE
    key = first.answers.question(A_TOKEN).answer_key
    first.outcome = ACTIVE
    first.ask("theirs")
    [theirs] = store.keys("answer")
    first.ask()
    mine = store.run("GET", key)
    assert isinstance(mine, bytes)
    other.ahead = TTL if change == "old" else 0
    copied = store.run("GET", theirs)
    values = {"copied": copied, "garbage": b"x" * 99, "huge": bytes(2**20)}
    store.run("SET", key, values.get(change, mine))  # type: ignore[arg-type]  # bytes
    assert other.ask() == INACTIVE
    assert (other.asked, other.sleeps, other.answers.store.counters.shared_rejected) == ([A_TOKEN], [], 1)
    if change != "old":
        assert first.ask() == INACTIVE, "it replaced what was there"


class TestLease:
    def take(self, store: RedisServer, first: Worker) -> str:
        lease = first.answers.question(A_TOKEN).lease_key
        store.run("SET", lease, "1", "PX", 60_000)
        return lease

    def test_others_wait_and_look_less_and_less_often(self, first: Worker, other: Worker, store: RedisServer) -> None:
        lease = self.take(store, other)

        def answer() -> None:
            if len(other.sleeps) == 10:
                store.run("DEL", lease)
                first.ask()

        other.on_sleep = answer
        assert other.ask().source is SHARED
        assert other.sleeps == sorted(other.sleeps)
        assert (other.sleeps[0], len(other.sleeps)) == (0.002, 10)
        assert store.keys("lease") == []

    def test_a_holder_that_died_stops_nobody_for_longer_than_its_lease(self, other: Worker, store: RedisServer) -> None:
        self.take(store, other)
        assert other.ask().source is ASKED
        assert 0 < sum(other.sleeps) < LEASE + 0.1
        assert other.deadlines[0] - other.now() > 1, "time is left for ZITADEL"

    def test_a_late_answer_does_not_replace_a_later_one(self, first: Worker, other: Worker, store: RedisServer) -> None:
        def overtake() -> None:
            first.ahead = 2 * LEASE
            store.run("DEL", first.answers.question(A_TOKEN).lease_key)
            other.outcome = INACTIVE
            other.ask()

        first.meanwhile = overtake
        assert first.ask() == ACTIVE
        assert other.ask() == INACTIVE
