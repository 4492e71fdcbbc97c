"""Sharing through a real store: who asks, how old an answer may be, and what in the store is believed."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from tests.support.apis import settings_for
from tests.support.introspector_doubles import ACTIVE, INACTIVE, unavailable
from tests.support.redis_server import RedisServer, programs, redis_server
from tests.support.sharing import TIMEOUT, TTL, Clocks, Worker, worker
from tests.support.waiting import eventually
from zdemo.errors import ZitadelUnavailable
from zdemo.introspection.model import Introspection, Source

HOUR = 3600.0
LEASE = 1.5
SHARED, ASKED = Source.SHARED, Source.ASKED


@pytest.fixture(scope="module", params=programs() or ["none"])
def store(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    with redis_server(program=None if request.param == "none" else request.param) as server:
        yield server


def pass_time(seconds: float, *workers: Worker) -> None:
    for each in workers:
        each.clocks.pass_time(seconds)


class TestSharing:
    @pytest.mark.parametrize("answer", [ACTIVE, INACTIVE])
    def test_what_one_worker_asked_the_others_know(self, one: Worker, other: Worker, answer: Introspection) -> None:
        one.zitadel.outcome = answer
        assert one.ask().source is ASKED
        shared = other.ask()
        assert (shared, shared.source) == (answer, SHARED)
        assert other.zitadel.asked == []
        counters = other.answers.counters
        assert (counters.shared_hits, counters.shared_misses, counters.shared_rejected) == (1, 0, 0)

    def test_a_failure_is_not_shared_and_the_next_asks_at_once(self, one: Worker, other: Worker) -> None:
        one.zitadel.outcome = unavailable()
        with pytest.raises(ZitadelUnavailable):
            one.ask()
        assert (other.ask().source, other.sleeps) == (ASKED, [])

    def test_nothing_in_the_store_shows_a_token_or_a_claim(self, one: Worker, store: RedisServer) -> None:
        one.zitadel.outcome = Introspection(active=True, claims={"active": True, "sub": "visible-user"})
        one.ask("visible-token")
        held = b"".join(store.keys())
        assert b"visible" not in held + b"".join(
            bytes(str(store.run("GET", key)), "utf-8") for key in store.keys("answer")
        )
        assert store.keys("lease") == []

    def test_what_is_left_of_the_time_is_for_zitadel(self, one: Worker) -> None:
        began = one.now()
        one.ask()
        assert began < one.zitadel.deadlines[0] <= began + TIMEOUT


class TestAge:
    @pytest.mark.parametrize(("answer", "seconds"), [(ACTIVE, TTL), (INACTIVE, 1.0)])
    def test_an_answer_is_used_until_its_time_is_up_by_the_stores_clock(
        self, one: Worker, other: Worker, answer: Introspection, seconds: float
    ) -> None:
        other.ask("another-token")
        one.zitadel.outcome = answer
        one.ask()
        other.clocks.running += seconds - 0.5
        other.clocks.store += seconds - 0.5
        assert other.ask().source is SHARED
        other.clocks.running += 0.6
        other.clocks.store += 0.6
        assert other.ask().source is ASKED

    def test_the_age_counts_from_the_question(self, one: Worker, other: Worker) -> None:
        one.zitadel.meanwhile = lambda: pass_time(TTL - 10, one, other)
        one.ask()
        shared = other.ask()
        assert shared.asked_at is not None
        assert TTL - 10 <= other.now() - shared.asked_at < TTL - 9
        pass_time(10, other)
        assert other.ask().source is ASKED

    def test_an_answer_that_came_too_late_is_not_kept(self, one: Worker, store: RedisServer) -> None:
        one.zitadel.meanwhile = lambda: pass_time(TTL, one)
        one.ask()
        assert store.keys("answer") + store.keys("lease") == []

    def test_the_store_forgets_by_itself(self, stack: ExitStack, store: RedisServer) -> None:
        stack.enter_context(worker(store.url, ttl=0.2)).ask()
        eventually("the answer is gone", lambda: store.keys("answer") == [])

    @pytest.mark.parametrize("wall", [-HOUR, HOUR, 10 * 365 * 86_400.0])
    def test_a_machine_with_a_wrong_clock_keeps_the_removal_window_and_shares(
        self, one: Worker, store: RedisServer, stack: ExitStack, wall: float
    ) -> None:
        wrong = stack.enter_context(worker(store.url, Clocks(wall=wall)))
        wrong.ask("to hear ZITADEL's time")
        one.ask()
        assert wrong.ask().source is SHARED
        wrong.ask("asked by the wrong one")
        assert one.ask("asked by the wrong one").source is SHARED
        pass_time(TTL, one, wrong)
        assert one.ask().source is ASKED
        assert wrong.ask("asked by the wrong one").source is ASKED


class TestAnswersWithoutADate:
    def test_are_not_shared_which_is_said_once(
        self, one: Worker, other: Worker, caplog: pytest.LogCaptureFixture
    ) -> None:
        one.zitadel.is_dated = False
        assert [one.ask().source for _ in range(3)] == [ASKED] * 3
        assert other.ask().source is ASKED
        assert ("Date" in one.answers.state.reason, "proxy" in one.answers.state.hint) == (True, True)
        [said] = [record for record in caplog.records if "not shared" in record.getMessage()]
        assert (said.levelname, "no valid Date" in said.getMessage()) == ("WARNING", True)
        one.zitadel.is_dated = True
        one.ask("another-token")
        assert one.answers.state.ok


class TestStoreWithAWrongClock:
    def test_one_that_is_set_back_keeps_nothing_alive(self, one: Worker, other: Worker) -> None:
        one.ask()
        assert other.ask().source is SHARED
        pass_time(1.01 * TTL, other)
        other.clocks.store = 0
        assert other.ask().source is ASKED
        state = other.answers.state
        assert (state.ok, "set back" in state.reason, "clock" in state.hint) == (False, True, True)

    @pytest.mark.parametrize("speed", [0.0, 0.5, 0.9])
    def test_one_that_is_slow_adds_no_more_than_a_thousandth(self, one: Worker, other: Worker, speed: float) -> None:
        one.ask()
        asked_at = other.now()
        while other.ask().source is SHARED:
            other.clocks.running += 1
            other.clocks.store += speed
            assert other.now() - asked_at < TTL * 1.001 + 2

    def test_an_answer_from_the_future_is_not_believed_then_or_later(self, one: Worker, other: Worker) -> None:
        one.clocks.store += HOUR
        one.ask()
        assert other.ask("to hear ZITADEL's time").source is ASKED
        assert other.answers.counters.shared_rejected == 0
        assert other.ask().source is ASKED
        assert other.answers.counters.shared_rejected == 1

    @pytest.mark.parametrize("heard", [True, False], ids=["that has asked ZITADEL", "that has just started"])
    def test_a_store_that_lies_about_the_time_fools_no_worker(
        self, one: Worker, store: RedisServer, stack: ExitStack, heard: bool
    ) -> None:
        """It told the writer a time in the future, and shows the answer again when that has come."""
        one.clocks.store += HOUR
        one.ask()
        later = stack.enter_context(worker(store.url, Clocks(running=HOUR, wall=HOUR, zitadel=HOUR, store=HOUR)))
        if heard:
            later.ask("to hear ZITADEL's time")
        assert later.ask().source is ASKED
        assert later.answers.counters.shared_rejected == 1


class TestWhoeverWritesToTheStore:
    @pytest.mark.parametrize("change", ["copied", "truncated", "garbage", "empty", "huge", "a list"])
    def test_gains_nothing(self, one: Worker, other: Worker, store: RedisServer, change: str) -> None:
        other.zitadel.outcome = INACTIVE
        one.ask("theirs")
        [theirs] = store.keys("answer")
        one.ask()
        [mine] = set(store.keys("answer")) - {theirs}
        value = store.run("GET", theirs if change == "copied" else mine)
        assert isinstance(value, bytes)
        store.run("DEL", mine)
        values = {"copied": value, "truncated": value[:-1], "garbage": b"x" * 99, "empty": b"", "huge": bytes(2**20)}
        store.run(*(("LPUSH", mine, b"x") if change == "a list" else ("SET", mine, values[change])))
        assert other.ask() == INACTIVE
        assert (other.zitadel.asked, other.sleeps) == (["a-token"], [])
        assert one.ask() == INACTIVE, "it replaced what was there"

    def test_gains_nothing_by_an_old_value(self, one: Worker, other: Worker, store: RedisServer) -> None:
        one.ask()
        [key] = store.keys("answer")
        old = store.run("GET", key)
        assert isinstance(old, bytes)
        pass_time(TTL, one, other)
        one.zitadel.outcome = other.zitadel.outcome = INACTIVE
        assert one.ask() == INACTIVE
        store.run("SET", key, old)
        assert other.ask() == INACTIVE
        assert other.answers.counters.shared_rejected == 1

    @pytest.mark.parametrize(
        "settings",
        [
            replace(settings_for("https://acme.example"), client_secret="changed"),
            settings_for("https://other.example"),
        ],
        ids=["changed secret", "other issuer"],
    )
    def test_applications_share_nothing_with_others(
        self, one: Worker, store: RedisServer, stack: ExitStack, settings: object
    ) -> None:
        stranger = stack.enter_context(worker(store.url, settings=settings))  # type: ignore[arg-type]  # see above
        one.ask()
        assert stranger.ask().source is ASKED
        assert len(store.keys("answer")) == 2


class TestLease:
    def take(self, store: RedisServer, one: Worker, *options: str | int, owner: str = "somebody") -> None:
        store.run("SET", one.answers.question("a-token").names.lease, owner, *options)

    def test_others_wait_for_the_answer_and_look_less_and_less_often(
        self, one: Worker, other: Worker, store: RedisServer
    ) -> None:
        self.take(store, other)

        def answer() -> None:
            if len(other.sleeps) == 10:
                store.run("DEL", other.answers.question("a-token").names.lease)
                one.ask()

        other.on_sleep = answer
        assert other.ask().source is SHARED
        assert other.sleeps == sorted(other.sleeps)
        assert (other.sleeps[0], len(other.sleeps)) == (0.002, 10)

    def test_a_lease_that_ends_is_taken_over(self, other: Worker, store: RedisServer) -> None:
        self.take(store, other, "PX", 60_000)
        other.on_sleep = lambda: store.run("DEL", other.answers.question("a-token").names.lease)
        assert other.ask().source is ASKED
        assert len(other.sleeps) == 1

    def test_a_holder_that_died_stops_nobody_for_longer_than_its_lease(self, other: Worker, store: RedisServer) -> None:
        self.take(store, other)  # without an end, as whoever writes to the store could leave it
        assert other.ask().source is ASKED
        assert LEASE - 0.5 < sum(other.sleeps) < LEASE + 0.1
        assert other.zitadel.deadlines[0] - other.now() > 1, "time is left for ZITADEL"

    def test_a_lease_that_changes_hands_all_the_time_stops_nobody_for_longer(
        self, other: Worker, store: RedisServer
    ) -> None:
        self.take(store, other)
        other.on_sleep = lambda: self.take(store, other, owner=f"somebody {len(other.sleeps)}")
        assert other.ask().source is ASKED
        assert 0 < sum(other.sleeps) < LEASE + 0.1

    def test_values_that_change_all_the_time_hold_nobody_up(self, other: Worker, store: RedisServer) -> None:
        key = other.answers.question("a-token").names.answer
        store.run("SET", key, "garbage")
        self.take(store, other)
        other.on_sleep = lambda: store.run("SET", key, f"garbage {len(other.sleeps)}")
        assert other.ask().source is ASKED
        assert sum(other.sleeps) < LEASE + 0.1

    def test_a_lease_of_another_kind_of_value_is_ignored(self, other: Worker, store: RedisServer) -> None:
        store.run("LPUSH", other.answers.question("a-token").names.lease, "x")
        assert (other.ask().source, other.sleeps) == (ASKED, [])

    def test_an_answer_comes_after_its_lease_has_ended_and_does_not_replace_a_later_one(
        self, one: Worker, other: Worker, store: RedisServer
    ) -> None:
        lease = one.answers.question("a-token").names.lease

        def overtake() -> None:
            store.run("DEL", lease)
            other.zitadel.outcome = INACTIVE
            other.ask()

        one.zitadel.meanwhile = overtake
        assert one.ask() == ACTIVE
        assert other.ask() == INACTIVE
