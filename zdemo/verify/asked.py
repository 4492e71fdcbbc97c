"""A request to the API, and what came of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from zdemo.diagnosis.finding import quoted
from zdemo.errors import ConnectionFailed, FailureKind
from zdemo.http.response import Response
from zdemo.verify.challenge import bearer_of


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request, as a person would name it, and what came of it."""

    line: str
    reply: Response | ConnectionFailed

    @property
    def status(self) -> int:
        """The status; 0 where no answer came."""
        return self.reply.status if isinstance(self.reply, Response) else 0

    @property
    def timed_out(self) -> bool:
        """Whether no answer came in time."""
        return isinstance(self.reply, ConnectionFailed) and self.reply.kind is FailureKind.TIMEOUT

    @property
    def seconds(self) -> float:
        """How long the answer took."""
        return self.reply.seconds if isinstance(self.reply, Response) else 0.0

    @property
    def challenge(self) -> str:
        """``WWW-Authenticate``; empty where there is none."""
        return self.header("www-authenticate")

    @property
    def error(self) -> str | None:
        """The error code of the bearer challenge, which may be empty; ``None`` without a challenge."""
        challenge = bearer_of(self.challenge)
        return challenge.parameters.get("error", "") if challenge else None

    @property
    def let_in(self) -> bool:
        """Whether the API did what was asked; a redirect counts, since nobody knows where it leads."""
        return 0 < self.status < 400

    def about(self, what: str) -> Asked:
        """Return the same, with words behind the request that say what was special about it."""
        return replace(self, line=f"{self.line} ({what})")

    def header(self, name: str) -> str:
        """Return a header field, whose name is in lower case; empty where it is missing."""
        return self.reply.headers.get(name, "") if isinstance(self.reply, Response) else ""

    @property
    def body(self) -> bytes:
        """The body of the answer; empty where none came."""
        return self.reply.body if isinstance(self.reply, Response) else b""

    @property
    def text(self) -> str:
        """The whole answer as text; empty where none came."""
        if not isinstance(self.reply, Response):
            return ""
        return "\n".join([*(f"{name}: {value}" for name, value in self.reply.headers.items()), self.reply.text])

    def in_words(self) -> str:
        """Return what was seen, in a few words."""
        if not isinstance(self.reply, Response):
            broke = "the connection broke without an answer"
            return f"{self.line}: {'no answer in time' if self.timed_out else broke}"
        code = f", {quoted(self.error, 40)}" if self.error else ""
        return f"{self.line} {self.status}{code}"


def in_words(asked: Sequence[Asked]) -> str:
    """Return what was seen, each answer once."""
    return "; ".join(dict.fromkeys(one.in_words() for one in asked))
