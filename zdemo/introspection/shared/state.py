"""Whether the store works, and if not, what to do; the texts never show a password."""

from __future__ import annotations

from dataclasses import dataclass

from zdemo.introspection.shared.link import StoreFault

PERMISSIONS = "~zdemo:* +eval +evalsha +get +getrange +set +strlen +exists +del +pexpire +time +xadd +xread +xrevrange"
WORDS: dict[StoreFault, tuple[str, str]] = {
    StoreFault.REFUSED: ("refuses connections", "start it, or correct ZDEMO_CACHE_URL"),
    StoreFault.NAME: ("has no address", "correct the host in ZDEMO_CACHE_URL"),
    StoreFault.TIMEOUT: ("does not answer in time", "check the store, and the network to it"),
    StoreFault.BUSY: ("does not answer in time", "check the store, and the network to it"),
    StoreFault.CERTIFICATE_WRONG_NAME: (
        "has a TLS certificate for another name",
        "use the certificate's name in ZDEMO_CACHE_URL, or get a certificate for this one",
    ),
    StoreFault.CERTIFICATE_UNTRUSTED: (
        "has a TLS certificate that is not trusted: it is self-signed, or its CA is unknown here",
        "add ?ssl_ca_certs=FILE to ZDEMO_CACHE_URL, with the CA's certificate in PEM",
    ),
    StoreFault.CERTIFICATE_EXPIRED: (
        "has a TLS certificate that has expired",
        "renew it; if it is new, check this machine's clock",
    ),
    StoreFault.CERTIFICATE_NOT_YET_VALID: (
        "has a TLS certificate that is not valid yet",
        "check this machine's clock, then the certificate's dates",
    ),
    StoreFault.NOT_TLS: ("does not speak TLS", "use redis:// in ZDEMO_CACHE_URL; rediss:// is for a port with TLS"),
    StoreFault.TLS: (
        "fails in TLS",
        "check its log; if it asks for a client certificate, add ssl_certfile=FILE and ssl_keyfile=FILE",
    ),
    StoreFault.TLS_TIMEOUT: (
        "does not answer in TLS in time: perhaps that port has no TLS",
        "check the store; use rediss:// only for a port with TLS",
    ),
    StoreFault.CLOSED: ("closes connections", "check the store; if it expects TLS, use rediss:// in ZDEMO_CACHE_URL"),
    StoreFault.CREDENTIALS: ("refuses the user name or the password", "correct them in ZDEMO_CACHE_URL"),
    StoreFault.UNAUTHENTICATED: ("requires a password", "put it into ZDEMO_CACHE_URL: redis://:PASSWORD@HOST"),
    StoreFault.PERMISSION: ("does not allow a command", f"allow the user in ZDEMO_CACHE_URL {PERMISSIONS}"),
    StoreFault.FULL: ("is full", "raise its maxmemory, or set its maxmemory-policy to volatile-ttl"),
    StoreFault.READ_ONLY: ("is a replica, which is read-only", "name the primary in ZDEMO_CACHE_URL"),
    StoreFault.LOADING: ("is still loading its data", "wait until it has"),
    StoreFault.ERROR: ("refuses a command", "check its log; zdemo is tested with Redis 7.0 and Valkey 9.1"),
    StoreFault.GARBAGE: ("does not answer as Redis or Valkey does", "correct host and port in ZDEMO_CACHE_URL"),
    StoreFault.NO_SCRIPT: ("refuses scripts", "check its log; zdemo is tested with Redis 7.0 and Valkey 9.1"),
}

READABLE = {StoreFault.FULL, StoreFault.READ_ONLY, StoreFault.PERMISSION}
# That something was read from the store does not end these: what was written has to.
OF_WRITES = {
    StoreFault.FULL,
    StoreFault.READ_ONLY,
    StoreFault.PERMISSION,
    StoreFault.ERROR,
    StoreFault.NO_SCRIPT,
    StoreFault.GARBAGE,
}


@dataclass(frozen=True, kw_only=True)
class SharedState:
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

    @classmethod
    def of(cls, fault: StoreFault, shown: str) -> SharedState:
        """Return the state after a fault of the store at an address."""
        what, hint = WORDS[fault]
        return cls(reason=f"the store at {shown} {what}", hint=hint, reads=fault in READABLE)

    @classmethod
    def set_back(cls, shown: str) -> SharedState:
        """Return the state while the store's clock shows less than before."""
        hint = "set the store's clock; if it is right now, restart the APIs"
        return cls(reason=f"the clock of the store at {shown} was set back", hint=hint, reads=True)


UNDATED = SharedState(
    reason="ZITADEL's answers have no valid Date field, which tells how old a shared answer is",
    hint="let the proxy in front of ZITADEL pass on the Date field of answers",
    reads=True,
)
