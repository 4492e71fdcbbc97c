"""The orders to forget that a worker has received, for as long as an answer from before one of them may be around."""

import threading
from collections import OrderedDict
from dataclasses import dataclass

from zdemo.introspection.forget import Forget
from zdemo.introspection.model import Introspection

MOST_ORDERS = 1000
MOST_SEEN = 10_000  # a sealed order takes about 200 bytes


@dataclass(frozen=True, kw_only=True)
class _Received:
    order: Forget
    at: float
    stored_at: float | None = None  # when it was published, by the store's clock


class ReceivedOrders:
    """Tells which answers must not be believed any more. Thread-safe.

    An answer is forgotten if its question was sent before an order about it was published, by the store's clock. If
    that time is not known, the moment counts at which this worker received the order, on its running clock.
    """

    def __init__(self, *, keep_seconds: float) -> None:
        self._keep_seconds = keep_seconds
        self._lock = threading.Lock()
        self._received: tuple[_Received, ...] = ()
        self._seen: OrderedDict[bytes, float] = OrderedDict()

    def add(self, order: Forget, now: float, stored_at: float | None = None) -> None:
        """Note an order. If there are too many, the oldest become one to forget everything from before then."""
        with self._lock:
            kept = [one for one in self._received if now - one.at <= self._keep_seconds]
            kept.append(_Received(order=order, at=now, stored_at=stored_at))
            if len(kept) > MOST_ORDERS:
                half = MOST_ORDERS // 2
                kept = [_Received(order=Forget(everything=True), at=kept[half - 1].at), *kept[half:]]
            self._received = tuple(kept)

    def is_new(self, sealed: bytes, now: float) -> bool:
        """Tell whether a sealed order comes for the first time: others could write it again and again."""
        with self._lock:
            while self._seen and (
                len(self._seen) >= MOST_SEEN or now - next(iter(self._seen.values())) > self._keep_seconds
            ):
                self._seen.popitem(last=False)
            if sealed in self._seen:
                return False
            self._seen[sealed] = now
            return True

    def forgot(self, answer: Introspection, token_hash: bytes, *, asked_at: float, asked_at_stored: float) -> bool:
        """Tell whether an answer about a token is older than an order about it, by the running or the store's clock."""
        return any(
            (asked_at <= one.at if one.stored_at is None else asked_at_stored <= one.stored_at)
            and (one.order.token_hash == token_hash if one.order.token_hash is not None else one.order.names(answer))
            for one in self._received
        )
