"""Orders to forget, through a real store: nobody believes or keeps an answer from before the order."""

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.guard.shared.sharing import A_TOKEN, SETTINGS, TTL, Worker, worker
from tests.support.introspector_doubles import ACTIVE, INACTIVE
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually
from zdemo.guard.forget import Forget, hash_of
from zdemo.guard.shared.orders import CUT_OFF, EVERYTHING, GIVEN, MOST_ORDERS
from zdemo.guard.shared.redis_store import PERMISSIONS
from zdemo.zitadel.introspection_answer import Introspection, Source

SHARED, ASKED = Source.SHARED, Source.ASKED
OF_USER = Forget(user_id="1")
ORDERS = [OF_USER, Forget(token_hash=hash_of(A_TOKEN)), EVERYTHING]


def received(by: Worker) -> list[tuple[Forget, str]]:
    orders: list[tuple[Forget, str]] = []
    by.answers.orders.subscribe(lambda order, why: orders.append((order, why)))
    return orders


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_a_stored_answer_is_not_believed_after_an_order_about_it(
    first: Worker, other: Worker, store: RedisServer, stack: ExitStack, order: Forget
) -> None:
    first.ask()
    assert other.ask().source is SHARED
    assert first.answers.orders.publish(order)
    new = stack.enter_context(worker(store.url))
    assert [each.ask().source for each in (new, other, first)] == [ASKED, SHARED, SHARED]


def test_an_answer_that_was_on_its_way_is_not_believed(first: Worker, other: Worker) -> None:
    first.meanwhile = lambda: other.answers.orders.publish(OF_USER)
    first.ask()
    assert other.ask().source is ASKED


def test_an_order_that_only_this_worker_knows_holds_too(first: Worker, other: Worker) -> None:
    """It came from the other workers of this machine, and the store does not take it."""
    first.ask()
    other.answers.orders.note(OF_USER)
    assert other.ask().source is ASKED
    other.meanwhile = lambda: other.answers.orders.note(OF_USER)
    other.ask("another")
    assert first.ask("another").source is ASKED


def test_workers_hear_an_order_and_need_the_documented_permissions_only(store: RedisServer, stack: ExitStack) -> None:
    store.run("ACL", "SETUSER", "least", "on", ">password", *PERMISSIONS.split())
    url = store.url.replace("redis://", "redis://least:password@")
    first, other = (stack.enter_context(worker(url)) for _ in range(2))
    assert [each.ask().source for each in (first, other)] == [ASKED, SHARED]
    orders = received(other)
    assert first.answers.orders.publish(OF_USER)
    eventually("the order has come", lambda: orders == [(OF_USER, GIVEN)])
    assert [each.answers.store.counters.shared_failures for each in (first, other)] == [0, 0]
    documented = (Path(__file__).parents[3] / "docs/performance.md").read_text(encoding="utf-8")
    assert PERMISSIONS in " ".join(documented.split())


def test_a_worker_that_was_cut_off_forgets_everything(first: Worker, other: Worker, store: RedisServer) -> None:
    other.ask()
    orders = received(other)
    with closing(store.client()) as client:
        clients: Callable[[], Any] = partial(client.client_list, _type="normal")
        eventually("a worker listens", lambda: [row for row in clients() if row["cmd"].startswith("xread")])
    store.run("CLIENT", "KILL", "TYPE", "normal")
    eventually("it has forgotten", lambda: orders[:1] == [(EVERYTHING, CUT_OFF)])
    assert other.ask().source is ASKED
    first.answers.orders.publish(OF_USER)
    eventually("it listens again", lambda: orders[-1] == (OF_USER, GIVEN))


def test_a_worker_that_may_have_missed_an_order_forgets_everything(first: Worker, store: RedisServer) -> None:
    first.answers.orders.publish(Forget(user_id="2"))
    [key] = store.keys("orders")
    with closing(store.client()) as client, client.pipeline() as pipe:
        for _ in range(MOST_ORDERS):
            pipe.xadd(key, {"order": b"x"})
        pipe.execute()
    orders = received(first)
    first.ask()
    assert orders[0] == (EVERYTHING, CUT_OFF)


@pytest.mark.parametrize("kind", ["of another application", "garbage", "not an order"])
def test_what_others_write_among_the_orders_is_not_followed(
    first: Worker, other: Worker, store: RedisServer, stack: ExitStack, kind: str
) -> None:
    other.ask()
    orders = received(other)
    first.answers.orders.publish(Forget(user_id="2"))
    [key] = store.keys("orders")
    value = b"garbage"
    if kind == "of another application":
        stranger = stack.enter_context(worker(store.url, settings=replace(SETTINGS, client_secret="another")))
        stranger.answers.orders.publish(EVERYTHING)
        [theirs] = set(store.keys("orders")) - {key}
        with closing(store.client()) as client:
            entries: Any = client.xrange(theirs)
        value = entries[0][1][b"order"]
    store.run("XADD", key, "*", "other" if kind == "not an order" else "order", value)
    assert first.ask().source is SHARED
    assert [order for order, _ in orders] == [Forget(user_id="2")]


@pytest.mark.parametrize(
    ("order", "answer", "seconds_after", "forgotten"),
    [(OF_USER, ACTIVE, -1.0, True), (OF_USER, ACTIVE, TTL, False), (Forget(user_id="2"), INACTIVE, -1.0, True)],
)
@pytest.mark.parametrize("by_store", [False, True])
def test_an_order_counts_for_answers_from_before_it_and_inactive_ones_may_be_about_anybody(
    first: Worker, order: Forget, answer: Introspection, seconds_after: float, forgotten: bool, by_store: bool
) -> None:
    asked_at, asked_at_stored = first.now() + seconds_after, 1000 + seconds_after
    first.answers.orders.note(order, 1000.0 if by_store else None)
    first.ahead = TTL
    times = (1e12, asked_at_stored) if by_store else (asked_at, 1e12)
    forgot = first.answers.orders.forgot
    assert forgot(answer, b"", asked_at=times[0], asked_at_stored=times[1]) == forgotten
    first.ahead = 3 * TTL
    first.answers.orders.note(Forget(user_id="3"))
    assert not forgot(ACTIVE, b"", asked_at=0, asked_at_stored=0), "the first is not kept any more"
