"""One run of ``zdemo verify`` as the cases see it: the API, its users, and experiments that several cases look at."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from zdemo.diagnosis.ask.facts import random_token
from zdemo.verify.api_client import ApiClient, ApiReply
from zdemo.verify.backend import MARKER, Backend, Passage
from zdemo.verify.judgments import PUBLIC_SECONDS, RECOVERY_SECONDS, Measured

if TYPE_CHECKING:
    from zdemo.emulator.entities import Token
    from zdemo.verify.emulated_issuer import EmulatedIssuer

OTHER_ROLE = "zdemo-verify-other"  # a role of the project that no path requires
POLL_SECONDS = 0.05
ANSWER_SECONDS = 10.0  # an API must have answered by then while ZITADEL does not
COLD_CALLS = 64  # simultaneous requests with one token
WAITING_CALLS = 16  # while ZITADEL hangs
SETTLE_SECONDS = 1.0  # at most, until these calls wait for ZITADEL
LIFE_SECONDS = 2.0  # how long the token lives that expires during the run
EXPIRY_SECONDS = 2.0  # how long after its expiry a token may pass, for clocks in whole seconds
LATE_SECONDS = 2.0  # an answer after the deadline is still received, to tell late from never
LAST_LINES, LAST_BYTES = 8, 1 << 16
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])")
CHANGES = ("delete", "revoke")
NOT_ASKED = "ZITADEL was not asked: the API may have another address of it"


@dataclass(frozen=True, kw_only=True)
class Hang:
    """What an API answered while ZITADEL hung and other requests waited for it."""

    waiting: list[ApiReply]
    public: ApiReply | None
    without_token: ApiReply


@dataclass(kw_only=True)
class VerifyRun:
    """The API, and the issuer of its tokens; ``issuer`` is ``None`` if all cases that are asked need nothing."""

    api: ApiClient
    issuer: EmulatedIssuer | None
    role: str
    backend: Backend | None = None  # behind the API, which is a proxy then
    public: str = ""
    mcp: bool = False
    window_seconds: float = 10.0
    printed: Callable[[], bytes] = bytes  # what the API has printed so far
    gone: Callable[[], str] = str  # how it ended, if it did
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)  # by name: they must not appear anywhere
    project_id: str = ""
    issuer_url: str = ""
    outages: dict[str, ApiReply] = field(default_factory=dict)
    about_refusal: list[str] = field(default_factory=list)
    recoveries: dict[str, float | None] = field(default_factory=dict)

    @property
    def zitadel(self) -> EmulatedIssuer:
        """The emulator, for cases that need it."""
        assert self.issuer is not None  # noqa: S101  # no other case is asked without one
        return self.issuer

    # --- single questions

    @cached_property
    def known(self) -> Token:
        """The token of a user with the role, or some role, for questions in which the token does not matter."""
        return self.zitadel.issue(self.role or OTHER_ROLE)

    @cached_property
    def answer(self) -> ApiReply:
        """The answer to a valid token with the role; what the API printed about a refusal is kept."""
        started = time.time()
        reply = self.api.bearer(self.known.token)
        if not reply.let_in:
            time.sleep(0.1)
            self.about_refusal = last_lines(self.printed())
            jwt = self.zitadel.issue(self.role, as_jwt=True).token
            lets_in_jwt = reply.status in (400, 401, 403) and self.api.bearer(jwt).let_in
            if reply.status not in (404, 405) and not self.zitadel.introspections(started):
                verifies = "although a JWT is let in: the API verifies JWTs itself, without ZITADEL"
                return reply.about(verifies if lets_in_jwt else NOT_ASKED)
        return reply

    @cached_property
    def bare(self) -> ApiReply:
        """The answer to a request without a token."""
        return self.api.send()

    @cached_property
    def refused_garbage(self) -> ApiReply:
        """The answer to a made-up token of the right form; if it is let in, with what ZITADEL said."""
        started = time.time()
        reply = self.api.bearer(random_token())
        if not reply.let_in or self.issuer is None:
            return reply
        asked = self.issuer.introspections(started)
        return reply.about("although ZITADEL answered active: false" if asked else "ZITADEL was not asked")

    @cached_property
    def refused_visitor(self) -> ApiReply:
        """The answer to a valid token without the role."""
        return self.api.bearer(self.zitadel.issue().token)

    def after(self, change: str) -> ApiReply:
        """Ask with a token that the API has not seen, after a change of its user."""
        token = self.zitadel.issue(self.role)
        self.zitadel.change(change, token)
        return self.api.bearer(token.token)

    def with_claims(self, names: Sequence[str], values: Mapping[str, object]) -> list[ApiReply]:
        """Ask about users who have the role, with each of these values of some claims in ZITADEL's odd answer."""
        odd = {name: dict.fromkeys(names, value) for name, value in values.items()}
        tokens = {name: self.zitadel.issue(self.role, claims=claims).token for name, claims in odd.items()}
        with self.api.in_outage():
            return [self.api.bearer(token).about(name) for name, token in tokens.items()]

    # --- through a proxy

    @cached_property
    def passed(self) -> Passage:
        """The answer to an ordinary request, and what arrived."""
        return self.through(self.known.token)

    def through(self, token: str = "", **parts: Any) -> Passage:
        """Send a request to the proxy, and look at the backend."""
        assert self.backend is not None  # noqa: S101  # no case about it is asked without one
        special, marker = parts.pop("headers", {}), secrets.token_hex(8)
        authorization = [f"Bearer {token}"] if token else []
        reply = self.api.send(*authorization, headers=special | {MARKER: marker}, **parts)
        what = next((f"{name}: {text}" for name, text in special.items()), "")
        return Passage(reply.about(what) if what else reply, self.backend.arrivals.pop(marker, []))

    def uninvited(self, parts_of: Callable[[VerifyRun], Iterable[dict[str, Any]]]) -> list[Passage]:
        """Send requests without a token, and without the role; keep what arrives at the guarded path."""
        path = self.passed.arrivals[0].path
        tokens = ["", *([self.zitadel.issue(OTHER_ROLE).token] if self.role else [])]
        passages = [self.through(token, **parts) for parts in parts_of(self) for token in tokens]
        return [Passage(reply, [each for each in arrivals if each.path == path]) for reply, arrivals in passages]

    # --- removal windows

    @cached_property
    def windows(self) -> dict[str, Measured]:
        """How long tokens pass that the API has let in before: by the change, all at the same time."""
        _ = self.deleted  # deleted first, so that its window ends soon after these
        changes = CHANGES if self.role else CHANGES[:1]
        tokens = {change: self.zitadel.issue(self.role) for change in changes}
        tokens["expiry"] = self.zitadel.issue(self.role, seconds=LIFE_SECONDS)
        limits = dict.fromkeys(changes, self.window_seconds) | {"expiry": EXPIRY_SECONDS}
        starts: dict[str, float] = {"expiry": time.monotonic() + LIFE_SECONDS}
        before = {change: self.api.bearer(token.token) for change, token in tokens.items()}
        for change in changes:
            self.zitadel.change(change, tokens[change])
            starts[change] = time.monotonic()
        done: dict[str, Measured] = {}
        while len(done) < len(tokens):
            for change in tokens.keys() - done.keys():
                reply = self.api.bearer(tokens[change].token)
                took = time.monotonic() - starts[change]
                seconds = max(took, 0.0) if not reply.let_in else None
                if seconds is not None or took > limits[change] or self.api.is_out_of_time:
                    done[change] = Measured(seconds=seconds, limit=limits[change], before=before[change], last=reply)
            time.sleep(POLL_SECONDS)
        return done

    @cached_property
    def deleted(self) -> tuple[str, ApiReply, float]:
        """A token that was deleted after the API let it in, that answer, and when, on the monotonic clock."""
        token = self.zitadel.issue(self.role)
        before = self.api.bearer(token.token)
        self.zitadel.change("delete", token)
        return token.token, before, time.monotonic()

    def stale(self) -> tuple[Measured, ApiReply, list[ApiReply]]:
        """Return the window of a deleted token, its answer before, and those after the window, while ZITADEL fails."""
        window, (token, before, at) = self.windows["delete"], self.deleted
        while time.monotonic() - at < self.window_seconds and not self.api.is_out_of_time:
            time.sleep(POLL_SECONDS)
        replies = []
        for kind in ("reset", "internal-error"):
            with self.api.in_outage(), self.zitadel.fault(kind):
                replies.append(self.api.bearer(token, seconds=ANSWER_SECONDS))
        return window, before, replies

    # --- many at once

    @cached_property
    def flights(self) -> tuple[list[ApiReply], int]:
        """The answers to simultaneous requests with one cold token, and how many introspections they caused."""
        token = self.zitadel.issue(self.role).token
        started = time.time()
        with self.api.in_outage(), self.zitadel.fault("slow"):  # so that all are under way before the first answer
            replies = self.api.at_once([token] * COLD_CALLS)
        return replies, self.zitadel.introspections(started)

    # --- outages

    def outage(self, kind: str) -> ApiReply:
        """Return the answer to a valid, cold token while ZITADEL answers wrongly; then wait until all is well again."""
        if kind not in self.outages:
            token = self.zitadel.issue(self.role).token
            with self.api.in_outage(), self.zitadel.fault(kind):
                self.outages[kind] = self.api.bearer(token, seconds=ANSWER_SECONDS)
            self.recoveries[kind] = self._until_let_in(token)
        return self.outages[kind]

    @cached_property
    def hang(self) -> Hang:
        """What happens while ZITADEL hangs."""
        tokens = [self.zitadel.issue(self.role).token for _ in range(WAITING_CALLS)]
        pool, started = ThreadPoolExecutor(max_workers=len(tokens)), time.time()
        with self.api.in_outage(), pool, self.zitadel.fault("hang"):
            waiting = [pool.submit(self.api.bearer, token, seconds=ANSWER_SECONDS) for token in tokens]
            end = time.monotonic() + SETTLE_SECONDS
            while self.zitadel.introspections(started) < len(tokens) and time.monotonic() < end:
                time.sleep(POLL_SECONDS)
            patience = PUBLIC_SECONDS + LATE_SECONDS
            public = self.api.send(path=self.public, seconds=patience) if self.public else None
            without_token = self.api.send(seconds=patience)
            answers = [future.result() for future in waiting]
        self.outages["hang"] = next((reply for reply in answers if reply.let_in or not reply.status), answers[0])
        self.recoveries["hang"] = self._until_let_in(tokens[0])
        return Hang(waiting=answers, public=public, without_token=without_token)

    def _until_let_in(self, token: str) -> float | None:
        start = time.monotonic()
        while (took := time.monotonic() - start) < RECOVERY_SECONDS and not self.api.is_out_of_time:
            if 200 <= self.api.bearer(token, seconds=RECOVERY_SECONDS).status < 300:
                return took
            time.sleep(POLL_SECONDS)
        return None


def last_lines(printed: bytes) -> list[str]:
    """Return the last lines that are not empty, without a terminal's escape sequences."""
    lines = ESCAPES.sub("", printed[-LAST_BYTES:].decode("utf-8", "replace")).splitlines()[len(printed) > LAST_BYTES :]
    return [line.rstrip() for line in lines if line.strip()][-LAST_LINES:]
