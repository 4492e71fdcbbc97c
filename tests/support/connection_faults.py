"""Behaviours of an upstream by name: answers of ZITADEL, and the faults that a resource server must survive."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from tests.support.upstream import (
    LOOPBACK,
    Behaviour,
    Connection,
    answer,
    drip,
    hang,
    hang_up,
    http,
    json_body,
    raw,
    reset,
)

LARGE_BYTES = 8 << 20

PAT_CLAIMS: Mapping[str, Any] = {
    "active": True,
    "aud": ["300000000000000021", "300000000000000010"],
    "exp": 253402300799,
    "iat": 1766500000,
    "nbf": 1766500000,
    "sub": "300000000000000030",
    "token_type": "Bearer",
    "scope": "openid urn:zitadel:iam:org:project:role:read:messages",
    "urn:zitadel:iam:org:project:roles": {"read:messages": {"300000000000000001": "acme.localhost"}},
    "urn:zitadel:iam:org:project:300000000000000010:roles": {"read:messages": {"300000000000000001": "acme.localhost"}},
}
"""ZITADEL's claims for a PAT that never expires, of a user with the role ``read:messages``."""

ACTIVE = answer(json_body(PAT_CLAIMS))
INACTIVE = answer(json_body({"active": False}))
WITHOUT_ROLE = answer(json_body({name: value for name, value in PAT_CLAIMS.items() if "roles" not in name}))


def claims(**changed: Any) -> Behaviour:
    return answer(json_body({**PAT_CLAIMS, **changed}))


def _text(text: str, status: int = 200, **headers: str) -> Behaviour:
    return answer(text.encode(), status, headers={"Content-Type": "text/plain", **headers})


def _html(status: int) -> Behaviour:
    page = f"<!doctype html><html><title>{status}</title></html>".encode()
    return answer(page, status, headers={"Content-Type": "text/html; charset=utf-8"})


def _error(word: str, status: int = 400) -> Behaviour:
    return answer(json_body({"error": word}), status)


