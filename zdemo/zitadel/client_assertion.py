"""private_key_jwt: an API application authenticates with a signed JWT (RFC 7523 §2.2, OpenID Connect Core §9).

A service account asks for a token with the same JWT, signed with a key of its own (RFC 7523 §2.1).

ZITADEL accepts an assertion whose ``iat`` is at most one second ahead of its clock and at most an hour old, and whose
``exp`` has not come, as often as it is sent. So one assertion serves every request for some minutes: signing costs
more than everything else that an introspection needs here.
"""

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from zdemo.config.address import without_default_port
from zdemo.config.key_file import SigningKey
from zdemo.serving.forks import renewed_after_fork

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey


LIFETIME_SECONDS = 600  # from signing to ``exp``; short, because a stolen assertion can be used until then
# How much this machine's clock may be off: ``iat`` is set back by this, and an assertion is replaced so long before
# ``exp``. Clocks that are set by hand differ by less.
CLOCK_LEEWAY_SECONDS = 60


class ClientAssertion:
    """The assertion to send now. Thread-safe: of many callers one signs. ``clock`` returns epoch seconds."""

    @renewed_after_fork
    def __init__(self, key: SigningKey, issuer: str, *, clock: Callable[[], float] = time.time) -> None:
        self._key = key
        self._audience = without_default_port(issuer)  # as ZITADEL derives it from ``Host``, and compares it
        self._clock = clock
        self._lock = threading.Lock()
        self._text = ""
        self._since, self._until = 0, 0  # epoch seconds between which it is sent; before, the clock was set back

    def text(self) -> str:
        """Return the assertion; a new one is signed only when the previous one is near its end."""
        with self._lock:
            now = self._clock()
            if not self._since <= now < self._until:
                self._sign(now)
            return self._text

    def _sign(self, now: float) -> None:
        import jwt  # loads cryptography, which only a key file needs
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        issued, expires = int(now) - CLOCK_LEEWAY_SECONDS, int(now) + LIFETIME_SECONDS
        subject = self._key.subject
        claims = {"iss": subject, "sub": subject, "aud": self._audience, "iat": issued, "exp": expires}
        pem = self._key.private_key.encode()  # it was checked when the key file was read
        key = cast("RSAPrivateKey", load_pem_private_key(pem, password=None, unsafe_skip_rsa_key_validation=True))
        self._text = jwt.encode(claims, key, algorithm="RS256", headers={"kid": self._key.key_id})
        self._since, self._until = issued, expires - CLOCK_LEEWAY_SECONDS
