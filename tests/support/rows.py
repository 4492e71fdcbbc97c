"""What the API answers, row by row: one table for every server and every app that guards the three routes.

``ROWS`` are requests with the emulator's known users behind the API. What ZITADEL's claims lead to is a table in
``test_authorization``, its failures are one in ``test_faults``.
"""

import re
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from functools import partial

from tests.support.apis import MESSAGES, PRIVATE, PUBLIC, SCOPED, Endpoint
from tests.support.wire import Reply, bearer, chunked, request
from zdemo.emulator import READER, VISITOR

CHALLENGE = 'Bearer realm="zdemo"'
INVALID_REQUEST = f'{CHALLENGE}, error="invalid_request"'
INVALID_TOKEN = f'{CHALLENGE}, error="invalid_token"'
INSUFFICIENT_SCOPE = f'{CHALLENGE}, error="insufficient_scope", scope="urn:zitadel:iam:org:project:role:read:messages"'
UNKNOWN = "a-token-that-was-never-issued-but-which-is-exactly-as-long-as-a-PAT-0000"
LONGEST_TOKEN = 16 * 1024
LARGEST_BODY = 64 * 1024
FORM = "Content-Type: application/x-www-form-urlencoded"
IN_FORM = f"access_token={READER.pat}".encode()
CHUNKED = "Transfer-Encoding: chunked"
READ_METHODS = {"GET", "HEAD", "OPTIONS"}


@dataclass(frozen=True)
class Row:
    """A request and its answer. The body has ``error``, or ``message`` if that is ``None``.

    ``asks`` tells whether ZITADEL must be asked, ``protected`` whether a guarded route answers.
    """

    data: bytes
    _: KW_ONLY
    status: int
    challenge: str | None = None
    error: str | None = None
    message: str | None = None
    description: str | None = None
    asks: bool = False
    protected: bool = True
    bodiless: bool = False


_open = partial(Row, status=200, message=MESSAGES[PUBLIC], protected=False)
_no_token = partial(Row, status=401, challenge=CHALLENGE, error="unauthorized")
_invalid_request = partial(Row, status=400, challenge=INVALID_REQUEST, error="invalid_request")
_invalid_token = partial(Row, status=401, challenge=INVALID_TOKEN, error="invalid_token", asks=True)
_not_found = partial(Row, status=404, error="not_found", protected=False)
_too_large = partial(Row, status=413, error="request_entity_too_large", protected=False)


def _admitted(data: bytes, route: str = PRIVATE, *, bodiless: bool = False) -> Row:
    return Row(data, status=200, message=MESSAGES[route], asks=True, bodiless=bodiless)


def _wrong_method(method: str, *fields: str, body: bytes = b"") -> Row:
    data = request(PRIVATE, *fields, method=method, body=body)
    return Row(data, status=405, error="method_not_allowed", protected=False)


PAT = READER.pat
BEARER = bearer(PAT)

