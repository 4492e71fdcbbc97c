"""IDs as ZITADEL makes them: 18 digits today, rising, and holding their time of creation (ZITADEL: sonyflake)."""

from collections.abc import Callable

EPOCH = 1556496000  # 2019-04-29T00:00:00Z, in epoch seconds
UNIT_SECONDS = 0.01  # one step of the time part
TIME_SHIFT = 24  # bits below the time part: 8 of sequence, 16 of machine
SEQUENCE_SHIFT = 16
MACHINE = 0x0A01  # ZITADEL takes it from the node's private address
SEQUENCES_PER_UNIT = 256


class IdGenerator:
    """Makes IDs from a clock. A clock that stands still or goes back costs nothing: the time part runs ahead."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._units = 0
        self._sequence = 0

    def new_id(self) -> str:
        """A decimal string, greater than every one before."""
        units = int((self._now() - EPOCH) / UNIT_SECONDS)
        if units > self._units:
            self._units, self._sequence = units, 0
        else:
            self._sequence += 1
            if self._sequence == SEQUENCES_PER_UNIT:
                self._units, self._sequence = self._units + 1, 0
        return str(self._units << TIME_SHIFT | self._sequence << SEQUENCE_SHIFT | MACHINE)
