"""The Redis or Valkey that workers share, through redis-py's client: behind a breaker, and it never fails a request.

The time limits are redis-py's: they bound each wait for the network, and not the system's resolver.
"""

import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from redis import ConnectionPool, Redis, exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry

from zdemo.config.parsers import shown_address
from zdemo.guard.breaker import Breaker
from zdemo.guard.instruments import Counters, RateLimitedLog, running_clock
from zdemo.serving.forks import renewed_after_fork

T = TypeVar("T")

PERMISSIONS = "~zdemo:* +get +set +del +time +xadd +xrange +xread +pexpire +multi +exec"


class Fault(NamedTuple):
    """Errors, what they say about the store, and what to do."""

    errors: tuple[type[Exception], ...]
    meaning: str
    hint: str


REFUSED_WRITES = (
    Fault(
        (exceptions.OutOfMemoryError, exceptions.ReadOnlyError),
        "takes no values: it is full, or a read-only replica",
        "raise its maxmemory, set its maxmemory-policy to volatile-ttl, or name the primary in ZDEMO_CACHE_URL",
    ),
    Fault(
        (exceptions.NoPermissionError,), "does not allow a command", f"allow the user in ZDEMO_CACHE_URL {PERMISSIONS}"
    ),
)
FAULTS = (  # the first that fits
    Fault(
        (exceptions.AuthenticationError, exceptions.AuthorizationError),
        "refuses the user name or the password, or requires a password",
        "correct them in ZDEMO_CACHE_URL: redis://USER:PASSWORD@HOST",
    ),
    Fault(
        (ssl.SSLError,),
        "fails in TLS",
        "check its certificate and ?ssl_ca_certs=FILE, and use rediss:// only for a port with TLS",
    ),
    Fault(
        (TimeoutError, exceptions.TimeoutError, exceptions.BusyLoadingError),
        "does not answer in time",
        "check the store and the network to it, and use rediss:// only for a port with TLS",
    ),
    Fault((ConnectionRefusedError, FileNotFoundError), "refuses connections", "start it, or correct ZDEMO_CACHE_URL"),
    Fault(
        (Exception,),
        "has no address, or does not answer as Redis or Valkey does",
        "correct host and port in ZDEMO_CACHE_URL, or use rediss:// if the store expects TLS",
    ),
)


class SharedState(NamedTuple):
    """Whether answers are shared. If not, the API asks ZITADEL for itself: ``reason`` says why, ``hint`` what to do.

    ``reads``: the store answers, and only what would be written is refused.
    """

    reason: str = ""
    hint: str = ""
    reads: bool = False

    @property
    def ok(self) -> bool:
        """Whether the store worked when it was last used."""
        return not self.reason


def state_after(error: Exception, address: str) -> SharedState:
    """Return what an error of redis-py means for the store at an address. Nothing that it sent is shown."""
    errors: list[BaseException] = [error]
    while inner := errors[-1].__cause__ or errors[-1].__context__:
        errors.append(inner)
    fault = next(fault for fault in REFUSED_WRITES + FAULTS if any(isinstance(e, fault.errors) for e in errors))
    untrusted = next((f": {e.verify_message}" for e in errors if isinstance(e, ssl.SSLCertVerificationError)), "")
    return SharedState(f"the store at {address} {fault.meaning}{untrusted}", fault.hint, reads=fault in REFUSED_WRITES)


@dataclass(eq=False, kw_only=True, repr=False)  # the URL may have a password
class RedisStore:
    """Runs operations on a store while it works. Thread-safe. ``operation_seconds`` limits each wait for the store."""

    url: str
    operation_seconds: float
    counters: Counters = field(default_factory=Counters)
    clock: Callable[[], float] = running_clock

    @renewed_after_fork
    def __post_init__(self) -> None:
        self.state = SharedState()
        self._address = shown_address(self.url)
        self._client = self.client(self.operation_seconds, retries=1)
        self._breaker = Breaker(
            timeout_seconds=self.operation_seconds, counters=self.counters, gauge="shared_breaker", clock=self.clock
        )
        self._log = RateLimitedLog(logging.getLogger(__name__))

    def client(self, seconds: float, *, retries: int = 0, connect: Callable[[Any], None] | None = None) -> Redis:
        """Return a client that retries ``retries`` times if the server has closed the connection, as at a restart.

        ``connect`` gets each new connection of redis-py, and calls its ``on_connect``.
        """
        pool = ConnectionPool.from_url(
            self.url,
            socket_timeout=seconds,
            socket_connect_timeout=seconds,
            retry=Retry(NoBackoff(), retries, supported_errors=(exceptions.ConnectionError,)),
            protocol=2,
            redis_connect_func=connect,
        )
        return Redis(connection_pool=pool)  # not a pool of its own, which it would close in a forked process

    def run(self, operation: Callable[[Any], T], *, writes: bool = False, client: Redis | None = None) -> T | None:
        """Run an operation of redis-py's client, if the breaker allows; ``None`` if it does not, or if that fails."""
        permit = self._breaker.admit()
        if permit is None:
            return None
        try:
            result = operation(client or self._client)
        except Exception as error:  # a server that is not a Redis may make its parser fail in any way
            self._breaker.failed(permit)
            self.counters.count("shared_failures")
            self.state = state_after(error, self._address)
            self._log.error(f"answers are not shared: {self.state.reason}", self.state.hint)
            return None
        except BaseException:
            self._breaker.failed(permit)
            raise
        self._breaker.answered(permit)
        if not self.state.ok and (writes or not self.state.reads):
            self.state = SharedState()
            self._log.error("answers are shared again", f"the store at {self._address} works", logging.WARNING)
        return result

    def tried(self, operation: Callable[[Any], object]) -> SharedState:
        """Run an operation whatever the breaker says, and return how it went, which is neither counted nor logged."""
        try:
            operation(self._client)
        except Exception as error:  # as above
            return state_after(error, self._address)
        return SharedState()

    def close(self) -> None:
        """Close the connections."""
        self._client.connection_pool.disconnect()
