"""Checks of any API that is protected by bearer tokens, as a black box: does it refuse as RFC 6750 says?

One URL of something that wants a token is enough. The API is asked with no token, with garbage and with what is
malformed; with a real token, if there is one, once and in the header, so that it gets into no log.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlencode

from zdemo.client import Challenge, parse_challenge
from zdemo.diagnosis import finding_before_the_api
from zdemo.doctor.check import Check, Result, failed, passed, skipped, warned
from zdemo.errors import ConnectionFailed
from zdemo.http.response import Response
from zdemo.http.transport import Transport

LONGEST_HEADER = 16 * 1024 + 1  # what a zdemo API does not take any more
OPTION = "--api"
ZDEMO_ROUTE = "/api/private"
LONGEST_STEP_SECONDS, MOST_SECONDS, LEAST_SECONDS = 4.0, 14.0, 0.2
Reply = Response | ConnectionFailed


@dataclass
class Target:
    """The API's address: origin and path, and a token that it should take, if there is one."""

    origin: str
    path: str
    token: str = ""
    timeout_seconds: float = LONGEST_STEP_SECONDS

    def __post_init__(self) -> None:
        self._end = time.monotonic() + MOST_SECONDS
        self.moved = False

    def ask(self, *, query: Mapping[str, str] | None = None, **headers: str) -> Reply:
        """One GET request; ``headers`` with underscores."""
        transport = Transport(self.origin, setting=OPTION)
        path = self.path
        if query:
            path += ("&" if "?" in path else "?") + urlencode(query)
        seconds = max(min(self.timeout_seconds, LONGEST_STEP_SECONDS, self._end - time.monotonic()), LEAST_SECONDS)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            return transport.send("GET", path, timeout_seconds=seconds, headers=named)
        except ConnectionFailed as failure:
            return failure
        finally:
            transport.close()

    @property
    def shown_path(self) -> str:
        """The path that is examined, without its query."""
        return self.path.partition("?")[0]

    @cached_property
    def bare(self) -> Reply:
        """The answer to a request without a token. A bare origin that has nothing is asked for zdemo's own route."""
        first = self.ask()
        if self.path == "/" and isinstance(first, Response) and first.status == 404:
            self.path = ZDEMO_ROUTE
            second = self.ask()
            if isinstance(second, Response) and second.status != 404:
                self.moved = True
                return second
            self.path = "/"
        return first

    @cached_property
    def refused_garbage(self) -> Reply:
        """The answer to a token of the right form that nobody has issued."""
        return self.ask(Authorization=f"Bearer {secrets.token_urlsafe(53)}")


def challenge_of(answer: Response) -> Challenge | None:
    """The bearer challenge of an answer, if it has one."""
    return parse_challenge(answer.headers.get("www-authenticate"))


def _said(reply: Reply) -> str:
    """Status and error code."""
    if not isinstance(reply, Response):
        return reply.message
    challenge = challenge_of(reply)
    code = "no bearer challenge" if challenge is None else challenge.error or "a challenge without an error code"
    return f"{reply.status}, {''.join(c for c in code[:60] if c.isprintable())}"


def _reachable(target: Target) -> Result:
    reply = target.bare
    if isinstance(reply, ConnectionFailed):
        return failed(reply.message, reply.hint)
    said = f"answers {reply.status} in {reply.seconds * 1000:.0f} ms"
    if target.moved:
        return passed(f"{target.origin} has nothing at / (404), so {target.path} is examined: it {said}")
    return passed(f"{target.origin}{target.shown_path} {said}")


def _no_token(target: Target) -> Result:
    """A challenge without an error code: nothing was presented (RFC 6750 §3.1)."""
    reply = target.bare
    if not isinstance(reply, Response):
        return skipped("it did not answer")
    if reply.status == 401:
        return _challenged(challenge_of(reply))
    if reply.status < 300:
        what = f"{target.shown_path} answers {reply.status} without a token: it is open to anyone"
        return failed(what, "guard it, or give --api the URL of something that wants a token")
    return _neither(reply, target.shown_path)


