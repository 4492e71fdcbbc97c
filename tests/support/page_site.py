"""The API with its page on a real server, and a browser's requests to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import requests

from tests.support.wire import PATIENCE_SECONDS
from zdemo.config.environment import Environment
from zdemo.config.settings import Settings
from zdemo.emulator import CLIENT_ID, CLIENT_SECRET, READER, Emulator, emulate
from zdemo.page import PageOptions, paged
from zdemo.server import create_app
from zdemo.serving.embedded import serving

KEY = "b7c1d2e3f4a5968778695a4b"


@dataclass(frozen=True, kw_only=True)
class PageSite:
    """The address of a page; ``session`` holds its cookie once ``open`` has been called."""

    url: str
    key: str
    emulator: Emulator
    session: requests.Session = field(default_factory=requests.Session)

    def open(self) -> PageSite:
        """Open the page with its key, as a person does."""
        assert self.get(f"/?key={self.key}").status_code == 200
        return self

    def get(self, path: str, **headers: str) -> requests.Response:
        """Send a GET with the cookie, if there is one yet; in names of headers ``_`` stands for a hyphen."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.session.get(f"{self.url}{path}", headers=named, timeout=PATIENCE_SECONDS)

    def call(self, path: str, token: str = READER.pat) -> requests.Response:
        """Send a request to the API, as a program does."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return requests.get(f"{self.url}{path}", headers=headers, timeout=PATIENCE_SECONDS)


@contextmanager
def page_site(*, threads: int = 8, key: str = KEY) -> Iterator[PageSite]:
    """Serve an API with its page, in front of an emulator, while the block lasts."""
    with emulate() as emulator:
        settings = Settings(issuer=emulator.url, client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
        options = PageOptions(
            key=key, api_url="http://127.0.0.1", settings=settings, environment=Environment({}), threads=threads
        )
        app = paged(create_app(settings), options)
        with serving(app, threads=threads + 8) as port, requests.Session() as session:
            yield PageSite(url=f"http://127.0.0.1:{port}", key=key, emulator=emulator, session=session)
