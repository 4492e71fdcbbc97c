"""What is examined: the settings as they are, and ZITADEL's answers, each asked for once and when it is first needed.

All of it ends by one deadline, whatever hangs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from zdemo.client import Call, Route, call_api
from zdemo.config.environment import Environment, read_environment
from zdemo.config.settings import AdminSettings, ClientSettings, Settings
from zdemo.diagnosis import ApplicationRecord, Evidence, Probe, token_form
from zdemo.errors import ConnectionFailed, SettingsError
from zdemo.http.response import Response
from zdemo.introspection.client_assertion import audience_of
from zdemo.investigation.admin_lookup import AdminLookup, pat_ids, usable_admin_pat
from zdemo.investigation.investigate import Investigation, clock_ahead_seconds, investigate
from zdemo.investigation.probes import Prober, Replies

MOST_SECONDS = 14.0  # in all; 15 are promised
LONGEST_STEP_SECONDS = 4.0  # what a single question may take: three of them in a row leave time for the rest
LEAST_SECONDS = 0.2
ABOUT_ZITADEL = (Probe.DISCOVERY, Probe.READY, Probe.HEALTH, Probe.KEYS, Probe.MADE_UP_CLIENT)
OURS = ("CLIENT_", "ZITADEL_", "ZDEMO_")
NOT_USABLE = "needs settings.complete"
SETUPS_OWN = "ZDEMO_SETUP_"
T = TypeVar("T")


def is_ours(name: str) -> bool:
    """Whether a variable is one of zdemo's, what setup writes down for itself left out."""
    return name == "PAT" or (name.startswith(OURS) and not name.startswith(SETUPS_OWN))


@dataclass(frozen=True, kw_only=True)
class LoadedSettings:
    """The settings by where they come from, or why they cannot be read. ``path`` is the file that was looked at."""

    path: Path
    environment: Environment
    unreadable: SettingsError | None = None

    @classmethod
    def at(cls, env_file: Path | None) -> LoadedSettings:
        """What the other commands would read."""
        path = env_file or Path(".env")
        try:
            return cls(path=path, environment=read_environment(env_file))
        except SettingsError as error:
            return cls(path=path, environment=Environment({}), unreadable=error)


