"""The cases that rules decide: all that is known about one question, so that a rule takes one argument."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol, TypeVar

from zdemo.config.settings import Settings
from zdemo.diagnosis.admin_records import PatRecords
from zdemo.diagnosis.evidence import Evidence, Probe
from zdemo.diagnosis.finding import Finding
from zdemo.diagnosis.phrases import (
    CLOCK_TOLERANCE_SECONDS,
    Lines,
    clock_words,
    described,
    health_lines,
    oauth_error,
    url,
)
from zdemo.diagnosis.token_form import TokenForm, TokenKind, token_form
from zdemo.errors import IntrospectionError
from zdemo.http.response import Response

LOOKED_UP = ("records", "looked up with ZITADEL_ADMIN_PAT")


class Case(Protocol):
    """What a rule decides."""

    @property
    def seen(self) -> Lines:
        """The evidence for every finding about this case."""


C = TypeVar("C")
E = TypeVar("E", bound=Case)


def first(rules: Iterable[Callable[[C], Finding | None]], case: C) -> Finding | None:
    """Return the finding of the first rule that decides a case."""
    return next((finding for rule in rules if (finding := rule(case))), None)


def decide(rules: Iterable[Callable[[E], Finding | None]], case: E, last: Callable[[E], Finding]) -> Finding:
    """Return the finding of the first rule that decides a case, else that of the last rule.

    The rule's own evidence comes first, because a screen may cut the list; then follows that of the case.
    """
    finding = first(rules, case) or last(case)
    return replace(finding, seen=(*finding.seen, *case.seen))


@dataclass(frozen=True, kw_only=True)
class ResponseCase:
    """A response that is not an introspection, or not a discovery document; ``error`` says what it is instead."""

    answer: Response
    error: IntrospectionError
    evidence: Evidence

    @property
    def host(self) -> str:
        """Host and port that answered."""
        return url(self.answer).netloc

    @property
    def origin(self) -> str:
        """Scheme, host and port that answered."""
        return f"{url(self.answer).scheme}://{self.host}"

    @property
    def path(self) -> str:
        """The path that was requested."""
        return url(self.answer).path

    @cached_property
    def seen(self) -> Lines:
        """The response and the health checks as evidence."""
        return (("answer", f"{described(self.answer)} at {self.path}"), *health_lines(self.evidence))


@dataclass(frozen=True, kw_only=True)
class ClientCase:
    """A response that refuses the API application's credentials: its client ID and secret, or its key."""

    answer: Response
    settings: Settings
    evidence: Evidence

    @property
    def refused(self) -> str:
        """The refusal as the beginning of a sentence."""
        return f"ZITADEL refuses the API application's {'key' if self.settings.key else 'credentials'}"

    @cached_property
    def seen(self) -> Lines:
        """The refusal and what other requests showed."""
        lines = [("answer", f"{described(self.answer)}: {oauth_error(self.answer)}")]
        if self.evidence.status(Probe.RANDOM_TOKEN) == self.answer.status:
            lines.append(("random text", "gets the same answer, so the refusal is not about the caller"))
        if self.evidence.token_is_dead:
            lines.append(("userinfo", "refuses the caller as well: everything may be from another ZITADEL"))
        elif self.evidence.token_is_alive:
            lines.append(("userinfo", "200: the caller is known to this ZITADEL"))
        return tuple(lines)


@dataclass(frozen=True, kw_only=True)
class InactiveCase:
    """A token that introspection calls inactive."""

    token: str
    settings: Settings
    evidence: Evidence
    now: float

    @cached_property
    def form(self) -> TokenForm:
        """The form of the token."""
        return token_form(self.token)

    @property
    def clock_ahead_seconds(self) -> float:
        """How far this machine's clock is ahead of ZITADEL's; 0 when that is unknown."""
        return self.evidence.clock_ahead_seconds or 0

    @cached_property
    def seen(self) -> Lines:
        """The evidence that most findings rest on."""
        evidence, lines = self.evidence, []
        if evidence.status(Probe.MADE_UP_CLIENT) == 400:
            used = "key" if self.settings.key else "client ID and secret"
            lines.append(("credentials", f"accepted: ZITADEL answers this API's {used}, and refuses made-up ones"))
        lines.append(("form", self.form.described))
        if evidence.token_is_dead:
            lines.append(("userinfo", "refused too, so the token is not merely meant for another API"))
        elif evidence.token_is_alive:
            lines.append(("userinfo", "accepted: the token is alive"))
        elif userinfo := evidence.answer(Probe.USERINFO):
            lines.append(("userinfo", f"{described(userinfo)}: not ZITADEL's answer, so it says nothing"))
        if evidence.administrator_is_active:
            lines.append(("ZITADEL", "works: the administrator's PAT is active"))
        needed = [Probe.MADE_UP_CLIENT, *([Probe.USERINFO] if self.form.sendable else [])]
        if silent := [probe.value for probe in needed if evidence.answer(probe) is None]:
            lines.append(("not known", f"no answer in time: {', '.join(silent)}"))
        if self.form.kind is TokenKind.JWT and abs(self.clock_ahead_seconds) > CLOCK_TOLERANCE_SECONDS:
            lines.append(("clock", f"{clock_words(self.clock_ahead_seconds)}, by the Date of its answer"))
        return tuple(lines)


@dataclass(frozen=True, kw_only=True)
class PatCase:
    """A dead PAT that an administrator looked up; ``now`` is when (epoch seconds)."""

    records: PatRecords
    now: float
