"""APIs with one planted mistake each, and ``zdemo verify``'s grades of APIs that run inside the test's process."""

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from tests.support.apis import PUBLIC, SCOPED, Endpoint, settings_for
from zdemo.config.settings import Settings
from zdemo.emulator import CLIENT_ID, CLIENT_SECRET, PROJECT_ID, emulate
from zdemo.errors import IntrospectionError, UnusableAnswer
from zdemo.http.transport import Transport
from zdemo.introspection.build import Limits, protected
from zdemo.introspection.client import IntrospectionClient
from zdemo.introspection.model import ROLES_CLAIM, Introspection, Introspector, roles_claim_of
from zdemo.server import create_app
from zdemo.serving.embedded import LOOPBACK, serving
from zdemo.verify.asker import Asker, RunBudget
from zdemo.verify.bench import Bench
from zdemo.verify.case import CaseReport, Mark
from zdemo.verify.emulated import emulated_issuer
from zdemo.verify.run import examine

ROLE = "read:messages"
THREADS = 128
TIMEOUT_SECONDS = 2.0  # a busy machine must not seem an outage
CACHE_SECONDS = 0.5
WINDOW_SECONDS = 3.0
RUN_SECONDS = 100.0
MIXING_SECONDS = 0.05  # how long it waits for another request, whose answer it takes


@dataclass(frozen=True)
class AnyAudience:
    """An introspector that takes a token for the API's own as long as somebody's userinfo answers."""

    inner: Introspector
    settings: Settings

    def introspect(self, token: str) -> Introspection:
        found = self.inner.introspect(token)
        if found.active:
            return replace(found, audience=(self.settings.client_id,))
        with closing(Transport(self.settings.issuer, setting="")) as transport:
            headers = {"Authorization": f"Bearer {token}"}
            answer = transport.send("GET", "/oidc/v1/userinfo", timeout_seconds=TIMEOUT_SECONDS, headers=headers)
        if answer.status != 200:
            return found
        roles = {ROLE: {"1": "example.com"}}
        claims = {ROLES_CLAIM: roles, roles_claim_of(PROJECT_ID): roles}
        return Introspection(active=True, claims=claims, audience=(self.settings.client_id,))


@dataclass(frozen=True)
class Muddled:
    """An introspector that blames the caller for an outage, and breaks at an answer that it does not know."""

    inner: Introspector

    def introspect(self, token: str) -> Introspection:
        try:
            return self.inner.introspect(token)
        except UnusableAnswer:
            raise RuntimeError("not JSON") from None
        except IntrospectionError:
            return Introspection(active=False)


@dataclass
class Careless:
    """An introspector that takes what only resembles a token, a role or a grant, and mixes up its callers."""

    inner: Introspector
    known: dict[str, tuple[float, Introspection]] = field(default_factory=dict)
    current: Introspection = field(default_factory=lambda: Introspection(active=False))
    calls: int = 0
    arrival: threading.Condition = field(default_factory=threading.Condition)

    def introspect(self, token: str) -> Introspection:
        known = self._known(token.lower(), token)
        with self.arrival:
            self.current, self.calls = known, self.calls + 1
            mine = self.calls
            self.arrival.notify_all()
            self.arrival.wait_for(lambda: self.calls > mine, MIXING_SECONDS)
            return self.current

    def _known(self, key: str, token: str) -> Introspection:
        asked_at, found = self.known.get(key, (-math.inf, None))
        if found is None or time.monotonic() - asked_at > CACHE_SECONDS:
            try:
                fresh = _generous(self.inner.introspect(token))
            except IntrospectionError:
                if found is None:
                    raise
                return found
            if not fresh.active:
                return fresh
            self.known[key] = (time.monotonic(), fresh)
            return fresh
        return found


