"""A certificate that is not trusted, in words: why that may be, and what mends it.

A module of its own because OpenSSL's one sentence for it ("unable to get local issuer certificate") has two causes,
and what mends them depends on the CA bundle that the environment names.
"""

from __future__ import annotations

from pathlib import Path

from zdemo.errors import SettingsError

SELF_SIGNED, SELF_SIGNED_CA = 18, 19  # X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, _SELF_SIGNED_CERT_IN_CHAIN


def why_untrusted(verify_code: int) -> str:
    """Why OpenSSL does not trust a certificate, as far as its code tells."""
    if verify_code == SELF_SIGNED:
        return "it is self-signed"
    if verify_code == SELF_SIGNED_CA:
        return "its CA is unknown here"
    return "its CA is unknown here, or the server leaves out the certificates in between"


def how_to_trust(verify_code: int, ca_bundle: str | None) -> str:
    """What makes a certificate trusted. Only the bundle counts: requests does not read the system's own store."""
    what = "certificate" if verify_code == SELF_SIGNED else "CA's certificate"
    fix = f"name the PEM file of the {what}: export REQUESTS_CA_BUNDLE=/path/to/ca.pem (the system's store is not read)"
    if ca_bundle:
        fix = f"put the {what} into the PEM file that REQUESTS_CA_BUNDLE (or CURL_CA_BUNDLE) names"
    whole = verify_code in (SELF_SIGNED, SELF_SIGNED_CA)
    return fix if whole else f"{fix}; or let the server send its whole chain"


def may_hang(bundle: str) -> bool:
    """Whether OpenSSL may wait for ever for a bundle: it is there, and neither a file nor a folder (a named pipe)."""
    path = Path(bundle)
    return path.exists() and not (path.is_file() or path.is_dir())


def unusable_bundle() -> SettingsError:
    """The error for a CA bundle that the environment names and that cannot be used."""
    return SettingsError(
        ["REQUESTS_CA_BUNDLE (or CURL_CA_BUNDLE) names a file that cannot be read as PEM certificates"],
        hint="correct the path, e.g. REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt, or unset it",
    )
