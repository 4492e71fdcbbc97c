"""What doctor examines: the settings, and the answers of ZITADEL and the API, each requested once, by one deadline."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from zdemo.config.address import INTERNAL_URL, ISSUER, ZitadelAddress, is_local, unused_internal_url, why_withheld
from zdemo.config.environment import Environment, read_environment
from zdemo.config.settings import AdminSettings, ClientSettings, Settings
from zdemo.diagnosis.ask.facts import Facts
from zdemo.diagnosis.ask.investigate import Investigation, investigate
from zdemo.diagnosis.evidence import NOTHING, Evidence, Probe
from zdemo.diagnosis.rules.odd_values import odd_values
from zdemo.diagnosis.token_form import token_form
from zdemo.errors import SettingsError
from zdemo.errors.problem import Problem, ProblemKind
from zdemo.http.api_call import LOCAL_SECONDS, Call, call_api
from zdemo.http.example_api import Route

if TYPE_CHECKING:
    from zdemo.guard.shared.redis_store import SharedState  # it needs the package redis

MOST_SECONDS = 14.0  # in all; 15 are promised
LONGEST_STEP_SECONDS = 4.0  # for one request: three of them in a row leave time for the rest
LEAST_STEP_SECONDS = 0.2
NOT_USABLE = "needs settings.complete"
T = TypeVar("T")


class DoctorContext:
    """What one run of doctor knows; ``unreadable`` and ``unusable_bundle`` say why something cannot be read."""

    def __init__(self, env_file: Path | None = None, *, most_seconds: float = MOST_SECONDS) -> None:
        self.path = env_file or Path(".env")
        self.environment = Environment({})
        self.unreadable: SettingsError | None = None
        try:
            self.environment = read_environment(env_file)
        except SettingsError as error:
            self.unreadable = error
        self.unusable_bundle: SettingsError | None = None
        self._end = time.monotonic() + most_seconds
        self._calls: dict[tuple[Route, str | None], Call] = {}

    @property
    def step_seconds(self) -> float:
        """What the next request may take."""
        configured = self.settings.timeout_seconds if self.settings else LONGEST_STEP_SECONDS
        return max(min(configured, LONGEST_STEP_SECONDS, self._end - time.monotonic()), LEAST_STEP_SECONDS)

    @cached_property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with the settings, or is missing from them."""
        problems: dict[Problem, None] = {}
        readers: list[Callable[[Environment], object]] = [Settings.from_env, ClientSettings.from_env]
        if self.environment.get("ZITADEL_ADMIN_PAT", "").strip() and self.withheld is None:
            readers.append(AdminSettings.from_env)
        for read in readers:
            try:
                read(self.environment)
            except SettingsError as error:
                problems |= dict.fromkeys(error.problems)
        return tuple(problems)

    @cached_property
    def settings(self) -> Settings | None:
        """The API's settings, if they are complete."""
        return _or_none(Settings.from_env, self.environment)

    @cached_property
    def about_zitadel(self) -> Settings | None:
        """The settings for requests to ZITADEL that need no credentials."""
        if self.settings:
            return self.settings
        known = {name: self.environment.get(name, "") for name in (ISSUER, INTERNAL_URL, "ZDEMO_ALLOW_HTTP")}
        if unused_internal_url(self.environment):
            del known[INTERNAL_URL]
        return _or_none(Settings.from_env, {**known, "CLIENT_ID": "0", "CLIENT_SECRET": "0"})

    def not_usable(self, *names: str) -> str:
        """Return which check of the settings says why one of these variables cannot be used; empty when all can."""
        about = [(name, problem.kind) for problem in self.problems for name in problem.names[:1]]
        about += [(name, odd.kind) for odd in self.odd for name in odd.blocks]
        name, kind = next(((name, kind) for name, kind in about if name in names), ("", None))
        why = (
            f"{NOT_USABLE}: {name} is not set" if kind is ProblemKind.MISSING else f"needs settings.wellformed: {name}"
        )
        return why if name else ""

    @cached_property
    def odd(self) -> tuple[Problem, ...]:
        """What is odd about the values of the settings."""
        return odd_values(self.environment)

    @property
    def zitadel(self) -> ZitadelAddress:
        """Where ZITADEL is; an empty issuer when that is unknown."""
        return self.about_zitadel.zitadel if self.about_zitadel else ZitadelAddress("")

    @cached_property
    def api(self) -> ClientSettings | None:
        """The settings for requests to the API."""
        return _or_none(ClientSettings.from_env, self.environment)

    def called(self, route: Route, token: str | None = None) -> Call:
        """Return the API's answer to one call, only for checks that build on its address. Raises ConnectionFailed."""
        assert self.api is not None  # noqa: S101  # as said above
        if (route, token) not in self._calls:
            asks_nobody = token is None and is_local(self.api.api_url)
            seconds = min(self.step_seconds, LOCAL_SECONDS if asks_nobody else LONGEST_STEP_SECONDS)
            self._calls[route, token] = call_api(replace(self.api, timeout_seconds=seconds), route, token)
        return self._calls[route, token]

    @property
    def token(self) -> str:
        """``PAT``; empty when there is none."""
        return self.environment.get("PAT", "").strip()

    @property
    def withheld(self) -> Problem | None:
        """Why ``ZITADEL_ADMIN_PAT`` is not sent to the address in ``.env``."""
        return why_withheld(self.environment, self.zitadel)

    @property
    def facts(self) -> Facts:
        """What ZITADEL says, with time for one more step; only for checks that build on its address."""
        self._facts.allow(self.step_seconds)
        return self._facts

    @cached_property
    def _facts(self) -> Facts:
        assert self.about_zitadel is not None  # noqa: S101  # as said above
        return Facts(self.environment, self.about_zitadel, self.token if self.has_token else None)

    @cached_property
    def evidence(self) -> Evidence:
        """What ZITADEL says about itself; requested at once, so that a ZITADEL that hangs costs one step."""
        if self.about_zitadel is None:
            return NOTHING
        facts = self.facts
        try:
            known = facts.ask(Probe.DISCOVERY, Probe.READY, meanwhile=(Probe.HEALTH,), now=time.time())
        except SettingsError as error:
            self.unusable_bundle = error
            return NOTHING
        return known if known.is_ready else facts.ask(Probe.HEALTH)

    @cached_property
    def store(self) -> SharedState:
        """Whether the store that workers share works; only for checks that build on its address."""
        assert self.settings is not None  # noqa: S101  # as said above
        from zdemo.guard.build import state_of_store  # here, since most APIs have no store

        return state_of_store(self.settings)

    @property
    def has_token(self) -> bool:
        """Whether there is a token that can be sent."""
        return bool(self.token) and token_form(self.token).sendable

    @cached_property
    def investigation(self) -> Investigation:
        """What ZITADEL says about the token or, without one, about a random text: both show the state of the client."""
        if self.settings is None:
            return Investigation()
        return investigate(self.facts, now=time.time())

    def close(self) -> None:
        """Close the connections."""
        if "_facts" in vars(self):
            self._facts.close()


def _or_none(read: Callable[[Mapping[str, str]], T], values: Mapping[str, str]) -> T | None:
    try:
        return read(values)
    except SettingsError:
        return None
