"""Requests to the API, each under a deadline, and what came of them, with the challenges that it sent."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field, replace
from urllib.parse import urlsplit

from zdemo.diagnosis.finding import quoted
from zdemo.errors import ConnectionFailed, FailureKind
from zdemo.errors.response import GATEWAY_STATUSES, Response

MOST_SECONDS = 120.0  # of a run, besides the removal window, which it may have to wait for
CONNECTIONS = 64
REQUEST_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class ApiReply(Response):
    """An API's answer; ``line`` is its request in words. Without an answer, it has status 0 and a ``failure``."""

    line: str
    failure: ConnectionFailed | None = None

    @property
    def timed_out(self) -> bool:
        """Whether no answer came in time."""
        return self.failure is not None and self.failure.kind is FailureKind.TIMEOUT

    @property
    def challenge(self) -> str:
        """``WWW-Authenticate``; empty where there is none."""
        return self.headers.get("www-authenticate", "")

    @property
    def bearer(self) -> ParsedChallenge | None:
        """The bearer challenge; ``None`` without one, or when the header field is malformed."""
        try:
            return next((each for each in challenges(self.challenge) if each.scheme == "bearer"), None)
        except ValueError:
            return None

    @property
    def error(self) -> str | None:
        """The error code of the bearer challenge, which may be empty; ``None`` without a challenge."""
        return self.bearer.parameters.get("error", "") if self.bearer else None

    @property
    def let_in(self) -> bool:
        """Whether the API did what was asked; a redirect counts, since nobody knows where it leads."""
        return 0 < self.status < 400

    @property
    def whole(self) -> str:
        """Header fields and body as text."""
        return "\n".join([*(f"{name}: {value}" for name, value in self.headers.items()), self.text])

    def about(self, what: str) -> ApiReply:
        """Return the same reply, with what was special about its request."""
        return replace(self, line=f"{self.line} ({what})")

    def in_words(self) -> str:
        """Return what was seen, in a few words."""
        if self.failure:
            return f"{self.line}: {'no answer in time' if self.timed_out else 'the connection broke without an answer'}"
        return f"{self.line} {self.status}" + (f", {quoted(self.error, 40)}" if self.error else "")


@dataclass(eq=False)
class ApiClient:
    """Sends requests to an API. ``path`` requires a token; a request may take ``seconds``, all ``run_seconds``.

    A ``patient`` client asks once more if the API, on a busy machine, could not reach ZITADEL in time. With a
    ``message``, it posts that as JSON to ``path``.
    """

    origin: str
    path: str
    run_seconds: float
    _: KW_ONLY
    setting: str = "--path"
    seconds: float = REQUEST_SECONDS
    patient: bool = False
    message: object = None

    def __post_init__(self) -> None:
        from zdemo.http.transport import Transport  # here, since --list and help send nothing

        self.replies: list[ApiReply] = []
        self.replies_in_service: list[ApiReply] = []  # while ZITADEL did not fail on purpose
        self.hidden: set[str] = set()  # what was sent in a header, where nobody else sees it
        self.visible: set[str] = set()  # what was sent in a URL or form, which logs hold without any fault of the API
        self._end = time.monotonic() + self.run_seconds
        self._in_outage = False
        self._lock = threading.Lock()
        self._transport = Transport(self.origin, setting=self.setting, connections=CONNECTIONS)
        self.close = self._transport.close

    @property
    def is_out_of_time(self) -> bool:
        """Whether no further case should begin."""
        return time.monotonic() >= self._end

    def send(  # a request has that many parts, each given by name
        self,
        *authorization: str,
        method: str = "",
        path: str = "",
        query: str = "",
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        repeated: Sequence[tuple[str, str]] = (),
        seconds: float | None = None,
    ) -> ApiReply:
        """Send one request, with these values of the Authorization header, usually one.

        ``repeated`` are fields that are sent even if they occur in ``headers`` too.
        """
        path = path or self.path
        message = None if method or path != self.path else self.message
        method = method or ("POST" if message else "GET")
        target = path + (f"{'&' if '?' in path else '?'}access_token={query}" if query else "")
        fields = dict(headers or {}) | ({"Authorization": authorization[0]} if authorization else {})
        repeated = [*repeated, *(("Authorization", value) for value in authorization[1:])]
        fields |= {"Accept": "application/json, text/event-stream"} if message else {}
        line = f"{method} {urlsplit(path).path or path}"

        def request() -> ApiReply:
            wanted = self.seconds if seconds is None else seconds
            left = max(0.2, min(wanted, self._end - time.monotonic()))
            try:
                answer = self._transport.send(
                    method, target, timeout_seconds=left, headers=fields, repeated=repeated, form=form, json=message
                )
            except ConnectionFailed as failure:
                url = self._transport.origin
                return ApiReply(line=line, failure=failure, status=0, headers={}, body=b"", seconds=0, url=url)
            return ApiReply(line=line, **vars(answer))

        reply = request()
        if self.patient and not self._in_outage and reply.status in GATEWAY_STATUSES:
            time.sleep(0.3)
            reply = request()
        with self._lock:
            self.hidden.update(value.partition(" ")[2] for value in authorization)
            self.visible.update(filter(None, (query, *(form or {}).values())))
            self.replies.append(reply)
            if not self._in_outage:
                self.replies_in_service.append(reply)
        return reply

    @contextmanager
    def in_outage(self) -> Iterator[None]:
        """Ask only once during the block, in which ZITADEL fails on purpose, or is slow."""
        self._in_outage = True
        try:
            yield
        finally:
            self._in_outage = False

    def bearer(self, token: str, *, seconds: float | None = None) -> ApiReply:
        """Send one request with a token, as a client should."""
        return self.send(f"Bearer {token}", seconds=seconds)

    def at_once(self, tokens: Sequence[str]) -> list[ApiReply]:
        """Send requests with these tokens at the same time, and return the answers in the same order."""
        ready = threading.Barrier(len(tokens))

        def ask(token: str) -> ApiReply:
            ready.wait(REQUEST_SECONDS)
            return self.bearer(token, seconds=REQUEST_SECONDS)

        with ThreadPoolExecutor(max_workers=len(tokens)) as pool:
            return list(pool.map(ask, tokens))