def _generous(found: Introspection) -> Introspection:
    """Return an answer with more time, more roles and an audience."""
    claims = [value for name, value in found.claims.items() if name.startswith("urn:zitadel:iam:org:project:")]
    keys = [key.strip().lower() for value in claims if isinstance(value, dict) for key in value]
    roles = {key: {"1": "example.com"} for key in keys}
    return replace(
        found,
        claims={**found.claims, ROLES_CLAIM: roles, roles_claim_of(PROJECT_ID): roles},
        expires_at=None if found.expires_at is None else found.expires_at + 60,
        audience=found.audience or (PROJECT_ID,),
    )


def _open_from_inside(app: Callable[..., Any]) -> Callable[..., Any]:
    """Guard only GET and HEAD, and only those who do not claim to come from this machine."""

    def opened(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        if environ["REQUEST_METHOD"] == "DELETE" or environ.get("HTTP_X_FORWARDED_FOR") == LOOPBACK:
            start_response("200 OK", [("Content-Length", "0")])
            return []
        return app(environ, start_response)

    return opened


def settings_of(issuer: str, *, cache_seconds: float = CACHE_SECONDS) -> Settings:
    """Return settings with which a run does not take long."""
    return replace(settings_for(issuer, timeout_seconds=TIMEOUT_SECONDS), cache_ttl_seconds=cache_seconds)


@contextmanager
def _served(
    settings: Settings,
    spoilt: Callable[[Introspector], Introspector] = lambda good: good,
    around: Callable[[Any], Any] = lambda app: app,
) -> Iterator[Endpoint]:
    """Serve zdemo's API with an introspector that may be spoilt, and with as many threads as ``zdemo serve`` has."""
    limits = Limits.of(THREADS)
    with closing(IntrospectionClient(settings, connections=limits.flights)) as client:
        introspector = spoilt(protected(client, settings, limits))
        with serving(around(create_app(settings, introspector))) as port:
            yield Endpoint(port=port)


def api_for_all_audiences(issuer: str) -> AbstractContextManager[Endpoint]:
    """Serve an API that accepts tokens of other projects."""
    settings = settings_of(issuer)
    return _served(settings, lambda good: AnyAudience(good, settings))


def api_that_muddles_outages(issuer: str) -> AbstractContextManager[Endpoint]:
    """Serve an API that answers 401 and 500 while ZITADEL is away."""
    return _served(settings_of(issuer), Muddled)


def api_that_remembers_too_long(issuer: str) -> AbstractContextManager[Endpoint]:
    """Serve an API that keeps answers for an hour."""
    return _served(settings_of(issuer, cache_seconds=3600))


def api_that_is_careless(issuer: str) -> AbstractContextManager[Endpoint]:
    """Serve an API with many small mistakes, each of which lets somebody in."""
    return _served(settings_of(issuer), Careless, _open_from_inside)


def graded(serve: Callable[[str], AbstractContextManager[Endpoint]]) -> dict[str, CaseReport]:
    """Return the reports on an API that ``serve`` runs in front of an emulator, by the IDs of the cases."""
    with ExitStack() as stack:
        emulator = stack.enter_context(emulate())
        issuer = stack.enter_context(emulated_issuer(emulator, PROJECT_ID))
        api = stack.enter_context(serve(emulator.url))
        budget = RunBudget(RUN_SECONDS)
        bench = Bench(
            api=stack.enter_context(Asker(f"http://{LOOPBACK}:{api.port}", SCOPED, budget, patient=True)),
            issuer=issuer,
            role=ROLE,
            budget=budget,
            public=PUBLIC,
            window_seconds=WINDOW_SECONDS,
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            project_id=PROJECT_ID,
            issuer_url=emulator.url,
        )
        return {report.case.id: report for report in examine(bench)}


def failures(reports: Mapping[str, CaseReport]) -> dict[str, str]:
    """Return what was seen where a case failed, or could not be asked."""
    return {name: one.verdict.seen for name, one in reports.items() if one.mark in (Mark.FAIL, Mark.UNASKED)}
