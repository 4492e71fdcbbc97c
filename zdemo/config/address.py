"""Addresses: an origin or what is wrong with its text, where ZITADEL is, and which address may have a secret.

A ``.env`` in a copied folder must not collect an exported secret: it comes from the shell, and the file says where it
would go.
"""

import ipaddress
import re
import shlex
from dataclasses import dataclass
from urllib.parse import urlsplit

from zdemo.config.environment import EXPORTED, Environment
from zdemo.config.parsers import VALUE_ITSELF, InvalidValue, corrected
from zdemo.errors.problem import Problem, ProblemKind
from zdemo.errors.steps import SetVariable, Shell, UnsetVariable
from zdemo.serving.loopback import HIGHEST_PORT, is_loopback_address
from zdemo.text.spelling import did_you_mean

ISSUER, INTERNAL_URL = "ZITADEL_DOMAIN", "ZITADEL_INTERNAL_URL"
ADMIN_PAT = "ZITADEL_ADMIN_PAT"
LABEL = r"[\w-]{1,63}"  # one part of a host name (RFC 1035 §2.3.4)
PATH, ROUTE = r"(/[\w.~-]+)*", r"/api/(public|private|private-scoped)$"


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine itself, so that plain http to it is private."""
    name = host.strip("[]").lower()
    return name == "localhost" or name.endswith(".localhost") or is_loopback_address(name)


def is_local(address: str) -> bool:
    """Return whether an address is on this machine; false for a text that is not an address."""
    try:
        return is_loopback(urlsplit(address.strip()).hostname or "")
    except ValueError:  # brackets that hold no IPv6 address
        return False


def without_default_port(address: str) -> str:
    """Return an origin as a ``Host`` field gives it, which omits the scheme's default port (RFC 9110 §7.2)."""
    parts = urlsplit(address)
    port = {"http": 80, "https": 443}.get(parts.scheme)
    return address.removesuffix(f":{port}") if parts.port == port else address


def origin(text: str, *, allow_http: bool, example: str, with_path: bool = False) -> str:
    """Return scheme, host and port of an address, without a slash at the end; and its path, if it may have one."""
    if re.search(r"\$[{(\w]", text):
        raise InvalidValue("has the name of a variable instead of its value", echo="", fix=VALUE_ITSELF)
    meant = re.sub(r"\A\[(.+)\]\(\1/?\)\Z", r"\1", text.strip("<>,;"))  # a link in Markdown
    meant = re.sub(r"(?i)\A(?:https?://)*(https?)(?::/+|[:/]+(?=[a-z]))", r"\1://", meant)
    meant = re.sub(r"(?<=\w),(?=\d{2,5}/?\Z)", ":", meant)
    meant = f"http://localhost:{text}" if re.fullmatch(r"\d{2,5}", text) else meant
    if meant != text:
        right = corrected(meant, lambda text: origin(text, allow_http=allow_http, example=example, with_path=with_path))
        raise InvalidValue("is not an address", corrected=right)
    scheme, _, rest = text.rpartition("://")
    scheme = scheme.lower()
    try:
        parts = urlsplit(f"//{rest}")
        host, port = (parts.hostname or "").encode("ascii" if rest.isascii() else "idna").decode(), parts.port
    except (ValueError, UnicodeError):
        host, port, parts = "", None, urlsplit("")
    is_word = host != "localhost" and re.fullmatch(r"[\w-]+", text)
    if is_word or scheme not in ("", "http", "https") or not _is_host(host) or port == 0 or parts.netloc.endswith(":"):
        echo = "" if re.search(r":[^\d:/\]]", rest) else None  # it may be a password, with the host left out
        what = f"has a port above {HIGHEST_PORT}" if re.search(r"\w:\d{5,}(/|$)", rest) else "is not an address"
        raise InvalidValue(what, echo=echo, fix=f"give scheme, host and port, for example {example}")
    here = is_loopback(host)
    is_plain = scheme == "http" and not here and not allow_http
    likely = "https" if is_plain else scheme or ("http" if here else "https")
    path = parts.path.rstrip("/")
    base = re.sub(ROUTE, "", path) if with_path and re.fullmatch(PATH, path) else ""
    address = f"{likely}://{f'[{host}]' if ':' in host else host}{f':{port}' if port else ''}{base}"
    checks = (
        (not scheme and here, "has no scheme (http:// or https://)"),
        (parts.username is not None, "contains a user name or password"),
        (path != base, "has the path of a route" if with_path and re.search(ROUTE, path) else "has a path"),
        (bool(parts.query or parts.fragment), "has a query or fragment"),
    )
    if problem := next((words for is_wrong, words in checks if is_wrong), ""):
        may_be_password = "@" in parts.path + parts.query + parts.fragment  # a password may contain / or ?
        raise InvalidValue(problem, corrected="" if may_be_password else address)
    if is_plain:
        is_containers = host.endswith(".docker.internal") or "." not in host
        outside = "; a container's name is known only inside: from outside, use localhost" if is_containers else ""
        allowed = SetVariable("ZDEMO_ALLOW_HTTP", "1", does=f"in a network that you trust{outside}")
        with_https = "" if is_containers else address
        meant = "localhost" if host == "0.0.0.0" else ""  # noqa: S104  # what servers print, and no address to call
        if meant := meant or did_you_mean(str(parts.hostname), ["localhost"]):
            with_https = address.replace(f"https://{host}", f"http://{meant}", 1)
        raise InvalidValue("would send tokens and secrets over plain http", corrected=with_https, fix=allowed)
    return address


