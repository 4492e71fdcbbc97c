"""A request before its endpoint: the instance that it is for, its body, and what is recorded about it."""

import logging
import re
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import astuple, dataclass, fields
from typing import Any

from flask import Request, Response, g, request
from werkzeug.exceptions import ClientDisconnected

# --- which instance ---
#
# ZITADEL chooses the instance by host name and builds the issuer from the request, port included. For a name that is
# not the domain of an instance it answers 404 with a text that names both hosts.

INSTANCE_HEADER = "HTTP_X_ZITADEL_INSTANCE_HOST"
PUBLIC_HEADER = "HTTP_X_ZITADEL_PUBLIC_HOST"
FORWARDED_HEADERS = ("HTTP_FORWARDED", "HTTP_X_ZITADEL_FORWARDED")

_DOCS = "https://zitadel.com/docs/apis/introduction#domains"
_NOT_FOUND = f"Instance not found. Make sure you got the domain right. Check out {_DOCS}"
_PAIR = re.compile(r"""\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)=([!#$%&'*+.^_`|~0-9A-Za-z-]+|"(?:[^"\\]|\\.)*")\s*""")


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a request was sent to; hosts have their ports as sent, and ``public_host`` is empty when not sent."""

    instance_host: str
    public_host: str
    scheme: str

    @classmethod
    def of(cls, environ: Mapping[str, Any]) -> "Origin":
        """Read the headers in ZITADEL's order: its own, ``Forwarded``, ``X-Forwarded-*``, Host."""
        forwarded = [_forwarded(environ.get(name, "")) for name in FORWARDED_HEADERS]
        hosts = [
            environ.get(INSTANCE_HEADER),
            *(pairs.get("host") for pairs in forwarded),
            environ.get("HTTP_X_FORWARDED_HOST"),
            environ.get("HTTP_HOST"),
        ]
        schemes = [*(pairs.get("proto") for pairs in forwarded), environ.get("HTTP_X_FORWARDED_PROTO")]
        return cls(
            instance_host=next(filter(None, hosts), ""),
            public_host=environ.get(PUBLIC_HEADER, ""),
            scheme=next((scheme for scheme in schemes if scheme in ("http", "https")), "http"),
        )

    @property
    def requested_host(self) -> str:
        """The host in the issuer."""
        return self.public_host or self.instance_host

    @property
    def issuer(self) -> str:
        """Scheme and host, without a slash at the end."""
        return f"{self.scheme}://{self.requested_host}"

    def refusal(self, external_domain: str, others: Collection[str] = ()) -> str:
        """Return why no instance answers here, or an empty text; of ``others``, one with a port needs that port."""
        domains, hosts = {external_domain, *others}, (self.instance_host, self.requested_host)
        found, public = (not domains.isdisjoint((host, host.split(":")[0])) for host in hosts)
        if found and public:
            return ""
        return self.unable(external_domain, f"ID={'QUERY-IuGh1' if found else 'QUERY-1kIjX'} Message={_NOT_FOUND}")

    def unable(self, external_domain: str, why: str) -> str:
        """Return what ZITADEL says when it cannot choose the instance."""
        shown = f"&{{{self.instance_host} {self.public_host} {self.scheme}}}"
        return f"unable to set instance using origin {shown} (ExternalDomain is {external_domain}): {why}"


def current_origin() -> Origin:
    """Return the origin of the current request."""
    origin: Origin = g.origin
    return origin


def _forwarded(value: str) -> dict[str, str]:
    """Return the first value of each parameter (RFC 7239 §4), or nothing when the header is malformed."""
    pairs: dict[str, str] = {}
    for part in re.split(r"[,;]", value) if value else []:
        match = _PAIR.fullmatch(part)
        if match is None:
            return {}
        text = match[2]
        pairs.setdefault(match[1].lower(), re.sub(r"\\(.)", r"\1", text[1:-1]) if text[0] == '"' else text)
    return pairs


# --- the cookie by which a browser that logged in is known again: a random text, which sessions hold ---
#
# Browsers send it for pages of the same site alone, so also for a frame that renews a login silently.


def _cookie() -> str:
    """Return the cookie's name, with the port, since browsers send cookies to all ports of a host."""
    return f"zdemo-login-{current_origin().requested_host.rpartition(':')[2]}"


def browser_of(request: Request) -> str:
    """Return the browser's text, or an empty one."""
    return request.cookies.get(_cookie(), "")


