"""private_key_jwt: an API application proves with a signed JWT who it is (RFC 7523 §2.2, OpenID Connect Core §9).

A module of its own because of time. ZITADEL takes an assertion whose ``iat`` is at most one second ahead of its clock
and at most an hour old, and whose ``exp`` has not come; it takes the same one as often as it is sent. So one assertion
serves every request for some minutes: signing costs more than all else that an introspection needs here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from zdemo.config.key_file import ApplicationKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"  # RFC 7523 §2.2
ALGORITHM = "RS256"  # what ZITADEL announces for introspection

LIFETIME_SECONDS = 600
"""From signing to ``exp``: whoever gets hold of an assertion can use it until then, so it is short."""

CLOCK_LEEWAY_SECONDS = 60
"""By how much this machine's clock may be off, either way: ``iat`` is put so far back, and an assertion is replaced so
long before ``exp``. Clocks that are set by hand differ by less, and a minute is of no use to a thief."""

DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, kw_only=True)
class _Signed:
    """An assertion and the epoch seconds between which it is sent; before the first, the clock was put back."""

    text: str = field(repr=False)
    since: float
    until: float


class ClientAssertion:
    """The assertion to send now. Thread-safe: many ask, and one of them signs. ``clock`` tells epoch seconds."""

    def __init__(self, key: ApplicationKey, issuer: str, *, clock: Callable[[], float] = time.time) -> None:
        self._key = key
        self._audience = audience_of(issuer)
        self._clock = clock
        self._lock = threading.Lock()
        self._signed = _Signed(text="", since=0, until=0)

    def form(self) -> dict[str, str]:
        """The form fields that authenticate the application (RFC 7523 §2.2)."""
        return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": self.text()}

    def text(self) -> str:
        """The assertion; signed anew only when the one before is near its end."""
        signed, now = self._signed, self._clock()
        if signed.since <= now < signed.until:
            return signed.text
        with self._lock:
            if not self._signed.since <= now < self._signed.until:  # unless another thread was first
                self._signed = self._sign(now)
            return self._signed.text

    def _sign(self, now: float) -> _Signed:
        import jwt  # loads cryptography, which only a key file needs

        issued, expires = int(now) - CLOCK_LEEWAY_SECONDS, int(now) + LIFETIME_SECONDS
        client_id = self._key.client_id
        claims = {"iss": client_id, "sub": client_id, "aud": self._audience, "iat": issued, "exp": expires}
        text = jwt.encode(claims, self._private_key, algorithm=ALGORITHM, headers={"kid": self._key.key_id})
        return _Signed(text=text, since=issued, until=expires - CLOCK_LEEWAY_SECONDS)

    @cached_property
    def _private_key(self) -> RSAPrivateKey:
        """The key, loaded once: that takes some 40 ms, since its primes are checked, and signing then 1 ms."""
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        return cast("RSAPrivateKey", load_pem_private_key(self._key.private_key.encode(), password=None))


def audience_of(issuer: str) -> str:
    """The issuer as ZITADEL puts it together from our request, and compares it to the letter.

    It takes the port from the ``Host`` field, which does not name the scheme's own (RFC 9110 §7.2).
    """
    parts = urlsplit(issuer)
    port = DEFAULT_PORTS.get(parts.scheme)
    return issuer.removesuffix(f":{port}") if parts.port == port else issuer