def _neither(reply: Response, path: str) -> Result:
    """An answer that is neither a page nor a refusal for want of a token."""
    if before := finding_before_the_api(reply, OPTION):
        return failed(
            before.cause, *(f"{step}{path}" if step.startswith(f"{OPTION}=") else step for step in before.fix)
        )
    if reply.status == 404:
        return failed("there is nothing at this URL (404)", "give --api the URL of something that wants a token")
    if reply.status == 405:
        return failed("this URL is not read with GET (405)", "give --api a URL that is, and that wants a token")
    if reply.status >= 500:
        what = f"{reply.status} for a request without a token: the API fails, or a proxy before it does not reach it"
        return failed(what, "start the API, or look at its log; and at the proxy's, if there is one")
    return failed(f"{reply.status} for a request without a token, not 401", "answer 401 with a challenge")


def _challenged(challenge: Challenge | None) -> Result:
    if challenge is None:
        what = "401 without a WWW-Authenticate: Bearer challenge"
        return failed(what, 'send WWW-Authenticate: Bearer realm="…" with each 401 (RFC 6750 section 3)')
    if challenge.error:
        what = f"401 with error={challenge.error[:60]!r} for a request without a token"
        return failed(what, "leave the error code away when no token was presented (RFC 6750 section 3.1)")
    return passed("401 with a challenge and no error code")


def _expects(target_said: Reply, status: int, code: str, fix: str) -> Result:
    """Whether a refusal has this status and error code."""
    if not isinstance(target_said, Response):
        return failed(target_said.message, "look at the API's log: it must refuse, and not break")
    challenge = challenge_of(target_said)
    if target_said.status == status and challenge and challenge.error == code:
        return passed(f"{status} {code}" if code else f"{status}, no error code")
    if target_said.status < 300:
        return failed(f"accepted ({target_said.status})", fix)
    return failed(f"{_said(target_said)}; {status} {code or 'without an error code'} was expected", fix)


def _other_scheme(target: Target) -> Result:
    fix = "treat another scheme than Bearer as no token: 401 with a challenge and no error code"
    return _expects(target.ask(Authorization="Basic Zm9vOmJhcg=="), 401, "", fix)


def _malformed(target: Target) -> Result:
    fix = "answer 400 invalid_request to a header that is no Bearer token (RFC 6750 section 3.1)"
    for value in ("Bearer", "Bearer two words", 'Bearer "quoted"'):
        result = _expects(target.ask(Authorization=value), 400, "invalid_request", fix)
        if result.fix:
            shown = value.replace("Bearer", "a bare Bearer") if value == "Bearer" else value
            return failed(f"{shown}: {result.evidence}", *result.fix)
    return passed("400 invalid_request")


def _too_long(target: Target) -> Result:
    reply = target.ask(Authorization="Bearer " + "A" * LONGEST_HEADER)
    if isinstance(reply, ConnectionFailed):
        return warned(reply.message, "answer 400 (or 431) to a token that is too long, instead of hanging up")
    if reply.status in (400, 401, 413, 431):
        return passed(f"{reply.status}")
    return failed(
        f"{reply.status} for a token of 16 KiB", "refuse it with 400 or 431, before anybody is asked about it"
    )


def _garbage(target: Target) -> Result:
    reply = target.refused_garbage
    if isinstance(reply, Response) and reply.status in (502, 503, 504):
        what = f"{reply.status}: the API cannot have tokens judged"
        return failed(
            what, "look at the API's log; zdemo doctor (without --api) looks at ZITADEL and the settings here"
        )
    fix = "answer 401 invalid_token to a token that is not active (RFC 6750 section 3.1)"
    return _expects(reply, 401, "invalid_token", fix)


