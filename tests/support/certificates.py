"""Certificates for TLS servers on loopback: valid ones, and each kind of invalid ones."""

import datetime
import ssl
from pathlib import Path

import trustme

from tests.support.upstream import LOOPBACK

DAY = datetime.timedelta(days=1)


class Certificates:
    """A CA; ``bundle`` is the PEM file that trusts it, the methods return contexts for servers."""

    def __init__(self, folder: Path) -> None:
        self._authority = trustme.CA()
        self.bundle = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(self.bundle)

    def good(self, name: str = LOOPBACK) -> ssl.SSLContext:
        return _context(self._authority.issue_cert(name))

    def wrong_name(self) -> ssl.SSLContext:
        return self.good("elsewhere.example")

    def expired(self) -> ssl.SSLContext:
        return self._for_days(-9, -1)

    def not_yet_valid(self) -> ssl.SSLContext:
        return self._for_days(1, 9)

    def _for_days(self, first: int, last: int) -> ssl.SSLContext:
        now = datetime.datetime.now(datetime.UTC)
        return _context(self._authority.issue_cert(LOOPBACK, not_before=now + first * DAY, not_after=now + last * DAY))

    def unknown_authority(self) -> ssl.SSLContext:
        return _context(trustme.CA().issue_cert(LOOPBACK))


def _context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    return context
