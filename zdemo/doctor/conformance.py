"""Checks of any API that takes bearer tokens, as a black box: does it refuse requests as RFC 6750 says?

One URL that requires a token is enough. The requests have no token, a made-up token or a malformed header. A real
token, if there is one, is sent once and in the header, so that no log contains it.
"""

from __future__ import annotations

import secrets
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property

from zdemo.client import parse_challenge
from zdemo.diagnosis import finding_before_the_api, quoted
from zdemo.doctor.check import Result, check, failed, failed_with, passed, skipped, warned
from zdemo.doctor.context import Budget
from zdemo.errors import ConnectionFailed
from zdemo.http.response import GATEWAY_STATUSES, Response

TOO_LONG = 16 * 1024 + 1  # characters; a zdemo API refuses such a token
OPTION = "--api"
ZDEMO_ROUTE = "/api/private"
ANOTHER_URL = "give --api a URL that requires a token"
MUST_REFUSE = "check the API's log: it must refuse the request, not fail"
ONLY_THE_HEADER = "take tokens from the Authorization header alone (RFC 6750 section 2.3, RFC 9700)"
Reply = Response | ConnectionFailed


@dataclass
class Target:
    """The API's address: origin and path, and a token that it should accept, if there is one."""

    origin: str
    path: str
    token: str = ""

    def __post_init__(self) -> None:
        self._budget = Budget()
        self.moved = False

    def get(self, authorization: str = "", *, in_query: str = "") -> Reply:
        """Send one GET request, with this Authorization header and this token in the query."""
        from zdemo.http.transport import Transport  # here, because help and completion need no requests

        headers = {"Authorization": authorization} if authorization else {}
        path = self.path + (f"{'&' if '?' in self.path else '?'}access_token={in_query}" if in_query else "")
        with closing(Transport(self.origin, setting=OPTION)) as transport:
            try:
                return transport.send("GET", path, timeout_seconds=self._budget.step_seconds(), headers=headers)
            except ConnectionFailed as failure:
                return failure

    @cached_property
    def bare(self) -> Reply:
        """The answer to a request without a token; where an origin has nothing at /, zdemo's own route is examined."""
        first = self.get()
        if self.path == "/" and isinstance(first, Response) and first.status == 404:
            self.path = ZDEMO_ROUTE
            second = self.get()
            if isinstance(second, Response) and second.status != 404:
                self.moved = True
                return second
            self.path = "/"
        return first

    @cached_property
    def refused_garbage(self) -> Reply:
        """The answer to a made-up token of the right form."""
        return self.get(f"Bearer {secrets.token_urlsafe(53)}")


def _code(answer: Response) -> str | None:
    """Return the error code of the bearer challenge, which may be empty; ``None`` without a challenge."""
    challenge = parse_challenge(answer.headers.get("www-authenticate"))
    return challenge.error if challenge else None


def _in_words(reply: Reply) -> str:
    if not isinstance(reply, Response):
        return reply.message
    code = _code(reply)
    words = "no bearer challenge" if code is None else code or "a challenge without an error code"
    return f"{reply.status}, {quoted(words, 60)}"


@check("api.reachable", "the URL answers")
def _reachable(target: Target) -> Result:
    reply = target.bare
    if isinstance(reply, ConnectionFailed):
        return failed_with(reply)
    answers = f"answers {reply.status} in {reply.seconds * 1000:.0f} ms"
    if target.moved:
        return passed(f"{target.origin} has nothing at / (404), so {target.path} is examined: it {answers}")
    return passed(f"{target.origin}{_shown(target.path)} {answers}")


def _shown(path: str) -> str:
    return path.partition("?")[0]


@check("api.no_token", "no token: 401, a challenge without an error code", "api.reachable")
def _no_token(target: Target) -> Result:
    """Expect a challenge without an error code, because no token was presented (RFC 6750 §3.1)."""
    reply = target.bare
    if not isinstance(reply, Response):
        return skipped("it did not answer")
    if reply.status == 401:
        return _challenged(_code(reply))
    if reply.status < 300:
        what = f"{_shown(target.path)} answers {reply.status} without a token: it is open to anyone"
        return failed(what, f"guard it, or {ANOTHER_URL}")
    return _neither(reply, _shown(target.path))


def _neither(reply: Response, path: str) -> Result:
    if before := finding_before_the_api(reply, OPTION):
        fix = (f"{step}{path}" if step.startswith(f"{OPTION}=") else step for step in before.fix)
        return failed(before.cause, *fix, otherwise=before.otherwise)
    if reply.status == 404:
        return failed("there is nothing at this URL (404)", ANOTHER_URL)
    if reply.status == 405:
        return failed("this URL does not allow GET (405)", f"{ANOTHER_URL} and allows GET")
    if reply.status >= 500:
        what = f"{reply.status} for a request without a token: the API fails, or its proxy does not reach it"
        return failed(what, "start the API, or check its log, and the proxy's, if there is one")
    return failed(f"{reply.status} for a request without a token, not 401", "answer 401 with a challenge")


def _challenged(code: str | None) -> Result:
    if code is None:
        what = "401 without a WWW-Authenticate: Bearer challenge"
        return failed(what, 'send WWW-Authenticate: Bearer realm="…" with each 401 (RFC 6750 section 3)')
    if code:
        what = f"401 with error={code[:60]!r} for a request without a token"
        return failed(what, "omit the error code when no token was presented (RFC 6750 section 3.1)")
    return passed("401 with a challenge and no error code")