def resource(text: str, *, allow_http: bool, example: str) -> str:
    """Return the identifier of a protected resource (RFC 9728 §1.2), an address that clients compare as a text."""
    scheme, mark, rest = text.rpartition("://")
    host, path, more = re.fullmatch(r"([^/?#]*)([^?#]*)(.*)", rest, re.DOTALL).groups()  # type: ignore[union-attr]  # any text
    path = path.rstrip("/")
    try:
        address = without_default_port(origin(scheme + mark + host, allow_http=allow_http, example=example)) + path
    except InvalidValue as error:
        error.corrected += path if error.corrected else ""
        raise
    if re.search(r"/\.{0,2}(/|$)|[^\w./~-]", path, re.ASCII):
        raise InvalidValue("has a path that clients may rewrite", fix=f"give one like {example}")
    if more:
        raise InvalidValue("has a query or fragment", corrected=address)
    if text != address:
        raise InvalidValue("is not in the form that clients compare", corrected=address)
    return address


def _is_host(host: str) -> bool:
    """Return whether a host is an IPv6 address without a zone, or a name of valid labels."""
    if ":" in host:
        try:
            return ipaddress.IPv6Address(host).scope_id is None
        except ValueError:
            return False
    return re.fullmatch(LABEL + rf"(\.{LABEL})*\.?", host, re.ASCII) is not None


@dataclass(frozen=True)
class ZitadelAddress:
    """The issuer, and where its requests go instead, if that is set; both are origins without a slash at the end.

    ``issuer_setting`` is what gave the issuer, as messages name it: the variable or an option.
    """

    issuer: str
    internal_url: str | None = None
    issuer_setting: str = ISSUER

    def __str__(self) -> str:
        return f"{self.issuer} at {self.internal_url}" if self.internal_url else self.issuer

    @property
    def server(self) -> str:
        """The origin that requests go to."""
        return self.internal_url or self.issuer

    @property
    def variable(self) -> str:
        """The variable that holds ``server``."""
        return INTERNAL_URL if self.internal_url else ISSUER

    @property
    def setting(self) -> str:
        """What gave ``server``, as messages name it."""
        return INTERNAL_URL if self.internal_url else self.issuer_setting


def unused_internal_url(environment: Environment) -> Problem | None:
    """Return why ``ZITADEL_INTERNAL_URL`` is not used: its place names another ZITADEL; ``None`` when it is used."""
    place, stronger = environment.source(INTERNAL_URL), environment.source(ISSUER)
    if place in ("", stronger) or (stronger != EXPORTED and ISSUER not in environment.shadowed):
        return None
    both_of_file = [UnsetVariable(ISSUER, does=f"or use both from {place}")] if stronger == EXPORTED else []
    return Problem(
        text=f"{INTERNAL_URL} in {place} is not used, because {environment.setting(ISSUER)} comes from {stronger}",
        kind=ProblemKind.UNUSED,
        names=(INTERNAL_URL, ISSUER),
        steps=("export both", *both_of_file),
    )


def why_withheld(environment: Environment, zitadel: ZitadelAddress) -> Problem | None:
    """Return why the administrator's PAT is not sent to a ZITADEL; ``None`` when it may be.

    What names the server that requests go to decides: ``ZITADEL_INTERNAL_URL`` where it is used.
    """
    server, setting = zitadel.server, zitadel.variable
    if not is_withheld(environment, ADMIN_PAT, setting=setting, address=server):
        return None
    place = environment.source(setting)
    does = f"if that is your ZITADEL ({ADMIN_PAT} was not sent, because only {place} names it)"
    return Problem(
        text=f"{ADMIN_PAT} is exported in this shell, but only {place} names the address, {server}, so it was not sent",
        kind=ProblemKind.WITHHELD,
        names=(ADMIN_PAT, setting),
        steps=(Shell(f"export {setting}={shlex.quote(server)}", does),),
    )


def admin_option(environment: Environment) -> str:
    """Return the option that an administrator's next command needs; empty where it finds a PAT."""
    option = environment.setting(ADMIN_PAT)
    if option.startswith("--admin-"):  # the option of zdemo serve --emulator is not one of an administrator's command
        return option
    return "" if ADMIN_PAT in environment else "--admin-pat"


def is_withheld(environment: Environment, secret: str, *, setting: str, address: str) -> bool:
    """Return whether a secret is exported, and would go to another machine whose address only ``.env`` names."""
    from_file = environment.file is not None and environment.source(setting) == str(environment.file)
    return from_file and environment.source(secret) == EXPORTED and not is_local(address)
