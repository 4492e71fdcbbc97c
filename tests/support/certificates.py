"""Certificates for TLS servers on loopback: valid ones, and each kind of invalid ones."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.upstream import LOOPBACK

DAY = datetime.timedelta(days=1)


class Certificates:
    """A CA; ``bundle`` is the PEM file that trusts it, the methods return contexts for servers."""

    def __init__(self, folder: Path) -> None:
        self._authority = trustme.CA()
        self._folder = folder
        self.bundle = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(self.bundle)

    def good(self) -> ssl.SSLContext:
        """Return a valid certificate for 127.0.0.1."""
        return _context(self._authority.issue_cert(LOOPBACK))

    def for_localhost(self) -> ssl.SSLContext:
        """Return a valid certificate for localhost."""
        return _context(self._authority.issue_cert("localhost"))

    def wrong_name(self) -> ssl.SSLContext:
        """Return a certificate for another name."""
        return _context(self._authority.issue_cert("elsewhere.example"))

    def wrong_address(self) -> ssl.SSLContext:
        """Return a certificate for another address."""
        return _context(self._authority.issue_cert("192.0.2.1"))

    def expired(self) -> ssl.SSLContext:
        """Return a certificate that expired a day ago."""
        now = datetime.datetime.now(datetime.UTC)
        return _context(self._authority.issue_cert(LOOPBACK, not_before=now - 9 * DAY, not_after=now - DAY))

    def not_yet_valid(self) -> ssl.SSLContext:
        """Return a certificate that is valid from tomorrow."""
        now = datetime.datetime.now(datetime.UTC)
        return _context(self._authority.issue_cert(LOOPBACK, not_before=now + DAY, not_after=now + 9 * DAY))

    def unknown_authority(self) -> ssl.SSLContext:
        """Return a certificate of an unknown CA."""
        return _context(trustme.CA().issue_cert(LOOPBACK))

    def self_signed(self) -> ssl.SSLContext:
        """Return a self-signed certificate."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, LOOPBACK)])
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY)
            .not_valid_after(now + DAY)
            .sign(key, hashes.SHA256())
        )
        pem = self._folder / "self-signed.pem"
        plain = serialization.NoEncryption()
        pem.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(pem)
        return context


def _context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    return context