def _expects(reply: Reply, status: int, code: str, fix: str) -> Result:
    if not isinstance(reply, Response):
        return failed(reply.message, MUST_REFUSE)
    if reply.status == status and _code(reply) == code:
        return passed(f"{status} {code}" if code else f"{status}, no error code")
    if reply.status < 300:
        return failed(f"accepted ({reply.status})", fix)
    return failed(f"{_in_words(reply)}; {status} {code or 'without an error code'} was expected", fix)


@check("api.other_scheme", "another scheme: treated as no token", "api.no_token")
def _other_scheme(target: Target) -> Result:
    fix = "treat other schemes than Bearer as no token: 401 with a challenge and no error code"
    return _expects(target.get("Basic Zm9vOmJhcg=="), 401, "", fix)


@check("api.malformed", "a malformed header: 400 invalid_request", "api.no_token")
def _malformed(target: Target) -> Result:
    fix = "answer 400 invalid_request to a malformed Bearer header (RFC 6750 section 3.1)"
    for value in ("Bearer", "Bearer two words", 'Bearer "quoted"'):
        result = _expects(target.get(value), 400, "invalid_request", fix)
        if result.fix:
            shown = "Bearer without a token" if value == "Bearer" else value
            return failed(f"{shown}: {result.evidence}", *result.fix)
    return passed("400 invalid_request")


@check("api.too_long", "a token of 16 KiB: refused", "api.no_token")
def _too_long(target: Target) -> Result:
    reply = target.get("Bearer " + "A" * TOO_LONG)
    if isinstance(reply, ConnectionFailed):
        fix = "answer 400 (or 431) to a token that is too long, instead of closing the connection"
        return warned(reply.message, fix)
    if reply.status in (400, 401, 413, 431):
        return passed(f"{reply.status}")
    return failed(f"{reply.status} for a token of 16 KiB", "refuse it with 400 or 431, without an introspection")


@check("api.garbage", "a made-up token: 401 invalid_token", "api.no_token")
def _garbage(target: Target) -> Result:
    reply = target.refused_garbage
    if isinstance(reply, Response) and reply.status in GATEWAY_STATUSES:
        what = f"{reply.status}: the API cannot have tokens checked"
        return failed(what, "check the API's log; zdemo doctor (without --api) checks ZITADEL and the settings here")
    fix = "answer 401 invalid_token to a token that is not active (RFC 6750 section 3.1)"
    return _expects(reply, 401, "invalid_token", fix)


@check("api.scheme_case", "bearer is Bearer: case does not matter", "api.garbage")
def _scheme_case(target: Target) -> Result:
    reply = target.get(f"bearer {secrets.token_urlsafe(53)}")
    if _in_words(reply) == _in_words(target.refused_garbage):
        return passed("bearer is accepted as Bearer")
    fix = "ignore the case of the scheme (RFC 9110 section 11.1)"
    return failed(f"bearer gets {_in_words(reply)}, but Bearer gets {_in_words(target.refused_garbage)}", fix)


@check("api.query", "a token in the query is not accepted", "api.no_token")
def _query(target: Target) -> Result:
    """Send only a made-up token: a real one would end up in logs."""
    reply = target.get(in_query=secrets.token_urlsafe(53))
    if isinstance(reply, ConnectionFailed):
        return failed(reply.message, MUST_REFUSE)
    if reply.status < 300:
        what = f"a token in the query is accepted ({reply.status}): URLs end up in logs and histories"
        return failed(what, ONLY_THE_HEADER)
    as_in_the_header = _in_words(reply) == _in_words(target.refused_garbage) != _in_words(target.bare)
    if as_in_the_header or _code(reply) == "invalid_token":
        return failed("the API reads a token in the query: it refuses it like one in the header", ONLY_THE_HEADER)
    return passed(f"{reply.status}: the token in the query is ignored (tried with a made-up token)")


@check("api.both_ways", "a token in header and query: 400 invalid_request", "api.no_token")
def _both_ways(target: Target) -> Result:
    garbage = secrets.token_urlsafe(53)
    reply = target.get(f"Bearer {garbage}", in_query=garbage)
    fix = "answer 400 invalid_request when a token is sent in two ways (RFC 6750 section 2)"
    result = _expects(reply, 400, "invalid_request", fix)
    return result if not result.fix else warned(result.evidence, *result.fix)


@check("api.caching", "refusals are not cached", "api.no_token")
def _caching(target: Target) -> Result:
    reply = target.refused_garbage
    if not isinstance(reply, Response):
        return skipped("it did not answer")
    if "no-store" in reply.headers.get("cache-control", "").lower():
        return passed("Cache-Control: no-store")
    return warned("refusals may be cached: no Cache-Control: no-store", "send it on every route that requires a token")


@check("api.accepts", "PAT is accepted, or refused only for a missing role", "api.garbage")
def _accepts(target: Target) -> Result:
    if not target.token:
        return skipped("PAT is not set")
    reply = target.get(f"Bearer {target.token}")
    if isinstance(reply, ConnectionFailed):
        return failed_with(reply)
    if reply.status < 300:
        return passed(f"{reply.status}")
    if reply.status in (401, 403) and _code(reply) == "insufficient_scope":
        return passed(f"{reply.status} insufficient_scope: the token is valid, but lacks a role")
    return failed(f"{_in_words(reply)} for PAT", "zdemo introspect          (what ZITADEL says about this token)")


CHECKS = (
    _reachable,
    _no_token,
    _other_scheme,
    _malformed,
    _too_long,
    _garbage,
    _scheme_case,
    _query,
    _both_ways,
    _caching,
    _accepts,
)