class DoctorContext:
    """One examination. ``now`` tells epoch seconds."""

    def __init__(
        self, read: LoadedSettings, *, now: Callable[[], float] = time.time, seconds: float = MOST_SECONDS
    ) -> None:
        self.read = read
        self.environment = read.environment
        self.now = now
        self._end = time.monotonic() + seconds
        self._calls: dict[tuple[Route, str | None], Call | ConnectionFailed] = {}

    @property
    def seconds_left(self) -> float:
        """Until the deadline of all."""
        return self._end - time.monotonic()

    @property
    def step_seconds(self) -> float:
        """What the next question may take."""
        own = self.settings.timeout_seconds if self.settings else LONGEST_STEP_SECONDS
        return max(min(own, LONGEST_STEP_SECONDS, self.seconds_left), LEAST_SECONDS)

    @cached_property
    def problems(self) -> dict[str, str]:
        """Return what is wrong with the settings, each variable's first problem, with its own fix if it has one."""
        found: dict[str, str] = {}
        variants: list[Callable[[], object]] = [
            lambda: Settings.from_env(self.environment),
            lambda: ClientSettings.from_env(self.environment),
        ]
        if self.environment.get("ZITADEL_ADMIN_PAT", "").strip():
            variants.append(lambda: AdminSettings.from_env(self.environment))
        for read in variants:
            try:
                read()
            except SettingsError as error:
                found |= {problem: error.fixes.get(problem, "") for problem in error.problems}
        return found

    @cached_property
    def settings(self) -> Settings | None:
        """All that the API needs, if it is complete."""
        return _or_none(lambda: Settings.from_env(self.environment))

    @cached_property
    def about_zitadel(self) -> Settings | None:
        """Where ZITADEL is, without the credentials: what can be asked of it does not hang on them."""
        if self.settings:
            return self.settings
        known = {name: self.environment.get(name, "") for name in ("ZITADEL_DOMAIN", "ZDEMO_ALLOW_HTTP")}
        return _or_none(lambda: Settings.from_env({**known, "CLIENT_ID": "0", "CLIENT_SECRET": "0"}))

    def not_usable(self, *names: str) -> str:
        """Which check of the settings says why these variables cannot be used; empty when they can."""
        for problem in self.problems:
            name = problem.split(" ", 1)[0]
            if name in names:
                missing = " is not set" in problem
                return f"{NOT_USABLE}: {name} is not set" if missing else f"needs settings.wellformed: {name}"
        return ""

    @property
    def issuer(self) -> str:
        """ZITADEL's address; only for checks that build on one that is there."""
        return self.about_zitadel.issuer if self.about_zitadel else ""

    @cached_property
    def api(self) -> ClientSettings | None:
        """Where the API is."""
        return _or_none(lambda: ClientSettings.from_env(self.environment))

    @property
    def api_is_zitadel(self) -> bool:
        """Whether both addresses are one."""
        return self.api is not None and self.api.api_url == self.issuer

    def called(self, route: Route, token: str | None = None) -> Call | ConnectionFailed:
        """The API's answer to one call; only for checks that build on an address that is there."""
        assert self.api is not None  # noqa: S101  # said above
        if (route, token) not in self._calls:
            try:
                self._calls[route, token] = call_api(replace(self.api, timeout_seconds=self.step_seconds), route, token)
            except ConnectionFailed as failure:
                self._calls[route, token] = failure
        return self._calls[route, token]

    @property
    def token(self) -> str:
        """``PAT``; empty when there is none."""
        return self.environment.get("PAT", "").strip()

    @property
    def admin_pat(self) -> str:
        """``ZITADEL_ADMIN_PAT``; empty when there is none, or it cannot be sent."""
        return usable_admin_pat(self.environment) or ""

    @cached_property
    def asked_at(self) -> float:
        """When ``replies`` were asked for."""
        return self.now()

    @cached_property
    def replies(self) -> Replies:
        """What ZITADEL says of itself; at once, so that a hanging one costs one step."""
        if self.about_zitadel is None:
            return {}
        settings = replace(self.about_zitadel, timeout_seconds=self.step_seconds)
        with Prober(settings, self.token, admin_pat=self.admin_pat or None) as inquiry:
            self.asked_at  # noqa: B018  # the moment is noted now
            return inquiry.ask(*ABOUT_ZITADEL)

    @property
    def evidence(self) -> Evidence:
        """The replies, for a diagnosis."""
        return Evidence(replies=self.replies)

    def answer(self, question: Probe) -> Response | None:
        """An answer, if one came."""
        return self.evidence.answer(question)

    def failure(self, question: Probe) -> ConnectionFailed | None:
        """Why none came."""
        reply = self.replies.get(question)
        return reply if isinstance(reply, ConnectionFailed) else None

    @cached_property
    def clock_ahead_seconds(self) -> float | None:
        """By how much this machine's clock is ahead of ZITADEL's; ``None`` when no answer told."""
        told = (clock_ahead_seconds(a, self.asked_at) for q in ABOUT_ZITADEL if (a := self.answer(q)))
        return next((ahead for ahead in told if ahead is not None), None)

    @property
    def has_token(self) -> bool:
        """Whether there is a token that can be asked about."""
        return bool(self.token) and token_form(self.token).sendable

    @cached_property
    def investigation(self) -> Investigation | None:
        """What ZITADEL says of the token or, without one, of a random text: both show whether it takes us."""
        if self.settings is None:
            return None
        settings = replace(self.settings, timeout_seconds=self.step_seconds)
        token = self.token if self.has_token else None
        ids = pat_ids(self.environment, token) if token else None
        return investigate(settings, token, now=self.now(), admin_pat=self.admin_pat or None, ids=ids)

    @cached_property
    def application(self) -> ApplicationRecord | None:
        """The application behind our client ID, as the administrator sees it."""
        if self.settings is None or not self.admin_pat:
            return None
        end = time.monotonic() + self.step_seconds
        with AdminLookup(self.issuer, self.admin_pat, seconds_left=lambda: end - time.monotonic()) as administration:
            records = administration.client(self.settings)
        return records.application if records else None

    @property
    def own_name(self) -> str:
        """The issuer as ZITADEL would put it together from our requests."""
        return audience_of(self.issuer)


def _or_none(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except SettingsError:
        return None


def in_time(do: Callable[[], T], seconds: float) -> T | Exception:
    """What a call returns or raises; ``TimeoutError`` when it does not come back, as a look-up of names may not."""
    out: list[T | Exception] = []

    def run() -> None:
        try:
            out.append(do())
        except Exception as error:  # it is handed over to the other thread
            out.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    return out[0] if out else TimeoutError()


def joined(texts: Iterable[str]) -> str:
    """Several findings in one sentence."""
    return "; ".join(texts)