def remember(answer: Response, browser: str) -> None:
    """Give the browser its text, until it is closed."""
    secure = current_origin().scheme == "https"
    answer.set_cookie(_cookie(), browser, httponly=True, samesite="Lax", secure=secure)


def is_foreign(request: Request) -> bool:
    """Return whether a page of another origin sent a form; programs other than browsers name no origin."""
    if "Origin" in request.headers:
        return request.headers["Origin"].partition("://")[2] != current_origin().requested_host
    return request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin")


# --- bodies: read to their end before anything else happens, within limits of size and memory ---
#
# The limits are the emulator's own. Go reads forms of up to 10 MB, gRPC messages of up to 4 MiB, and ZITADEL bounds
# neither their number nor the memory that they take together.

LARGEST_BODY_BYTES = 1024 * 1024
FREE_BYTES = 16 * 1024  # a body that is no larger is always read
MOST_LARGE_BODIES = 32  # that are larger, and not answered yet
PIECE_BYTES = 16 * 1024
TOO_LARGE = "zdemo.emulator.body_too_large"  # key in a request's environment for a body that was not read


def read_body(environ: Mapping[str, Any], when_large: Callable[[], None] = lambda: None) -> bytes | None:
    """Return a body, or None if it is too large. Raises OSError, also that of ``when_large``, and ValueError."""
    announced = int(environ.get("CONTENT_LENGTH") or 0)
    if announced > LARGEST_BODY_BYTES:
        return None
    kept = bytearray()
    try:
        while piece := environ["wsgi.input"].read(PIECE_BYTES):
            if len(kept) <= FREE_BYTES < len(kept) + len(piece):
                when_large()
            kept += piece
            if len(kept) > LARGEST_BODY_BYTES:
                return None
    except ClientDisconnected:
        raise ValueError("the body ends before its end") from None
    return bytes(kept)


# --- records: the client, the user, and the reason, which ZITADEL never gives ---
#
# The reason is noted where the request is refused. It is for the person who runs the emulator, and never in an answer.

KEPT = 1000  # requests, the latest
LEAST_MASKED = 20  # characters; eight of a shorter text would be too much to show
NOTES = "zdemo.emulator.notes"  # key in a request's environment
CLIENT_ID = re.compile(r"\d{1,20}(@[\w.-]{1,60})?", re.ASCII)
REQUESTS_LOG = "zdemo.emulator.requests"
MESSAGE = "%s %s %d %.1f ms, client: %s, user: %s, token: %s, reason: %s%.0s"
UNITS = ((172_800, 86_400, "days"), (7200, 3600, "hours"), (120, 60, "minutes"))

log = logging.getLogger(REQUESTS_LOG)


@dataclass(frozen=True, kw_only=True)
class RequestRecord:
    """A request to the emulator; ``at`` is when it came, in epoch seconds, ``user`` whose ``token`` it was."""

    method: str
    path: str
    status: int
    milliseconds: float
    client: str = ""
    user: str = ""
    token: str = ""  # masked
    reason: str = ""
    at: float = 0.0


FIELDS = tuple(field.name for field in fields(RequestRecord))


class RequestRecords(deque[RequestRecord]):
    """The latest requests, the oldest first."""

    def __init__(self) -> None:
        super().__init__(maxlen=KEPT)

    def add(self, record: RequestRecord) -> None:
        """Keep a record, and log it."""
        self.append(record)
        log.info(MESSAGE, *astuple(record))


def note(**facts: str) -> None:
    """Note facts about the current request, by the names of the fields of ``RequestRecord``."""
    notes_of(request.environ).update(facts)


def notes_of(environ: dict[str, Any]) -> dict[str, str]:
    """Return what is noted about a request."""
    notes: dict[str, str] = environ.setdefault(NOTES, {})
    return notes


def masked(text: str) -> str:
    """Return what may be shown of a token: four characters at each end, of long ones only."""
    return f"{text[:4]}…{text[-4:]}" if len(text) >= LEAST_MASKED else "…"


def shown_client(client_id: object) -> str:
    """Return an unknown client ID; it is masked if it does not look like one, since it may be a secret."""
    text = str(client_id or "")
    return text if not text or CLIENT_ID.fullmatch(text) else masked(text)


def ago(seconds: float) -> str:
    """Return how long ago something was."""
    size, unit = next(((size, unit) for least, size, unit in UNITS if seconds >= least), (1, "s"))
    return f"{int(seconds / size)} {unit} ago"
