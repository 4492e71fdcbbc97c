"""What is this machine: an address, or a host name that a request may have."""

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

HOST = re.compile(r"(?i)(?P<name>localhost|127(\.\d{1,3}){3}|\[::1\])(:(?P<port>\d{1,5}))?", re.ASCII)
HIGHEST_PORT = 65535
FORWARDED = ("HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_FORWARDED", "HTTP_X_REAL_IP")  # how the names begin


def names_loopback(host: str) -> bool:
    """Return whether the value of a ``Host`` header names this machine, as no web page's own host name does."""
    match = HOST.fullmatch(host)
    if match is None or int(match["port"] or 0) > HIGHEST_PORT:
        return False
    return match["name"].lower() == "localhost" or is_loopback_address(match["name"].strip("[]"))


def is_loopback_address(address: str) -> bool:
    """Return whether an IP address is one of this machine's own, also as IPv6 writes one of IPv4."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    return (getattr(ip, "ipv4_mapped", None) or ip).is_loopback


def is_for_this_machine(environ: Mapping[str, Any]) -> bool:
    """Return whether a request names a loopback host, and no proxy forwards it for somebody else."""
    return names_loopback(environ.get("HTTP_HOST", "")) and not any(name.startswith(FORWARDED) for name in environ)


def is_local_program(environ: Mapping[str, Any]) -> bool:
    """Return whether a program on this machine sent a request, and neither a web page nor a proxy.

    A proxy on this machine that names a loopback host and adds no header cannot be told apart, except that nginx, which
    does that by default, speaks HTTP/1.0 then (1.1 from nginx 1.29.7 on).
    """
    from_page = "HTTP_ORIGIN" in environ or any(name.startswith("HTTP_SEC_FETCH_") for name in environ)
    from_here = is_loopback_address(environ.get("REMOTE_ADDR", "")) and is_for_this_machine(environ)
    return from_here and not from_page and environ.get("SERVER_PROTOCOL") != "HTTP/1.0"
