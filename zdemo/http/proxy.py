"""The proxy from the environment: which one requests to an address take, and whether it can be used. Pure."""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

SCHEMES = ("http", "https")
HOST = re.compile(r"[A-Za-z0-9_.:-]+")


def proxy_of(origin: str, proxies: Mapping[str, str]) -> str:
    """Return the URL of the proxy for an origin, out of ``proxies`` as requests reads them, or an empty string."""
    parts = urlsplit(origin)
    keys = (f"{parts.scheme}://{parts.hostname}", parts.scheme, f"all://{parts.hostname}", "all")
    proxy = next((proxies[key] for key in keys if proxies.get(key)), "")
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"


def proxy_address(proxy: str) -> tuple[str, int]:
    """Return host and port of a proxy, without its password; the host is empty when it is not valid."""
    try:
        parts = urlsplit(proxy)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return "", 0
    return (host, port) if HOST.fullmatch(host) else ("", 0)


def proxy_problem(proxy: str) -> str:
    """Return why a proxy cannot be used, in words that follow its name, or an empty string."""
    scheme = proxy.partition("://")[0].lower()
    if scheme.startswith("socks"):
        return "is a SOCKS proxy, which zdemo does not support"
    if scheme not in SCHEMES:
        return "has a scheme other than http and https"
    return "" if proxy_address(proxy)[0] else "is not an address"
