"""A stand-in for ZITADEL that answers introspection after a given time, and counts: ``python -m benchmarks.upstream``.

It does nothing else, so the measurement is of the API. ``GET /count`` returns how many it answered. A token that begins
with ``hang`` is never answered, one that begins with ``garbage`` is inactive. Every other token is active and has the
role, or only the one that is given.
"""

from __future__ import annotations

import asyncio
import json
import sys
from urllib.parse import parse_qs

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
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


class Upstream:
    """The answers on one port. ``seconds`` is how long an introspection takes, ``only`` the one active token."""

    def __init__(self, seconds: float, only: str | None) -> None:
        self.seconds = seconds
        self.only = only
        self.count = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                body = await reader.readexactly(_length(head))
                answer = await self._answer(head, body)
                writer.write(HEAD % len(answer) + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _answer(self, head: bytes, body: bytes) -> bytes:
        if head.startswith(b"GET /count"):
            return str(self.count).encode()
        token = parse_qs(body.decode()).get("token", [""])[0]
        self.count += 1
        if token.startswith("hang"):
            await asyncio.sleep(3600)
        if self.seconds:
            await asyncio.sleep(self.seconds)
        return ACTIVE if self.only in (None, token) and not token.startswith("garbage") else INACTIVE


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


async def main() -> None:
    """Listen, print the port on standard output, and serve until killed."""
    upstream = Upstream(float(sys.argv[1]) / 1000, sys.argv[2] if len(sys.argv) > 2 else None)
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
