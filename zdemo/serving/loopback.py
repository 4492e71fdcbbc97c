"""What is this machine: an address, or a host name that a request may have."""

from __future__ import annotations

import re
from ipaddress import ip_address

HOST = re.compile(r"(?i)(?P<name>localhost|127(\.\d{1,3}){3}|\[::1\])(:(?P<port>\d{1,5}))?", re.ASCII)
HIGHEST_PORT = 65535


def names_loopback(host: str) -> bool:
    """Return whether the value of a ``Host`` header names this machine, as no web page's own host name does."""
    found = HOST.fullmatch(host)
    if found is None or int(found["port"] or 0) > HIGHEST_PORT:
        return False
    return found["name"].lower() == "localhost" or is_loopback_address(found["name"].strip("[]"))


def is_loopback_address(address: str) -> bool:
    """Return whether an IP address is one of this machine's own, also as IPv6 writes one of IPv4."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback
