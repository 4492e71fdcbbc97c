"""Addresses of servers: scheme, host and port, or what is wrong with the text."""

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from zdemo.config.parsers import InvalidValue, corrected

DEFAULT_PORTS = {"http": 80, "https": 443}
LONGEST_LABEL = 63  # RFC 1035 §2.3.4
ALL_ADDRESSES = ("0.0.0.0", "::")  # noqa: S104  # to be recognized, not to listen at
DAMAGED_SCHEME = re.compile(r"https?(:(?!//|\d)|[/;\\])", re.IGNORECASE)  # a host may be called http
SCHEME_AND_MARKS = r"(?i)^(https?)[:;/\\]*"
NOT_A_PORT = r":[^\d:/\]]"  # it may be a password, with the host left out


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine itself, so that plain http to it is private."""
    name = host.strip("[]").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def without_default_port(address: str) -> str:
    """Return an origin as a ``Host`` field gives it, which omits the scheme's default port (RFC 9110 §7.2)."""
    parts = urlsplit(address)
    port = DEFAULT_PORTS.get(parts.scheme)
    return address.removesuffix(f":{port}") if parts.port == port else address


def origin(text: str, *, allow_http: bool, example: str) -> str:
    """Return scheme, host and port of an address, without a slash at the end."""

    def again(candidate: str) -> str:
        return corrected(candidate, lambda other: origin(other, allow_http=allow_http, example=example))

    if any(c.isspace() for c in text):
        raise InvalidValue("has a space inside", fix=f"give one address, for example {example}")
    if DAMAGED_SCHEME.match(text):
        raise InvalidValue("has a damaged scheme", corrected=again(re.sub(SCHEME_AND_MARKS, r"\1://", text)))
    scheme, _, rest = text.partition("://") if "://" in text else ("", "", text)
    if "://" in rest:
        raise InvalidValue("contains :// twice", corrected=again(rest))
    try:
        parts = urlsplit(f"//{rest}")
        host, port = (parts.hostname or "").encode("ascii" if rest.isascii() else "idna").decode(), parts.port
    except (ValueError, UnicodeError):
        host, port, parts = "", None, urlsplit("")
    if not _is_host(host) or port == 0:
        shown = "" if re.search(NOT_A_PORT, rest) else None
        raise InvalidValue("is not an address", shown=shown, fix=f"give scheme, host and port, for example {example}")
    address = f"[{host}]" if ":" in host else host
    return _checked_origin(scheme.lower(), f"{address}:{port}" if port else address, parts, allow_http=allow_http)


def _is_host(host: str) -> bool:
    """Return whether a host is an IPv6 address without a zone, or a name of valid labels."""
    if ":" in host:
        try:
            return ipaddress.IPv6Address(host).scope_id is None
        except ValueError:
            return False
    labels = host.removesuffix(".").split(".")
    return all(0 < len(label) <= LONGEST_LABEL and all(c.isalnum() or c in "-_" for c in label) for label in labels)


def _checked_origin(scheme: str, address: str, parts: SplitResult, *, allow_http: bool) -> str:
    """Return the origin, or raise InvalidValue with the first problem."""
    if scheme == "http" and parts.hostname in ALL_ADDRESSES and not allow_http:
        port = f":{parts.port}" if parts.port else ""
        raise InvalidValue("is for servers, which listen at all addresses", corrected=f"http://localhost{port}")
    here = is_loopback(parts.hostname or "")
    is_plain = scheme == "http" and not here and not allow_http
    likely = scheme if scheme in ("http", "https") and not is_plain else "http" if here else "https"
    checks = (
        (not scheme and here, "has no scheme (http:// or https://)"),
        (scheme not in ("", "http", "https"), "has a scheme other than http and https"),
        (parts.username is not None, "contains a user name or password"),
        (bool(parts.path.strip("/")), "has a path"),
        (bool(parts.query or parts.fragment), "has a query or fragment"),
        (is_plain, "would send tokens and secrets over plain http"),
    )
    problem = next((words for is_wrong, words in checks if is_wrong), "")
    if not problem:
        return f"{likely}://{address}"
    may_be_password = "@" in parts.path + parts.query + parts.fragment  # a password may contain / or ?
    fix = "ZDEMO_ALLOW_HTTP=1 in a network that you trust" if problem == checks[-1][1] else ""
    raise InvalidValue(problem, corrected="" if may_be_password else f"{likely}://{address}", fix=fix)