# --- ``WWW-Authenticate``, read strictly (RFC 9110 §11.6.1)

TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105  # RFC 9110 §5.6.2
QUOTED = r'"((?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[\t -~\x80-\xff])*)"'
ELEMENT = re.compile(  # of the list: a scheme, a parameter or a token68, or a scheme with one of those two
    rf"[ \t]*(?:({TOKEN})(?:[ \t]+|(?=,|\Z)))?"
    rf"(?:({TOKEN})[ \t]*=[ \t]*(?:{QUOTED}|({TOKEN}))|([A-Za-z0-9._~+/-]+=*))?[ \t]*(?:,|\Z)"
)
DESCRIPTION = re.compile(r"[\x20-\x21\x23-\x5B\x5D-\x7E]*")  # RFC 6750 §3, of error and error_description
SCOPE = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+(?: [\x21\x23-\x5B\x5D-\x7E]+)*")
FORMS = {"error": DESCRIPTION, "error_description": DESCRIPTION, "scope": SCOPE}
ONCE = ("realm", "scope", "error", "error_description", "error_uri")


@dataclass(frozen=True, kw_only=True)
class ParsedChallenge:
    """A challenge: its scheme in lower case, and its parameters, whose names are in lower case."""

    scheme: str
    parameters: dict[str, str] = field(default_factory=dict)
    repeated: list[str] = field(default_factory=list)


def challenges(value: str) -> list[ParsedChallenge]:
    """Return the challenges of a header field. Raises ValueError if it does not follow the grammar."""
    listed: list[ParsedChallenge] = []
    at = 0
    while at < len(value):
        element = ELEMENT.match(value, at)
        scheme, name, quoted, plain, token68 = element.groups() if element else ("",) * 5
        if element is None or (not scheme and (token68 or (name and not listed))):
            raise ValueError(f"unexpected text at character {at + 1}")
        if scheme:
            listed.append(ParsedChallenge(scheme=scheme.lower()))
        if name:
            name = name.lower()
            listed[-1].repeated.extend([name] if name in listed[-1].parameters else [])
            listed[-1].parameters[name] = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        at = element.end()
    return listed


def problem_of(value: str) -> str:
    """Return what is wrong with a header field, or an empty text."""
    try:
        listed = challenges(value)
    except ValueError as error:
        return f"not a list of challenges: {error}"
    for challenge in (challenge for challenge in listed if challenge.scheme == "bearer"):
        if twice := [name for name in challenge.repeated if name in ONCE]:
            return f"{twice[0]} occurs more than once"
        for name, form in FORMS.items():
            if name in challenge.parameters and not form.fullmatch(challenge.parameters[name]):
                return f"{name} has characters that are not allowed"
    return ""
