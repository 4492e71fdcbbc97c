"""The message and the hint for each kind of failure, another address, and what is wrong with a proxy."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from zdemo.config.address import INTERNAL_URL, ISSUER, is_loopback
from zdemo.config.names import assignment
from zdemo.config.variables import EMULATOR_PORT
from zdemo.errors import ConnectionFailed, FailureKind
from zdemo.errors.steps import Command, SetVariable, Shell, Step

SELF_SIGNED, SELF_SIGNED_CA = 18, 19  # X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, _SELF_SIGNED_CERT_IN_CHAIN
EXPECTS_HTTPS = "{netloc} expects https, but http was used"
NO_DETAIL = "no further detail"
HOST = re.compile(r"[A-Za-z0-9_.:\[\]-]{1,255}")

OTHER_SCHEME = {FailureKind.PLAIN_HTTP: "http", FailureKind.EXPECTS_TLS: "https"}  # their hint is the right address
_WORDS = {
    FailureKind.NAME_NOT_RESOLVED: (
        "the host name {host} does not resolve (DNS)",
        "check the host name in {setting}, then this machine's network and DNS",
    ),
    FailureKind.REFUSED: (
        "{host} port {port} refuses connections: nothing listens there",
        "start {server} there, or correct host and port in {setting}",
    ),
    FailureKind.NO_ROUTE: (
        "this machine has no route to {host} port {port} ({detail})",
        "check the network, a VPN or a firewall, and the host in {setting}",
    ),
    FailureKind.TIMEOUT: (
        "no answer from {origin} within {seconds:g} s",
        "check whether that server hangs, check the network in between, or raise ZDEMO_TIMEOUT",
    ),
    FailureKind.HUNG_UP: (
        "{origin} closed the connection without an answer",
        "check that server's log{certificate_too} and the proxies in between, or correct host and port in {setting}",
    ),
    FailureKind.PLAIN_HTTP: ("{host} port {port} speaks plain http, not https", ""),
    FailureKind.NOT_TLS: (
        "https was used, but {host} port {port} does not speak TLS",
        "check scheme, host and port in {setting}: that port is not an https server's",
    ),
    FailureKind.EXPECTS_TLS: (EXPECTS_HTTPS, ""),
    FailureKind.CERTIFICATE_UNTRUSTED: ("the TLS certificate of {host} is not trusted: {untrusted} ({detail})", ""),
    FailureKind.CERTIFICATE_EXPIRED: (
        "the TLS certificate of {host} has expired",
        "renew the server's certificate\nor, if it is new, check this machine's clock",
    ),
    FailureKind.CERTIFICATE_NOT_YET_VALID: (
        "the TLS certificate of {host} is not valid yet",
        "check this machine's clock, then the certificate's dates",
    ),
    FailureKind.CERTIFICATE_WRONG_NAME: (
        "the TLS certificate is for another name than {host}",
        "use the certificate's name in {setting}, or get a certificate for {host}",
    ),
    FailureKind.TLS: (
        "TLS with {host} port {port} failed ({detail})",
        "check that this port speaks TLS, and which TLS versions and ciphers it offers",
    ),
    FailureKind.PROXY: (
        "the proxy{proxy} does not let requests through to {host}{status}",
        "check {proxy_setting}, or add {host} to NO_PROXY",
    ),
    FailureKind.PROXY_REFUSED: (
        "nothing listens at the proxy {proxy_host} port {proxy_port}, which {proxy_setting} names",
        "start the proxy\nor add {host} to NO_PROXY",
    ),
    FailureKind.PROXY_UNUSABLE: (
        "the proxy from the environment {detail}; no request was sent",
        "set {proxy_setting} to an http proxy, or add {host} to NO_PROXY",
    ),
    FailureKind.PROXY_LOGIN: (
        "the proxy{proxy} {login} (407)",
        "set {proxy_setting} to http://USER:PASSWORD@{proxy_host}:{proxy_port}\nor add {host} to NO_PROXY",
    ),
    FailureKind.PROXY_WITHOUT_WAY: (
        "the proxy{proxy} cannot connect to {host} port {port}{status}",
        "check host and port in {setting}, and that the server there runs\n"
        "or, if this machine reaches it without the proxy, add {host} to NO_PROXY",
    ),
    FailureKind.PROXY_PLAIN_HTTP: (
        "the proxy{proxy} speaks plain http, but its address says https",
        "use http:// in {proxy_setting}: http://{proxy_host}:{proxy_port}",
    ),
    FailureKind.BROKEN: (
        "the answer from {origin}{through} is not HTTP, or is cut off",
        "check {proxy_too}host and port in {setting}, then that server and the proxies in between",
    ),
    FailureKind.TOO_LARGE: (
        "the answer from {origin} is larger than {detail}",
        "check the address in {setting}: neither ZITADEL nor a zdemo API sends such an answer",
    ),
}


@dataclass(frozen=True)
class CaBundle:
    """The CA bundle that the environment names, and the variable that does so."""

    variable: str
    path: str


def ca_bundle_of(environment: Mapping[str, str]) -> CaBundle | None:
    """Return the CA bundle that requests would use, if the environment names one."""
    variables = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    return next((CaBundle(name, environment[name]) for name in variables if environment.get(name)), None)


def untrusted(verify_code: int, bundle: CaBundle | None) -> tuple[str, tuple[Step, ...]]:
    """Return why OpenSSL does not trust a certificate, as far as its code tells, and what makes it trusted."""
    known = {SELF_SIGNED: "it is self-signed", SELF_SIGNED_CA: "its CA is unknown here"}
    what = "certificate" if verify_code == SELF_SIGNED else "CA's certificate"
    does = f"FILE is the PEM file of the {what}: zdemo does not read the system's store"
    fix: Step = Shell("export REQUESTS_CA_BUNDLE=FILE", does=does)
    if bundle:
        fix = f"add the {what} to {bundle.path}, the PEM file that {bundle.variable} names"
    if verify_code in known:
        return known[verify_code], (fix,)
    why = "its CA is unknown here, or the server omits the intermediate certificates"
    return why, (fix, "or let the server send its whole chain")


def failed(
    kind: FailureKind,
    origin: str,
    setting: str,
    *,
    seconds: float = 0,
    proxy: str = "",
    connecting: bool = False,
    trust: tuple[Step, ...] = (),
    **words: str,
) -> ConnectionFailed:
    """Return the error for a kind of failure. ``setting`` is the variable or option that holds the origin.

    ``proxy`` is a URL. ``trust`` is what makes a certificate trusted. ``words`` are for some kinds only: ``detail``,
    a proxy's ``status``, ``untrusted``.
    """
    parts = urlsplit(origin)
    host, is_https = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if is_https else 80)
    proxy_host, proxy_port = proxy_address(proxy)
    names = (f"{parts.scheme}_proxy", "all_proxy")  # none of them is set where the system names the proxy
    variables = [name for name in os.environ if os.environ[name] and name.lower() in names]
    proxy_setting = " or ".join(variables) or "the system's setting"
    here, is_zitadels = is_loopback(host), setting in (ISSUER, INTERNAL_URL)
    values = {
        "server": "ZITADEL" if is_zitadels else "the server",
        "host": host,
        "port": port,
        "netloc": parts.netloc if parts.port else f"{parts.netloc}:{port}",
        "origin": origin,
        "seconds": round(seconds, 1) or max(round(seconds, 3), 0.001),
        "proxy": f" {proxy_host}" if proxy_host else "",
        "login": "refuses the user name and password" if "@" in proxy else "requires a user name and password",
        "through": f", through the proxy {proxy_host} port {proxy_port}," if proxy_host else "",
        "proxy_setting": proxy_setting,
        "proxy_too": f"{proxy_setting}, then " if proxy_host else "",
        "proxy_host": proxy_host,
        "proxy_port": proxy_port,
        "setting": setting,
        "certificate_too": ", its certificate, its TLS versions" if is_https else "",
        "detail": NO_DETAIL,
        "status": "",
        "untrusted": "",
        **words,
    }
    message, hint = (text.format(**values) for text in _WORDS[kind])
    steps: tuple[Step, ...] = tuple(hint.split("\n"))
    if scheme := OTHER_SCHEME.get(kind):
        certain = parts.port is not None and (scheme == "https" or here)
        steps = address_steps(setting, scheme, host, port, parts.path, certain=certain)
    elif kind is FailureKind.TIMEOUT and seconds < 0.1:  # too short for most servers
        steps = ("raise ZDEMO_TIMEOUT",)
    elif kind is FailureKind.CERTIFICATE_UNTRUSTED:
        steps = trust
    elif kind is FailureKind.PROXY_REFUSED and variables:
        steps = steps[0], Shell(f"unset {' '.join(variables)}", does="if no proxy is needed"), *steps[1:]
    elif kind is FailureKind.REFUSED and here and parts.port is None:
        steps = (f"add the port to {setting}",)
    elif kind is FailureKind.REFUSED and here and is_zitadels:
        start = "emulator" if port == EMULATOR_PORT else f"emulator --port {port}"
        steps = hint, Command(start, uses_settings=False, does="runs an emulated ZITADEL")
        if host == "::1":  # where the emulator does not listen
            steps = SetVariable(setting, f"{parts.scheme}://localhost:{port}", does="if it runs there"), steps[1]
    return ConnectionFailed(message, hint=steps, kind=kind, connecting=connecting)


def address_steps(
    setting: str, scheme: str, host: str, port: int | None, path: str = "", *, certain: bool = False
) -> tuple[Step, ...]:
    """Return the step that sets another address, and the setting that plain http to another machine needs."""
    name = f"[{host}]" if ":" in host else host
    step = assignment(setting, f"{scheme}://{name}" + (f":{port}" if port else "") + path)
    if isinstance(step, SetVariable):
        step = replace(step, certain=certain)
    if scheme != "http" or is_loopback(host):
        return (step,)
    return step, SetVariable("ZDEMO_ALLOW_HTTP", "1", does="needed for plain http, in a network that you trust")


def host_or_nothing(text: str | None) -> str:
    """Return a host name that came over the network; empty if it cannot be one."""
    return text if text and HOST.fullmatch(text) else ""


def proxy_address(proxy: str) -> tuple[str, int]:
    """Return host and port of a proxy, without its password; the host is empty when it is not valid."""
    try:
        parts = urlsplit(proxy)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return "", 0
    return (host, port) if re.fullmatch(r"[A-Za-z0-9_.:-]+", host) else ("", 0)


def proxy_problem(proxy: str) -> str:
    """Return why a proxy cannot be used, in words that follow its name, or an empty string."""
    scheme = proxy.partition("://")[0].lower()
    if scheme.startswith("socks"):
        return "is a SOCKS proxy, which zdemo does not support"
    if scheme not in ("http", "https"):
        return "has a scheme other than http and https"
    host, _ = proxy_address(proxy)
    return "" if host else "is not an address"
