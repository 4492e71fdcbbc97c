"""The orders to forget that a worker has received, for as long as an answer from before one of them may be around."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from zdemo.introspection.forget import Forget
from zdemo.introspection.model import Introspection

MOST_ORDERS = 1000


@dataclass(frozen=True, kw_only=True)
class _Received:
    order: Forget
    at: float


class ReceivedOrders:
    """Tells which answers must not be believed any more. Thread-safe. Times are on the running clock.

    An answer counts as forgotten if its question was sent before this worker received an order about it: that is the
    same as before the order, or a moment longer.
    """

    def __init__(self, *, keep_seconds: float) -> None:
        self._keep_seconds = keep_seconds
        self._lock = threading.Lock()
        self._received: tuple[_Received, ...] = ()
        self._seen: OrderedDict[bytes, float] = OrderedDict()

    def add(self, order: Forget, now: float) -> None:
        """Note an order. If there are too many, the oldest become one to forget everything from before then."""
        with self._lock:
            kept = [one for one in self._received if now - one.at <= self._keep_seconds]
            kept.append(_Received(order=order, at=now))
            if len(kept) > MOST_ORDERS:
                half = MOST_ORDERS // 2
                kept = [_Received(order=Forget(everything=True), at=kept[half - 1].at), *kept[half:]]
            self._received = tuple(kept)

    def is_new(self, sealed: bytes, now: float) -> bool:
        """Tell whether a sealed order comes for the first time: others could write it again and again."""
        with self._lock:
            while self._seen and (
                len(self._seen) >= MOST_ORDERS or now - next(iter(self._seen.values())) > self._keep_seconds
            ):
                self._seen.popitem(last=False)
            if sealed in self._seen:
                return False
            self._seen[sealed] = now
            return True

    def forgot(self, answer: Introspection, token_hash: bytes, asked_at: float) -> bool:
        """Tell whether an answer about a token is older than an order about it."""
        return any(
            asked_at <= one.at
            and (one.order.token_hash == token_hash if one.order.token_hash is not None else one.order.names(answer))
            for one in self._received
        )
