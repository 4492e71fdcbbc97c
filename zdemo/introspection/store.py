"""Where the cache keeps its answers: bounded by their number and by the memory that they take."""

from collections import OrderedDict
from collections.abc import Callable
from sys import getsizeof
from typing import Any

from zdemo.introspection.model import Introspection

BYTES_PER_TOKEN = 8 * 1024  # few claims take 2.8 KiB, the emulator's about its reader 4.4, 500 roles 196
LEAST_BYTES = 1024 * 1024
OWN_BYTES = 500  # of an entry and its place in the store, without the claims


def bytes_for(tokens: int) -> int:
    """Return how much memory the answers about so many tokens may take."""
    return max(LEAST_BYTES, tokens * BYTES_PER_TOKEN)


def memory_of(claims: Any) -> int:
    """Return about how many bytes decoded JSON takes in memory."""
    total, values = 0, [claims]
    while values:
        value = values.pop()
        total += getsizeof(value)
        if isinstance(value, dict):
            values += value
            values += value.values()
        elif isinstance(value, list):
            values += value
    return total


class Entry:
    """An answer, and until when it may be used by either clock. It never changes."""

    __slots__ = ("fresh_until", "fresh_until_wall", "introspection", "size")

    def __init__(self, introspection: Introspection, *, fresh_until: float, fresh_until_wall: float) -> None:
        self.introspection = introspection
        self.fresh_until = fresh_until
        self.fresh_until_wall = fresh_until_wall  # epoch seconds
        self.size = OWN_BYTES + memory_of(introspection.claims)


class Store:
    """At most ``most_entries`` entries, which take at most ``most_bytes``.

    Entries leave first in, first out. All live equally long, so that is also the order in which they go stale, and
    unlike "least recently used" it needs no write, hence no lock, when an entry is read. The caller holds a lock
    around each change.
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
        keys = [key for key, entry in self._entries.items() if matches(entry.introspection)]
        for key in keys:
            self.remove(key)
        return len(keys)
