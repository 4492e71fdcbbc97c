"""A stand-in for ZITADEL that answers introspection after a given time, and counts: ``python -m benchmarks.upstream``.

The time is in milliseconds, or ``published``: times by chance, the same in each run, that are distributed as ZITADEL
has published for its cloud under load, and as many failures. Or it is a rate such as ``700/s``: one answer after the
other, and no more than that. It does nothing else, so the measurement is of the API.
``GET /count`` returns how many it answered. A token that begins with ``hang`` is never answered, one that begins with
``garbage`` is inactive. Every other token is active and has the role, or only the one that is given.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import random
import sys
import time
from collections.abc import Callable
from email.utils import formatdate
from urllib.parse import parse_qs

HEAD = b"HTTP/1.1 %d \r\nContent-Type: application/json\r\nDate: %b\r\nContent-Length: %d\r\n\r\n"
PUBLISHED = "published"
# Median, p95 and p99 in seconds are ZITADEL's; the least and the most are assumed.
PUBLISHED_SECONDS = ((0.0, 0.005), (0.5, 0.046), (0.95, 1.16), (0.99, 1.36), (1.0, 2.0))
PUBLISHED_FAILURES = 0.0003
SEED = 13
ACTIVE = json.dumps(
    {
        "active": True,
        "aud": ["300000000000000021", "300000000000000010"],
        "exp": 253402300799,
        "iat": 1766500000,
        "nbf": 1766500000,
        "iss": "http://localhost",
        "sub": "300000000000000030",
        "token_type": "Bearer",
        "username": "reader-bot",
        "urn:zitadel:iam:org:project:roles": {"read:messages": {"300000000000000001": "acme.localhost"}},
    }
).encode()
INACTIVE = b'{"active":false}\n'
FAILURE = b'{"code":13,"message":"internal"}'


def published_seconds(share: float) -> float:
    """Return the time that so large a share of the introspections stays below; between the known ones, log-linear."""
    for (below, fast), (above, slow) in itertools.pairwise(PUBLISHED_SECONDS):
        if share <= above:
            part = (share - below) / (above - below)
            return math.exp(math.log(fast) + part * math.log(slow / fast))
    return PUBLISHED_SECONDS[-1][1]


def in_turn(per_second: float) -> Callable[[], float]:
    """Return what tells each caller how many seconds remain until its turn."""
    free_at = 0.0

    def seconds() -> float:
        nonlocal free_at
        now = time.monotonic()
        free_at = max(free_at, now) + 1 / per_second
        return free_at - now

    return seconds


class Upstream:
    """The answers on one port.

    ``seconds`` returns how long the next introspection takes, ``fails`` whether it fails. ``only`` is the one active
    token.
    """

    def __init__(self, seconds: Callable[[], float], fails: Callable[[], bool], only: str | None) -> None:
        self.seconds = seconds
        self.fails = fails
        self.only = only
        self.count = 0

    @classmethod
    def of(cls, arguments: list[str]) -> Upstream:
        """Return what the command line describes."""
        only = arguments[1] if len(arguments) > 1 else None
        if arguments[0] == PUBLISHED:
            chance = random.Random(SEED)  # noqa: S311  # nothing secret
            return cls(lambda: published_seconds(chance.random()), lambda: chance.random() < PUBLISHED_FAILURES, only)
        if arguments[0].endswith("/s"):
            return cls(in_turn(float(arguments[0].removesuffix("/s"))), lambda: False, only)
        seconds = float(arguments[0]) / 1000
        return cls(lambda: seconds, lambda: False, only)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                body = await reader.readexactly(_length(head))
                status, answer = await self._answer(head, body)
                writer.write(HEAD % (status, formatdate(usegmt=True).encode(), len(answer)) + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _answer(self, head: bytes, body: bytes) -> tuple[int, bytes]:
        if head.startswith(b"GET /count"):
            return 200, str(self.count).encode()
        token = parse_qs(body.decode()).get("token", [""])[0]
        self.count += 1
        if token.startswith("hang"):
            await asyncio.sleep(3600)
        if seconds := self.seconds():
            await asyncio.sleep(seconds)
        if self.fails():
            return 500, FAILURE
        return 200, ACTIVE if self.only in (None, token) and not token.startswith("garbage") else INACTIVE


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


async def main() -> None:
    """Listen, print the port on standard output, and serve until killed."""
    upstream = Upstream.of(sys.argv[1:])
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
