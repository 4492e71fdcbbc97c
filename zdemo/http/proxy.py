"""The proxy of the environment: which one requests to an address take, and whether it can be one. Pure.

A module of its own because transport asks before it sends, failures name the proxy, and doctor looks at it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

SCHEMES = ("http", "https")
HOST = re.compile(r"[A-Za-z0-9_.:-]+")


def proxy_of(origin: str, proxies: Mapping[str, str]) -> str:
    """The proxy for an origin, as a URL, out of ``proxies`` as requests reads them; empty when there is none."""
    parts = urlsplit(origin)
    keys = (f"{parts.scheme}://{parts.hostname}", parts.scheme, f"all://{parts.hostname}", "all")
    proxy = next((proxies[key] for key in keys if proxies.get(key)), "")
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"


def proxy_address(proxy: str) -> tuple[str, int]:
    """Host and port of a proxy, without its password; an empty host when it has none that could be one."""
    try:
        parts = urlsplit(proxy)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return "", 0
    return (host, port) if HOST.fullmatch(host) else ("", 0)


def proxy_problem(proxy: str) -> str:
    """Why a proxy cannot be asked at all, to stand behind its name; empty when it can."""
    scheme = proxy.partition("://")[0].lower()
    if scheme.startswith("socks"):
        return "is none for http: zdemo speaks to no SOCKS proxy"
    if scheme not in SCHEMES:
        return "has a scheme other than http and https"
    return "" if proxy_address(proxy)[0] else "is no address"
