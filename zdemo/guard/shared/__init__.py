"""The answers that workers and machines share in the store of ``ZDEMO_CACHE_URL``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zdemo.config.parsers import CACHE_URL, InvalidValue, cache_url
from zdemo.config.settings import Settings
from zdemo.errors import SettingsError
from zdemo.guard.counters import Counters

if TYPE_CHECKING:
    from zdemo.guard.shared.answers import SharedAnswers

LONGEST_OPERATION_SECONDS = 0.25  # a round trip takes less than a millisecond; a busy process may take longer
OPERATION_SHARE = 0.05  # of the timeout


def shared_answers(settings: Settings, *, counters: Counters | None = None) -> SharedAnswers:
    """Return the answers in the store of ``ZDEMO_CACHE_URL``, which must be set.

    Raises SettingsError if it is wrong, or the package for it is missing.
    """
    try:
        url = cache_url(settings.cache_url or "")
    except InvalidValue as error:
        raise SettingsError([f"{CACHE_URL} {error}"], hint=error.fix) from None
    from zdemo.guard.shared.answers import SharedAnswers  # here, because the package may have been missing
    from zdemo.guard.shared.redis_store import RedisStore
    from zdemo.guard.shared.sealing import Sealer

    seconds = min(LONGEST_OPERATION_SECONDS, OPERATION_SHARE * settings.timeout_seconds)
    store = RedisStore(url, operation_seconds=seconds, counters=counters)
    return SharedAnswers(store, Sealer(settings), ttl_seconds=settings.cache_ttl_seconds)
