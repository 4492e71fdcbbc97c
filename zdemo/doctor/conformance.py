"""Checks of any API that takes bearer tokens, as a black box: does it refuse requests as RFC 6750 says?

One URL that requires a token is enough. The requests have no token, a made-up token or a malformed header. A real
token, if there is one, is sent once and in the header, so that no log contains it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlencode

from zdemo.client import Challenge, parse_challenge
from zdemo.diagnosis import finding_before_the_api, quoted
from zdemo.doctor.check import Check, Result, failed, failed_with, passed, skipped, warned
from zdemo.doctor.context import Budget
from zdemo.errors import ConnectionFailed
from zdemo.http.response import GATEWAY_STATUSES, Response
from zdemo.http.transport import Transport

TOO_LONG = 16 * 1024 + 1  # characters; a zdemo API refuses such a token
OPTION = "--api"
ZDEMO_ROUTE = "/api/private"
ANOTHER_URL = "give --api a URL that requires a token"
MUST_REFUSE = "check the API's log: it must refuse the request, and not break"
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

    def get(self, *, query: Mapping[str, str] | None = None, **headers: str) -> Reply:
        """Send one GET request; the names of ``headers`` have underscores."""
        transport = Transport(self.origin, setting=OPTION)
        path = self.path
        if query:
            path += ("&" if "?" in path else "?") + urlencode(query)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            return transport.send("GET", path, timeout_seconds=self._budget.step_seconds(), headers=named)
        except ConnectionFailed as failure:
            return failure
        finally:
            transport.close()

    @property
    def shown_path(self) -> str:
        """The examined path, without its query."""
        return self.path.partition("?")[0]

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
        return self.get(Authorization=f"Bearer {secrets.token_urlsafe(53)}")


def challenge_of(answer: Response) -> Challenge | None:
    """Return the bearer challenge of an answer, if it has one."""
    return parse_challenge(answer.headers.get("www-authenticate"))


def _in_words(reply: Reply) -> str:
    """Return status and error code of an answer."""
    if not isinstance(reply, Response):
        return reply.message
    challenge = challenge_of(reply)
    code = "no bearer challenge" if challenge is None else challenge.error or "a challenge without an error code"
    return f"{reply.status}, {quoted(code, 60)}"


def _reachable(target: Target) -> Result:
    reply = target.bare
    if isinstance(reply, ConnectionFailed):
        return failed_with(reply)
    answers = f"answers {reply.status} in {reply.seconds * 1000:.0f} ms"
    if target.moved:
        return passed(f"{target.origin} has nothing at / (404), so {target.path} is examined: it {answers}")
    return passed(f"{target.origin}{target.shown_path} {answers}")


def _no_token(target: Target) -> Result:
    """Expect a challenge without an error code, because no token was presented (RFC 6750 §3.1)."""
    reply = target.bare
    if not isinstance(reply, Response):
        return skipped("it did not answer")
    if reply.status == 401:
        return _challenged(challenge_of(reply))
    if reply.status < 300:
        what = f"{target.shown_path} answers {reply.status} without a token: it is open to anyone"
        return failed(what, f"guard it, or {ANOTHER_URL}")
    return _neither(reply, target.shown_path)


def _neither(reply: Response, path: str) -> Result:
    """Return the result for an answer that is neither a success nor a 401."""
    if before := finding_before_the_api(reply, OPTION):
        return failed(
            before.cause, *(f"{step}{path}" if step.startswith(f"{OPTION}=") else step for step in before.fix)
        )
    if reply.status == 404:
        return failed("there is nothing at this URL (404)", ANOTHER_URL)
    if reply.status == 405:
        return failed("this URL does not allow GET (405)", f"{ANOTHER_URL} and allows GET")
    if reply.status >= 500:
        what = f"{reply.status} for a request without a token: the API fails, or a proxy before it does not reach it"
        return failed(what, "start the API, or check its log, and the proxy's, if there is one")
    return failed(f"{reply.status} for a request without a token, not 401", "answer 401 with a challenge")


def _challenged(challenge: Challenge | None) -> Result:
    if challenge is None:
        what = "401 without a WWW-Authenticate: Bearer challenge"
        return failed(what, 'send WWW-Authenticate: Bearer realm="…" with each 401 (RFC 6750 section 3)')
    if challenge.error:
        what = f"401 with error={challenge.error[:60]!r} for a request without a token"
        return failed(what, "omit the error code when no token was presented (RFC 6750 section 3.1)")
    return passed("401 with a challenge and no error code")


def _expects(reply: Reply, status: int, code: str, fix: str) -> Result:
    """Expect a refusal with this status and error code."""
    if not isinstance(reply, Response):
        return failed(reply.message, MUST_REFUSE)
    challenge = challenge_of(reply)
    if reply.status == status and challenge and challenge.error == code:
        return passed(f"{status} {code}" if code else f"{status}, no error code")
    if reply.status < 300:
        return failed(f"accepted ({reply.status})", fix)
    return failed(f"{_in_words(reply)}; {status} {code or 'without an error code'} was expected", fix)


def _other_scheme(target: Target) -> Result:
    fix = "treat other schemes than Bearer as no token: 401 with a challenge and no error code"
    return _expects(target.get(Authorization="Basic Zm9vOmJhcg=="), 401, "", fix)


def _malformed(target: Target) -> Result:
    fix = "answer 400 invalid_request to a malformed Bearer header (RFC 6750 section 3.1)"
    for value in ("Bearer", "Bearer two words", 'Bearer "quoted"'):
        result = _expects(target.get(Authorization=value), 400, "invalid_request", fix)
        if result.fix:
            shown = "Bearer without a token" if value == "Bearer" else value
            return failed(f"{shown}: {result.evidence}", *result.fix)
    return passed("400 invalid_request")


def _too_long(target: Target) -> Result:
    reply = target.get(Authorization="Bearer " + "A" * TOO_LONG)
    if isinstance(reply, ConnectionFailed):
        return warned(
            reply.message, "answer 400 (or 431) to a token that is too long, instead of closing the connection"
        )
    if reply.status in (400, 401, 413, 431):
        return passed(f"{reply.status}")
    return failed(f"{reply.status} for a token of 16 KiB", "refuse it with 400 or 431, without an introspection")


def _garbage(target: Target) -> Result:
    reply = target.refused_garbage
    if isinstance(reply, Response) and reply.status in GATEWAY_STATUSES:
        what = f"{reply.status}: the API cannot have tokens checked"
        return failed(what, "check the API's log; zdemo doctor (without --api) checks ZITADEL and the settings here")
    fix = "answer 401 invalid_token to a token that is not active (RFC 6750 section 3.1)"
    return _expects(reply, 401, "invalid_token", fix)


def _scheme_case(target: Target) -> Result:
    reply = target.get(Authorization=f"bearer {secrets.token_urlsafe(53)}")
    if _in_words(reply) == _in_words(target.refused_garbage):
        return passed("bearer is accepted as Bearer")
    fix = "ignore the case of the scheme (RFC 9110 section 11.1)"
    return failed(f"bearer gets {_in_words(reply)}, but Bearer gets {_in_words(target.refused_garbage)}", fix)


def _query(target: Target) -> Result:
    """Send only a made-up token: a real one would end up in logs."""
    reply = target.get(query={"access_token": secrets.token_urlsafe(53)})
    if isinstance(reply, ConnectionFailed):
        return failed(reply.message, MUST_REFUSE)
    if reply.status < 300:
        what = f"a token in the query is accepted ({reply.status}): URLs end up in logs and histories"
        return failed(what, ONLY_THE_HEADER)
    challenge = challenge_of(reply)
    as_in_the_header = _in_words(reply) == _in_words(target.refused_garbage) != _in_words(target.bare)
    if as_in_the_header or (challenge and challenge.error == "invalid_token"):
        return failed("the API reads a token in the query: it refuses it like one in the header", ONLY_THE_HEADER)
    return passed(f"{reply.status}: the token in the query is ignored (tried with a made-up token)")


def _both_ways(target: Target) -> Result:
    garbage = secrets.token_urlsafe(53)
    reply = target.get(query={"access_token": garbage}, Authorization=f"Bearer {garbage}")
    fix = "answer 400 invalid_request when a token is sent in two ways (RFC 6750 section 2)"
    result = _expects(reply, 400, "invalid_request", fix)
    return result if not result.fix else warned(result.evidence, *result.fix)


def _caching(target: Target) -> Result:
    reply = target.refused_garbage
    if not isinstance(reply, Response):
        return skipped("it did not answer")
    if "no-store" in reply.headers.get("cache-control", "").lower():
        return passed("Cache-Control: no-store")
    return warned("refusals may be cached: no Cache-Control: no-store", "send it on every route that requires a token")


def _accepts(target: Target) -> Result:
    if not target.token:
        return skipped("PAT is not set")
    reply = target.get(Authorization=f"Bearer {target.token}")
    if isinstance(reply, ConnectionFailed):
        return failed_with(reply)
    if reply.status < 300:
        return passed(f"{reply.status}")
    challenge = challenge_of(reply)
    if reply.status in (401, 403) and challenge and challenge.error == "insufficient_scope":
        return passed(f"{reply.status} insufficient_scope: the token is valid, but lacks a role")
    return failed(f"{_in_words(reply)} for PAT", "zdemo introspect          (what ZITADEL says about this token)")


def _check(name: str, what: str, needs: str, examine: Callable[[Target], Result]) -> Check[Target]:
    return Check(id=f"api.{name}", what=what, needs=(needs,) if needs else (), examine=examine)


CHECKS = (
    _check("reachable", "the URL answers", "", _reachable),
    _check("no_token", "no token: 401, a challenge without an error code", "api.reachable", _no_token),
    _check("other_scheme", "another scheme: treated as no token", "api.no_token", _other_scheme),
    _check("malformed", "a malformed header: 400 invalid_request", "api.no_token", _malformed),
    _check("too_long", "a token of 16 KiB: refused", "api.no_token", _too_long),
    _check("garbage", "a made-up token: 401 invalid_token", "api.no_token", _garbage),
    _check("scheme_case", "bearer is Bearer: case does not matter", "api.garbage", _scheme_case),
    _check("query", "a token in the query is not accepted", "api.no_token", _query),
    _check("both_ways", "a token in header and query: 400 invalid_request", "api.no_token", _both_ways),
    _check("caching", "refusals are not cached", "api.no_token", _caching),
    _check("accepts", "PAT is accepted, or lacks a role", "api.garbage", _accepts),
)
