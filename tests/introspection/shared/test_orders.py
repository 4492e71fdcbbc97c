"""Orders to forget, through a real store: nobody believes or stores an answer from before the order."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.apis import settings_for
from tests.support.introspector_doubles import ACTIVE, INACTIVE
from tests.support.redis_server import RedisServer, redis_server
from tests.support.sharing import A_TOKEN, TIMEOUT, TTL, Clocks, Worker, worker
from tests.support.waiting import eventually
from zdemo.introspection.bulkhead import Bulkhead
from zdemo.introspection.cache import CachingIntrospector
from zdemo.introspection.forget import LOSS, Forget
from zdemo.introspection.model import Introspection, Source
from zdemo.introspection.pacer import Pacer
from zdemo.introspection.shared.order_feed import LATE_SECONDS, LOSS_SECONDS
from zdemo.introspection.shared.orders import MOST_ORDERS, MOST_SEEN, ReceivedOrders
from zdemo.introspection.shared.redis_store import MOST_ORDERS as MOST_STORED
from zdemo.introspection.shared.state import PERMISSIONS

SHARED, ASKED = Source.SHARED, Source.ASKED
OF_USER = Forget(user_id="1")
EVERYTHING = Forget(everything=True)
ORDERS = [OF_USER, Forget.naming(token=A_TOKEN), EVERYTHING]
OF_OTHERS = [Forget(user_id="2"), Forget.naming(token="another")]


@pytest.fixture(scope="module")
def store() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


def received(by: Worker) -> list[Forget]:
    orders: list[Forget] = []
    by.answers.subscribe(orders.append)
    return orders


def sealed_orders(store: RedisServer, key: bytes) -> list[bytes]:
    with closing(store.client()) as client:
        entries: Any = client.xrange(key)
        return [fields[b"order"] for _, fields in entries if b"order" in fields]


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_a_stored_answer_is_not_believed_after_an_order_about_it_also_if_it_is_put_back(
    one: Worker, other: Worker, store: RedisServer, stack: ExitStack, order: Forget
) -> None:
    one.ask()
    assert other.ask().source is SHARED
    [key] = store.keys("answer")
    value = store.run("GET", key)
    assert isinstance(value, bytes)
    assert one.answers.publish_forget(order)
    assert (store.keys("answer") == []) == (order.token_hash is not None)
    store.run("SET", key, value)
    new = stack.enter_context(worker(store.url))
    assert [each.ask().source for each in (new, other, one)] == [ASKED, SHARED, SHARED]


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_a_user_of_the_store_needs_the_documented_permissions_only(
    store: RedisServer, stack: ExitStack, order: Forget
) -> None:
    store.run("ACL", "SETUSER", "least", "on", ">password", *PERMISSIONS.split())
    url = store.url.replace("redis://", "redis://least:password@")
    one, other = (stack.enter_context(worker(url)) for _ in range(2))
    assert [each.ask().source for each in (one, other)] == [ASKED, SHARED]
    orders = received(other)
    assert one.answers.publish_forget(order)
    eventually("the order has come", lambda: orders == [order])
    assert [each.answers.counters.shared_failures for each in (one, other)] == [0, 0]
    documented = (Path(__file__).parents[3] / "docs/performance.md").read_text(encoding="utf-8")
    assert PERMISSIONS in " ".join(documented.split())


@pytest.mark.parametrize("order", OF_OTHERS, ids=str)
def test_an_order_about_others_changes_nothing(one: Worker, other: Worker, order: Forget) -> None:
    one.ask()
    assert one.answers.publish_forget(order)
    assert other.ask().source is SHARED


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_an_answer_that_was_on_its_way_is_not_stored(
    one: Worker, other: Worker, store: RedisServer, order: Forget
) -> None:
    one.zitadel.meanwhile = lambda: other.answers.publish_forget(order)
    one.ask()
    assert store.keys("answer") == []
    assert other.ask().source is ASKED


def test_an_order_that_only_this_worker_knows_holds_too(one: Worker, other: Worker) -> None:
    """It came from the other workers of this machine, and the store does not take it."""
    one.ask()
    other.answers.note(OF_USER)
    assert other.ask().source is ASKED
    other.zitadel.meanwhile = lambda: other.answers.note(OF_USER)
    other.ask("another")
    assert one.ask("another").source is ASKED


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_workers_hear_an_order_without_a_request(one: Worker, other: Worker, order: Forget) -> None:
    orders = received(other)
    other.ask("something else")
    one.answers.publish_forget(order)
    eventually("the order has come", lambda: orders == [order])


def test_an_order_reaches_a_worker_that_was_cut_off(one: Worker, other: Worker, store: RedisServer) -> None:
    other.ask("something else")
    orders = received(other)
    store.run("CLIENT", "KILL", "TYPE", "normal")
    one.answers.publish_forget(OF_USER)
    eventually("the order has come", lambda: orders == [OF_USER])


def test_who_has_missed_more_than_are_kept_forgets_everything(one: Worker, other: Worker, store: RedisServer) -> None:
    other.ask()
    orders = received(other)
    with store.stopped():
        other.answers.close()  # it hears nothing from now on
    for number in range(MOST_STORED + 1):
        one.answers.publish_forget(Forget(user_id=f"user {number}"))
    other.ask("something else")
    assert orders[-1] == LOSS


@pytest.mark.parametrize("before", [[], [OF_OTHERS[0]]], ids=["the first order", "a later order"])
def test_an_order_that_the_store_has_lost_with_its_data_holds(
    one: Worker, other: Worker, store: RedisServer, before: list[Forget]
) -> None:
    for order in before:
        one.answers.publish_forget(order)
    other.ask()
    orders = received(other)
    other.answers.close()  # it hears nothing from now on
    assert one.answers.publish_forget(OF_USER)
    store.run("FLUSHALL")
    assert other.ask().source is ASKED
    assert orders == [LOSS]


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (LOSS, "because the store may have lost its data, or orders to forget"),
        (EVERYTHING, "as an order in the store says"),
    ],
    ids=["a loss", "an order"],
)
def test_the_log_tells_a_loss_from_an_order_that_somebody_gave(
    one: Worker, other: Worker, caplog: pytest.LogCaptureFixture, order: Forget, reason: str
) -> None:
    caplog.set_level(logging.INFO)
    cache = CachingIntrospector(
        other.introspector,
        ttl_seconds=TTL,
        size=1,
        timeout_seconds=TIMEOUT,
        bulkhead=Bulkhead(1, waiters=0, wait_seconds=0),
        pacer=Pacer(1),
        shared=other.answers,
    )
    cache.introspect(A_TOKEN)
    one.answers.publish_forget(order)
    eventually("the log says why", lambda: caplog.messages)
    assert caplog.messages == [f"forgot 1 answer: all that there were, {reason}"]


def test_a_store_that_has_lost_its_data_is_used_again(one: Worker, other: Worker, store: RedisServer) -> None:
    for each in (one, other):
        each.ask()
        each.answers.close()  # it tells nobody
    store.run("FLUSHALL")
    assert [each.ask().source for each in (one, other)] == [ASKED, ASKED]
    for each in (one, other):
        each.clocks.pass_time(1)  # the loss and the next answer are apart, also where a look at the store takes long
    assert [each.ask().source for each in (one, other)] == [ASKED, SHARED]


def test_an_older_copy_of_the_store_brings_no_answer_back(
    one: Worker, other: Worker, store: RedisServer, stack: ExitStack
) -> None:
    one.ask()
    other.ask()
    orders = received(other)
    [key] = store.keys("orders")
    copy = store.run("DUMP", key)
    assert isinstance(copy, bytes)
    assert one.answers.publish_forget(OF_USER)
    eventually("the order has come", lambda: orders == [OF_USER])
    store.run("RESTORE", key, 0, copy, "REPLACE")
    eventually("those who start later are told", lambda: sealed_orders(store, key))
    assert store.keys("answer")
    assert [each.ask().source for each in (stack.enter_context(worker(store.url)), other)] == [ASKED, SHARED]


def test_a_store_that_feigns_losses_makes_workers_forget_everything_once_in_a_while(
    other: Worker, store: RedisServer
) -> None:
    other.ask()
    orders = received(other)
    other.answers.close()  # only its requests look
    for _ in range(5):
        store.run("DEL", *store.keys("orders"))
        assert other.ask().source is ASKED
    assert orders == [LOSS]
    other.clocks.pass_time(LOSS_SECONDS)
    other.ask()
    assert orders == [LOSS] * 2


def test_an_order_that_comes_late_makes_a_worker_forget_everything(one: Worker, other: Worker) -> None:
    """It was kept back, or written again."""
    other.ask()
    orders = received(other)
    other.answers.close()  # it hears nothing from now on
    one.answers.publish_forget(OF_USER)
    other.clocks.pass_time(2 * LATE_SECONDS)
    assert other.ask().source is ASKED
    assert orders == [LOSS]


def test_an_order_that_was_given_after_the_stores_clock_was_set_back_holds(
    other: Worker, store: RedisServer, stack: ExitStack
) -> None:
    other.ask()
    orders = received(other)
    role_command = stack.enter_context(worker(store.url, Clocks(store=-TTL / 2)))
    role_command.answers.publish_forget(OF_USER)
    eventually("the order has come", lambda: orders == [LOSS])
    assert other.ask().source is ASKED


@pytest.mark.parametrize("again", ["the same", "of another application", "garbage", "not an order"])
def test_what_others_write_among_the_orders_is_not_followed(
    one: Worker, other: Worker, store: RedisServer, stack: ExitStack, again: str
) -> None:
    other.ask()
    orders = received(other)
    one.answers.publish_forget(OF_USER)
    eventually("the order has come", lambda: orders == [OF_USER])
    [key] = store.keys("orders")
    sealed = sealed_orders(store, key)[0]
    if again == "of another application":
        settings = replace(settings_for("https://acme.example"), client_secret="another")
        stack.enter_context(worker(store.url, settings=settings)).answers.publish_forget(Forget(everything=True))
        [theirs] = set(store.keys("orders")) - {key}
        sealed = sealed_orders(store, theirs)[0]
    value = b"garbage" if again == "garbage" else sealed
    store.run("XADD", key, "*", "other" if again == "not an order" else "order", value)
    assert one.ask("another").source is ASKED
    assert other.ask("another").source is SHARED
    assert orders == [OF_USER]


def test_a_list_of_orders_that_is_something_else_is_replaced(one: Worker, other: Worker, store: RedisServer) -> None:
    one.ask()
    one.answers.publish_forget(OF_USER)
    [key] = store.keys("orders")
    store.run("SET", key, "garbage")
    assert one.answers.publish_forget(OF_USER)
    assert store.run("TYPE", key) == b"stream"
    assert other.ask().source is ASKED


def test_an_order_that_is_written_again_is_not_new_also_after_many_others() -> None:
    orders = ReceivedOrders(keep_seconds=TTL)
    assert all(orders.is_new(b"%d" % number, 0) for number in range(MOST_SEEN - 1))
    assert not orders.is_new(b"0", TTL)


def test_too_many_orders_become_one_to_forget_everything_from_before() -> None:
    orders = ReceivedOrders(keep_seconds=TTL)
    for number in range(MOST_ORDERS + 1):
        orders.add(Forget(user_id=f"user {number}"), float(number) / MOST_ORDERS)
    assert orders.forgot(ACTIVE, b"", asked_at=0.4, asked_at_stored=0)
    assert not orders.forgot(ACTIVE, b"", asked_at=0.6, asked_at_stored=0)


@pytest.mark.parametrize(
    ("order", "answer", "asked_at", "asked_at_stored", "forgotten"),
    [
        (OF_USER, ACTIVE, 10.0, 99.0, True),
        (OF_USER, ACTIVE, 10.1, 0.0, False),
        (Forget(user_id="2"), ACTIVE, 9.0, 0.0, False),
        (Forget(user_id="2"), INACTIVE, 9.0, 0.0, True),
    ],
)
@pytest.mark.parametrize("by_store", [False, True])
def test_an_order_counts_for_answers_from_before_it_and_inactive_ones_may_be_about_anybody(
    order: Forget, answer: Introspection, asked_at: float, asked_at_stored: float, forgotten: bool, by_store: bool
) -> None:
    orders = ReceivedOrders(keep_seconds=TTL)
    orders.add(order, 99.0 if by_store else 10.0, 10.0 if by_store else None)
    mine, stores = (asked_at_stored, asked_at) if by_store else (asked_at, asked_at_stored)
    assert orders.forgot(answer, b"", asked_at=mine, asked_at_stored=stores) == forgotten
    orders.add(Forget(user_id="3"), 100 + TTL)
    assert not orders.forgot(ACTIVE, b"", asked_at=0, asked_at_stored=0), "the first is not kept any more"
