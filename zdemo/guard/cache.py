"""The introspector that remembers: answers for a short time, and one introspection at a time per token.

Answers are kept and never decisions, so that every request is judged by its own clock and for its own role.
The key is a hash of the token: no token stays in memory for longer than its request.

A removed role or a deleted token passes for at most the TTL, from the moment when the request to ZITADEL was sent. Two
clocks measure it, and ``exp``, and an answer that is too old by either is not used. The first is never set, so a wall
clock that jumps can only shorten the life of an answer. The wall clock notices a time during which the first stood
still, as when a virtual machine was paused. What counts is the moment when a request comes in.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Protocol

from zdemo.errors import ZitadelUnavailable
from zdemo.guard.forget import Forget, hash_of
from zdemo.guard.instruments import Counters, running_clock
from zdemo.guard.waiting import Bulkhead, Flight, Pacer
from zdemo.serving.forks import renewed_after_fork
from zdemo.zitadel.introspection_answer import LONGEST_INACTIVE_SECONDS, Introspection, Source
from zdemo.zitadel.introspection_client import watched

if TYPE_CHECKING:
    from zdemo.guard.shared.answers import SharedAnswers

log = logging.getLogger(__name__)

BYTES_PER_TOKEN = 8 * 1024  # few claims take 2.8 KiB, the emulator's about its reader 4.4, 500 roles 196
LEAST_BYTES = 1024 * 1024
OWN_BYTES = 500  # of an entry and its place in the store, without the claims


class Entry:
    """An answer, and until when it may be used by either clock. It never changes."""

    __slots__ = ("fresh_until", "fresh_until_wall", "introspection", "size")

    def __init__(self, introspection: Introspection, *, fresh_until: float, fresh_until_wall: float) -> None:
        self.introspection = introspection
        self.fresh_until = fresh_until
        self.fresh_until_wall = fresh_until_wall  # epoch seconds
        self.size = OWN_BYTES + introspection.size


class Store:
    """At most ``most_entries`` entries, which take at most ``most_bytes``. The caller holds a lock around each change.

    Entries leave first in, first out: in the order in which they go stale. So reading one needs no write, and no lock.
    """

    def __init__(self, *, most_entries: int, most_bytes: int) -> None:
        self._most_entries = most_entries
        self._most_bytes = most_bytes
        self._bytes = 0
        self._entries: OrderedDict[bytes, Entry] = OrderedDict()
        self.get = self._entries.get

    def put(self, key: bytes, entry: Entry) -> None:
        """Keep an entry in place of an earlier one; others leave to make room. One that is too large is not kept."""
        self.remove(key)
        if entry.size > self._most_bytes:
            return
        while len(self._entries) >= self._most_entries or self._bytes + entry.size > self._most_bytes:
            self._bytes -= self._entries.popitem(last=False)[1].size
        self._entries[key] = entry
        self._bytes += entry.size

    def remove(self, key: bytes) -> bool:
        """Remove an entry, and tell whether there was one."""
        entry = self._entries.pop(key, None)
        if entry:
            self._bytes -= entry.size
        return entry is not None

    def remove_all(self, matches: Callable[[Introspection], bool]) -> int:
        """Remove the entries whose answers match, and return their number. 10,000 entries take 1 to 2 ms."""
        return sum(map(self.remove, [key for key, entry in self._entries.items() if matches(entry.introspection)]))


def too_many_waiting(counters: Counters) -> ZitadelUnavailable:
    """Count a request that is refused because too many wait, and return the error."""
    counters.count("refused")
    hint = "try again; check ZITADEL if this persists"
    return ZitadelUnavailable("too many requests are waiting for ZITADEL", hint=hint)


class PriorityIntrospector(Protocol):
    """An introspector that lets callers with a known token go first."""

    def introspect(self, token: str, *, known: bool) -> Introspection:
        """Do as an ``Introspector`` does."""


@dataclass(eq=False, kw_only=True)
class CachingIntrospector:
    """Asks ``inner`` once per token and TTL, however many requests ask; ``ttl_seconds`` 0 turns that off. Thread-safe.

    Active and inactive answers are kept apart, ``size`` of each, so that garbage cannot push good tokens out. Failures
    are not kept. A token is known, and goes first when many requests wait, if its last answer was active and is still
    in the store, fresh or not: nobody can make an invented token known.

    ``timeout_seconds`` limits the wait for an introspection that another request leads. ``bulkhead`` limits how many
    requests wait for ZITADEL at all, and ``pacer`` how fast answers without an active token leave. ``shared`` are the
    answers that ``inner`` shares with other processes, if it does.
    """

    inner: PriorityIntrospector
    ttl_seconds: float
    size: int
    timeout_seconds: float
    bulkhead: Bulkhead
    pacer: Pacer
    shared: SharedAnswers | None = None
    counters: Counters = field(default_factory=Counters)
    clock: Callable[[], float] = running_clock
    wall_clock: Callable[[], float] = time.time

    @renewed_after_fork
    def __post_init__(self) -> None:
        self._lock = threading.Lock()  # flights and every change of the stores; held for no longer than a lookup
        self._flights: dict[bytes, Flight] = {}
        most_bytes = max(LEAST_BYTES, self.size * BYTES_PER_TOKEN)
        self._active = Store(most_entries=self.size, most_bytes=most_bytes)
        self._inactive = Store(most_entries=self.size, most_bytes=most_bytes)
        if self.shared:
            self.shared.orders.subscribe(self._obey)

    def introspect(self, token: str, *, own: bool = False) -> Introspection:
        """Ask, or answer from the cache; raises ZitadelUnavailable also if too many requests wait for ZITADEL.

        ``own`` is for a token that the API itself made up: it counts as known, and its caller is not paced.
        """
        if not self.ttl_seconds:
            return self._in_slot(partial(self._ask, token, known=own), known=own, paced=not own)
        if answer := self.remembered(token):
            return answer
        key = hash_of(token)
        entry = self._active.get(key)
        known = own or entry is not None
        if (request := watched.get()) and (entry := entry or self._inactive.get(key)):
            request.too_old = entry.introspection
        return self._in_slot(partial(self._ask_or_join, key, token, known=known), known=known, paced=not own)

    def is_known(self, token: str) -> bool:
        """Tell whether a token goes first when many requests wait."""
        return self._active.get(hash_of(token)) is not None

    def forget(self, order: Forget) -> int:
        """Drop the answers that an order names, return how many there were, and keep no answer that is on its way."""
        if self.shared:
            self.shared.orders.note(order)
        return self._drop(order)

    def _obey(self, order: Forget, why: str) -> None:
        """Carry out an order of the store, with a log line for dropped answers: each answer had its own."""
        if count := self._drop(order):
            log.info("%s, %s", order.outcome(count), why)

    def _drop(self, order: Forget) -> int:
        with self._lock:
            if order.token_hash is not None:
                self._flights.pop(order.token_hash, None)
                return self._active.remove(order.token_hash) + self._inactive.remove(order.token_hash)
            self._flights.clear()
            return self._inactive.remove_all(order.names) + self._active.remove_all(order.names)

    def remembered(self, token: str | bytes) -> Introspection | None:
        """Return a fresh answer without waiting, or ``None``. It counts as a hit.

        Without a lock: a store is a dictionary, and entries never change.

        With its global lock, CPython lets no other thread in between reading and writing a number, so no hit is lost;
        without that lock, the count may be a little low.
        """
        key = blake2b(token if isinstance(token, bytes) else token.encode("utf-8", "surrogatepass")).digest()
        entry = self._active.get(key) or self._inactive.get(key)
        if entry is None or self.clock() >= entry.fresh_until or self.wall_clock() >= entry.fresh_until_wall:
            return None
        self.counters.hits += 1
        return entry.introspection

    def _is_past(self, moment: float, moment_wall: float) -> bool:
        return self.clock() >= moment or self.wall_clock() >= moment_wall

    def _ask(self, token: str, *, known: bool, sent_at: float | None = None) -> Introspection:
        self.counters.count("misses")
        answer = self.inner.introspect(token, known=known)
        return answer if sent_at is None else answer.asked_by(sent_at)

    def _ask_or_join(self, key: bytes, token: str, *, known: bool) -> Introspection:
        came_at, seconds = self.clock(), min(self.ttl_seconds, LONGEST_INACTIVE_SECONDS)
        while True:
            leads = False
            with self._lock:
                if answer := self.remembered(token):  # it may have come since this request looked
                    return answer
                flight = self._flights.get(key)
                # It is joined only while even an answer that says inactive will be fresh for a request that comes now
                if flight is None or self._is_past(flight.sent_at + seconds, flight.sent_at_wall + seconds):
                    leads = True
                    flight = self._flights[key] = Flight(sent_at=self.clock(), sent_at_wall=self.wall_clock())
            if leads:
                ask = partial(self._ask, token, known=known, sent_at=flight.sent_at)
                return flight.lead(ask, partial(self._land, flight, key))
            self.counters.count("joins")
            answer = flight.outcome(self.timeout_seconds)
            # A shared answer may have been too old already when this request came
            if answer.asked_at is None or came_at < answer.asked_at + answer.lifetime(self.ttl_seconds):
                return answer

    def _land(self, flight: Flight, key: bytes, answer: Introspection | None) -> None:
        """Forget the flight and keep its answer, unless a later flight, which knows better, has replaced it."""
        entry = self._entry(flight, answer) if answer else None
        with self._lock:
            if self._flights.get(key) is not flight:
                return
            del self._flights[key]
            if entry is None:
                return
            active = entry.introspection.active
            kept, other = (self._active, self._inactive) if active else (self._inactive, self._active)
            other.remove(key)
            if not self._is_past(entry.fresh_until, entry.fresh_until_wall):
                kept.put(key, entry)

    def _entry(self, flight: Flight, answer: Introspection) -> Entry:
        """Return an entry that is fresh until the earlier of TTL and ``exp``. A float may be too small for ``exp``."""
        seconds = answer.lifetime(self.ttl_seconds)
        if answer.asked_at is not None:
            seconds -= flight.sent_at - answer.asked_at  # how old a shared answer was when the flight began
        until_wall = flight.sent_at_wall + seconds
        if answer.active and answer.expires_at is not None and answer.expires_at < until_wall:
            until_wall = answer.expires_at
            seconds = until_wall - flight.sent_at_wall if until_wall > flight.sent_at_wall else 0.0
        return Entry(answer.as_from(Source.HIT), fresh_until=flight.sent_at + seconds, fresh_until_wall=until_wall)

    def _in_slot(self, ask: Callable[[], Introspection], *, known: bool, paced: bool) -> Introspection:
        slot = self.bulkhead.acquire(known=known)
        if slot is None:
            raise too_many_waiting(self.counters)
        is_active = False
        try:
            answer = ask()
            is_active = answer.active
        finally:
            try:
                if paced and not is_active:
                    self.pacer.wait()
            finally:
                self.bulkhead.release(slot)
        return answer