def _case(target: Target) -> Result:
    reply = target.ask(Authorization=f"bearer {secrets.token_urlsafe(53)}")
    if _said(reply) == _said(target.refused_garbage):
        return passed("bearer is taken as Bearer")
    fix = "compare the scheme without regard to case (RFC 9110 section 11.1)"
    return failed(f"bearer in small letters: {_said(reply)}, where Bearer has {_said(target.refused_garbage)}", fix)


def _query(target: Target) -> Result:
    """With a made-up token alone: a real one would end in the log of the API, and of all that is in between."""
    reply = target.ask(query={"access_token": secrets.token_urlsafe(53)})
    if isinstance(reply, ConnectionFailed):
        return failed(reply.message, "look at the API's log: it must refuse, and not break")
    if reply.status < 300:
        what = f"a token in the query is accepted ({reply.status}): URLs end in logs and histories"
        return failed(what, "take tokens from the Authorization header alone (RFC 6750 section 2.3, RFC 9700)")
    challenge = challenge_of(reply)
    as_in_the_header = _said(reply) == _said(target.refused_garbage) != _said(target.bare)
    if as_in_the_header or (challenge and challenge.error == "invalid_token"):
        what = "a token in the query is looked at: the API refuses it as one in the header"
        return failed(what, "take tokens from the Authorization header alone (RFC 6750 section 2.3, RFC 9700)")
    return passed(f"{reply.status}: not taken from the query (tried with a token that nobody has issued)")


def _both_ways(target: Target) -> Result:
    garbage = secrets.token_urlsafe(53)
    reply = target.ask(query={"access_token": garbage}, Authorization=f"Bearer {garbage}")
    fix = "answer 400 invalid_request to a token that is sent in two ways (RFC 6750 section 2)"
    result = _expects(reply, 400, "invalid_request", fix)
    return result if not result.fix else warned(result.evidence, *result.fix)


def _caching(target: Target) -> Result:
    reply = target.refused_garbage
    if not isinstance(reply, Response):
        return skipped("it did not answer")
    if "no-store" in reply.headers.get("cache-control", "").lower():
        return passed("Cache-Control: no-store")
    return warned("its refusals may be cached: no Cache-Control: no-store", "send it on every route that wants a token")


def _accepts(target: Target) -> Result:
    if not target.token:
        return skipped("PAT is not set: no token that should pass")
    reply = target.ask(Authorization=f"Bearer {target.token}")
    if isinstance(reply, ConnectionFailed):
        return failed(reply.message, reply.hint)
    if reply.status < 300:
        return passed(f"{reply.status}")
    challenge = challenge_of(reply)
    if reply.status in (401, 403) and challenge and challenge.error == "insufficient_scope":
        return passed(f"{reply.status} insufficient_scope: the token is good, and lacks a role")
    return failed(f"{_said(reply)} for PAT", "zdemo introspect          (what ZITADEL says of this token)")


def _check(name: str, what: str, needs: str, examine: Callable[[Target], Result]) -> Check[Target]:
    return Check(id=f"api.{name}", what=what, needs=(needs,) if needs else (), examine=examine)


CHECKS = (
    _check("reachable", "the URL answers", "", _reachable),
    _check("no_token", "no token: 401, a challenge without an error code", "api.reachable", _no_token),
    _check("other_scheme", "another scheme: as no token", "api.no_token", _other_scheme),
    _check("malformed", "a malformed header: 400 invalid_request", "api.no_token", _malformed),
    _check("too_long", "a token of 16 KiB: refused", "api.no_token", _too_long),
    _check("garbage", "a token that nobody has issued: 401 invalid_token", "api.no_token", _garbage),
    _check("scheme_case", "bearer is Bearer: scheme names ignore case", "api.garbage", _case),
    _check("query", "a token in the query is not accepted", "api.no_token", _query),
    _check("both_ways", "a token in header and query: 400 invalid_request", "api.no_token", _both_ways),
    _check("caching", "refusals are not cached", "api.no_token", _caching),
    _check("accepts", "PAT passes, or lacks a role", "api.garbage", _accepts),
)
