"""A proxy before the emulator, as a behaviour of ``tests.support.upstream``."""

import http.client
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from urllib.parse import urlsplit

from tests.support.upstream import LOOPBACK, Behaviour, Connection, hang
from tests.support.upstream import http as whole

HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}
SECONDS = 10


def relay(
    url: str,
    *,
    host: str | None = None,
    date_shift_seconds: float = 0,
    passes: Callable[[str], bool] = lambda _: True,
    changes: Callable[[str, bytes], bytes] = lambda _, body: body,
) -> Behaviour:
    """Return a behaviour that forwards to ``url``, with another Host or Date; what does not pass gets no answer.

    ``changes`` returns the body to send for a target and the body that came.

    It is also what ``HTTP_PROXY`` can name: a whole URL in the request line is reduced to its path.
    """
    port = urlsplit(url).port

    def behave(connection: Connection) -> bool:
        received = connection.received
        assert received is not None
        target = re.sub("^http://[^/]+", "", received.target)
        if not passes(target):
            return hang(connection)
        headers = {name: value for name, value in received.headers.items() if name not in HOP_BY_HOP}
        headers["host"] = host or headers["host"]
        upstream = http.client.HTTPConnection(LOOPBACK, port, timeout=SECONDS)
        try:
            upstream.request(received.method, target, received.body or None, headers)
            answer = upstream.getresponse()
            fields = {name: value for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP}
            body = changes(target, answer.read())
        finally:
            upstream.close()
        date = fields.get("Date")
        now = parsedate_to_datetime(date) if date else datetime.now(UTC)
        fields["Date"] = format_datetime(now + timedelta(seconds=date_shift_seconds), usegmt=True)
        connection.send(whole(body, answer.status, fields))
        return True

    return behave
