"""The operations on the store: each is one script, so it takes one round trip and is atomic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha1
from typing import Any

from zdemo.introspection.clock import running_clock
from zdemo.introspection.shared.link import Links, StoreFailed, StoreFault

PREFIX = "zdemo:1"
MOST_ORDERS = 256
ORDERS_MILLISECONDS = 2 * 86_400_000  # no answer is used for longer than a day
LEASE_OWNER_BYTES = 64
OVERHEAD_BYTES = 4096  # of the server's answer around the values in it
ORDER_BYTES = 4096
# A list of orders that is not there gets a first entry, so that each worker notices when the store has lost its data.
HEAD = f"""
local newest = redis.pcall('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)
local head = newest[1] and newest[1][1] or redis.pcall('XADD', KEYS[3], '*', 'start', '')
if type(head) ~= 'string' then head = '' elseif not newest[1] then
  redis.call('PEXPIRE', KEYS[3], {ORDERS_MILLISECONDS})
end
"""
LOOK = f"""
{HEAD}
local now = redis.call('TIME')
local size = redis.pcall('STRLEN', KEYS[1])
local value = ''
if type(size) == 'number' and size > 0 and size <= tonumber(ARGV[3]) then value = redis.call('GET', KEYS[1]) end
if value == '' or redis.sha1hex(value) == ARGV[4] then redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) end
local owner = redis.pcall('GETRANGE', KEYS[2], 0, {LEASE_OWNER_BYTES})
if type(owner) ~= 'string' then owner = '' end
return {{now[1], now[2], head, value, owner}}
"""
END = f"""
{HEAD}
local mine = redis.pcall('GETRANGE', KEYS[2], 0, {LEASE_OWNER_BYTES}) == ARGV[1]
local kept = 0
if ARGV[3] ~= '' and head == ARGV[2] and (mine or redis.call('EXISTS', KEYS[1]) == 0) then
  kept = redis.pcall('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
end
if mine then redis.call('DEL', KEYS[2]) end
if type(kept) == 'table' and kept.err then return kept end
return 1
"""
ORDER = f"""
local added = redis.pcall('XADD', KEYS[1], 'MAXLEN', {MOST_ORDERS}, '*', 'order', ARGV[1])
if type(added) == 'table' and added.err then
  if string.find(added.err, 'OOM') then return added end
  redis.call('DEL', KEYS[1])
  redis.call('XADD', KEYS[1], '*', 'order', ARGV[1])
end
redis.call('PEXPIRE', KEYS[1], {ORDERS_MILLISECONDS})
if KEYS[2] then redis.call('DEL', KEYS[2]) end
return 1
"""
SCRIPTS = (LOOK, END, ORDER)


@dataclass(frozen=True, kw_only=True)
class Names:
    """Under which keys the answer about a token stands, and the lease of who asks about it."""

    answer: str
    lease: str

    @classmethod
    def of(cls, name: str) -> Names:
        """Return the keys that belong to a name from the sealer."""
        return cls(answer=f"{PREFIX}:answer:{name}", lease=f"{PREFIX}:lease:{name}")


@dataclass(frozen=True, kw_only=True)
class Look:
    """What the store says about a token, all at one moment: ``now`` by its clock (epoch seconds).

    The question was sent at ``sent_at``, and the answer came at ``came_at`` (running clock). ``owner`` holds the lease,
    and ``head`` is the newest order to forget. Nothing in it is proven.
    """

    sent_at: float
    came_at: float
    now: float
    head: bytes
    value: bytes
    owner: bytes


class RedisStore:
    """The operations on a store. Each takes at most ``seconds``, and raises StoreFailed if it cannot be done."""

    def __init__(
        self, links: Links, *, seconds: float, largest_value: int, clock: Callable[[], float] = running_clock
    ) -> None:
        self._links = links
        self._seconds = seconds
        self._largest_value = largest_value
        self._clock = clock
        self._hashes = {script: sha1(script.encode(), usedforsecurity=False).hexdigest() for script in SCRIPTS}

    def look(self, names: Names, orders: str, owner: bytes, *, lease_seconds: float, rejected: str) -> Look:
        """Return the answer about a token. If there is none but the ``rejected`` one, take the lease if it is free.

        ``rejected`` is the SHA-1 of a value: it only saves a round trip.
        """
        sent_at = self._clock()
        answer = self._script(
            LOOK,
            [names.answer, names.lease, orders],
            [owner, round(1000 * lease_seconds), self._largest_value, rejected],
            most_bytes=self._largest_value + OVERHEAD_BYTES,
        )
        match answer:
            case [bytes(whole), bytes(micro), bytes(head), bytes(value), bytes(holder)]:
                return Look(
                    sent_at=sent_at,
                    came_at=self._clock(),
                    now=_epoch(whole, micro),
                    head=head,
                    value=value,
                    owner=holder,
                )
        raise StoreFailed(StoreFault.GARBAGE)

    def end(self, names: Names, orders: str, owner: bytes, *, head: bytes, value: bytes, milliseconds: int) -> None:
        """Give the lease back, and keep an answer, unless an order has come since ``head``."""
        keys = [names.answer, names.lease, orders]
        self._script(END, keys, [owner, head, value, max(1, milliseconds)])

    def time(self) -> float:
        """Return the store's time, in epoch seconds."""
        match self._run("TIME"):
            case [bytes(whole), bytes(micro)]:
                return _epoch(whole, micro)
        raise StoreFailed(StoreFault.GARBAGE)

    def publish(self, orders: str, sealed: bytes, answer: str | None) -> bool:
        """Add an order, and remove the answer that it names, if it names one; return that it is done."""
        return bool(self._script(ORDER, [orders, answer] if answer else [orders], [sealed]))

    def orders(
        self, orders: str, most: int = MOST_ORDERS, *, seconds: float | None = None
    ) -> list[tuple[bytes, bytes]]:
        """Return the orders, the newest first, each with its ID."""
        command = ["XREVRANGE", orders, "+", "-", "COUNT", most]
        answer = self._run(*command, seconds=seconds, most_bytes=MOST_ORDERS * ORDER_BYTES)
        return [_order(entry) for entry in _list(answer)]

    def newest_order(self, orders: str, head: bytes, seconds: float) -> bytes:
        """Wait some seconds for an order after ``head``, and return the ID of the newest; empty if there is none."""
        command = ["XREAD", "COUNT", 1, "BLOCK", round(1000 * seconds), "STREAMS", orders, head or b"0"]
        self._run(*command, seconds=seconds + self._seconds)
        return next((identity for identity, _ in self.orders(orders, most=1)), b"")

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._links.close()

    def _run(self, *command: Any, seconds: float | None = None, most_bytes: int = OVERHEAD_BYTES + ORDER_BYTES) -> Any:
        return self._links.run(*command, seconds=self._seconds if seconds is None else seconds, most_bytes=most_bytes)

    def _script(self, script: str, keys: list[str], arguments: list[Any], **limits: Any) -> Any:
        """Run a script by its hash, and send it if the server does not know it."""
        began = self._clock()
        try:
            return self._run("EVALSHA", self._hashes[script], len(keys), *keys, *arguments, **limits)
        except StoreFailed as failed:
            if failed.fault is not StoreFault.NO_SCRIPT:
                raise
        left = self._seconds - (self._clock() - began)
        return self._run("EVAL", script, len(keys), *keys, *arguments, seconds=left, **limits)


def _epoch(whole: bytes, micro: bytes) -> float:
    if not (whole.isdigit() and micro.isdigit() and len(whole) <= 12 and len(micro) <= 6):
        raise StoreFailed(StoreFault.GARBAGE)
    return int(whole) + int(micro) / 10**6


def _list(answer: Any) -> list[Any]:
    if not isinstance(answer, list):
        raise StoreFailed(StoreFault.GARBAGE)
    return answer


def _order(entry: Any) -> tuple[bytes, bytes]:
    """Return an entry's ID and its sealed order, which is empty if the entry is of another kind."""
    match entry:
        case [bytes(identity), [b"order", bytes(sealed)]]:
            return identity, sealed
        case [bytes(identity), *_]:
            return identity, b""
    raise StoreFailed(StoreFault.GARBAGE)
