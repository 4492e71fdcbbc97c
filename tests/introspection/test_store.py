"""The store of the cache: bounded by number and by memory, and an estimate of memory that holds."""

import gc
import json
import tracemalloc
from typing import Any

import pytest

from zdemo.http.response import Response
from zdemo.introspection.model import ROLES_CLAIM, Introspection, parse_introspection
from zdemo.introspection.store import BYTES_PER_TOKEN, OWN_BYTES, Entry, Store, bytes_for, memory_of

PLAIN: dict[str, Any] = {"active": True, "aud": ["1", "2"], "exp": 253402300799, "sub": "3", "username": "reader"}
ROLES = {f"role number {number}": {"300000000000000001": "acme.localhost"} for number in range(500)}
ANSWERS: dict[str, dict[str, Any]] = {
    "plain": PLAIN,
    "500 roles": PLAIN | {ROLES_CLAIM: ROLES},
    "empty objects": PLAIN | {"x": [{} for _ in range(500)]},
    "numbers": PLAIN | {"x": list(range(10**6, 10**6 + 500))},
    "metadata": PLAIN | {"x": {f"key {number}": "é" * 40 for number in range(100)}},
    "deep": PLAIN | {"x": json.loads("[" * 400 + "]" * 400)},
}


def parsed(claims: dict[str, Any]) -> Introspection:
    body = json.dumps(claims).encode()
    return parse_introspection(Response(status=200, headers={}, body=body, seconds=0, url=""))


def entry(bytes_more: int = 0) -> Entry:
    claims = {"active": True, "x": "x" * bytes_more}
    return Entry(Introspection(active=True, claims=claims), fresh_until=0, fresh_until_wall=0)


def kept(store: Store, count: int) -> list[int]:
    return [number for number in range(count) if store.get(bytes([number]))]


@pytest.mark.parametrize("name", ANSWERS)
def test_the_estimate_is_at_least_the_memory_and_not_much_more(name: str) -> None:
    bodies = [ANSWERS[name] | {"jti": f"token {number}"} for number in range(50)]
    store = Store(most_entries=len(bodies), most_bytes=10**9)
    Entry(parsed(PLAIN), fresh_until=0, fresh_until_wall=0)  # what is made only once does not count
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for number, body in enumerate(bodies):
        store.put(number.to_bytes(32, "big"), Entry(parsed(body), fresh_until=number / 3, fresh_until_wall=number / 7))
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    taken, estimated = after - before, sum(entry.size for entry in vars(store)["_entries"].values())
    assert 0.95 * taken <= estimated <= 1.3 * taken


def test_the_oldest_leave_when_either_bound_is_reached() -> None:
    by_number = Store(most_entries=3, most_bytes=10**9)
    by_bytes = Store(most_entries=10**9, most_bytes=3 * entry(1000).size)
    for store in (by_number, by_bytes):
        for number in range(10):
            store.put(bytes([number]), entry(1000))
        assert kept(store, 10) == [7, 8, 9]
    by_bytes.put(bytes([10]), entry(2000))  # as much as two of the others
    assert kept(by_bytes, 11) == [9, 10]


def test_a_token_that_is_kept_again_is_the_youngest_and_counts_once() -> None:
    store = Store(most_entries=3, most_bytes=3 * entry(1000).size)
    for number in (0, 1, 2, 0, 0, 3):
        store.put(bytes([number]), entry(1000))
    assert kept(store, 4) == [0, 2, 3]


def test_an_entry_larger_than_the_bound_is_not_kept_and_leaves_the_others() -> None:
    store = Store(most_entries=10, most_bytes=3 * entry(1000).size)
    for number in range(3):
        store.put(bytes([number]), entry(1000))
    store.put(bytes([1]), entry(10_000))  # its earlier answer must not stay either
    assert kept(store, 3) == [0, 2]


def test_removed_entries_leave_room() -> None:
    store = Store(most_entries=10, most_bytes=2 * entry(1000).size)
    for number in range(100):
        store.put(bytes([number]), entry(1000))
        store.remove(bytes([number]))
        store.remove(bytes([number]))
    store.put(b"a", entry(1000))
    store.put(b"b", entry(1000))
    assert store.get(b"a")
    assert store.get(b"b")


def test_the_default_number_of_ordinary_answers_fits() -> None:
    ordinary = PLAIN | {f"urn:zitadel:iam:user:{number}": "a text of some length" for number in range(20)}
    assert OWN_BYTES + memory_of(ordinary) < BYTES_PER_TOKEN
    assert bytes_for(10_000) == 10_000 * BYTES_PER_TOKEN
    assert bytes_for(1) > OWN_BYTES + memory_of(ANSWERS["500 roles"])