ROWS: Mapping[str, Row] = {
    # no Authorization, or another scheme
    "no Authorization": _no_token(request()),
    "no Authorization, scoped": _no_token(request(SCOPED)),
    "Basic": _no_token(request(PRIVATE, "Authorization: Basic cmVhZGVyOnNlY3JldA==")),
    "a scheme as long as Bearer": _no_token(request(PRIVATE, f"Authorization: Digest {PAT}")),
    "Bearer glued to the token": _no_token(request(PRIVATE, f"Authorization: Bearer{PAT}")),
    "the token in another field": _no_token(request(PRIVATE, f"X-Authorization: Bearer {PAT}")),
    "bytes beyond ASCII in another field": _no_token(request(PRIVATE, b"X-Name: \xe9\xff")),
    "the token in a cookie": _no_token(request(PRIVATE, f"Cookie: access_token={PAT}; Authorization={PAT}")),
    # malformed
    "empty Authorization": _invalid_request(request(PRIVATE, "Authorization:")),
    "bytes beyond ASCII": _invalid_request(request(PRIVATE, b"Authorization: \xe9\xff")),
    "Bearer and bytes beyond ASCII": _invalid_request(request(PRIVATE, b"Authorization: Bearer \xe9\xff")),
    "a token and a byte beyond ASCII": _invalid_request(request(PRIVATE, f"{BEARER}\xe9".encode("latin-1"))),
    "another scheme and a byte beyond ASCII": _invalid_request(request(PRIVATE, b"Authorization: Basic YTpi\xe9")),
    "two fields, one beyond ASCII": _invalid_request(
        request(PRIVATE, b"Authorization: \xff", "Authorization: Basic YTpi")
    ),
    "Bearer with nothing": _invalid_request(request(PRIVATE, "Authorization: Bearer")),
    "a tab before the token": _invalid_request(request(PRIVATE, f"Authorization: Bearer \t{PAT}")),
    "two tokens": _invalid_request(request(PRIVATE, f"Authorization: Bearer {PAT} {PAT}")),
    "two fields": _invalid_request(request(PRIVATE, BEARER, BEARER)),
    "two fields, Basic first": _invalid_request(request(PRIVATE, "Authorization: Basic YTpi", BEARER)),
    "two fields, Basic last": _invalid_request(request(PRIVATE, BEARER, "Authorization: Basic YTpi")),
    "two fields, an empty one first": _invalid_request(request(PRIVATE, "Authorization:", BEARER)),
    "two fields, names in two cases": _invalid_request(request(PRIVATE, BEARER, f"AUTHORIZATION: bearer {PAT}")),
    "a byte longer than 16 KiB": _invalid_request(request(PRIVATE, bearer("a" * (LONGEST_TOKEN + 1)))),
    "also in the query": _invalid_request(request(f"{PRIVATE}?access_token={PAT}", BEARER)),
    "also in the query, empty": _invalid_request(request(f"{PRIVATE}?access_token", BEARER)),
    "also in the form": _invalid_request(request(PRIVATE, BEARER, FORM, body=IN_FORM)),
    "also in the form, with a charset": _invalid_request(
        request(PRIVATE, BEARER, FORM + "; charset=UTF-8", body=IN_FORM)
    ),
    "also in the form, chunked": _invalid_request(
        request(PRIVATE, BEARER, FORM, CHUNKED, body=chunked(IN_FORM[:5], IN_FORM[5:]))
    ),
    # ways that the API does not offer
    "only in the query": _no_token(request(f"{PRIVATE}?access_token={PAT}")),
    "only in the form": _no_token(request(PRIVATE, FORM, body=IN_FORM)),
    "a form that never comes": _no_token(request(PRIVATE, FORM, "Content-Length: 10")),
    "a form that never comes, to a public route": _open(request(PUBLIC, BEARER, FORM, "Content-Length: 10")),
    "Basic, and in the query": _no_token(request(f"{PRIVATE}?access_token={PAT}", "Authorization: Basic YTpi")),
    # admitted
    "reader": _admitted(request(PRIVATE, BEARER)),
    "reader, scoped": _admitted(request(SCOPED, BEARER), SCOPED),
    "visitor": _admitted(request(PRIVATE, bearer(VISITOR.pat))),
    "bearer": _admitted(request(PRIVATE, f"Authorization: bearer {PAT}")),
    "HTTP/1.0": _admitted(request(SCOPED, BEARER, version="HTTP/1.0"), SCOPED),
    "a body that no view reads": _admitted(
        request(PRIVATE, BEARER, "Content-Type: text/plain", body=b"access_token=a")
    ),
    "a form with other fields": _admitted(request(PRIVATE, BEARER, FORM, body=b"token=a&access-token=b&%zz=&&")),
    "a query with other fields": _admitted(request(f"{PRIVATE}?token=a&Access_Token=b&%ff%zz", BEARER)),
    "an absolute target": _admitted(request("http://elsewhere.example/api/private", BEARER)),
    "an escaped path": _admitted(request("/%61pi/priv%61te", BEARER)),
    "two slashes at the start": _admitted(request("//api/private", BEARER)),
    "a token, and bytes beyond ASCII in another field": _admitted(request(PRIVATE, BEARER, b"X-Name: \xe9\xff")),
    "HEAD": _admitted(request(PRIVATE, BEARER, method="HEAD"), bodiless=True),
    "HEAD without a token": _no_token(request(PRIVATE, method="HEAD"), bodiless=True),
    # ZITADEL says no
    "unknown": _invalid_token(request(PRIVATE, bearer(UNKNOWN))),
    "unknown, scoped": _invalid_token(request(SCOPED, bearer(UNKNOWN))),
    "16 KiB": _invalid_token(request(PRIVATE, bearer("a" * LONGEST_TOKEN))),
    "visitor, scoped": Row(
        request(SCOPED, bearer(VISITOR.pat)),
        status=401,
        challenge=INSUFFICIENT_SCOPE,
        error="insufficient_scope",
        description="the role read:messages is missing",
        asks=True,
    ),
    # public
    "public": _open(request(PUBLIC)),
    "public, with a token": _open(request(PUBLIC, BEARER)),
    "public, with garbage": _open(request(PUBLIC, "Authorization: Bearer \t,,=", BEARER)),
    "public, with a request ID": _open(request(PUBLIC, "X-Request-ID: the-caller's-own")),
    "public, HTTP/1.0": _open(request(PUBLIC, version="HTTP/1.0")),
    # no such path
    "/": _not_found(request("/")),
    "a slash at the end": _not_found(request(f"{PRIVATE}/", BEARER)),
    "dots": _not_found(request("/api/../api/private", BEARER)),
    "line end and escape": _not_found(request("/api/%0aprivate%0d%0a%1b[31m%00")),
    "no UTF-8": _not_found(request("/%ff%fe%c3%28")),
    "no escape": _not_found(request("/%zz%")),
    "30,000 characters": _not_found(request("/" + "a" * 30_000)),
    "static files": _not_found(request("/static/../zdemo/config.py")),
    # wrong method
    **{
        method: _wrong_method(method, BEARER)
        for method in ("POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "BREW", "M" * 300, "A%B'C")
    },
    "POST of a form": _wrong_method("POST", FORM, body=IN_FORM),
    "POST of 64 KiB": _wrong_method("POST", body=b"a" * LARGEST_BODY),
    "POST of 64 KiB in chunks": _wrong_method("POST", CHUNKED, body=chunked(b"a" * LARGEST_BODY)),
    # too large
    "a byte more than 64 KiB": _too_large(request(PUBLIC, body=b"a" * (LARGEST_BODY + 1))),
    "a byte more, in a chunk": _too_large(request(PUBLIC, CHUNKED, body=chunked(b"a" * (LARGEST_BODY + 1)))),
    "a byte more, in many chunks": _too_large(
        request(PUBLIC, CHUNKED, method="POST", body=chunked(*[b"a" * 256] * 256, b"a"))
    ),
    "a byte more, nowhere": _too_large(request("/nowhere", method="PUT", body=b"a" * (LARGEST_BODY + 1))),
    "4 MiB": _too_large(request(PUBLIC, method="POST", body=b"a" * (4 << 20))),
    "4 MiB announced": _too_large(request(PUBLIC, f"Content-Length: {4 << 20}")),
}

# Those that a guard in somebody else's app decides; the rest is the app's own: its paths, methods and bodies.
OF_THE_GUARD = {name: row for name, row in ROWS.items() if row.status not in {404, 405, 413}}


def check(reply: Reply, row: Row, *, only_guarded: bool = False) -> None:
    """Assert that a reply is the one in the table: status, challenge, body, and the other fields.

    With ``only_guarded``, the app is somebody else's: only refusals have the ID of their request.
    """
    assert reply.status == row.status
    assert reply.one("www-authenticate") == row.challenge
    if row.error or not only_guarded:
        assert re.fullmatch(r"[0-9a-f]{16}", reply.one("x-request-id") or "")
    assert reply.one("retry-after") is None
    assert reply.all("set-cookie") == []
    assert (reply.one("cache-control"), reply.one("vary")) == (
        ("no-store", "Authorization") if row.protected else (None, None)
    )
    allow = reply.one("allow")
    assert (set(allow.split(", ")) if allow else None) == (READ_METHODS if row.status == 405 else None)
    if row.bodiless:
        assert reply.body == b""
    else:
        check_body(reply, row.error, row.message, row.description)


def check_rows(api: Endpoint, rows: Mapping[str, Row] = ROWS, *, only_guarded: bool = False) -> None:
    """Assert that each request of a table gets its answer: the rules are tested row by row in ``test_answers``."""
    for name, row in rows.items():
        try:
            check(api.send(row.data), row, only_guarded=only_guarded)
        except AssertionError as error:
            error.add_note(f"in the row {name!r}")
            raise


def check_body(reply: Reply, error: str | None, message: str | None = None, description: str | None = None) -> None:
    if error is None:
        assert reply.json == {"message": message}
        return
    body = reply.json
    assert set(body) == {"error", "error_description", "request_id"}
    assert body["error"] == error
    assert body["request_id"] == reply.one("x-request-id")
    assert len(body["error_description"]) > 8
    if description:
        assert body["error_description"] == description