_NO_INSTANCE = "unable to set instance using origin &{127.0.0.1:8080  http} (ExternalDomain is localhost): ID="
WRONG_HOST = _text(_NO_INSTANCE + "QUERY-1kIjX Message=Instance not found.", 404)
DATABASE_AWAY = _text(_NO_INSTANCE + "QUERY-d3fas Message=An internal error occurred", 404)  # before v4.14
_HEAD = http(json_body(PAT_CLAIMS)).partition(b"\r\n\r\n")[0] + b"\r\n\r\n"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A misbehaviour, and the status with which a resource server must answer then."""

    behaviour: Behaviour
    status: int
    hangs: bool = False


def _unavailable(behaviour: Behaviour, *, hangs: bool = False) -> Fault:
    return Fault(behaviour=behaviour, status=503, hangs=hangs)


def unusable_answer(behaviour: Behaviour) -> Fault:
    return Fault(behaviour=behaviour, status=502)


FAULTS: Mapping[str, Fault] = {
    "hangs": _unavailable(hang, hangs=True),
    "drips its headers": _unavailable(drip(b"HTTP/1.1 200 OK\r\n", b"X-Pad: " + b"a" * 60), hangs=True),
    "drips its body": _unavailable(drip(_HEAD, json_body(PAT_CLAIMS)), hangs=True),
    "resets": _unavailable(reset),
    "hangs up": _unavailable(hang_up),
    "cuts off its headers": unusable_answer(raw(b"HTTP/1.1 200 OK\r\nContent-Ty")),
    "cuts off its body": _unavailable(raw(_HEAD + b'{"active":true,')),
    "speaks another protocol": _unavailable(raw(b"SSH-2.0-OpenSSH_9.6\r\n")),
    "429": _unavailable(_text("Your ZITADEL instance is blocked.", 429)),
    "429 with Retry-After": _unavailable(_text("", 429, **{"Retry-After": "7"})),
    "500": _unavailable(_error("server_error", 500)),
    "502 as HTML": _unavailable(_html(502)),
    "503 as HTML": _unavailable(_html(503)),
    "404, database away": _unavailable(DATABASE_AWAY),
    "404, wrong Host": unusable_answer(WRONG_HOST),
    "404, unknown path": unusable_answer(_text("404 page not found", 404)),
    "8 MiB": unusable_answer(answer(b" " * LARGE_BYTES + json_body(PAT_CLAIMS))),
    "HTML": unusable_answer(_html(200)),
    "text": unusable_answer(_text("active")),
    "nothing": unusable_answer(answer(b"")),
    "array": unusable_answer(answer(json_body([PAT_CLAIMS]))),
    "null": unusable_answer(answer(b"null")),
    "no active": unusable_answer(answer(json_body({"sub": "1"}))),
    "active as text": unusable_answer(claims(active="true")),
    "active twice": unusable_answer(answer(json_body(PAT_CLAIMS)[:-2] + b',"active":true}')),
    "a role twice": unusable_answer(answer(json_body(PAT_CLAIMS)[:-2] + b',"a":{"b":1,"b":2}}')),
    "active null": unusable_answer(claims(active=None)),
    "exp as text": unusable_answer(claims(exp="253402300799")),
    "exp as fraction": unusable_answer(claims(exp=1766500000.5)),
    "exp as boolean": unusable_answer(claims(exp=True)),
    "exp null": unusable_answer(claims(exp=None)),
    "aud with numbers": unusable_answer(claims(aud=[300000000000000010])),
    "deeply nested": unusable_answer(answer(b"[" * 100_000)),
    "nested 500 times": unusable_answer(answer(json_body(PAT_CLAIMS)[:-2] + b',"a":%b}' % (b"[" * 500 + b"]" * 500))),
    "301": unusable_answer(answer(b"", 301, headers={"Location": "/elsewhere"})),
    "302": unusable_answer(answer(b"", 302, headers={"Location": "/login"})),
    "307": unusable_answer(answer(b"", 307, headers={"Location": "/oauth/v2/introspect"})),
    "400 unauthorized_client": unusable_answer(_error("unauthorized_client")),
    "400 invalid_client": unusable_answer(_error("invalid_client")),
    "401": unusable_answer(_error("invalid_client", 401)),
    "403": unusable_answer(_error("access_denied", 403)),
    "201": unusable_answer(answer(json_body(PAT_CLAIMS), 201)),
    "204": unusable_answer(answer(b"", 204)),
}


HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}
SECONDS = 10


def relay(
    url: str,
    *,
    authorization: str | None = None,
    prefix: str = "",
    date_shift_seconds: float = 0,
    passes: Callable[[str], bool] = lambda _: True,
) -> Behaviour:
    """Return a behaviour that forwards to ``url``, with another Authorization or Date.

    It takes ``prefix`` off each path; what does not pass gets no answer. It is also what ``HTTP_PROXY`` can name: a
    whole URL in the request line is reduced to its path.
    """
    port = urlsplit(url).port

    def behave(connection: Connection) -> bool:
        received = connection.received
        assert received is not None
        target = re.sub("^http://[^/]+", "", received.target).removeprefix(prefix)
        if not passes(target):
            return hang(connection)
        headers = {name: value for name, value in received.headers.items() if name not in HOP_BY_HOP}
        headers |= {"authorization": authorization} if authorization else {}
        behind = HTTPConnection(LOOPBACK, port, timeout=SECONDS)
        try:
            behind.request(received.method, target, received.body or None, headers)
            answer = behind.getresponse()
            fields = {name: value for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP}
            body = answer.read()
        finally:
            behind.close()
        date = fields.get("Date")
        now = parsedate_to_datetime(date) if date else datetime.now(UTC)
        fields["Date"] = format_datetime(now + timedelta(seconds=date_shift_seconds), usegmt=True)
        connection.send(http(body, answer.status, fields))
        return True

    return behave
