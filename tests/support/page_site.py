"""The API with its page on a real server, and a browser's requests to it."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import requests

from tests.support.cli import administered
from tests.support.emulator_target import hyphenated
from tests.support.wire import PATIENCE_SECONDS
from zdemo.config.environment import COMMAND_LINE, Environment
from zdemo.config.settings import Settings
from zdemo.diagnosis.evidence import PatIds
from zdemo.emulator import ADMIN, CLIENT_SECRET, PROJECT_ID, READER, VISITOR, Emulator, emulate
from zdemo.page import PageOptions, paged
from zdemo.page.events import event_of, secrets_of
from zdemo.page.page_context import VARIABLES
from zdemo.server import create_app
from zdemo.server.observe import WATCHER, Trace
from zdemo.serving import WSGIApp
from zdemo.serving.bus import Bus
from zdemo.serving.embedded import serving

KEY = "b7c1d2e3f4a5968778695a4b"
SECRET_HEADER = "X-Zdemo-Secret"  # a name
SECRETS = (READER.pat, VISITOR.pat, ADMIN.pat, CLIENT_SECRET, KEY)  # no answer may contain them


def lines_of(steps: list[dict[str, Any]]) -> list[str]:
    """Return the steps of a fix in words, without remarks."""
    return [step["line"] for step in steps]


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page; ``session`` holds its cookie and its secret once it has been entered."""

    url: str
    session: requests.Session = field(default_factory=requests.Session)

    def enter(self, address: str) -> str:
        """Open the page by its address with the key, and keep what proves the key; return where that led."""
        answer = self.session.get(address, timeout=PATIENCE_SECONDS)
        page, _, secret = answer.url.partition("#secret=")
        assert (answer.status_code, bool(secret)) == (200, True)
        self.session.headers[SECRET_HEADER] = secret
        return page

    @property
    def proofs(self) -> dict[str, str]:
        """The header fields that prove the key."""
        ((name, value),) = self.session.cookies.items()
        return {"Cookie": f"{name}={value}", SECRET_HEADER: str(self.session.headers[SECRET_HEADER])}

    def get(self, path: str, **headers: str) -> requests.Response:
        return self.session.get(f"{self.url}{path}", headers=hyphenated(headers), timeout=PATIENCE_SECONDS)

    def post(self, path: str, document: Any, **headers: str) -> requests.Response:
        sent = hyphenated(headers)
        return self.session.post(f"{self.url}{path}", json=document, headers=sent, timeout=PATIENCE_SECONDS)

    @contextmanager
    def feed(self, last_id: str = "") -> Iterator[Iterator[tuple[str, Any]]]:
        """Open a feed; yield its events by name, after the first one."""
        headers = {"Last-Event-ID": last_id} if last_id else {}
        url = f"{self.url}/-/feed"
        with self.session.get(url, stream=True, headers=headers, timeout=PATIENCE_SECONDS) as answer:
            assert answer.headers["Content-Type"] == "text/event-stream"
            stream = events(answer)
            assert next(stream)[0] == "hello"
            yield stream

    def first_event(self, name: str) -> dict[str, Any]:
        with self.feed() as stream:
            return next(document for kind, document in stream if kind == name)

    def call(self, path: str, token: str = READER.pat) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return requests.get(f"{self.url}{path}", headers=headers, timeout=PATIENCE_SECONDS)


@dataclass(frozen=True, kw_only=True)
class PageSite(Page):
    emulator: Emulator

    @property
    def address(self) -> str:
        return f"{self.url}/?key={KEY}"

    def open(self) -> PageSite:
        self.enter(self.address)
        return self


def page_options(
    emulator: Emulator,
    api_url: str = "http://127.0.0.1:1",
    *,
    beside: bool = True,
    ttl_seconds: float = 5.0,
    **changed: str,
) -> PageOptions:
    """Return the options of a page for an emulator; ``beside`` and ``changed`` as for ``page_site``."""
    known = administered(emulator.url, ZITADEL_PROJECT_ID=PROJECT_ID, ZDEMO_VISITOR_PAT=VISITOR.pat)
    environment = Environment({COMMAND_LINE: known | changed})
    users = (READER, VISITOR) if beside else ()
    return PageOptions(
        key=KEY,
        api_url=api_url,
        settings=replace(Settings.from_env(environment), cache_ttl_seconds=ttl_seconds),
        environment=environment,
        emulator=emulator.world.name if beside else "",
        emulator_pats={
            user.username: PatIds(user=user.id, pat_id=user.token_id, variable=VARIABLES[user.username], named_by=())
            for user in users
        },
        threads=8,
    )


@contextmanager
def page_site(*, threads: int = 8, beside: bool = True, ttl_seconds: float = 5.0, **changed: str) -> Iterator[PageSite]:
    """Serve an API with its page, in front of an emulator, while the block lasts.

    ``beside``: the page knows that the ZITADEL is an emulator. ``changed`` are other variables, empty for none.
    """
    late: list[WSGIApp] = []  # the page needs to know the port

    def app(environ: Any, start_response: Any) -> Any:
        return late[0](environ, start_response)

    with emulate() as emulator, serving(app) as port:
        url = f"http://127.0.0.1:{port}"
        options = page_options(emulator, url, beside=beside, ttl_seconds=ttl_seconds, **changed)
        options = replace(options, threads=threads)
        api = create_app(options.settings)
        late.append(paged(lambda _: api, options, Bus()))
        with requests.Session() as session:
            site = PageSite(url=url, emulator=emulator, session=session)
            yield site
            is_open = api.extensions[WATCHER].watching
            for _ in range(10 * is_open):  # a feed notices that its client has left when it sends: else in 2 s
                site.call("/api/public", "")


class TracedApi:
    """The API without a server, and what the page would show of each request to it."""

    def __init__(self, options: PageOptions, denied_as: int | None = None) -> None:
        self.options, self._app = options, create_app(options.settings, denied_as=denied_as)
        self._traces: list[Trace] = []
        watcher = self._app.extensions[WATCHER]
        watcher.watching, watcher.ended, watcher.past = True, self._traces.append, deque(maxlen=1)

    def event(self, path: str, token: str = READER.pat, **headers: str) -> dict[str, Any]:
        """Send a request and return its event; in names of headers ``_`` stands for a hyphen."""
        named = hyphenated(headers)
        if token:
            named["Authorization"] = f"Bearer {token}"
        with self._app.test_client().get(path, headers=named) as answer:
            answer.get_data()
        return self._shown(self._traces.pop())

    def past(self) -> dict[str, Any]:
        """Return the event of the last request as for a page that was opened later."""
        return self._shown(self._app.extensions[WATCHER].past_traces()[0])

    def _shown(self, trace: Trace) -> dict[str, Any]:
        return event_of(trace, self.options, secrets_of(self.options), worker="1", now=time.time())


def events(answer: requests.Response) -> Iterator[tuple[str, Any]]:
    """Yield the events of a stream: their names and documents. Each comes in time, or the test fails."""
    name, end = "", time.monotonic() + PATIENCE_SECONDS
    for line in answer.iter_lines(chunk_size=1):
        assert time.monotonic() < end, "no more events come"  # lines to notice who has left come for ever
        field, _, value = line.decode().partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)
            end = time.monotonic() + PATIENCE_SECONDS
